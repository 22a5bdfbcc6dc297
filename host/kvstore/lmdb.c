/*
 * The embedded store: LMDB. A commit is one write transaction, which LMDB syncs before it returns.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/ensure.h"
#include "host/kvstore/copy.h"
#include "host/kvstore/internal.h"
#include "host/kvstore/kvstore.h"

/* Address space only: the file grows as it is used. */
#define MAP_SIZE (64ull << 30)

struct kvstore {
    MDB_env *env;
    MDB_dbi dbi;
    int lock; /* flock on it keeps a second process out, which LMDB itself would let in */
    struct kvstore_heads heads;
};

static void note_heads(struct kvstore *kv)
{
    mdb_filehandle_t fd;
    if (mdb_env_get_fd(kv->env, &fd) == 0)
        kvstore_note_heads(fd, &kv->heads);
}

int kvstore_errno(int code)
{
    if (code <= 0 && code != MDB_SUCCESS)
        return code == MDB_NOTFOUND ? -ENOENT : code == MDB_MAP_FULL ? -ENOSPC : -EIO;
    return -code;
}

static MDB_val to_val(struct kvstore_bytes b)
{
    return (MDB_val){.mv_size = b.size, .mv_data = (void *)(uintptr_t)b.data};
}

int kvstore_lock(const char *folder, bool *made, char *error, size_t error_size)
{
    char path[4096];
    int fd = (size_t)snprintf(path, sizeof path, "%s/" KVSTORE_LOCK, folder) < sizeof path
                 ? kvstore_lock_file(folder, path, made)
                 : -ENAMETOOLONG;
    if (fd == -EBUSY)
        snprintf(error, error_size, "data folder %s is in use by another process", folder);
    else if (fd < 0)
        snprintf(error, error_size, "data folder %s: %s", folder, strerror(-fd));
    return fd;
}

/* A new store would begin where one was to be put back. Under the lock. */
static int need_restored(const char *folder, char *error, size_t error_size)
{
    char part[4096], whole[4096];
    if ((size_t)snprintf(whole, sizeof whole, "%s/" KVSTORE_FILE, folder) >= sizeof whole ||
        (size_t)snprintf(part, sizeof part, "%s.part", whole) >= sizeof part)
        return -ENAMETOOLONG;
    if (access(whole, F_OK) == 0 || access(part, F_OK) != 0)
        return 0;
    snprintf(error, error_size, "data folder %s: a backup was to be put there, and is not whole: restore it again",
             folder);
    return -ENODATA;
}

static int open_environment(struct kvstore *kv, const char *folder)
{
    MDB_txn *txn = NULL;
    KVSTORE_WATCH(NULL);
    int code = -kvstore_give_lock(folder);
    if (code == 0)
        code = mdb_env_create(&kv->env);
    if (code == 0)
        code = mdb_env_set_assert(kv->env, kvstore_on_assert);
    if (code == 0)
        code = mdb_env_set_mapsize(kv->env, MAP_SIZE);
    if (code == 0)
        code = mdb_env_set_maxdbs(kv->env, 1); /* for drop_tables() alone */
    /* NOTLS: a reader's slot belongs to its transaction, so that any thread may read. */
    if (code == 0)
        code = mdb_env_open(kv->env, folder, MDB_NOTLS | MDB_NORDAHEAD, 0600);
    if (code == 0)
        code = mdb_txn_begin(kv->env, NULL, 0, &txn);
    if (code == 0)
        code = mdb_dbi_open(txn, NULL, 0, &kv->dbi);
    if (code == 0) {
        code = mdb_txn_commit(txn);
        txn = NULL;
    }
    if (txn)
        mdb_txn_abort(txn);
    return code;
}

int kvstore_open(const char *folder, struct kvstore **out, char *error, size_t error_size)
{
    struct kvstore *kv = calloc(1, sizeof *kv);
    if (!kv)
        return -ENOMEM;
    bool made;
    kv->lock = kvstore_lock(folder, &made, error, error_size);
    int result = kv->lock < 0 ? kv->lock : need_restored(folder, error, error_size);
    if (result == 0)
        result = kvstore_mend_heads(folder, error, error_size);
    if (result == 0) {
        int code = open_environment(kv, folder);
        if (code != 0) {
            snprintf(error, error_size, "data folder %s: %s%s", folder, mdb_strerror(code),
                     code < 0 ? ": restore a backup" : "");
            result = kvstore_errno(code);
        }
    }
    if (result != 0) {
        kvstore_close(kv);
        return result;
    }
    note_heads(kv);
    *out = kv;
    return 0;
}

