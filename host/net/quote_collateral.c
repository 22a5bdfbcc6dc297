/* See quote_collateral.h. */
#include "host/net/quote_collateral.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/ensure.h"
#include "common/protocol.h"
#include "sgx/quote/pki.h"
#include "verifier/http_get.h"
#include "verifier/verifier_fetch.h"

_Static_assert(VERIFIER_DOCUMENTS *(4ull + VERIFIER_DOCUMENT_SIZE_MAX) <= PROTO_RPC_MAX, "they fit an answer");

bool quote_collateral_is_url(const char *text)
{
    struct http_url url;
    return verifier__parse_url(text, &url);
}

static int load_simulation(struct verifier_collateral *c, const char *machine_dir, char *error, size_t error_size)
{
    char folder[4000];
    if ((size_t)snprintf(folder, sizeof folder, "%s/" PKI_FOLDER, machine_dir) >= sizeof folder) {
        snprintf(error, error_size, "the machine folder's name is too long");
        return -ENAMETOOLONG;
    }
    pki_refresh(folder, time(NULL)); /* a failure shows in their age */
    return verifier_collateral_load(c, folder, error, error_size);
}

static int write_all(const struct verifier_collateral *c, uint8_t **out, size_t *out_size, char *error,
                     size_t error_size)
{
    size_t size[VERIFIER_DOCUMENTS], all = 0;
    for (int i = 0; i < VERIFIER_DOCUMENTS; i++) {
        if (!verifier_collateral_get(c, (enum verifier_document)i, &size[i])) {
            snprintf(error, error_size, "a document is missing");
            return -ENOENT;
        }
        all += 4 + size[i];
    }
    *out = malloc(all);
    if (!*out) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    struct bytes_writer w = bytes_writer_make(*out, all);
    for (int i = 0; i < VERIFIER_DOCUMENTS; i++)
        bytes_append_blob(&w, verifier_collateral_get(c, (enum verifier_document)i, &size[i]), size[i]);
    ENSURE(!w.failed && w.size == all);
    *out_size = all;
    return 0;
}

int quote_collateral_get(const struct quote_collateral_source *source, const void *quote, size_t quote_size,
                         uint8_t **out, size_t *out_size, char *error, size_t error_size)
{
    static const struct verifier_fetch_options any_server = {.any_certificate = true};
    if (!source->machine_dir && !source->pccs) {
        snprintf(error, error_size, "a quote's collateral is asked for, and no --pccs says where it comes from");
        return -ENOENT;
    }
    struct verifier_collateral *c = verifier_collateral_create();
    int result = -ENOMEM;
    snprintf(error, error_size, "out of memory");
    if (c && source->machine_dir)
        result = load_simulation(c, source->machine_dir, error, error_size);
    else if (c)
        result = verifier_collateral_fetch(c, source->pccs, quote, quote_size, &any_server, error, error_size);
    if (result == 0)
        result = write_all(c, out, out_size, error, error_size);
    verifier_collateral_destroy(c);
    return result;
}
