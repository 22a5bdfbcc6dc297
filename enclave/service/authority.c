/* See authority.h. */
#include "enclave/service/authority.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/service/change_query.h"

#define JTI_LEAST 16u /* characters */

static int refuse(char why[AUTHORITY_WHY_SIZE], int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(char why[AUTHORITY_WHY_SIZE], int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, AUTHORITY_WHY_SIZE, format, arguments);
    va_end(arguments);
    return status;
}

/* ---- used once --------------------------------------------------------------------------------------------------- */

struct token_id {
    uint8_t hash[16]; /* of its jti */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Tokens used since boot. A token of an earlier boot names another audience, and the clock is the host's: so none is
 * ever forgotten, and when the table is full nothing more is administered. */
static struct {
    struct token_id *ids;
    size_t count, capacity;
    size_t by_deployers; /* of count */
} used;

static struct token_id id_of(const struct jwt_claims *claims)
{
    uint8_t hash[32];
    struct token_id id;
    SHA256((const uint8_t *)claims->jti, strlen(claims->jti), hash);
    memcpy(id.hash, hash, sizeof id.hash);
    return id;
}

static bool is_in(const struct token_id *ids, size_t count, const struct token_id *id)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(ids[i].hash, id->hash, sizeof id->hash) == 0)
            return true;
    return false;
}

static bool reserve(size_t more)
{
    size_t capacity = used.capacity ? used.capacity : 64;
    while (capacity < used.count + more)
        capacity *= 2;
    if (capacity > AUTHORITY_USED_MAX)
        return false;
    struct token_id *grown = capacity > used.capacity ? realloc(used.ids, capacity * sizeof *grown) : used.ids;
    if (!grown)
        return false;
    used.ids = grown;
    used.capacity = capacity;
    return true;
}

