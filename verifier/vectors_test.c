/*
 * verifier/vectors: the library judges each file as the file says, each check has one in which it alone fails, and
 * there is one for each case of the worlds that other tests here use.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "verifier/testing/vector_cases.h"
#include "verifier/testing/vector_names.h"
#include "verifier/testing/vectors.h"
#include "verifier/testing/worlds.h"

static json_t *load(const char *name)
{
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, VECTORS "/%s", name);
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return json;
}

/* Call each with the name of every file, and the file; how many there are. */
static size_t for_each(void (*each)(const char *name, json_t *json, void *user), void *user)
{
    DIR *folder = opendir(VECTORS);
    size_t count = 0;
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        const char *end = strrchr(entry->d_name, '.');
        if (!end || strcmp(end, ".json") != 0)
            continue;
        json_t *json = load(entry->d_name);
        each(entry->d_name, json, user);
        json_decref(json);
        count++;
    }
    closedir(folder);
    return count;
}

static void judge_file(const char *name, json_t *json, void *user)
{
    struct vector v;
    (void)user;
    vector_open(&v, json);
    struct verifier_result *r = vector_judge(&v);
    const char *verdict = verifier_verdict_name(verifier_result_verdict(r));
    json_t *checks = vector_checks(r);
    if (strcmp(verdict, json_string_value(json_object_get(json, "verdict"))) != 0)
        fail_msg("%s: %s", name, verdict);
    if (!json_equal(checks, json_object_get(json, "checks"))) {
        char *text = verifier_result_json(r);
        print_error("%s\n", text);
        verifier_free(text);
        fail_msg("%s: its checks come to something else", name);
    }
    assert_true(strlen(json_string_value(json_object_get(json, "description"))) > 10);
    json_decref(checks);
    verifier_result_destroy(r);
    vector_close(&v);
}

static void test_as_they_say(void **state)
{
    (void)state;
    assert_true(for_each(judge_file, NULL) > 150);
}

/* The only check that fails there, if it is one. */
static void note_failure(const char *name, json_t *json, void *user)
{
    json_t *alone = user, *checks = json_object_get(json, "checks");
    const char *failed = NULL;
    size_t failures = 0;
    (void)name;
    for (size_t i = 0; verifier_check_name(i); i++) {
        size_t count = vector_failures(checks, verifier_check_name(i));
        failures += count;
        failed = count ? verifier_check_name(i) : failed;
    }
    if (failures == 1)
        json_object_set_new(alone, failed, json_true());
    json_t *verdicts = json_object_get(alone, "verdicts");
    json_object_set_new(verdicts, json_string_value(json_object_get(json, "verdict")), json_true());
}

static void test_each_check_is_broken(void **state)
{
    (void)state;
    json_t *alone = json_pack("{s:{}}", "verdicts");
    for_each(note_failure, alone);
    for (size_t i = 0; verifier_check_name(i); i++)
        if (!json_object_get(alone, verifier_check_name(i)))
            fail_msg("no vector in which '%s' alone fails: see verifier/vectors/README.md", verifier_check_name(i));
    assert_int_equal(json_object_size(json_object_get(alone, "verdicts")), 3);
    json_decref(alone);
}

static void expect_file(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, VECTORS "/%s.json", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing: see verifier/vectors/README.md", path);
    fclose(file);
}

static void count_one(const char *name, json_t *json, void *user)
{
    (void)name, (void)json, (void)user;
}

static void test_none_is_missing(void **state)
{
    char name[VECTOR_NAME_SIZE];
    size_t count = vector_case_count + made_case_count;
    (void)state;
    for (size_t i = 0; i < world_case_count; i++) {
        if (!vector_world_name(i, name))
            continue;
        expect_file(name);
        count++;
    }
    for (size_t i = 0; i < made_case_count; i++) {
        vector_made_name(i, name);
        expect_file(name);
    }
    for (size_t i = 0; i < vector_case_count; i++)
        expect_file(vector_cases[i].name);
    assert_int_equal(for_each(count_one, NULL), count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_they_say),
        cmocka_unit_test(test_each_check_is_broken),
        cmocka_unit_test(test_none_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
