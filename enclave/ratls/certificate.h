/*
 * X.509 for RA-TLS: the CA that lives in the enclave, and the leaf that carries the quote. Formats: shared wire facts,
 * restated in docs/attestation.md.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_CERTIFICATE_H
#define ENCLAVE_OS_ENCLAVE_RATLS_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdint.h>

#include "enclave/ratls/limits.h"

#define LEAF_LIFETIME_S 86400 /* deterministic mode: NotAfter is NotBefore plus this */
/* NotBefore lies so long ago, for clients whose clocks are behind. ReportData binds NotBefore as it stands in the
 * certificate, so what a verifier recomputes does not depend on it. */
#define CERTIFICATE_BACKDATE_S 600

/* ECDSA P-256 from the enclave's generator. NULL if OpenSSL fails. */
EVP_PKEY *certificate_make_key(void);

/* What NotBefore is of a certificate that is made now: a whole minute, CERTIFICATE_BACKDATE_S ago. */
int64_t certificate_not_before(int64_t now_s);

/* A self-signed issuing CA: CA:TRUE, pathlen 0, keyCertSign and cRLSign, ten years. NULL if OpenSSL fails. */
X509 *certificate_make_ca(EVP_PKEY *key, int64_t now_s);

/* The host gives the list: is each entry a name that a certificate may carry (common/names.h)? 0; or -EINVAL, and a
 * line in error. */
int certificate_check_names(const char *list, char *error, size_t error_size);

/* REPORTDATA of the deterministic mode: SHA-512(SHA-256(SPKI DER) || "YYYY-MM-DDTHH:MMZ"). 0 or -EIO. */
int certificate_report_data(EVP_PKEY *key, int64_t not_before_s, uint8_t out[64]);

/* What the leaf of an app's own name says of it. */
struct leaf_app {
    const uint8_t *root;     /* 32 bytes: of the tree of its leaves alone */
    const uint8_t *code;     /* 32 bytes: SHA-256 of the .wasm */
    const uint8_t *settings; /* 32 bytes: their salted hash */
    const uint8_t *id;       /* 16 bytes: its identity */
};

struct leaf_content {
    int64_t not_before_s; /* whole minutes */
    const char *names;    /* certificate_check_names accepts it: the subject alternative names */
    /* NULL: it is the server's, which says what all apps share. Else an app's under names, which is one: its subject,
     * where that has 64 characters at most, and runtime_hash, workloads_hash and egress_hash are not in it. */
    const struct leaf_app *app;
    const uint8_t *quote; /* NULL: version 2 of RA-TLS, whose leaves have none, and other numbers for what they say */
    size_t quote_size;
    const uint8_t *merkle_root; /* 32 bytes */
    uint64_t generation;
    const uint8_t *instance; /* 32 bytes */
    uint64_t log_size;       /* entries of the history */
    const uint8_t *log_root; /* 32 bytes: its root at that size */
    const uint8_t *log_key;  /* 32 bytes: what verifies its checkpoints, Ed25519 */
    const uint8_t *lineage;  /* lineage_size bytes, 32 for each image before this one; NULL: there was none */
    size_t lineage_size;
    const uint8_t *runtime_hash;   /* 32 bytes */
    const uint8_t *workloads_hash; /* 32 bytes, or NULL: no app */
    const uint8_t *egress_hash;    /* 32 bytes, or NULL: no CA bundle for outgoing requests */
    const uint8_t *dice;           /* dice_size bytes of evidence (dice.h), or NULL: without */
    size_t dice_size;
};
/* All of it but what is over the rest: the evidence in dice, and the signature. NULL if OpenSSL fails. */
X509 *certificate_draft_leaf(EVP_PKEY *key, X509 *ca, const struct leaf_content *content);
X509 *certificate_make_leaf(EVP_PKEY *key, EVP_PKEY *ca_key, X509 *ca, const struct leaf_content *content);
/* Leaves made since the start: for each generation that was to be served, and for each renewal, one, and one for each
 * app's name. */
uint64_t certificate_leaves_made(void);

#endif
