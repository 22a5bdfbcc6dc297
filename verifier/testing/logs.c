/* See logs.h. */
#include "verifier/testing/logs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include <cmocka.h>

#include "enclave/merkle/merkle.h"
#include "verifier/testing/note_lines.h"

static EVP_PKEY *make_key(const char *name, uint8_t type, const char *seed, struct note_key *k)
{
    uint8_t secret[32], raw[32];
    size_t size = sizeof raw;
    SHA256((const uint8_t *)seed, strlen(seed), secret);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof secret);
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &size), 1);
    assert_int_equal(note_key_make(name, type, raw, k), 0);
    return key;
}

struct made_log *made_log_open(const char *seed)
{
    static const uint8_t instance[32] = {0x1d, 2, 3};
    char name[128], hex[65];
    struct made_log *log = calloc(1, sizeof *log);
    assert_non_null(log);
    snprintf(name, sizeof name, "enclave-os/%s", verifier__hex(instance, 32, hex));
    log->private_key = make_key(name, NOTE_ED25519, seed, &log->key);
    return log;
}

void made_log_close(struct made_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        free(log->entries[i]);
    free(log->entries);
    free(log->leaves);
    free(log->extra);
    EVP_PKEY_free(log->private_key);
    free(log);
}

void made_log_add(struct made_log *log, const char *text)
{
    if (log->count == log->capacity) {
        log->capacity = 2 * log->capacity + 16;
        log->entries = realloc(log->entries, log->capacity * sizeof *log->entries);
        log->leaves = realloc(log->leaves, log->capacity * sizeof *log->leaves);
        assert_true(log->entries && log->leaves);
    }
    size_t size = strlen(text);
    uint8_t *input = malloc(size + 1);
    assert_non_null(input);
    input[0] = 0;
    memcpy(input + 1, text, size);
    SHA256(input, size + 1, log->leaves[log->count]);
    free(input);
    log->entries[log->count++] = strdup(text);
}

void made_log_grow(struct made_log *log, size_t count)
{
    char text[160];
    while (log->count < count) {
        snprintf(text, sizeof text, "{\"format\":\"enclave-os-entry/1\",\"index\":%zu,\"kind\":\"%s\"}", log->count,
                 log->count == 0 ? "begin" : "boot");
        made_log_add(log, text);
    }
}

void made_log_hand_over(struct made_log *log, const char *kind, const uint8_t measurement[32])
{
    char text[512], hex[65];
    snprintf(text, sizeof text,
             "{\"format\":\"enclave-os-entry/1\",\"index\":%zu,\"time\":1795789846,\"kind\":\"%s\",\"by\":["
             "\"abababababababababababababababababababababababababababababababab\"],\"measurement\":\"%s\"}",
             log->count, kind, verifier__hex(measurement, 32, hex));
    made_log_add(log, text);
}

struct made_log *made_log_fork(const struct made_log *log, size_t size)
{
    struct made_log *fork = calloc(1, sizeof *fork);
    assert_non_null(fork);
    fork->key = log->key;
    fork->private_key = log->private_key;
    EVP_PKEY_up_ref(fork->private_key);
    for (size_t i = 0; i < size; i++)
        made_log_add(fork, log->entries[i]);
    return fork;
}

void made_log_root(const struct made_log *log, size_t size, uint8_t root[32])
{
    struct merkle tree = {.hashes = log->leaves, .count = size};
    merkle_root(&tree, root);
}

static void body(const struct made_log *log, size_t size, char text[512])
{
    uint8_t root[32];
    char base64[48];
    made_log_root(log, size, root);
    EVP_EncodeBlock((uint8_t *)base64, root, 32);
    snprintf(text, 512, "%s\n%zu\n%s\n", log->key.name, size, base64);
}

char *made_log_checkpoint(const struct made_log *log, size_t size)
{
    char text[512], line[NOTE_LINE_SIZE], *note = NULL;
    size_t note_size;
    body(log, size, text);
    note_line_sign(&log->key, log->private_key, NULL, text, strlen(text), line);
    FILE *out = open_memstream(&note, &note_size);
    fprintf(out, "%s\n%s%s", text, line, log->extra ? log->extra : "");
    fclose(out);
    return note;
}

