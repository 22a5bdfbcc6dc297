/*
 * wasi:filesystem/{types,preopens}@0.2.x over the app's sealed file system (enclave/fs/fs.h).
 */
#include <errno.h>

#include "common/clock.h"
#include "enclave/wasi/filesystem.h"

#define LIST_BYTES 16384u

static enum host_result ok(struct guest *g)
{
    reply_word(g, 0);
    return HOST_DONE;
}

/* Operations that only succeed or fail. */
static enum host_result plain(struct guest *g, const struct slot *args, enum fs_call call, struct file_paths paths)
{
    struct resource *d;
    struct fs_op *op;
    enum host_result result = file_step(g, &args[0], &d, &op);
    if (result != HOST_DONE)
        return result;
    if (!op)
        return file_submit(g, file_begin(g, call, d, paths, 0));
    result = op->error ? file_fail(g, op->error) : ok(g);
    file_end(g);
    return result;
}

static HOST_FUNC(create_directory_at)
{
    return plain(g, args, FS_MKDIR, (struct file_paths){&args[1], NULL});
}

static HOST_FUNC(remove_directory_at)
{
    return plain(g, args, FS_RMDIR, (struct file_paths){&args[1], NULL});
}

static HOST_FUNC(unlink_file_at)
{
    return plain(g, args, FS_UNLINK, (struct file_paths){&args[1], NULL});
}

static HOST_FUNC(sync)
{
    return plain(g, args, FS_SYNC, (struct file_paths){NULL, NULL});
}

/* From one directory to another: the path in the other stands behind it. */
static enum host_result between(struct guest *g, const struct slot *args, enum fs_call call, const struct slot *path,
                                const struct slot *into, uint32_t flags)
{
    struct resource *from = file_descriptor(g, &args[0]), *to = file_descriptor(g, into);
    if (!from || !to)
        return HOST_TRAP;
    if (g->fs)
        return plain(g, args, call, (struct file_paths){NULL, NULL});
    struct fs_op *op = file_begin(g, call, from, (struct file_paths){path, into + 1}, 0);
    if (op) {
        op->to = to->file.node;
        op->flags |= flags;
    }
    return file_submit(g, op);
}

static HOST_FUNC(rename_at)
{
    return between(g, args, FS_RENAME, &args[1], &args[2], 0);
}

/* path-flags has the one flag symlink-follow. */
static uint32_t path_flags(const struct slot *flags)
{
    return flags->word & 1 ? FS_FOLLOW : 0;
}

static HOST_FUNC(link_at)
{
    return between(g, args, FS_LINK, &args[2], &args[3], path_flags(&args[1]));
}

static HOST_FUNC(symlink_at)
{
    return plain(g, args, FS_MAKE_SYMLINK, (struct file_paths){&args[2], &args[1]});
}

static HOST_FUNC(readlink_at)
{
    struct resource *d;
    struct fs_op *op;
    enum host_result result = file_step(g, &args[0], &d, &op);
    if (result != HOST_DONE)
        return result;
    if (!op)
        return file_submit(g, file_begin(g, FS_READLINK, d, (struct file_paths){&args[1], NULL}, FS_PATH_MAX));
    if (file_reply_bytes(g, op) == HOST_TRAP)
        return HOST_TRAP;
    file_end(g);
    return HOST_DONE;
}

static HOST_FUNC(set_size)
{
    struct resource *d = file_descriptor(g, &args[0]);
    if (!d)
        return HOST_TRAP;
    if (g->fs)
        return plain(g, args, FS_RESIZE, (struct file_paths){NULL, NULL});
    if (!d->file.may_write)
        return file_fail(g, d->file.directory ? -EISDIR : -EINVAL);
    struct fs_op *op = file_begin(g, FS_RESIZE, d, (struct file_paths){NULL, NULL}, 0);
    if (op)
        op->size = args[1].word;
    return file_submit(g, op);
}

