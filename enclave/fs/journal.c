/*
 * The journal: changes to an app's records, in order, one transaction at a time with the store. What fails is kept
 * and tried again; what comes meanwhile queues up behind it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/fs/internal.h"

#define TRANSACTION_MAX (4u << 20)
#define PENDING_MAX (24u << 20) /* beyond this operations wait */
#define CHANGE_COST 1024u       /* what the store adds to a change */

size_t fs_inode_key(uint64_t id, uint8_t key[9])
{
    uint64_t big = __builtin_bswap64(id);
    key[0] = 'i';
    memcpy(key + 1, &big, 8);
    return 9;
}

size_t fs_chunk_key(uint64_t id, uint32_t index, uint8_t key[13])
{
    uint64_t big = __builtin_bswap64(id);
    uint32_t big_index = __builtin_bswap32(index);
    key[0] = 'c';
    memcpy(key + 1, &big, 8);
    memcpy(key + 9, &big_index, 4);
    return 13;
}

static bool append(struct fs *fs, bool put, const void *key, size_t key_size, const void *value, size_t value_size)
{
    struct fs_change *c = malloc(sizeof *c + key_size + value_size);
    if (!c)
        return false;
    *c = (struct fs_change){.put = put, .key_size = (uint16_t)key_size, .value_size = (uint32_t)value_size};
    memcpy(c->bytes, key, key_size);
    if (value_size)
        memcpy(c->bytes + key_size, value, value_size);
    *fs->pending_end = c;
    fs->pending_end = &c->next;
    fs->pending_bytes += value_size + CHANGE_COST;
    fs->made++;
    return true;
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
    if (fs->pending_end != &fs->pending) {
        struct fs_change *last = (struct fs_change *)((char *)fs->pending_end - offsetof(struct fs_change, next));
        last->ends_group = true;
    }
}

bool journal_inode(struct fs *fs, struct fs_node *node)
{
    uint8_t key[9], value[33] = {1};
    memcpy(value + 1, &node->size, 8);
    memcpy(value + 9, &node->accessed_ns, 8);
    memcpy(value + 17, &node->modified_ns, 8);
    memcpy(value + 25, &node->changed_ns, 8);
    if (!journal_put(fs, key, fs_inode_key(node->id, key), value, sizeof value))
        return false;
    node->dirty = false;
    return true;
}

static void on_committed(void *user, int status)
{
    struct fs *fs = user;
    struct fs_change *c = fs->flight, *last = c;
    fs->flight = NULL;
    if (status == 0) {
        fs->durable += fs->flight_count;
        while (c) {
            struct fs_change *next = c->next;
            fs->pending_bytes -= c->value_size + CHANGE_COST;
            free(c);
            c = next;
        }
        journal_send(fs);
    } else {
        while (last->next)
            last = last->next;
        last->next = fs->pending;
        if (!fs->pending)
            fs->pending_end = &last->next;
        fs->pending = c;
        fs->error = status;
    }
    fs_wake(fs);
}

/* How many changes go now: whole groups, as far as they fit. The first goes in any case. */
static size_t cut(const struct fs *fs)
{
    size_t count = 0, groups = 0, bytes = 0;
    for (const struct fs_change *c = fs->pending; c; c = c->next) {
        count++;
        bytes += c->value_size + CHANGE_COST;
        if (groups > 0 && bytes > TRANSACTION_MAX)
            break;
        if (c->ends_group)
            groups = count;
    }
    return groups;
}

void journal_send(struct fs *fs)
{
    size_t count = fs->flight || fs->error ? 0 : cut(fs);
    struct kv_op *ops = count ? calloc(count, sizeof *ops) : NULL;
    if (!ops)
        return; /* without memory: tried again with the next change */
    struct fs_change *c = fs->pending, *last = NULL;
    for (size_t i = 0; i < count; i++, last = c, c = c->next)
        ops[i] = (struct kv_op){.kind = c->put ? KV_PUT : KV_DELETE,
                                .ns = fs->ns,
                                .key = c->bytes,
                                .key_size = c->key_size,
                                .value = c->bytes + c->key_size,
                                .value_size = c->value_size};
    fs->flight = fs->pending;
    fs->flight_count = count;
    fs->pending = c;
    last->next = NULL;
    if (!c)
        fs->pending_end = &fs->pending;
    kv_commit(fs_home, ops, count, on_committed, fs);
    free(ops);
}

int journal_room(struct fs *fs)
{
    int error = fs->error;
    if (error) {
        fs->error = 0;
        journal_send(fs);
        return error;
    }
    if (fs->pending_bytes <= PENDING_MAX)
        return 0;
    journal_send(fs);
    return -EAGAIN;
}
