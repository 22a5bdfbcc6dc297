/*
 * The journal: changes to an app's records, in order, one transaction at a time with the store. What fails is kept
 * and tried again; what comes meanwhile queues up behind it. The one thing that goes ahead is the removal of a file
 * when the store is full, or the room that it makes would wait for what waits for room.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/fs/internal.h"
#include "common/container.h"

size_t fs_inode_key(uint64_t id, uint8_t key[INODE_KEY_SIZE])
{
    uint64_t big = __builtin_bswap64(id);
    key[0] = 'i';
    memcpy(key + 1, &big, 8);
    return INODE_KEY_SIZE;
}

size_t fs_chunk_key(uint64_t id, uint32_t index, uint8_t key[CHUNK_KEY_SIZE])
{
    uint64_t big = __builtin_bswap64(id);
    uint32_t big_index = __builtin_bswap32(index);
    key[0] = 'c';
    memcpy(key + 1, &big, 8);
    memcpy(key + 9, &big_index, 4);
    return CHUNK_KEY_SIZE;
}

void journal_init(struct fs *fs)
{
    fs->pending = fs->flight = NULL;
    fs->pending_end = &fs->pending;
}

static void change_free(struct fs *fs, struct fs_change *c)
{
    size_t bytes = c->value_size + JOURNAL_CHANGE_COST;
    ENSURE(fs->pending_bytes >= bytes);
    ENSURE(fs->home->pending_bytes >= fs->pending_bytes);
    fs->pending_bytes -= bytes;
    fs->home->pending_bytes -= bytes;
    free(c);
}

void journal_deinit(struct fs *fs)
{
    ENSURE(!fs->flight);
    for (struct fs_change *c = fs->pending, *next; c; c = next) {
        next = c->next;
        change_free(fs, c);
    }
    journal_init(fs);
    ENSURE(fs->pending_bytes == 0);
}

static bool append(struct fs *fs, bool put, const void *key, size_t key_size, const void *value, size_t value_size)
{
    ENSURE(key_size > 0 && key_size <= KV_KEY_MAX);
    ENSURE(value_size <= FS_CHUNK_SIZE);
    struct fs_change *c = malloc(sizeof *c + key_size + value_size);
    if (!c)
        return false;
    *c = (struct fs_change){.put = put, .key_size = (uint16_t)key_size, .value_size = (uint32_t)value_size};
    memcpy(c->bytes, key, key_size);
    if (value_size)
        memcpy(c->bytes + key_size, value, value_size);
    *fs->pending_end = c;
    fs->pending_end = &c->next;
    fs->pending_bytes += value_size + JOURNAL_CHANGE_COST;
    fs->home->pending_bytes += value_size + JOURNAL_CHANGE_COST;
    c->number = ++fs->made;
    return true;
}

static struct fs_change *last_pending(struct fs *fs)
{
    if (fs->pending_end == &fs->pending)
        return NULL;
    return CONTAINER_OF(fs->pending_end, struct fs_change, next);
}

bool journal_put(struct fs *fs, const void *key, size_t key_size, const void *value, size_t value_size)
{
    return append(fs, true, key, key_size, value, value_size);
}

bool journal_delete(struct fs *fs, const void *key, size_t key_size)
{
    return append(fs, false, key, key_size, NULL, 0);
}

void journal_end_group(struct fs *fs)
{
    struct fs_change *last = last_pending(fs);
    if (last)
        last->ends_group = true;
}

bool journal_forget_inode(struct fs *fs, const struct fs_node *node)
{
    uint8_t key[INODE_KEY_SIZE];
    if (!journal_delete(fs, key, fs_inode_key(node->id, key)))
        return false;
    last_pending(fs)->removes_file = !node->directory && !node->replaced;
    return true;
}

bool journal_inode(struct fs *fs, struct fs_node *node)
{
    uint8_t key[INODE_KEY_SIZE], value[INODE_MAX];
    size_t target = node->symlink ? node->size : 0;
    ENSURE(node->known);
    ENSURE(target <= FS_PATH_MAX && (target == 0 || node->target));
    value[0] = node->symlink ? 2 : 1;
    memcpy(value + 1, &node->size, 8);
    memcpy(value + 9, &node->accessed_ns, 8);
    memcpy(value + 17, &node->modified_ns, 8);
    memcpy(value + 25, &node->changed_ns, 8);
    if (target)
        memcpy(value + INODE_SIZE, node->target, target);
    if (!journal_put(fs, key, fs_inode_key(node->id, key), value, INODE_SIZE + target))
        return false;
    node->dirty = false;
    return true;
}

/* Into front of the list. */
static void put_back(struct fs *fs, struct fs_change *first)
{
    struct fs_change *last = first;
    while (last->next)
        last = last->next;
    last->next = fs->pending;
    if (!fs->pending)
        fs->pending_end = &last->next;
    fs->pending = first;
}

