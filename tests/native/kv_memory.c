/*
 * enclave/kvstore/kvstore.h in memory, for tests outside the enclave: one sorted-nothing list under one lock.
 */
#include "common/container.h"
#include "enclave/kvstore/kvstore.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/thread/worker.h"

struct kv_namespace {
    char name[KV_NAMESPACE_MAX + 1];
};

struct record {
    struct record *next;
    char ns[KV_NAMESPACE_MAX + 1];
    size_t key_size, value_size;
    uint8_t *key, *value;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct record *records;

struct kv_namespace *kv_namespace_open(struct store *store, const char *name)
{
    struct kv_namespace *ns = calloc(1, sizeof *ns);
    if (ns)
        strncpy(ns->name, name, KV_NAMESPACE_MAX);
    return ns;
}

void kv_namespace_close(struct kv_namespace *ns)
{
    free(ns);
}

static void *copy(const void *data, size_t size)
{
    void *made = malloc(size + 1);
    if (size)
        memcpy(made, data, size);
    return made;
}

static struct record **find(struct kv_namespace *ns, const void *key, size_t size)
{
    struct record **at = &records;
    while (*at && (strcmp((*at)->ns, ns->name) || (*at)->key_size != size || memcmp((*at)->key, key, size)))
        at = &(*at)->next;
    return at;
}

static void put(struct kv_namespace *ns, const void *key, size_t key_size, const void *value, size_t size)
{
    struct record **at = find(ns, key, key_size);
    if (!*at) {
        *at = calloc(1, sizeof **at);
        strcpy((*at)->ns, ns->name);
        (*at)->key = copy(key, key_size);
        (*at)->key_size = key_size;
    }
    free((*at)->value);
    (*at)->value = copy(value, size);
    (*at)->value_size = size;
}

static void drop_at(struct record **at)
{
    struct record *gone = *at;
    if (!gone)
        return;
    *at = gone->next;
    free(gone->key);
    free(gone->value);
    free(gone);
}

static void drop(struct kv_namespace *ns, const void *key, size_t size)
{
    drop_at(find(ns, key, size));
}

/* Answers come from the loop, as the real store's do. */
struct answer {
    struct loop_task task;
    void *user;
    kv_get_done get;
    kv_done done;
    kv_list_done list;
    int status;
    uint8_t *value;
    size_t size;
    struct kv_name *names;
};

static void deliver(struct loop_task *task)
{
    struct answer *a = CONTAINER_OF(task, struct answer, task);
    if (a->get)
        a->get(a->user, a->status, a->value, a->size);
    else if (a->list)
        a->list(a->user, a->status, a->names, a->size, 0);
    else
        a->done(a->user, a->status);
    free(a->value);
    for (size_t i = 0; a->names && i < a->size; i++)
        free((void *)a->names[i].data);
    free(a->names);
    free(a);
}

static int answer(struct worker *w, struct answer a)
{
    struct answer *later = malloc(sizeof *later);
    *later = a;
    later->task = (struct loop_task){.fn = deliver};
    loop_post(&w->loop, &later->task);
    return 0;
}

int kv_get(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_get_done done, void *user)
{
    struct answer a = {.user = user, .get = done, .status = -ENOENT};
    pthread_mutex_lock(&lock);
    struct record *r = *find(ns, key, key_size);
    if (r) {
        a.status = 0;
        a.value = copy(r->value, r->value_size);
        a.size = r->value_size;
    }
    pthread_mutex_unlock(&lock);
    return answer(w, a);
}

int kv_exists(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_done done, void *user)
{
    pthread_mutex_lock(&lock);
    struct record *r = *find(ns, key, key_size);
    pthread_mutex_unlock(&lock);
    return answer(w, (struct answer){.user = user, .done = done, .status = r ? 0 : -ENOENT});
}

int kv_each(const struct kv_namespace *ns, kv_visit visit, void *user)
{
    pthread_mutex_lock(&lock);
    for (struct record *r = records; r; r = r->next)
        if (!strcmp(r->ns, ns->name) && !visit(user, r->key, r->key_size))
            break;
    pthread_mutex_unlock(&lock);
    return 0;
}

int kv_list(struct worker *w, struct kv_namespace *ns, uint64_t cursor, kv_list_done done, void *user)
{
    struct answer a = {.user = user, .list = done};
    pthread_mutex_lock(&lock);
    size_t count = 0;
    for (struct record *r = records; r; r = r->next)
        count += strcmp(r->ns, ns->name) == 0;
    a.names = calloc(count + 1, sizeof *a.names);
    for (struct record *r = records; r; r = r->next)
        if (strcmp(r->ns, ns->name) == 0)
            a.names[a.size++] = (struct kv_name){copy(r->key, r->key_size), r->key_size};
    pthread_mutex_unlock(&lock);
    return answer(w, a);
}

int kv_commit(struct worker *w, const struct kv_op *ops, size_t count, kv_done done, void *user)
{
    int status = 0;
    for (size_t i = 0; i < count; i++)
        if (ops[i].key_size > KV_KEY_MAX || ops[i].value_size > KV_VALUE_MAX)
            status = -EINVAL;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; status == 0 && i < count; i++) {
        if (ops[i].kind == KV_PUT)
            put(ops[i].ns, ops[i].key, ops[i].key_size, ops[i].value, ops[i].value_size);
        else
            drop(ops[i].ns, ops[i].key, ops[i].key_size);
    }
    pthread_mutex_unlock(&lock);
    return answer(w, (struct answer){.user = user, .done = done, .status = status});
}

int kv_update(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_modify modify,
              kv_done done, void *user)
{
    pthread_mutex_lock(&lock);
    struct record *r = *find(ns, key, key_size);
    uint8_t *out = NULL;
    size_t size = 0;
    int status = modify(user, r ? r->value : NULL, r ? r->value_size : 0, &out, &size);
    if (status == 0)
        put(ns, key, key_size, out, size);
    free(out);
    pthread_mutex_unlock(&lock);
    return answer(w, (struct answer){.user = user, .done = done, .status = status});
}

int kv_namespace_remove(struct worker *w, struct kv_namespace *ns, kv_done done, void *user)
{
    size_t size = strlen(ns->name);
    pthread_mutex_lock(&lock);
    for (struct record **at = &records, *r; (r = *at);) {
        if (strncmp(r->ns, ns->name, size) == 0 && (r->ns[size] == ':' || r->ns[size] == '\0'))
            drop_at(at);
        else
            at = &r->next;
    }
    pthread_mutex_unlock(&lock);
    return answer(w, (struct answer){.user = user, .done = done});
}

struct budget *kv_memory(const struct kv_namespace *ns)
{
    static struct budget all = {.name = "stored names", .limit = BUDGET_UNLIMITED};
    return &all;
}
