/*
 * A publication: what the publisher of an app signs to let code into it. A JWS (secrets/jws.h) with
 * "typ":"enclave-os-publication", over
 *
 *   {"name": "vault", "sha256": HEX, "version": 3,   the app, the .wasm, and a number that only rises
 *    "app_id": HEX,                                  of the app that there is; left out for a first push
 *    "egress": ["api.example.com"],                  these all may be left out: where it may connect at most,
 *    "egress_ca": HEX,                               and the bundle of CAs that alone it believes there,
 *    "memory_mib": 64, "timeout_ms": 5000,           what it may take of the server's limits,
 *    "settings": ["config"]}                         and what else the administrator may set; left out: nothing
 *
 * Pure; any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_PUBLICATION_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_PUBLICATION_H

#include "enclave/service/rule.h"
#include "enclave/wasm/app.h"

#define PUBLICATION_TYPE "enclave-os-publication"

/* What it can leave to the administrator: RULE_SETS_*, from the first bit on; sorted. */
extern const char *const publication_set_names[RULE_SETS_COUNT];

struct publication {
    bool has_id;
    uint8_t id[RULE_ID_SIZE];
    char name[APP_NAME_MAX + 1];
    uint8_t sha256[32];
    struct rule_terms terms;
};

/* Check the signature under key, and read it. 0; -EACCES: it is not signed by that key, or for another purpose;
 * -EINVAL malformed, and why says how; -ENOMEM. After 0, publication_deinit. */
int publication_read(const char *jws, size_t size, const uint8_t key[RULE_KEY_SIZE], struct publication *out, char *why,
                     size_t why_size);
void publication_deinit(struct publication *p);

#endif
