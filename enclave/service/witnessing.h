/*
 * What the service does with witnesses (witness/witness.h): who they are, as the store has it; the gate at boot, before
 * which nobody is served; what happens when they refuse.
 *
 *     error = witnessing_boot(&parts.witnesses, why, sizeof why);     who they are
 *     error = witnessing_gate(set, why, sizeof why);                  until a quorum has cosigned this start
 *
 * When a quorum refuses, or none has cosigned for too long, apps and administrators are answered no more, at once: all
 * clients' connections are cut, and new ones get 503 for whatever is not the server's own to read (/healthz, /readyz,
 * /status, /metrics, and what is public under /_enclave). /readyz says why. After an outage of witnesses it ends by
 * itself; after a refusal it does not.
 *
 * On the owner's thread, but for what is marked.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_WITNESSING_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_WITNESSING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/kvstore/kvstore.h"
#include "enclave/witness/set.h"
#include "enclave/witness/witness.h"

struct http_site;

/* Boot: the store's set (witness_record.h). One reference. 0 or a negative errno with a line in error. */
int witnessing_boot(struct witness_set **out, char *error, size_t error_size);
/* Boot, when this start's entry is in the log: until a quorum of set has cosigned it, and of the former ones if there
 * are any; then heads are brought to them for as long as the enclave runs. No set of any: at once. 0; -ECANCELED: the
 * host wants to stop; -EPERM: refused, other negative errno, with a line in error. Turns the loop. */
int witnessing_gate(struct witness_set *set, char *error, size_t error_size);

/* From now on clients are let in. */
void witnessing_serve(void);

/* The instance has been given away: witnesses hear of its log from who has it now. */
void witnessing_rest(void);

/* A change of them, before it is proposed: whether a quorum of this set would cosign the log as it is. done comes once,
 * later: why is NULL, or says who said what. One trial at a time. 0, or -ENOMEM, and done never comes. */
typedef void (*witnessing_tried)(void *user, const char *why);
int witnessing_try(struct witness_set *set, witnessing_tried done, void *user);
/* Whether those before the last change have not cosigned it yet. */
bool witnessing_is_handing(void);
/* A change of them: in the log, and on disk with former's record; the generation in force is still the one before.
 * former: they must cosign it, too; NULL: there were none. */
void witnessing_changed(struct witness_set *set, struct witness_set *former);
/* wait->fn runs once, later, when a quorum has cosigned the head of size, or has not in time (witnesses_await). False:
 * there are no witnesses, and it never runs. */
bool witnessing_await(struct witness_wait *wait, uint64_t size);

/* What an app stores in this space (deployed.h) is acknowledged once it is proven, or as soon as it is on disk. 0;
 * -ENOMEM: only where it never was called for this space. */
int witnessing_app(const char *space, bool witnessed);

/* What witnesses_report says; NULL: no memory. Any thread. */
json_t *witnessing_json(void);
/* Whether nothing is served, and why, in at most size bytes with the zero. Any thread. */
bool witnessing_withholds(char *why, size_t size);

#endif
