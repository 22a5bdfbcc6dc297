/*
 * A proposal of an app itself, its push or its removal, as whoever approves it is shown it.
 *
 *     struct app_proposal p;
 *     result = app_proposal_read(&agreement, "proposal.json", &p);
 *     if (result == 0)
 *         app_proposal_print(&p);
 *     app_proposal_deinit(&p);
 *
 * Whatever of the request changes what comes of it is shown, or it is refused as none.
 */
#ifndef ENCLAVE_OS_CLI_APP_PROPOSAL_H
#define ENCLAVE_OS_CLI_APP_PROPOSAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/agreement.h"
#include "cli/cli.h"
#include "cli/public_key.h"

struct app_proposal {
    const struct agreement *agreement; /* borrowed */
    bool removes;                      /* else it pushes */
    char name[APP_NAME_SIZE_MAX + 1];
    enum { RULE_AS_IT_IS, RULE_OPERATOR, RULE_FROZEN, RULE_PUBLISHER } rule;
    bool now, exclusive;
    bool has_key, has_publication;
    uint8_t key[SPKI_SIZE];         /* the publisher's */
    uint8_t publication_sha256[32]; /* of the publication's text */
    json_t *claims;                 /* of the publication; NULL: there is none */
};

/* file: where it is from, for errors. 0, or what wrong returned; deinit in any case. */
int app_proposal_read(const struct agreement *agreement, const char *file, struct app_proposal *out);
void app_proposal_print(const struct app_proposal *p);
void app_proposal_deinit(struct app_proposal *p);

#endif