EVP_PKEY *made_witness(const char *name, const char *seed, struct note_key *key)
{
    return make_key(name, NOTE_COSIGNATURE, seed, key);
}

void made_cosign(struct made_log *log, size_t size, const struct note_key *key, EVP_PKEY *private_key, uint64_t time)
{
    char text[512], message[600], line[NOTE_LINE_SIZE], *all = NULL;
    size_t all_size;
    body(log, size, text);
    snprintf(message, sizeof message, "cosignature/v1\ntime %llu\n%s", (unsigned long long)time, text);
    note_line_sign(key, private_key, &time, message, strlen(message), line);
    FILE *out = open_memstream(&all, &all_size);
    fprintf(out, "%s%s", log->extra ? log->extra : "", line);
    fclose(out);
    free(log->extra);
    log->extra = all;
}

const char *made_log_key(const struct made_log *log)
{
    static char text[NOTE_KEY_TEXT_SIZE];
    assert_int_equal(note_key_text(&log->key, text, sizeof text), 0);
    return text;
}

/* ---- served ---------------------------------------------------------------------------------------------------- */

static uint64_t read_index(const char **at)
{
    uint64_t index = 0;
    while (**at == '/') {
        *at += (*at)[1] == 'x' ? 2 : 1;
        index = index * 1000 + strtoul(*at, (char **)at, 10);
    }
    return index;
}

static void put_hashes(const struct made_log *log, int level, uint64_t first, unsigned width, FILE *out)
{
    size_t each = (size_t)1 << 8 * level;
    for (unsigned i = 0; i < width; i++) {
        uint8_t root[32];
        struct merkle tree = {.hashes = log->leaves + (first + i) * each, .count = each};
        assert_true((first + i + 1) * each <= log->count);
        merkle_root(&tree, root);
        fwrite(root, 1, 32, out);
    }
}

static int serve(const struct made_log *log, const char *path, FILE *out)
{
    size_t shown = log->shown ? log->shown : log->count;
    if (strcmp(path, "checkpoint") == 0) {
        char *text = log->checkpoint ? strdup(log->checkpoint) : made_log_checkpoint(log, shown);
        fputs(text, out);
        free(text);
        return 0;
    }
    bool entries = strncmp(path, "tile/entries/", 13) == 0;
    const char *at = path + 5;
    int level = entries ? 0 : (int)strtol(at, (char **)&at, 10);
    if (entries)
        at += strlen("entries");
    uint64_t first = 256 * read_index(&at);
    unsigned width = strncmp(at, ".p/", 3) == 0 ? (unsigned)atoi(at + 3) : 256;
    if ((width < 256 && log->no_partial) || first + width > log->count >> 8 * level)
        return -ENOENT;
    if (!entries)
        put_hashes(log, level, first, width, out);
    for (unsigned i = 0; entries && i < width; i++) {
        const char *text = log->entries[first + i];
        fprintf(out, "%c%c%s", (int)(strlen(text) >> 8), (int)(strlen(text) & 255), text);
    }
    return 0;
}

int made_log_fetch(void *user, const char *path, size_t limit, uint8_t **data, size_t *size)
{
    struct made_log *log = user;
    log->fetched++;
    if (log->fail_at > 0 && log->fetched >= log->fail_at)
        return log->fail_with;
    if (log->missing && strcmp(log->missing, path) == 0)
        return -ENOENT;
    FILE *out = open_memstream((char **)data, size);
    int error = serve(log, path, out);
    fclose(out);
    if (error) {
        free(*data);
        *data = NULL;
        return error;
    }
    assert_true(*size <= limit);
    if (log->tampered && strcmp(log->tampered, path) == 0) {
        assert_true(log->at < *size);
        (*data)[log->at] ^= 1;
        *size -= log->cut;
    }
    return 0;
}
