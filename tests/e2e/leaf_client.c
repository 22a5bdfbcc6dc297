/*
 * A certificate as it is, without the connection that it came by: judged by us, and its DICE evidence read as other
 * makers' verifiers read it, which find it by its bytes and take it apart with libcbor.
 *
 * Usage: leaf_client LEAF.der ROOT.pem CASE, which prints what comes of it. CASE is
 *   good      as it is
 *   later     with an end of its own, signed by a stranger
 *   other     with another configuration root, signed by a stranger
 *   stripped  without the evidence, signed by a stranger
 *   foreign   as other makers read it
 */
#include <cbor.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/verifier.h"

static void die(const char *why)
{
    fprintf(stderr, "leaf_client: %s\n", why);
    exit(2);
}

static size_t read_file(const char *path, uint8_t *out, size_t capacity)
{
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(out, 1, capacity, file) : 0;
    if (!file || fclose(file) != 0)
        die(path);
    return size;
}

static void remove_extension(X509 *x, const char *oid)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int at = X509_get_ext_by_OBJ(x, object, -1);
    if (at < 0)
        die("no such extension");
    X509_EXTENSION_free(X509_delete_ext(x, at));
    ASN1_OBJECT_free(object);
}

static void forge(X509 *x, const char *how)
{
    EVP_PKEY *stranger = EVP_EC_gen("P-256");
    if (strcmp(how, "good") == 0)
        return;
    if (strcmp(how, "later") == 0) {
        X509_gmtime_adj(X509_getm_notAfter(x), 86400 - 900);
    } else if (strcmp(how, "other") == 0) {
        ASN1_OBJECT *object = OBJ_txt2obj("1.3.6.1.4.1.65230.1.1", 1);
        X509_EXTENSION *root = X509_get_ext(x, X509_get_ext_by_OBJ(x, object, -1));
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_dup(X509_EXTENSION_get_data(root));
        value->data[0] ^= 1;
        X509_EXTENSION_set_data(root, value);
        ASN1_OCTET_STRING_free(value);
        ASN1_OBJECT_free(object);
    } else if (strcmp(how, "stripped") == 0) {
        remove_extension(x, "2.23.133.5.4.9");
    } else {
        die("no such case");
    }
    if (!X509_sign(x, stranger, EVP_sha256()))
        die("it cannot be signed");
    EVP_PKEY_free(stranger);
}

static void judge(const uint8_t *der, size_t size, const char *root, const char *how)
{
    static uint8_t pem[65536];
    size_t pem_size = read_file(root, pem, sizeof pem);
    struct verifier_policy *policy = verifier_policy_create();
    verifier_policy_allow_simulation(policy, true);
    if (verifier_policy_set_roots(policy, (char *)pem, pem_size) != 0)
        die("no root");
    X509 *x = d2i_X509(NULL, &der, (long)size);
    if (!x)
        die("no certificate");
    forge(x, how);
    uint8_t *forged = NULL; /* as the verifier would get it */
    int forged_size = i2d_X509(x, &forged);
    struct verifier_result *result = verifier_verify_certificate_der(policy, NULL, forged, (size_t)forged_size);
    static const char *const outcomes[] = {"passed", "failed", "not checked"};
    for (size_t i = 0; i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (strcmp(check.name, "dice evidence") == 0 || strcmp(check.name, "configuration root") == 0)
            printf("%s: %s: %s\n", check.name, outcomes[check.outcome], check.reason);
    }
    printf("%s\n", verifier_verdict_name(verifier_result_verdict(result)));
}

/* ---- as others do ------------------------------------------------------------------------------------------------ */

static const uint8_t *find(const uint8_t *der, size_t size, size_t *found_size)
{
    static const uint8_t oid[] = {6, 6, 0x67, 0x81, 5, 5, 4, 9};
    const uint8_t *at = memmem(der, size, oid, sizeof oid), *end = der + size;
    if (!at || (at += sizeof oid) + 7 > end)
        die("no evidence");
    if (at[0] == 1 && at[1] == 1 && at[2] == 0)
        at += 3;
    *found_size = (size_t)at[2] << 8 | at[3];
    if (at[0] != 4 || at[1] != 0x82 || *found_size < 128 || *found_size > 8192 || *found_size > (size_t)(end - at - 4))
        die("its length is not as others expect it");
    return at + 4;
}

