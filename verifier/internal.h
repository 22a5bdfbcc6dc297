/*
 * What the verifier's files share. Functions that cross files begin with verifier__: the static library puts them into
 * the caller's name space.
 */
#ifndef ENCLAVE_VERIFIER_INTERNAL_H
#define ENCLAVE_VERIFIER_INTERNAL_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/hex.h"
#include "verifier/dice.h"
#include "verifier/note.h"
#include "verifier/verifier.h"

/* ---- limits ---------------------------------------------------------------------------------------------------- */

#define ROOTS_MAX 8
#define MRENCLAVES_MAX 64u
#define EXTENSIONS_MAX 16u
#define APPS_MAX 256u
#define ADMINISTRATORS_MAX 64u
#define LIMITS_SIZE_MAX 1024u
#define EGRESS_SIZE_MAX 8192u
#define EXTENSION_SIZE_MAX 1024u
#define NAME_SIZE_MAX 64u
#define NONCE_SIZE_MAX 255u
#define ADVISORIES_MAX 128u
#define ADVISORY_SIZE_MAX 32u
#define REASON_SIZE 512u
#define HEADS_MAX 4u
#define WITNESSES_MAX 16u
#define UPGRADE_MEASUREMENTS_MAX 16u
#define PREDECESSORS_MAX 256u
#define LOG_ENTRY_SIZE_MAX 4096u
#define PEM_SIZE_MAX (64u << 10)
#define CERTIFICATES_MAX 8 /* in one PEM */

/* ---- a report body (Intel SDM volume 3D, REPORT without KEYID and MAC) ----------------------------------------- */

#define BODY_SIZE 384u
#define BODY_MISCSELECT(b) ((b) + 16) /* u32 */
#define BODY_ATTRIBUTES(b) ((b) + 48) /* flags u64, XFRM u64 */
#define BODY_MRENCLAVE(b) ((b) + 64)
#define BODY_MRSIGNER(b) ((b) + 128)
#define BODY_PROD_ID(b) ((b) + 256)     /* u16 */
#define BODY_SVN(b) ((b) + 258)         /* u16 */
#define BODY_REPORT_DATA(b) ((b) + 320) /* 64 */
#define FLAG_INIT 0x1u
#define FLAG_DEBUG 0x2u

/* ---- extensions of the certificate (docs/attestation.md) ------------------------------------------------------ */

#define OID_MERKLE_ROOT "1.3.6.1.4.1.65230.1.1"
#define OID_V2_MERKLE_ROOT "1.3.6.1.4.1.65230.2.1" /* of a leaf without a quote */
#define OID_GENERATION "1.3.6.1.4.1.65230.4.1"     /* 8 bytes, big endian */
#define OID_INSTANCE "1.3.6.1.4.1.65230.4.2"       /* 32 bytes */
#define OID_LOG_HEAD "1.3.6.1.4.1.65230.4.3"       /* size, 8 bytes, big endian; root, 32 bytes */
#define OID_LOG_KEY "1.3.6.1.4.1.65230.4.4"        /* 32 bytes: Ed25519 */
#define OID_LINEAGE "1.3.6.1.4.1.65230.4.5"        /* 32 bytes for each */

/* ---- the checks ----
 * name; whether a result stands or falls with it; what it holds for. docs/verify.md carries the same words (a test
 * compares them). */

enum weight {
    OPTIONAL,       /* may be "not checked" */
    ALWAYS,         /* must pass for every quote */
    OF_CERTIFICATE, /* must pass where a certificate is verified */
    OF_COLLATERAL   /* must pass once collateral is given */
};

