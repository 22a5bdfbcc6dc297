/*
 * The sealed list of deployed apps: one record that names each app, who it is and who may change it (rule.h), its
 * code's hash, its settings, and the records that hold its compiled artefact, and the component that that was made of:
 * where the artefact is damaged, or another engine's, it is made of that again (apps.h). Only the owner's thread calls
 * these (asserted, but where it is said).
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_DEPLOYED_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_DEPLOYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/service/limits.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "enclave/wasm/settings.h"

struct deployed {
    struct deployed *next;
    char name[APP_NAME_MAX + 1];
    char space[APP_NAME_MAX + 1]; /* whose data it has: its identity's digits; of an older store's app, its name */
    struct rule *rule;            /* counted */
    uint8_t sha256[32];
    char artefact[33];                   /* random name of the artefact's records; "": its code is not optimised yet */
    size_t size;                         /* of the artefact; 0 */
    uint8_t engine[WASM_ENGINE_ID_SIZE]; /* which made it */
    char wasm[33];                       /* random name of the component's records; "": an older store has none */
    size_t wasm_size;
    struct app_settings *settings; /* counted */
    unsigned tries;                /* at optimising it that have failed, since boot or it was pushed; not listed */
};

/* Letters, digits, '-' and '_', beginning with a letter or digit, and not one of the server's own paths (of HTTP). Any
 * thread. */
bool deployed_name_ok(const char *name, size_t size);

/* Boot: read the record. Apps of a list from before there were rules become the operator's, with the data that their
 * names have, and the record is written again. 0, -EBADMSG, or the store's error. */
int deployed_load(void);
const struct deployed *deployed_first(void);
const struct deployed *deployed_find(const char *name); /* or NULL */
/* The same on the compiler's thread, while it prepares a change: what is found stays until that change is over. */
const struct deployed *deployed_find_preparing(const char *name);
void deployed_put(struct deployed *d); /* takes it; replaces the app of that name */
void deployed_remove(const char *name);
void deployed_tried(const char *name); /* at optimising the app of that name, if there is one */
void deployed_free(struct deployed *d);
/* A first one of that name, without rule, code and settings; or one like d. NULL: no memory. Any thread. */
struct deployed *deployed_new(const char *name);
struct deployed *deployed_copy(const struct deployed *d);
/* Let it be an app under that rule, whose data nothing has had before. Takes the reference. */
void deployed_found(struct deployed *d, struct rule *rule);
/* Let it be the same app under this rule. Takes the reference. */
void deployed_rule(struct deployed *d, struct rule *rule);

/* The record as it will be: without the app of that name, and with another. malloc'ed; NULL: no memory. */
char *deployed_text(const char *without, const struct deployed *with);

/* The records of both: first the artefact's, then the component's. */
#define DEPLOYED_KEY_SIZE 64u
size_t deployed_chunks(const struct deployed *d); /* of the artefact alone */
size_t deployed_records(const struct deployed *d);
void deployed_chunk_key(const struct deployed *d, size_t index, char out[DEPLOYED_KEY_SIZE]);
/* Whether a key is of such a record, of whatever app: its random name, 32 characters, else NULL. */
const char *deployed_name_in_key(const void *key, size_t size);

#endif
