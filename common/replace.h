/*
 * Files that are written as a whole or not at all: beside their place, synced, and moved there. Whoever reads one sees
 * what was there before or what is new, also if the writer is killed.
 *
 * Symbolic links are followed: what is replaced is the file that they lead to, and what is written beside lies in that
 * one's folder. A link that somebody else put into a folder where everybody may is not followed, as Linux has it of
 * opening (protected_symlinks). A file that is there keeps its permissions, and its owner where that is allowed.
 */
#ifndef ENCLAVE_OS_COMMON_REPLACE_H
#define ENCLAVE_OS_COMMON_REPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define REPLACE_WHY_SIZE 256u

/* What a new file may be read by, less the umask; and whether there may be none yet: with fresh, one that is there, or
 * comes meanwhile, is left alone (-EEXIST). */
struct replace_how {
    mode_t mode;
    bool fresh;
};

/* Put data into the file at path. 0; else a negative errno, with one line in why (REPLACE_WHY_SIZE bytes), and nothing
 * is left behind. -EINVAL: it is no file (of a pipe or a terminal nobody knows an end). */
int replace_file(const char *path, const void *data, size_t size, const struct replace_how *how, char *why);

/* The folder of the file that path leads to, locked against others who lock it, until it is closed; waits for them. A
 * descriptor, or a negative errno. */
int replace_lock_folder(const char *path);

#endif
