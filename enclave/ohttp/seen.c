/* See seen.h. */
#include "enclave/ohttp/seen.h"

#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/budget/budget.h"
#include "enclave/ohttp/limits.h"

#define NAME_SIZE 16u
#define BUCKETS_AT_ONCE 8u

struct one {
    struct one *next;
    int64_t until_s; /* the last second in which it would be taken */
    uint8_t name[NAME_SIZE];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct one *buckets[OHTTP_SEEN_BUCKETS];
static uint64_t count;
static uint8_t salt[32]; /* who sends cannot choose the bucket */
static bool is_salted;
static int64_t latest_s; /* that the clock has shown */

/* What is out of the window in one bucket goes. */
static void forget(struct one **at)
{
    ENSURE(at >= buckets && at < buckets + OHTTP_SEEN_BUCKETS);
    while (*at) {
        struct one *one = *at;
        if (one->until_s >= latest_s) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        charged_free(one);
        ENSURE(count > 0 && count <= OHTTP_SEEN_MAX);
        count--;
    }
}

/* As many of the buckets, in turn, so that what is past goes whichever are looked at. */
static void forget_some(size_t buckets_count)
{
    static size_t next;
    for (size_t i = 0; i < buckets_count; i++)
        forget(&buckets[next++ % OHTTP_SEEN_BUCKETS]);
}

/* Under the lock. */
static enum seen look(const uint8_t name[NAME_SIZE], int64_t until_s, struct budget *memory)
{
    ENSURE(memory && until_s >= latest_s);
    ENSURE(count <= OHTTP_SEEN_MAX);
    struct one **bucket = &buckets[(name[0] | name[1] << 8) % OHTTP_SEEN_BUCKETS];
    forget(bucket);
    forget_some(BUCKETS_AT_ONCE);
    for (const struct one *one = *bucket; one; one = one->next)
        if (memcmp(one->name, name, NAME_SIZE) == 0)
            return SEEN_BEFORE;
    if (count >= OHTTP_SEEN_MAX)
        forget_some(OHTTP_SEEN_BUCKETS);
    struct one *one = count < OHTTP_SEEN_MAX ? charged_alloc(memory, sizeof *one) : NULL;
    if (!one)
        return SEEN_FULL;
    *one = (struct one){.next = *bucket, .until_s = until_s};
    memcpy(one->name, name, NAME_SIZE);
    *bucket = one;
    count++;
    return SEEN_NEVER;
}

enum seen seen_look(const uint8_t encapsulated[OHTTP_ENCAPSULATED_SIZE], int64_t made_s, int64_t *clock_s,
                    struct budget *memory)
{
    uint8_t input[sizeof salt + OHTTP_ENCAPSULATED_SIZE], hash[32];
    enum seen seen = SEEN_TOO_OLD;
    ENSURE(*clock_s >= 0 && made_s >= 0);
    pthread_mutex_lock(&lock);
    if (!is_salted)
        is_salted = RAND_bytes(salt, sizeof salt) == 1;
    latest_s = *clock_s > latest_s ? *clock_s : latest_s;
    *clock_s = latest_s;
    memcpy(input, salt, sizeof salt);
    memcpy(input + sizeof salt, encapsulated, OHTTP_ENCAPSULATED_SIZE);
    SHA256(input, sizeof input, hash);
    if (made_s >= latest_s - OHTTP_DATE_WINDOW_S && made_s <= latest_s + OHTTP_DATE_WINDOW_S)
        seen = is_salted ? look(hash, made_s + OHTTP_DATE_WINDOW_S, memory) : SEEN_FULL;
    pthread_mutex_unlock(&lock);
    return seen;
}

uint64_t seen_count(void)
{
    pthread_mutex_lock(&lock);
    uint64_t now = count;
    pthread_mutex_unlock(&lock);
    return now;
}
