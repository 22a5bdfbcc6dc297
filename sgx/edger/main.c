/*
 * edger FILE.edl OUTDIR: write the bridges of an enclave's interface, FILE_t.{h,c} and FILE_u.{h,c}.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sgx/edger/edl.h"

#define EDL_SIZE_MAX (1u << 20)

static _Noreturn void fail(const char *path, const char *what)
{
    fprintf(stderr, "edger: %s: %s\n", path, what);
    exit(1);
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(path, strerror(errno));
    char *text = calloc(1, EDL_SIZE_MAX + 1);
    if (!text)
        fail(path, "out of memory");
    size_t size = fread(text, 1, EDL_SIZE_MAX, file);
    if (ferror(file) || !feof(file))
        fail(path, "cannot be read, or is larger than 1 MiB");
    if (memchr(text, 0, size))
        fail(path, "contains a NUL character");
    fclose(file);
    return text;
}

typedef void (*writer)(const struct edl *edl, const char *name, FILE *out);

static void write_file(const struct edl *edl, const char *folder, const char *name, const char *suffix, writer write)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix) >= sizeof path)
        fail(folder, "path too long");
    FILE *file = fopen(path, "w");
    if (!file)
        fail(path, strerror(errno));
    write(edl, name, file);
    if (fclose(file) != 0)
        fail(path, strerror(errno));
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: edger FILE.edl OUTDIR\n");
        return 1;
    }
    static struct edl edl;
    char *text = read_text(argv[1]);
    edl_parse(&edl, argv[1], text);

    const char *base = strrchr(argv[1], '/');
    char name[EDL_NAME_MAX];
    snprintf(name, sizeof name, "%s", base ? base + 1 : argv[1]);
    char *dot = strrchr(name, '.');
    if (dot)
        *dot = '\0';
    write_file(&edl, argv[2], name, "_t.h", edl_write_trusted_header);
    write_file(&edl, argv[2], name, "_t.c", edl_write_trusted_source);
    write_file(&edl, argv[2], name, "_u.h", edl_write_untrusted_header);
    write_file(&edl, argv[2], name, "_u.c", edl_write_untrusted_source);
    free(text);
    return 0;
}
