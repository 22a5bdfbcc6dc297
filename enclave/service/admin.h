/* The administration routes under /_enclave, and who may use them. Any worker. */
#ifndef ENCLAVE_OS_ENCLAVE_ADMIN_H
#define ENCLAVE_OS_ENCLAVE_ADMIN_H

#include <stdbool.h>

struct http_admin_hook;

/*  GET    /_enclave/apps         200 {"apps":[{"name","sha256"}],"merkle_root"}
 *  PUT    /_enclave/apps/NAME    body: a component. 201 {"name"}; 422 {"error"}: it cannot run here, and why
 *  DELETE /_enclave/apps/NAME    200 {"name"}; 404
 *  GET    /_enclave/administrators   200: administrators_json
 *  PUT    /_enclave/administrators   body: administrators_parse. 200, as GET; 409: made from another list; 422
 *  401 without a token that holds for exactly this request; 403 if the token's role is not enough, approvals are
 *  missing, or the enclave has no administrator. */
struct http_admin_hook *admin_hook(void); /* boot, once */

/* For http_server.authorize_monitoring: a token with scope "monitoring", for this method and path, used once. */
bool admin_authorize_monitoring(void *user, const char *method, const char *path, const char *authorization);

#endif