/* With the lock held. All or none. */
static int use_locked(const struct token_id *ids, size_t count, bool by_deployer, char why[AUTHORITY_WHY_SIZE])
{
    for (size_t i = 0; i < count; i++)
        if (is_in(used.ids, used.count, &ids[i]) || is_in(ids, i, &ids[i]))
            return refuse(why, 401, i ? "approval %zu was used before (jti)" : "the token was used before (jti)", i);
    if (by_deployer && used.by_deployers + count > AUTHORITY_USED_MAX / 2)
        return refuse(why, 503, "those who deploy have used all the tokens that they may between two boots");
    if (!reserve(count))
        return refuse(why, 503, "no more tokens can be remembered as used before the next boot");
    memcpy(used.ids + used.count, ids, count * sizeof *ids);
    used.count += count;
    used.by_deployers += by_deployer ? count : 0;
    return 0;
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

/* For this enclave and boot, of somebody who administers; NULL: refused with 401, and *reason says why. */
static const struct administrator *verify(const struct authority_asked *asked, const char *token,
                                          struct jwt_claims *claims, const char **reason)
{
    int error;
    char audience[65];
    const struct administrator *signer =
        administrators_signer(asked->administrators, token, strlen(token), asked->asked_s, claims, &error);
    hex_text(asked->audience, 32, audience);
    *reason = NULL;
    if (error == -EACCES)
        *reason = "is not signed by the key of an administrator";
    else if (error == -ETIME)
        *reason = "has expired, is from the future, or is valid for too long";
    else if (error < 0)
        *reason = "is malformed";
    else if (CRYPTO_memcmp(claims->audience, audience, sizeof audience) != 0)
        *reason = "is for another enclave or boot (aud)";
    return *reason ? NULL : signer;
}

/* Whether the path, which the token is over, names the publication that is there, and none where there is none. */
static bool covers_publication(const struct authority_asked *asked)
{
    uint8_t named[32], hash[32];
    bool names = change_query_publication(asked->path, named);
    if (!asked->publication || !names)
        return !asked->publication && !names;
    SHA256((const uint8_t *)asked->publication, strlen(asked->publication), hash);
    return memcmp(named, hash, sizeof hash) == 0;
}

/* The same, for exactly this request. body_sha256: NULL while nobody knows it. */
static const struct administrator *verify_request(const struct authority_asked *asked, const char *token,
                                                  const char *body_sha256, struct token_id *id, const char **reason)
{
    struct jwt_claims claims;
    const struct administrator *signer = verify(asked, token, &claims, reason);
    if (!signer)
        return NULL;
    if (claims.scope[0])
        *reason = "is for monitoring alone (scope)";
    else if (strcmp(claims.method, asked->method) != 0 || strcmp(claims.path, asked->path) != 0)
        *reason = "is for another request (method, path)";
    else if (!covers_publication(asked))
        *reason = asked->publication ? "is for another publication, or none (publication=SHA-256 in the path)"
                                     : "is for a publication, which did not come (Enclave-Publication)";
    else if (body_sha256 && strcmp(claims.body_sha256, body_sha256) != 0)
        *reason = "is for another body (body_sha256)";
    else if (strlen(claims.jti) < JTI_LEAST)
        *reason = "has no jti of 16 characters or more";
    *id = id_of(&claims);
    return *reason ? NULL : signer;
}

static const char *bearer(const char *authorization)
{
    return strncasecmp(authorization, "Bearer ", 7) == 0 ? authorization + 7 : NULL;
}

static bool is_author(const struct authors *authors, const struct administrator *one)
{
    for (size_t i = 0; i < authors->count; i++)
        if (memcmp(authors->thumbprints[i], one->thumbprint, 32) == 0)
            return true;
    return false;
}

static void add_author(struct authors *authors, const struct administrator *one)
{
    ENSURE(authors->count < ADMINISTRATORS_MAX);
    memcpy(authors->thumbprints[authors->count++], one->thumbprint, 32);
}

static int judge_asker(const struct authority_asked *asked, const char *body_sha256, struct authors *authors,
                       struct token_id *id, char why[AUTHORITY_WHY_SIZE])
{
    const char *token = bearer(asked->authorization), *reason;
    if (!token)
        return refuse(why, 401, "no bearer token");
    const struct administrator *asker = verify_request(asked, token, body_sha256, id, &reason);
    if (!asker)
        return refuse(why, 401, "the token %s", reason);
    if (asker->role < asked->needs)
        return refuse(why, 403, "the token is by a key whose role is %s: this takes the role %s",
                      admin_role_name(asker->role), admin_role_name(asked->needs));
    add_author(authors, asker);
    return 0;
}

static int judge_approval(const struct authority_asked *asked, size_t number, const char *token,
                          const char *body_sha256, struct authors *authors, struct token_id *id,
                          char why[AUTHORITY_WHY_SIZE])
{
    const char *reason;
    const struct administrator *one = verify_request(asked, token, body_sha256, id, &reason);
    if (!one)
        return refuse(why, 401, "approval %zu %s", number, reason);
    if (one->role != ADMIN_ROLE_ADMIN)
        return refuse(why, 403, "approval %zu is by a key whose role is %s: admins alone approve", number,
                      admin_role_name(one->role));
    if (is_author(authors, one))
        return refuse(why, 403, "approval %zu is by an administrator who has asked or approved already", number);
    add_author(authors, one);
    return 0;
}

bool authors_suffice(const struct authors *authors, enum authority_quorum together, const struct administrators *now,
                     char why[AUTHORITY_WHY_SIZE])
{
    ENSURE(authors->count > 0 && authors->count <= ADMINISTRATORS_MAX);
    size_t admins = administrators_admins(now, (const uint8_t(*)[32])authors->thumbprints, authors->count);
    bool alone = together == AUTHORITY_ALONE || (together == AUTHORITY_RULES && now->threshold <= 1);
    if (!alone && admins < now->threshold)
        refuse(why, 0, "this takes the tokens of %u admins together: there are %zu (Enclave-Approval)", now->threshold,
               admins);
    return alone || admins >= now->threshold;
}

/* What was said, token by token; ids: of each, the asker's first. */
static int judge(const struct authority_asked *asked, const char *body_sha256, struct authors *authors,
                 struct token_id ids[ADMINISTRATORS_MAX], char why[AUTHORITY_WHY_SIZE])
{
    const char *approval = asked->approvals;
    *authors = (struct authors){.needs = asked->needs, .together = asked->together};
    if (asked->administrators->count == 0)
        return refuse(
            why, 403,
            "this enclave was first booted without an admin key: nobody may administer it. Begin anew with an "
            "empty --data folder and --admin-key");
    int status = judge_asker(asked, body_sha256, authors, &ids[0], why);
    if (status == 0 && asked->approval_count >= ADMINISTRATORS_MAX)
        status = refuse(why, 403, "there are more approvals than there may be administrators");
    for (size_t i = 1; i <= asked->approval_count && status == 0; i++) {
        status = judge_approval(asked, i, approval, body_sha256, authors, &ids[i], why);
        approval += strlen(approval) + 1;
    }
    if (status == 0 && !authors_suffice(authors, asked->together, asked->administrators, why))
        status = 403;
    return status;
}

int authority_admit(const struct authority_asked *asked, char why[AUTHORITY_WHY_SIZE])
{
    struct authors authors;
    struct token_id ids[ADMINISTRATORS_MAX];
    return judge(asked, NULL, &authors, ids, why);
}

static void body_hash(const void *body, size_t size, char out[65])
{
    uint8_t hash[32];
    SHA256(body ? body : "", size, hash);
    hex_text(hash, 32, out);
}

int authority_use(const struct authority_asked *asked, const void *body, size_t size, struct authors *authors,
                  char why[AUTHORITY_WHY_SIZE])
{
    struct token_id ids[ADMINISTRATORS_MAX];
    char hash[65];
    body_hash(body, size, hash);
    int status = judge(asked, hash, authors, ids, why);
    if (status)
        return status;
    const struct administrator *asker = administrators_find(asked->administrators, authors->thumbprints[0]);
    pthread_mutex_lock(&lock);
    status = use_locked(ids, authors->count, asker->role != ADMIN_ROLE_ADMIN, why);
    pthread_mutex_unlock(&lock);
    return status;
}

bool authors_still_may(const struct authors *authors, const struct administrators *now, char why[AUTHORITY_WHY_SIZE])
{
    ENSURE(authors->count > 0 && authors->count <= ADMINISTRATORS_MAX);
    const struct administrator *asker = administrators_find(now, authors->thumbprints[0]);
    if (asker && asker->role >= authors->needs)
        return authors_suffice(authors, authors->together, now, why);
    refuse(why, 0, "the key that asked for this was revoked, or given a lower role, before its turn came");
    return false;
}

/* ---- monitoring -------------------------------------------------------------------------------------------------- */

/* Tokens for monitoring come for ever, so they are remembered only until they expire: time does not go back inside
 * (sgx/trusted/time.c), so what was forgotten stays expired. More than these in ten minutes are refused. */
static struct {
    struct token_id id;
    int64_t until_s;
} seen[AUTHORITY_MONITORING_MAX];

static bool see_once(const struct jwt_claims *claims, int64_t now_s)
{
    struct token_id id = id_of(claims);
    bool fresh = strlen(claims->jti) >= JTI_LEAST;
    size_t free_at = AUTHORITY_MONITORING_MAX;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < AUTHORITY_MONITORING_MAX && fresh; i++) {
        if (seen[i].until_s < now_s)
            free_at = i;
        else
            fresh = memcmp(&seen[i].id, &id, sizeof id) != 0;
    }
    fresh = fresh && free_at < AUTHORITY_MONITORING_MAX;
    if (fresh) {
        seen[free_at].id = id;
        seen[free_at].until_s = claims->expires_at + JWT_LEEWAY_S;
    }
    pthread_mutex_unlock(&lock);
    return fresh;
}

bool authority_may_monitor(const struct authority_asked *asked)
{
    struct jwt_claims claims;
    const char *token = bearer(asked->authorization), *reason;
    char nothing[65];
    body_hash(NULL, 0, nothing);
    return token && verify(asked, token, &claims, &reason) && strcmp(claims.scope, "monitoring") == 0 &&
           strcmp(claims.method, asked->method) == 0 && strcmp(claims.path, asked->path) == 0 &&
           strcmp(claims.body_sha256, nothing) == 0 && see_once(&claims, asked->asked_s);
}
