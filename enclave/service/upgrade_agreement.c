/* See upgrade_agreement.h. */
#include "enclave/service/upgrade_agreement.h"

#include <stdio.h>
#include <string.h>

#include "common/hex.h"
#include "enclave/secrets/jws.h"
#include "enclave/service/deployed.h"
#include "enclave/service/identity.h"
#include "enclave/service/rule.h"
#include "enclave/service/system.h"

static bool is_hash(const json_t *value, const uint8_t expected[32])
{
    uint8_t given[32];
    return json_is_string(value) && hex_read(json_string_value(value), json_string_length(value), given, 32) &&
           memcmp(given, expected, 32) == 0;
}

/* Whether this one is the publisher's, for this instance and that measurement. */
static bool says_so(const json_t *statement, const uint8_t publisher[RULE_KEY_SIZE], const uint8_t measurement[32])
{
    json_t *said;
    if (!json_is_string(statement) || jws_open(json_string_value(statement), json_string_length(statement), publisher,
                                               RULE_KEY_SIZE, UPGRADE_AGREEMENT_TYPE, &said) < 0)
        return false;
    const char *format = json_string_value(json_object_get(said, "format"));
    bool is = json_object_size(said) == 3 && format && strcmp(format, UPGRADE_AGREEMENT_FORMAT) == 0 &&
              is_hash(json_object_get(said, "instance"), identity_instance()) &&
              is_hash(json_object_get(said, "measurement"), measurement);
    json_decref(said);
    return is;
}

static bool has_agreed(const json_t *statements, const uint8_t publisher[RULE_KEY_SIZE], const uint8_t measurement[32])
{
    for (size_t i = 0; i < json_array_size(statements); i++)
        if (says_so(json_array_get(statements, i), publisher, measurement))
            return true;
    return false;
}

bool upgrade_agreed(const struct upgrade_rule *r, const json_t *statements, const uint8_t measurement[32], char *why,
                    size_t why_size)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(r && measurement);
    if (!r->publishers)
        return true;
    if (json_array_size(statements) > UPGRADE_AGREEMENTS_MAX) { /* each costs checks of a signature */
        snprintf(why, why_size, "there are more than %u statements of publishers", UPGRADE_AGREEMENTS_MAX);
        return false;
    }
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        if (d->rule->kind == RULE_PUBLISHER && !has_agreed(statements, d->rule->publisher, measurement)) {
            snprintf(why, why_size, "the publisher of app %s has not agreed to this measurement", d->name);
            return false;
        }
    return true;
}
