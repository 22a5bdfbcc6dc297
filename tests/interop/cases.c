/*
 * Good and bad quotes with collateral, each with what our verifier makes of it and, written beside it, what another one
 * needs for its own verdict: cases DIR. Prints one line per case: NAME, the status of platform and quoting enclave if
 * everything else holds (else "refused"), and whether only UpToDate without DEBUG is accepted.
 */
#include <jansson.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "verifier/testing/fixture.h"

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

/* ---- the cases ------------------------------------------------------------------------------------------------- */

static size_t flip_at;
static const char *flip(uint8_t *quote, size_t *size)
{
    quote[flip_at] ^= 1;
    return NULL;
}

struct interop_case {
    const char *name;
    void (*change)(struct fixture_options *o);
    size_t flip; /* a bit of the quote; 0: none */
    bool allow_debug;
};

static void debug(struct fixture_options *o)
{
    o->body.attributes.flags |= SGX_FLAGS_DEBUG;
}
static void qe_debug(struct fixture_options *o)
{
    o->qe_body.attributes.flags |= SGX_FLAGS_DEBUG;
    o->qe.qe_flags |= SGX_FLAGS_DEBUG;
}
static void qe_signer(struct fixture_options *o)
{
    o->qe.qe_signer[0] ^= 1;
}
static void qe_product(struct fixture_options *o)
{
    o->qe.qe_prod_id = 2;
}
static void qe_attributes(struct fixture_options *o)
{
    o->qe_body.attributes.flags &= ~0x10ull;
}
static void qe_miscselect(struct fixture_options *o)
{
    o->qe_body.miscselect = 1;
}
static void pck_revoked(struct fixture_options *o)
{
    o->pck_revoked = true;
}
static void ca_revoked(struct fixture_options *o)
{
    o->ca_revoked = true;
}
static void root_revoked(struct fixture_options *o)
{
    o->root_revoked = true;
}
static void signer_revoked(struct fixture_options *o)
{
    o->signer_revoked = true;
}
static void tcb_stale(struct fixture_options *o)
{
    o->tcb.next_update_s = FIXTURE_NOW - 1;
}
static void tcb_early(struct fixture_options *o)
{
    o->tcb.issued_s = FIXTURE_NOW + 1;
}
static void qe_stale(struct fixture_options *o)
{
    o->qe.next_update_s = FIXTURE_NOW - 1;
}
static void root_crl_stale(struct fixture_options *o)
{
    o->root_crl_until_s = FIXTURE_NOW - 1;
}
static void pck_crl_stale(struct fixture_options *o)
{
    o->pck_crl_until_s = FIXTURE_NOW - 1;
}
static void crls_swapped(struct fixture_options *o)
{
    o->crls_swapped = true;
}
static void pck_stale(struct fixture_options *o)
{
    o->pck_until_s = FIXTURE_NOW - 1;
}
static void ca_stale(struct fixture_options *o)
{
    o->ca_until_s = FIXTURE_NOW - 1;
}
static void signer_stale(struct fixture_options *o)
{
    o->signer_until_s = FIXTURE_NOW - 1;
}
static void ca_is_leaf(struct fixture_options *o)
{
    o->ca_is_leaf = true;
}
static void pck_is_authority(struct fixture_options *o)
{
    o->pck_is_authority = true;
}
static void forged_pck(struct fixture_options *o)
{
    o->forged_pck = true;
}
static void forged_ca(struct fixture_options *o)
{
    o->forged_ca = true;
}
static void forged_signer(struct fixture_options *o)
{
    o->forged_signer = true;
}
static void pck_by_sha384(struct fixture_options *o)
{
    o->pck_by_sha384 = true;
}
static void partial_crl(struct fixture_options *o)
{
    o->partial_crl = true;
}
static void no_platform(struct fixture_options *o)
{
    o->no_platform = true;
}
static void fmspc(struct fixture_options *o)
{
    o->info_platform.fmspc[5] ^= 1;
}
static void component_low(struct fixture_options *o)
{
    o->platform.components[15] = 4;
}
static void component_high(struct fixture_options *o)
{
    memset(o->platform.components, 255, 16);
}
static void pce_low(struct fixture_options *o)
{
    o->platform.pce_svn = 9;
}
static void pce_high(struct fixture_options *o)
{
    o->platform.pce_svn = 30000;
}
static void below_all(struct fixture_options *o)
{
    memset(o->platform.components, 0, 16);
}
static void qe_low(struct fixture_options *o)
{
    o->qe_body.isvsvn = 7;
}
static void qe_below_all(struct fixture_options *o)
{
    o->qe_body.isvsvn = 3;
}
static void processor_ca(struct fixture_options *o)
{
    o->platform.multi_package = false;
}
static void levels_upside_down(struct fixture_options *o)
{
    struct collateral_level high = o->tcb.levels[0];
    o->tcb.levels[0] = o->tcb.levels[1];
    o->tcb.levels[1] = high;
}
#define STATUS(function, text)                               \
    static void function(struct fixture_options *o)          \
    {                                                        \
        o->tcb.levels[0].status = text;                      \
    }                                                        \
    static void function##_qe_low(struct fixture_options *o) \
    {                                                        \
        o->tcb.levels[0].status = text;                      \
        o->qe_body.isvsvn = 7;                               \
    }
