/*
 * The messages of a hand-over (handover.h). Pure: bytes in, bytes out; any thread. Integers are little-endian, a "blob"
 * is u32 length, then bytes (common/bytes.h). docs/handover.md has the format.
 *
 *     offer     "EOS-HO/1", nonce of the new one                     -> struct handover_offer
 *     accept    nonce of the old one, recipient's key, evidence      -> key, evidence
 *     sealed    recipient, counter, blob sealed                      -> counter, blob sealed
 *               inside: what is asked (struct handover_asked)        -> a page, struct handover_given, or nothing
 *
 * A reader takes a whole message or nothing: whatever is cut, too long, or has something behind it is refused. What it
 * gives points into the message. What is written is what the other side reads, byte for byte: the transcript is over
 * these bytes (session.h).
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_WIRE_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/handover/limits.h"

#define HANDOVER_NONCE_SIZE 32u
#define HANDOVER_KEY_SIZE 65u /* P-256, uncompressed */

struct handover_bytes {
    const uint8_t *data; /* NULL: none */
    size_t size;
};

/* ---- offer ------------------------------------------------------------------------------------------------------- */

#define HANDOVER_OFFER_ASKED_SIZE (8u + HANDOVER_NONCE_SIZE)
void handover_write_offer_asked(const uint8_t nonce[HANDOVER_NONCE_SIZE], uint8_t out[HANDOVER_OFFER_ASKED_SIZE]);
bool handover_read_offer_asked(const void *data, size_t size, uint8_t nonce[HANDOVER_NONCE_SIZE]);

/* Of the old one: claims, until its evidence is judged. */
struct handover_offer {
    uint8_t nonce[HANDOVER_NONCE_SIZE];
    uint8_t instance[32], mrenclave[32];
    uint64_t generation;
    uint64_t log_size;
    uint8_t log_root[32];
};
#define HANDOVER_OFFER_SIZE (HANDOVER_NONCE_SIZE + 32u + 32u + 8u + 8u + 32u)
void handover_write_offer(const struct handover_offer *o, uint8_t out[HANDOVER_OFFER_SIZE]);
bool handover_read_offer(const void *data, size_t size, struct handover_offer *o);

/* ---- accept ------------------------------------------------------------------------------------------------------ */

struct handover_evidence {
    struct handover_bytes quote;
    struct handover_bytes collateral; /* as judge_read_collateral takes it; size 0: there is none */
};
/* Blob quote, blob collateral; what evidence.h makes. */
bool handover_read_evidence(const void *data, size_t size, struct handover_evidence *e);

struct handover_accept {
    uint8_t nonce[HANDOVER_NONCE_SIZE]; /* of the offer; absent in the answer */
    uint8_t key[HANDOVER_KEY_SIZE];
    struct handover_bytes evidence; /* at most HANDOVER_EVIDENCE_MAX */
};
/* malloc'ed; NULL: no memory. */
uint8_t *handover_write_accept(const struct handover_accept *a, size_t *size);
bool handover_read_accept(const void *data, size_t size, struct handover_accept *a);
uint8_t *handover_write_accepted(const struct handover_accept *a, size_t *size);
bool handover_read_accepted(const void *data, size_t size, struct handover_accept *a);

/* ---- sealed ------------------------------------------------------------------------------------------------------ */

struct handover_sealed {
    uint8_t recipient[32]; /* absent in the answer */
    uint64_t counter;
    struct handover_bytes sealed;
};
#define HANDOVER_SEALED_OVERHEAD (32u + 8u + 4u) /* of a request; an answer has 32 less */
/* The part before the sealed bytes, which follow. */
size_t handover_write_sealed(const struct handover_sealed *s, uint8_t out[HANDOVER_SEALED_OVERHEAD]);
bool handover_read_sealed(const void *data, size_t size, struct handover_sealed *s);
size_t handover_write_answered(const struct handover_sealed *s, uint8_t out[HANDOVER_SEALED_OVERHEAD]);
bool handover_read_answered(const void *data, size_t size, struct handover_sealed *s);

enum handover_ask {
    HANDOVER_ASK_RECORDS = 1,
    HANDOVER_ASK_COMMIT = 2,
    HANDOVER_ASK_DONE = 3,
};
struct handover_asked {
    enum handover_ask ask;
    uint64_t since;              /* RECORDS: those of this epoch and before need not be sent again, but named */
    struct handover_bytes after; /* RECORDS: the last key of the page before; empty: from the start */
};
#define HANDOVER_ASKED_MAX (1u + 8u + 4u + SCAN_KEY_MAX)
size_t handover_write_asked(const struct handover_asked *a, uint8_t out[HANDOVER_ASKED_MAX]);
bool handover_read_asked(const void *data, size_t size, struct handover_asked *a);

/* A page: u64 epoch, u8 more, then up to its end: u8 whether its value follows, blob key, blob value. */
struct handover_page {
    uint64_t epoch; /* records of this one and before are in it, where they belong there */
    bool more;
    struct handover_bytes records;
};
#define HANDOVER_PAGE_HEADER_SIZE (8u + 1u)
bool handover_read_page(const void *data, size_t size, struct handover_page *p);
struct handover_record {
    struct handover_bytes key;
    struct handover_bytes value; /* data NULL: as it was before */
};
/* 1: a record; 0: that was the last one; -EBADMSG. Takes it off the page. Keys ascend, which is checked by who knows
 * the one before. */
int handover_next_record(struct handover_page *p, struct handover_record *r);

enum handover_state {
    HANDOVER_NOT_APPROVED = 0, /* no administrator has said so yet */
    HANDOVER_UNDER_WAY = 1,    /* another request for it is being answered */
    HANDOVER_GIVEN = 2,        /* it is committed: the rest is valid */
};
struct handover_given {
    enum handover_state state;
    uint8_t master[32];
    uint64_t epoch, count; /* of the store's root */
    uint8_t digest[32];
    uint64_t log_size;
    uint8_t log_root[32];
};
#define HANDOVER_GIVEN_SIZE (1u + 32u + 8u + 8u + 32u + 8u + 32u)
void handover_write_given(const struct handover_given *g, uint8_t out[HANDOVER_GIVEN_SIZE]);
bool handover_read_given(const void *data, size_t size, struct handover_given *g);

#endif
