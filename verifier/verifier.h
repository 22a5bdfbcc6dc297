/*
 * libenclave-verifier: is the peer the enclave that I expect? For clients of SGX enclaves that prove themselves by a
 * DCAP quote in an X.509 certificate (RA-TLS), and for enclaves that check each other. Needs OpenSSL's libcrypto, no
 * enclave.
 *
 *   policy      what the caller expects                       verifier_policy_*
 *   collateral  the platform vendor's signed statements       verifier_collateral_*, and verifier_fetch.h
 *   verify      certificate or quote -> result                verifier_verify_*
 *   result      a list of named checks, each with outcome and reason, and what the quote claims
 *
 * Nothing is accepted for want of a check: a result is good only if no check failed and all that carry the conclusion
 * passed. Checks for which the caller gave no input (no pinned MRENCLAVE, no collateral) are in the list as not
 * checked. A measurement names a program, which anybody can run: a good result whose policy does not say whose enclave
 * it is to be is "genuine", and only one that does is "verified" (enum verifier_verdict). Whoever sends anything that
 * matters wants the second.
 *
 * Everything read from the network is hostile here: it is bounded, parsed in place and never trusted before its
 * signature. Objects belong to one thread at a time, except that a policy and a collateral which nobody changes may be
 * used by many verifications at once. Functions that return int give 0 or a negative errno: -EINVAL for a malformed
 * argument, -ENOMEM, -E2BIG where a list is full; after an error the object is as before. Passing NULL to a destroy
 * function is allowed; elsewhere a pointer may be NULL only where its comment says so.
 *
 * This header and its .c files open no file and no socket, and ask for the time only if the policy sets none, so that
 * they can run inside an enclave.
 */
#ifndef ENCLAVE_VERIFIER_VERIFIER_H
#define ENCLAVE_VERIFIER_VERIFIER_H

#include <errno.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VERIFIER_API __attribute__((visibility("default")))

/* Whether what came of asking a server (0, or a negative errno) is that there was no answer, or not a whole one. Then
 * nothing is known of the server: it is no reason to refuse it, nor evidence of anything. Ask again. */
static inline bool verifier_no_answer(int result)
{
    return result < 0 && result != -ENOENT && result != -EBADMSG && result != -EPROTO && result != -EINVAL;
}

/* ---- what may be expected: the policy -------------------------------------------------------------------------- */

struct verifier_policy;

/* A policy that expects a hardware enclave without DEBUG under Intel's root (whose key is built in), of any
 * measurement, with TCB status UpToDate if collateral is given. NULL when out of memory. */
VERIFIER_API struct verifier_policy *verifier_policy_create(void);
VERIFIER_API void verifier_policy_destroy(struct verifier_policy *policy);

/* Accept quotes whose root's name contains VERIFIER_SIMULATION_WORD; such an enclave may have DEBUG set. They prove
 * nothing about hardware. Without roots of the caller's, the root is then the one that the quote brings. */
VERIFIER_API void verifier_policy_allow_simulation(struct verifier_policy *policy, bool allow);
#define VERIFIER_SIMULATION_WORD "SIMULATION"

/* Accept a debug enclave: whoever runs it can read it. */
VERIFIER_API void verifier_policy_allow_debug(struct verifier_policy *policy, bool allow);

/* The roots that a PCK chain may end in, instead of Intel's: 1 to 8 certificates in PEM, copied. The one in the quote
 * must have the same key and name as one of them. -EINVAL: not so, or something else is in it, such as a private
 * key. */
VERIFIER_API int verifier_policy_set_roots(struct verifier_policy *policy, const char *pem, size_t size);

/* One more MRENCLAVE that is accepted, up to 64 of them; without any, every one is. */
VERIFIER_API int verifier_policy_add_mrenclave(struct verifier_policy *policy, const uint8_t mrenclave[32]);
/* The signer of the enclave: SHA-256 of the RSA modulus in its SIGSTRUCT. An MRSIGNER alone accepts every product and
 * every old version that this signer ever signed: set the product and the least version, too. */
VERIFIER_API void verifier_policy_set_mrsigner(struct verifier_policy *policy, const uint8_t mrsigner[32]);
VERIFIER_API void verifier_policy_set_prod_id(struct verifier_policy *policy, uint16_t isv_prod_id);
VERIFIER_API void verifier_policy_set_min_svn(struct verifier_policy *policy, uint16_t isv_svn);