static void committed(struct fs *fs, struct fs_change *flight)
{
    for (struct fs_change *c = flight, *next; c; c = next) {
        next = c->next;
        change_free(fs, c);
    }
    fs->durable = fs->made;
    for (const struct fs_change *c = fs->pending; c; c = c->next)
        if (c->number <= fs->durable)
            fs->durable = c->number - 1; /* in order, but for what went ahead */
}

static void on_committed(void *user, int error)
{
    struct fs *fs = user;
    struct fs_change *flight = fs->flight;
    fs_enter(fs);
    ENSURE(flight);
    bool made_way = fs->making_way;
    fs->flight = NULL;
    fs->making_way = false;
    if (error == 0) {
        if (made_way)
            fs->error = 0; /* there may be room now */
        committed(fs, flight);
        journal_send(fs);
    } else {
        put_back(fs, flight);
        fs->error = error;
        if (!made_way)
            journal_make_way(fs);
    }
    fs->home->wake(fs);
}

/* How many changes go now: whole groups, as far as they fit. The first goes in any case. */
static size_t cut(const struct fs *fs)
{
    size_t count = 0, groups = 0, bytes = 0;
    for (const struct fs_change *c = fs->pending; c; c = c->next) {
        count++;
        bytes += c->value_size + JOURNAL_CHANGE_COST;
        if (groups > 0 && bytes > JOURNAL_TRANSACTION_MAX)
            break;
        if (c->ends_group)
            groups = count;
    }
    return groups;
}

static bool send_first(struct fs *fs, size_t count)
{
    ENSURE(!fs->flight);
    struct kv_op *ops = count ? calloc(count, sizeof *ops) : NULL;
    if (!ops)
        return false;
    struct fs_change *c = fs->pending, *last = NULL;
    for (size_t i = 0; i < count; i++, last = c, c = c->next) {
        ENSURE(c);
        ops[i] = (struct kv_op){.kind = c->put ? KV_PUT : KV_DELETE,
                                .ns = fs->ns,
                                .key = c->bytes,
                                .key_size = c->key_size,
                                .value = c->bytes + c->key_size,
                                .value_size = c->value_size};
    }
    ENSURE(last->ends_group); /* operations go whole */
    int error = kv_commit(fs->home->worker, ops, count, on_committed, fs);
    free(ops);
    if (error < 0)
        return false;
    fs->flight = fs->pending;
    fs->flight_count = count;
    fs->pending = c;
    last->next = NULL;
    if (!c)
        fs->pending_end = &fs->pending;
    return true;
}

void journal_send(struct fs *fs)
{
    if (!fs->flight && !fs->error)
        send_first(fs, cut(fs)); /* without memory: tried again with the next change */
}

/* What is on its way counts as if all of it were new. */
bool journal_memory(const struct fs *fs, size_t records)
{
    return budget_left(fs->memory, (fs->made - fs->durable + records) * (KV_RECORD_COST + DENTRY_KEY_MAX));
}

/* ---- when the store is full ----------------------------------------------------------------------------------- */

/* The node that a change's key belongs to. */
static uint64_t id_of(const struct fs_change *c)
{
    uint64_t id;
    memcpy(&id, c->bytes + (c->bytes[0] == 'd' ? 10 : 1), sizeof id);
    return id;
}

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The ids of the files whose removal is pending, ascending. */
static uint64_t *removed_files(const struct fs *fs, size_t *count)
{
    *count = 0;
    for (const struct fs_change *c = fs->pending; c; c = c->next)
        *count += c->removes_file;
    uint64_t *ids = *count ? malloc(*count * sizeof *ids) : NULL, *at = ids;
    for (const struct fs_change *c = fs->pending; ids && c; c = c->next)
        if (c->removes_file)
            *at++ = id_of(c);
    if (ids)
        qsort(ids, *count, sizeof *ids, compare_ids);
    return ids;
}

struct change_list {
    struct fs_change *first, **end;
    size_t count;
};

static void list_append(struct change_list *list, struct fs_change *c)
{
    c->next = NULL;
    *list->end = c;
    list->end = &c->next;
    list->count++;
}

