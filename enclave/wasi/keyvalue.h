/*
 * Between the files of wasi:keyvalue: a guest's one storage call, and replies (keyvalue_call.c). Above it,
 * keyvalue_batch.c has the functions on many keys, and keyvalue.c the others, and the tables.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_KEYVALUE_H
#define ENCLAVE_OS_ENCLAVE_WASI_KEYVALUE_H

#include "enclave/wasi/internal.h"

struct kv_many; /* of a get-many */

struct kv_call {
    struct guest *guest; /* NULL: ended */
    bool done;
    int error;
    struct app *app; /* a reference: what the call holds is charged to it, and may outlive the guest */
    uint8_t *value;  /* charged */
    size_t size;
    struct kv_name *names; /* copies, in value; charged */
    size_t name_count;
    uint64_t number;      /* cursor of a listing; delta, then result, of an increment */
    struct kv_many *many; /* freed with the call, by many_free */
    void (*many_free)(struct kv_many *many);
    struct charge charge; /* for what the store holds of it meanwhile */
};

enum { NO_SUCH_STORE, ACCESS_DENIED, OTHER };

/* What holds between any two steps. */
void kv_call_check(const struct kv_call *call);
/* A new call, waited for by the guest; NULL (and a trap) if memory is short. */
struct kv_call *kv_call_begin(struct guest *g);
/* Charge what the store holds for the call, until it ends. */
bool kv_call_hold(struct kv_call *call, size_t size);
/* Of a commit: the operations and their keys, and the values' copies, records and parts of the transaction. */
static inline size_t kv_call_cost(size_t count, size_t key_bytes, size_t value_bytes)
{
    return count * KV_OP_COST + key_bytes + 3 * value_bytes;
}
/* What each of the store's callbacks begins with: the call that it answers. */
struct kv_call *kv_call_answered(void *user);
/* The guest goes on, or the call is freed if it has ended. */
void kv_call_complete(struct kv_call *call, int error);
void kv_call_over(void *user, int error); /* a kv_done, for where nothing else has to be done */
/* With what the store said when it was asked: if it refused, that is the call's end. */
void kv_call_begun(struct kv_call *call, int error);
/* What it brought stays until the reply is read: the next call, or the guest's end, frees it. */
void kv_call_end(struct guest *g, struct kv_call *call);
/* The same for all of the call. */
void kv_call_keep(struct guest *g, struct kv_call *call);
/* The steps that all functions share: HOST_DONE: *call is over and the guest's no more; HOST_WAIT: begin one unless
 * g->kv is set; HOST_TRAP. */
enum host_result kv_call_step(struct guest *g, const struct slot *args, struct kv_namespace **ns,
                              struct kv_call **call);

enum host_result kv_fail(struct guest *g, unsigned which, const char *why);
enum host_result kv_fail_error(struct guest *g, int error);

HOST_FUNC(kv_get_many);
HOST_FUNC(kv_set_many);
HOST_FUNC(kv_delete_many);

#endif
