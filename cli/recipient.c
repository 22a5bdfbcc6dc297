/* See recipient.h; docs/handover.md has what is said, and over what a quote is. */
#include "cli/recipient.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/report.h"
#include "common/bytes.h"
#include "common/hex.h"
#include "common/json.h"

#define LOOK_NS 200000000L
#define LOOKS_MAX 150
#define ASKED_SIZE 40u
#define OFFER_SIZE 144u
#define OFFER_INSTANCE(o) ((o) + 32)
#define OFFER_MRENCLAVE(o) ((o) + 64)
#define KEY_SIZE 65u
#define EVIDENCE_MAX (1u << 20)

struct shown {
    uint8_t asked[ASKED_SIZE], offer[OFFER_SIZE], key[KEY_SIZE];
    uint8_t *evidence; /* malloc'ed */
    size_t evidence_size;
    const uint8_t *quote; /* in it, and the collateral */
    size_t quote_size;
    const uint8_t *documents[VERIFIER_DOCUMENTS]; /* NULL: none was shown */
    size_t document_sizes[VERIFIER_DOCUMENTS];
};

int recipient_giver_know(struct authorised_options *o, struct recipient_giver *giver)
{
    struct connection c;
    int result = connection_open(&c, o->url);
    if (result != 0)
        return result;
    struct verifier_result *judged = trust_judge(&o->trust, &c, o->url, true);
    connection_close(&c);
    trust_tell(judged, o->url);
    result = verifier_result_ok(judged) ? 0 : 1;
    if (result == 0) {
        giver->claims = *verifier_result_claims(judged);
        giver->claims.advisories = NULL; /* they go with the result */
        giver->claims.hand_over = NULL;
        giver->log_size = o->trust.seen.log ? verifier_log_size(o->trust.seen.log) : 0;
    }
    verifier_result_destroy(judged);
    return result;
}

/* ---- what is shown ----------------------------------------------------------------------------------------------- */

/* Exactly size bytes. */
static bool read_part(const json_t *json, const char *name, uint8_t *out, size_t size)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text && hex_read(text, strlen(text), out, size);
}

/* A blob with the quote, and one with six of collateral, or empty. */
static bool cut_evidence(struct shown *s)
{
    size_t size;
    struct bytes_reader r = bytes_reader_make(s->evidence, s->evidence_size);
    s->quote = bytes_take_blob(&r, &s->quote_size);
    const uint8_t *collateral = bytes_take_blob(&r, &size);
    if (!bytes_reader_complete(&r))
        return false;
    struct bytes_reader documents = bytes_reader_make(collateral, size);
    for (int i = 0; i < VERIFIER_DOCUMENTS && size > 0; i++)
        s->documents[i] = bytes_take_blob(&documents, &s->document_sizes[i]);
    return bytes_reader_complete(&documents);
}

static bool read_shown(const struct http_answer *answer, struct shown *s)
{
    json_t *json = json_read(answer->body, answer->body_size, JSON_REJECT_DUPLICATES, NULL);
    const char *evidence = json_string_value(json_object_get(json, "evidence"));
    *s = (struct shown){.evidence_size = evidence ? strlen(evidence) / 2 : 0};
    bool ok = s->evidence_size > 0 && s->evidence_size <= EVIDENCE_MAX &&
              read_part(json, "asked", s->asked, ASKED_SIZE) && read_part(json, "offer", s->offer, OFFER_SIZE) &&
              read_part(json, "key", s->key, KEY_SIZE) && (s->evidence = malloc(s->evidence_size)) &&
              read_part(json, "evidence", s->evidence, s->evidence_size) && cut_evidence(s);
    json_decref(json);
    return ok;
}

/* ---- judged ------------------------------------------------------------------------------------------------------ */