void kvstore_close(struct kvstore *kv)
{
    KVSTORE_WATCH(NULL);
    if (kv->env)
        mdb_env_close(kv->env);
    if (kv->lock >= 0)
        close(kv->lock);
    free(kv);
}

static bool key_is_valid(struct kvstore_bytes key)
{
    return key.size > 0 && key.size <= KVSTORE_KEY_MAX;
}

/* Else it is somebody else's. */
static bool may_be_ours(const MDB_val *key, const MDB_val *value)
{
    return key->mv_size <= KVSTORE_KEY_MAX && value->mv_size <= KVSTORE_VALUE_MAX;
}

int kvstore_get(struct kvstore *kv, struct kvstore_bytes key, void **value, size_t *size)
{
    ENSURE(kv->env && value && size);
    KVSTORE_WATCH(NULL);
    if (!key_is_valid(key))
        return -EINVAL;
    MDB_txn *txn;
    int code = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return kvstore_errno(code);
    MDB_val k = to_val(key), v;
    int result = kvstore_errno(mdb_get(txn, kv->dbi, &k, &v));
    if (result == 0 && !may_be_ours(&k, &v))
        result = -ENOENT;
    if (result == 0) {
        *value = malloc(v.mv_size ? v.mv_size : 1);
        *size = v.mv_size;
        if (*value)
            memcpy(*value, v.mv_data, v.mv_size);
        else
            result = -ENOMEM;
    }
    mdb_txn_abort(txn);
    return result;
}

static int apply(struct kvstore *kv, MDB_txn *txn, const struct kvstore_op *op)
{
    if (!key_is_valid(op->key) || (op->put && op->value.size > KVSTORE_VALUE_MAX))
        return -EINVAL;
    MDB_val k = to_val(op->key), v = to_val(op->value);
    int code = op->put ? mdb_put(txn, kv->dbi, &k, &v, 0) : mdb_del(txn, kv->dbi, &k, NULL);
    if (code == MDB_INCOMPATIBLE)
        return -EISDIR;
    return code == MDB_NOTFOUND ? 0 : kvstore_errno(code);
}

static int commit_once(struct kvstore *kv, const struct kvstore_op *ops, size_t count)
{
    MDB_txn *txn;
    int result = kvstore_errno(mdb_txn_begin(kv->env, NULL, 0, &txn));
    if (result != 0)
        return result;
    for (size_t i = 0; i < count && result == 0; i++)
        result = apply(kv, txn, &ops[i]);
    if (result != 0) {
        mdb_txn_abort(txn);
        return result;
    }
    return kvstore_errno(mdb_txn_commit(txn));
}

/* Somebody's tables that have the names of records, which keeps LMDB from writing those. */
static int drop_tables(struct kvstore *kv, const struct kvstore_op *ops, size_t count)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(kv->env, NULL, 0, &txn);
    if (code != 0)
        return kvstore_errno(code);
    for (size_t i = 0; i < count && code == 0; i++) {
        char name[KVSTORE_KEY_MAX + 1] = {0}; /* as whoever made it had to give it: up to the first zero */
        MDB_dbi table;
        if (!key_is_valid(ops[i].key))
            continue;
        memcpy(name, ops[i].key.data, ops[i].key.size);
        if (mdb_dbi_open(txn, name, 0, &table) == 0)
            code = mdb_drop(txn, table, 1);
    }
    if (code == 0)
        return kvstore_errno(mdb_txn_commit(txn));
    mdb_txn_abort(txn);
    return kvstore_errno(code);
}

/* LMDB answers EIO when the disk filled up in the middle of a write. */
static bool disk_is_full(struct kvstore *kv, const struct kvstore_op *ops, size_t count)
{
    struct statvfs disk;
    mdb_filehandle_t fd;
    uint64_t size = 1 << 20;
    for (size_t i = 0; i < count; i++)
        size += ops[i].put ? ops[i].value.size : 0;
    return mdb_env_get_fd(kv->env, &fd) == 0 && fstatvfs(fd, &disk) == 0 && disk.f_bavail * disk.f_frsize < size;
}

