/*
 * A whole world for tests: a PKI, a quoting enclave, an enclave, its certificate and all collateral, each part of
 * which a test can make wrong by itself while everything is still signed correctly.
 */
#ifndef ENCLAVE_VERIFIER_TESTING_FIXTURE_H
#define ENCLAVE_VERIFIER_TESTING_FIXTURE_H

#include "sgx/include/arch.h"
#include "sgx/quote/collateral.h"
#include "verifier/verifier.h"

#define FIXTURE_NOW 1800000000ll /* 2027-01-15T08:00:00Z: what the tests take for now */
#define FIXTURE_DAY 86400ll

/* Claims of DICE evidence. */
enum { CLAIM_KEY = 1, CLAIM_ROOT = 2, CLAIM_GENERATION = 4, CLAIM_FROM = 8, CLAIM_UNTIL = 16, CLAIM_EXTENSIONS = 32 };

/* What is wrong with it: nothing of this at first. */
struct fixture_evidence {
    unsigned false_claims, missing_claims; /* CLAIM_... */
    bool twice, unknown;                   /* the first claim stands there again; one that nobody knows */
    bool swapped;                          /* its quote is over other claims */
    bool another_enclave, damaged;         /* its quote is another enclave's; its signature does not hold */
    bool trailing;                         /* a byte is behind it */
    int algorithm;                         /* of the key's hash; 0: DICE_SHA256 */
};

struct fixture_options {
    const char *root_name;                     /* "Test Root CA" is neither Intel's nor a simulation's */
    struct platform_description platform;      /* in the PCK certificate */
    struct platform_description info_platform; /* in the TCB info */
    struct collateral_options tcb, qe;         /* platform and qe_signer are filled in */
    struct sgx_report_body body, qe_body;      /* ReportData is filled in */
    int64_t root_until_s, ca_until_s, pck_until_s, signer_until_s, qe_signer_until_s;
    int64_t root_crl_from_s, root_crl_until_s, pck_crl_from_s, pck_crl_until_s;
    bool root_revoked, ca_revoked, pck_revoked, signer_revoked, qe_signer_revoked;
    bool pck_is_authority, ca_is_leaf, no_platform, crls_swapped;
    bool forged_pck, forged_ca, forged_signer; /* signed by a stranger's key, under the right issuer's name */
    bool stranger_is_root;                     /* the whole PKI is a stranger's, under the same names */
    bool root_allows_no_ca, pck_by_sha384;
    bool partial_crl; /* the PCK CA's says, in a critical extension, that it is not the whole list */
    int64_t leaf_from_s, leaf_until_s;
    int quotes, roots; /* how often these extensions stand in the leaf: 1 */
    bool v2;           /* no quote in it, and the root under the number of version 2 */
    int evidences;     /* of DICE: 0 */
    struct fixture_evidence evidence;
    uint8_t merkle_root[32];
    bool instance_differs, generation_differs; /* of what a numbered fixture's leaf says */
    const uint8_t *lineage;                    /* the same; 32 bytes for each image; NULL: there was none */
    size_t lineage_size;
    const uint8_t *log_head, *log_key; /* of a numbered one; 40 and 32 bytes; NULL: without */
    const uint8_t *binding;            /* NULL: the minute of NotBefore */
    size_t binding_size;
    const uint8_t *report_data;                          /* 64; NULL: that of the leaf's key and this binding */
    const char *(*tamper)(uint8_t *quote, size_t *size); /* the last word on the quote */
};

struct fixture {
    uint8_t *quote;
    size_t quote_size;
    X509 *leaf;
    X509 *leaf_issuer;
    struct verifier_collateral *collateral;
    char *root_pem, *pck_crl_chain_pem;
    char *quote_chain_pem;
    uint8_t merkle_root[32]; /* what the leaf carries */
    bool numbered;           /* and generation 41 of the instance 1d 02 03 00 ... */
};

/* What all is well with: DEBUG clear, everything up to date and in its time, a root that policies must pin. */
struct fixture_options fixture_defaults(void);
/* Aborts if anything goes wrong. */
struct fixture *fixture_create(const struct fixture_options *options);
void fixture_destroy(struct fixture *fixture);

/* evidence.c: its DICE evidence, as options say, for all that x has so far. */
void fixture_add_evidence(X509 *x, const struct fixture *fixture, const struct fixture_options *options);
/* An extension, and a quote of options' enclave, malloc'ed. */
void fixture_add_extension(X509 *x, const char *oid, const void *data, size_t size);
uint8_t *fixture_quote(const struct fixture_options *options, const char *chain, const uint8_t report_data[64],
                       size_t *size);

/* {"NAME":INNER,"signature":...}, signed by the key that signs documents of that name ("tcbInfo", "enclaveIdentity") in
 * every fixture; malloc'ed. inner may be anything. */
char *fixture_sign(const char *name, const void *inner, size_t size);
/* The key of the PCK CA in every fixture; borrowed. */
EVP_PKEY *fixture_pck_ca_key(void);
/* The key of every leaf. */
EVP_PKEY *fixture_leaf_key(void);

/* The same certificate under a key of its own, or with one more extension: for tests about the leaf. */
X509 *fixture_leaf(const struct fixture *fixture, const struct fixture_options *options, const char *oid,
                   const void *value, size_t size);

#endif
