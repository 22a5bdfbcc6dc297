/* The list of apps as a record: written, read, and taken over from before there were rules. */
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/kvstore/kvstore.h"
#include "enclave/service/deployed.h"
#include "enclave/service/rule.h"
#include "enclave/service/system.h"

#define CODE "2222222222222222222222222222222222222222222222222222222222222222"
#define ARTEFACT "33333333333333333333333333333333"
#define REST "\"sha256\":\"" CODE "\",\"artefact\":\"" ARTEFACT "\",\"size\":9}"

struct system enclave_system;

/* ---- the store, which has one record ----------------------------------------------------------------------------- */

static char *record;
static int written, refuse_with;

int system_get(const char *key, uint8_t **value, size_t *size)
{
    assert_string_equal(key, "apps");
    *value = record ? (uint8_t *)strdup(record) : NULL;
    *size = record ? strlen(record) : 0;
    return record ? 0 : -ENOENT;
}

int kv_commit_wait(struct worker *w, const struct kv_op *ops, size_t count)
{
    (void)w;
    assert_true(count == 1 && ops->kind == KV_PUT && ops->key_size == 4 && memcmp(ops->key, "apps", 4) == 0);
    if (refuse_with)
        return refuse_with;
    free(record);
    record = strndup(ops->value, ops->value_size);
    written++;
    return 0;
}

bool change_is_preparing(void)
{
    return true;
}

void sgx_random(void *out, size_t size)
{
    static uint8_t next = 1;
    memset(out, next++, size);
}

static int begin(void **state)
{
    (void)state;
    enclave_system.owner = &enclave_system.workers[0];
    return loop_init(&enclave_system.owner->loop, NULL);
}

static void forget_all(void)
{
    while (deployed_first())
        deployed_remove(deployed_first()->name);
}

static int load(const char *text)
{
    forget_all();
    free(record);
    record = text ? strdup(text) : NULL;
    written = 0;
    return deployed_load();
}

/* Whatever the record says is what the list would write. */
static void comes_back(void)
{
    char *before = deployed_text("", NULL);
    assert_int_equal(load(before), 0);
    char *after = deployed_text("", NULL);
    assert_int_equal(load(after), 0);
    char *again = deployed_text("", NULL); /* each time the other way round */
    assert_string_equal(again, before);
    assert_int_equal(written, 0);
    free(before);
    free(after);
    free(again);
}

static void older_lists_are_taken_over(void **state)
{
    (void)state;
    assert_int_equal(load("[{\"name\":\"a\"," REST ",{\"name\":\"b\",\"salt\":\"00112233445566778899aabbccddeeff\","
                          "\"settings\":\"{\\\"egress\\\":[\\\"x.example\\\"]}\"," REST "]"),
                     0);
    assert_int_equal(written, 1);
    const struct deployed *a = deployed_find("a"), *b = deployed_find("b");
    assert_string_equal(a->space, "a");
    assert_string_equal(b->space, "b");
    assert_true(a->rule->kind == RULE_OPERATOR && b->rule->kind == RULE_OPERATOR);
    assert_memory_not_equal(a->rule->id, b->rule->id, RULE_ID_SIZE);
    uint8_t id[RULE_ID_SIZE];
    memcpy(id, a->rule->id, sizeof id);
    char *kept = strdup(record);
    assert_int_equal(load(kept), 0); /* the next boot */
    assert_int_equal(written, 0);
    assert_memory_equal(deployed_find("a")->rule->id, id, sizeof id);
    assert_string_equal(deployed_find("a")->space, "a");
    free(kept);
    refuse_with = -EIO;
    assert_int_equal(load("[{\"name\":\"a\"," REST "]"), -EIO);
    refuse_with = 0;
    assert_int_equal(load(NULL), 0);
    assert_null(deployed_first());
}

static void put(const char *name, struct rule *rule)
{
    struct deployed *d = deployed_new(name);
    char why[64];
    static const uint8_t salt[SETTINGS_SALT_SIZE];
    strcpy(d->artefact, ARTEFACT);
    d->size = 5;
    d->settings = app_settings_parse("{}", 2, salt, why, sizeof why);
    deployed_found(d, rule);
    deployed_put(d);
}

static void rules_are_kept(void **state)
{
    (void)state;
    uint8_t id[RULE_ID_SIZE] = {1}, spki[RULE_KEY_SIZE], *at = spki;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_int_equal(i2d_PUBKEY(key, &at), RULE_KEY_SIZE);
    EVP_PKEY_free(key);
    forget_all();
    put("mine", rule_operator(id));
    static const char ice[] = "id=02000000000000000000000000000000\nrule=frozen\n";
    put("ice", rule_parse(ice, sizeof ice - 1, NULL));
    char text[400], hash[65];
    uint8_t digest[32];
    EVP_Q_digest(NULL, "SHA256", NULL, spki, sizeof spki, digest, NULL);
    for (size_t i = 0; i < 32; i++)
        sprintf(hash + 2 * i, "%02x", digest[i]);
    sprintf(text, "id=03000000000000000000000000000000\nrule=publisher\nkey=%s\nversion=7\negress=a.example:443\n",
            hash);
    put("theirs", rule_parse(text, strlen(text), spki));
    comes_back();
    assert_string_equal(deployed_find("theirs")->space, "03000000000000000000000000000000");
    assert_memory_equal(deployed_find("theirs")->rule->publisher, spki, sizeof spki);
    assert_int_equal(deployed_find("ice")->rule->kind, RULE_FROZEN);
    char *as_leaf = rule_text(deployed_find("theirs")->rule);
    assert_string_equal(as_leaf, text);
    free(as_leaf);
    forget_all();
}

static void damaged_entries_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[1]",
        "[{\"name\":\"a\"}]",
        "[{\"name\":\"a\",\"space\":\"a\"," REST "]",
        "[{\"name\":\"a\",\"rule\":\"id=02000000000000000000000000000000\\nrule=frozen\\n\"," REST "]",
        "[{\"name\":\"a\",\"space\":\"a\",\"rule\":\"rule=frozen\\n\"," REST "]",
        "[{\"name\":\"a\",\"space\":\"a:fs\",\"rule\":\"id=02000000000000000000000000000000\\nrule=frozen\\n\"," REST
        "]",
        "[{\"name\":\"a\",\"space\":\"a\",\"publisher\":\"00\",\"rule\":\"id=02000000000000000000000000000000\\n"
        "rule=frozen\\n\"," REST "]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (load(bad[i]) != -EBADMSG)
            fail_msg("%s", bad[i]);
    forget_all();
    free(record);
    record = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(older_lists_are_taken_over), cmocka_unit_test(rules_are_kept),
                                       cmocka_unit_test(damaged_entries_are_refused)};
    return cmocka_run_group_tests(tests, begin, NULL);
}
