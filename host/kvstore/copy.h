/*
 * Backups of a store, which know of its records no more than kvstore.h does: made while a server has it open, and put
 * back where none has.
 *
 *     kvstore_backup("/var/lib/app", "/backup/app-1", &report, error, sizeof error)
 *     kvstore_restore("/backup/app-1", "/var/lib/app", false, &report, error, sizeof error)
 *
 * A backup is a folder with one file, data.mdb: all records as one commit left them, whatever is committed meanwhile,
 * and none of the pages that are free. Nothing in the store is changed by making one; while it is made, what commits
 * free is not used again.
 *
 * A store that is put back is one that its enclave may have gone on from: only the enclave can tell what it is worth,
 * at its next start. So it takes a caller who says that he knows, unless the folder has the very same commit.
 *
 * Errors are negative errno, with one line in error. All block. One at a time for each folder; a second one gets
 * -EBUSY.
 */
#ifndef ENCLAVE_OS_HOST_KVSTORE_COPY_H
#define ENCLAVE_OS_HOST_KVSTORE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KVSTORE_FILE "data.mdb"
/* Where the store that was there before is kept. */
#define KVSTORE_REPLACED "data.mdb.replaced"

struct kvstore_copied {
    uint64_t records, bytes;
    bool same;     /* restore: the folder had this very commit */
    bool replaced; /* restore: what the folder had is kept as KVSTORE_REPLACED */
};

/* to is made, or is an empty folder. -ENOENT: there is no store in folder, or nothing in it yet; -EEXIST: to has a
 * backup, or something else; -EBUSY: another process writes to it. After an error there is none in to. */
int kvstore_backup(const char *folder, const char *to, struct kvstore_copied *out, char *error, size_t error_size);

struct kvstore_value {
    void *data; /* malloc'ed, with a zero behind it; NULL: there is no record of that name */
    size_t size;
};
/* Some records, by name, of a store or backup that no process has open: a folder that may be read-only, and in which
 * nothing is left. After an error none is given. -ENOENT: there is no store in it; -EBUSY: a process has it open. */
int kvstore_read(const char *folder, const char *const *names, size_t count, struct kvstore_value *out, char *error,
                 size_t error_size);

/* folder is made if it is missing. -ENOENT: backup is none; -EBUSY: a process has one of the two open; -EEXIST:
 * KVSTORE_REPLACED is there from before; -ESTALE: folder does not have the same commit, and loses is false. After an
 * error the folder has what it had, or is not there. */
int kvstore_restore(const char *backup, const char *folder, bool loses, struct kvstore_copied *out, char *error,
                    size_t error_size);

#endif
