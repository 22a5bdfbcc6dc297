/*
 * The log over the sealed store, with a host in memory: what its tests share. Each test has a store of its own; what is
 * asked for is waited for.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HISTORY_TESTING_WORLD_H
#define ENCLAVE_OS_ENCLAVE_HISTORY_TESTING_WORLD_H

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/history/internal.h"
#include "enclave/kvstore/store.h"
#include "enclave/thread/worker.h"
#include "tests/native/host_memory.h"

extern uint8_t root_of_manifest[32]; /* of all entries */
extern struct worker worker;
extern struct store *store;
extern struct history *history;
extern struct kv_namespace *ns; /* the log's own, to do it harm */
extern char why[256];

#define TEST(name) cmocka_unit_test_setup(name, setup)
int setup(void **state);
/* first: a new store; else a crash: memory is forgotten, the host's records stay. 0 or what history_open says. */
int open_log(bool first);

/* ---- appending */

struct appended {
    bool done;
    int error;
    struct history_head head;
};
void on_appended(void *user, int error, const struct history_head *head);
void turn_until(const bool *done);
struct history_entry make(const char *what);
/* One entry: what came of it. */
int append(const char *what);

/* ---- reading */

struct got {
    bool done;
    int error;
    uint8_t *data;
    size_t size;
};
void on_read(void *user, int error, uint8_t *data, size_t size);
struct got get(enum history_part_kind kind, unsigned level, uint64_t index, unsigned width);
void expect_read_fails(enum history_part_kind kind, unsigned level, uint64_t index, unsigned width, int error);
/* The whole log, entry by entry, into the tree of merkle.h; visit, if any, sees each. */
struct merkle read_all(void (*visit)(uint64_t index, const uint8_t *entry, size_t size));
/* The checkpoint says what the head says, which is what the entries make, and the key has signed it. */
void expect_sound(void);

/* ---- proofs */

struct proved {
    bool done;
    int error;
    size_t count;
    uint8_t proof[64][32];
};
void on_proof(void *user, int error, const uint8_t (*proof)[32], size_t count);
void on_known(void *user, int error);
int knows(uint64_t size, const uint8_t root[32]);
/* RFC 9162, section 2.1.4.2. */
bool consistent(uint64_t first, const uint8_t first_root[32], uint64_t second, const uint8_t second_root[32],
                const struct proved *p);

#endif
