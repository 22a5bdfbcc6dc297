/* See acme_settings.h. */
#include "enclave/service/acme_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/json.h"
#include "common/references.h"
#include "common/witness_option.h"
#include "enclave/service/system.h"

/* Printable ASCII without blanks and quotes, behind "mailto:". */
static bool is_contact(const json_t *value)
{
    static const char scheme[] = "mailto:";
    const char *text = json_string_value(value);
    size_t size = json_string_length(value), scheme_size = sizeof scheme - 1;
    if (!text || size <= scheme_size || size > ACME_CONTACT_SIZE_MAX || strncmp(text, scheme, scheme_size) != 0)
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f || strchr("\"\\,;<>", text[i]))
            return false;
    return true;
}

/* What is wrong with it; NULL: nothing. */
static const char *judge_contact(const json_t *list)
{
    if (!list)
        return NULL;
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > ACME_CONTACTS_MAX)
        return "contact: it is no list of one to four texts";
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!is_contact(json_array_get(list, i)))
            return "contact: one is no \"mailto:\" and a single address behind it";
    return NULL;
}

static const char *judge_directory(const json_t *value)
{
    struct witness_url url;
    const char *text = json_string_value(value);
    if (!text)
        return "directory: a text is missing, the URL of the authority's directory";
    if (!witness_url_read(text, json_string_length(value), &url) || !url.tls)
        return "directory: it is no https:// URL of a host, perhaps a port, and a path";
    return NULL;
}

static const char *judge(const json_t *object)
{
    const char *member, *wrong;
    json_t *ignored;
    if (!json_is_object(object))
        return "expected {\"directory\": URL, \"terms_agreed\": true, \"contact\": [\"mailto:ADDRESS\"]}";
    json_object_foreach((json_t *)object, member, ignored)
    {
        if (strcmp(member, "directory") != 0 && strcmp(member, "terms_agreed") != 0 && strcmp(member, "contact") != 0)
            return "there are directory, terms_agreed and contact, and nothing else";
    }
    wrong = judge_directory(json_object_get(object, "directory"));
    if (!wrong && !json_is_true(json_object_get(object, "terms_agreed")))
        wrong = "terms_agreed: it must be true: no authority issues to those who do not agree to its terms";
    return wrong ? wrong : judge_contact(json_object_get(object, "contact"));
}

int acme_settings_read(struct acme_settings **out, const char *json, size_t size, char why[ACME_SETTINGS_WHY_SIZE])
{
    ENSURE(out && (json || size == 0));
    struct acme_settings *s = calloc(1, sizeof *s);
    snprintf(why, ACME_SETTINGS_WHY_SIZE, "out of memory");
    if (!s)
        return -ENOMEM;
    atomic_store(&s->references, 1);
    s->json = size <= ACME_SETTINGS_JSON_MAX ? json_read(json, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *wrong = judge(s->json);
    if (!wrong) {
        s->directory = json_string_value(json_object_get(s->json, "directory"));
        s->contact = json_object_get(s->json, "contact");
        s->record = json_dumps(s->json, JSON_COMPACT | JSON_SORT_KEYS);
    }
    if (s->record) {
        *out = s;
        return 0;
    }
    acme_settings_unref(s);
    if (!wrong)
        return -ENOMEM;
    snprintf(why, ACME_SETTINGS_WHY_SIZE, "%s", wrong);
    return -EINVAL;
}

struct acme_settings *acme_settings_ref(struct acme_settings *s)
{
    if (s)
        references_take(&s->references);
    return s;
}

void acme_settings_unref(struct acme_settings *s)
{
    if (!s || !references_give(&s->references))
        return;
    json_decref(s->json);
    free(s->record);
    free(s);
}

int acme_settings_load(struct acme_settings **out, char *error, size_t error_size)
{
    uint8_t *record = NULL;
    size_t size = 0;
    char why[ACME_SETTINGS_WHY_SIZE] = "";
    *out = NULL;
    int result = system_get(ACME_SETTINGS_KEY, &record, &size);
    if (result == -ENOENT)
        return 0;
    if (result == 0)
        result = acme_settings_read(out, (const char *)record, size, why);
    if (result < 0)
        snprintf(error, error_size, "boot: the settings of ACME cannot be taken up (error %d) %s", -result, why);
    free(record);
    return result;
}
