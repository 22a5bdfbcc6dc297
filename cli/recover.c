/*
 * enclavectl recover: what holders of shares do (common/recovery_share.h). Each opens his own share, here, and compares
 * it with the hash that the enclave made of it. --dry-run: that is all. --request: he judges the quote of the enclave
 * that asks, and only then is his share sealed to that enclave's key. Shares are never put together here.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/recover_folder.h"
#include "cli/report.h"
#include "cli/trust.h"
#include "common/bytes.h"
#include "common/hpke.h"
#include "common/recovery_share.h"
#include "common/recovery_text.h"

#define SHARES_MAX 65536u
#define KEY_MAX 65536u

// clang-format off
static const char usage[] =
    "usage: enclavectl recover --dry-run --key FILE [https://HOST:PORT] [options]\n"
    "       enclavectl recover --request FILE --key FILE --out FILE [https://HOST:PORT] [options]\n"
    "Whether shares of the data are there and open: each is opened with its holder's key, compared with what the\n"
    "enclave said of it, and forgotten. Status 0 if as many open as it takes. With --request a share is given to a\n"
    "new enclave, if that is one that the options below expect: its quote is judged before anything is sealed to it.\n"
    "  --dry-run                open shares, and no more\n"
    "  --request FILE           recover.request, which serve --recover has written\n"
    "  --out FILE               where the share goes that is sealed to that enclave, for serve --recover-share\n"
    "  --key FILE               a holder's secret key (enclavectl keygen --recovery); with --dry-run it may be\n"
    "                           repeated\n"
    "  --save FILE              keep the shares, which nobody but their holders can open: without a server they are\n"
    "                           needed\n"
    "  --shares FILE            those that were saved, instead of a server's or a request's own\n"
    "  --data DIR               those in a server's folder that no server has open, or in a backup of it; with\n"
    "                           --shares, whether the saved ones are those that open it, or old\n" TRUST_USAGE;
// clang-format on

struct recover_options {
    const char *keys[RECOVERY_HOLDERS_MAX];
    size_t key_count;
    const char *save, *shares, *data, *request, *out;
    bool dry_run;
};

static int set_option(void *user, int id, const char *value)
{
    struct recover_options *o = user;
    if (id == 'k' && o->key_count == RECOVERY_HOLDERS_MAX)
        return wrong("--key %s: there are more than %u", value, RECOVERY_HOLDERS_MAX);
    if (id == 'k')
        o->keys[o->key_count++] = value;
    else if (id == 's')
        o->save = value;
    else if (id == 'f')
        o->shares = value;
    else if (id == 'D')
        o->data = value;
    else if (id == 'q')
        o->request = value;
    else if (id == 'o')
        o->out = value;
    else
        o->dry_run = true;
    return 0;
}

/* ---- holders' keys ----------------------------------------------------------------------------------------------- */

static int read_key(const char *path, uint8_t secret[HPKE_KEY_SIZE])
{
    size_t size, raw = HPKE_KEY_SIZE;
    char *pem = read_input("--key", path, KEY_MAX, &size);
    if (!pem)
        return 2;
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;
    bool ok = key && EVP_PKEY_is_a(key, "X25519") && EVP_PKEY_get_raw_private_key(key, secret, &raw) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    OPENSSL_cleanse(pem, size);
    free(pem);
    return ok ? 0 : wrong("--key %s: not an X25519 secret key in PEM (enclavectl keygen --recovery)", path);
}

/* NULL: it opens and is what the enclave made; else what is wrong. */
static const char *open_share(const struct recovery_text *s, unsigned x, const uint8_t secret[HPKE_KEY_SIZE],
                              uint8_t share[RECOVERY_SHARE_SIZE])
{
    uint8_t info[RECOVERY_INFO_SIZE], hash[32];
    recovery_share_info(&s->of, x, info);
    if (hpke_open(secret, info, sizeof info, s->shares[x - 1].sealed, RECOVERY_SEALED_SIZE, share) < 0)
        return "it does not open: it was changed, or is of another instance or sharing";
    recovery_share_hash(&s->of, x, share, hash);
    return memcmp(hash, s->shares[x - 1].hash, sizeof hash) == 0 ? NULL : "it opens, and is not what the enclave made";
}

