/* See manifests.h. */
#include "verifier/testing/manifests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/sha.h>

#include <cmocka.h>

#include "common/hex.h"
#include "enclave/merkle/merkle.h"

#define LIMITS "header-bytes=16384 headers=100"
static const uint8_t code[32] = {0xa9}, other_code[32] = {0xb7}, settings[32] = {0x5e}, bundle[32] = {0xca};
static const uint8_t instance[32] = {0x1d, 2, 3}, publisher[32] = {0x9b}, spki[2][8] = {"first", "second"};

/* ---- leaves ---------------------------------------------------------------------------------------------------- */

struct made_leaf *made_find(struct made *m, const char *label)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->leaves[i].label, label) == 0)
            return &m->leaves[i];
    print_error("no leaf %s\n", label);
    abort();
}

void made_set(struct made *m, const char *label, const void *value, size_t size)
{
    struct made_leaf *leaf = made_find(m, label);
    assert_true(size <= sizeof(leaf->value));
    memcpy(leaf->value, value, size);
    leaf->size = size;
}

struct made_leaf *made_add(struct made *m, const char *label, const void *value, size_t size)
{
    assert_true(m->count < MADE_LEAVES_MAX);
    snprintf(m->leaves[m->count].label, sizeof(m->leaves[0].label), "%s", label);
    m->count++;
    made_set(m, label, value, size);
    return &m->leaves[m->count - 1];
}

void made_remove(struct made *m, const char *label)
{
    struct made_leaf *leaf = made_find(m, label);
    memmove(leaf, leaf + 1, (size_t)(&m->leaves[--m->count] - leaf) * sizeof(*leaf));
}

static void add_text(struct made *m, const char *label, const char *text)
{
    made_add(m, label, text, strlen(text));
}

static void thumbprint(const uint8_t *key, size_t size, char out[65])
{
    uint8_t hash[32];
    SHA256(key, size, hash);
    hex_text(hash, 32, out);
}

static void add_administrator(struct made *m, const char *role, const uint8_t key[8])
{
    char label[96] = "admin:";
    uint8_t value[32];
    size_t role_size = strlen(role) + 1;
    thumbprint(key, 8, label + 6);
    memcpy(value, role, role_size);
    memcpy(value + role_size, key, 8);
    made_add(m, label, value, role_size + 8);
}

struct made *made_open(void)
{
    static const uint8_t generation[8] = {[7] = 41};
    char rule[256], hex[65];
    struct made *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    m->options = fixture_defaults();
    m->said_generation = 41;
    made_add(m, "ca-certificate", "", 0); /* filled in once there is one */
    made_add(m, "ca-key", code, 32);
    made_add(m, "app:hello", code, 32);
    made_add(m, "app:vault", other_code, 32);
    add_administrator(m, "admin", spki[0]);
    add_administrator(m, "deploy", spki[1]);
    add_text(m, "administrators", "threshold=1");
    add_text(m, "limits", LIMITS);
    made_add(m, "egress-ca", bundle, 32);
    made_add(m, "settings:hello", settings, 32);
    add_text(m, "egress:hello", "*.example.org:8443,api.example.com:443");
    add_text(m, "rule:hello", "id=00112233445566778899aabbccddeeff\nrule=operator\n");
    hex_text(publisher, 32, hex);
    snprintf(rule, sizeof(rule),
             "id=ffeeddccbbaa99887766554433221100\nrule=publisher\nkey=%s\nversion=7\negress=\nmemory-mib=64\n", hex);
    add_text(m, "rule:vault", rule);
    made_add(m, "instance", instance, 32);
    made_add(m, "generation", generation, 8);
    return m;
}

/* ---- certificate, manifest, policy ----------------------------------------------------------------------------- */

static void make_root(struct made *m, uint8_t root[32])
{
    struct merkle tree = {0};
    for (size_t i = 0; i < m->count; i++) {
        uint8_t leaf[sizeof(m->leaves[0].label) + sizeof(m->leaves[0].value)];
        size_t label = strlen(m->leaves[i].label) + 1;
        memcpy(leaf, m->leaves[i].label, label);
        memcpy(leaf + label, m->leaves[i].value, m->leaves[i].size);
        assert_int_equal(merkle_add(&tree, leaf, label + m->leaves[i].size), 0);
    }
    merkle_root(&tree, root);
    merkle_free(&tree);
}

