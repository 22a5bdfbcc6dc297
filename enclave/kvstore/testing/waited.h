/*
 * A store over a host in memory (tests/native/host_memory.h), and its calls as functions that return when they are
 * answered. For tests: cmocka fails the one that a call goes wrong in.
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_TESTING_WAITED_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_TESTING_WAITED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/store.h"

extern struct worker worker;
extern struct store *store;
extern struct kv_namespace *ns; /* in which all calls are */
extern char why[256];           /* the store did not open */

/* An empty store that is open, and its end, at which it is in order (store_check). */
int waited_setup(void **state);
int waited_teardown(void **state);

void close_store(void);
/* first: it is made. Else as store_open. */
int reopen(bool first);

struct result {
    bool done;
    int error;
    uint8_t *value; /* the caller's */
    size_t size;
};
void on_done(void *user, int error); /* user: a struct result */
void finish(struct result *r);       /* turns until it is done */

int put(const char *key, const void *value, size_t size);
int delete_key(const char *key);
struct result get(const char *key);
int get_error(const char *key);
void assert_value(const char *key, const char *expected);

#endif