/* Pages that a transaction frees are used again by the second one after it, so a store that was full would stay so. One
 * that writes a small record as it is, is the first. */
static int pass_transaction(struct kvstore *kv)
{
    MDB_txn *txn;
    MDB_cursor *cursor = NULL;
    MDB_val k, v = {.mv_size = SIZE_MAX};
    int code = mdb_txn_begin(kv->env, NULL, 0, &txn);
    if (code != 0)
        return kvstore_errno(code);
    code = mdb_cursor_open(txn, kv->dbi, &cursor);
    for (int i = 0; code == 0 && v.mv_size > 512 && i < 1000; i++)
        code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    if (code == 0) {
        uint8_t copy[512];
        code = v.mv_size > sizeof copy ? MDB_NOTFOUND : 0;
        if (code == 0) {
            memcpy(copy, v.mv_data, v.mv_size);
            v.mv_data = copy;
            code = mdb_cursor_put(cursor, &k, &v, MDB_CURRENT);
        }
    }
    if (cursor)
        mdb_cursor_close(cursor);
    if (code == 0)
        return kvstore_errno(mdb_txn_commit(txn));
    mdb_txn_abort(txn);
    return kvstore_errno(code);
}

int kvstore_commit(struct kvstore *kv, const struct kvstore_op *ops, size_t count)
{
    int dead;
    ENSURE(kv->env && (ops || count == 0));
    KVSTORE_WATCH(NULL);
    mdb_reader_check(kv->env, &dead); /* a backup that was killed: what it read could not be used again */
    int result = commit_once(kv, ops, count);
    if (result == -EISDIR)
        result = drop_tables(kv, ops, count) == 0 ? commit_once(kv, ops, count) : -EIO;
    if (result == -EIO && disk_is_full(kv, ops, count))
        result = -ENOSPC;
    if (result == -ENOSPC && pass_transaction(kv) == 0) {
        result = commit_once(kv, ops, count);
        if (result == -EIO && disk_is_full(kv, ops, count))
            result = -ENOSPC;
    }
    note_heads(kv);
    return result;
}

static bool has_prefix(const MDB_val *key, struct kvstore_bytes prefix)
{
    return key->mv_size >= prefix.size && (prefix.size == 0 || memcmp(key->mv_data, prefix.data, prefix.size) == 0);
}

/* Stand on the first key that is >= prefix and > after. */
static int first_key(MDB_cursor *cursor, struct kvstore_bytes prefix, struct kvstore_bytes after, MDB_val *k,
                     MDB_val *v)
{
    if (after.size == 0) {
        *k = to_val(prefix);
        return mdb_cursor_get(cursor, k, v, prefix.size ? MDB_SET_RANGE : MDB_FIRST);
    }
    *k = to_val(after);
    int code = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
    if (code == 0 && k->mv_size == after.size && memcmp(k->mv_data, after.data, after.size) == 0)
        code = mdb_cursor_get(cursor, k, v, MDB_NEXT);
    return code;
}

int kvstore_scan(struct kvstore *kv, struct kvstore_bytes prefix, struct kvstore_bytes after, kvstore_visit visit,
                 void *user)
{
    if (prefix.size > KVSTORE_KEY_MAX || after.size > KVSTORE_KEY_MAX)
        return -EINVAL;
    KVSTORE_WATCH(NULL);
    MDB_txn *txn;
    MDB_cursor *cursor;
    int code = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return kvstore_errno(code);
    code = mdb_cursor_open(txn, kv->dbi, &cursor);
    if (code == 0) {
        MDB_val k, v;
        code = first_key(cursor, prefix, after, &k, &v);
        while (code == 0 && has_prefix(&k, prefix) &&
               (!may_be_ours(&k, &v) || visit(user, (struct kvstore_bytes){k.mv_data, k.mv_size},
                                              (struct kvstore_bytes){v.mv_data, v.mv_size})))
            code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return code == MDB_NOTFOUND ? 0 : kvstore_errno(code);
}