/* Sort what is pending: names and inodes of removed files, their chunks, and the rest, whose groups stay as they are.
 * Whatever was to be written of a removed file is deleted instead: ids are never used twice. */
static void sort_out(struct fs *fs, const uint64_t *ids, size_t id_count, struct change_list lists[3])
{
    ENSURE(!fs->flight);
    ENSURE(id_count > 0);
    struct fs_change *rest = NULL; /* the last one that stays of the present group */
    for (struct fs_change *c = fs->pending, *next; c; c = next) {
        next = c->next;
        uint64_t id = id_of(c);
        bool ends = c->ends_group;
        if (bsearch(&id, ids, id_count, sizeof id, compare_ids)) {
            c->put = false;
            c->ends_group = c->bytes[0] == 'c';
            list_append(&lists[c->ends_group], c);
            if (ends && rest)
                rest->ends_group = true;
        } else {
            list_append(&lists[2], c);
            rest = c;
        }
        if (ends)
            rest = NULL;
    }
}

/* Only files go ahead: nothing in the tree hangs on them. Names and inodes go together; a chunk that is left is found
 * by the next loading. */
void journal_make_way(struct fs *fs)
{
    size_t id_count;
    uint64_t *ids = fs->error == -ENOSPC && !fs->flight ? removed_files(fs, &id_count) : NULL;
    if (!ids)
        return;
    ENSURE(!fs->making_way);
    struct change_list lists[3];
    for (int i = 0; i < 3; i++)
        lists[i] = (struct change_list){.end = &lists[i].first};
    sort_out(fs, ids, id_count, lists);
    free(ids);
    ENSURE(lists[0].first); /* at least what made the file one that is removed */
    struct fs_change *last = CONTAINER_OF(lists[0].end, struct fs_change, next);
    last->ends_group = true;
    *lists[0].end = lists[1].first;
    *(lists[1].first ? lists[1].end : lists[0].end) = lists[2].first;
    fs->pending = lists[0].first;
    fs->pending_end = lists[2].first ? lists[2].end : lists[1].first ? lists[1].end : lists[0].end;
    fs->making_way = send_first(fs, lists[0].count + lists[1].count);
}

int journal_room_for_removal(struct fs_op *op)
{
    return op->fs->error == -ENOSPC && op->fs->pending_bytes <= 2 * JOURNAL_PENDING_MAX ? 0 : journal_room(op);
}

/* Whatever the others do, one gets a little. */
static size_t limit_of(const struct fs *fs)
{
    size_t others = fs->home->pending_bytes - fs->pending_bytes;
    size_t rest = others < JOURNAL_ALL_MAX ? JOURNAL_ALL_MAX - others : 0;
    return rest < JOURNAL_PENDING_LEAST ? JOURNAL_PENDING_LEAST
           : rest < JOURNAL_PENDING_MAX ? rest
                                        : JOURNAL_PENDING_MAX;
}

int journal_room(struct fs_op *op)
{
    struct fs *fs = op->fs;
    if (fs->error && op->retried)
        return fs->error;
    if (!fs->error && fs->pending_bytes <= limit_of(fs))
        return 0;
    op->retried |= fs->error != 0;
    fs->error = 0;
    journal_send(fs);
    return fs->flight ? -EAGAIN : -ENOMEM;
}

/* A list in order: what it is charged for. */
static size_t check_changes(const struct fs *fs, const struct fs_change *first, size_t *count)
{
    size_t bytes = 0;
    for (const struct fs_change *c = first; c; c = c->next) {
        ENSURE(c->number > fs->durable && c->number <= fs->made);
        ENSURE(c->key_size > 0 && c->key_size <= KV_KEY_MAX);
        ENSURE(c->next || c->ends_group); /* between operations no group is open */
        bytes += c->value_size + JOURNAL_CHANGE_COST;
        ++*count;
    }
    return bytes;
}

size_t journal_check(const struct fs *fs)
{
    size_t flying = 0, pending = 0, bytes = check_changes(fs, fs->flight, &flying);
    bytes += check_changes(fs, fs->pending, &pending);
    struct fs_change *const *end = &fs->pending;
    while (*end)
        end = &(*end)->next;
    ENSURE(fs->pending_end == end);
    ENSURE(fs->pending_bytes == bytes);
    ENSURE(!fs->flight || fs->flight_count == flying);
    ENSURE(!fs->making_way || fs->flight);
    ENSURE(flying + pending <= fs->made - fs->durable);
    return bytes;
}
