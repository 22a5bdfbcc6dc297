/* The administration routes under /_enclave, and who may use them. Any worker. */
#ifndef ENCLAVE_OS_ENCLAVE_ADMIN_H
#define ENCLAVE_OS_ENCLAVE_ADMIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct authors;
struct http_admin_hook;
struct worker;

/*  GET    /_enclave/apps         200 {"apps":[{"name","sha256"}],"merkle_root"}
 *  PUT    /_enclave/apps/NAME    body: a component. 201 {"name"}; 422 {"error"}: it cannot run here, and why
 *  DELETE /_enclave/apps/NAME    200 {"name"}; 404
 *  GET    /_enclave/administrators   200: administrators_json
 *  PUT    /_enclave/administrators   body: administrators_parse. 200, as GET; 409: made from another list; 422
 *  401 without a token that holds for exactly this request; 403 if the token's role is not enough, approvals are
 *  missing, or the enclave has no administrator. */
struct http_admin_hook *admin_hook(void); /* boot, once */

/* POST and GET of /_enclave/hand-over, of whoever may: handover.h's handover_approve and handover_show, which this room
 * knows nothing of. Boot. */
typedef int (*admin_approve)(struct worker *worker, const struct authors *authors, const void *body, size_t size,
                             void (*done)(void *user, int status, json_t *body), void *user);
typedef int (*admin_show)(struct worker *worker, const char *query, void (*done)(void *user, int status, json_t *body),
                          void *user);
void admin_hand_over_by(admin_approve approve, admin_show show);

/* For http_server.authorize_monitoring: a token with scope "monitoring", for this method and path, used once. */
bool admin_authorize_monitoring(void *user, const char *method, const char *path, const char *authorization);

#endif
