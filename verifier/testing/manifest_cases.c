/* What may be wrong in a world with a manifest. See manifests.h. */
#include "verifier/testing/manifests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include <cmocka.h>

#include "common/hex.h"

/* ---- the cases ------------------------------------------------------------------------------------------------- */

#define CASE(name, statement)        \
    static void name(struct made *m) \
    {                                \
        statement;                   \
    }
#define SET(name, label, text) CASE(name, made_set(m, label, text, strlen(text)))

CASE(lifetime, m->options.leaf_until_s += 60)
CASE(lifetime_least, verifier_policy_set_max_lifetime(m->policy, 3600))
CASE(freshness, verifier_policy_set_min_evaluation_number(m->policy, 2))
CASE(no_manifest, m->evidence.manifest = NULL)
CASE(cut_manifest, m->evidence.manifest_size--)
CASE(stale_manifest, strstr(m->manifest, "\"limits\",\"value\":\"")[18] ^= 1)
CASE(said_root, m->said_root = 1)
CASE(said_instance, m->said_instance = 1)
CASE(said_generation, m->said_generation++)
CASE(twice, made_add(m, "app:hello", made_code, 32))
CASE(unlabelled, made_add(m, "", made_code, 32))
CASE(no_instance_leaf, made_remove(m, "instance"))

static void other_instance(struct made *m)
{
    m->options.instance_differs = true;
}
static void other_generation(struct made *m)
{
    m->options.generation_differs = true;
}
/* A policy without the line that begins with a member. */
static void without(struct made *m, const char *member)
{
    char *line = strstr(m->policy_text, member), *end = strchr(line, '\n');
    memmove(line, end + 1, strlen(end));
    made_read_policy(m, m->policy_text);
}
static void pinned_instance(struct made *m)
{
    uint8_t another[32] = {9};
    without(m, "\"log\""); /* whose key's name has the instance in it */
    without(m, "\"instance\"");
    assert_int_equal(verifier_policy_expect_instance(m->policy, another), 0);
}
/* ---- of the log */
CASE(other_log_key, made_find(m, "log-key")->value[0] ^= 1)
static void pinned_log(struct made *m)
{
    struct made_log *another = made_log_open("another");
    without(m, "\"log\"");
    assert_int_equal(verifier_policy_expect_log(m->policy, made_log_key(another), 0, NULL), 0);
    made_log_close(another);
}
CASE(no_head, m->certified_size = 0)
CASE(not_shown, m->without_log = true)
CASE(no_note, m->log->checkpoint = "no note")
CASE(others_note,
     m->log->checkpoint = "o\n3\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n\xe2\x80\x94 o AAAAAAA=\n")
