/*
 * Binary HTTP messages (RFC 9292), whole ones in memory: requests and responses, of known and of indeterminate length
 * read, of known length written.
 *
 *     struct bhttp_message m;
 *     struct bhttp_field field;
 *     if (bhttp_read(data, size, &m, &why) < 0) ...               why: a sentence for people
 *     for (struct bhttp_lines left = m.header; bhttp_next(&left, &field);) ...
 *
 * What is read points into data, which is the caller's, and is all there is to it: nothing is allocated. Strict: names
 * in lower case, no pseudo-fields, no controls in values, nothing but zeroes behind the end. A method is a token;
 * what targets and fields may say is not judged here. Any thread.
 */
#ifndef ENCLAVE_OS_COMMON_BHTTP_H
#define ENCLAVE_OS_COMMON_BHTTP_H

#include "common/bytes.h"

#define BHTTP_INTERIM_MAX 16u /* responses 1xx before the real one, which are passed over */

struct bhttp_text {
    const char *at;
    size_t size;
};

struct bhttp_field {
    struct bhttp_text name, value;
};

/* Field lines that were found valid. */
struct bhttp_lines {
    const uint8_t *at;
    size_t size, count;
};

struct bhttp_message {
    bool is_response;
    unsigned status;                                   /* of a response: 200 to 599 */
    struct bhttp_text method, scheme, authority, path; /* of a request */
    struct bhttp_lines header, trailer;
    uint8_t *content;
    size_t content_size;
};

/* The pieces of a content of indeterminate length are put together where they stand, so data is changed. 0; -EBADMSG,
 * with why. */
int bhttp_read(uint8_t *data, size_t size, struct bhttp_message *out, const char **why);
/* The next of the lines; false: there is none left. */
bool bhttp_next(struct bhttp_lines *left, struct bhttp_field *field);

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* A variable-length integer (RFC 9000, section 16), as short as it can be; what is larger than 62 bits fails. */
void bhttp_put_int(struct bytes_writer *w, uint64_t v);
/* The same in four bytes, for one that is known later; v is less than 2^30. */
#define BHTTP_LATER_SIZE 4u
void bhttp_put_later(uint8_t out[BHTTP_LATER_SIZE], uint32_t v);
/* Text behind its length. */
void bhttp_put_text(struct bytes_writer *w, const void *at, size_t size);
/* What a field's line takes at most, beside name and value. */
#define BHTTP_LINE_ROOM 16u
/* The name in lower case. */
void bhttp_put_line(struct bytes_writer *w, const void *name, size_t name_size, const void *value, size_t value_size);
/* A whole request over https, without trailers. */
void bhttp_put_request(struct bytes_writer *w, const char *method, const char *authority, const char *path,
                       const struct bhttp_field *fields, size_t count, const void *content, size_t size);

#endif
