/*
 * Writes verifier/vectors: FOLDER. Keys are new in each run, and so are all files: it is run when cases are added or
 * changed. Each is judged by the library, and must fail by the check that it is there for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include <cmocka.h>

#include "verifier/testing/vector_cases.h"
#include "verifier/testing/vector_names.h"
#include "verifier/testing/vectors.h"
#include "verifier/testing/worlds.h"

static const char *folder;
static json_t *usual; /* the policy of a world in which nothing was changed */

/* ---- the policy ------------------------------------------------------------------------------------------------ */

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static json_t *pem_of(X509 *const *list, int count)
{
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    for (int i = 0; i < count; i++)
        assert_int_equal(PEM_write_bio_X509(bio, list[i]), 1);
    long size = BIO_get_mem_data(bio, &text);
    json_t *json = json_stringn(text, (size_t)size);
    BIO_free(bio);
    return json;
}

/* What cases change in a policy by the library's functions: the file says it, too. */
static void follow(json_t *policy, const struct verifier_policy *p)
{
    json_t *collateral = json_object_get(policy, "collateral");
    char hex[65];
    X509 *root = sk_X509_value(p->roots, 0);
    json_object_set_new(policy, "roots", pem_of(&root, 1));
    json_object_set_new(policy, "issuer", pem_of(&p->issuer, 1));
    json_object_set_new(policy, "instance", json_string(verifier__hex(p->instance, 32, hex)));
    json_object_set_new(policy, "min_generation", json_integer((json_int_t)p->min_generation));
    json_object_set_new(policy, "max_lifetime", json_integer(p->max_lifetime_s));
    json_object_set_new(collateral, "min_evaluation_number", json_integer(p->min_evaluation_number));
    json_object_set_new(collateral, "required", json_boolean(p->require_collateral));
    char key[NOTE_KEY_TEXT_SIZE];
    if (p->witness_count == 0)
        json_object_del(policy, "log");
    if (p->witness_count == 0 && p->has_log) {
        assert_int_equal(note_key_text(&p->log_key, key, sizeof key), 0);
        json_object_set_new(policy, "log", json_pack("{s:s}", "key", key));
    }
}

/* Only what these parts of the evidence are needed for. */
static void restrict_to(json_t *policy, unsigned parts)
{
    static const char *const of_manifest[] = {"administrators", "upgrade_rule", "limits",
                                              "egress_ca",      "apps",         "only_apps"};
    if (!(parts & LOG))
        json_object_del(policy, "log");
    for (size_t i = 0; i < sizeof of_manifest / sizeof of_manifest[0] && !(parts & MANIFEST); i++)
        json_object_del(policy, of_manifest[i]);
}

/* ---- what is shown --------------------------------------------------------------------------------------------- */

static void put_file(json_t *files, const char *path, struct made_log *log)
{
    uint8_t *data = NULL;
    size_t size;
    if (made_log_fetch(log, path, 1 << 20, &data, &size) == 0)
        json_object_set_new(files, path, vector_base64(data, size));
    free(data);
}

static json_t *log_of(struct made *m)
{
    static const char *const forms[] = {"tile/0/000.p/%llu", "tile/entries/000.p/%llu"};
    json_t *files = json_object();
    char path[80];
    put_file(files, "checkpoint", m->log);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, forms[i], (unsigned long long)(m->log->shown ? m->log->shown : m->log->count));
        put_file(files, path, m->log);
    }
    return files;
}

static json_t *collateral_of(const struct verifier_collateral *collateral)
{
    if (!collateral)
        return json_null();
    json_t *files = json_object();
    for (int i = 0; i < VERIFIER_DOCUMENTS; i++) {
        size_t size;
        const void *data = verifier_collateral_get(collateral, (enum verifier_document)i, &size);
        if (data)
            json_object_set_new(files, vector_documents[i], vector_base64(data, size));
    }
    return files;
}

static json_t *fresh_of(const struct verifier_fresh *fresh)
{
    char context[65], exported[65];
    return json_pack("{s:s#,s:s,s:s}", "answer", fresh->answer, (int)fresh->answer_size, "context",
                     verifier__hex(fresh->context, 32, context), "exported",
                     verifier__hex(fresh->exported, 32, exported));
}

