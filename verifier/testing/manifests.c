/* See manifests.h. */
#include "common/base64url.h"
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

#define PREDECESSOR "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5"
#define LIMITS "header-bytes=16384 headers=100"
const uint8_t made_code[32] = {0xa9}, made_settings[32] = {0x5e}, made_spki[2][8] = {"first", "second"};
static const uint8_t other_code[32] = {0xb7}, bundle[32] = {0xca}, instance[32] = {0x1d, 2, 3}, publisher[32] = {0x9b};

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
    assert_true(size <= sizeof leaf->value);
    memcpy(leaf->value, value, size);
    leaf->size = size;
}

struct made_leaf *made_add(struct made *m, const char *label, const void *value, size_t size)
{
    assert_true(m->count < MADE_LEAVES_MAX);
    snprintf(m->leaves[m->count].label, sizeof m->leaves[0].label, "%s", label);
    m->count++;
    made_set(m, label, value, size);
    return &m->leaves[m->count - 1];
}

void made_remove(struct made *m, const char *label)
{
    struct made_leaf *leaf = made_find(m, label);
    memmove(leaf, leaf + 1, (size_t)(&m->leaves[--m->count] - leaf) * sizeof *leaf);
}

void made_add_text(struct made *m, const char *label, const char *text)
{
    made_add(m, label, text, strlen(text));
}

void made_thumbprint(const uint8_t *key, size_t size, char out[65])
{
    uint8_t hash[32];
    SHA256(key, size, hash);
    hex_text(hash, 32, out);
}

void made_add_administrator(struct made *m, const char *role, const uint8_t key[8])
{
    char label[96] = "admin:";
    uint8_t value[32];
    size_t role_size = strlen(role) + 1;
    made_thumbprint(key, 8, label + 6);
    memcpy(value, role, role_size);
    memcpy(value + role_size, key, 8);
    made_add(m, label, value, role_size + 8);
}

struct made *made_open(void)
{
    static const uint8_t generation[8] = {[7] = 41};
    char rule[256], hex[65];
    struct made *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->options = fixture_defaults();
    m->said_generation = 41;
    made_add(m, "ca-certificate", "", 0); /* filled in once there is one */
    made_add(m, "ca-key", made_code, 32);
    made_add(m, "app:hello", made_code, 32);
    made_add(m, "app:vault", other_code, 32);
    made_add_administrator(m, "admin", made_spki[0]);
    made_add_administrator(m, "deploy", made_spki[1]);
    made_add_text(m, "administrators", "threshold=1");
    made_add_text(m, "upgrade-rule", "{\"mrsigner\":\"" PREDECESSOR "\",\"product\":7,\"rule\":\"signer\",\"svn\":3}");
    made_add(m, "lineage", m->options.body.mrenclave, 32);
    made_add_text(m, "limits", LIMITS);
    made_add(m, "egress-ca", bundle, 32);
    made_add(m, "settings:hello", made_settings, 32);
    made_add_text(m, "egress:hello", "*.example.org:8443,api.example.com:443");
    made_add_text(m, "rule:hello", "id=00112233445566778899aabbccddeeff\nrule=operator\n");
    hex_text(publisher, 32, hex);
    snprintf(rule, sizeof rule,
             "id=ffeeddccbbaa99887766554433221100\nrule=publisher\nkey=%s\nversion=7\negress=\nmemory-mib=64\n", hex);
    made_add_text(m, "rule:vault", rule);
    made_add(m, "instance", instance, 32);
    made_add(m, "generation", generation, 8);
    m->log = made_log_open("log");
    made_log_grow(m->log, 1);
    made_log_hand_over(m->log, "hand-over", m->options.body.mrenclave);
    made_log_grow(m->log, 7);
    made_add(m, "log-key", m->log->key.key, 32);
    m->certified_size = 5;
    m->seen_size = 3;
    m->cosigned_s[0] = m->cosigned_s[1] = FIXTURE_NOW - 30;
    return m;
}

/* ---- certificate, manifest, policy ----------------------------------------------------------------------------- */