/* What is shown is a history from n on that is another one. */
static void rewrite(struct made *m, size_t n)
{
    struct made_log *fork = made_log_fork(m->log, n);
    made_log_add(fork, "{\"another\":\"history\"}");
    made_log_grow(fork, 7);
    m->certified = m->log;
    m->log = fork;
}
CASE(rewritten, rewrite(m, 4))
static void rewritten_before(struct made *m)
{
    rewrite(m, 2); /* and the certificate goes with it */
    m->seen = m->certified;
    m->certified = NULL;
}
static void rewritten_as_long(struct made *m)
{
    rewritten_before(m);
    m->seen_size = 7;
}
static void forged(struct made *m)
{
    struct made_log *another = made_log_open("another");
    made_log_grow(another, 7);
    another->key = m->log->key; /* its name and number alone */
    EVP_PKEY_free(m->log->private_key);
    m->log->private_key = another->private_key;
    EVP_PKEY_up_ref(m->log->private_key);
    made_log_close(another);
}
static void unsigned_head(struct made *m)
{
    static char text[1024];
    char *whole = made_log_checkpoint(m->log, 7);
    char *line = strstr(whole, "\xe2\x80\x94");
    snprintf(text, sizeof text, "%.*s%s", (int)(line - whole), whole, strchr(line, '\n') + 1);
    free(whole);
    m->log->checkpoint = text; /* the witnesses' lines are there */
}
CASE(gone_back, m->log->shown = 4)
static void went_back(struct made *m)
{
    m->seen = made_log_fork(m->log, 7);
    made_log_grow(m->seen, 9);
    m->seen_size = 9;
}
static void false_tile(struct made *m)
{
    m->log->tampered = "tile/0/000.p/7";
    m->log->at = 4 * 32;
    m->seen_size = 7;
}
CASE(no_tile, (m->log->missing = "tile/0/000.p/7", m->certified_size = 7))
/* By what the image has the instance. */
static void refound(struct made *m, const char *kind, uint8_t of, size_t before)
{
    uint8_t measurement[32];
    memset(measurement, of, sizeof measurement);
    made_log_close(m->log);
    m->log = made_log_open("log");
    made_log_grow(m->log, before);
    made_log_hand_over(m->log, kind, measurement);
    made_log_grow(m->log, 7);
}
CASE(to_another, refound(m, "hand-over", 0x77, 1))
CASE(recovered_by_another, refound(m, "recovery", 0x77, 4))
CASE(no_hand_over, refound(m, "boot", 0x77, 1))
CASE(hand_over_behind, refound(m, "hand-over", 0x77, 5)) /* the certificate's head is of 5 */
CASE(withheld, m->log->missing = "tile/entries/000.p/7")
CASE(false_entries, (m->log->tampered = "tile/entries/000.p/7", m->log->at = 9))
CASE(late, m->cosigned_s[1] = FIXTURE_NOW - 61)
CASE(early, m->cosigned_s[1] = FIXTURE_NOW + 61)
CASE(no_cosignature, m->cosigned_s[1] = 0)
static void false_cosignature(struct made *m)
{
    char *line = strstr(m->log->extra, "w.example/2 ");
    line[60] = line[60] == 'A' ? 'B' : 'A';
}
static void evidence_of_another_generation(struct made *m)
{
    m->options.evidences = 1;
    m->options.evidence.false_claims = CLAIM_GENERATION;
}
CASE(generation, verifier_policy_set_min_generation(m->policy, 42))
SET(threshold, "administrators", "threshold=2")
SET(threshold_form, "administrators", "threshold=01")
static void one_more(struct made *m)
{
    made_add_administrator(m, "monitor", (const uint8_t *)"third\0\0");
}
static void one_less(struct made *m)
{
    char label[96] = "admin:";
    made_thumbprint(made_spki[1], 8, label + 6);
    made_remove(m, label);
}
static void other_role(struct made *m)
{
    one_less(m);
    made_add_administrator(m, "admin", made_spki[1]);
}
static void unknown_role(struct made *m)
{
    one_less(m);
    made_add_administrator(m, "root", made_spki[1]);
}
static void false_thumbprint(struct made *m)
{
    char label[96] = "admin:";
    made_thumbprint(made_spki[1], 8, label + 6);
    made_find(m, label)->value[10] ^= 1;
}
SET(svn_rule, "upgrade-rule",
    "{\"mrsigner\":\"e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5\",\"product\":7,\"rule\":"
    "\"signer\",\"svn\":2}")
