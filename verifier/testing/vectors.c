/* See vectors.h. */
#include "verifier/testing/vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "verifier/internal.h"

const char *const vector_documents[VERIFIER_DOCUMENTS] = {
    [VERIFIER_TCB_INFO] = "tcb-info.json",
    [VERIFIER_TCB_INFO_CHAIN] = "tcb-info-chain.pem",
    [VERIFIER_QE_IDENTITY] = "qe-identity.json",
    [VERIFIER_QE_IDENTITY_CHAIN] = "qe-identity-chain.pem",
    [VERIFIER_ROOT_CRL] = "root.crl",
    [VERIFIER_PCK_CRL] = "pck.crl",
};

/* ---- values ---------------------------------------------------------------------------------------------------- */

json_t *vector_base64(const void *data, size_t size)
{
    char *text = malloc(4 * ((size + 2) / 3) + 1);
    assert_non_null(text);
    EVP_EncodeBlock((uint8_t *)text, data, (int)size);
    json_t *string = json_string(text);
    free(text);
    return string;
}

void *vector_bytes(const json_t *base64, size_t *size)
{
    const char *text = json_string_value(base64);
    *size = 0;
    if (!text)
        return NULL;
    size_t length = strlen(text);
    uint8_t *data = malloc(length / 4 * 3 + 1);
    assert_true(data && length % 4 == 0);
    int got = EVP_DecodeBlock(data, (const uint8_t *)text, (int)length);
    assert_true(got >= 0);
    *size = (size_t)got - (length > 0 && text[length - 1] == '=') - (length > 1 && text[length - 2] == '=');
    return data;
}

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    if (!text)
        fail_msg("%s is no string", name);
    return text;
}

/* ---- what the library is given --------------------------------------------------------------------------------- */

static void read_policy(struct vector *v)
{
    char error[256] = "";
    int64_t now_s;
    const char *now = text_of(v->json, "now");
    char *text = json_dumps(json_object_get(v->json, "policy"), 0);
    assert_true(text && verifier__parse_time(now, strlen(now), &now_s));
    v->policy = verifier_policy_create();
    assert_non_null(v->policy);
    if (verifier_policy_read(v->policy, text, strlen(text), error, sizeof error) != 0)
        fail_msg("its policy: %s", error);
    verifier_policy_set_time(v->policy, now_s);
    verifier_policy_set_live(v->policy, json_is_true(json_object_get(v->json, "live")));
    free(text);
}

static void read_collateral(struct vector *v)
{
    const json_t *files = json_object_get(v->json, "collateral");
    if (json_is_null(files))
        return;
    v->collateral = verifier_collateral_create();
    assert_non_null(v->collateral);
    size_t found = 0;
    for (int i = 0; i < VERIFIER_DOCUMENTS; i++) {
        const json_t *file = json_object_get(files, vector_documents[i]);
        size_t size;
        void *data = vector_bytes(file, &size);
        if (data)
            assert_int_equal(verifier_collateral_set(v->collateral, (enum verifier_document)i, data, size), 0);
        found += data != NULL;
        free(data);
    }
    assert_int_equal(found, json_object_size(files));
}

static int fetch(void *user, const char *path, size_t limit, uint8_t **data, size_t *size)
{
    *data = vector_bytes(json_object_get(user, path), size);
    assert_true(*size <= limit);
    return *data ? 0 : -ENOENT;
}

/* As a client shows it: the checkpoint even where it cannot be read. */
static void read_log(struct vector *v)
{
    char error[256];
    json_t *files = json_object_get(v->json, "log");
    if (!files)
        return;
    v->log = verifier_log_open(fetch, files, error, sizeof error);
    if (v->log)
        v->view = *verifier_log_view(v->log, v->policy, v->evidence.certificate, v->evidence.certificate_size);
    else
        v->view.checkpoint = vector_bytes(json_object_get(files, "checkpoint"), &v->view.checkpoint_size);
    v->evidence.log = &v->view;
}

static void read_fresh(struct vector *v)
{
    const json_t *fresh = json_object_get(v->json, "fresh");
    if (!fresh)
        return;
    v->fresh.answer = (char *)text_of(fresh, "answer");
    v->fresh.answer_size = strlen(v->fresh.answer);
    assert_true(hex_read(text_of(fresh, "context"), 64, v->fresh.context, 32));
    assert_true(hex_read(text_of(fresh, "exported"), 64, v->fresh.exported, 32));
    v->evidence.fresh = &v->fresh;
}

void vector_open(struct vector *v, json_t *json)
{
    *v = (struct vector){.json = json};
    struct verifier_evidence *e = &v->evidence;
    e->certificate = v->certificate = vector_bytes(json_object_get(json, "certificate"), &e->certificate_size);
    e->issuer = v->issuer = vector_bytes(json_object_get(json, "issuer"), &e->issuer_size);
    e->manifest = json_string_value(json_object_get(json, "manifest"));
    e->manifest_size = e->manifest ? strlen(e->manifest) : 0;
    read_policy(v);
    read_collateral(v);
    read_log(v);
    read_fresh(v);
}

void vector_close(struct vector *v)
{
    if (!v->log)
        free((void *)v->view.checkpoint);
    verifier_log_close(v->log);
    verifier_policy_destroy(v->policy);
    verifier_collateral_destroy(v->collateral);
    free(v->certificate);
    free(v->issuer);
}

struct verifier_result *vector_judge(struct vector *v)
{
    struct verifier_result *r = verifier_verify(v->policy, v->collateral, &v->evidence);
    assert_non_null(r);
    return r;
}

/* ---- what it says ---------------------------------------------------------------------------------------------- */

json_t *vector_checks(const struct verifier_result *r)
{
    static const char *const outcomes[] = {"passed", "failed", "not checked"};
    json_t *checks = json_object();
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check c = verifier_result_check(r, i);
        bool many = strcmp(c.name, "extension") == 0 || strcmp(c.name, "app") == 0 || strncmp(c.name, "app ", 4) == 0;
        json_t *outcome = json_string(outcomes[c.outcome]), *list = json_object_get(checks, c.name);
        if (many && !list) {
            list = json_array();
            json_object_set_new(checks, c.name, list);
        }
        if (many)
            json_array_append_new(list, outcome);
        else
            json_object_set_new(checks, c.name, outcome);
    }
    return checks;
}

size_t vector_failures(const json_t *checks, const char *name)
{
    const json_t *outcome = json_object_get(checks, name);
    size_t failures = 0;
    if (!json_is_array(outcome))
        return strcmp(text_of(checks, name), "failed") == 0;
    for (size_t i = 0; i < json_array_size(outcome); i++)
        failures += strcmp(json_string_value(json_array_get(outcome, i)), "failed") == 0;
    return failures;
}