// clang-format off
#define CHECKS(X) \
    X(CERTIFICATE, OF_CERTIFICATE, "certificate", "the peer's certificate is well-formed X.509 with a P-256 key") \
    X(CERTIFICATE_TIME, OF_CERTIFICATE, "certificate time", "now is between its NotBefore and NotAfter") \
    X(LIFETIME, OPTIONAL, "certificate lifetime", "from NotBefore to NotAfter is no longer than the caller's maximum") \
    X(ISSUER, OPTIONAL, "certificate issuer", "it is signed by the CA that the caller pinned") \
    X(QUOTE, ALWAYS, "quote", "there is exactly one quote, a well-formed DCAP ECDSA quote of version 3") \
    X(ROOT, ALWAYS, "root", "the PCK chain ends in a root that the caller accepts") \
    X(PCK_CHAIN, ALWAYS, "pck chain", "PCK, PCK CA and root are each signed by the next, which is allowed to") \
    X(PCK_CHAIN_TIME, ALWAYS, "pck chain time", "now is in the validity of all three") \
    X(PCK_CERTIFICATE, ALWAYS, "pck certificate", "the PCK certificate names its platform in Intel's SGX extension") \
    X(QE_REPORT, ALWAYS, "quoting enclave's report", "the quoting enclave's report is signed by the PCK key") \
    X(ATTESTATION_KEY, ALWAYS, "attestation key", "that report binds the attestation key") \
    X(QE_MODE, ALWAYS, "quoting enclave's mode", "the quoting enclave is not a debug enclave") \
    X(QE_IDENTITY, OF_COLLATERAL, "quoting enclave's identity", "it is the vendor's: signer, product, attributes") \
    X(SIGNATURE, ALWAYS, "quote signature", "header and report are signed by the attestation key") \
    X(COLLATERAL, OPTIONAL, "collateral", "every document is there") \
    X(TCB_INFO, OF_COLLATERAL, "tcb info", "the TCB info is well-formed and signed under the root") \
    X(TCB_INFO_TIME, OF_COLLATERAL, "tcb info time", "it, and its signer's certificate, are valid now") \
    X(QE_DOCUMENT, OF_COLLATERAL, "qe identity", "the QE identity is well-formed and signed under the root") \
    X(QE_DOCUMENT_TIME, OF_COLLATERAL, "qe identity time", "it, and its signer's certificate, are valid now") \
    X(ROOT_CRL, OF_COLLATERAL, "root crl", "the root's revocation list is well-formed and signed by the root") \
    X(ROOT_CRL_TIME, OF_COLLATERAL, "root crl time", "it is valid now") \
    X(PCK_CRL, OF_COLLATERAL, "pck crl", "the PCK CA's revocation list is well-formed and signed by it") \
    X(PCK_CRL_TIME, OF_COLLATERAL, "pck crl time", "it is valid now") \
    X(PCK_REVOCATION, OF_COLLATERAL, "pck revocation", "none of PCK certificate, PCK CA and root is revoked") \
    X(SIGNER_REVOCATION, OF_COLLATERAL, "signer revocation", "neither signer of TCB info and QE identity is revoked") \
    X(PLATFORM, OF_COLLATERAL, "platform", "the TCB info is about this platform (FMSPC and PCE id)") \
    X(TCB_STATUS, OF_COLLATERAL, "tcb status", "the status of platform and quoting enclave is accepted by the caller") \
    X(FRESHNESS, OPTIONAL, "collateral freshness", "both documents' tcbEvaluationDataNumber is at least the caller's") \
    X(REPORT_DATA, OF_CERTIFICATE, "report data", "ReportData binds the certificate's key, in the caller's mode") \
    X(DICE, OPTIONAL, "dice evidence", "its own quote, of the same enclave, binds key, times and extensions") \
    X(FRESH, OPTIONAL, "fresh evidence", "the same enclave made a quote for this connection when it was asked to") \
    X(DEBUG, ALWAYS, "debug", "the enclave is initialised, and not for debugging unless the caller allows it") \
    X(MRENCLAVE, OPTIONAL, "mrenclave", "MRENCLAVE is one of those that the caller pinned") \
    X(MRSIGNER, OPTIONAL, "mrsigner", "MRSIGNER is the one that the caller pinned") \
    X(PROD_ID, OPTIONAL, "product id", "ISVPRODID is the one that the caller pinned") \
    X(SVN, OPTIONAL, "security version", "ISVSVN is not less than the caller's minimum") \
    X(CONFIGURATION, OPTIONAL, "configuration root", "the certificate carries the configuration's Merkle root, bound") \
    X(MANIFEST, OPTIONAL, "manifest", "its leaves make the configuration root, and it says nothing else of itself") \
    X(INSTANCE, OPTIONAL, "instance", "it is the instance that the caller pinned") \
    X(GENERATION, OPTIONAL, "generation", "its number is not less than the caller's minimum") \
    X(LOG_KEY, OPTIONAL, "log key", "the key of its log is the one that the caller knows") \
    X(LOG_HEAD, OPTIONAL, "log head", "the certificate carries size and root of the log, bound") \
    X(LOG_CHECKPOINT, OPTIONAL, "log checkpoint", "that key has signed the log's head; the certificate's leads to it") \
    X(LOG_HISTORY, OPTIONAL, "log history", "what the caller has seen of the log stands in it, unchanged") \
    X(LOG_WITNESSES, OPTIONAL, "log witnesses", "enough of the caller's witnesses have cosigned it, and lately") \
    X(ADMINISTRATORS, OPTIONAL, "administrators", "their keys, roles and threshold are those that the caller pinned") \
    X(UPGRADE_RULE, OPTIONAL, "upgrade rule", "which enclave may have the instance next is as the caller pinned") \
    X(LINEAGE, OPTIONAL, "lineage", "each image that has had the instance before is one that the caller expects") \
    X(HAND_OVER, OPTIONAL, "hand-over", "the history says by what this image has the instance, and names it") \
    X(LIMITS, OPTIONAL, "limits", "they are those that the caller expects") \
    X(EGRESS_CA, OPTIONAL, "egress ca", "outgoing requests trust the bundle that the caller expects, or none") \
    X(ONLY_APPS, OPTIONAL, "only apps", "no app runs there but those that the caller names") \
    X(EXTENSION, OPTIONAL, "extension", "an extension has the value that the caller expects, and is bound") \
    X(APP, OPTIONAL, "app", "an app of the expected hash is a leaf under the configuration root") \
    X(APP_PUBLISHER, OPTIONAL, "app publisher", "only the expected publisher may change it; its version will do") \
    X(APP_IDENTITY, OPTIONAL, "app identity", "it is the very app, with its data, that the caller pinned") \
    X(APP_SETTINGS, OPTIONAL, "app settings", "they have the hash that the caller expects, or there are none") \
    X(APP_EGRESS, OPTIONAL, "app egress", "it may connect where the caller expects, and nowhere else")