/* One key's share, which the caller wipes, and its number. 0, or what complain or wrong returned. */
static int take_share(const struct recovery_text *s, const char *path, unsigned *x, uint8_t share[RECOVERY_SHARE_SIZE])
{
    uint8_t secret[HPKE_KEY_SIZE], public[HPKE_KEY_SIZE];
    int result = read_key(path, secret);
    if (result != 0)
        return result;
    *x = 0;
    if (hpke_public(secret, public) == 0)
        for (unsigned i = 0; i < s->of.count; i++)
            if (memcmp(s->shares[i].holder, public, sizeof public) == 0)
                *x = i + 1;
    const char *why = *x > 0 ? open_share(s, *x, secret, share) : "no share is sealed to this key";
    OPENSSL_cleanse(secret, sizeof secret);
    if (why && *x > 0)
        return complain("%s: share %u: %s", path, *x, why);
    if (why)
        return complain("%s: %s", path, why);
    printf("%s: share %u of %u opens, and is what the enclave made\n", path, *x, s->of.count);
    return 0;
}

static int try_key(const struct recovery_text *s, const char *path, bool opened[RECOVERY_HOLDERS_MAX])
{
    uint8_t share[RECOVERY_SHARE_SIZE];
    unsigned x;
    int result = take_share(s, path, &x, share);
    OPENSSL_cleanse(share, sizeof share);
    if (result == 0 && opened[x - 1])
        return complain("%s: share %u is there already: it counts once", path, x);
    if (result == 0)
        opened[x - 1] = true;
    return result;
}

static int try_all(const struct recovery_text *s, const struct recover_options *o)
{
    bool opened[RECOVERY_HOLDERS_MAX] = {false};
    unsigned open = 0;
    int result = 0;
    for (size_t i = 0; i < o->key_count && result != 2; i++) {
        int one = try_key(s, o->keys[i], opened);
        result = one != 0 ? one : result;
    }
    for (unsigned i = 0; i < s->of.count; i++)
        open += opened[i];
    if (result == 2)
        return result;
    bool enough = open >= s->of.threshold;
    printf("%u of %u shares open, and %u are needed: %s\n", open, s->of.count, s->of.threshold,
           enough ? "the data can be recovered with them" : "not enough");
    return enough ? result : 1;
}

/* ---- an enclave that asks ---------------------------------------------------------------------------------------- */

struct request {
    const uint8_t *key, *quote, *collateral, *text; /* text: of the sharing that it asks for */
    size_t quote_size, collateral_size, text_size;
};

static bool request_read(const void *data, size_t size, struct request *r)
{
    size_t magic = strlen(RECOVERY_REQUEST_MAGIC);
    if (size < magic + 32 || memcmp(data, RECOVERY_REQUEST_MAGIC, magic) != 0)
        return false;
    r->key = (const uint8_t *)data + magic;
    struct bytes_reader rest = bytes_reader_make(r->key + 32, size - magic - 32);
    r->quote = bytes_take_blob(&rest, &r->quote_size);
    r->collateral = bytes_take_blob(&rest, &r->collateral_size);
    r->text = bytes_take_blob(&rest, &r->text_size);
    return bytes_reader_complete(&rest);
}

/* What came along; in place of that what the options say. NULL: why was told. */
static struct verifier_collateral *collateral_for(const struct trust_options *trust, const struct request *r)
{
    char error[512] = "out of memory";
    struct verifier_collateral *c = verifier_collateral_create();
    struct bytes_reader rest = bytes_reader_make(r->collateral, r->collateral_size);
    int result = c ? 0 : -ENOMEM;
    if (result == 0 && trust->collateral_folder)
        result = verifier_collateral_load(c, trust->collateral_folder, error, sizeof error);
    else if (result == 0 && trust->pccs_url)
        result =
            verifier_collateral_fetch(c, trust->pccs_url, r->quote, r->quote_size, &trust->fetch, error, sizeof error);
    for (int i = 0;
         result == 0 && !trust->collateral_folder && !trust->pccs_url && rest.left > 0 && i < VERIFIER_DOCUMENTS; i++) {
        size_t size;
        const uint8_t *document = bytes_take_blob(&rest, &size);
        snprintf(error, sizeof error, "the collateral in the request is malformed");
        result = rest.failed ? -EBADMSG : verifier_collateral_set(c, (enum verifier_document)i, document, size);
    }
    if (result == 0)
        return c;
    complain("%s", error);
    verifier_collateral_destroy(c);
    return NULL;
}

/* Whether it is an enclave that the options expect. 0, or what complain returned. */
static int judge_request(const struct trust_options *trust, const char *path, const struct request *r)
{
    uint8_t report_data[64];
    struct verifier_collateral *c = collateral_for(trust, r);
    if (!c)
        return 1;
    recovery_report_data(r->key, report_data);
    struct verifier_result *result = verifier_verify_quote(
        trust->policy, r->collateral_size || trust->collateral_folder || trust->pccs_url ? c : NULL, r->quote,
        r->quote_size, report_data);
    bool ok = verifier_result_ok(result);
    if (result)
        trust_tell(result, path);
    verifier_result_destroy(result);
    verifier_collateral_destroy(c);
    return ok ? 0 : complain("%s: no share was given", path);
}