/* H = SHA-256(H before, the message's length, the message). */
static bool say(uint8_t hash[32], const void *message, size_t size)
{
    uint8_t length[8];
    bytes_put_u64(length, size);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(context, hash, 32) == 1 && EVP_DigestUpdate(context, length, sizeof length) == 1 &&
              EVP_DigestUpdate(context, message, size) == 1 && EVP_DigestFinal_ex(context, hash, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

/* What the quote must be over: all that was said, its own key last. */
static bool expect_report_data(const struct shown *s, uint8_t out[64])
{
    uint8_t said[24 + 32] = "enclave-os hand-over new";
    uint8_t *hash = said + 24;
    memset(hash, 0, 32);
    return say(hash, s->asked, sizeof s->asked) && say(hash, s->offer, sizeof s->offer) &&
           say(hash, s->key, sizeof s->key) && SHA512(said, sizeof said, out);
}

/* By the caller's source of collateral, if he has named one, else what was shown with the quote. 0, or the exit status;
 * *out stays NULL if there is none. */
static int get_collateral(const struct trust_options *t, const struct shown *s, struct verifier_collateral **out)
{
    char error[512] = "out of memory";
    bool own = t->pccs_url || t->collateral_folder;
    if (!own && !s->documents[0])
        return 0;
    struct verifier_collateral *c = verifier_collateral_create();
    int result = c ? 0 : -1;
    if (result == 0 && t->pccs_url)
        result = verifier_collateral_fetch(c, t->pccs_url, s->quote, s->quote_size, &t->fetch, error, sizeof error);
    else if (result == 0 && own)
        result = verifier_collateral_load(c, t->collateral_folder, error, sizeof error);
    for (int i = 0; result == 0 && !own && i < VERIFIER_DOCUMENTS; i++)
        result = verifier_collateral_set(c, (enum verifier_document)i, s->documents[i], s->document_sizes[i]);
    *out = result == 0 ? c : NULL;
    if (result == 0)
        return 0;
    verifier_collateral_destroy(c);
    return complain("collateral: %s", error);
}

/* What the name and the messages say, before the quote is looked at. 0, or what complain returned. */
static int judge_words(const struct recipient_giver *giver, const char *recipient, const struct shown *s)
{
    uint8_t name[32], of_key[32];
    char hex[65];
    SHA256(s->key, sizeof s->key, of_key);
    hex_text(of_key, sizeof of_key, hex);
    if (!hex_read(recipient, strlen(recipient), name, sizeof name) || memcmp(name, of_key, sizeof name) != 0)
        return complain("recipient %s: the key that it has shown is another's, %s", recipient, hex);
    if (!giver->claims.has_instance || memcmp(OFFER_INSTANCE(s->offer), giver->claims.instance, 32) != 0)
        return complain("recipient %s: it was offered another instance", recipient);
    if (memcmp(OFFER_MRENCLAVE(s->offer), giver->claims.mrenclave, 32) != 0)
        return complain("recipient %s: another image has made it the offer", recipient);
    return 0;
}

static int judge_quote(const struct authorised_options *o, const struct recipient_giver *giver, const char *recipient,
                       const struct shown *s, char mrenclave[65])
{
    uint8_t report_data[64];
    char who[96];
    struct verifier_collateral *collateral = NULL;
    int result = get_collateral(&o->trust, s, &collateral);
    if (result != 0)
        return result;
    struct verifier_result *judged = expect_report_data(s, report_data)
                                         ? verifier_verify_successor(o->trust.policy, collateral, s->quote,
                                                                     s->quote_size, report_data, &giver->claims)
                                         : NULL;
    verifier_collateral_destroy(collateral);
    if (!judged)
        return complain("out of memory");
    snprintf(who, sizeof who, "recipient %s", recipient);
    trust_tell(judged, who);
    result = verifier_result_ok(judged) ? 0 : complain("%s: the policy does not accept it", who);
    hex_text(verifier_result_claims(judged)->mrenclave, 32, mrenclave);
    verifier_result_destroy(judged);
    return result;
}

/* ---- asked for --------------------------------------------------------------------------------------------------- */

static int ask(struct authorised_options *o, const char *recipient, bool waits, struct http_answer *answer)
{
    static const struct timespec pause = {.tv_nsec = LOOK_NS};
    char path[128];
    snprintf(path, sizeof path, RECIPIENT_PATH "?recipient=%s", recipient);
    struct http_request request = {.method = "GET", .path = path};
    int result = authorised_exchange(o, &request, answer);
    for (int i = 0; result == 0 && answer->status == 404 && waits && i < LOOKS_MAX; i++) {
        free(answer->body);
        *answer = (struct http_answer){0};
        nanosleep(&pause, NULL);
        result = authorised_exchange(o, &request, answer);
    }
    return result == 0 && answer->status != 200 ? authorised_complain(answer) : result;
}

int recipient_judge(struct authorised_options *o, const struct recipient_giver *giver, const char *recipient,
                    bool waits, char mrenclave[65])
{
    struct http_answer answer = {0};
    struct shown s = {0};
    int result = ask(o, recipient, waits, &answer);
    if (result == 0 && !read_shown(&answer, &s))
        result = complain("the server does not show what recipient %s has shown to it", recipient);
    if (result == 0)
        result = judge_words(giver, recipient, &s);
    if (result == 0)
        result = judge_quote(o, giver, recipient, &s, mrenclave);
    free(s.evidence);
    free(answer.body);
    return result;
}