/* Takes the policy. */
static json_t *vector_of(struct made *m, json_t *policy, unsigned parts)
{
    json_t *v = json_object();
    uint8_t *issuer = NULL;
    int size = i2d_X509(m->fixture->leaf_issuer, &issuer);
    const struct verifier_evidence *e = &m->evidence;
    restrict_to(policy, parts);
    json_object_set_new(v, "description", json_string(""));
    json_object_set_new(v, "now", json_string("2027-01-15T08:00:00Z")); /* FIXTURE_NOW */
    json_object_set_new(v, "live", json_true());
    json_object_set_new(v, "certificate", vector_base64(e->certificate, e->certificate_size));
    json_object_set_new(v, "issuer", vector_base64(issuer, (size_t)size));
    json_object_set_new(v, "manifest",
                        e->manifest && parts & MANIFEST ? json_stringn(e->manifest, e->manifest_size) : json_null());
    json_object_set_new(v, "collateral", collateral_of(m->fixture->collateral));
    if (parts & LOG && !m->without_log)
        json_object_set_new(v, "log", log_of(m));
    if (parts & FRESH)
        json_object_set_new(v, "fresh", fresh_of(&m->fresh));
    json_object_set_new(v, "policy", policy);
    OPENSSL_free(issuer);
    return v;
}

/* ---- judged, and written --------------------------------------------------------------------------------------- */

static void describe(json_t *v, const char *description, const struct verifier_result *r, const char *check)
{
    char text[1024] = "";
    for (size_t i = 0; !description && i < verifier_result_count(r); i++) {
        struct verifier_check c = verifier_result_check(r, i);
        if (c.outcome == VERIFIER_FAILED && strcmp(c.name, check) == 0 && !*text)
            snprintf(text, sizeof text, "%s: %s", c.name, c.reason);
    }
    json_object_set_new(v, "description", json_string(description ? description : text));
}

static void write_vector(const char *name, const char *description, json_t *v, const char *check)
{
    char path[4096];
    struct vector vector;
    vector_open(&vector, v);
    struct verifier_result *r = vector_judge(&vector);
    json_t *checks = vector_checks(r);
    if (verifier_result_ok(r) != !check || (check && !vector_failures(checks, check)))
        fail_msg("%s: expected that it fails by '%s'", name, check ? check : "nothing");
    describe(v, description, r, check);
    json_object_set_new(v, "verdict", json_string(verifier_verdict_name(verifier_result_verdict(r))));
    json_object_set_new(v, "checks", checks);
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    if (json_dump_file(v, path, JSON_INDENT(1) | JSON_ENSURE_ASCII) != 0)
        fail_msg("%s: it cannot be written", path);
    FILE *file = fopen(path, "a");
    assert_true(file && fputc('\n', file) == '\n' && fclose(file) == 0);
    verifier_result_destroy(r);
    vector_close(&vector);
    json_decref(v);
}

/* ---- the cases ------------------------------------------------------------------------------------------------- */

/* A world's case, with a manifest's certificate: what it changes is the same. */
static void write_world(size_t i)
{
    char name[VECTOR_NAME_SIZE];
    if (!vector_world_name(i, name))
        return;
    const struct world_case *k = &world_cases[i];
    struct made *m = made_open();
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->options = m->options;
    w->options.evidences = strcmp(k->name, "dice evidence") == 0 || strcmp(k->name, "report data") == 0;
    if (k->before)
        k->before(w);
    m->options = w->options;
    made_build(m);
    w->fixture = m->fixture;
    w->policy = m->policy;
    json_t *policy = json_deep_copy(usual);
    if (k->after) {
        k->after(w);
        follow(policy, m->policy);
    }
    write_vector(name, NULL, vector_of(m, policy, LEAN), k->name);
    free(w);
    made_close(m);
}

static void write_made(size_t i)
{
    char name[VECTOR_NAME_SIZE];
    const struct made_case *k = &made_cases[i];
    vector_made_name(i, name);
    struct made *m = made_open();
    if (k->before)
        k->before(m);
    made_build(m);
    json_t *policy = parse(m->policy_text);
    if (k->after) {
        k->after(m);
        follow(policy, m->policy);
    }
    bool fresh = strcmp(k->name, "fresh evidence") == 0;
    bool log = strncmp(k->name, "log ", 4) == 0 || strcmp(k->name, "hand-over") == 0;
    write_vector(name, NULL, vector_of(m, policy, fresh ? FRESH : log ? MANIFEST | LOG : MANIFEST), k->name);
    made_close(m);
}

static void write_case(const struct vector_case *k)
{
    struct made *m = made_open();
    if (k->before)
        k->before(m);
    made_build(m);
    json_t *v = vector_of(m, parse(m->policy_text), k->parts);
    if (k->after)
        k->after(v);
    write_vector(k->name, k->description, v, k->check);
    made_close(m);
}

static void write_all(void **state)
{
    (void)state;
    struct made *m = made_open();
    made_build(m);
    usual = parse(m->policy_text);
    made_close(m);
    for (size_t i = 0; i < world_case_count; i++)
        write_world(i);
    for (size_t i = 0; i < made_case_count; i++)
        write_made(i);
    for (size_t i = 0; i < vector_case_count; i++)
        write_case(&vector_cases[i]);
    json_decref(usual);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(write_all)};
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    return cmocka_run_group_tests(all, NULL, NULL);
}