/* The platform's state, as in Intel's TCB info (PCS API version 4). */
enum verifier_tcb_status {
    VERIFIER_TCB_UNKNOWN, /* no collateral, or it does not know this platform */
    VERIFIER_TCB_UP_TO_DATE,
    VERIFIER_TCB_SW_HARDENING_NEEDED,
    VERIFIER_TCB_CONFIGURATION_NEEDED,
    VERIFIER_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    VERIFIER_TCB_OUT_OF_DATE,
    VERIFIER_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    VERIFIER_TCB_REVOKED,
};
/* Its name in TCB info ("UpToDate" ...); "Unknown" for UNKNOWN. Static. */
VERIFIER_API const char *verifier_tcb_status_name(enum verifier_tcb_status status);
/* The status of that name; UNKNOWN if there is none. */
VERIFIER_API enum verifier_tcb_status verifier_tcb_status_from_name(const char *name);
/* Accept one more status beside UpToDate. -EINVAL for UNKNOWN and REVOKED, which are never accepted. */
VERIFIER_API int verifier_policy_accept_tcb(struct verifier_policy *policy, enum verifier_tcb_status status);
/* Fail if no collateral is given; without this, TCB and revocation are then "not checked". */
VERIFIER_API void verifier_policy_require_collateral(struct verifier_policy *policy, bool require);
/* Fail unless the server proved itself once more behind the handshake (struct verifier_fresh); without this, that is
 * then "not checked". */
VERIFIER_API void verifier_policy_require_fresh(struct verifier_policy *policy, bool require);

/* The time of the verification, in seconds since 1970 (UTC); 0, as at first: the clock's, read at each verification. */
VERIFIER_API void verifier_policy_set_time(struct verifier_policy *policy, int64_t unix_s);

/* What ReportData must bind beside the certificate's key, SHA-512(SHA-256(SubjectPublicKeyInfo) || binding):
 *   deterministic  the minute of NotBefore: whoever has the certificate can check it. The default.
 *   challenge      nonce || channel binder: this quote was made for this very connection
 *   mutual         the same in a client's certificate, with the server's nonce of 32 bytes
 * The binder is verifier_channel_binder's, both copied; nonce_size is 1 to 255. */
enum verifier_mode { VERIFIER_DETERMINISTIC, VERIFIER_CHALLENGE, VERIFIER_MUTUAL };
VERIFIER_API int verifier_policy_set_binding(struct verifier_policy *policy, enum verifier_mode mode,
                                             const uint8_t *nonce, size_t nonce_size, const uint8_t binder[32]);

/* The certificate comes out of a TLS 1.3 handshake, not resumed, that proves the certificate's key. Only then, or with
 * an issuer (below), or where DICE evidence binds them, do the certificate's extensions count: they are not part of the
 * quote. */
VERIFIER_API void verifier_policy_set_live(struct verifier_policy *policy, bool live);
/* The certificate must be signed by this one, in PEM, copied: the enclave's own CA, learnt on an earlier, verified
 * connection or from its operator. -EINVAL: it is not exactly one certificate, and comments. */
VERIFIER_API int verifier_policy_set_issuer(struct verifier_policy *policy, const char *pem, size_t size);

/* The certificate must have the extension oid ("1.3.6.1.4.1.65230.2.4") exactly once, with this very value. Up to 16,
 * value of up to 1024 bytes, copied. */
VERIFIER_API int verifier_policy_expect_extension(struct verifier_policy *policy, const char *oid, const void *value,
                                                  size_t size);

/* The longest time from NotBefore to NotAfter that a certificate may have, in seconds; 0: any. At first it is that of
 * the certificates with a deterministic binding; others are made for one connection, and have no such bound. */
VERIFIER_API void verifier_policy_set_max_lifetime(struct verifier_policy *policy, int64_t seconds);
#define VERIFIER_LIFETIME_DEFAULT_S 86400
/* The least tcbEvaluationDataNumber of TCB info and QE identity; 0, as at first: any. Needs collateral. */
VERIFIER_API void verifier_policy_set_min_evaluation_number(struct verifier_policy *policy, uint32_t number);