// clang-format on

enum check_id {
#define X(id, weight, name, meaning) CHECK_##id,
    CHECKS(X)
#undef X
        CHECK_COUNT
};

/* ---- the objects ----------------------------------------------------------------------------------------------- */

struct expected_extension {
    ASN1_OBJECT *oid;
    char text[64];
    uint8_t value[EXTENSION_SIZE_MAX];
    size_t size;
};

/* What is expected of one app; each member counts only if its flag is set. */
struct expected_app {
    char name[NAME_SIZE_MAX + 1];
    bool listed; /* in the policy file that is being read */
    bool has_sha256, has_proof, has_publisher, has_id, has_settings, has_egress;
    uint8_t sha256[32];
    uint64_t leaf_index, tree_size; /* of the proof */
    uint8_t path[64][32];
    size_t path_count;
    uint8_t publisher[32], id[16];
    uint64_t min_version;
    bool no_settings; /* has_settings: there must be none */
    uint8_t settings[32];
    char *egress; /* "host:port" each, sorted, joined by commas */
};

/* A head of the log that the caller has seen. */
struct remembered {
    uint64_t size;
    uint8_t root[32];
    bool of_file; /* what verifier_log_remembered read last: there is one such at most */
};

/* Which enclave may have the instance next. */
struct upgrade_rule {
    unsigned kind; /* 0 none, 1 measurements, 2 signer */
    bool publishers;
    size_t count; /* of measurements, sorted */
    uint8_t measurements[UPGRADE_MEASUREMENTS_MAX][32];
    uint8_t mrsigner[32];
    uint64_t product, svn;
};

