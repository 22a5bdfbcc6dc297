/* Lists of administrators: the input as an operator's order and as the store's record. What is accepted keeps its
 * promises, and has one text, which leads back to it. */
#include <stdlib.h>
#include <string.h>

#include "enclave/service/administrators.h"
#include "tests/fuzz/fuzz.h"

static char why[ADMINISTRATORS_WHY_SIZE];

static int count_leaf(void *user, const char *label, const void *value, size_t size)
{
    (void)value;
    MUST(size > 0 && label[0]);
    ++*(size_t *)user;
    return 0;
}

static void check(struct administrators *a, bool ordered)
{
    size_t admins = 0, leaves = 0;
    for (size_t i = 0; i < a->count; i++) {
        admins += a->of[i].role == ADMIN_ROLE_ADMIN;
        MUST(administrators_find(a, a->of[i].thumbprint) == &a->of[i]); /* no key twice */
    }
    MUST(a->threshold <= admins);
    MUST(ordered ? admins > 0 && a->threshold > 0 : (a->threshold == 0) == (a->count == 0));
    MUST(administrators_leaves(a, count_leaf, &leaves) == 0 && leaves == a->count + 1);
    char *record = administrators_record(a);
    json_t *json = administrators_json(a);
    MUST(record && json);
    struct administrators *again = administrators_load(record, strlen(record), why);
    MUST(again && again->count == a->count && memcmp(again->sha256, a->sha256, 32) == 0);
    administrators_unref(again);
    free(record);
    json_decref(json);
    administrators_unref(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool conditional;
    uint8_t replaces[32];
    struct administrators *a = administrators_parse((const char *)data, size, &conditional, replaces, why);
    if (a)
        check(a, true);
    a = administrators_load((const char *)data, size, why);
    if (a)
        check(a, false);
    a = administrators_of_key(data, size, why);
    if (a)
        check(a, false);
    return 0;
}
