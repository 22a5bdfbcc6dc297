/* A node's life: who holds it, and what goes with it. */
#include "common/clock.h"
#include "enclave/fs/internal.h"

/* Were that cut short, the next loading would find and remove the chunks. */
void node_dispose(struct fs *fs, struct fs_node *node)
{
    uint8_t key[CHUNK_KEY_SIZE];
    ENSURE(node->gone);
    ENSURE(node->refs == 0);
    cache_forget(fs, node, 0);
    for (uint32_t i = 0; i < node->chunk_count; i++) {
        journal_delete(fs, key, fs_chunk_key(node->id, node->chunks[i], key));
        journal_end_group(fs);
    }
    tree_free(fs, node);
}

void node_put(struct fs *fs, struct fs_node *node)
{
    ENSURE(node->refs > 0);
    if (--node->refs > 0 || !node->gone)
        return;
    journal_forget_inode(fs, node);
    journal_end_group(fs);
    node_dispose(fs, node);
    journal_make_way(fs);
}

void node_touch(struct fs_node *node)
{
    node->modified_ns = node->changed_ns = clock_realtime_ns();
    node->dirty = true;
}

void node_stat(const struct fs_node *node, struct fs_stat *stat)
{
    *stat = (struct fs_stat){fs_type_of(node),  node->id,          node->size,      node->gone ? 0 : node->links,
                             node->accessed_ns, node->modified_ns, node->changed_ns};
}
