/*
 * See pccs.h. Paths and header fields: "Intel SGX and Intel TDX Provisioning Certification Service" API documentation.
 */
#include "sgx/quote/pccs.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/hex.h"
#include "sgx/quote/files.h"
#include "sgx/quote/pki.h"

#define API "/sgx/certification/v4/"

struct answer {
    const char *type, *chain_field;
    char *chain; /* PEM */
    char *body;
    size_t body_size;
};

static void answer_free(struct answer *a)
{
    free(a->chain);
    free(a->body);
}

/* Text as it may stand in a header field: all but the unreserved characters as %XX. out has room for three each. */
static size_t url_encode(const char *text, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t size = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.~", c)) {
            out[size++] = (char)c;
        } else {
            out[size++] = '%';
            out[size++] = digits[c >> 4];
            out[size++] = digits[c & 15];
        }
    }
    return size;
}

static char *compose(int status, const char *reason, const struct answer *a, size_t *size)
{
    size_t room = 512 + (a->chain ? 3 * strlen(a->chain) : 0) + a->body_size;
    char *out = malloc(room);
    if (!out)
        return NULL;
    size_t used = (size_t)snprintf(out, 400, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", status,
                                   reason, a->type, a->body_size);
    if (a->chain) {
        used += (size_t)sprintf(out + used, "%s: ", a->chain_field);
        used += url_encode(a->chain, out + used);
        used += (size_t)sprintf(out + used, "\r\n");
    }
    used += (size_t)sprintf(out + used, "Connection: close\r\n\r\n");
    if (a->body_size)
        memcpy(out + used, a->body, a->body_size);
    *size = used + a->body_size;
    return out;
}

char *pccs_refuse(int status, const char *reason, size_t *size)
{
    return compose(status, reason, &(struct answer){.type = "text/plain"}, size);
}

/* ---- the query ------------------------------------------------------------------------------------------------- */

/* Whether the query (after '?', or "") has name=value, in any case of letters. */
static bool query_has(const char *query, const char *name, const char *value)
{
    size_t name_size = strlen(name), value_size = strlen(value);
    while (*query) {
        size_t size = strcspn(query, "&");
        if (size == name_size + 1 + value_size && strncmp(query, name, name_size) == 0 && query[name_size] == '=' &&
            strncasecmp(query + name_size + 1, value, value_size) == 0)
            return true;
        query += size + (query[size] == '&');
    }
    return false;
}

/* Whether the PCK CA of this PKI is of the kind that the query asks for. */
static bool asks_for_our_ca(const char *folder, const char *query)
{
    char name[256] = "";
    X509 *ca = files_read_certificate(folder, "pck-chain.pem", 1);
    if (ca)
        X509_NAME_get_text_by_NID(X509_get_subject_name(ca), NID_commonName, name, sizeof name);
    X509_free(ca);
    return query_has(query, "ca", strstr(name, "Platform") ? "platform" : "processor");
}

static bool asks_for_our_platform(const char *query)
{
    char fmspc[13];
    hex_text((const uint8_t *)SIMULATION_FMSPC, 6, fmspc);
    return query_has(query, "fmspc", fmspc);
}

/* ---- the documents --------------------------------------------------------------------------------------------- */

static bool read_document(const char *folder, const char *file, const char *chain, struct answer *a)
{
    size_t size;
    a->body = files_read(folder, file, &a->body_size);
    a->chain = chain ? files_read(folder, chain, &size) : NULL;
    return a->body && (!chain || a->chain);
}

static bool to_hex(struct answer *a)
{
    char *hex = malloc(2 * a->body_size + 1);
    if (hex)
        hex_text((const uint8_t *)a->body, a->body_size, hex);
    free(a->body);
    a->body = hex;
    a->body_size *= 2;
    return hex != NULL;
}

static bool to_pem(struct answer *a)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    bool ok = bio && PEM_write_bio(bio, PEM_STRING_X509_CRL, "", (uint8_t *)a->body, (long)a->body_size) > 0;
    long size = ok ? BIO_get_mem_data(bio, &data) : 0;
    free(a->body);
    a->body = size > 0 ? malloc((size_t)size) : NULL;
    if (a->body) {
        memcpy(a->body, data, (size_t)size);
        a->body_size = (size_t)size;
    }
    BIO_free(bio);
    return a->body != NULL;
}

/* 1: found; 0: there is no such thing; -1: it cannot be read. */
static int find(const char *folder, const char *path, const char *query, struct answer *a)
{
    bool ok;
    if (strcmp(path, "tcb") == 0 && asks_for_our_platform(query)) {
        a->type = "application/json";
        a->chain_field = "TCB-Info-Issuer-Chain";
        ok = read_document(folder, "tcb-info.json", "tcb-info-chain.pem", a);
    } else if (strcmp(path, "qe/identity") == 0) {
        a->type = "application/json";
        a->chain_field = "SGX-Enclave-Identity-Issuer-Chain";
        ok = read_document(folder, "qe-identity.json", "qe-identity-chain.pem", a);
    } else if (strcmp(path, "rootcacrl") == 0) {
        a->type = "text/plain";
        ok = read_document(folder, "root.crl", NULL, a) && to_hex(a);
    } else if (strcmp(path, "pckcrl") == 0 && asks_for_our_ca(folder, query)) {
        bool der = query_has(query, "encoding", "der");
        a->type = der ? "application/pkix-crl" : "application/x-pem-file";
        a->chain_field = "SGX-PCK-CRL-Issuer-Chain";
        ok = read_document(folder, "pck.crl", "pck-crl-chain.pem", a) && (der || to_pem(a));
    } else {
        return 0;
    }
    return ok ? 1 : -1;
}

char *pccs_answer(const char *machine_dir, const char *target, size_t *size)
{
    char folder[4000], path[64];
    struct answer a = {0};
    const char *query = target + strcspn(target, "?");
    size_t prefix = sizeof API - 1, path_size = (size_t)(query - target);
    query += *query == '?';
    if (strncmp(target, API, prefix) != 0 || path_size - prefix >= sizeof path)
        return pccs_refuse(404, "Not Found", size);
    snprintf(path, sizeof path, "%.*s", (int)(path_size - prefix), target + prefix);
    snprintf(folder, sizeof folder, "%s/" PKI_FOLDER, machine_dir);
    pki_refresh(folder,
                time(NULL)); /* if that fails, what is there is better than nothing, and says itself how old it is */
    int found = find(folder, path, query, &a);
    char *answer = found == 1 ? compose(200, "OK", &a, size) : found == 0 ? pccs_refuse(404, "Not Found", size) : NULL;
    answer_free(&a);
    return answer;
}
