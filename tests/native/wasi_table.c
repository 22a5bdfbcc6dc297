/*
 * The table of every WASI function: from a component that imports them all (apps/all-imports.mjs) and the tables that
 * components are linked against. Markdown on standard output; 1, and a line that names it, if a function is missing or
 * has another type.
 *
 * Usage: wasi_table ALL.wasm
 */
#include <stdio.h>

#include "enclave/wasi/wasi.h"
#include "enclave/wasm/host.h"

#define ROWS_MAX 512

struct table {
    char *rows[ROWS_MAX]; /* "package@version| interface | function | answer " */
    size_t count;
    unsigned served, refused, missing;
};

/* The case of the last enum in a type. */
static void case_name(const char *type, unsigned position, char *out, size_t size)
{
    const char *at = NULL, *next = type;
    while ((next = strstr(next, "enum{")))
        at = next += 5;
    while (at && position-- > 0)
        at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL;
    snprintf(out, size, "refused: `%.*s`", at ? (int)strcspn(at, ",}") : 1, at ? at : "?");
}

static void answer_of(struct table *t, const struct host_func *func, const char *type, size_t type_size, char *out,
                      size_t size)
{
    if (!func || (func->type && (strlen(func->type) != type_size || memcmp(func->type, type, type_size) != 0))) {
        snprintf(out, size, "%s", func ? "**served with another type**" : "**missing**");
        t->missing++;
    } else if (IS_REFUSED(func->shape)) {
        case_name(func->type, func->shape - REFUSED(0), out, size);
        t->refused++;
    } else if (!func->fn) {
        snprintf(out, size, "never reached: nobody can have such a resource");
        t->refused++;
    } else {
        snprintf(out, size, "served");
        t->served++;
    }
}

static void visit(void *user, const char *instance, size_t instance_size, const char *name, size_t name_size,
                  enum item_kind kind, const char *type, size_t type_size)
{
    struct table *t = user;
    char answer[128];
    if (kind != ITEM_FUNC || t->count == ROWS_MAX)
        return;
    const struct host_func *func = link_find(&wasi_world, instance, instance_size, name, name_size);
    const char *slash = memchr(instance, '/', instance_size), *at = memchr(instance, '@', instance_size);
    answer_of(t, func, type, type_size, answer, sizeof answer);
    if (asprintf(&t->rows[t->count++], "%.*s%.*s| %.*s | `%.*s` | %s ", (int)(slash - instance), instance,
                 (int)(instance + instance_size - at), at, (int)(at - slash - 1), slash + 1, (int)name_size, name,
                 answer) < 0)
        exit(2);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print(struct table *t)
{
    size_t package = 0;
    const char *before = "";
    qsort(t->rows, t->count, sizeof *t->rows, compare);
    for (size_t i = 0; i < t->count; i++) {
        size_t size = strcspn(t->rows[i], "|");
        if (size != package || memcmp(before, t->rows[i], size) != 0)
            printf("\n## %.*s\n\n| interface | function | answer |\n| --- | --- | --- |\n", (int)size, t->rows[i]);
        before = t->rows[i];
        package = size;
        printf("|%s|\n", t->rows[i] + size + 1);
    }
    printf("\n%u functions served, %u refused.\n", t->served, t->refused);
}

static uint8_t *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);
    if (!file || !bytes) {
        perror(path);
        exit(2);
    }
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

int main(int argc, char **argv)
{
    char error[512];
    size_t size;
    struct table table = {0};
    struct wasm_runtime_config config = {.world = &wasi_world};
    if (argc != 2) {
        fprintf(stderr, "usage: wasi_table ALL.wasm\n");
        return 2;
    }
    uint8_t *bytes = read_all(argv[1], &size);
    struct wasm_runtime *runtime = wasm_runtime_new(&config);
    struct wasm_component *component = wasm_compile(runtime, bytes, size, error, sizeof error);
    free(bytes);
    if (!component) {
        fprintf(stderr, "%s: %s\n", argv[1], error);
        return 2;
    }
    printf(
        "# WASI functions\n\n"
        "Made by `./dev wasi-table` from the WIT files and the tables that components are linked against; a test\n"
        "compares it. Versions are those of the WIT files: a component may import any 0.2.x. What stands behind the\n"
        "answers (settings, quotas, outgoing requests) is in [apps.md](apps.md).\n");
    enclave_component_each(component->component, false, visit, &table);
    print(&table);
    while (table.count > 0)
        free(table.rows[--table.count]);
    wasm_component_delete(component);
    wasm_runtime_delete(runtime);
    return table.missing > 0;
}