STATUS(hardening, "SWHardeningNeeded")
STATUS(configuration, "ConfigurationNeeded")
STATUS(both, "ConfigurationAndSWHardeningNeeded")
STATUS(out_of_date_configuration, "OutOfDateConfigurationNeeded")
STATUS(revoked, "Revoked")
STATUS(unheard_of, "Wonderful")

static void qe_revoked(struct fixture_options *o)
{
    o->qe.levels[0].status = "Revoked";
}
static void qe_hardening(struct fixture_options *o)
{
    o->qe.levels[0].status = "SWHardeningNeeded";
}

static const struct interop_case cases[] = {
    {"good", NULL, 0, false},
    {"good, debug allowed", NULL, 0, true},
    {"debug", debug, 0, false},
    {"debug allowed", debug, 0, true},
    {"quoting enclave for debugging", qe_debug, 0, true},
    {"bit in version", NULL, 1, false},
    {"bit in key type", NULL, 2, false},
    {"bit in TEE type", NULL, 4, false},
    {"bit in vendor", NULL, 12, false},
    {"bit in user data", NULL, 28, false},
    {"bit in MRENCLAVE", NULL, 112, false},
    {"bit in ReportData", NULL, 368, false},
    {"bit in signature length", NULL, 432, false},
    {"bit in signature", NULL, 436, false},
    {"bit in attestation key", NULL, 500, false},
    {"bit in quoting report", NULL, 564 + 64, false},
    {"bit in its signature", NULL, 948, false},
    {"bit in authentication data", NULL, 1014, false},
    {"bit in certification type", NULL, 1046, false},
    {"bit in PCK certificate", NULL, 1052 + 400, false},
    {"quoting enclave of another signer", qe_signer, 0, false},
    {"quoting enclave of another product", qe_product, 0, false},
    {"quoting enclave with other attributes", qe_attributes, 0, false},
    {"quoting enclave with other miscselect", qe_miscselect, 0, false},
    {"PCK revoked", pck_revoked, 0, false},
    {"PCK CA revoked", ca_revoked, 0, false},
    {"root revoked", root_revoked, 0, false},
    {"TCB signer revoked", signer_revoked, 0, false},
    {"TCB info stale", tcb_stale, 0, false},
    {"TCB info from the future", tcb_early, 0, false},
    {"QE identity stale", qe_stale, 0, false},
    {"root CRL stale", root_crl_stale, 0, false},
    {"PCK CRL stale", pck_crl_stale, 0, false},
    {"CRLs in each other's place", crls_swapped, 0, false},
    {"PCK expired", pck_stale, 0, false},
    {"PCK CA expired", ca_stale, 0, false},
    {"TCB signer expired", signer_stale, 0, false},
    {"PCK CA that is none", ca_is_leaf, 0, false},
    {"PCK that is a CA", pck_is_authority, 0, false},
    {"PCK signed by a stranger", forged_pck, 0, false},
    {"PCK CA signed by a stranger", forged_ca, 0, false},
    {"TCB signer signed by a stranger", forged_signer, 0, false},
    {"PCK signed with SHA-384", pck_by_sha384, 0, false},
    {"PCK CRL of users' certificates only", partial_crl, 0, false},
    {"PCK without SGX extension", no_platform, 0, false},
    {"another FMSPC", fmspc, 0, false},
    {"one component low", component_low, 0, false},
    {"all components high", component_high, 0, false},
    {"PCESVN low", pce_low, 0, false},
    {"PCESVN high", pce_high, 0, false},
    {"below every level", below_all, 0, false},
    {"quoting enclave low", qe_low, 0, false},
    {"quoting enclave below every level", qe_below_all, 0, false},
    {"processor CA's PCK", processor_ca, 0, false},
    {"levels upside down", levels_upside_down, 0, false},
    {"hardening needed", hardening, 0, false},
    {"hardening needed, quoting enclave low", hardening_qe_low, 0, false},
    {"configuration needed", configuration, 0, false},
    {"configuration needed, quoting enclave low", configuration_qe_low, 0, false},
    {"configuration and hardening needed", both, 0, false},
    {"configuration and hardening needed, quoting enclave low", both_qe_low, 0, false},
    {"out of date, configuration needed", out_of_date_configuration, 0, false},
    {"out of date, configuration needed, quoting enclave low", out_of_date_configuration_qe_low, 0, false},
    {"level revoked", revoked, 0, false},
    {"level revoked, quoting enclave low", revoked_qe_low, 0, false},
    {"unheard-of status", unheard_of, 0, false},
    {"unheard-of status, quoting enclave low", unheard_of_qe_low, 0, false},
    {"quoting enclave's level revoked", qe_revoked, 0, false},
    {"quoting enclave's level with a platform's status", qe_hardening, 0, false},
};