SET(looser_rule, "upgrade-rule", "{\"measurements\":[],\"rule\":\"measurements\"}")
SET(longer_rule, "upgrade-rule", "{\"rule\":\"none\",\"but\":1}")
CASE(no_upgrade_rule, made_remove(m, "upgrade-rule"))
CASE(other_lineage, memset(made_find(m, "lineage")->value, 0xe4, 32))
CASE(cut_lineage, made_find(m, "lineage")->size = 31)
CASE(hidden_lineage, (m->options.lineage = m->options.body.mrsigner, m->options.lineage_size = 32))
SET(limits, "limits", "header-bytes=16384 headers=200")
CASE(no_limits, made_remove(m, "limits"))
CASE(egress_ca, made_find(m, "egress-ca")->value[0] ^= 1)
CASE(no_egress_ca, made_remove(m, "egress-ca"))
CASE(another_app, made_add(m, "app:evil", made_code, 32))
CASE(changed_code, made_find(m, "app:hello")->value[0] ^= 1)
CASE(no_app, made_remove(m, "app:hello"))
static void change_rule(struct made *m, const char *from, const char *to)
{
    struct made_leaf *leaf = made_find(m, "rule:vault");
    char *at = memmem(leaf->value, leaf->size, from, strlen(from));
    assert_true(at && strlen(from) == strlen(to));
    memcpy(at, to, strlen(to));
}
CASE(other_publisher, change_rule(m, "key=9b", "key=9c"))
CASE(older_version, change_rule(m, "version=7", "version=6"))
CASE(key_of_operator, change_rule(m, "rule=publisher\n", "rule=operator\n\n"))
CASE(version_form, change_rule(m, "version=7", "version=x"))
SET(operator_rule, "rule:vault", "id=ffeeddccbbaa99887766554433221100\nrule=operator\n")
CASE(no_rule, made_remove(m, "rule:vault"))
CASE(other_id, made_find(m, "rule:hello")->value[3] = '1')
CASE(other_settings, made_find(m, "settings:hello")->value[0] ^= 1)
CASE(no_settings, made_remove(m, "settings:hello"))
CASE(some_settings, made_add(m, "settings:vault", made_settings, 32))
SET(other_egress, "egress:hello", "*.example.org:8443,evil.example:443")
SET(more_egress, "egress:hello", "*.example.org:8443,api.example.com:443,evil.example:443")
CASE(no_egress, made_remove(m, "egress:hello"))
CASE(some_egress, made_add_text(m, "egress:vault", "evil.example:443"))

CASE(other_challenge, m->fresh.context[0] ^= 1)
CASE(other_connection, m->fresh.exported[31] ^= 1)
CASE(other_enclave, made_answer(m, (uint16_t)(m->options.body.isvsvn + 1)))
static void tampered_quote(struct made *m)
{
    char *at = strstr(m->answer, "quote") + 100; /* within the report */
    *at = *at == 'A' ? 'B' : 'A';
}
CASE(other_mode, memcpy(strstr(m->answer, "challenge"), "chollenge", 9))
CASE(cut_answer, m->fresh.answer_size -= 1)

