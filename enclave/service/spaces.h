/*
 * What removed apps have stored: it goes after them, in bounded steps (kv_namespace_remove of kvstore.h), while others
 * are served. That a removal has begun is a record, written with the list that has the app no more; so one that a
 * restart cuts off goes on at boot.
 *
 * On the owner's thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_SPACES_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_SPACES_H

#include "enclave/kvstore/kvstore.h"
#include "enclave/wasm/app.h"

#define SPACES_KEY_SIZE (9u + APP_NAME_MAX + 1u)

/* The record, to be written with what lets nobody reach the space any more; its key is made in key. */
struct kv_op spaces_op(const char *space, char key[SPACES_KEY_SIZE]);
/* That is durable: begin. It is tried again at the next boot if it does not succeed, which the host's log says. */
void spaces_remove(const char *space);
/* Boot: go on with what there is. */
void spaces_resume(void);

#endif
