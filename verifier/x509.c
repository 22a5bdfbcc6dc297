/*
 * Reading and judging certificates, one step at a time: each step is a check of its own, so OpenSSL's whole-chain
 * verification, which answers with one verdict, is not used.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "common/pem.h"
#include "verifier/internal.h"

/* A PEM block may claim to be encrypted; nobody is asked for its password. */
static int no_password(char *buffer, int size, int writing, void *user)
{
    (void)buffer, (void)size, (void)writing, (void)user;
    return -1;
}

STACK_OF(X509) * verifier__read_certificates(const void *pem, size_t size, int limit)
{
    if (size > PEM_SIZE_MAX)
        return NULL;
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    STACK_OF(X509) *list = sk_X509_new_null();
    bool ok = bio && list;
    while (ok) {
        X509 *x = PEM_read_bio_X509(bio, NULL, no_password, NULL);
        if (!x) { /* the end of the text is an error, too: no further block begins */
            unsigned long error = ERR_peek_last_error();
            ok = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
            break;
        }
        ok = sk_X509_num(list) < limit && sk_X509_push(list, x) > 0;
        if (!ok)
            X509_free(x);
    }
    ERR_clear_error();
    BIO_free(bio);
    if (ok && sk_X509_num(list) > 0)
        return list;
    verifier__free_certificates(list);
    return NULL;
}

STACK_OF(X509) * verifier__read_bundle(const void *pem, size_t size, int limit)
{
    char why[PEM_WHY_SIZE];
    STACK_OF(X509) *list = verifier__read_certificates(pem, size, limit);
    if (list && pem_judge(pem, size, PEM_STRING_X509, why) == sk_X509_num(list))
        return list;
    verifier__free_certificates(list);
    return NULL;
}

void verifier__free_certificates(STACK_OF(X509) * list)
{
    sk_X509_pop_free(list, X509_free);
}

const ASN1_OCTET_STRING *verifier__extension(X509 *x, const ASN1_OBJECT *oid, int *count)
{
    int first = -1;
    *count = 0;
    for (int at = -1; (at = X509_get_ext_by_OBJ(x, oid, at)) >= 0; ++*count)
        if (first < 0)
            first = at;
    return *count == 1 ? X509_EXTENSION_get_data(X509_get_ext(x, first)) : NULL;
}

/* Version 3, ECDSA with SHA-256 under P-256, and no critical extension that we do not understand. */
static const char *form_problem(X509 *x)
{
    uint32_t flags = X509_get_extension_flags(x);
    if (flags & EXFLAG_INVALID)
        return "a certificate in it is malformed";
    if (flags & EXFLAG_CRITICAL)
        return "a certificate in it has an unknown critical extension";
    if (X509_get_version(x) != X509_VERSION_3)
        return "a certificate in it is not of version 3";
    if (X509_get_signature_nid(x) != NID_ecdsa_with_SHA256)
        return "a certificate in it is not signed with ECDSA and SHA-256";
    return verifier__is_p256(X509_get0_pubkey(x)) ? NULL : "a certificate in it has no P-256 key";
}

const char *verifier__signed_by(X509 *x, X509 *ca)
{
    const char *problem = form_problem(x);
    if (!problem)
        problem = form_problem(ca);
    if (problem)
        return problem;
    if (X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(ca)) != 0)
        return "a certificate's issuer is not the next one's name";
    if (X509_check_ca(ca) != 1)
        return "a certificate's issuer is not a CA";
    if (!(X509_get_key_usage(ca) & KU_KEY_CERT_SIGN))
        return "a certificate's issuer may not sign certificates";
    if (X509_verify(x, X509_get0_pubkey(ca)) != 1) {
        ERR_clear_error();
        return "a certificate is not signed by its issuer's key";
    }
    return NULL;
}

int64_t verifier__asn1_time(const ASN1_TIME *t)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days, seconds;
    int64_t result = INT64_MIN;
    if (t && epoch && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1)
        result = (int64_t)days * 86400 + seconds;
    ASN1_TIME_free(epoch);
    return result;
}

const char *verifier__time_problem(int64_t from_s, int64_t until_s, int64_t now_s, char *text, size_t size)
{
    char date[24];
    if (from_s == INT64_MIN || until_s == INT64_MIN) {
        snprintf(text, size, "has no readable time of validity");
    } else if (now_s < from_s) {
        verifier__format_time(from_s, date);
        snprintf(text, size, "is not valid before %s", date);
    } else if (now_s > until_s) {
        verifier__format_time(until_s, date);
        snprintf(text, size, "is stale since %s", date);
    } else {
        return NULL;
    }
    return text;
}