/* ---- our verdict ----------------------------------------------------------------------------------------------- */

static struct verifier_policy *make_policy(const struct fixture *f, bool allow_debug)
{
    struct verifier_policy *policy = verifier_policy_create();
    MUST(policy && verifier_policy_set_roots(policy, f->root_pem, strlen(f->root_pem)) == 0);
    verifier_policy_set_time(policy, FIXTURE_NOW);
    verifier_policy_allow_debug(policy, allow_debug);
    verifier_policy_require_collateral(policy, true);
    return policy;
}

static void judge(const struct interop_case *c, const struct fixture *f)
{
    struct verifier_policy *strict = make_policy(f, c->allow_debug), *any = make_policy(f, c->allow_debug);
    for (int s = VERIFIER_TCB_UP_TO_DATE; s < VERIFIER_TCB_REVOKED; s++)
        MUST(verifier_policy_accept_tcb(any, (enum verifier_tcb_status)s) == 0);
    struct verifier_result *a = verifier_verify_quote(any, f->collateral, f->quote, f->quote_size, NULL);
    struct verifier_result *b = verifier_verify_quote(strict, f->collateral, f->quote, f->quote_size, NULL);
    printf("%s\t%s\t%s\n", c->name,
           verifier_result_ok(a) ? verifier_tcb_status_name(verifier_result_claims(a)->tcb_status) : "refused",
           verifier_result_ok(b) ? "accepted" : "refused");
    for (size_t i = 0; i < verifier_result_count(a); i++)
        if (verifier_result_check(a, i).outcome == VERIFIER_FAILED)
            fprintf(stderr, "%s: %s: %s\n", c->name, verifier_result_check(a, i).name,
                    verifier_result_check(a, i).reason);
    verifier_result_destroy(a);
    verifier_result_destroy(b);
    verifier_policy_destroy(strict);
    verifier_policy_destroy(any);
}

