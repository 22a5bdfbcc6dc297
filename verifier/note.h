/*
 * Signed notes: a text under signatures of keys that have names (C2SP signed-note, as of Go's sumdb/note), with the two
 * kinds of signature that logs use, Ed25519 and a witness's cosignature (C2SP tlog-cosignature); and the text that a
 * log signs, its checkpoint (C2SP tlog-checkpoint). Reads and verifies only.
 *
 * What is read comes from a stranger. It is bounded, parsed in place and strict: there is one way to write a number, a
 * key and base64. Takes no memory but OpenSSL's for one verification. Private to whoever links the verifier's objects.
 */
#ifndef ENCLAVE_VERIFIER_NOTE_H
#define ENCLAVE_VERIFIER_NOTE_H

#include <stddef.h>
#include <stdint.h>

#define note_parse verifier__note_parse
#define note_key_parse verifier__note_key_parse
#define note_key_make verifier__note_key_make
#define note_key_text verifier__note_key_text
#define note_verify verifier__note_verify
#define note_checkpoint_parse verifier__note_checkpoint_parse

#define NOTE_SIZE_MAX (64u << 10)         /* of a whole note */
#define NOTE_SIGNATURES_MAX 100           /* lines of one note */
#define NOTE_NAME_SIZE_MAX 255            /* of a key, an origin */
#define NOTE_COSIGNED_SIZE_MAX (4u << 10) /* of a text under a cosignature */
#define NOTE_KEY_TEXT_SIZE 312            /* of any key that fits into a struct note_key, with its NUL */

/* Views into what was parsed. Text ends with its LF; signatures are whole lines. */
struct note {
    const char *text;
    size_t text_size;
    const char *signatures;
    size_t signatures_size;
};

/* 0, or -EBADMSG: too large, no UTF-8, without signatures, or any of their lines is malformed. What is said in the
 * text counts only once a signature of a key that is trusted was verified. */
int note_parse(const char *data, size_t size, struct note *n);

/* Kinds of signature, by their numbers in C2SP signed-note. */
enum { NOTE_ED25519 = 0x01, NOTE_COSIGNATURE = 0x04 };

struct note_key {
    char name[NOTE_NAME_SIZE_MAX + 1]; /* UTF-8 without spaces and '+' */
    uint8_t type;
    uint8_t key[32];
    uint8_t id[4];
};

/* From its text, "NAME+ID+KEY": ID 8 lower-case hex digits, KEY base64 of type and key. 0, -EBADMSG, or -ENOMEM. */
int note_key_parse(const char *vkey, size_t size, struct note_key *k);
/* Computes the ID. 0, -EINVAL (name or type), or -ENOMEM. */
int note_key_make(const char *name, uint8_t type, const uint8_t key[32], struct note_key *k);
/* Its text, and a NUL. 0, or -EINVAL: no room; NOTE_KEY_TEXT_SIZE is enough. */
int note_key_text(const struct note_key *k, char *text, size_t size);

/* Whether the first signature line of this key (name and ID) holds over the note's text: 0; -ENOENT: there is no line
 * of it; -EBADMSG: it does not hold; -ENOMEM. With 0, *time is a cosignature's time in seconds since 1970, and else 0;
 * time may be NULL. */
int note_verify(const struct note *n, const struct note_key *k, uint64_t *time);

struct note_checkpoint {
    char origin[NOTE_NAME_SIZE_MAX + 1]; /* UTF-8, never empty */
    uint64_t size;                       /* entries, below 2^63 */
    uint8_t root[32];
};

/* The note's text as a checkpoint; further lines are let be, as its format has it. 0, or -EBADMSG. */
int note_checkpoint_parse(const struct note *n, struct note_checkpoint *c);

#endif