struct verifier_policy {
    bool allow_simulation, allow_debug, require_collateral, require_fresh, live;
    STACK_OF(X509) * roots; /* NULL: Intel's */
    X509 *issuer;
    uint8_t (*mrenclaves)[32];
    size_t mrenclave_count;
    bool has_mrsigner, has_prod_id, has_min_svn;
    uint8_t mrsigner[32];
    uint16_t prod_id, min_svn;
    uint32_t accepted_tcb; /* bit 1 << enum verifier_tcb_status */
    int64_t time_s;
    enum verifier_mode mode;
    uint8_t nonce[NONCE_SIZE_MAX], binder[32];
    size_t nonce_size;
    struct expected_extension *extensions[EXTENSIONS_MAX];
    size_t extension_count;
    struct expected_app *apps[APPS_MAX];
    size_t app_count;
    int64_t max_lifetime_s;         /* 0: any */
    uint32_t min_evaluation_number; /* 0: any */
    uint64_t min_generation;        /* 0: any */
    bool any_instance, only_apps, has_instance, has_administrators, has_limits, has_egress_ca, no_egress_ca;
    uint8_t instance[32], egress_ca[32];
    char limits[LIMITS_SIZE_MAX + 1];
    struct verifier_administrator administrators[ADMINISTRATORS_MAX]; /* sorted by key */
    size_t administrator_count;
    unsigned threshold;
    bool has_upgrade_rule;
    struct upgrade_rule upgrade_rule;
    uint8_t (*predecessors)[32];
    size_t predecessor_count;
    bool has_log;
    struct note_key log_key; /* its name is the log's origin */
    struct remembered heads[HEADS_MAX];
    size_t head_count;
    struct note_key witnesses[WITNESSES_MAX];
    size_t witness_count;
    unsigned quorum;           /* 0: all */
    int64_t cosigned_within_s; /* 0: at any time */
};

/* upgrades.c: of a certificate, the measurements before it, which live as long; their size in bytes; NULL: it has none.
 * False: malformed. */
bool verifier__lineage_of(X509 *leaf, const uint8_t **list, size_t *size);
/* expectations.c: verifier_policy_expect_log, of_file or not. */
int verifier__expect_head(struct verifier_policy *policy, const char *key, const struct remembered *head);
struct json;
/* hand_over.c: whether an entry of the log is one by which an image came to have the instance. Any bytes. */
bool verifier__is_hand_over(const char *data, size_t size);
/* upgrades.c: a rule as the leaf has it; false: it is none. And verifier_policy_expect_upgrade_rule. */
bool verifier__read_upgrade_rule(const struct json *j, uint32_t object, struct upgrade_rule *rule);
int verifier__expect_upgrade_rule(struct verifier_policy *policy, const struct upgrade_rule *rule);
/* expectations.c: the app's entry, made if there is none. NULL: the name is malformed, or with room for no more;
 * *error says which. */
struct expected_app *verifier__expect(struct verifier_policy *policy, const char *name, int *error);
/* "host[:port],..." in the form that leaves have: lower case, with ports, sorted, each once; malloc'ed. NULL: one of
 * them is empty or has other than a name's characters, or out of memory. */
char *verifier__normal_egress(const char *list);

struct document {
    uint8_t *data;
    size_t size;
};

struct verifier_collateral {
    struct document documents[VERIFIER_DOCUMENTS];
};

struct record {
    enum check_id id;
    enum verifier_outcome outcome;
    bool demanded; /* the policy says what must hold: "not checked" is as bad as "failed" */
    char reason[REASON_SIZE];
};

/* One record for each check, in order; "extension" and those of apps have one for each that is expected, at least
 * one. */
struct verifier_result {
    bool of_certificate, has_collateral;
    bool extension_names_instance;     /* an extension that passed is the configuration's root, or the instance */
    bool administrators_name_instance; /* they are those that are expected, and somebody */
    struct verifier_claims claims;
    char advisories[ADVISORIES_MAX][ADVISORY_SIZE_MAX];
    const char *advisory_list[ADVISORIES_MAX];
    char hand_over[LOG_ENTRY_SIZE_MAX + 1];
    size_t count;
    struct record records[];
};

/* A result in which nothing has been checked yet. NULL: out of memory. */
struct verifier_result *verifier__result_create(const struct verifier_policy *policy);

/* What a PCK certificate says about its platform (Intel's SGX extension). */
struct platform {
    uint8_t fmspc[6], pce_id[2], tcb_components[16];
    uint16_t pce_svn;
};

