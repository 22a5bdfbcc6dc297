/*
 * What publishers say to another image: where the upgrade rule has "publishers": true, the publisher of each app that
 * has one must have signed that this instance may be given to that measurement. A statement is a JWS (secrets/jws.h)
 * with "typ":"enclave-os-upgrade", over
 *
 *     {"format": "enclave-os-upgrade/1", "instance": HEX, "measurement": HEX}
 *
 * Statements are kept nowhere: who approves a hand-over sends them with that, and they are judged then, and once more
 * when the instance is given away, as an app may have come in between. The operator's and frozen apps have no
 * publisher, and nobody is asked for them.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_UPGRADE_AGREEMENT_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_UPGRADE_AGREEMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/service/upgrade_rule.h"

#define UPGRADE_AGREEMENT_TYPE "enclave-os-upgrade"
#define UPGRADE_AGREEMENT_FORMAT "enclave-os-upgrade/1"
#define UPGRADE_AGREEMENTS_MAX 64u

/* Whether all whom the rule asks for have agreed to this measurement. statements: an array of texts; NULL: none. False:
 * why has a sentence. On the owner's thread. */
bool upgrade_agreed(const struct upgrade_rule *r, const json_t *statements, const uint8_t measurement[32], char *why,
                    size_t why_size);

#endif