/* ---- whose enclave, and what it runs ----
 * These are judged by the server's manifest: the list of its configuration's leaves, whose root the certificate
 * carries (GET /_enclave/manifest; struct verifier_evidence). What is said twice in different words is -EEXIST. */

/* Its 32 random bytes of first boot. */
VERIFIER_API int verifier_policy_expect_instance(struct verifier_policy *policy, const uint8_t instance[32]);
/* Who may change it: exactly these keys, in these roles, and how many of them a change of administrators takes (0:
 * nobody may administer). At most 64. */
enum verifier_role { VERIFIER_ADMIN, VERIFIER_DEPLOY, VERIFIER_MONITOR };
struct verifier_administrator {
    enum verifier_role role;
    uint8_t key[32]; /* SHA-256 of its SubjectPublicKeyInfo */
};
VERIFIER_API int verifier_policy_expect_administrators(struct verifier_policy *policy, unsigned threshold,
                                                       const struct verifier_administrator *list, size_t count);
/* Which enclave may have the instance next: this rule, as the leaf has it (docs/attestation.md), whatever the order of
 * its members. */
VERIFIER_API int verifier_policy_expect_upgrade_rule(struct verifier_policy *policy, const char *text, size_t size);
/* An image that may have had the instance before, beside the measurements that are accepted now; up to 256. Where a
 * measurement or predecessor is named, and the certificate shows one that is neither, the instance is refused. */
VERIFIER_API int verifier_policy_add_predecessor(struct verifier_policy *policy, const uint8_t mrenclave[32]);
/* The number of the configuration, which only rises; 0, as at first: any. */
VERIFIER_API void verifier_policy_set_min_generation(struct verifier_policy *policy, uint64_t generation);
/* The limits, as the leaf has them; at most 1024 characters. */
VERIFIER_API int verifier_policy_expect_limits(struct verifier_policy *policy, const char *text);
/* SHA-256 of the bundle of CAs that apps' outgoing requests trust; NULL: there must be none. */
VERIFIER_API int verifier_policy_expect_egress_ca(struct verifier_policy *policy, const uint8_t *sha256);
/* Apps, by name (1 to 64 characters), up to 256 of them: the .wasm's SHA-256; or whose signature new code must carry,
 * and since which version; which app of that name it is, since its data is bound to that (16 bytes); the hash of its
 * settings (NULL: it must have none); where it may connect, "host[:port],..." (443 without; "": nowhere). */
VERIFIER_API int verifier_policy_expect_code(struct verifier_policy *policy, const char *name,
                                             const uint8_t sha256[32]);
VERIFIER_API int verifier_policy_expect_publisher(struct verifier_policy *policy, const char *name,
                                                  const uint8_t key[32], uint64_t min_version);
VERIFIER_API int verifier_policy_expect_app_id(struct verifier_policy *policy, const char *name, const uint8_t id[16]);
VERIFIER_API int verifier_policy_expect_settings(struct verifier_policy *policy, const char *name,
                                                 const uint8_t *sha256);
VERIFIER_API int verifier_policy_expect_egress(struct verifier_policy *policy, const char *name, const char *hosts);
/* No app may run there but those that were named. */
VERIFIER_API void verifier_policy_only_apps(struct verifier_policy *policy, bool only);

/* ---- its history ----
 * An instance writes down each of its boots and changes in a log, an RFC 9162 tree whose head a key of the enclave's
 * signs (docs/history.md). Who remembers a head sees when the history was rewritten. Judged by what the server's log
 * shows: struct verifier_log_view, which verifier_log.h fetches. */

/* The log's key, as signed notes write it: "enclave-os/INSTANCE+ID+KEY", which says whose instance it is, too; and
 * unless root is NULL, a head that was seen: the first size entries made this root. Up to 4 heads. -EINVAL: the text is
 * no such key, or size is none; -EEXIST: of another log or instance than before. */
VERIFIER_API int verifier_policy_expect_log(struct verifier_policy *policy, const char *key, uint64_t size,
                                            const uint8_t *root);
/* One of the witnesses whose cosignature the log's head should carry, "NAME+ID+KEY" of type 4; up to 16. -EINVAL: no
 * such key; -EEXIST: it, or another name of the same key, is one already. */
