/*
 * A server's log, all of whose answers are the input's: its head, tiles of the right size or any, bundles of entries.
 * Nothing that is not proven is given; of a log with one entry, whose root is right, exactly that is.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "tests/fuzz/fuzz.h"
#include "verifier/log.h"

struct server {
    struct input in;
    uint8_t kind; /* bits: 1: a head that is well-formed; 2: with one entry, which is right; 4: tiles of any size */
    uint8_t entry[64]; /* the one */
    size_t entry_size;
    uint64_t size;
};

static void put_head(struct server *s, FILE *out)
{
    uint8_t root[32] = {0}, base64[48];
    s->size = s->kind & 2 ? 1 : input_word(&s->in) >> (input_byte(&s->in) % 64);
    if (s->kind & 2)
        verifier__merkle_leaf(s->entry, s->entry_size, root);
    else
        root[0] = input_byte(&s->in);
    EVP_EncodeBlock(base64, root, 32);
    fprintf(out, "enclave-os/x\n%llu\n%s\n\n\xe2\x80\x94 x AAAAAAA=\n", (unsigned long long)s->size, (char *)base64);
}

static void put_bytes(struct server *s, size_t size, FILE *out)
{
    const uint8_t *bytes = input_bytes(&s->in, &size);
    fwrite(bytes, 1, size, out);
}

static void put_tile(struct server *s, const char *path, FILE *out)
{
    const char *partial = strstr(path, ".p/");
    size_t size = 32 * (partial ? (size_t)atoi(partial + 3) : 256);
    for (size_t i = 0; i < size; i++)
        putc(s->in.at < s->in.end ? s->in.at[i % (size_t)(s->in.end - s->in.at)] : 0, out);
    input_byte(&s->in);
}

static int fetch(void *user, const char *path, size_t limit, uint8_t **data, size_t *size)
{
    struct server *s = user;
    if (input_byte(&s->in) % 16 == 15)
        return -ENOENT;
    FILE *out = open_memstream((char **)data, size);
    MUST(out);
    if (strcmp(path, "checkpoint") == 0 && s->kind & 1)
        put_head(s, out);
    else if (strncmp(path, "tile/entries/", 13) == 0 && s->kind & 2)
        fprintf(out, "%c%c%.*s", 0, (int)s->entry_size, (int)s->entry_size, (const char *)s->entry);
    else if (path[5] != 'e' && path[0] == 't' && !(s->kind & 4))
        put_tile(s, path, out);
    else
        put_bytes(s, input_word(&s->in) % 5000, out);
    fclose(out);
    MUST(*size <= limit || !(s->kind & 1));
    if (*size <= limit)
        return 0;
    free(*data);
    return -EFBIG;
}

static void look(struct server *s, struct verifier_log *log)
{
    const char *data;
    size_t size;
    struct verifier_consistency proof;
    uint8_t roots[2][32];
    for (int i = 0; i < 4; i++) {
        uint64_t at = i == 0 ? 0 : input_word(&s->in) % verifier_log_size(log);
        if (verifier_log_entry(log, at, &data, &size) == 0) {
            MUST(s->kind & 2 && size == s->entry_size && memcmp(data, s->entry, size) == 0 && data[size] == 0);
        } else {
            MUST(*verifier_log_error(log));
        }
        if (verifier_log_prove(log, at + 1, &proof) == 0) {
            MUST(verifier_consistency_roots(&proof, roots[0], roots[1]));
            MUST(at + 1 < verifier_log_size(log) || memcmp(roots[0], roots[1], 32) == 0);
        }
    }
    MUST(verifier_log_entry(log, verifier_log_size(log), &data, &size) == -EINVAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct server s = {.in = {bytes, bytes + size}};
    char error[256];
    s.kind = input_byte(&s.in);
    s.entry_size = input_byte(&s.in) % sizeof s.entry;
    for (size_t i = 0; i < s.entry_size; i++)
        s.entry[i] = (uint8_t)(input_byte(&s.in) | 1); /* no NUL, for printf */
    struct verifier_log *log = verifier_log_open(fetch, &s, error, sizeof error);
    if (log)
        look(&s, log);
    verifier_log_close(log);
    return 0;
}