/* new-timestamp: no-change, now, timestamp(datetime). Returns its slots. */
static const struct slot *take_time(const struct slot *at, bool *set, uint64_t *ns)
{
    *set = at->word != 0;
    if (at->word == 2) {
        *ns = at[1].word * 1000000000u + at[2].word;
        return at + 3;
    }
    *ns = clock_realtime_ns();
    return at + 1;
}

/* path NULL: the descriptor's own file; else its flags stand before it. */
static enum host_result set_times_common(struct guest *g, const struct slot *args, const struct slot *path,
                                         const struct slot *times)
{
    struct resource *d = file_descriptor(g, &args[0]);
    if (!d || g->fs)
        return plain(g, args, FS_TIMES, (struct file_paths){NULL, NULL});
    struct fs_op *op = file_begin(g, FS_TIMES, d, (struct file_paths){path, NULL}, 0);
    if (op) {
        op->flags |= path ? path_flags(path - 1) : FS_SELF;
        times = take_time(times, &op->set_accessed, &op->accessed_ns);
        take_time(times, &op->set_modified, &op->modified_ns);
    }
    return file_submit(g, op);
}

static HOST_FUNC(set_times)
{
    return set_times_common(g, args, NULL, &args[1]);
}

static HOST_FUNC(set_times_at)
{
    return set_times_common(g, args, &args[2], &args[3]);
}

/* ---- stat ------------------------------------------------------------------------------------------------------- */

static void reply_time(struct guest *g, uint64_t ns)
{
    reply_word(g, 1);
    reply_word(g, ns / 1000000000u);
    reply_word(g, ns % 1000000000u);
}

static void reply_stat(struct guest *g, const struct fs_stat *stat)
{
    reply_word(g, 0);
    reply_word(g, stat->type);
    reply_word(g, stat->links);
    reply_word(g, stat->size);
    reply_time(g, stat->accessed_ns);
    reply_time(g, stat->modified_ns);
    reply_time(g, stat->changed_ns);
}

/* The lower half is which file it is: the preview 1 adapter makes an inode number of it, which no write may change. The
 * upper one changes with the file. */
static void reply_hash(struct guest *g, const struct fs_stat *stat)
{
    reply_word(g, 0);
    reply_word(g, stat->id + 1);
    reply_word(g, (stat->modified_ns ^ stat->changed_ns << 1) * 0x9e3779b97f4a7c15u ^ stat->size);
}

/* path NULL: the descriptor's own file; else its flags stand before it. */
static enum host_result stat_common(struct guest *g, const struct slot *args, const struct slot *path,
                                    void (*reply)(struct guest *g, const struct fs_stat *stat))
{
    struct resource *d;
    struct fs_op *op;
    enum host_result result = file_step(g, &args[0], &d, &op);
    if (result != HOST_DONE)
        return result;
    ENSURE(!op || op->call == FS_STAT);
    if (!op) {
        op = file_begin(g, FS_STAT, d, (struct file_paths){path, NULL}, 0);
        if (op)
            op->flags |= path ? path_flags(path - 1) : FS_SELF;
        return file_submit(g, op);
    }
    if (op->error)
        file_fail(g, op->error);
    else
        reply(g, &op->stat);
    file_end(g);
    return HOST_DONE;
}

static HOST_FUNC(stat_self)
{
    return stat_common(g, args, NULL, reply_stat);
}

static HOST_FUNC(stat_at)
{
    return stat_common(g, args, &args[2], reply_stat);
}

static HOST_FUNC(metadata_hash)
{
    return stat_common(g, args, NULL, reply_hash);
}