VERIFIER_API int verifier_policy_add_witness(struct verifier_policy *policy, const char *key);
/* How many of them must have cosigned it (0, as at first: all), and how many seconds ago at most (0, as at first: at
 * any time). */
VERIFIER_API void verifier_policy_set_witness_quorum(struct verifier_policy *policy, unsigned quorum,
                                                     int64_t max_age_s);
/* Whether it expects something that only the log shows. */
VERIFIER_API bool verifier_policy_needs_log(const struct verifier_policy *policy);

/* The caller knows that nothing says whose enclave this is to be, and goes on: for who sends (verifier_openssl.h). The
 * verdict stays "genuine". */
VERIFIER_API void verifier_policy_accept_any_instance(struct verifier_policy *policy, bool accept);
/* Whether the policy says whose enclave it is to be, so that a result can be "verified"; or any will do. Those who send
 * anything ask this before they connect. */
VERIFIER_API bool verifier_policy_names_instance(const struct verifier_policy *policy);
/* Whether it says at least which enclave it may be: a measurement, signer, issuer, instance, an extension's value. */
VERIFIER_API bool verifier_policy_names_enclave(const struct verifier_policy *policy);
/* Whether it says which program may answer: a measurement, a signer, or an issuer, which lives in one. All else that is
 * expected any program can put into a certificate: for who believes the certificate's issuer from then on. */
VERIFIER_API bool verifier_policy_names_program(const struct verifier_policy *policy);
/* Whether it expects something that only the manifest tells. */
VERIFIER_API bool verifier_policy_needs_manifest(const struct verifier_policy *policy);

/* The same, and all the above, from a policy file's text (docs/policy.md, docs/policy.schema.json), added to what the
 * policy expects already. -EINVAL, with one line in error: it is malformed, has a member that is not known, or
 * contradicts the policy, which is then of no use any more. */
VERIFIER_API int verifier_policy_read(struct verifier_policy *policy, const char *text, size_t size, char *error,
                                      size_t error_size);

/* Where a leaf is in a Merkle tree (RFC 9162, section 2.1.3): index and size count leaves. */
struct verifier_inclusion {
    uint64_t leaf_index;
    uint64_t tree_size;
    const uint8_t (*path)[32]; /* from the leaf upwards */
    size_t path_count;         /* at most 64 */
};
/* The app of that name (1 to 64 characters) must run from the .wasm of that SHA-256: the leaf "app:NAME" NUL sha256
 * must be in the configuration's tree, by this proof (copied; a server answers GET /_enclave/proof/NAME with it): for
 * who does not want the whole manifest. */
VERIFIER_API int verifier_policy_expect_app(struct verifier_policy *policy, const char *name, const uint8_t sha256[32],
                                            const struct verifier_inclusion *proof);

/* ---- what the platform's vendor says: collateral --------------------------------------------------------------- */

struct verifier_collateral;

/* The documents, as Intel's PCS API version 4 serves them. At most VERIFIER_DOCUMENT_SIZE_MAX bytes each. */
enum verifier_document {
    VERIFIER_TCB_INFO,          /* JSON {"tcbInfo":...,"signature":...} */
    VERIFIER_TCB_INFO_CHAIN,    /* PEM: signer, root */
    VERIFIER_QE_IDENTITY,       /* JSON {"enclaveIdentity":...,"signature":...} */
    VERIFIER_QE_IDENTITY_CHAIN, /* PEM: signer, root */
    VERIFIER_ROOT_CRL,          /* DER, or hex of DER, or PEM */
    VERIFIER_PCK_CRL,           /* the same */
    VERIFIER_DOCUMENTS
};
#define VERIFIER_DOCUMENT_SIZE_MAX (1u << 20)

/* An empty one; NULL when out of memory. */
VERIFIER_API struct verifier_collateral *verifier_collateral_create(void);
VERIFIER_API void verifier_collateral_destroy(struct verifier_collateral *collateral);
/* Set or replace a document; data is copied, nothing is checked before a verification. */
VERIFIER_API int verifier_collateral_set(struct verifier_collateral *collateral, enum verifier_document document,
                                         const void *data, size_t size);
