/* See expected_admins.h. */
#include "cli/expected_admins.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/public_key.h"
#include "cli/report.h"
#include "common/arguments.h"
#include "common/hex.h"

/* What stands behind ROLE:, if that is there. */
static const char *take_role(const char *value, enum verifier_role *role)
{
    static const char *const names[] = {
        [VERIFIER_ADMIN] = "admin", [VERIFIER_DEPLOY] = "deploy", [VERIFIER_MONITOR] = "monitor"};
    size_t size = strcspn(value, ":");
    *role = VERIFIER_ADMIN;
    for (unsigned i = 0; value[size] && i < sizeof names / sizeof names[0]; i++)
        if (size == strlen(names[i]) && memcmp(value, names[i], size) == 0) {
            *role = (enum verifier_role)i;
            return value + size + 1;
        }
    return value;
}

static int read_key(const char *value, const char *key, uint8_t hash[32])
{
    size_t size;
    if (hex_read(key, strlen(key), hash, 32))
        return 0;
    char *pem = read_input("--admin", key, PUBLIC_KEY_FILE_MAX, &size);
    if (!pem)
        return 2;
    bool ok = public_key_thumbprint(pem, size, hash);
    OPENSSL_cleanse(pem, size); /* somebody's secret half, perhaps */
    free(pem);
    return ok ? 0
              : wrong("--admin %s: expected [ROLE:]KEY, a role being admin, deploy or monitor, and KEY 64 hex digits "
                      "or a "
                      "file with one P-256 public key (FILE.pub); or none",
                      value);
}

int expected_admins_add(struct expected_admins *e, const char *value)
{
    struct verifier_administrator one = {0};
    bool nobody = strcmp(value, "none") == 0;
    if (nobody ? e->count > 0 || e->nobody : e->nobody)
        return wrong("--admin %s: somebody or none, and that once", value);
    e->nobody = nobody;
    if (nobody)
        return 0;
    int result = read_key(value, take_role(value, &one.role), one.key);
    if (result != 0)
        return result;
    for (unsigned i = 0; i < e->count; i++)
        if (memcmp(e->list[i].key, one.key, sizeof one.key) == 0)
            return wrong("--admin %s: this key is given twice", value);
    if (e->count == EXPECTED_ADMINS_MAX)
        return wrong("--admin %s: there are too many", value);
    e->list[e->count++] = one;
    return 0;
}

int expected_admins_threshold(struct expected_admins *e, const char *value)
{
    uint64_t number;
    if (!arguments_number(value, 1, EXPECTED_ADMINS_MAX, &number))
        return wrong("--admin-threshold %s: expected a number from 1 to %d", value, EXPECTED_ADMINS_MAX);
    e->threshold = (unsigned)number;
    return 0;
}

int expected_admins_tell(const struct expected_admins *e, struct verifier_policy *policy)
{
    unsigned admins = 0;
    for (unsigned i = 0; i < e->count; i++)
        admins += e->list[i].role == VERIFIER_ADMIN;
    if (e->threshold > admins)
        return wrong("--admin-threshold %u: %u %s named by --admin in the role admin", e->threshold, admins,
                     admins == 1 ? "key is" : "keys are");
    if (e->count == 0 && !e->nobody)
        return 0;
    unsigned threshold = e->nobody ? 0 : e->threshold ? e->threshold : 1;
    return verifier_policy_expect_administrators(policy, threshold, e->list, e->count) == 0
               ? 0
               : wrong("--admin: the policy expects other administrators");
}
