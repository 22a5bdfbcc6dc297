/*
 * Between the files of wasi:keyvalue: a guest's one storage call, and replies. keyvalue.c has the calls,
 * keyvalue_batch.c those on many keys.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_KEYVALUE_H
#define ENCLAVE_OS_ENCLAVE_WASM_KEYVALUE_H

#include "enclave/wasm/internal.h"

struct kv_many; /* of a get-many */

struct kv_call {
    struct guest *guest; /* NULL: ended */
    bool done;
    int status;
    uint8_t *value;
    size_t size;
    struct kv_name *names; /* copies, in value */
    size_t name_count;
    uint64_t number;      /* cursor of a listing; delta, then result, of an increment */
    struct kv_many *many; /* freed with the call */
    size_t held;          /* by the guest, for what the call carries */
};

enum { NO_SUCH_STORE, ACCESS_DENIED, OTHER };

/* A new call, waited for by the guest; NULL (and a trap) if memory is short. */
struct kv_call *kv_call_begin(struct guest *g);
/* Charge what the call carries, until it ends. */
bool kv_call_hold(struct kv_call *call, size_t size);
/* From the store's callback: the guest goes on, or the call is freed if it has ended. */
void kv_call_complete(struct kv_call *call, int status);
void kv_call_status(void *user, int status); /* the same, as a kv_done */
/* What it brought stays until the reply is read: the next call, or the guest's end, frees it. */
void kv_call_end(struct guest *g, struct kv_call *call);
/* The same for all of the call. */
void kv_call_keep(struct guest *g, struct kv_call *call);
/* The steps that all functions share: HOST_DONE: *call is over and the guest's no more; HOST_WAIT: begin one unless
 * g->kv is set; HOST_TRAP. */
enum host_status kv_call_step(struct guest *g, const struct slot *args, struct kv_namespace **ns,
                              struct kv_call **call);

enum host_status kv_fail(struct guest *g, unsigned which, const char *why);
enum host_status kv_fail_status(struct guest *g, int status);

void kv_many_free(struct kv_many *many);
enum host_status kv_get_many(struct guest *g, const struct slot *args, size_t count);
enum host_status kv_set_many(struct guest *g, const struct slot *args, size_t count);
enum host_status kv_delete_many(struct guest *g, const struct slot *args, size_t count);

#endif
