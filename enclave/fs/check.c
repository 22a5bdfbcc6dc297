/* The file systems' invariants as a whole. See fs.h. */
#include "enclave/fs/internal.h"

static void check_place(struct fs *fs, const struct fs_node *node)
{
    const struct fs_node *parent = node->parent;
    ENSURE(parent && parent->directory && !parent->gone);
    ENSURE(node->parent_id == parent->id);
    ENSURE(node->serial > 0 && node->serial <= fs->next_serial);
    ENSURE(node->before ? node->before->next == node : parent->first == node);
    ENSURE(node->next ? node->next->before == node : parent->last == node);
    ENSURE(!node->next || node->serial < node->next->serial);
    ENSURE(tree_find(fs, parent, node->name, node->name_size) == node);
}

static void check_names(struct fs *fs, const struct fs_node *node)
{
    uint32_t names = 1;
    for (const struct fs_node *name = node->others; name; name = name->others, names++) {
        ENSURE(name->of == node);
        ENSURE(name->id == node->id && fs_type_of(name) == fs_type_of(node));
    }
    ENSURE(node->links == names);
    ENSURE(tree_find_id(fs, node->id) == node);
    ENSURE(!node->directory || !node->others);
}

/* How many chunks it has beyond its first. */
static uint32_t check_chunks(const struct fs_node *node)
{
    ENSURE(node->chunk_count <= node->chunk_capacity);
    ENSURE(node->chunk_count == 0 || !node->directory);
    for (uint32_t i = 1; i < node->chunk_count; i++)
        ENSURE(node->chunks[i - 1] < node->chunks[i]);
    return node->chunk_count > 1 ? node->chunk_count - 1 : 0;
}

static size_t children_of(const struct fs_node *node)
{
    size_t count = 0;
    for (const struct fs_node *child = node->first; child; child = child->next, count++)
        ENSURE(child->parent == node);
    ENSURE(!node->last == !node->first);
    return count;
}

static void check_tree(struct fs *fs)
{
    size_t count = 0, children = children_of(&fs->root);
    uint32_t chunks = 0;
    for (size_t i = 0; i < fs->table_size; i++)
        for (struct fs_node *node = fs->names[i]; node; node = node->by_name, count++) {
            ENSURE(!node->gone);
            ENSURE(node->id > 0 && node->id < fs->next_id);
            ENSURE(node->charge.from == fs->memory && node->charge.bytes == tree_cost(node));
            check_place(fs, node);
            if (!node->of)
                check_names(fs, node);
            ENSURE(!node->symlink || node->of || !node->known || node->target);
            children += children_of(node);
            chunks += check_chunks(node);
        }
    ENSURE(fs->node_count == count);
    ENSURE(children == count);
    ENSURE(fs->gone_count > 0 ? fs->chunk_total >= chunks : fs->chunk_total == chunks);
}

static void check_waiting(const struct fs *fs)
{
    struct fs_op *const *end = &fs->waiting;
    for (const struct fs_op *op = fs->waiting; op; end = &op->next, op = op->next) {
        ENSURE(op->fs == fs);
        ENSURE(op->errand.state == ERRAND_SENT);
        ENSURE(!op->node || op->call == FS_RELEASE || op->node->refs > 0);
        ENSURE(!op->to || op->to->refs > 0);
    }
    ENSURE(fs->waiting_end == end);
}

void fs_check(struct fs *of)
{
    fs_enter(of);
    struct fs_home *home = of->home;
    size_t pending = 0;
    pthread_mutex_lock(&home->lock);
    for (const struct fs *fs = home->all; fs; fs = fs->next) {
        ENSURE(fs->home == home);
        pending += journal_check(fs);
        check_waiting(fs);
    }
    cache_check(home);
    pthread_mutex_unlock(&home->lock);
    ENSURE(home->pending_bytes == pending);
    if (of->loaded)
        check_tree(of);
}