/* The document's bytes, NUL-terminated beyond their size, until it is replaced; NULL if it was not set. */
VERIFIER_API const void *verifier_collateral_get(const struct verifier_collateral *collateral,
                                                 enum verifier_document document, size_t *size);

/* ---- verifying ------------------------------------------------------------------------------------------------- */

struct verifier_result;
struct verifier_claims;

/* Judge an RA-TLS certificate. collateral may be NULL. NULL when out of memory, which is no verdict:
 * verifier_result_ok(NULL) is false. To be destroyed by the caller; policy and collateral may go before it. */
VERIFIER_API struct verifier_result *verifier_verify_certificate(const struct verifier_policy *policy,
                                                                 const struct verifier_collateral *collateral,
                                                                 X509 *certificate);
/* The same for DER; what is not one certificate fails the check "certificate". */
VERIFIER_API struct verifier_result *verifier_verify_certificate_der(const struct verifier_policy *policy,
                                                                     const struct verifier_collateral *collateral,
                                                                     const void *der, size_t size);
/* Judge a quote alone. report_data is what it must carry; NULL: anything (then nothing binds the quote to a peer). The
 * checks of certificates are not made; an expectation about extensions or apps fails. */
VERIFIER_API struct verifier_result *verifier_verify_quote(const struct verifier_policy *policy,
                                                           const struct verifier_collateral *collateral,
                                                           const void *quote, size_t size, const uint8_t *report_data);

/* Judge a quote of who is to have the instance of an enclave that was verified by the same policy: by what the policy
 * says of programs, roots and platforms, before it has anything. What it expects of a certificate, its issuer, a
 * manifest or a log is not asked for: the instance brings that along. now: what that enclave's result claims; its
 * measurement has to be one that may have had the instance before (lineage). */
VERIFIER_API struct verifier_result *verifier_verify_successor(const struct verifier_policy *policy,
                                                               const struct verifier_collateral *collateral,
                                                               const void *quote, size_t size,
                                                               const uint8_t report_data[64],
                                                               const struct verifier_claims *now);

/* That the tree of new_size entries begins with that of old_size: RFC 9162, section 2.1.4, but with the first hash also
 * where old_size is a power of two. Both roots follow from it. */
struct verifier_consistency {
    uint64_t old_size, new_size; /* 1 to INT64_MAX */
    const uint8_t (*path)[32];
    size_t path_count; /* at most VERIFIER_CONSISTENCY_MAX */
};
#define VERIFIER_CONSISTENCY_MAX 65u

/* An entry of the log, and that it stands in the tree whose head is in the certificate. */
struct verifier_log_leaf {
    const char *data;
    size_t size;
    struct verifier_inclusion proof;
};
/* How far the entries up to the certificate's head were gone through for the last one by which an image came to have
 * the instance: of a hand-over, or of a recovery. */
enum verifier_search {
    VERIFIER_NOT_SEARCHED,
    VERIFIER_SEARCHED,       /* all that there are */
    VERIFIER_SEARCHED_NEWER, /* those that the caller had not seen, or as many as VERIFIER_SEARCH_MAX */
    VERIFIER_SEARCH_REFUSED, /* the server has not shown all of them, or false ones */
    VERIFIER_NOT_ANSWERED,   /* it has not answered: it may have lost some, or was not reached */
};
#define VERIFIER_SEARCH_MAX 65536u

/* What a server's log showed: see verifier_log.h. */
struct verifier_log_view {
    const char *checkpoint; /* its newest head, a signed note */
    size_t checkpoint_size;
    const struct verifier_consistency *proofs; /* each to the checkpoint's size */
    size_t proof_count;
    enum verifier_search search;
    const struct verifier_log_leaf *hand_over; /* what was found; NULL: nothing */
};

/* What a server answered to a challenge behind the handshake: see verifier_openssl_fresh. */
struct verifier_fresh {
    char *answer; /* JSON, malloc'ed */
    size_t answer_size;
    uint8_t context[32];  /* what it was challenged with */
    uint8_t exported[32]; /* by TLS, for that context, at the caller's end of the connection */
};

