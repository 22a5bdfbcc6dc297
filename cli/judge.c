/*
 * The judgement by the options: what is asked of a server for it, and what is told of it. See trust.h.
 */
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/evidence.h"
#include "cli/report.h"
#include "cli/trust.h"
#include "common/hex.h"
#include "verifier/verifier_openssl.h"

#define ATTEMPTS_MAX 5 /* of connecting, while the server's configuration changes, or it closes what seems idle */

void trust_forget(struct trust_options *t)
{
    OPENSSL_free(t->seen.certificate);
    OPENSSL_free(t->seen.issuer);
    X509_free(t->seen.leaf);
    free(t->seen.manifest);
    verifier_free(t->seen.fresh.answer);
    verifier_log_close(t->seen.log);
    history_source_close(&t->seen.source);
    memset(&t->seen, 0, sizeof t->seen);
}

/* *out stays NULL if no option asks for collateral. */
static int get_collateral(const struct trust_options *t, X509 *leaf, struct verifier_collateral **out)
{
    char error[512];
    if (!t->collateral_folder && !t->pccs_url)
        return 0;
    struct verifier_collateral *c = verifier_collateral_create();
    uint8_t *der = NULL;
    int size = i2d_X509(leaf, &der), result = c && size > 0 ? 0 : -ENOMEM;
    snprintf(error, sizeof error, "out of memory");
    if (result == 0)
        result = t->pccs_url
                     ? verifier_collateral_fetch_for(c, t->pccs_url, der, (size_t)size, &t->fetch, error, sizeof error)
                     : verifier_collateral_load(c, t->collateral_folder, error, sizeof error);
    if (result == 0 && t->save_folder)
        result = verifier_collateral_save(c, t->save_folder, error, sizeof error);
    OPENSSL_free(der);
    if (result != 0) {
        verifier_collateral_destroy(c);
        return complain("collateral: %s", error);
    }
    *out = c;
    return 0;
}

/* The manifest, over the connection that is judged. Whether there is an answer, if one is needed: where the server has
 * no manifest, the check says what of it. */
static bool get_manifest(struct trust_options *t, struct connection *c, const char *url)
{
    char error[256];
    bool reusable;
    int result = verifier_openssl_manifest(c->ssl, c->authority, &t->seen.manifest, &t->seen.manifest_size, &reusable,
                                           error, sizeof error);
    t->seen.spent = !reusable;
    t->seen.ended = result == -EIO;
    if (result != 0)
        complain("%s: no manifest: %s", url, error);
    return !verifier_no_answer(result) || !verifier_policy_needs_manifest(t->policy);
}

#define FRESH_ATTEMPTS 10 /* while others ask */

static bool has_extension(X509 *leaf, const char *text)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(text, 1);
    bool found = oid && X509_get_ext_by_OBJ(leaf, oid, -1) >= 0;
    ASN1_OBJECT_free(oid);
    return found;
}

/* Whether the certificate has a quote, of one kind or the other: else it is judged by what comes behind it. */
static bool has_quote(X509 *leaf)
{
    return has_extension(leaf, "1.2.840.113741.1.13.1.0") || has_extension(leaf, "2.23.133.5.4.9");
}

/* Its evidence for this connection, if the policy wants it, or there is no other. Whether there is an answer. */
static bool get_fresh(struct trust_options *t, struct connection *c, X509 *leaf, const char *url)
{
    char error[256];
    bool reusable;
    if (!t->fresh && has_quote(leaf))
        return true;
    static const struct timespec pause = {.tv_sec = 1}; /* as the server's retry-after says */
    int result = -EAGAIN;
    reusable = true;
    for (int attempt = 0; result == -EAGAIN && reusable && attempt < FRESH_ATTEMPTS; attempt++) {
        if (attempt > 0)
            nanosleep(&pause, NULL);
        result = verifier_openssl_fresh(c->ssl, c->authority, &t->seen.fresh, &reusable, error, sizeof error);
    }
    t->seen.spent = !reusable;
    t->seen.ended = result == -EIO;
    if (result != 0)
        complain("%s: no fresh evidence: %s", url, error);
    return !verifier_no_answer(result);
}

/* ---- its history ----------------------------------------------------------------------------------------------- */

#define COSIGNED_ATTEMPTS 20 /* while a head is new, its witnesses may not have answered yet */
#define COSIGNED_PAUSE_NS 500000000l

/* Whether the certificate names a log. */
static bool has_log(X509 *leaf)
{
    return has_extension(leaf, "1.3.6.1.4.1.65230.4.4");
}

static bool needs_log(const struct trust_options *t)
{
    return t->reads_log || t->log_state || verifier_policy_needs_log(t->policy);
}

/* The log's head, and what leads to it. Whether there are answers, if they are needed: where the server has no log, or
 * a wrong one, the checks say what of it. */
