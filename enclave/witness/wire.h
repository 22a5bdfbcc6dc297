/*
 * What a witness is asked, and how its answer is judged (C2SP tlog-witness). Pure: bytes in, bytes out; any thread.
 *
 *     size = witness_wire_request(from, proof, count, checkpoint, checkpoint_size, text, sizeof text);
 *     ... POST URL/add-checkpoint ...
 *     witness_wire_answer(&question, status, type, type_size, body, body_size, &answer);
 *
 * An answer is what somebody says who may be the witness, or the host, or anybody. Only WITNESS_COSIGNED is proof: the
 * witness's signature over this very checkpoint. All others are words that can do nothing but withhold one.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WITNESS_WIRE_H
#define ENCLAVE_OS_ENCLAVE_WITNESS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/witness/limits.h"
#include "verifier/note.h"

/* "old FROM", the proof from there, an empty line, the checkpoint. Its size; 0: it does not fit. */
size_t witness_wire_request(uint64_t from, const uint8_t (*proof)[32], size_t count, const char *checkpoint,
                            size_t checkpoint_size, char *text, size_t size);

enum witness_says {
    WITNESS_NOTHING,  /* it was never asked */
    WITNESS_SILENT,   /* no answer: the connection was not made, broke, or took too long */
    WITNESS_COSIGNED, /* its signature holds over the checkpoint */
    WITNESS_SIZE,     /* 409: what it has seen is not of the size that it was asked from, but of this one */
    WITNESS_CONFLICT, /* 422, or 409 with the size of both: what it has seen is no beginning of this log */
    WITNESS_STRANGER, /* 403, 404: it does not know this log, or another key for it */
    WITNESS_REFUSED,  /* another status from 400 on */
    WITNESS_FORGED,   /* 200, and no signature of its key that holds over this checkpoint */
    WITNESS_GARBAGE,  /* what is no answer by the protocol */
};

struct witness_question {
    const struct note_key *key;
    uint64_t from, size;    /* the sizes that it was asked with: old, and the checkpoint's */
    const char *checkpoint; /* a signed note */
    size_t checkpoint_size; /* at most WITNESS_CHECKPOINT_MAX */
};

struct witness_answer {
    enum witness_says says;
    int status;                  /* HTTP's; 0: there was none */
    const char *problem;         /* WITNESS_SILENT: what is wrong with the connection, in a few words */
    uint64_t size;               /* WITNESS_SIZE, WITNESS_CONFLICT by 409: what it has seen */
    uint64_t time;               /* WITNESS_COSIGNED: when, by its own clock; seconds since 1970 */
    size_t line_size;            /* WITNESS_COSIGNED */
    char line[WITNESS_LINE_MAX]; /* its signature line, with its line feed */
};

/* Fills in all of a. type: the Content-Type field, without what stands around it; may be empty. */
void witness_wire_answer(const struct witness_question *q, int status, const char *type, size_t type_size,
                         const char *body, size_t body_size, struct witness_answer *a);

/* A few words for people: "has seen 12 entries of this log, which has 9 here". */
void witness_wire_text(const struct witness_answer *a, uint64_t asked_size, char text[WITNESS_TEXT_SIZE]);

#endif