/* What a server showed. */
struct verifier_evidence {
    const void *certificate; /* DER */
    size_t certificate_size;
    const void *issuer; /* the one that it sent behind it, for verifier_policy_write; NULL: none */
    size_t issuer_size;
    const char *manifest; /* what GET /_enclave/manifest answers, over the same connection; NULL: none */
    size_t manifest_size;
    const struct verifier_log_view *log; /* NULL: none */
    const struct verifier_fresh *fresh;  /* NULL: none */
};
/* As verifier_verify_certificate_der, with the manifest, the log, and what it proved behind the handshake. */
VERIFIER_API struct verifier_result *verifier_verify(const struct verifier_policy *policy,
                                                     const struct verifier_collateral *collateral,
                                                     const struct verifier_evidence *evidence);
VERIFIER_API void verifier_result_destroy(struct verifier_result *result);

/* Whether nothing is wrong: any verdict but "refused". NULL is not. */
VERIFIER_API bool verifier_result_ok(const struct verifier_result *result);

/* What it comes to:
 *   refused   a check failed, or one that carries the conclusion was not made
 *   genuine   nothing is wrong, but nothing says whose enclave it is: everybody can run the same program
 *   verified  and it is the one that the caller pinned: its CA; or, of a pinned measurement or signer, its instance,
 *             its administrators, or an extension that holds the configuration's root or the instance */
enum verifier_verdict { VERIFIER_REFUSED, VERIFIER_GENUINE, VERIFIER_VERIFIED };
VERIFIER_API enum verifier_verdict verifier_result_verdict(const struct verifier_result *result);
/* "refused", "genuine", "verified". Static. */
VERIFIER_API const char *verifier_verdict_name(enum verifier_verdict verdict);

/* A policy file that expects what was seen, for trust at first use; malloc'ed, to be freed with verifier_free. With who
 * alone: which program, whose (measurement, CA, and the instance if it is told), and nothing that its administrators
 * may change. policy is the one that it was judged by: what it allows is allowed again, and what it expects is
 * expected as it is now, or as it stands there. NULL: refused; neither manifest nor issuer says which CA it has; or
 * (without who) the manifest did not hold; or (with who) policy says something beyond that; or out of memory. */
VERIFIER_API char *verifier_policy_write(const struct verifier_policy *policy, const struct verifier_result *result,
                                         const struct verifier_evidence *evidence, bool who);
/* The first member of a policy file that policy has, and that is not written with who alone; NULL: none. Static. */
VERIFIER_API const char *verifier_policy_beyond_who(const struct verifier_policy *policy);

enum verifier_outcome { VERIFIER_PASSED, VERIFIER_FAILED, VERIFIER_NOT_CHECKED };

struct verifier_check {
    const char *name; /* stable, for programs; see docs/verify.md. "extension" and those of apps may stand repeatedly */
    enum verifier_outcome outcome;
    const char *reason; /* in words, for people */
};
/* The checks, always all of them and in the same order. index counts from 0. */
VERIFIER_API size_t verifier_result_count(const struct verifier_result *result);
VERIFIER_API struct verifier_check verifier_result_check(const struct verifier_result *result, size_t index);

/* What was read, only as good as the checks. Always allocated by the library, new members come last. */
struct verifier_claims {
    bool has_quote; /* the members up to simulated are set */
    uint8_t mrenclave[32], mrsigner[32], report_data[64];
    uint16_t isv_prod_id, isv_svn;
    bool debug;
    bool simulated;    /* the chain's root is named as a simulation */
    bool has_platform; /* the next four are set, from the PCK certificate */
    uint8_t fmspc[6], pce_id[2];
    uint8_t tcb_components[16];
    uint16_t pce_svn;
    enum verifier_tcb_status tcb_status; /* of platform and quoting enclave together */
    int64_t tcb_date_s;                  /* when the level that was matched was set; 0: unknown */
    const char *const *advisories;       /* "INTEL-SA-00615" ... that apply to it */
    size_t advisory_count;
    int64_t collateral_until_s; /* when the first of the documents gets stale; 0: unknown */
    bool has_spki;
    uint8_t spki_sha256[32]; /* of the certificate's key: names this enclave instance */
    bool has_merkle_root;
    uint8_t merkle_root[32];                  /* of the enclave's configuration */
    bool has_validity;                        /* the next three are set */
    int64_t not_before_s, not_after_s, age_s; /* age: since NotBefore, when it was judged */
    bool has_generation, has_instance;
    uint64_t generation; /* of the configuration */
    uint8_t instance[32];
    uint32_t evaluation_number; /* the lesser tcbEvaluationDataNumber of the two documents; 0: unknown */
    bool has_log_key, has_log_head, has_checkpoint;
    uint8_t log_key[32]; /* Ed25519 */
    uint64_t log_size;   /* and log_root: the log's head when the certificate was made */
    uint8_t log_root[32];
    uint64_t checkpoint_size; /* and checkpoint_root: the head that the server showed, signed by that key */
    uint8_t checkpoint_root[32];
    unsigned cosigned;     /* by so many of the caller's witnesses */
    const char *hand_over; /* the log's entry by which this image has the instance, JSON, proven; NULL: none was seen */
    uint64_t hand_over_index;
};
/* Lives as long as the result. */
VERIFIER_API const struct verifier_claims *verifier_result_claims(const struct verifier_result *result);

