/*
 * The policy: plain storage of what the caller expects, with limits.
 */
#include <errno.h>
#include <openssl/objects.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/internal.h"

struct verifier_policy *verifier_policy_create(void)
{
    struct verifier_policy *p = calloc(1, sizeof *p);
    if (p) {
        p->accepted_tcb = 1u << VERIFIER_TCB_UP_TO_DATE;
        p->max_lifetime_s = VERIFIER_LIFETIME_DEFAULT_S;
    }
    return p;
}

void verifier_policy_destroy(struct verifier_policy *p)
{
    if (!p)
        return;
    verifier__free_certificates(p->roots);
    X509_free(p->issuer);
    free(p->mrenclaves);
    free(p->predecessors);
    for (size_t i = 0; i < p->extension_count; i++) {
        ASN1_OBJECT_free(p->extensions[i]->oid);
        free(p->extensions[i]);
    }
    for (size_t i = 0; i < p->app_count; i++) {
        free(p->apps[i]->egress);
        free(p->apps[i]);
    }
    free(p);
}

void verifier_policy_allow_simulation(struct verifier_policy *p, bool allow)
{
    p->allow_simulation = allow;
}

void verifier_policy_allow_debug(struct verifier_policy *p, bool allow)
{
    p->allow_debug = allow;
}

int verifier_policy_set_roots(struct verifier_policy *p, const char *pem, size_t size)
{
    STACK_OF(X509) *roots = verifier__read_bundle(pem, size, ROOTS_MAX);
    if (!roots)
        return -EINVAL;
    verifier__free_certificates(p->roots);
    p->roots = roots;
    return 0;
}

int verifier_policy_add_mrenclave(struct verifier_policy *p, const uint8_t mrenclave[32])
{
    if (p->mrenclave_count == MRENCLAVES_MAX)
        return -E2BIG;
    void *grown = realloc(p->mrenclaves, (p->mrenclave_count + 1) * sizeof *p->mrenclaves);
    if (!grown)
        return -ENOMEM;
    p->mrenclaves = grown;
    memcpy(p->mrenclaves[p->mrenclave_count++], mrenclave, 32);
    return 0;
}

void verifier_policy_set_mrsigner(struct verifier_policy *p, const uint8_t mrsigner[32])
{
    p->has_mrsigner = true;
    memcpy(p->mrsigner, mrsigner, 32);
}

void verifier_policy_set_prod_id(struct verifier_policy *p, uint16_t isv_prod_id)
{
    p->has_prod_id = true;
    p->prod_id = isv_prod_id;
}

void verifier_policy_set_min_svn(struct verifier_policy *p, uint16_t isv_svn)
{
    p->has_min_svn = true;
    p->min_svn = isv_svn;
}

static const char *const status_names[] = {
    [VERIFIER_TCB_UNKNOWN] = "Unknown",
    [VERIFIER_TCB_UP_TO_DATE] = "UpToDate",
    [VERIFIER_TCB_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
    [VERIFIER_TCB_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
    [VERIFIER_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "ConfigurationAndSWHardeningNeeded",
    [VERIFIER_TCB_OUT_OF_DATE] = "OutOfDate",
    [VERIFIER_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OutOfDateConfigurationNeeded",
    [VERIFIER_TCB_REVOKED] = "Revoked",
};
#define STATUSES (sizeof status_names / sizeof status_names[0])

const char *verifier_tcb_status_name(enum verifier_tcb_status status)
{
    return status_names[(size_t)status < STATUSES ? status : VERIFIER_TCB_UNKNOWN];
}

enum verifier_tcb_status verifier_tcb_status_from_name(const char *name)
{
    for (size_t i = VERIFIER_TCB_UP_TO_DATE; i < STATUSES; i++)
        if (strcmp(name, status_names[i]) == 0)
            return (enum verifier_tcb_status)i;
    return VERIFIER_TCB_UNKNOWN;
}

int verifier_policy_accept_tcb(struct verifier_policy *p, enum verifier_tcb_status status)
{
    if (status <= VERIFIER_TCB_UNKNOWN || status >= VERIFIER_TCB_REVOKED)
        return -EINVAL;
    p->accepted_tcb |= 1u << status;
    return 0;
}

void verifier_policy_require_collateral(struct verifier_policy *p, bool require)
{
    p->require_collateral = require;
}

void verifier_policy_require_fresh(struct verifier_policy *policy, bool require)
{
    policy->require_fresh = require;
}

void verifier_policy_set_min_evaluation_number(struct verifier_policy *p, uint32_t number)
{
    p->min_evaluation_number = number;
}

void verifier_policy_set_max_lifetime(struct verifier_policy *p, int64_t seconds)
{
    p->max_lifetime_s = seconds > 0 ? seconds : 0;
}

void verifier_policy_set_time(struct verifier_policy *p, int64_t unix_s)
{
    p->time_s = unix_s;
}

int verifier_policy_set_binding(struct verifier_policy *p, enum verifier_mode mode, const uint8_t *nonce,
                                size_t nonce_size, const uint8_t binder[32])
{
    if (mode == VERIFIER_DETERMINISTIC) {
        p->mode = mode;
        return 0;
    }
    bool known = mode == VERIFIER_CHALLENGE || mode == VERIFIER_MUTUAL;
    if (!known || !nonce || !binder || nonce_size == 0 || nonce_size > NONCE_SIZE_MAX ||
        (mode == VERIFIER_MUTUAL && nonce_size != 32))
        return -EINVAL;
    p->mode = mode;
    p->nonce_size = nonce_size;
    memcpy(p->nonce, nonce, nonce_size);
    memcpy(p->binder, binder, 32);
    return 0;
}

void verifier_policy_set_live(struct verifier_policy *p, bool live)
{
    p->live = live;
}

int verifier_policy_set_issuer(struct verifier_policy *p, const char *pem, size_t size)
{
    STACK_OF(X509) *list = verifier__read_bundle(pem, size, 1);
    if (!list)
        return -EINVAL;
    X509_free(p->issuer);
    p->issuer = sk_X509_pop(list);
    verifier__free_certificates(list);
    return 0;
}

int verifier_policy_expect_extension(struct verifier_policy *p, const char *oid, const void *value, size_t size)
{
    if (size > EXTENSION_SIZE_MAX || strlen(oid) >= sizeof p->extensions[0]->text)
        return -EINVAL;
    if (p->extension_count == EXTENSIONS_MAX)
        return -E2BIG;
    struct expected_extension *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->oid = OBJ_txt2obj(oid, 1);
    if (!e->oid) {
        free(e);
        return -EINVAL;
    }
    strcpy(e->text, oid);
    if (size)
        memcpy(e->value, value, size);
    e->size = size;
    p->extensions[p->extension_count++] = e;
    return 0;
}
