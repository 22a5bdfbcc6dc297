/* See copy.h. */
#include "host/kvstore/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/kvstore/internal.h"

#define PATH_SIZE 4096
#define ROOT_MAX 256 /* bytes of the sealed root, of which only equality is looked at */

/* What names one commit. */
struct state {
    uint64_t records, bytes;
    uint8_t root[ROOT_MAX];
    size_t root_size;
};

static int say(int result, char *error, size_t error_size, const char *folder, const char *what)
{
    snprintf(error, error_size, "%s: %s", folder, what ? what : strerror(-result));
    return result;
}

static int path_of(const char *folder, const char *name, char path[PATH_SIZE], char *error, size_t error_size)
{
    if ((size_t)snprintf(path, PATH_SIZE, "%s/%s", folder, name) < PATH_SIZE)
        return 0;
    return say(-ENAMETOOLONG, error, error_size, folder, NULL);
}

/* Opening a pipe would wait for somebody who writes. */
static int need_file(const char *folder, char *error, size_t error_size)
{
    char path[PATH_SIZE];
    struct stat st;
    int result = path_of(folder, KVSTORE_FILE, path, error, error_size);
    if (result == 0 && stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        result = say(-EINVAL, error, error_size, path, "it is not a file");
    return result;
}

/* For reading. beside: a server may have it open, so that LMDB's own lock is needed. */
static int open_to_read(const char *folder, bool beside, MDB_env **env, char *error, size_t error_size)
{
    int judged = need_file(folder, error, error_size);
    if (judged == 0)
        judged = kvstore_judge_heads(folder, error, error_size);
    if (judged < 0)
        return judged;
    KVSTORE_WATCH(NULL);
    int code = mdb_env_create(env);
    if (code == 0)
        code = mdb_env_set_assert(*env, kvstore_on_assert);
    if (code == 0 && beside)
        code = -kvstore_give_lock(folder);
    if (code == 0)
        code = mdb_env_open(*env, folder, MDB_RDONLY | MDB_NOTLS | (beside ? 0 : MDB_NOLOCK), 0600);
    if (code == 0)
        return 0;
    mdb_env_close(*env);
    *env = NULL;
    if (code == ENOENT)
        return say(-ENOENT, error, error_size, folder, "there is no store in it (" KVSTORE_FILE ")");
    return say(kvstore_errno(code), error, error_size, folder, mdb_strerror(code));
}

static int read_state(MDB_env *env, struct state *out)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_stat stat = {0};
    MDB_val key = {4, (void *)(uintptr_t) "root"}, value = {0};
    int code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return kvstore_errno(code);
    code = mdb_dbi_open(txn, NULL, 0, &dbi);
    if (code == 0)
        code = mdb_stat(txn, dbi, &stat);
    if (code == 0)
        code = mdb_get(txn, dbi, &key, &value);
    if (code == 0 && value.mv_size > sizeof out->root)
        code = MDB_CORRUPTED;
    if (code == 0) {
        out->records = stat.ms_entries;
        out->root_size = value.mv_size;
        memcpy(out->root, value.mv_data, value.mv_size);
    }
    mdb_txn_abort(txn);
    return kvstore_errno(code);
}

/* A copy that is being written, and whose until it is in its place: the lock of fd says so. */
struct part {
    char path[PATH_SIZE];
    int fd;
};

static int open_part(const char *folder, struct part *part, char *error, size_t error_size)
{
    bool made;
    int result = path_of(folder, KVSTORE_FILE ".part", part->path, error, error_size);
    if (result < 0)
        return result;
    part->fd = kvstore_lock_file(folder, part->path, &made);
    if (part->fd < 0)
        return say(part->fd, error, error_size, folder,
                   part->fd == -EBUSY ? "another backup or restore is writing to it" : NULL);
    if (ftruncate(part->fd, 0) == 0)
        return 0;
    result = say(-errno, error, error_size, part->path, NULL);
    close(part->fd);
    return result;
}

/* One transaction's records, on disk when it returns. */
static int copy_into(MDB_env *env, const struct part *part, char *error, size_t error_size)
{
    KVSTORE_WATCH(part->path);
    int code = mdb_env_copyfd2(env, part->fd, MDB_CP_COMPACT);
    if (code == 0)
        kvstore_note_heads(part->fd, &(struct kvstore_heads){0});
    int result = code != 0 ? kvstore_errno(code) : fsync(part->fd) != 0 ? -errno : 0;
    if (result < 0)
        say(result, error, error_size, part->path,
            code == EFAULT ? "the store is cut short"
            : code < 0     ? mdb_strerror(code)
                           : NULL);
    return result;
}

static int sync_folder(const char *folder, char *error, size_t error_size)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 || fsync(fd) != 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return result == 0 ? 0 : say(result, error, error_size, folder, NULL);
}