static HOST_FUNC(metadata_hash_at)
{
    return stat_common(g, args, &args[2], reply_hash);
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* open-flags have the same bits as ours: create, directory, exclusive, truncate. What opening changes is as durable as
 * what is to be written. */
static struct fs_op *begin_open(struct guest *g, const struct slot *args, const struct resource *d)
{
    struct fs_op *op = file_begin(g, FS_OPEN, d, (struct file_paths){&args[2], NULL}, 0);
    if (op) {
        op->flags |= (uint32_t)(args[3].word & 15) | path_flags(&args[1]);
        op->flags |= args[4].word & DESCRIPTOR_WRITE ? FS_OPEN_WRITE : 0;
        op->flags |= args[4].word & DESCRIPTOR_SYNC_CHANGES ? FS_DURABLE : 0;
    }
    return op;
}

static HOST_FUNC(open_at)
{
    struct resource *d;
    struct fs_op *op;
    enum host_result result = file_step(g, &args[0], &d, &op);
    if (result != HOST_DONE)
        return result;
    if (!op)
        return file_submit(g, begin_open(g, args, d));
    if (op->error) {
        file_fail(g, op->error);
        file_end(g);
        return HOST_DONE;
    }
    struct resource *made = resource_new(g, KIND_DESCRIPTOR);
    if (!made)
        return HOST_TRAP; /* the operation goes with the guest, and gives the node back */
    made->file.node = op->opened;
    made->file.directory = op->stat.type == FS_DIRECTORY;
    made->file.may_write = args[4].word & DESCRIPTOR_WRITE;
    made->file.may_read = args[4].word & DESCRIPTOR_READ || !made->file.may_write;
    made->file.sync = args[4].word & (DESCRIPTOR_SYNC_CHANGES | DESCRIPTOR_SYNC_READ);
    op->opened = NULL;
    file_end(g);
    reply_word(g, 0);
    reply_own(g, made);
    return HOST_DONE;
}

static HOST_FUNC(get_flags)
{
    struct resource *d = file_descriptor(g, &args[0]);
    if (!d)
        return HOST_TRAP;
    reply_word(g, 0);
    reply_word(g, (d->file.may_read ? DESCRIPTOR_READ : 0) | (d->file.may_write ? DESCRIPTOR_WRITE : 0) | d->file.sync |
                      (d->file.directory ? DESCRIPTOR_MUTATE_DIRECTORY : 0));
    return HOST_DONE;
}

static HOST_FUNC(get_type)
{
    struct resource *d = file_descriptor(g, &args[0]);
    if (!d)
        return HOST_TRAP;
    reply_word(g, 0);
    reply_word(g, d->file.directory ? FS_DIRECTORY : FS_FILE);
    return HOST_DONE;
}

static HOST_FUNC(is_same_object)
{
    struct resource *a = file_descriptor(g, &args[0]), *b = file_descriptor(g, &args[1]);
    if (!a || !b)
        return HOST_TRAP;
    reply_word(g, a->file.node == b->file.node);
    return HOST_DONE;
}

/* Nothing is read ahead, so no advice makes a difference; but it is advice on a file's bytes. */
static HOST_FUNC(advise)
{
    struct resource *d = file_descriptor(g, &args[0]);
    return !d ? HOST_TRAP : d->file.directory ? file_fail(g, -EBADF) : ok(g);
}

/* ---- directories ------------------------------------------------------------------------------------------------ */

static HOST_FUNC(read_directory)
{
    struct resource *d = file_descriptor(g, &args[0]);
    if (!d)
        return HOST_TRAP;
    if (!d->file.directory)
        return file_fail(g, -ENOTDIR);
    struct resource *stream = resource_new(g, KIND_DIRECTORY_ENTRY_STREAM);
    if (!stream)
        return HOST_TRAP;
    stream->on = resource_keep(d);
    reply_word(g, 0);
    reply_own(g, stream);
    return HOST_DONE;
}

/* The next page of names, kept by the stream. */
static int take_page(struct guest *g, struct resource *stream)
{
    int error = file_finished(g)->error;
    if (error) {
        file_end(g);
        return error;
    }
    file_keep_page(g, stream);
    return 0;
}

static HOST_FUNC(read_directory_entry)
{
    struct resource *stream = resource_get(g, &args[0], KIND_DIRECTORY_ENTRY_STREAM);
    if (!stream)
        return guest_trap(g, "not a directory-entry-stream");
    if (g->fs && !file_finished(g))
        return guest_wait(g, WAITS_OTHERS);
    int error = g->fs ? take_page(g, stream) : 0;
    if (error)
        return file_fail(g, error);
    struct fs_op *page = stream->entries.page;
    if (page && stream->entries.at < page->transferred) {
        const uint8_t *entry = page->buffer + stream->entries.at;
        stream->entries.at += 2u + entry[1];
        reply_word(g, 0);
        reply_word(g, 1);
        reply_word(g, entry[0]);
        reply_text(g, entry + 2, entry[1]);
        return HOST_DONE;
    }
    if (page && page->end) {
        reply_word(g, 0);
        reply_word(g, 0);
        return HOST_DONE;
    }
    struct fs_op *op = file_begin(g, FS_LIST, stream->on, (struct file_paths){NULL, NULL}, LIST_BYTES);
    if (op)
        op->cursor = page ? page->cursor : 0, op->cursor_id = page ? page->cursor_id : 0;
    return file_submit(g, op);
}

static HOST_FUNC(get_directories)
{
    if (!g->app->fs) {
        reply_word(g, 0);
        return HOST_DONE;
    }
    struct resource *root = resource_new(g, KIND_DESCRIPTOR);
    if (!root)
        return HOST_TRAP;
    resource_check(root);
    ENSURE(!root->file.node);
    root->file.directory = root->file.may_read = true;
    reply_word(g, 1);
    reply_own(g, root);
    reply_text(g, "/", 1);
    return HOST_DONE;
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

#define FILE_ERROR                                                                                             \
    "enum{access,would-block,already,bad-descriptor,busy,deadlock,quota,exist,file-too-large,"                 \
    "illegal-byte-sequence,in-progress,interrupted,invalid,io,is-directory,loop,too-many-links,message-size,"  \
    "name-too-long,no-device,no-entry,no-lock,insufficient-memory,insufficient-space,not-directory,not-empty," \
    "not-recoverable,unsupported,no-tty,no-such-device,overflow,not-permitted,pipe,read-only,invalid-seek,"    \
    "text-file-busy,cross-device}"
#define RESULT(type) "->(result<" type "," FILE_ERROR ">)"
#define SELF "borrow<descriptor>"
#define TYPE "enum{unknown,block-device,character-device,directory,fifo,symbolic-link,regular-file,socket}"
#define FLAGS "flags{read,write,file-integrity-sync,data-integrity-sync,requested-write-sync,mutate-directory}"
#define PATH_FLAGS "flags{symlink-follow}"
#define OPEN_FLAGS "flags{create,directory,exclusive,truncate}"
#define DATETIME "record{seconds:u64,nanoseconds:u32}"
#define TIME "variant{no-change,now,timestamp:" DATETIME "}"
#define STAT                                                                                   \
    "record{type:" TYPE ",link-count:u64,size:u64,data-access-timestamp:option<" DATETIME ">," \
    "data-modification-timestamp:option<" DATETIME ">,status-change-timestamp:option<" DATETIME ">}"
#define HASH "record{lower:u64,upper:u64}"
#define ADVICE "enum{normal,sequential,random,will-need,dont-need,no-reuse}"
#define D "[method]descriptor."

static const struct host_func types_funcs[] = {
    {D "read-via-stream", "(" SELF ",u64)" RESULT("own<input-stream>"), file_read_via_stream, SHAPE_ANY, false},
    {D "write-via-stream", "(" SELF ",u64)" RESULT("own<output-stream>"), file_write_via_stream, SHAPE_ANY, false},
    {D "append-via-stream", "(" SELF ")" RESULT("own<output-stream>"), file_append_via_stream, SHAPE_ANY, false},
    {D "advise", "(" SELF ",u64,u64," ADVICE ")" RESULT("_"), advise, SHAPE_ANY, false},
    {D "sync-data", "(" SELF ")" RESULT("_"), sync, SHAPE_ANY, true},
    {D "get-flags", "(" SELF ")" RESULT(FLAGS), get_flags, SHAPE_ANY, false},
    {D "get-type", "(" SELF ")" RESULT(TYPE), get_type, SHAPE_ANY, false},
    {D "set-size", "(" SELF ",u64)" RESULT("_"), set_size, SHAPE_ANY, true},
    {D "set-times", "(" SELF "," TIME "," TIME ")" RESULT("_"), set_times, SHAPE_ANY, true},
    {D "read", "(" SELF ",u64,u64)" RESULT("tuple<list<u8>,bool>"), file_read, SHAPE_FILE_READ, true},
    {D "write", "(" SELF ",list<u8>,u64)" RESULT("u64"), file_write, SHAPE_FILE_WRITE, true},
    {D "read-directory", "(" SELF ")" RESULT("own<directory-entry-stream>"), read_directory, SHAPE_ANY, false},
    {D "sync", "(" SELF ")" RESULT("_"), sync, SHAPE_ANY, true},
    {D "create-directory-at", "(" SELF ",string)" RESULT("_"), create_directory_at, SHAPE_ANY, true},
    {D "stat", "(" SELF ")" RESULT(STAT), stat_self, SHAPE_ANY, true},
    {D "stat-at", "(" SELF "," PATH_FLAGS ",string)" RESULT(STAT), stat_at, SHAPE_ANY, true},
    {D "set-times-at", "(" SELF "," PATH_FLAGS ",string," TIME "," TIME ")" RESULT("_"), set_times_at, SHAPE_ANY, true},
    {D "link-at", "(" SELF "," PATH_FLAGS ",string," SELF ",string)" RESULT("_"), link_at, SHAPE_ANY, true},
    {D "open-at", "(" SELF "," PATH_FLAGS ",string," OPEN_FLAGS "," FLAGS ")" RESULT("own<descriptor>"), open_at,
     SHAPE_ANY, true},
    {D "readlink-at", "(" SELF ",string)" RESULT("string"), readlink_at, SHAPE_ANY, true},
    {D "remove-directory-at", "(" SELF ",string)" RESULT("_"), remove_directory_at, SHAPE_ANY, true},
    {D "rename-at", "(" SELF ",string," SELF ",string)" RESULT("_"), rename_at, SHAPE_ANY, true},
    {D "symlink-at", "(" SELF ",string,string)" RESULT("_"), symlink_at, SHAPE_ANY, true},
    {D "unlink-file-at", "(" SELF ",string)" RESULT("_"), unlink_file_at, SHAPE_ANY, true},
    {D "is-same-object", "(" SELF "," SELF ")->(bool)", is_same_object, SHAPE_ANY, false},
    {D "metadata-hash", "(" SELF ")" RESULT(HASH), metadata_hash, SHAPE_ANY, true},
    {D "metadata-hash-at", "(" SELF "," PATH_FLAGS ",string)" RESULT(HASH), metadata_hash_at, SHAPE_ANY, true},
    {"[method]directory-entry-stream.read-directory-entry",
     "(borrow<directory-entry-stream>)" RESULT("option<record{type:" TYPE ",name:string}>"), read_directory_entry,
     SHAPE_ANY, true},
    {"filesystem-error-code", "(borrow<error>)->(option<" FILE_ERROR ">)", file_error_code_of, SHAPE_ANY, false},
};
static const struct host_func preopens_funcs[] = {
    {"get-directories", "()->(list<tuple<own<descriptor>,string>>)", get_directories, SHAPE_ANY, false},
};

const struct host_interface wasi_filesystem[2] = {
    INTERFACE("wasi:filesystem/types", "0.2", types_funcs),
    INTERFACE("wasi:filesystem/preopens", "0.2", preopens_funcs),
};