static void make_manifest(struct made *m, const uint8_t root[32])
{
    size_t size = 0;
    FILE *file = open_memstream(&m->manifest, &size);
    char hex[2 * sizeof(m->leaves[0].value) + 1];
    uint8_t said[32];
    memcpy(said, instance, 32);
    said[0] ^= m->said_instance;
    hex_text(said, 32, hex);
    fprintf(file, "{\"format\":\"enclave-os-manifest/1\",\"generation\":%llu,\"instance\":\"%s\"",
            (unsigned long long)m->said_generation, hex);
    memcpy(said, root, 32);
    said[0] ^= m->said_root;
    hex_text(said, 32, hex);
    fprintf(file, ",\"merkle_root\":\"%s\",\"leaves\":[", hex);
    for (size_t i = 0; i < m->count; i++) {
        hex_text(m->leaves[i].value, m->leaves[i].size, hex);
        fprintf(file, "%s{\"label\":\"%s\",\"value\":\"%s\"}", i ? "," : "", m->leaves[i].label, hex);
    }
    fputs("]}", file);
    fclose(file);
    m->evidence.manifest = m->manifest;
    m->evidence.manifest_size = size;
}

static void put_pem(FILE *file, const char *pem)
{
    for (; *pem; pem++)
        if (*pem == '\n')
            fputs("\\n", file);
        else
            putc(*pem, file);
}

static char *issuer_pem(const struct fixture *f)
{
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, f->leaf_issuer);
    long size = BIO_get_mem_data(bio, &data);
    char *pem = strndup(data, (size_t)size);
    BIO_free(bio);
    return pem;
}

/* Everything that a policy file can say, each member on a line of its own. */
static void make_policy(struct made *m)
{
    char hex[8][65], *pem = issuer_pem(m->fixture);
    size_t size;
    FILE *file = open_memstream(&m->policy_text, &size);
    const uint8_t *const hashes[] = {
        m->options.body.mrenclave, m->options.body.mrsigner, instance, code, settings, bundle, publisher};
    for (int i = 0; i < 7; i++)
        hex_text(hashes[i], 32, hex[i]);
    fprintf(file, "{\"format\": \"enclave-os-policy/1\",\n\"mrenclave\": [\"%s\"],\n\"mrsigner\": \"%s\",\n", hex[0],
            hex[1]);
    fprintf(file, "\"prod_id\": 7,\n\"min_svn\": 3,\n\"allow_simulation\": false,\n\"allow_debug\": false,\n");
    fprintf(file, "\"roots\": \"");
    put_pem(file, m->fixture->root_pem);
    fprintf(file, "\",\n\"issuer\": \"");
    put_pem(file, pem);
    fprintf(file, "\",\n\"collateral\": {\"required\": true, \"accept_tcb\": [\"SWHardeningNeeded\"],"
                  " \"min_evaluation_number\": 1},\n\"max_lifetime\": 86400,\n");
    fprintf(file, "\"extensions\": {\"1.3.6.1.4.1.65230.2.4\": \"01020304\"},\n\"instance\": \"%s\",\n", hex[2]);
    fprintf(file, "\"administrators\": {\"threshold\": 1, \"keys\": [");
    for (int i = 0; i < 2; i++) {
        char key[65];
        thumbprint(spki[i], 8, key);
        fprintf(file, "%s{\"role\": \"%s\", \"key\": \"%s\"}", i ? ", " : "", i ? "deploy" : "admin", key);
    }
    fprintf(file, "]},\n\"min_generation\": 41,\n\"limits\": \"" LIMITS "\",\n\"egress_ca\": \"%s\",\n", hex[5]);
    fprintf(file,
            "\"apps\": [{\"name\": \"hello\", \"sha256\": \"%s\", \"id\": \"00112233445566778899aabbccddeeff\","
            " \"settings\": \"%s\", \"egress\": [\"API.example.com\", \"*.example.org:8443\"]},\n",
            hex[3], hex[4]);
    fprintf(file,
            "{\"name\": \"vault\", \"publisher\": \"%s\", \"min_version\": 7, \"settings\": null,"
            " \"egress\": []}],\n\"only_apps\": true}\n",
            hex[6]);
    fclose(file);
    free(pem);
}

void made_read_policy(struct made *m, const char *text)
{
    char error[256] = "";
    verifier_policy_destroy(m->policy);
    m->policy = verifier_policy_create();
    verifier_policy_set_time(m->policy, FIXTURE_NOW);
    verifier_policy_set_live(m->policy, true);
    if (verifier_policy_read(m->policy, text, strlen(text), error, sizeof(error)) != 0)
        fail_msg("%s\n%s", error, text);
}

