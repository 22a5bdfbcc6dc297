/*
 * The file system over the sealed store, with a host in memory: what its tests share. Each test has an app of its own;
 * every operation is waited for, and all invariants are checked after it.
 */
#ifndef ENCLAVE_OS_ENCLAVE_FS_TESTING_WORLD_H
#define ENCLAVE_OS_ENCLAVE_FS_TESTING_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/fs/internal.h"
#include "enclave/kvstore/store.h"
#include "tests/native/host_memory.h"

extern struct worker worker;
extern struct store *store;
extern struct fs *fs;

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int setup(void **state);
int teardown(void **state);
/* A crash: memory is forgotten, the host's records stay. The app's tree is read anew. first: another store and app. */
void boot(bool first);

/* An operation on the root or a node; its buffer has room for so many bytes. */
struct fs_op *make(enum fs_call call, struct fs_node *node, const char *path, size_t bytes);
/* Submit it, and wait until it is back. */
struct fs_op *go(struct fs_op *op);
void on_done(struct fs_op *op); /* sets the bool that user points to */
/* What came of it; frees it. */
int error_of(struct fs_op *op);

int call(enum fs_call c, const char *path);
int to_path(enum fs_call c, const char *path, const char *to);
int rename_path(const char *from, const char *to);
int open_path(const char *path, uint32_t flags, struct fs_node **node);
void release(struct fs_node *node);
/* How much, or a negative errno. */
int write_at(struct fs_node *node, uint64_t offset, const void *data, size_t size);
int read_at(struct fs_node *node, uint64_t offset, void *data, size_t size);
int resize_to(struct fs_node *node, uint64_t size);
int sync_all(void);
uint64_t size_of(const char *path);
struct fs_stat stat_of(const char *path, uint32_t flags);

void put_file(const char *path, const char *text);
void assert_file(const char *path, const char *text);
/* The names in a directory (NULL: the root) as they come, each followed by a space. */
void assert_names(const char *path, const char *expected);

#endif
