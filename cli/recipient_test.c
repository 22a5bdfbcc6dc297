/*
 * Who would have an instance, as its enclave shows it: accepted only if every part is what was said, and judged by the
 * policy. What is said is made by the enclave's own code, the quote by a world of the verifier's tests; the server and
 * the connection to it are played.
 */
#include "cli/recipient.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/report.h"
#include "common/bytes.h"
#include "common/hex.h"
#include "enclave/handover/session.h"
#include "verifier/testing/fixture.h"

/* ---- what is played ---------------------------------------------------------------------------------------------- */

static json_t *shown; /* what the server answers */
static int status;
static char failed[64]; /* the check that failed first */

int authorised_exchange(struct authorised_options *o, struct http_request *request, struct http_answer *answer)
{
    *answer = (struct http_answer){.status = status, .body = json_dumps(shown, JSON_COMPACT)};
    answer->body_size = strlen(answer->body);
    return 0;
}

int authorised_complain(const struct http_answer *answer)
{
    return 1;
}

void trust_tell(const struct verifier_result *result, const char *url)
{
    for (size_t i = 0; i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (check.outcome == VERIFIER_FAILED && !*failed)
            snprintf(failed, sizeof failed, "%s", check.name);
    }
}

int connection_open(struct connection *c, const char *url)
{
    return 1;
}

void connection_close(struct connection *c)
{
}

struct verifier_result *trust_judge(struct trust_options *t, struct connection *c, const char *url, bool all)
{
    return NULL;
}

int verifier_collateral_load(struct verifier_collateral *collateral, const char *folder, char *error, size_t error_size)
{
    return -ENOENT;
}

/* ---- a recipient ------------------------------------------------------------------------------------------------- */

struct recipient {
    struct recipient_giver giver;
    struct handover_offer offer;
    uint8_t asked[HANDOVER_OFFER_ASKED_SIZE], said[HANDOVER_OFFER_SIZE], key[HANDOVER_KEY_SIZE];
    char name[65];
    struct fixture *fixture;
    struct authorised_options o;
};

static void put(const char *name, const void *data, size_t size)
{
    char *text = malloc(2 * size + 1);
    hex_text(data, size, text);
    assert_int_equal(json_object_set_new(shown, name, json_string(text)), 0);
    free(text);
}

static void put_evidence(const struct recipient *r, bool with_collateral)
{
    static uint8_t documents[1 << 18], evidence[1 << 19];
    struct bytes_writer all = bytes_writer_make(documents, sizeof documents);
    for (int i = 0; with_collateral && i < VERIFIER_DOCUMENTS; i++) {
        size_t size;
        const void *document = verifier_collateral_get(r->fixture->collateral, (enum verifier_document)i, &size);
        bytes_append_blob(&all, document, size);
    }
    struct bytes_writer w = bytes_writer_make(evidence, sizeof evidence);
    bytes_append_blob(&w, r->fixture->quote, r->fixture->quote_size);
    bytes_append_blob(&w, documents, all.size);
    assert_false(all.failed || w.failed);
    put("evidence", evidence, w.size);
}

static void make_policy(struct recipient *r)
{
    r->o.trust.policy = verifier_policy_create();
    verifier_policy_set_time(r->o.trust.policy, FIXTURE_NOW);
    assert_int_equal(verifier_policy_set_roots(r->o.trust.policy, r->fixture->root_pem, strlen(r->fixture->root_pem)),
                     0);
    assert_int_equal(verifier_policy_add_mrenclave(r->o.trust.policy, r->giver.claims.mrenclave), 0);
    verifier_policy_require_collateral(r->o.trust.policy, true);
}

