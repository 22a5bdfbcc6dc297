/*
 * enclavectl keygen: an admin key pair, P-256; or a recovery key's, X25519.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "common/arguments.h"
#include "common/hex.h"

/* Never over an existing file: the key in it may be the only admin's. */
static FILE *create(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static int complain_file(const char *path, int reason)
{
    return complain("%s: %s%s", path, strerror(reason),
                    reason == EEXIST ? ": a key is never written over another; choose another name" : "");
}

static int write_pair(EVP_PKEY *key, const char *path, const char *public_path)
{
    FILE *secret = create(path, 0600);
    if (!secret)
        return complain_file(path, errno);
    bool ok = PEM_write_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
    ok = fclose(secret) == 0 && ok;
    FILE *open_half = ok ? create(public_path, 0644) : NULL;
    if (!open_half) {
        int reason = errno;
        unlink(path);
        return complain_file(public_path, reason);
    }
    ok = PEM_write_PUBKEY(open_half, key);
    ok = fclose(open_half) == 0 && ok;
    return ok ? 0 : complain("%s: cannot be written", public_path);
}

/* As a list of holders has it (enclavectl recovery set). */
static int print_holder(EVP_PKEY *key)
{
    uint8_t raw[32];
    char text[2 * sizeof raw + 1];
    size_t size = sizeof raw;
    if (EVP_PKEY_get_raw_public_key(key, raw, &size) != 1 || size != sizeof raw)
        return complain("the key cannot be shown");
    hex_text(raw, size, text);
    printf("holder %s\n", text);
    return 0;
}

static const char usage[] = "usage: enclavectl keygen FILE [--recovery]\n"
                            "Makes an admin key: FILE, which is secret and belongs to who deploys, and FILE.pub for\n"
                            "enclave-os serve --admin-key. Never writes over a file.\n"
                            "  --recovery               a key for shares of the data instead, for serve and recover\n";

/* 0; -1: help was shown; else the exit status, and why was told. */
static int read_arguments(int argc, char **argv, const char **path, bool *recovery)
{
    static const struct option table[] = {{"recovery", 0, 0, 'r'}, {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    struct arguments a;
    int id, count;
    arguments_init(&a, argc, argv, table, NULL);
    while ((id = arguments_next(&a)) != ARGUMENTS_END) {
        if (id == ARGUMENTS_WRONG)
            return wrong("%s", a.error);
        if (id == 'h') {
            show_usage(usage, true);
            return -1;
        }
        *recovery = true;
    }
    char **rest = arguments_rest(&a, &count);
    if (count != 1)
        return wrong_arguments("keygen", "the FILE for the secret half", 1, 1, count, rest);
    *path = rest[0];
    return **path ? 0 : wrong("keygen: the name of the FILE is empty");
}

int keygen_main(int argc, char **argv)
{
    char public_path[4096];
    const char *path = NULL;
    bool recovery = false;
    int read = read_arguments(argc, argv, &path, &recovery);
    if (read != 0)
        return read < 0 ? 0 : read;
    if ((size_t)snprintf(public_path, sizeof public_path, "%s.pub", path) >= sizeof public_path)
        return wrong("%s: the name is too long", path);
    if (access(public_path, F_OK) == 0)
        return complain_file(public_path, EEXIST);
    EVP_PKEY *key = recovery ? EVP_PKEY_Q_keygen(NULL, NULL, "X25519") : EVP_EC_gen("P-256");
    if (!key)
        return complain("cannot make a key");
    int result = write_pair(key, path, public_path);
    if (result == 0)
        printf("%s (keep it secret) and %s\n", path, public_path);
    if (result == 0 && recovery)
        result = print_holder(key);
    EVP_PKEY_free(key);
    return result;
}