/* The result as JSON by docs/verify.schema.json, to be freed with verifier_free; NULL when out of memory. */
VERIFIER_API char *verifier_result_json(const struct verifier_result *result);
VERIFIER_API void verifier_free(void *memory);

/* The names of all checks with what each one holds for, in the order of results; NULL at the end. Static. */
VERIFIER_API const char *verifier_check_name(size_t index);
VERIFIER_API const char *verifier_check_meaning(size_t index);

/* ---- pieces ---------------------------------------------------------------------------------------------------- */

/* Views into a quote's bytes (Intel DCAP ECDSA quote, version 3, certification data type 5). */
struct verifier_quote {
    const uint8_t *signed_part; /* header and report body: what the attestation key signs */
    size_t signed_size;
    const uint8_t *body;            /* 384: the enclave's REPORT body */
    const uint8_t *signature;       /* 64: r, s */
    const uint8_t *attestation_key; /* 64: x, y */
    const uint8_t *qe_body;         /* 384: the quoting enclave's */
    const uint8_t *qe_signature;    /* 64, by the PCK key */
    const uint8_t *auth_data;
    size_t auth_size;
    const uint8_t *chain; /* PEM: PCK, PCK CA, root */
    size_t chain_size;
};
/* NULL, or what is wrong with it (static). On success all views lie inside the given bytes; nothing is verified. */
VERIFIER_API const char *verifier_quote_parse(const void *bytes, size_t size, struct verifier_quote *quote);

/* For an enclave that had its REPORT quoted by the untrusted host: is this a quote over exactly this report body,
 * signed by the attestation key that the quoting enclave in it vouches for? Not whose quoting enclave that is. NULL, or
 * what is wrong (static). */
VERIFIER_API const char *verifier_quote_is_for(const void *bytes, size_t size, const uint8_t report_body[384]);

/* HKDF-Expand-Label(client_handshake_traffic_secret, "privasys-ratls-binder-v1", transcript_hash, 32), RFC 8446 section
 * 7.1, with the handshake's hash: SHA-256 for sizes of 32, SHA-384 for 48. transcript_hash is over ClientHello to
 * ServerHello. -EINVAL for other sizes. */
VERIFIER_API int verifier_channel_binder(const uint8_t *secret, const uint8_t *transcript_hash, size_t hash_size,
                                         uint8_t binder[32]);

/* SHA-256 over the DER of each extension in the order of the certificate, without DICE evidence: what the claim
 * "extensions" of that evidence says. False: out of memory. */
VERIFIER_API bool verifier_extensions_sha256(const X509 *certificate, uint8_t out[32]);

/* The two roots that the proof comes to: the old one is that of a tree with which the new one begins. False: it is
 * malformed. */
VERIFIER_API bool verifier_consistency_roots(const struct verifier_consistency *proof, uint8_t old_root[32],
                                             uint8_t new_root[32]);

/* Whether leaf is where the proof says, in the tree with this root (RFC 9162, section 2.1.3.2, SHA-256). */
VERIFIER_API bool verifier_inclusion_holds(const struct verifier_inclusion *proof, const void *leaf, size_t leaf_size,
                                           const uint8_t root[32]);

#ifdef __cplusplus
}
#endif

#endif