static int seal_to(const struct request *r, const struct recovery_text *s, unsigned x,
                   const uint8_t share[RECOVERY_SHARE_SIZE], const char *out)
{
    uint8_t info[RECOVERY_HAND_INFO_SIZE], handed[RECOVERY_HANDED_SIZE], sealed[RECOVERY_HANDED_SIZE + HPKE_OVERHEAD];
    uint8_t seed[HPKE_KEY_SIZE];
    recovery_hand_info(r->key, info);
    recovery_handed_write(&s->of, x, share, handed);
    recovery_hand_seed(r->key, handed, seed); /* given again it is the same file, and none beside the first */
    int error = hpke_seal_same(r->key, info, sizeof info, handed, sizeof handed, seed, sealed);
    OPENSSL_cleanse(seed, sizeof seed);
    OPENSSL_cleanse(handed, sizeof handed);
    return error < 0 ? complain("nothing can be sealed to the key of the request")
                     : output_save(out, sealed, sizeof sealed, "It is another share, or for another enclave");
}

/* Whether these are the shares that are asked for, or what somebody has kept of before, or of something else. what: who
 * says which are wanted. 0, or what complain returned. */
static int judge_sharing(const char *path, const struct recovery_sharing *s, const char *what,
                         const struct recovery_sharing *wanted)
{
    if (memcmp(s->instance, wanted->instance, sizeof s->instance) != 0)
        return complain("%s: these shares are another instance's than that of %s", path, what);
    if (s->epoch < wanted->epoch)
        return complain("%s: these are old shares, of sharing %u: %s has sharing %u", path, s->epoch, what,
                        wanted->epoch);
    if (s->epoch > wanted->epoch)
        return complain("%s: these shares are of sharing %u: %s is older, and has sharing %u", path, s->epoch, what,
                        wanted->epoch);
    return recovery_same_sharing(s, wanted) ? 0 : complain("%s: these are not the shares of %s", path, what);
}

static int give(const struct recovery_text *s, const struct request *r, const struct trust_options *trust,
                const struct recover_options *o)
{
    unsigned x = 0;
    uint8_t share[RECOVERY_SHARE_SIZE];
    int result = judge_request(trust, o->request, r);
    if (result == 0)
        result = take_share(s, o->keys[0], &x, share);
    if (result == 0)
        result = seal_to(r, s, x, share, o->out);
    OPENSSL_cleanse(share, sizeof share);
    if (result == 0)
        printf("%s: share %u, which the enclave of %s alone can open\n", o->out, x, o->request);
    return result;
}

/* ---- where the sharing comes from -------------------------------------------------------------------------------- */

/* The server's, once it is verified. malloc'ed; NULL: *result has what was told. */
static char *fetch(const char *url, struct trust_options *trust, size_t *size, int *result)
{
    struct connection c;
    struct http_answer answer = {0};
    *result = trust_connect(trust, &c, url, NULL);
    if (*result != 0)
        return NULL;
    const struct http_request request = {.method = "GET", .path = "/_enclave/recovery/shares"};
    *result = http_exchange(&c, &request, &answer);
    connection_close(&c);
    if (*result == 0 && answer.status != 200)
        *result =
            answer.status == 404
                ? complain(
                      "%s: nobody holds shares of this instance: neither its first boot nor a change named anybody",
                      url)
                : complain("%s: the shares: status %d", url, answer.status);
    if (*result != 0) {
        free(answer.body);
        return NULL;
    }
    *size = answer.body_size;
    return answer.body;
}

/* malloc'ed; NULL: *result has what was told. */
static char *obtain(const char *url, struct trust_options *trust, const struct recover_options *o,
                    const struct request *r, size_t *size, int *result)
{
    *result = o->shares ? 2 : 1;
    if (o->shares)
        return read_input("--shares", o->shares, SHARES_MAX, size);
    if (url)
        return fetch(url, trust, size, result);
    if (o->data)
        return recover_folder_text(o->data, size);
    *size = r->text_size;
    char *text = malloc(r->text_size + 1);
    if (text)
        memcpy(text, r->text, r->text_size);
    return text;
}

/* Shares from elsewhere, by what it is that they are to open: an enclave says which it asks for, and those of a folder
 * or a server may be older, as well as saved ones. from: where they were. */
