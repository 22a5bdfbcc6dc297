/* What administrators may say of a public authority, and what of it is kept and shown. */
#include "enclave/service/acme_settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "enclave/service/system.h"

static const char *kept; /* the store's record */

int system_get(const char *key, uint8_t **value, size_t *size)
{
    assert_string_equal(key, ACME_SETTINGS_KEY);
    if (!kept)
        return -ENOENT;
    *value = (uint8_t *)strdup(kept);
    *size = strlen(kept);
    return 0;
}

#define GOOD \
    "{\"terms_agreed\": true, \"directory\": \"https://ca.example:14000/dir\", \"contact\": [\"mailto:a@b.example\"]}"
#define RECORD \
    "{\"contact\":[\"mailto:a@b.example\"],\"directory\":\"https://ca.example:14000/dir\",\"terms_agreed\":true}"

static void test_good(void **state)
{
    (void)state;
    struct acme_settings *s = NULL, *again = NULL;
    char why[ACME_SETTINGS_WHY_SIZE];
    assert_int_equal(acme_settings_read(&s, GOOD, strlen(GOOD), why), 0);
    assert_string_equal(s->directory, "https://ca.example:14000/dir");
    assert_int_equal(json_array_size(s->contact), 1);
    assert_string_equal(s->record, RECORD);
    assert_int_equal(acme_settings_read(&again, s->record, strlen(s->record), why), 0);
    assert_string_equal(again->record, s->record);
    acme_settings_unref(again);
    assert_ptr_equal(acme_settings_ref(s), s);
    acme_settings_unref(s);
    assert_string_equal(s->record, RECORD);
    acme_settings_unref(s);
    acme_settings_unref(acme_settings_ref(NULL));
}

static void test_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *json, *why;
    } wrongs[] = {
        {"", "expected {"},
        {"[]", "expected {"},
        {"{\"directory\":\"https://a/\",\"directory\":\"https://b/\"}", "expected {"},
        {"{\"directory\":\"https://a/\",\"terms_agreed\":true,\"eab\":1}", "and nothing else"},
        {"{\"terms_agreed\":true}", "directory: a text is missing"},
        {"{\"directory\":7,\"terms_agreed\":true}", "directory: a text is missing"},
        {"{\"directory\":\"http://ca.example/dir\",\"terms_agreed\":true}", "directory: it is no https:// URL"},
        {"{\"directory\":\"https://ca.example/dir?a\",\"terms_agreed\":true}", "directory: it is no https:// URL"},
        {"{\"directory\":\"https://u@ca.example/\",\"terms_agreed\":true}", "directory: it is no https:// URL"},
        {"{\"directory\":\"https://ca.example/dir\"}", "terms_agreed: it must be true"},
        {"{\"directory\":\"https://ca.example/dir\",\"terms_agreed\":false}", "terms_agreed: it must be true"},
        {"{\"directory\":\"https://ca.example/dir\",\"terms_agreed\":\"true\"}", "terms_agreed: it must be true"},
        {"{\"directory\":\"https://a/\",\"terms_agreed\":true,\"contact\":\"mailto:a@b\"}", "contact: it is no list"},
        {"{\"directory\":\"https://a/\",\"terms_agreed\":true,\"contact\":[]}", "contact: it is no list"},
        {"{\"directory\":\"https://a/\",\"terms_agreed\":true,\"contact\":[1]}", "contact: one is no"},
        {"{\"directory\":\"https://a/\",\"terms_agreed\":true,\"contact\":[\"tel:1\"]}", "contact: one is no"},
        {"{\"directory\":\"https://a/\",\"terms_agreed\":true,\"contact\":[\"mailto:\"]}", "contact: one is no"},
        {"{\"directory\":\"https://a/\",\"terms_agreed\":true,\"contact\":[\"mailto:a@b,c@d\"]}", "contact: one is no"},
        {"{\"directory\":\"https://a/\",\"terms_agreed\":true,\"contact\":[\"mailto:a\\n\"]}", "contact: one is no"},
    };
    char why[ACME_SETTINGS_WHY_SIZE];
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct acme_settings *s = NULL;
        assert_int_equal(acme_settings_read(&s, wrongs[i].json, strlen(wrongs[i].json), why), -EINVAL);
        if (s || !strstr(why, wrongs[i].why))
            fail_msg("%s: %s", wrongs[i].json, why);
    }
}

static void test_long(void **state)
{
    (void)state;
    struct acme_settings *s = NULL;
    char why[ACME_SETTINGS_WHY_SIZE], text[ACME_SETTINGS_JSON_MAX + 2];
    memset(text, ' ', sizeof text);
    memcpy(text, GOOD, strlen(GOOD));
    assert_int_equal(acme_settings_read(&s, text, ACME_SETTINGS_JSON_MAX + 1, why), -EINVAL);
    assert_int_equal(acme_settings_read(&s, text, ACME_SETTINGS_JSON_MAX, why), 0);
    acme_settings_unref(s);
}

static void test_kept(void **state)
{
    (void)state;
    struct acme_settings *s = NULL;
    char error[256];
    kept = NULL;
    assert_int_equal(acme_settings_load(&s, error, sizeof error), 0);
    assert_null(s);
    kept = RECORD;
    assert_int_equal(acme_settings_load(&s, error, sizeof error), 0);
    assert_string_equal(s->record, RECORD);
    acme_settings_unref(s);
    kept = "{}";
    assert_int_equal(acme_settings_load(&s, error, sizeof error), -EINVAL);
    assert_null(s);
    assert_non_null(strstr(error, "boot: the settings of ACME cannot be taken up"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_wrong),
                                       cmocka_unit_test(test_long), cmocka_unit_test(test_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