/* For a copy, which alone may leave one behind. */
static int make_folder(const char *folder, bool *made, char *error, size_t error_size)
{
    struct stat st;
    *made = mkdir(folder, 0700) == 0;
    if (!*made && errno != EEXIST)
        return say(-errno, error, error_size, folder, NULL);
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        return say(-ENOTDIR, error, error_size, folder, NULL);
    return 0;
}

/* What a file under that name says when it is opened as a store of its own: a copy is looked at before it counts. */
static int judge_file(const char *path, struct state *out, char *error, size_t error_size)
{
    MDB_env *env;
    struct stat st;
    KVSTORE_WATCH(path);
    int code = mdb_env_create(&env);
    if (code == 0)
        code = mdb_env_set_assert(env, kvstore_on_assert);
    if (code == 0)
        code = mdb_env_open(env, path, MDB_RDONLY | MDB_NOTLS | MDB_NOLOCK | MDB_NOSUBDIR, 0600);
    int result = code == 0 ? read_state(env, out) : kvstore_errno(code);
    mdb_env_close(env);
    out->bytes = result == 0 && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    if (result == -ENOENT)
        return say(result, error, error_size, path, "nothing was ever stored in it");
    return result == 0 ? 0 : say(result, error, error_size, path, code != 0 ? mdb_strerror(code) : NULL);
}

/* ---- out ------------------------------------------------------------------------------------------------------- */

static int copy_out(const char *folder, const struct part *part, struct state *state, char *error, size_t error_size)
{
    MDB_env *env;
    int dead, result = open_to_read(folder, true, &env, error, error_size);
    if (result < 0)
        return result;
    mdb_reader_check(env, &dead); /* of backups that were killed */
    result = copy_into(env, part, error, error_size);
    mdb_env_close(env);
    return result == 0 ? judge_file(part->path, state, error, error_size) : result;
}

/* Into a folder that is there. What is in it is looked at when nobody else can be about to put something there. */
static int back_up(const char *folder, const char *to, struct state *state, char *error, size_t error_size)
{
    char whole[PATH_SIZE];
    struct part part;
    int result = path_of(to, KVSTORE_FILE, whole, error, error_size);
    if (result == 0)
        result = open_part(to, &part, error, error_size);
    if (result < 0)
        return result;
    if (access(whole, F_OK) == 0)
        result = say(-EEXIST, error, error_size, to, "there is a backup or a store in it already: choose another name");
    if (result == 0)
        result = copy_out(folder, &part, state, error, error_size);
    if (result == 0 && rename(part.path, whole) != 0)
        result = say(-errno, error, error_size, whole, NULL);
    kvstore_forget_file(part.fd, part.path); /* unless it is in its place */
    return result == 0 ? sync_folder(to, error, error_size) : result;
}

int kvstore_backup(const char *folder, const char *to, struct kvstore_copied *out, char *error, size_t error_size)
{
    struct state state;
    bool made;
    int result = make_folder(to, &made, error, error_size);
    if (result < 0)
        return result;
    KVSTORE_WATCH(made ? to : NULL);
    result = back_up(folder, to, &state, error, error_size);
    if (result < 0 && made)
        rmdir(to);
    if (result == 0)
        *out = (struct kvstore_copied){.records = state.records, .bytes = state.bytes};
    return result;
}

/* ---- back ------------------------------------------------------------------------------------------------------ */

/* A store that a server writes to is no backup. One without a lock file, or on a disk that is read-only, is nobody's.
 * */
static int need_idle(const char *backup, char *error, size_t error_size)
{
    char path[PATH_SIZE];
    int result = path_of(backup, KVSTORE_LOCK, path, error, error_size);
    int fd = result == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0)
        result = say(-EBUSY, error, error_size, backup, "a server has it open: enclavectl backup copies such a store");
    if (fd >= 0)
        close(fd);
    return result;
}

/* Keeps what is there under another name, and puts the new file in its place: at no moment is there none. LMDB's lock
 * file goes: a backup that is being made of the old store may hold it, and what it says is of that one. */
static int put_in_place(const char *folder, const char *new, const char *whole, struct kvstore_copied *out, char *error,
                        size_t error_size)
{
    char replaced[PATH_SIZE], lock[PATH_SIZE];
    int result = path_of(folder, KVSTORE_REPLACED, replaced, error, error_size);
    if (result == 0)
        result = path_of(folder, KVSTORE_LMDB_LOCK, lock, error, error_size);
    if (result < 0)
        return result;
    out->replaced = link(whole, replaced) == 0;
    if (!out->replaced && errno == EEXIST)
        return say(-EEXIST, error, error_size, replaced, "it is there from an earlier restore: move it away first");
    if (!out->replaced && errno != ENOENT)
        return say(-errno, error, error_size, replaced, NULL);
    unlink(lock);
    if (rename(new, whole) != 0) {
        result = say(-errno, error, error_size, whole, NULL);
        if (out->replaced)
            unlink(replaced);
        return result;
    }
    return sync_folder(folder, error, error_size);
}