/* ---- one verification ------------------------------------------------------------------------------------------ */

struct verification {
    const struct verifier_policy *policy;
    const struct verifier_collateral *collateral; /* NULL: none */
    struct verifier_result *result;
    int64_t now_s;
    bool live;
    X509 *leaf;                /* NULL: a quote alone */
    bool is_v2;                /* it has no quote: what its server made behind the handshake is judged */
    const char *manifest_text; /* NULL: none was given */
    size_t manifest_size;
    const struct verifier_log_view *log; /* NULL: none was given */
    const struct verifier_fresh *fresh;  /* NULL: none was given */
    const struct manifest *manifest;     /* set once it is proven to be the certificate's configuration */
    bool has_dice, dice_is_quote;        /* the certificate has DICE evidence, and no other quote */
    struct dice_evidence dice;           /* and the next two: if nothing is wrong with it */
    uint8_t dice_report_data[64];
    bool dice_binds_time, dice_binds_all;
    const char *dice_wrong; /* static */
    bool dice_bound;        /* it holds, and so the extensions count */
    const uint8_t *expected_report_data;
    const uint8_t *predecessor; /* of a quote alone: MRENCLAVE of who has the instance now; NULL: nobody is known */
    struct verifier_quote quote;
    STACK_OF(X509) * chain;    /* of the quote: PCK, PCK CA, root */
    X509 *pck, *pck_ca, *root; /* set once the chain was read; borrowed from it */
    bool chain_holds;          /* signed up to a root that is accepted: the certificates' contents count */
    struct platform platform;
    bool has_platform;
};

struct manifest;

/* judged_quote.c: a verification of which nothing is done yet; all that a quote is judged by (NULL: there is none, or
 * more than one); and a quote alone that must carry report_data, by what v is judged by. NULL: out of memory. */
struct verification verifier__begin(const struct verifier_policy *policy, const struct verifier_collateral *collateral);
void verifier__check_quote(struct verification *v, const void *quote, size_t size);
struct verifier_result *verifier__judge_quote(const struct verification *v, const void *quote, size_t size,
                                              const uint8_t report_data[64]);
/* Whether a quote that must carry report_data is as good as the certificate's, and of the same enclave; false: why says
 * what is not, which is unbound where it carries something else. */
bool verifier__is_as_good(const struct verification *v, const void *quote, size_t size, const uint8_t report_data[64],
                          const char *unbound, char why[REASON_SIZE]);
/* verify.c: what the public function does, live or not whatever the policy says. */
struct verifier_result *verifier__verify_certificate(const struct verifier_policy *policy,
                                                     const struct verifier_collateral *collateral, X509 *certificate,
                                                     bool live);

