/*
 * enclavectl keygen: an admin key pair, P-256.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* Never over an existing file: a lost admin key cannot be replaced. */
static FILE *create(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static int write_pair(EVP_PKEY *key, const char *path, const char *public_path)
{
    FILE *secret = create(path, 0600);
    if (!secret)
        return complain("%s: %s", path, strerror(errno));
    bool ok = PEM_write_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
    ok = fclose(secret) == 0 && ok;
    FILE *open_half = ok ? create(public_path, 0644) : NULL;
    if (!open_half) {
        int reason = errno;
        unlink(path);
        return complain("%s: %s", public_path, strerror(reason));
    }
    ok = PEM_write_PUBKEY(open_half, key);
    ok = fclose(open_half) == 0 && ok;
    return ok ? 0 : complain("%s: cannot be written", public_path);
}

int keygen_main(int argc, char **argv)
{
    char public_path[4096];
    if (argc != 2 || argv[1][0] == '-') {
        fputs("usage: enclavectl keygen FILE\n", stderr);
        return 2;
    }
    if ((size_t)snprintf(public_path, sizeof(public_path), "%s.pub", argv[1]) >= sizeof(public_path))
        return complain("%s: the name is too long", argv[1]);
    if (access(public_path, F_OK) == 0)
        return complain("%s: File exists", public_path);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!key)
        return complain("cannot make a key");
    int result = write_pair(key, argv[1], public_path);
    EVP_PKEY_free(key);
    if (result == 0)
        printf("%s (keep it secret) and %s\n", argv[1], public_path);
    return result;
}