void made_build(struct made *m)
{
    uint8_t *der = NULL;
    m->fixture = fixture_create(&m->options);
    int size = i2d_X509(m->fixture->leaf_issuer, &der);
    assert_true(size > 0);
    made_set(m, "ca-certificate", der, (size_t)size);
    OPENSSL_free(der);
    make_root(m, m->fixture->merkle_root);
    X509_free(m->fixture->leaf);
    m->fixture->numbered = true;
    m->fixture->leaf = fixture_leaf(m->fixture, &m->options, "1.3.6.1.4.1.65230.2.4", "\1\2\3\4", 4);
    make_manifest(m, m->fixture->merkle_root);
    make_policy(m);
    made_read_policy(m, m->policy_text);
    size = i2d_X509(m->fixture->leaf, &m->certificate);
    assert_true(size > 0);
    m->evidence.certificate = m->certificate;
    m->evidence.certificate_size = (size_t)size;
}

struct verifier_result *made_verify(struct made *m)
{
    return verifier_verify(m->policy, m->fixture->collateral, &m->evidence);
}

void made_close(struct made *m)
{
    fixture_destroy(m->fixture);
    verifier_policy_destroy(m->policy);
    free(m->policy_text);
    free(m->manifest);
    OPENSSL_free(m->certificate);
    free(m);
}

/* ---- the cases ------------------------------------------------------------------------------------------------- */

#define CASE(name, statement)        \
    static void name(struct made *m) \
    {                                \
        statement;                   \
    }
#define SET(name, label, text) CASE(name, made_set(m, label, text, strlen(text)))

CASE(lifetime, m->options.leaf_until_s += 60)
CASE(lifetime_least, verifier_policy_set_max_lifetime(m->policy, 3600))
CASE(freshness, verifier_policy_set_min_evaluation_number(m->policy, 2))
CASE(no_manifest, m->evidence.manifest = NULL)
CASE(cut_manifest, m->evidence.manifest_size--)
CASE(stale_manifest, strstr(m->manifest, "\"limits\",\"value\":\"")[18] ^= 1)
CASE(said_root, m->said_root = 1)
CASE(said_instance, m->said_instance = 1)
CASE(said_generation, m->said_generation++)
CASE(twice, made_add(m, "app:hello", code, 32))
CASE(unlabelled, made_add(m, "", code, 32))
CASE(no_instance_leaf, made_remove(m, "instance"))

static void other_instance(struct made *m)
{
    m->options.instance_differs = true;
}
static void other_generation(struct made *m)
{
    m->options.generation_differs = true;
}
/* A policy without the line that begins with a member. */
static void without(struct made *m, const char *member)
{
    char *line = strstr(m->policy_text, member), *end = strchr(line, '\n');
    memmove(line, end + 1, strlen(end));
    made_read_policy(m, m->policy_text);
}
static void pinned_instance(struct made *m)
{
    uint8_t another[32] = {9};
    without(m, "\"instance\"");
    assert_int_equal(verifier_policy_expect_instance(m->policy, another), 0);
}
CASE(generation, verifier_policy_set_min_generation(m->policy, 42))
SET(threshold, "administrators", "threshold=2")
SET(threshold_form, "administrators", "threshold=01")
static void one_more(struct made *m)
{
    add_administrator(m, "monitor", (const uint8_t *)"third\0\0");
}
static void one_less(struct made *m)
{
    char label[96] = "admin:";
    thumbprint(spki[1], 8, label + 6);
    made_remove(m, label);
}
static void other_role(struct made *m)
{
    one_less(m);
    add_administrator(m, "admin", spki[1]);
}
static void unknown_role(struct made *m)
{
    one_less(m);
    add_administrator(m, "root", spki[1]);
}
static void false_thumbprint(struct made *m)
{
    char label[96] = "admin:";
    thumbprint(spki[1], 8, label + 6);
    made_find(m, label)->value[10] ^= 1;
}
SET(limits, "limits", "header-bytes=16384 headers=200")
CASE(no_limits, made_remove(m, "limits"))
CASE(egress_ca, made_find(m, "egress-ca")->value[0] ^= 1)
CASE(no_egress_ca, made_remove(m, "egress-ca"))
CASE(another_app, made_add(m, "app:evil", code, 32))
CASE(changed_code, made_find(m, "app:hello")->value[0] ^= 1)
CASE(no_app, made_remove(m, "app:hello"))
static void change_rule(struct made *m, const char *from, const char *to)
{
    struct made_leaf *leaf = made_find(m, "rule:vault");
    char *at = memmem(leaf->value, leaf->size, from, strlen(from));
    assert_true(at && strlen(from) == strlen(to));
    memcpy(at, to, strlen(to));
}
CASE(other_publisher, change_rule(m, "key=9b", "key=9c"))
CASE(older_version, change_rule(m, "version=7", "version=6"))
CASE(key_of_operator, change_rule(m, "rule=publisher\n", "rule=operator\n\n"))
CASE(version_form, change_rule(m, "version=7", "version=x"))
SET(operator_rule, "rule:vault", "id=ffeeddccbbaa99887766554433221100\nrule=operator\n")
CASE(no_rule, made_remove(m, "rule:vault"))
CASE(other_id, made_find(m, "rule:hello")->value[3] = '1')
CASE(other_settings, made_find(m, "settings:hello")->value[0] ^= 1)
CASE(no_settings, made_remove(m, "settings:hello"))
CASE(some_settings, made_add(m, "settings:vault", settings, 32))
SET(other_egress, "egress:hello", "*.example.org:8443,evil.example:443")
SET(more_egress, "egress:hello", "*.example.org:8443,api.example.com:443,evil.example:443")
CASE(no_egress, made_remove(m, "egress:hello"))
CASE(some_egress, add_text(m, "egress:vault", "evil.example:443"))

