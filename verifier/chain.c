/*
 * The PCK chain that a quote carries: who its root is, whether it holds, and what its first certificate says.
 */
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "verifier/internal.h"

/* Intel SGX Root CA's public key (x, y), as in the certificate that Intel publishes. */
static const uint8_t intel_root_key[64] = {
    0x0b, 0xa9, 0xc4, 0xc0, 0xc0, 0xc8, 0x61, 0x93, 0xa3, 0xfe, 0x23, 0xd6, 0xb0, 0x2c, 0xda, 0x10,
    0xa8, 0xbb, 0xd4, 0xe8, 0x8e, 0x48, 0xb4, 0x45, 0x85, 0x61, 0xa3, 0x6e, 0x70, 0x55, 0x25, 0xf5,
    0x67, 0x91, 0x8e, 0x2e, 0xdc, 0x88, 0xe4, 0x0d, 0x86, 0x0b, 0xd0, 0xcc, 0x4e, 0xe2, 0x6a, 0xac,
    0xc9, 0x88, 0xe5, 0x05, 0xa9, 0x53, 0x55, 0x8c, 0x45, 0x3f, 0x6b, 0x09, 0x04, 0xae, 0x73, 0x94,
};

static bool is_named_simulation(X509 *root)
{
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(root), NID_commonName, name, sizeof name);
    return strstr(name, VERIFIER_SIMULATION_WORD) != NULL;
}

bool verifier__has_intel_key(X509 *root)
{
    EVP_PKEY *intel = verifier__p256_key(intel_root_key);
    bool same = intel && EVP_PKEY_eq(X509_get0_pubkey(root), intel) == 1;
    EVP_PKEY_free(intel);
    return same;
}

/* Roots are compared by key and name, since a root may be reissued with the same key. */
static bool is_pinned(X509 *root, STACK_OF(X509) * pins)
{
    for (int i = 0; i < sk_X509_num(pins); i++) {
        X509 *pin = sk_X509_value(pins, i);
        if (EVP_PKEY_eq(X509_get0_pubkey(root), X509_get0_pubkey(pin)) == 1 &&
            X509_NAME_cmp(X509_get_subject_name(root), X509_get_subject_name(pin)) == 0)
            return true;
    }
    return false;
}

static void check_root(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    bool simulated = is_named_simulation(v->root);
    v->result->claims.simulated = simulated;
    if (simulated && !p->allow_simulation)
        verifier__fail(v, CHECK_ROOT, "the chain ends in a simulation root, and simulation is not allowed");
    else if (p->roots && !is_pinned(v->root, p->roots))
        verifier__fail(v, CHECK_ROOT, "the chain ends in another root than the caller's");
    else if (p->roots)
        verifier__pass(v, CHECK_ROOT, "pinned by the caller%s", simulated ? "; a SIMULATION, not hardware" : "");
    else if (simulated)
        verifier__pass(v, CHECK_ROOT,
                       "a SIMULATION root taken from the quote itself, allowed by the caller: proves nothing about "
                       "hardware, nor which machine it is (pin its root.pem for that)");
    else if (verifier__has_intel_key(v->root))
        verifier__pass(v, CHECK_ROOT, "Intel SGX Root CA (built-in key)");
    else
        verifier__fail(v, CHECK_ROOT, "the chain's root is neither Intel's nor a simulation's");
}

static const char *chain_problem(const struct verification *v)
{
    const char *problem = verifier__signed_by(v->pck, v->pck_ca);
    if (!problem)
        problem = verifier__signed_by(v->pck_ca, v->root);
    if (!problem)
        problem = verifier__signed_by(v->root, v->root);
    if (problem)
        return problem;
    if (X509_check_ca(v->pck) != 0 || !(X509_get_key_usage(v->pck) & KU_DIGITAL_SIGNATURE))
        return "the PCK certificate is not one that only signs data";
    long length = X509_get_pathlen(v->root);
    return length >= 0 && length < 1 ? "the root allows no CA below it" : NULL;
}

static void check_times(struct verification *v)
{
    static const char *const names[] = {"the PCK certificate", "the PCK CA's certificate", "the root's certificate"};
    for (int i = 0; i < 3; i++) {
        X509 *x = sk_X509_value(v->chain, i);
        char text[64];
        if (verifier__time_problem(verifier__asn1_time(X509_get0_notBefore(x)),
                                   verifier__asn1_time(X509_get0_notAfter(x)), v->now_s, text, sizeof text)) {
            verifier__fail(v, CHECK_PCK_CHAIN_TIME, "%s %s", names[i], text);
            return;
        }
    }
    verifier__pass(v, CHECK_PCK_CHAIN_TIME, "all three are in their time of validity");
}

static void check_platform(struct verification *v)
{
    struct verifier_claims *claims = &v->result->claims;
    char fmspc[13], pce_id[5];
    const char *problem = verifier__read_platform(v->pck, &v->platform);
    if (problem) {
        verifier__fail(v, CHECK_PCK_CERTIFICATE, "%s", problem);
        return;
    }
    v->has_platform = claims->has_platform = true;
    memcpy(claims->fmspc, v->platform.fmspc, sizeof claims->fmspc);
    memcpy(claims->pce_id, v->platform.pce_id, sizeof claims->pce_id);
    memcpy(claims->tcb_components, v->platform.tcb_components, sizeof claims->tcb_components);
    claims->pce_svn = v->platform.pce_svn;
    verifier__pass(v, CHECK_PCK_CERTIFICATE, "FMSPC %s, PCE id %s, PCESVN %u", verifier__hex(claims->fmspc, 6, fmspc),
                   verifier__hex(claims->pce_id, 2, pce_id), claims->pce_svn);
}

void verifier__check_chain(struct verification *v)
{
    v->chain = verifier__read_certificates(v->quote.chain, v->quote.chain_size, CERTIFICATES_MAX);
    if (!v->chain || sk_X509_num(v->chain) != 3) {
        verifier__fail(v, CHECK_PCK_CHAIN, "the quote does not carry exactly PCK, PCK CA and root as certificates");
        return;
    }
    v->pck = sk_X509_value(v->chain, 0);
    v->pck_ca = sk_X509_value(v->chain, 1);
    v->root = sk_X509_value(v->chain, 2);
    check_root(v);
    const char *problem = chain_problem(v);
    if (problem)
        verifier__fail(v, CHECK_PCK_CHAIN, "%s", problem);
    else
        verifier__pass(v, CHECK_PCK_CHAIN, "PCK, PCK CA and root are signed by each other's keys");
    check_times(v);
    v->chain_holds = !problem && verifier__passed(v, CHECK_ROOT);
    check_platform(v);
}