static cbor_item_t *load(const uint8_t *data, size_t size, bool (*is_it)(const cbor_item_t *))
{
    struct cbor_load_result loaded;
    cbor_item_t *item = cbor_load(data, size, &loaded);
    if (!item || loaded.error.code != CBOR_ERR_NONE || loaded.read != size || !is_it(item))
        die("no CBOR");
    return item;
}

static void is_sha256(const void *data, size_t size, const void *expected, const char *of)
{
    uint8_t hash[32];
    if (EVP_Digest(data, size, hash, NULL, EVP_sha256(), NULL) != 1 || memcmp(hash, expected, 32) != 0)
        die(of);
}

static void judge_claims(const cbor_item_t *claims, const uint8_t *der, size_t der_size)
{
    X509 *x = d2i_X509(NULL, &der, (long)der_size);
    uint8_t *spki = NULL;
    int spki_size = x ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki) : 0;
    struct cbor_pair *pairs = cbor_map_handle(claims);
    if (!cbor_map_is_definite(claims) || spki_size != 91)
        die("claims or key");
    for (size_t i = 0; i < cbor_map_size(claims); i++) {
        if (!cbor_isa_string(pairs[i].key) || !cbor_string_is_definite(pairs[i].key) ||
            !cbor_isa_bytestring(pairs[i].value) || !cbor_bytestring_is_definite(pairs[i].value))
            die("a claim");
        printf("%.*s %zu\n", (int)cbor_string_length(pairs[i].key), cbor_string_handle(pairs[i].key),
               cbor_bytestring_length(pairs[i].value));
    }
    if (cbor_string_length(pairs[0].key) != 11 || memcmp(cbor_string_handle(pairs[0].key), "pubkey-hash", 11) != 0)
        die("the first claim is not the key's");
    cbor_item_t *entry =
        load(cbor_bytestring_handle(pairs[0].value), cbor_bytestring_length(pairs[0].value), cbor_isa_array);
    cbor_item_t **pair = cbor_array_handle(entry);
    if (cbor_array_size(entry) != 2 || !cbor_isa_uint(pair[0]) || cbor_get_uint8(pair[0]) != 1 ||
        !cbor_isa_bytestring(pair[1]) || cbor_bytestring_length(pair[1]) != 32)
        die("the key's hash");
    is_sha256(spki, 91, cbor_bytestring_handle(pair[1]), "the key is another one");
}

static void read_as_others(const uint8_t *der, size_t size)
{
    static const uint8_t zeros[32];
    size_t evidence_size;
    const uint8_t *bytes = find(der, size, &evidence_size);
    cbor_item_t *tag = load(bytes, evidence_size, cbor_isa_tag);
    cbor_item_t *evidence = cbor_tag_item(tag);
    if (cbor_tag_value(tag) != 60000 || !cbor_isa_array(evidence) || !cbor_array_is_definite(evidence) ||
        cbor_array_size(evidence) != 2)
        die("no tagged evidence");
    cbor_item_t **parts = cbor_array_handle(evidence);
    for (int i = 0; i < 2; i++)
        if (!cbor_isa_bytestring(parts[i]) || !cbor_bytestring_is_definite(parts[i]))
            die("quote and claims are no bytes");
    const uint8_t *quote = cbor_bytestring_handle(parts[0]), *claims = cbor_bytestring_handle(parts[1]);
    size_t claims_size = cbor_bytestring_length(parts[1]);
    if (cbor_bytestring_length(parts[0]) < 436)
        die("no quote");
    is_sha256(claims, claims_size, quote + 368, "the quote is not over the claims");
    if (memcmp(quote + 400, zeros, 32) != 0)
        die("ReportData goes on behind the hash");
    judge_claims(load(claims, claims_size, cbor_isa_map), der, size);
}

int main(int argc, char **argv)
{
    static uint8_t der[65536];
    if (argc != 4)
        die("usage: leaf_client LEAF.der ROOT.pem CASE");
    size_t size = read_file(argv[1], der, sizeof der);
    if (strcmp(argv[3], "foreign") == 0)
        read_as_others(der, size);
    else
        judge(der, size, argv[2], argv[3]);
    return 0;
}
