/* The host, the store and the compiler's thread: see played.h. */
#include "enclave/kvstore/store.h"
#include "enclave/service/testing/played.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <ucontext.h>

#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/service/generation.h"
#include "enclave/service/spaces.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"

struct system enclave_system;

/* ---- chance ------------------------------------------------------------------------------------------------------ */

uint64_t chance_state;

static uint64_t chance_bits(void)
{
    uint64_t z = (chance_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t chance(uint32_t below)
{
    return (uint32_t)((chance_bits() >> 32) * below >> 32);
}

bool chance_of(uint32_t per_mille)
{
    return chance(1000) < per_mille;
}

void sgx_random(void *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)chance_bits();
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

struct played_store *played_store;
uint32_t played_malice;

struct commit {
    struct commit *next;
    struct kv_op ops[16];
    size_t count;
    kv_done done;
    void *user;
    bool judged; /* made, or refused for good; the answer is on its way */
    int error;
};
static struct commit *commits, **commits_end = &commits;

static struct played_record *find_record(const char *key, size_t size)
{
    for (size_t i = 0; i < PLAYED_RECORDS; i++)
        if (strlen(played_store->records[i].key) == size && memcmp(played_store->records[i].key, key, size) == 0)
            return &played_store->records[i];
    return NULL;
}

const struct played_record *played_find(const char *key)
{
    return find_record(key, strlen(key));
}

static void apply(const struct kv_op *op)
{
    struct played_record *r = find_record(op->key, op->key_size);
    if (op->kind == KV_DELETE) {
        if (r)
            *r = (struct played_record){0};
        return;
    }
    r = r ? r : find_record("", 0);
    ENSURE(r && op->key_size < sizeof r->key && op->value_size <= sizeof r->value);
    memset(r, 0, sizeof *r);
    memcpy(r->key, op->key, op->key_size);
    memcpy(r->value, op->value ? op->value : "", op->value_size);
    r->size = op->value_size;
}

void *played_copy(const void *from, size_t size)
{
    void *to = malloc(size ? size : 1);
    ENSURE(to);
    memcpy(to, from ? from : "", size);
    return to;
}

int kv_commit(struct worker *w, const struct kv_op *ops, size_t count, kv_done done, void *user)
{
    ENSURE(w == enclave_system.owner && count > 0);
    ENSURE(count <= sizeof commits->ops / sizeof *ops);
    if (chance_of(played_malice / 4))
        return -ENOMEM;
    struct commit *c = calloc(1, sizeof *c);
    ENSURE(c);
    for (size_t i = 0; i < count; i++) {
        c->ops[i] = ops[i];
        c->ops[i].key = played_copy(ops[i].key, ops[i].key_size);
        c->ops[i].value = played_copy(ops[i].value, ops[i].value_size);
    }
    c->count = count;
    c->done = done;
    c->user = user;
    *commits_end = c;
    commits_end = &c->next;
    return 0;
}

/* Nothing here writes beside the store. */
int store_commit_beside(struct store *s, const struct kv_op *ops, size_t count, const struct raw_op *beside,
                        size_t beside_count, kv_done done, void *user)
{
    (void)s, (void)ops, (void)count, (void)beside, (void)beside_count, (void)done, (void)user;
    ENSURE(false);
    return -ENOSYS;
}

static void judge(struct commit *c)
{
    static const int errors[] = {-EIO, -ENOSPC, -EBADMSG};
    c->judged = true;
    c->error = chance_of(played_malice) ? errors[chance(3)] : 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->error == 0)
            apply(&c->ops[i]);
        free((void *)c->ops[i].key);
        free((void *)c->ops[i].value);
    }
}

bool played_store_step(void)
{
    struct commit *c = commits;
    while (c && c->judged && c->next && chance(2)) /* many may be under way, whose answers are late */
        c = c->next;
    if (c && !c->judged) {
        judge(c);
        return true;
    }
    c = commits;
    if (!c)
        return false;
    commits = c->next;
    if (!commits)
        commits_end = &commits;
    if (c->done)
        c->done(c->user, c->error);
    free(c);
    return true;
}

int kv_commit_wait(struct worker *w, const struct kv_op *ops, size_t count)
{
    ENSURE(w == enclave_system.owner);
    if (chance_of(played_malice))
        return -EIO;
    for (size_t i = 0; i < count; i++) {
        apply(&ops[i]);
        if (ops[i].key_size == strlen(GENERATION_KEY) && memcmp(ops[i].key, GENERATION_KEY, ops[i].key_size) == 0)
            played_store->numbers++;
    }
    return 0;
}

int kv_get_wait(struct worker *w, struct kv_namespace *ns, const char *key, uint8_t **value, size_t *size)
{
    const struct played_record *r = played_find(key);
    ENSURE(w == enclave_system.owner);
    *value = r ? played_copy(r->value, r->size) : NULL;
    *size = r ? r->size : 0;
    return r ? 0 : -ENOENT;
}