static bool get_log(struct trust_options *t, const char *url)
{
    char error[256];
    verifier_log_close(t->seen.log);
    t->seen.log_view = NULL;
    t->seen.log = verifier_log_open(history_fetch, &t->seen.source, error, sizeof error);
    if (!t->seen.log) {
        bool answered = !verifier_no_answer(-errno);
        complain("%s: %s", url, error);
        return answered || !needs_log(t);
    }
    t->seen.log_view = verifier_log_view(t->seen.log, t->policy, t->seen.certificate, (size_t)t->seen.certificate_size);
    if (*verifier_log_error(t->seen.log))
        complain("%s: the log: %s", url, verifier_log_error(t->seen.log));
    return t->seen.log_view || !needs_log(t);
}

static bool failed(const struct verifier_result *result, const char *name)
{
    for (size_t i = 0; result && i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (check.outcome == VERIFIER_FAILED && strcmp(check.name, name) == 0)
            return true;
    }
    return false;
}

/* Whether its log is not as it should be, and a stranger may have said so. */
static bool is_hearsay(const struct trust_options *t, const struct verifier_result *result)
{
    return t->seen.source.stranger &&
           (failed(result, "log checkpoint") || failed(result, "log history") || failed(result, "hand-over"));
}

/* Beside the file, named by the head that is in conflict with it. */
static void write_conflict(struct trust_options *t, const char *url)
{
    char path[4096], root[65];
    char *text =
        verifier_log_conflict(t->seen.log, t->log_state, t->seen.certificate, (size_t)t->seen.certificate_size);
    if (!text)
        return;
    report_quietly(false); /* whatever was told before */
    hex_text(verifier_log_root(t->seen.log), 32, root);
    int size = snprintf(path, sizeof path, "%s.conflict-%llu-%.8s", t->log_state,
                        (unsigned long long)verifier_log_size(t->seen.log), root);
    if ((size_t)size >= sizeof path)
        complain("--log-state %s: its name is too long for a file beside it", t->log_state);
    else if (evidence_keep(path, text, t->log_state) == 0)
        complain("%s: what a third party can check of that is in %s", url, path);
    verifier_free(text);
}

int trust_remember(struct trust_options *t, const char *url, const struct verifier_result *result)
{
    char error[256];
    if (!t->log_state || !verifier_result_ok(result))
        return 0;
    if (!t->seen.log)
        return complain("--log-state %s: %s has shown no log", t->log_state, url);
    int written = verifier_log_remember(t->seen.log, result, t->log_state, error, sizeof error);
    if (written == -EEXIST)
        write_conflict(t, url);
    return written == 0 ? 0 : complain("--log-state %s: %s", t->log_state, error);
}

/* What comes of it for --log-state. NULL: it could not be written, and result is destroyed. */
static struct verifier_result *keep(struct trust_options *t, const char *url, struct verifier_result *result)
{
    if (t->seen.log && failed(result, "log history"))
        write_conflict(t, url);
    if (t->remembers_later || trust_remember(t, url, result) == 0)
        return result;
    verifier_result_destroy(result);
    return NULL;
}

/* ---- all of it --- */

static struct verifier_result *judge(struct trust_options *t, const struct verifier_collateral *collateral,
                                     const char *url, bool log)
{
    static const struct timespec pause = {.tv_nsec = COSIGNED_PAUSE_NS};
    struct verifier_result *result = NULL;
    for (int attempt = 0; attempt < COSIGNED_ATTEMPTS; attempt++) {
        verifier_result_destroy(result);
        result = NULL;
        if (attempt > 0)
            nanosleep(&pause, NULL);
        if (log && !get_log(t, url))
            return NULL;
        const struct verifier_evidence evidence = trust_evidence(t);
        result = verifier_verify(t->policy, collateral, &evidence);
        if (!failed(result, "log witnesses") || failed(result, "log history") || failed(result, "log checkpoint"))
            break;
    }
    if (!result)
        complain("out of memory");
    if (is_hearsay(t, result)) {
        complain("%s: what is wrong with its log came over a connection with another certificate: ask again", url);
        verifier_result_destroy(result);
        return NULL;
    }
    return result && t->log_state ? keep(t, url, result) : result;
}

static struct verifier_result *judge_connection(struct trust_options *t, struct connection *c, const char *url,
                                                bool all)
{
    X509 *leaf = SSL_get0_peer_certificate(c->ssl);
    struct verifier_collateral *collateral = NULL;
    struct verifier_result *result = NULL;
    trust_forget(t);
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(c->ssl);
    t->seen.certificate_size = leaf ? i2d_X509(leaf, &t->seen.certificate) : 0;
    t->seen.issuer_size = sk_X509_num(chain) == 2 ? i2d_X509(sk_X509_value(chain, 1), &t->seen.issuer) : 0;
    if (t->seen.certificate_size <= 0) {
        complain("%s: no certificate", url);
        return NULL;
    }
    verifier_policy_set_live(t->policy, !SSL_session_reused(c->ssl));
    /* What a certificate with a quote says of generation and instance, only the manifest tells of one without. */
    bool manifest = all || verifier_policy_needs_manifest(t->policy) || !has_quote(leaf);
    if (get_collateral(t, leaf, &collateral) == 0 && get_fresh(t, c, leaf, url) &&
        (!manifest || get_manifest(t, c, url))) {
        t->seen.leaf = X509_dup(leaf);
        t->seen.source = (struct history_source){.url = url, .given = t->seen.spent ? NULL : c, .leaf = t->seen.leaf};
        result = judge(t, collateral, url, has_log(leaf) && (all || needs_log(t)));
        t->seen.spent |= !t->seen.source.given;
        t->seen.source.given = NULL; /* it is the caller's from here on */
    }
    verifier_collateral_destroy(collateral);
    return result;
}

