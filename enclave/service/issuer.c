/* See issuer.h. */
#include "enclave/service/issuer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/json.h"
#include "common/pem.h"
#include "common/references.h"
#include "enclave/service/identity.h"
#include "enclave/service/limits.h"
#include "enclave/service/system.h"

/* What is wrong, and with which member; NULL: nothing. */
struct finding {
    const char *member, *what;
};

static BIO *text_of(const json_t *value)
{
    return json_is_string(value) ? BIO_new_mem_buf(json_string_value(value), (int)json_string_length(value)) : NULL;
}

/* One block, and nothing else. */
static const char *read_certificate(const json_t *value, X509 **out)
{
    static _Thread_local char why[PEM_WHY_SIZE]; /* until the caller has used it */
    if (!json_is_string(value))
        return "a text is missing: PEM";
    long blocks = pem_judge(json_string_value(value), json_string_length(value), PEM_STRING_X509, why);
    if (blocks < 0)
        return why;
    if (blocks != 1)
        return "it is not one certificate: the CA's own, and none of those above it";
    BIO *bio = text_of(value);
    *out = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return *out ? NULL : "it cannot be read";
}

/* A key that is encrypted is asked for no password. */
static int no_password(char *out, int size, int writes, void *user)
{
    (void)out, (void)size, (void)writes, (void)user;
    return -1;
}

static const char *read_key(const json_t *value, EVP_PKEY **out)
{
    static const char begin[] = "-----BEGIN PRIVATE KEY-----";
    const char *text = json_string_value(value);
    char group[32] = "";
    if (!text)
        return "a text is missing: PEM";
    if (strncmp(text, begin, sizeof begin - 1) != 0 || strstr(text + 1, "-----BEGIN"))
        return "it is not one block called PRIVATE KEY (PKCS#8, not encrypted)";
    BIO *bio = text_of(value);
    *out = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    if (!*out)
        return "it cannot be read";
    if (!EVP_PKEY_is_a(*out, "EC") || EVP_PKEY_get_group_name(*out, group, sizeof group, NULL) != 1 ||
        strcmp(group, "prime256v1") != 0)
        return "it is not of P-256";
    return NULL;
}

/* Whether clients would take what it issues. */
static const char *judge_certificate(X509 *x, int64_t now_s)
{
    time_t now = (time_t)now_s;
    uint32_t flags = X509_get_extension_flags(x), usage = X509_get_key_usage(x);
    if ((flags & EXFLAG_INVALID) || X509_get_version(x) != X509_VERSION_3)
        return "its extensions cannot be read";
    if (!(flags & EXFLAG_CA))
        return "it is no CA's: basicConstraints has no CA:TRUE";
    if (X509_get_pathlen(x) != 0)
        return "its path length is not 0, as of a CA that issues no others";
    if (usage == UINT32_MAX || !(usage & KU_KEY_CERT_SIGN) || !(usage & KU_CRL_SIGN))
        return "its key usage has not both keyCertSign and cRLSign";
    if (X509_NAME_entry_count(X509_get_subject_name(x)) == 0)
        return "it has no subject";
    if (now_s && X509_cmp_time(X509_get0_notBefore(x), &now) >= 0)
        return "its time has not come";
    if (now_s && X509_cmp_time(X509_get0_notAfter(x), &now) <= 0)
        return "its time is over";
    return NULL;
}

static struct finding find(const json_t *object, int64_t now_s, struct issuer *out)
{
    const char *member, *what;
    json_t *ignored;
    json_object_foreach((json_t *)object, member, ignored) if (strcmp(member, "certificate") != 0 &&
                                                               strcmp(member, "key") != 0) return (struct finding){
        "it", "there are certificate and key, and nothing else"};
    if ((what = read_certificate(json_object_get(object, "certificate"), &out->certificate)) ||
        (what = judge_certificate(out->certificate, now_s)))
        return (struct finding){"certificate", what};
    if ((what = read_key(json_object_get(object, "key"), &out->key)))
        return (struct finding){"key", what};
    if (X509_check_private_key(out->certificate, out->key) != 1)
        return (struct finding){"key", "it is not the certificate's"};
    return (struct finding){NULL, NULL};
}

/* 0 or -EIO. */
static int hash_key(struct issuer *i)
{
    uint8_t *der = NULL;
    int size = i2d_PrivateKey(i->key, &der);
    if (size <= 0)
        return -EIO;
    SHA256(der, (size_t)size, i->key_sha256);
    OPENSSL_clear_free(der, (size_t)size);
    return 0;
}

int issuer_read(struct issuer **out, const char *json, size_t size, int64_t now_s, char why[ISSUER_WHY_SIZE])
{
    struct finding wrong = {"it", "expected {\"certificate\": PEM, \"key\": PEM}"};
    struct issuer *i = calloc(1, sizeof *i);
    ENSURE(out && json);
    snprintf(why, ISSUER_WHY_SIZE, "out of memory");
    if (!i)
        return -ENOMEM;
    atomic_store(&i->references, 1);
    json_t *object = size <= ISSUER_JSON_MAX ? json_read(json, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(object))
        wrong = find(object, now_s, i);
    json_decref(object);
    ERR_clear_error();
    int error = wrong.what ? -EINVAL : hash_key(i);
    if (error == 0) {
        *out = i;
        return 0;
    }
    if (wrong.what)
        snprintf(why, ISSUER_WHY_SIZE, "%s: %s", wrong.member, wrong.what);
    issuer_unref(i);
    return error;
}

struct issuer *issuer_ref(struct issuer *i)
{
    if (i)
        references_take(&i->references);
    return i;
}

void issuer_unref(struct issuer *i)
{
    if (!i || !references_give(&i->references))
        return;
    EVP_PKEY_free(i->key);
    X509_free(i->certificate);
    free(i);
}

X509 *issuer_certificate(const struct issuer *i)
{
    return i ? i->certificate : identity_ca();
}

EVP_PKEY *issuer_signing_key(const struct issuer *i)
{
    return i ? i->key : identity_ca_key();
}

const uint8_t *issuer_key_sha256(const struct issuer *i)
{
    return i ? i->key_sha256 : identity_ca_key_sha256();
}

json_t *issuer_json(const struct issuer *i)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    json_t *value = NULL;
    if (bio && PEM_write_bio_X509(bio, issuer_certificate(i)) == 1) {
        long size = BIO_get_mem_data(bio, &pem);
        value = json_pack("{s:b,s:s%}", "given", i != NULL, "certificate", pem, (size_t)size);
    }
    BIO_free(bio);
    return value;
}

int issuer_load(struct issuer **out, char *error, size_t error_size)
{
    uint8_t *json;
    size_t size;
    char why[ISSUER_WHY_SIZE] = "";
    *out = NULL;
    int result = system_get(ISSUER_KEY, &json, &size);
    if (result == -ENOENT)
        return 0;
    if (result == 0) {
        result = issuer_read(out, (const char *)json, size, 0, why); /* its time may be over: clients judge that */
        OPENSSL_clear_free(json, size);
    }
    if (result < 0)
        snprintf(error, error_size, "identity: the sealed CA that was given cannot be read (error %d) %s", -result,
                 why);
    return result;
}