/* ---- for the other one ----------------------------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    MUST(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static json_t *document(const struct fixture *f, enum verifier_document which)
{
    size_t size;
    const char *data = verifier_collateral_get(f->collateral, which, &size);
    return json_stringn(data, size);
}

static json_t *hex_document(const struct fixture *f, enum verifier_document which)
{
    size_t size;
    const uint8_t *data = verifier_collateral_get(f->collateral, which, &size);
    char *hex = malloc(2 * size + 1);
    MUST(hex);
    for (size_t i = 0; i < size; i++)
        sprintf(hex + 2 * i, "%02x", data[i]);
    json_t *json = json_string(hex);
    free(hex);
    return json;
}

/* {"NAME":INNER,"signature":"HEX"} as two members: the bytes of INNER, and HEX. */
static void split(json_t *all, const struct fixture *f, enum verifier_document which, const char *name,
                  const char *inner, const char *signature)
{
    size_t size, prefix = strlen(name) + 4;
    const char *text = verifier_collateral_get(f->collateral, which, &size);
    const char *end = strstr(text, ",\"signature\":\"");
    MUST(end);
    json_object_set_new(all, inner, json_stringn(text + prefix, (size_t)(end - text) - prefix));
    json_object_set_new(all, signature, json_stringn(end + 14, 128));
}

static void export(const struct interop_case *c, const struct fixture *f, const char *dir)
{
    char folder[4096], now[32];
    snprintf(folder, sizeof folder, "%s/%s", dir, c->name);
    MUST(mkdir(folder, 0755) == 0);
    json_t *all = json_object();
    json_object_set_new(all, "pck_crl_issuer_chain", json_string(f->pck_crl_chain_pem));
    json_object_set_new(all, "root_ca_crl", hex_document(f, VERIFIER_ROOT_CRL));
    json_object_set_new(all, "pck_crl", hex_document(f, VERIFIER_PCK_CRL));
    json_object_set_new(all, "tcb_info_issuer_chain", document(f, VERIFIER_TCB_INFO_CHAIN));
    split(all, f, VERIFIER_TCB_INFO, "tcbInfo", "tcb_info", "tcb_info_signature");
    json_object_set_new(all, "qe_identity_issuer_chain", document(f, VERIFIER_QE_IDENTITY_CHAIN));
    split(all, f, VERIFIER_QE_IDENTITY, "enclaveIdentity", "qe_identity", "qe_identity_signature");
    char *text = json_dumps(all, 0);
    write_file(folder, "collateral.json", text, strlen(text));
    free(text);
    json_decref(all);
    BIO *bio = BIO_new_mem_buf(f->root_pem, -1);
    X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    uint8_t *der = NULL;
    int size = i2d_X509(root, &der);
    write_file(folder, "root.der", der, (size_t)size);
    OPENSSL_free(der);
    X509_free(root);
    BIO_free(bio);
    write_file(folder, "quote", f->quote, f->quote_size);
    write_file(folder, "now", now, (size_t)snprintf(now, sizeof now, "%lld", FIXTURE_NOW));
    if (c->allow_debug)
        write_file(folder, "debug", "", 0);
}

int main(int argc, char **argv)
{
    MUST(argc == 2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture_options o = fixture_defaults();
        if (cases[i].change)
            cases[i].change(&o);
        flip_at = cases[i].flip ? cases[i].flip - (cases[i].flip == 1) : 0; /* 1 stands for the first byte */
        o.tamper = cases[i].flip ? flip : NULL;
        struct fixture *f = fixture_create(&o);
        judge(&cases[i], f);
        export(&cases[i], f, argv[1]);
        fixture_destroy(f);
    }
    return 0;
}