/* Its manifest, over a connection of its own, to whoever answers. */
static bool get_manifest_from(struct trust_options *t, const char *url)
{
    struct connection c;
    if (connection_open(&c, url) != 0)
        return false;
    bool answered = get_manifest(t, &c, url);
    connection_close(&c);
    return answered;
}

struct verifier_result *trust_judge_shown(struct trust_options *t, const char *url, const uint8_t *certificate,
                                          size_t certificate_size, const uint8_t *issuer, size_t issuer_size)
{
    struct verifier_collateral *collateral = NULL;
    struct verifier_result *result = NULL;
    const uint8_t *der = certificate;
    trust_forget(t);
    t->seen.leaf = d2i_X509(NULL, &der, (long)certificate_size);
    t->seen.certificate = OPENSSL_memdup(certificate, certificate_size);
    t->seen.issuer = OPENSSL_memdup(issuer, issuer_size);
    if (!t->seen.leaf || !t->seen.certificate || !t->seen.issuer) {
        complain("%s: no certificate", url);
        return NULL;
    }
    t->seen.certificate_size = (int)certificate_size;
    t->seen.issuer_size = (int)issuer_size;
    t->seen.source = (struct history_source){.url = url, .leaf = t->seen.leaf};
    verifier_policy_set_live(t->policy, true);
    if (get_collateral(t, t->seen.leaf, &collateral) == 0 &&
        (!verifier_policy_needs_manifest(t->policy) || get_manifest_from(t, url)))
        result = judge(t, collateral, url, has_log(t->seen.leaf) && needs_log(t));
    verifier_collateral_destroy(collateral);
    return result;
}

/* A server may close a connection that seems idle to it just when it is asked something (RFC 9112, 9.3.1); what it is
 * asked here may be asked again, of a new connection that is judged anew. */
struct verifier_result *trust_judge(struct trust_options *t, struct connection *c, const char *url, bool all)
{
    struct verifier_result *result = judge_connection(t, c, url, all);
    for (int attempt = 1; !result && t->seen.ended && attempt < ATTEMPTS_MAX; attempt++) {
        connection_close(c);
        if (connection_open(c, url) != 0)
            return NULL;
        result = judge_connection(t, c, url, all);
    }
    return result;
}

struct verifier_evidence trust_evidence(const struct trust_options *t)
{
    return (struct verifier_evidence){.certificate = t->seen.certificate,
                                      .certificate_size = (size_t)t->seen.certificate_size,
                                      .issuer = t->seen.issuer_size > 0 ? t->seen.issuer : NULL,
                                      .issuer_size = t->seen.issuer_size > 0 ? (size_t)t->seen.issuer_size : 0,
                                      .manifest = t->seen.manifest,
                                      .manifest_size = t->seen.manifest_size,
                                      .log = t->seen.log_view,
                                      .fresh = t->seen.fresh.answer ? &t->seen.fresh : NULL};
}

void trust_tell(const struct verifier_result *result, const char *url)
{
    for (size_t i = 0; result && i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (check.outcome == VERIFIER_FAILED)
            complain("%s: %s: %s", url, check.name, check.reason);
    }
}

int trust_require_pin(const struct trust_options *t)
{
    if (verifier_policy_names_instance(t->policy))
        return 0;
    if (verifier_policy_names_enclave(t->policy))
        return wrong(
            "nothing says whose enclave this is to be, and anybody can run such a program: give --policy (which "
            "enclavectl policy from URL writes), --issuer, or --instance with --mrenclave or --mrsigner; or "
            "--any-instance if any will do. Nothing was sent");
    return wrong(
        "nothing says which enclave this is to be: give --policy (which enclavectl policy from URL writes), "
        "--issuer, or --instance with --mrenclave or --mrsigner; or --any-instance if any will do. Nothing was "
        "sent");
}

int trust_connect(struct trust_options *t, struct connection *c, const char *url, uint8_t spki_sha256[32])
{
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        int opened = connection_open(c, url);
        if (opened != 0)
            return opened;
        struct verifier_result *result = trust_judge(t, c, url, false);
        bool ok = verifier_result_ok(result);
        if (ok && spki_sha256)
            memcpy(spki_sha256, verifier_result_claims(result)->spki_sha256, 32);
        trust_tell(result, url);
        verifier_result_destroy(result);
        if (ok && !t->seen.spent)
            return 0;
        connection_close(c);
        if (!ok)
            return 1;
    }
    return complain("%s: its configuration changed each time before it could be used", url);
}
