/*
 * Header lines as llhttp finds them, piece by piece, gathered in an arena and made into fields: for requests and
 * responses alike. Names become lower case; folded lines (RFC 9112 section 5.2) and NUL are refused.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_LINES_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_LINES_H

#include "enclave/https/buffer.h"
#include "enclave/https/exchange.h"

/* A line while it is parsed: offsets, since the arena moves. */
struct h1_line {
    uint32_t name, name_size, value, value_size;
};

struct h1_lines {
    struct budget *memory;       /* who is charged: set once, kept by h1_lines_begin and h1_lines_free */
    struct h1_buffer head, tail; /* the head's fields point into their arena, so trailers have one of their own */
    bool in_trailers;
    struct h1_line *lines;
    uint32_t count, capacity;
    const char *value_end; /* where the next part of a value must begin; else the line was folded */
    char before;           /* the last byte of earlier input that is not blank */
    uint32_t bytes_max, count_max;
};

/* Errors: -EBADMSG: malformed; -EMSGSIZE: beyond the limits; -ENOMEM. */

/* What holds between any two calls. */
void h1_lines_check(const struct h1_lines *l);
/* A new message, with these limits: head and trailers together have so many bytes, each of them so many lines. */
void h1_lines_begin(struct h1_lines *l, uint32_t bytes_max, uint32_t count_max);
void h1_lines_free(struct h1_lines *l);
/* Other text of the head, before the first line; counted with the rest. */
int h1_lines_text(struct h1_lines *l, const char *at, size_t size);
int h1_lines_name(struct h1_lines *l, const char *at, size_t size);
int h1_lines_name_complete(struct h1_lines *l);
/* input: where the buffer begins that at lies in. */
int h1_lines_value(struct h1_lines *l, const char *input, const char *at, size_t size);
/* The buffer, of capacity bytes at input, was parsed up to end; the next one begins at its start again. */
void h1_lines_next_input(struct h1_lines *l, const char *input, const char *end, size_t capacity);
/* What follows are trailers. */
void h1_lines_head_complete(struct h1_lines *l);

/* The present part's lines: count of them, and room for two more. For charged_free; NULL: no memory. */
struct http_field *h1_lines_fields(const struct h1_lines *l);

/* The trailers of a complete message, made once and kept in *kept: how many. What may be none (RFC 9110, section 6.5.1)
 * is dropped. */
size_t h1_lines_trailers(struct h1_lines *l, struct http_field **kept, const struct http_field **fields);

#endif
