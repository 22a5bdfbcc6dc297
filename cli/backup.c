/*
 * enclavectl backup and restore: copies of a server's data folder, for who operates the host. They connect to nobody
 * and open nothing that is sealed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/input.h"
#include "cli/report.h"
#include "common/arguments.h"
#include "host/kvstore/copy.h"

static const char backup_usage[] =
    "usage: enclavectl backup DATA OUT\n"
    "Copies the store in DATA, the folder of enclave-os serve --data, whether a server uses it or not: as one commit\n"
    "left it, everything that was acknowledged before the command began with it. OUT is made, or is an empty folder.\n"
    "What is in it is sealed, and opens where DATA does.\n";

static const char restore_usage[] =
    "usage: enclavectl restore BACKUP DATA [--lose-what-came-after]\n"
    "Puts a backup in the place of the store in DATA, which no server may use. What was there is kept beside it, as\n"
    "data.mdb.replaced. Refused unless DATA has the very commit that the backup has: whatever was acknowledged after\n"
    "the backup is lost. The server's next start then judges it: with witnesses, an older store is not served; "
    "without,\n"
    "it is, and clients that remember its history (--log-state) refuse it.\n"
    "  --lose-what-came-after   put it back though what was acknowledged after it is lost\n";

struct copy_arguments {
    const char *from, *to;
    bool loses;
};

/* 0; -1: help was shown; else the exit status, and why was told. */
static int read_arguments(const char *form, const char *usage, const struct option *table, int argc, char **argv,
                          struct copy_arguments *out)
{
    struct arguments a;
    int id, count;
    arguments_init(&a, argc, argv, table, NULL);
    while ((id = arguments_next(&a)) != ARGUMENTS_END) {
        if (id == ARGUMENTS_WRONG)
            return wrong("%s", a.error);
        if (id == 'h') {
            show_usage(usage, true);
            return -1;
        }
        out->loses = true;
    }
    char **rest = arguments_rest(&a, &count);
    if (count != 2)
        return wrong_arguments(argv[0], form, 2, 2, count, rest);
    for (int i = 0; i < 2; i++)
        if (!rest[i][0])
            return wrong("%s: the name of a folder is empty; it takes %s", argv[0], form);
    out->from = rest[0];
    out->to = rest[1];
    if (!is_folder(out->from))
        return wrong("%s: not a folder%s%s", out->from, errno ? ": " : "", errno ? strerror(errno) : "");
    return 0;
}

int backup_main(int argc, char **argv)
{
    static const struct option table[] = {{"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    struct copy_arguments o = {0};
    struct kvstore_copied copied;
    char error[512];
    int result = read_arguments("DATA OUT", backup_usage, table, argc, argv, &o);
    if (result != 0)
        return result < 0 ? 0 : result;
    if (kvstore_backup(o.from, o.to, &copied, error, sizeof error) < 0)
        return complain("%s", error);
    printf("%s: %llu records, %.1f MiB. To put it back: enclavectl restore %s %s\n", o.to,
           (unsigned long long)copied.records, (double)copied.bytes / (1 << 20), o.to, o.from);
    return 0;
}

static int tell_restored(const struct copy_arguments *o, const struct kvstore_copied *copied)
{
    printf("%s: %llu records, %.1f MiB%s\n", o->to, (unsigned long long)copied->records,
           (double)copied->bytes / (1 << 20),
           copied->replaced ? "; what was there is kept as " KVSTORE_REPLACED " beside it" : "");
    if (copied->same)
        printf("It is the commit that was there: nothing is lost.\n");
    else
        printf("What was acknowledged after this backup is lost. The next start judges it: an instance with witnesses\n"
               "is not served unless they have cosigned nothing later; without witnesses it is served, and clients\n"
               "that remember its history refuse it from the entry on that is missing.\n");
    return 0;
}

int restore_main(int argc, char **argv)
{
    static const struct option table[] = {{"lose-what-came-after", 0, 0, 'l'}, {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    struct copy_arguments o = {0};
    struct kvstore_copied copied;
    char error[512];
    int result = read_arguments("BACKUP DATA", restore_usage, table, argc, argv, &o);
    if (result != 0)
        return result < 0 ? 0 : result;
    result = kvstore_restore(o.from, o.to, o.loses, &copied, error, sizeof error);
    if (result == -ESTALE)
        return complain(
            "%s: whatever was acknowledged after the backup would be lost: an instance with witnesses would "
            "not be served, and clients that remember its history would refuse it. Nothing was changed. "
            "If that is what you want: --lose-what-came-after",
            error);
    return result < 0 ? complain("%s", error) : tell_restored(&o, &copied);
}