static int judge_wanted(const struct recovery_text *s, const char *from, const struct recover_options *o,
                        const struct request *r)
{
    struct recovery_text wanted;
    size_t size = r->text_size;
    const char *what = o->request ? o->request : o->data;
    if (!o->request && !(o->shares && o->data))
        return 0;
    char *text = o->request ? NULL : recover_folder_text(o->data, &size);
    if (!o->request && !text)
        return 1;
    int result = recovery_text_read(o->request ? (const char *)r->text : text, size, &wanted)
                     ? judge_sharing(from, &s->of, what, &wanted.of)
                     : complain("%s: there are no shares in it", what);
    free(text);
    return result;
}

static int drill(const struct recovery_text *s, const struct recover_options *o)
{
    bool whole = true;
    int result = o->data ? recover_folder_judge(o->data, &whole) : 0;
    if (result == 0)
        result = try_all(s, o);
    return result == 0 && !whole ? 1 : result;
}

static int recover_with(const char *url, struct trust_options *trust, const struct recover_options *o,
                        const struct request *r)
{
    struct recovery_text sharing;
    size_t size = 0;
    int result;
    const char *from = o->shares ? o->shares : url ? url : o->data ? o->data : o->request;
    char *text = obtain(url, trust, o, r, &size, &result);
    if (!text)
        return result;
    if (!recovery_text_read(text, size, &sharing))
        result = complain("%s: these are no shares", from);
    else if (o->save &&
             (result = output_save(o->save, text, size, "If it is of this server, its shares are others now")) != 0)
        complain("nothing was tried");
    else if ((result = judge_wanted(&sharing, from, o, r)) == 0)
        result = o->request ? give(&sharing, r, trust, o) : drill(&sharing, o);
    free(text);
    return result;
}

static int recover(const char *url, struct trust_options *trust, const struct recover_options *o)
{
    size_t size;
    struct request request = {0};
    char *data = o->request ? read_input("--request", o->request, RECOVERY_REQUEST_MAX, &size) : NULL;
    if (o->request && !data)
        return 2;
    int result = !data || request_read(data, size, &request) ? recover_with(url, trust, o, &request)
                                                             : complain("%s: not a request of an enclave", o->request);
    free(data);
    return result;
}

/* What would have no effect is refused. */
static int judge(const struct recover_options *o, const struct trust_command *command)
{
    if (o->dry_run == (o->request != NULL))
        return wrong(
            "recover: --dry-run opens shares and no more, --request FILE gives one to an enclave: one of the two");
    if ((o->request != NULL) != (o->out != NULL))
        return wrong("--%s is missing: --request and --out go together", o->request ? "out" : "request");
    if (o->request && o->key_count > 1)
        return wrong("--key %s: one share at a time is given", o->keys[1]);
    if (o->key_count == 0)
        return wrong("--key is missing: the secret key of a holder");
    if (command->count == 0 && !o->shares && !o->data && !o->request)
        return wrong("recover: whose shares? Give https://HOST:PORT, --shares FILE or --data DIR");
    if (command->count > 0 && (o->shares || o->data))
        return wrong("--%s: there is one place already that the shares are taken from", o->shares ? "shares" : "data");
    if (o->request && o->shares && o->data)
        return wrong("--data: the request says already which shares it asks for");
    if (o->save && o->shares)
        return wrong("--save: they are in a file already");
    return o->save ? output_judge("--save", o->save) : 0;
}

int recover_main(int argc, char **argv)
{
    static const struct option table[] = {TRUST_OPTIONS,         {"dry-run", 0, 0, 'd'}, {"request", 1, 0, 'q'},
                                          {"out", 1, 0, 'o'},    {"key", 1, 0, 'k'},     {"save", 1, 0, 's'},
                                          {"shares", 1, 0, 'f'}, {"data", 1, 0, 'D'},    {0, 0, 0, 0}};
    struct trust_options trust;
    struct recover_options o = {0};
    struct trust_command command = {.table = table,
                                    .usage = usage,
                                    .name = "recover",
                                    .form = "https://HOST[:PORT]",
                                    .other = set_option,
                                    .user = &o,
                                    .repeats = {'k'},
                                    .least = 0,
                                    .most = 1};
    int result = trust_options_read(&trust, &command, argc, argv);
    if (result == 0)
        result = judge(&o, &command);
    if (result == 0 && o.request && !verifier_policy_names_program(trust.policy))
        result = wrong(
            "nothing says which program may have the share: give --mrenclave or --mrsigner, or a --policy with one");
    else if (result == 0 && command.count > 0)
        result = trust_require_pin(&trust);
    if (result == 0 && o.out)
        result = output_judge("--out", o.out);
    if (result == 0)
        result = recover(command.count > 0 ? command.rest[0] : NULL, &trust, &o);
    trust_options_deinit(&trust);
    return command.help ? 0 : result;
}
