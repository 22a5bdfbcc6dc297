/* See keys.h. */
#include "enclave/ohttp/keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hpke.h"
#include "enclave/https/site.h"
#include "enclave/ohttp/limits.h"
#include "enclave/thread/loop.h"

#define LOOKED_AT_NS UINT64_C(1000000000)

static_assert(OHTTP_KEY_SIZE == HPKE_KEY_SIZE, "they are keys of the same kind");

struct key {
    struct http_site *site; /* counted; NULL: the place is free */
    uint8_t id;
    uint8_t secret[OHTTP_KEY_SIZE], public_key[OHTTP_KEY_SIZE];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct key keys[OHTTP_KEYS_MAX];
static uint8_t next_id;

static struct {
    struct loop *loop; /* the owner's */
    struct loop_timer timer;
    struct loop_task begin; /* there is a key to look at */
} end;

/* ---- their end, on the owner's thread ---------------------------------------------------------------------------- */

/* Under the lock. What it returns is for the caller to give back, when he has let go of that. */
static struct http_site *wipe(struct key *key)
{
    struct http_site *site = key->site;
    OPENSSL_cleanse(key, sizeof *key);
    return site;
}

static void look(void)
{
    struct http_site *over[OHTTP_KEYS_MAX];
    size_t over_count = 0, left = 0;
    uint64_t now_ns = end.loop->now_ns;
    loop_check(end.loop);
    pthread_mutex_lock(&lock);
    for (struct key *key = keys; key < keys + OHTTP_KEYS_MAX; key++) {
        if (key->site && http_site_is_over(key->site, now_ns))
            over[over_count++] = wipe(key);
        left += key->site != NULL;
    }
    pthread_mutex_unlock(&lock);
    ENSURE(over_count + left <= OHTTP_KEYS_MAX);
    while (over_count > 0)
        http_site_unref(over[--over_count]);
    ENSURE(loop_timer_start(end.loop, &end.timer, left ? now_ns + LOOKED_AT_NS : UINT64_MAX) == 0); /* it is started */
}

static void on_timer(struct loop_timer *timer)
{
    ENSURE(timer == &end.timer);
    ENSURE(loop_timer_start(end.loop, timer, UINT64_MAX) == 0); /* first of all: its place is still there */
    look();
}

static void on_begin(struct loop_task *task)
{
    (void)task;
    look();
}

int keys_open(struct loop *owner)
{
    loop_check(owner);
    ENSURE(!end.loop);
    end.loop = owner;
    end.timer.fn = on_timer;
    end.begin.fn = on_begin;
    if (RAND_bytes(&next_id, sizeof next_id) != 1)
        return -EIO;
    return loop_timer_start(owner, &end.timer, UINT64_MAX);
}

void keys_close(void)
{
    loop_check(end.loop);
    for (struct key *key = keys; key < keys + OHTTP_KEYS_MAX; key++) {
        pthread_mutex_lock(&lock);
        struct http_site *site = wipe(key);
        pthread_mutex_unlock(&lock);
        http_site_unref(site);
    }
}

/* ---- for requests, on any ---------------------------------------------------------------------------------------- */

static struct key *find_id(uint8_t id)
{
    for (struct key *key = keys; key < keys + OHTTP_KEYS_MAX; key++)
        if (key->site && key->id == id)
            return key;
    return NULL;
}

static struct key *find_site(const struct http_site *site)
{
    for (struct key *key = keys; key < keys + OHTTP_KEYS_MAX; key++)
        if (key->site == site)
            return key;
    return NULL;
}

/* Under the lock. NULL with *error. */
static struct key *make(struct http_site *site, int *error)
{
    struct key *key = find_site(NULL);
    *error = key ? 0 : -EBUSY;
    if (!key)
        return NULL;
    while (find_id(next_id)) /* there are fewer of them than ids */
        next_id++;
    if (RAND_bytes(key->secret, sizeof key->secret) != 1 || hpke_public(key->secret, key->public_key) < 0) {
        OPENSSL_cleanse(key, sizeof *key);
        *error = -EIO;
        return NULL;
    }
    key->id = next_id++;
    key->site = http_site_ref(site);
    loop_post_remote(end.loop, &end.begin);
    return key;
}

int keys_list(struct http_site *site, uint64_t now_ns, uint8_t list[OHTTP_KEYS_SIZE])
{
    int error = 0;
    ENSURE(site && end.loop);
    ENSURE(!http_site_is_over(site, now_ns));
    pthread_mutex_lock(&lock);
    struct key *key = find_site(site);
    if (!key)
        key = make(site, &error);
    if (key)
        ohttp_keys_write(key->id, key->public_key, list);
    pthread_mutex_unlock(&lock);
    return error;
}

struct http_site *keys_find(uint8_t id, uint64_t now_ns, uint8_t secret[OHTTP_KEY_SIZE])
{
    pthread_mutex_lock(&lock);
    const struct key *key = find_id(id);
    struct http_site *site = key && !http_site_is_over(key->site, now_ns) ? http_site_ref(key->site) : NULL;
    if (site)
        memcpy(secret, key->secret, OHTTP_KEY_SIZE);
    pthread_mutex_unlock(&lock);
    return site;
}