static void make_root(struct made *m, uint8_t root[32])
{
    struct merkle tree = {0};
    for (size_t i = 0; i < m->count; i++) {
        uint8_t leaf[sizeof m->leaves[0].label + sizeof m->leaves[0].value];
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
    char hex[2 * sizeof m->leaves[0].value + 1];
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

/* What it says of the log, with both witnesses. */
static void put_log(const struct made *m, FILE *file)
{
    uint8_t root[32];
    char hex[65], text[2][NOTE_KEY_TEXT_SIZE];
    struct note_key keys[2];
    made_log_root(m->seen ? m->seen : m->log, m->seen_size, root);
    hex_text(root, 32, hex);
    for (int i = 0; i < 2; i++) {
        EVP_PKEY_free(made_witness(i ? "w.example/2" : "w.example/1", i ? "w2" : "w1", &keys[i]));
        assert_int_equal(note_key_text(&keys[i], text[i], sizeof text[i]), 0);
    }
    fprintf(file,
            "\"log\": {\"key\": \"%s\", \"size\": %llu, \"root\": \"%s\", \"witnesses\": [\"%s\", \"%s\"],"
            " \"quorum\": 2, \"max_age\": 60},\n",
            made_log_key(m->log), (unsigned long long)m->seen_size, hex, text[0], text[1]);
}

/* Everything that a policy file can say, each member on a line of its own. */
static void make_policy(struct made *m)
{
    char hex[8][65], *pem = issuer_pem(m->fixture);
    size_t size;
    FILE *file = open_memstream(&m->policy_text, &size);
    const uint8_t *const hashes[] = {
        m->options.body.mrenclave, m->options.body.mrsigner, instance, made_code, made_settings, bundle, publisher};
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
        made_thumbprint(made_spki[i], 8, key);
        fprintf(file, "%s{\"role\": \"%s\", \"key\": \"%s\"}", i ? ", " : "", i ? "deploy" : "admin", key);
    }
    fprintf(file,
            "]},\n\"upgrade_rule\": {\"rule\": \"signer\", \"svn\": 3, \"product\": 7, \"mrsigner\": \"" PREDECESSOR
            "\"},\n\"predecessors\": [\"" PREDECESSOR "\"],\n");
    put_log(m, file);
    fprintf(file, "\"min_generation\": 41,\n\"limits\": \"" LIMITS "\",\n\"egress_ca\": \"%s\",\n", hex[5]);
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
    if (verifier_policy_read(m->policy, text, strlen(text), error, sizeof error) != 0)
        fail_msg("%s\n%s", error, text);
}

static void cosign(struct made *m)
{
    for (int i = 0; i < 2; i++) {
        struct note_key key;
        EVP_PKEY *secret = made_witness(i ? "w.example/2" : "w.example/1", i ? "w2" : "w1", &key);
        if (m->cosigned_s[i])
            made_cosign(m->log, m->log->shown ? m->log->shown : m->log->count, &key, secret,
                        (uint64_t)m->cosigned_s[i]);
        EVP_PKEY_free(secret);
    }
}

void made_answer(struct made *m, uint16_t svn)
{
    struct fixture_options options = m->options;
    uint8_t binding[64];
    memset(binding, 0xc0, 32);
    memset(binding + 32, 0xe0, 32);
    options.binding = binding;
    options.binding_size = sizeof binding;
    options.body.isvsvn = svn;
    if (m->again)
        fixture_destroy(m->again);
    m->again = fixture_create(&options);
    char *at = m->answer + sprintf(m->answer, "{\"v\":2,\"mode\":\"challenge\",\"tee\":\"sgx\",\"quote\":\"");
    at = base64url_text(m->again->quote, m->again->quote_size, at);
    strcpy(at, "\"}");
    m->fresh = (struct verifier_fresh){.answer = m->answer, .answer_size = strlen(m->answer)};
    memcpy(m->fresh.context, binding, 32);
    memcpy(m->fresh.exported, binding + 32, 32);
    m->evidence.fresh = &m->fresh;
}

void made_build(struct made *m)
{
    uint8_t *der = NULL, head[40] = {[7] = (uint8_t)m->certified_size};
    if (m->certified_size > 0)
        made_log_root(m->certified ? m->certified : m->log, m->certified_size, head + 8);
    m->options.log_head = m->certified_size > 0 ? head : NULL;
    m->options.log_key = m->log->key.key;
    cosign(m);
    if (!m->options.lineage) { /* as the manifest has it, unless a test says otherwise */
        m->options.lineage = made_find(m, "lineage")->value;
        m->options.lineage_size = made_find(m, "lineage")->size;
    }
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
    made_answer(m, m->options.body.isvsvn);
}

/* The log, as a client asks for it. */
static void show_log(struct made *m)
{
    char error[256];
    m->evidence.log = NULL;
    if (m->without_log)
        return;
    verifier_log_close(m->client);
    m->client = verifier_log_open(made_log_fetch, m->log, error, sizeof error);
    m->view = (struct verifier_log_view){.checkpoint = m->log->checkpoint,
                                         .checkpoint_size = m->log->checkpoint ? strlen(m->log->checkpoint) : 0};
    if (m->client) /* else what is shown is malformed */
        m->view = *verifier_log_view(m->client, m->policy, m->certificate, m->evidence.certificate_size);
    m->evidence.log = &m->view;
}

struct verifier_result *made_verify(struct made *m)
{
    show_log(m);
    return verifier_verify(m->policy, m->fixture->collateral, &m->evidence);
}

void made_close(struct made *m)
{
    fixture_destroy(m->fixture);
    fixture_destroy(m->again);
    verifier_policy_destroy(m->policy);
    free(m->policy_text);
    free(m->manifest);
    OPENSSL_free(m->certificate);
    verifier_log_close(m->client);
    if (m->certified)
        made_log_close(m->certified);
    if (m->seen)
        made_log_close(m->seen);
    made_log_close(m->log);
    free(m);
}
