/*
 * Where a path leads: from a directory, through names, ".." and symbolic links, and never out of that directory.
 */
#include <errno.h>
#include <string.h>

#include "enclave/fs/internal.h"

/* On the way along a path. */
struct walk {
    struct fs *fs;
    struct place *place;
    unsigned depth;    /* directories below the first */
    unsigned followed; /* symbolic links */
};

static bool is(const char *part, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(part, text, size) == 0;
}

static int walk(struct walk *w, const char *path, size_t size, enum last_link last);

static int step_up(struct walk *w, struct fs_node *here)
{
    if (w->depth == 0)
        return -EPERM;
    ENSURE(here->parent); /* it was reached by a name */
    w->depth--;
    *w->place =
        (struct place){.directory = here->parent, .node = here->parent, .entry = here->parent, .is_above = true};
    return 0;
}

static int follow(struct walk *w, const struct place *link)
{
    int error = fetch_inode(w->fs, link->node);
    if (error == 0 && ++w->followed > FS_FOLLOWED_MAX)
        error = -ELOOP;
    if (error < 0)
        return error;
    struct fs_node *here = link->directory;
    ENSURE(link->node->target);
    *w->place = (struct place){.directory = here, .node = here, .entry = here};
    return walk(w, link->node->target, link->node->size, LINK_FOLLOWED);
}

static int step_down(struct walk *w, struct fs_node *here, const char *name, size_t size, bool follows)
{
    struct fs_node *entry = tree_find(w->fs, here, name, size), *node = fs_file_of(entry);
    *w->place = (struct place){here, node, entry, name, size, false, false};
    if (node && node->symlink && follows)
        return follow(w, &(struct place){.directory = here, .node = node});
    w->depth++;
    return 0;
}

/* One part of a path. */
static int step(struct walk *w, const char *part, size_t size, bool follows)
{
    struct fs_node *here = w->place->node;
    ENSURE(w->fs->loaded);
    ENSURE(!here || !here->of); /* a file itself, by whatever name */
    if (size == 0)
        return 0; /* one slash more */
    if (!here)
        return -ENOENT; /* what the step before named does not exist */
    if (!here->directory)
        return -ENOTDIR;
    if (size > FS_NAME_MAX)
        return here->gone ? -ENOENT : -ENAMETOOLONG;
    if (is(part, size, ".."))
        return step_up(w, here);
    if (is(part, size, "."))
        *w->place = (struct place){.directory = here, .node = here, .entry = here};
    else
        return step_down(w, here, part, size, follows);
    return 0;
}

static bool only_slashes(const char *at, const char *end)
{
    while (at < end && *at == '/')
        at++;
    return at >= end;
}

/* From where w stands. Recursion goes as deep as links are followed. */
static int walk(struct walk *w, const char *path, size_t size, enum last_link last)
{
    const char *at = path, *end = path + size;
    if (size == 0)
        return -ENOENT;
    if (size > FS_PATH_MAX)
        return -ENAMETOOLONG;
    if (*path == '/')
        return -EPERM;
    while (at < end) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t part = (size_t)((slash ? slash : end) - at);
        bool is_last = !slash || only_slashes(slash, end);
        bool slash_behind = slash && last == LINK_IS_MEANT;
        int error = step(w, at, part, !is_last || slash_behind || last == LINK_FOLLOWED);
        if (error < 0)
            return error;
        w->place->must_be_directory |= slash != NULL;
        at += part + 1;
    }
    if (memchr(path, 0, size))
        return -EINVAL;
    return 0;
}

static int find(struct fs *fs, struct fs_node *base, const char *path, size_t size, enum last_link last,
                struct place *out)
{
    ENSURE(fs->loaded);
    ENSURE(!base || !base->of);
    base = base ? base : &fs->root;
    if (!base->directory)
        return -ENOTDIR;
    *out = (struct place){.directory = base, .node = base, .entry = base};
    return walk(&(struct walk){.fs = fs, .place = out}, path, size, last);
}

/* Nothing leads out of where it starts: not "..", not "/", and no link. */
int path_find(const struct fs_op *op, enum last_link last, struct place *out)
{
    return find(op->fs, op->node, op->path, op->path_size, last, out);
}

int path_find_to(const struct fs_op *op, struct place *out)
{
    return find(op->fs, op->to, op->to_path, op->to_path_size, LINK_STAYS, out);
}

int path_find_existing(const struct fs_op *op, enum last_link last, struct place *out)
{
    int error = path_find(op, last, out);
    if (error < 0)
        return error;
    return !out->node ? -ENOENT : out->must_be_directory && !out->node->directory ? -ENOTDIR : 0;
}

enum last_link path_last(const struct fs_op *op)
{
    return op->flags & FS_FOLLOW ? LINK_FOLLOWED : LINK_IS_MEANT;
}