const struct made_case made_cases[] = {
    {"certificate lifetime", "24 h 1 min, at most 24 h 0 min", lifetime, NULL},
    {"certificate lifetime", "at most 1 h 0 min", NULL, lifetime_least},
    {"collateral freshness", "at least 2 is expected", NULL, freshness},
    {"fresh evidence", "over this key, this challenge", NULL, other_challenge},
    {"fresh evidence", "over this key, this challenge", NULL, other_connection},
    {"fresh evidence", "another enclave's", NULL, other_enclave},
    {"fresh evidence", "quote signature: ", NULL, tampered_quote},
    {"fresh evidence", "the answer: it is not of version 2", NULL, other_mode},
    {"fresh evidence", "the answer: neither a comma nor an end", NULL, cut_answer},
    {"manifest", "none was given", NULL, no_manifest},
    {"manifest", "malformed: neither a comma nor an end", NULL, cut_manifest},
    {"manifest", "not the certificate's", NULL, stale_manifest},
    {"manifest", "not that of its leaves", said_root, NULL},
    {"manifest", "not that of its leaves", said_instance, NULL},
    {"manifest", "not that of its leaves", said_generation, NULL},
    {"manifest", "a label that stands twice", twice, NULL},
    {"manifest", "not a label and a value", unlabelled, NULL},
    {"manifest", "not that of its leaves", no_instance_leaf, NULL},
    {"instance", "another one than the manifest", other_instance, NULL},
    {"instance", "expected 09", NULL, pinned_instance},
    {"dice evidence", "another generation", evidence_of_another_generation, NULL},
    {"generation", "another number than the manifest", other_generation, NULL},
    {"generation", "41, at least 42", NULL, generation},
    {"log key", "another one than the manifest", other_log_key, NULL},
    {"log key", ", expected enclave-os/", NULL, pinned_log},
    {"log head", "does not carry one", no_head, NULL},
    {"log checkpoint", "none was shown", not_shown, NULL},
    {"log checkpoint", "it is malformed", NULL, no_note},
    {"log checkpoint", "another log's", NULL, others_note},
    {"log checkpoint", "its signature does not hold", forged, NULL},
    {"log checkpoint", "it is not signed by the certificate's key", NULL, unsigned_head},
    {"log checkpoint", "the certificate has 5 entries, root", rewritten, NULL},
    {"log checkpoint", "it has become shorter", gone_back, NULL},
    {"log checkpoint", "the hashes that it shows do not make its root", false_tile, NULL},
    {"log history", "its first entries are other ones", rewritten_before, NULL},
    {"log history", "its entries are other ones", rewritten_as_long, NULL},
    {"log history", "seen before: 9 entries, root", went_back, NULL},
    {"log history", "it does not prove", no_tile, NULL},
    {"log witnesses", "1 of 2, 2 are needed within 60 s (w.example/1: 30 s ago, w.example/2: 61 s ago)", late, NULL},
    {"log witnesses", "w.example/2: -61 s ago", early, NULL},
    {"log witnesses", "w.example/2: no cosignature", no_cosignature, NULL},
    {"log witnesses", "w.example/2: a false cosignature", NULL, false_cosignature},
    {"administrators", "2 of them are needed for a change, expected 1", threshold, NULL},
    {"administrators", "does not say how many", threshold_form, NULL},
    {"administrators", "as monitor, which the caller does not expect", one_more, NULL},
    {"administrators", "1 of them, expected 2", one_less, NULL},
    {"administrators", "as admin, which the caller does not expect", other_role, NULL},
    {"administrators", "malformed", unknown_role, NULL},
    {"administrators", "malformed", false_thumbprint, NULL},
    {"upgrade rule", "the caller expects another, signer", svn_rule, NULL},
    {"upgrade rule", "the caller expects another, signer", looser_rule, NULL},
    {"upgrade rule", "malformed", longer_rule, NULL},
    {"upgrade rule", "does not tell it", no_upgrade_rule, NULL},
    {"lineage", "e4e4 has had the instance before", other_lineage, NULL},
    {"lineage", "malformed", cut_lineage, NULL},
    {"lineage", "another one than the manifest", hidden_lineage, NULL},
    {"hand-over", "7777, by abababababababab, which is not this image", to_another, NULL},
    {"hand-over", "recovery: entry 4", recovered_by_another, NULL},
    {"hand-over", "no entry of the history says how", no_hand_over, NULL},
    {"hand-over", "no entry of the history says how", hand_over_behind, NULL},
    {"hand-over", "does not show all entries", NULL, withheld},
    {"hand-over", "or shows false ones", NULL, false_entries},
    {"limits", "headers=200", limits, NULL},
    {"limits", "none; expected header-bytes", no_limits, NULL},
    {"egress ca", "expected ca00", egress_ca, NULL},
    {"egress ca", "none, expected ca00", no_egress_ca, NULL},
    {"only apps", "1 that the caller does not name: evil", another_app, NULL},
    {"app", "hello: a8", changed_code, NULL},
    {"app", "hello: no app of that name", no_app, NULL},
    {"app publisher", "expected 9b", other_publisher, NULL},
    {"app publisher", "version 6, at least 7", older_version, NULL},
    {"app publisher", "vault: none, its rule is operator", key_of_operator, NULL},
    {"app publisher", "its rule is not known", version_form, NULL},
    {"app publisher", "its rule is operator", operator_rule, NULL},
    {"app publisher", "its rule is not known", no_rule, NULL},
    {"app identity", "10112233", other_id, NULL},
    {"app settings", "expected 5e", other_settings, NULL},
    {"app settings", "hello: none, expected 5e", no_settings, NULL},
    {"app settings", "vault: 5e", some_settings, NULL},
    {"app egress", "evil.example", other_egress, NULL},
    {"app egress", "evil.example", more_egress, NULL},
    {"app egress", "hello: nowhere; expected", no_egress, NULL},
    {"app egress", "expected nowhere", some_egress, NULL},
};
const size_t made_case_count = sizeof made_cases / sizeof made_cases[0];
