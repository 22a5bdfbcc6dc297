/* See files.h. */
#include "sgx/quote/files.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/replace.h"

bool files_write(const char *folder, const char *name, mode_t mode, const void *data, size_t size)
{
    char path[4200], why[REPLACE_WHY_SIZE];
    const struct replace_how how = {.mode = mode};
    return (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path &&
           replace_file(path, data, size, &how, why) == 0;
}

static bool write_bio(const char *folder, const char *name, mode_t mode, BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    return size > 0 && files_write(folder, name, mode, data, (size_t)size);
}

bool files_write_key(const char *folder, const char *name, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    bool ok =
        bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) && write_bio(folder, name, 0600, bio);
    BIO_free(bio);
    return ok;
}

bool files_write_certificates(const char *folder, const char *name, X509 *const *list, int count)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL;
    for (int i = 0; ok && i < count; i++)
        ok = PEM_write_bio_X509(bio, list[i]);
    ok = ok && write_bio(folder, name, 0644, bio);
    BIO_free(bio);
    return ok;
}

bool files_write_crl(const char *folder, const char *name, X509_CRL *crl)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio && crl && i2d_X509_CRL_bio(bio, crl) && write_bio(folder, name, 0644, bio);
    BIO_free(bio);
    return ok;
}

static FILE *open_file(const char *folder, const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "rbe");
}

char *files_read(const char *folder, const char *name, size_t *size)
{
    FILE *file = open_file(folder, name);
    char *data = file ? malloc(FILES_SIZE_MAX + 1) : NULL;
    if (data) {
        *size = fread(data, 1, FILES_SIZE_MAX + 1, file);
        if (ferror(file) || *size > FILES_SIZE_MAX) {
            free(data);
            data = NULL;
        } else {
            data[*size] = '\0';
        }
    }
    if (file)
        fclose(file);
    return data;
}

EVP_PKEY *files_read_key(const char *folder, const char *name)
{
    FILE *file = open_file(folder, name);
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    if (file)
        fclose(file);
    return key;
}

X509 *files_read_certificate(const char *folder, const char *name, int index)
{
    FILE *file = open_file(folder, name);
    X509 *x = NULL;
    for (int i = 0; file && i <= index; i++) {
        X509_free(x);
        x = PEM_read_X509(file, NULL, NULL, NULL);
        if (!x)
            break;
    }
    if (file)
        fclose(file);
    return x;
}
