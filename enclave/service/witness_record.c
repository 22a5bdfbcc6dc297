/* See witness_record.h. */
#include "enclave/service/witness_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/service/system.h"

static struct witness_set *set_of_options(char why[WITNESS_WHY_SIZE])
{
    const struct run_args *a = ecall_run_args();
    return witness_set_of_options(a->witnesses, a->witnesses_size, a->witness_quorum, a->witness_seconds,
                                  a->witness_commits, why);
}

char *witness_record_first(char *error, size_t error_size)
{
    char why[WITNESS_WHY_SIZE] = "out of memory";
    struct witness_set *set = set_of_options(why);
    char *record = set ? witness_set_record(set) : NULL;
    witness_set_unref(set);
    if (!record)
        snprintf(error, error_size, "witnesses: %s", why);
    return record;
}

/* NULL with why; *error -ENOENT: there is no such record. */
static struct witness_set *load(const char *key, int *error, char why[WITNESS_WHY_SIZE])
{
    uint8_t *record = NULL, ignored[32];
    size_t size;
    bool conditional;
    *error = system_get(key, &record, &size);
    struct witness_set *set = NULL;
    if (*error == 0 && !(set = witness_set_read((const char *)record, size, &conditional, ignored, why)))
        *error = -EBADMSG;
    free(record);
    return set;
}

/* Whether what is given now is what the store has; nothing need be given. */
static int compare(const struct witness_set *kept, char *error, size_t error_size)
{
    const struct run_args *a = ecall_run_args();
    char why[WITNESS_WHY_SIZE] = "";
    if (!a->witnesses_size && !a->witness_quorum && !a->witness_seconds && !a->witness_commits)
        return 0;
    struct witness_set *given = set_of_options(why);
    bool same = given && witness_set_same(given, kept);
    if (!given)
        snprintf(error, error_size, "witnesses: %s", why);
    else if (!same)
        snprintf(error, error_size,
                 "witnesses: those given now are not those of this store, which the first boot or a change since then "
                 "fixed (%zu, a quorum of %u): start without --witness and its like, and change them with enclavectl "
                 "witness set",
                 kept->count, kept->quorum);
    witness_set_unref(given);
    return same ? 0 : -EINVAL;
}

int witness_record_boot(struct witness_set **out, struct witness_set **former, char *error, size_t error_size)
{
    char why[WITNESS_WHY_SIZE] = "the store does not give them";
    int result, of_former;
    loop_check(&enclave_system.owner->loop);
    struct witness_set *set = load(WITNESSES_KEY, &result, why);
    if (result == -ENOENT) {
        set = witness_set_of_options("", 0, 0, 0, 0, why);
        result = set ? 0 : -ENOMEM;
    }
    *former = load(WITNESSES_FORMER_KEY, &of_former, why);
    if (result == 0 && of_former < 0 && of_former != -ENOENT)
        result = of_former;
    if (result < 0)
        snprintf(error, error_size, "witnesses: %s (error %d)", why, -result);
    else
        result = compare(set, error, error_size);
    if (result < 0)
        witness_set_unref(set);
    else
        *out = set;
    return result;
}