/* The same image, elsewhere, which all accept. */
static void open_recipient(struct recipient *r)
{
    uint8_t private_key[HANDOVER_PRIVATE_SIZE], name[32], data[64];
    struct handover_transcript said = {0};
    struct fixture_options options = fixture_defaults();
    *r = (struct recipient){.giver.claims = {.has_instance = true, .instance = "instance"}};
    memcpy(r->giver.claims.mrenclave, options.body.mrenclave, 32);
    r->offer = (struct handover_offer){.nonce = "nonce", .generation = 3, .log_size = 4};
    memcpy(r->offer.instance, r->giver.claims.instance, 32);
    memcpy(r->offer.mrenclave, r->giver.claims.mrenclave, 32);
    handover_write_offer_asked((const uint8_t[HANDOVER_NONCE_SIZE]){7}, r->asked);
    handover_write_offer(&r->offer, r->said);
    assert_int_equal(handover_key_make(private_key, r->key), 0);
    handover_recipient(r->key, name);
    hex_text(name, sizeof name, r->name);
    assert_int_equal(handover_transcript_add(&said, r->asked, sizeof r->asked), 0);
    assert_int_equal(handover_transcript_add(&said, r->said, sizeof r->said), 0);
    assert_int_equal(handover_transcript_add(&said, r->key, sizeof r->key), 0);
    assert_int_equal(handover_report_data(HANDOVER_NEW, &said, data), 0);
    options.report_data = data;
    r->fixture = fixture_create(&options);
    make_policy(r);
    shown = json_object();
    status = 200;
    *failed = '\0';
    put("asked", r->asked, sizeof r->asked);
    put("offer", r->said, sizeof r->said);
    put("key", r->key, sizeof r->key);
    put_evidence(r, true);
}

static void close_recipient(struct recipient *r)
{
    json_decref(shown);
    verifier_policy_destroy(r->o.trust.policy);
    fixture_destroy(r->fixture);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void accept_it(struct recipient *r)
{
}

static void of_another_key(struct recipient *r)
{
    r->key[9] ^= 1;
    put("key", r->key, sizeof r->key);
}

/* Somebody's key under the name of whom the quote is of. */
static void named_as_another(struct recipient *r)
{
    uint8_t name[32];
    of_another_key(r);
    handover_recipient(r->key, name);
    hex_text(name, sizeof name, r->name);
}

static void asked_otherwise(struct recipient *r)
{
    r->asked[20] ^= 1;
    put("asked", r->asked, sizeof r->asked);
}

/* What is none of the giver's is no offer of its, though the quote is over it. */
static void of_another_instance(struct recipient *r)
{
    r->giver.claims.instance[0] ^= 1;
}

static void by_another_image(struct recipient *r)
{
    r->giver.claims.mrenclave[0] ^= 1;
}

static void offered_otherwise(struct recipient *r)
{
    r->said[HANDOVER_OFFER_SIZE - 1] ^= 1;
    put("offer", r->said, sizeof r->said);
}

static void not_whole(struct recipient *r)
{
    put("offer", r->said, sizeof r->said - 1);
}

static void of_no_key(struct recipient *r)
{
    json_object_del(shown, "key");
}

static void without_collateral(struct recipient *r)
{
    put_evidence(r, false);
}

static void with_more(struct recipient *r)
{
    put("evidence", "\0\0\0\0\0\0\0\0\1", 9);
}

static void of_too_low_a_version(struct recipient *r)
{
    verifier_policy_set_min_svn(r->o.trust.policy, 4);
}

static void of_another_signer(struct recipient *r)
{
    verifier_policy_set_mrsigner(r->o.trust.policy, (const uint8_t[32]){1});
}

static void not_known(struct recipient *r)
{
    status = 404;
}

static void test_recipients(void **state)
{
    static const struct {
        void (*change)(struct recipient *r);
        const char *fails; /* the policy's check; "": something before; NULL: nothing */
    } cases[] = {
        {accept_it, NULL},
        {of_another_key, ""},
        {named_as_another, "report data"},
        {asked_otherwise, "report data"},
        {offered_otherwise, "report data"},
        {of_another_instance, ""},
        {by_another_image, ""},
        {not_whole, ""},
        {of_no_key, ""},
        {with_more, ""},
        {without_collateral, "quoting enclave's identity"},
        {of_too_low_a_version, "security version"},
        {of_another_signer, "mrsigner"},
        {not_known, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct recipient r;
        char mrenclave[65] = "", expected[65];
        open_recipient(&r);
        cases[i].change(&r);
        report_quietly(true);
        int result = recipient_judge(&r.o, &r.giver, r.name, false, mrenclave);
        report_quietly(false);
        assert_int_equal(result, cases[i].fails ? 1 : 0);
        assert_string_equal(failed, cases[i].fails ? cases[i].fails : "");
        hex_text(r.giver.claims.mrenclave, 32, expected);
        assert_true(cases[i].fails || strcmp(mrenclave, expected) == 0);
        close_recipient(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recipients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
