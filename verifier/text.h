/*
 * A text that grows: JSON that the verifier writes. Private to it.
 */
#ifndef ENCLAVE_VERIFIER_TEXT_H
#define ENCLAVE_VERIFIER_TEXT_H

#include "verifier/internal.h"

struct text {
    char *data;
    size_t size, capacity;
    bool failed; /* out of memory, once and for all */
};

#define text_append verifier__text_append
#define text_put verifier__text_put
#define text_string verifier__text_string
#define text_take verifier__text_take

void text_append(struct text *t, const char *data, size_t size);
/* At most 255 characters at once. */
void text_put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string: anything but printable ASCII becomes an escape. */
void text_string(struct text *t, const char *s);
/* The whole, NUL-terminated, to be freed; NULL if it failed. */
char *text_take(struct text *t);

#endif