const struct made_case made_cases[] = {
    {"certificate lifetime", "24 h 1 min, at most 24 h 0 min", lifetime, NULL},
    {"certificate lifetime", "at most 1 h 0 min", NULL, lifetime_least},
    {"collateral freshness", "at least 2 is expected", NULL, freshness},
    {"manifest", "none was given", NULL, no_manifest},
    {"manifest", "malformed: neither a comma nor an end", NULL, cut_manifest},
    {"manifest", "not the certificate's", NULL, stale_manifest},
    {"manifest", "not that of its leaves", said_root, NULL},
    {"manifest", "not that of its leaves", said_instance, NULL},
    {"manifest", "not that of its leaves", said_generation, NULL},
    {"manifest", "a label that stands twice", twice, NULL},
    {"manifest", "not a label and a value", unlabelled, NULL},
    {"manifest", "not that of its leaves", no_instance_leaf, NULL},
    {"instance", "another one than the manifest", other_instance, NULL},
    {"instance", "expected 09", NULL, pinned_instance},
    {"generation", "another number than the manifest", other_generation, NULL},
    {"generation", "41, at least 42", NULL, generation},
    {"administrators", "2 of them are needed for a change, expected 1", threshold, NULL},
    {"administrators", "does not say how many", threshold_form, NULL},
    {"administrators", "as monitor, which the caller does not expect", one_more, NULL},
    {"administrators", "1 of them, expected 2", one_less, NULL},
    {"administrators", "as admin, which the caller does not expect", other_role, NULL},
    {"administrators", "malformed", unknown_role, NULL},
    {"administrators", "malformed", false_thumbprint, NULL},
    {"limits", "headers=200", limits, NULL},
    {"limits", "none; expected header-bytes", no_limits, NULL},
    {"egress ca", "expected ca00", egress_ca, NULL},
    {"egress ca", "none, expected ca00", no_egress_ca, NULL},
    {"only apps", "1 that the caller does not name: evil", another_app, NULL},
    {"app", "hello: a8", changed_code, NULL},
    {"app", "hello: no app of that name", no_app, NULL},
    {"app publisher", "expected 9b", other_publisher, NULL},
    {"app publisher", "version 6, at least 7", older_version, NULL},
    {"app publisher", "vault: none, its rule is operator", key_of_operator, NULL},
    {"app publisher", "its rule is not known", version_form, NULL},
    {"app publisher", "its rule is operator", operator_rule, NULL},
    {"app publisher", "its rule is not known", no_rule, NULL},
    {"app identity", "10112233", other_id, NULL},
    {"app settings", "expected 5e", other_settings, NULL},
    {"app settings", "hello: none, expected 5e", no_settings, NULL},
    {"app settings", "vault: 5e", some_settings, NULL},
    {"app egress", "evil.example", other_egress, NULL},
    {"app egress", "evil.example", more_egress, NULL},
    {"app egress", "hello: nowhere; expected", no_egress, NULL},
    {"app egress", "expected nowhere", some_egress, NULL},
};
const size_t made_case_count = sizeof(made_cases) / sizeof(made_cases[0]);
