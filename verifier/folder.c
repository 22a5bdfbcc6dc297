/*
 * Collateral in a folder, one file for each document.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/replace.h"
#include "verifier/internal.h"
#include "verifier/verifier_fetch.h"

static const char *const file_names[VERIFIER_DOCUMENTS] = {
    [VERIFIER_TCB_INFO] = "tcb-info.json",
    [VERIFIER_TCB_INFO_CHAIN] = "tcb-info-chain.pem",
    [VERIFIER_QE_IDENTITY] = "qe-identity.json",
    [VERIFIER_QE_IDENTITY_CHAIN] = "qe-identity-chain.pem",
    [VERIFIER_ROOT_CRL] = "root.crl",
    [VERIFIER_PCK_CRL] = "pck.crl",
};

static int path_of(const char *folder, int document, char *path, size_t size)
{
    return (size_t)snprintf(path, size, "%s/%s", folder, file_names[document]) < size ? 0 : -ENAMETOOLONG;
}

static int load_file(struct verifier_collateral *c, int document, FILE *file)
{
    char *data = malloc(VERIFIER_DOCUMENT_SIZE_MAX + 1);
    if (!data)
        return -ENOMEM;
    size_t size = fread(data, 1, VERIFIER_DOCUMENT_SIZE_MAX + 1, file);
    int result = ferror(file)                        ? -EIO
                 : size > VERIFIER_DOCUMENT_SIZE_MAX ? -EFBIG
                                                     : verifier_collateral_set(c, document, data, size);
    free(data);
    return result;
}

int verifier_collateral_load(struct verifier_collateral *c, const char *folder, char *error, size_t error_size)
{
    char path[4096];
    int found = 0;
    for (int i = 0; i < VERIFIER_DOCUMENTS; i++) {
        int result = path_of(folder, i, path, sizeof path);
        FILE *file = result == 0 ? fopen(path, "rb") : NULL;
        if (result == 0 && !file && errno == ENOENT)
            continue;
        if (result == 0)
            result = file ? load_file(c, i, file) : -errno;
        if (file)
            fclose(file);
        if (result != 0) {
            snprintf(error, error_size, "%s: %s", path, strerror(-result));
            return result;
        }
        found++;
    }
    if (found > 0)
        return 0;
    snprintf(error, error_size, "%s: no collateral there (%s ...)", folder, file_names[0]);
    return -ENOENT;
}

int verifier_collateral_save(const struct verifier_collateral *c, const char *folder, char *error, size_t error_size)
{
    static const struct replace_how how = {.mode = 0644};
    char path[4096], why[REPLACE_WHY_SIZE];
    for (int i = 0; i < VERIFIER_DOCUMENTS; i++) {
        size_t size;
        const void *data = verifier_collateral_get(c, (enum verifier_document)i, &size);
        if (!data)
            continue;
        int result = path_of(folder, i, path, sizeof path);
        snprintf(why, sizeof why, "%s", strerror(-result));
        if (result == 0)
            result = replace_file(path, data, size, &how, why);
        if (result != 0) {
            snprintf(error, error_size, "%s: %s", path, why);
            return result;
        }
    }
    return 0;
}