int system_get(const char *key, uint8_t **value, size_t *size)
{
    return kv_get_wait(enclave_system.owner, NULL, key, value, size);
}

int system_put(const char *key, const void *value, size_t size)
{
    const struct kv_op op = {KV_PUT, NULL, key, strlen(key), value, size};
    return kv_commit_wait(enclave_system.owner, &op, 1);
}

struct kv_op spaces_op(const char *space, char key[SPACES_KEY_SIZE])
{
    snprintf(key, SPACES_KEY_SIZE, "removing");
    return (struct kv_op){KV_PUT, NULL, key, strlen(key), space, strlen(space)};
}

void spaces_remove(const char *space)
{
    ENSURE(*space);
}

/* ---- the host's answers ------------------------------------------------------------------------------------------ */

uint64_t played_clock_ns;
struct run_args played_args;
uint64_t played_renewals;

struct asked {
    struct asked *next;
    enum rpc_method method;
    struct sgx_report report;
    rpc_done done;
    void *user;
};
static struct asked *asked;
static struct sgx_report_body old_quote; /* one that was right once */

const struct run_args *ecall_run_args(void)
{
    return &played_args;
}

bool ecall_shutdown_requested(uint64_t *deadline_ns)
{
    (void)deadline_ns;
    return false;
}

int rpc_call(struct rpc_client *client, enum rpc_method method, const void *payload, size_t size, rpc_done done,
             void *user)
{
    (void)client;
    if (chance_of(played_malice / 4))
        return -ENOMEM;
    struct asked *a = calloc(1, sizeof *a);
    ENSURE(a && size <= sizeof a->report);
    a->method = method;
    memcpy(&a->report, payload ? payload : "", size);
    a->done = done;
    a->user = user;
    a->next = asked;
    asked = a;
    return 0;
}

void rpc_log(struct rpc_client *client, enum log_level level, const char *format, ...)
{
    (void)client, (void)level, (void)format;
}

void rpc_client_on_news(struct rpc_client *client)
{
    (void)client;
}

static void lie(const struct asked *a)
{
    uint8_t forged[512] = {0};
    switch (chance(4)) {
    case 0:
        a->done(a->user, -EIO, NULL, 0);
        break;
    case 1: /* the answer to another question */
        a->done(a->user, 0, forged, a->method == RPC_QUOTE ? sizeof forged : sizeof a->report.body);
        break;
    case 2: /* an older one */
        a->done(a->user, 0, (const uint8_t *)&old_quote, sizeof old_quote);
        break;
    default:
        memcpy(forged, &a->report.body, sizeof a->report.body);
        forged[chance(sizeof a->report.body)] ^= (uint8_t)(1 + chance(255));
        a->done(a->user, 0, forged, sizeof a->report.body);
    }
}

bool played_answer(void)
{
    struct asked **at = &asked;
    while (*at && (*at)->next && chance(2)) /* in any order */
        at = &(*at)->next;
    struct asked *a = *at;
    if (!a)
        return false;
    *at = a->next;
    static const struct sgx_targetinfo target;
    if (chance_of(played_malice))
        lie(a);
    else if (a->method == RPC_QUOTE_TARGET_INFO)
        a->done(a->user, 0, (const uint8_t *)&target, sizeof target);
    else {
        if (chance(2))
            old_quote = a->report.body;
        a->done(a->user, 0, (const uint8_t *)&a->report.body, sizeof a->report.body);
    }
    free(a);
    return true;
}

/* Boot's turns. */
void worker_turn(struct worker *w)
{
    played_answer();
    if (chance(4) == 0)
        played_clock_ns += chance(400) * UINT64_C(1000000000);
    loop_run_once(&w->loop, played_clock_ns);
}

/* ---- the compiler's thread --------------------------------------------------------------------------------------- */

static ucontext_t scheduler, compiler;
static bool compiling; /* it is the one that runs */

void *change_thread(void *unused);

static void compiler_body(void)
{
    change_thread(NULL);
    ENSURE(false);
}

void played_compiler_start(void)
{
    static _Alignas(64) char stack[1u << 20];
    ENSURE(getcontext(&compiler) == 0);
    compiler.uc_stack.ss_sp = stack;
    compiler.uc_stack.ss_size = sizeof stack;
    makecontext(&compiler, compiler_body, 0);
}

void played_compile(void)
{
    compiling = true;
    ENSURE(swapcontext(&scheduler, &compiler) == 0);
    compiling = false;
}

void played_pause(void)
{
    if (compiling)
        ENSURE(swapcontext(&compiler, &scheduler) == 0);
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    (void)condition;
    ENSURE(compiling);
    pthread_mutex_unlock(mutex);
    played_pause();
    return pthread_mutex_lock(mutex);
}