/* Whether the folder has the very commit that was copied: a sealed root is never sealed twice. */
static bool has_same(const char *folder, const char *whole, const struct state *copied)
{
    struct state now;
    char ignored[PATH_SIZE];
    return access(whole, F_OK) == 0 && kvstore_judge_heads(folder, ignored, sizeof ignored) == 0 &&
           judge_file(whole, &now, ignored, sizeof ignored) == 0 && now.root_size == copied->root_size &&
           memcmp(now.root, copied->root, now.root_size) == 0;
}

/* The folder is locked. */
static int restore_locked(MDB_env *backup, const char *folder, bool loses, struct kvstore_copied *out, char *error,
                          size_t error_size)
{
    char whole[PATH_SIZE];
    struct part part;
    struct state state;
    int result = path_of(folder, KVSTORE_FILE, whole, error, error_size);
    if (result == 0)
        result = open_part(folder, &part, error, error_size);
    if (result < 0)
        return result;
    result = copy_into(backup, &part, error, error_size);
    if (result == 0)
        result = judge_file(part.path, &state, error, error_size);
    if (result == 0) {
        *out = (struct kvstore_copied){
            .records = state.records, .bytes = state.bytes, .same = has_same(folder, whole, &state)};
        if (!out->same && !loses)
            result = say(-ESTALE, error, error_size, folder, "what is in it is not the commit that the backup has");
    }
    if (result == 0)
        result = put_in_place(folder, part.path, whole, out, error, error_size);
    kvstore_forget_file(part.fd, part.path); /* unless it is in its place */
    return result;
}

static int lock_and_restore(MDB_env *backup, const char *folder, bool loses, struct kvstore_copied *out, char *error,
                            size_t error_size)
{
    bool made;
    char path[PATH_SIZE];
    int result = path_of(folder, KVSTORE_LOCK, path, error, error_size);
    if (result == 0)
        result = need_file(folder, error, error_size);
    int lock = result == 0 ? kvstore_lock(folder, &made, error, error_size) : result;
    if (lock < 0)
        return lock;
    KVSTORE_WATCH(made ? path : NULL);
    result = restore_locked(backup, folder, loses, out, error, error_size);
    if (result < 0 && made)
        kvstore_forget_file(lock, path);
    else
        close(lock);
    return result;
}

/* Of a folder that was not there nothing is left after an error: a server would begin a new instance in it. */
static int make_and_restore(MDB_env *backup, const char *folder, bool loses, struct kvstore_copied *out, char *error,
                            size_t error_size)
{
    bool made;
    int result = make_folder(folder, &made, error, error_size);
    if (result < 0)
        return result;
    KVSTORE_WATCH(made ? folder : NULL);
    result = lock_and_restore(backup, folder, loses, out, error, error_size);
    if (result < 0 && made)
        rmdir(folder);
    return result;
}

int kvstore_restore(const char *backup, const char *folder, bool loses, struct kvstore_copied *out, char *error,
                    size_t error_size)
{
    char whole[PATH_SIZE];
    MDB_env *env = NULL;
    int result = need_idle(backup, error, error_size);
    if (result == 0)
        result = path_of(folder, KVSTORE_FILE, whole, error, error_size);
    if (result == 0)
        result = open_to_read(backup, false, &env, error, error_size);
    if (result == 0 && !loses && access(whole, F_OK) != 0)
        result = say(-ESTALE, error, error_size, folder, "there is no store in it to compare with");
    if (result == 0)
        result = make_and_restore(env, folder, loses, out, error, error_size);
    mdb_env_close(env);
    return result;
}

/* ---- a look ---------------------------------------------------------------------------------------------------- */

static int take_values(MDB_env *env, const char *const *names, size_t count, struct kvstore_value *out)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    int code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return kvstore_errno(code);
    code = mdb_dbi_open(txn, NULL, 0, &dbi);
    for (size_t i = 0; i < count && code == 0; i++) {
        MDB_val key = {strlen(names[i]), (void *)(uintptr_t)names[i]}, value;
        code = mdb_get(txn, dbi, &key, &value);
        if (code == 0 && !(out[i].data = calloc(1, value.mv_size + 1)))
            code = ENOMEM;
        if (code == 0)
            memcpy(out[i].data, value.mv_data, out[i].size = value.mv_size);
        else if (code == MDB_NOTFOUND)
            code = 0;
    }
    mdb_txn_abort(txn);
    return kvstore_errno(code);
}

int kvstore_read(const char *folder, const char *const *names, size_t count, struct kvstore_value *out, char *error,
                 size_t error_size)
{
    MDB_env *env;
    int result = need_idle(folder, error, error_size);
    memset(out, 0, count * sizeof *out);
    if (result == 0)
        result = open_to_read(folder, false, &env, error, error_size);
    if (result < 0)
        return result;
    KVSTORE_WATCH(NULL);
    result = take_values(env, names, count, out);
    mdb_env_close(env);
    for (size_t i = 0; i < count && result < 0; i++) {
        free(out[i].data);
        out[i] = (struct kvstore_value){0};
    }
    return result == 0 ? 0 : say(result, error, error_size, folder, NULL);
}