void verifier__pass(struct verification *v, enum check_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void verifier__fail(struct verification *v, enum check_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void verifier__skip(struct verification *v, enum check_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for the index'th record of a check that stands more than once. */
void verifier__set(struct verification *v, enum check_id id, size_t index, enum verifier_outcome outcome,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));
bool verifier__passed(const struct verification *v, enum check_id id);
bool verifier__has_passed(const struct verifier_result *result, enum check_id id); /* the first record of it */

/* The parts, in the order in which they run; each records its checks. */
void verifier__check_certificate(struct verification *v);     /* certificate.c */
void verifier__check_chain(struct verification *v);           /* chain.c */
void verifier__check_quoting_enclave(struct verification *v); /* quoting.c */
void verifier__check_collateral(struct verification *v);      /* appraisal.c */
void verifier__check_binding(struct verification *v);         /* binding.c */
void verifier__read_dice(struct verification *v);             /* dice.c: of a certificate; checks nothing */
void verifier__check_dice(struct verification *v);            /* dice.c */
void verifier__check_fresh(struct verification *v);           /* fresh.c */
/* fresh.c: of a certificate without a quote, all that a quote is judged by. */
void verifier__check_only_fresh(struct verification *v);
void verifier__check_enclave(struct verification *v);       /* enclave.c */
void verifier__check_configuration(struct verification *v); /* configuration.c */
/* contents.c, history.c, upgrades.c and apps.c: of the configuration, what the manifest lists, and of the log. */
void verifier__check_contents(struct verification *v);
void verifier__check_history(struct verification *v);
void verifier__check_upgrades(struct verification *v);
void verifier__check_hand_over(struct verification *v); /* hand_over.c */
void verifier__check_apps(struct verification *v);

/* A value that both the certificate and the manifest have: from either, as far as it is bound (certificate.c). */
struct twice {
    bool known, differs;
    uint8_t value[32];
};
struct twice verifier__look_twice(const struct verification *v, const char *oid, const char *label, size_t size);
uint64_t verifier__big_endian(const uint8_t bytes[8]);

/* Whether the certificate's extensions are the enclave's word (certificate.c). */
bool verifier__bound(const struct verification *v);
/* The certificate's extension of that OID, if it stands there exactly once and has this size (certificate.c). */
bool verifier__read_extension(const struct verification *v, const char *oid, uint8_t *out, size_t size);

/* ---- pieces ---------------------------------------------------------------------------------------------------- */

/* crypto.c */
bool verifier__sha256(const void *data, size_t size, uint8_t out[32]);
EVP_PKEY *verifier__p256_key(const uint8_t xy[64]); /* NULL: not a point of the curve */
bool verifier__is_p256(const EVP_PKEY *key);
/* An ECDSA P-256 signature r || s over SHA-256 of data; key may be NULL. */
bool verifier__signature_holds(EVP_PKEY *key, const uint8_t rs[64], const void *data, size_t size);

/* quote.c */
bool verifier__binds_attestation_key(const struct verifier_quote *q);
bool verifier__quote_signed(const struct verifier_quote *q); /* by the attestation key */

/* x509.c */
/* The certificates in a PEM text, at most limit of them; NULL: none, more, or not all well-formed. No password is ever
 * asked for. To be freed with verifier__free_certificates. */
STACK_OF(X509) * verifier__read_certificates(const void *pem, size_t size, int limit);
/* The same of a bundle that somebody chose to trust: NULL also if anything but certificates and comments is in it. */
STACK_OF(X509) * verifier__read_bundle(const void *pem, size_t size, int limit);
void verifier__free_certificates(STACK_OF(X509) * list);
/* The raw value of the extension oid; *count says how many there are. NULL unless exactly one. */
const ASN1_OCTET_STRING *verifier__extension(X509 *x, const ASN1_OBJECT *oid, int *count);
/* Whether x is validly signed by ca, and ca may sign certificates. NULL, or what is wrong (static). */
const char *verifier__signed_by(X509 *x, X509 *ca);
/* NULL if now is in the certificate's validity; otherwise words with the date, for "WHAT " + text. */
const char *verifier__time_problem(int64_t from_s, int64_t until_s, int64_t now_s, char *text, size_t size);
/* Seconds since 1970, or INT64_MIN if the time is malformed. */
int64_t verifier__asn1_time(const ASN1_TIME *t);

/* time.c */
/* "YYYY-MM-DDTHH:MM:SSZ"; false for any other form. */
bool verifier__parse_time(const char *text, size_t size, int64_t *unix_s);
void verifier__format_time(int64_t unix_s, char out[24]);

/* chain.c */
bool verifier__has_intel_key(X509 *root);

/* platform.c: NULL, or what is wrong with the PCK certificate's SGX extension (static). */
const char *verifier__read_platform(X509 *pck, struct platform *platform);

/* text.c */
/* The length of the UTF-8 character at s, up to left bytes; 0: none (RFC 3629: no overlong form, no surrogate). */
uint32_t verifier__utf8_size(const uint8_t *s, uint32_t left);

/* merkle.c */
void verifier__merkle_leaf(const void *leaf, size_t size, uint8_t out[32]);
void verifier__merkle_node(const uint8_t left[32], const uint8_t right[32], uint8_t out[32]);
/* The root over count leaves' hashes, which are overwritten; count is at least 1. */
void verifier__merkle_root(uint8_t (*hashes)[32], size_t count, uint8_t out[32]);

/* hex_text for use in an expression: 2 * size + 1 bytes go to out, which is returned. */
static inline char *verifier__hex(const void *data, size_t size, char *out)
{
    hex_text(data, size, out);
    return out;
}

#endif
