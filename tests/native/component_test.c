/*
 * What is pushed is judged before it is compiled: generated components of every shape that nests or multiplies, deeper
 * and larger than the limits and just within them, are refused in words or compiled, and never anything else.
 *
 * Usage: component_test [SEED]            generated shapes; the seed is printed
 *        component_test --measure FILE... what each needs, and what compiling it takes
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "enclave/wasm/component.h"
#include "enclave/wasm/internal.h"

#define CHECK_STACK (256u << 10) /* far below what recursion over the input would take */
#define COMPILE_STACK (8u << 20) /* the enclave's compiler thread */

static struct wasm_runtime *runtime;
static uint64_t state;
static unsigned failures;

static unsigned pick(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 11) % below;
}

/* Bytes ------------------------------------------------------------------------------------------------------------ */

struct bytes {
    uint8_t *data;
    size_t size, capacity;
};

static void put(struct bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->capacity) {
        b->capacity = (b->size + size) * 2;
        b->data = realloc(b->data, b->capacity);
    }
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

#define PUT(b, text) put(b, text, sizeof(text) - 1)

static void put_number(struct bytes *b, uint32_t n)
{
    do {
        uint8_t low = (n & 0x7f) | (n > 0x7f ? 0x80 : 0);
        put(b, &low, 1);
        n >>= 7;
    } while (n);
}

/* A section with content, which is freed. */
static void put_section(struct bytes *b, uint8_t id, struct bytes *content)
{
    put(b, &id, 1);
    put_number(b, (uint32_t)content->size);
    put(b, content->data, content->size);
    free(content->data);
    *content = (struct bytes){0};
}

static void put_head(struct bytes *b)
{
    PUT(b, "\0asm\x0d\0\1\0");
}

/* Shapes: each makes a component that is `depth` levels of something -------------------------------------------- */

/* Types of instances and components written into each other, with types beside them. */
static void nested_types(struct bytes *b, unsigned depth)
{
    struct bytes types = {0};
    PUT(&types, "\1");
    for (unsigned i = 0; i < depth; i++) {
        unsigned beside = pick(3);
        put(&types, pick(2) ? "\x41" : "\x42", 1);
        put_number(&types, 1 + beside);
        for (unsigned j = 0; j < beside; j++)
            put(&types, pick(2) ? "\1\x70\x7d" : "\1\x6b\x73", 3); /* list<u8>, option<string> */
        PUT(&types, "\1");
    }
    PUT(&types, "\x70\x7d");
    put_section(b, 7, &types);
}

/* Each type of an instance exports an instance of the type before it: nothing is written into anything. */
static void chained_types(struct bytes *b, unsigned depth)
{
    struct bytes types = {0};
    put_number(&types, depth + 1);
    PUT(&types, "\x42\0");
    for (unsigned i = 0; i < depth; i++) {
        PUT(&types, "\x42\2\2\3\2\1");
        put_number(&types, i);
        PUT(&types, "\4\0\1a\5\0");
    }
    put_section(b, 7, &types);
}

static void nested_components(struct bytes *b, unsigned depth)
{
    struct bytes inner = {0};
    put_head(&inner);
    while (depth--) {
        struct bytes outer = {0};
        put_head(&outer);
        put_section(&outer, 4, &inner);
        inner = outer;
    }
    put_section(b, 4, &inner);
}

/* Each component instantiates the one within it twice: 2^depth instances of the innermost. */
static void doubled_instances(struct bytes *b, unsigned depth)
{
    struct bytes inner = {0};
    put_head(&inner);
    while (depth--) {
        struct bytes outer = {0}, instances = {0};
        put_head(&outer);
        put_section(&outer, 4, &inner);
        PUT(&instances, "\2\0\0\0\0\0\0");
        put_section(&outer, 5, &instances);
        inner = outer;
    }
    struct bytes instances = {0};
    put_section(b, 4, &inner);
    PUT(&instances, "\1\0\0\0");
    put_section(b, 5, &instances);
}

/* Instances made of exports of instances of exports. */
static void bundled_instances(struct bytes *b, unsigned depth)
{
    struct bytes instances = {0};
    put_number(&instances, depth + 1);
    PUT(&instances, "\1\0");
    for (unsigned i = 0; i < depth; i++) {
        PUT(&instances, "\1\1\0\1a\5");
        put_number(&instances, i);
    }
    put_section(b, 5, &instances);
}

/* Types of values that name each other. wasmparser has a limit of its own for these. */
static void nested_values(struct bytes *b, unsigned depth)
{
    struct bytes types = {0};
    put_number(&types, depth + 1);
    PUT(&types, "\x70\x7d");
    for (unsigned i = 0; i < depth; i++) {
        put(&types, pick(2) ? "\x70" : "\x6b", 1);
        /* signed: the sign bit of the last byte stays clear */
        uint8_t low = (uint8_t)(0x80 | (i & 0x7f)), high = (uint8_t)(0x80 | ((i >> 7) & 0x7f)), top = 0;
        put(&types, &low, 1), put(&types, &high, 1), put(&types, &top, 1);
    }
    put_section(b, 7, &types);
}

/* A function of so many nested blocks. */
static void nested_blocks(struct bytes *b, unsigned depth)
{
    struct bytes module = {0}, code = {0}, body = {0};
    PUT(&module, "\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0");
    PUT(&body, "\0");
    for (unsigned i = 0; i < depth; i++)
        put(&body, pick(2) ? "\2\x40" : "\3\x40", 2);
    for (unsigned i = 0; i <= depth; i++)
        PUT(&body, "\x0b");
    PUT(&code, "\1");
    put_number(&code, (uint32_t)body.size);
    put(&code, body.data, body.size);
    free(body.data);
    put_section(&module, 10, &code);
    put_section(b, 1, &module);
}

enum { TYPES_DEEP = 100 }; /* COMPONENT_DEPTH_MAX, which a test must not follow by itself */

static const struct shape_kind {
    const char *name;
    void (*make)(struct bytes *b, unsigned depth);
    unsigned within, beyond, most; /* levels that are fine, that are not, that are tried */
    const char *said;              /* of those that are not */
} shapes[] = {
    {"nested types", nested_types, TYPES_DEEP - 3, TYPES_DEEP + 1, 20000, "nested more than 100 levels deep"},
    {"chained types", chained_types, TYPES_DEEP - 3, TYPES_DEEP + 1, 20000, "nested more than 100 levels deep"},
    {"nested components", nested_components, TYPES_DEEP - 3, TYPES_DEEP + 1, 3000, "nested more than 100 levels deep"},
    {"bundled instances", bundled_instances, TYPES_DEEP - 3, TYPES_DEEP + 1, 900, "nested more than 100 levels deep"},
    {"doubled instances", doubled_instances, 8, 10, 60, "more than 1000 instances"},
    {"nested values", nested_values, 90, 110, 16000, "too deep"},
    {"nested blocks", nested_blocks, 5000, 600000, 700000, "at most 1048576"},
};

/* Running them ----------------------------------------------------------------------------------------------------- */

struct job {
    struct bytes wasm;
    bool compile;
    int status;
    char error[512];
};

static void *run_job(void *user)
{
    struct job *job = user;
    struct component_needs needs;
    if (!job->compile) {
        job->status = component_check(job->wasm.data, job->wasm.size, &needs, job->error, sizeof job->error);
        return NULL;
    }
    struct wasm_component *component =
        wasm_compile(runtime, job->wasm.data, job->wasm.size, job->error, sizeof job->error);
    job->status = component ? 0 : -1;
    wasm_component_delete(component);
    return NULL;
}

static void on_stack(struct job *job, size_t stack)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack);
    if (pthread_create(&thread, &attributes, run_job, job) != 0)
        exit(2);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

static void expect(bool right, const char *what, unsigned depth, const struct job *job)
{
    if (right)
        return;
    printf("FAIL %s, %u levels: %s\n", what, depth, job->status ? job->error : "accepted");
    failures++;
}

static void try_shape(const struct shape_kind *shape, unsigned depth)
{
    struct job job = {0};
    put_head(&job.wasm);
    shape->make(&job.wasm, depth);
    on_stack(&job, CHECK_STACK);
    job.compile = true;
    on_stack(&job, COMPILE_STACK);
    if (depth <= shape->within)
        expect(job.status == 0, shape->name, depth, &job);
    else if (depth >= shape->beyond)
        expect(job.status != 0 && strstr(job.error, shape->said), shape->name, depth, &job);
    free(job.wasm.data);
}

/* A component with bytes changed here and there is refused or compiled. */
static void try_damaged(void)
{
    struct job job = {0};
    put_head(&job.wasm);
    for (unsigned i = 1 + pick(3); i > 0; i--) {
        const struct shape_kind *shape = &shapes[pick(sizeof shapes / sizeof *shapes)];
        shape->make(&job.wasm, pick(shape->within < 200 ? shape->within : 200));
    }
    for (unsigned i = pick(4); i > 0; i--)
        job.wasm.data[8 + pick((unsigned)job.wasm.size - 8)] ^= (uint8_t)(1u << pick(8));
    on_stack(&job, CHECK_STACK);
    job.compile = true;
    on_stack(&job, COMPILE_STACK);
    expect(job.status == 0 || job.error[0], "damaged", 0, &job);
    free(job.wasm.data);
}

static void generated(void)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape_kind *shape = &shapes[i];
        const unsigned depths[] = {0,
                                   1,
                                   shape->within,
                                   shape->beyond,
                                   shape->most,
                                   pick(shape->within),
                                   shape->beyond + pick(shape->most - shape->beyond)};
        for (size_t j = 0; j < sizeof depths / sizeof *depths; j++)
            try_shape(shape, depths[j]);
        printf("ok   %s\n", shape->name);
    }
    for (unsigned i = 0; i < 300; i++)
        try_damaged();
    printf("ok   300 damaged ones\n");
}

/* Files that are no component: each gets a sentence with what to do instead. */
static void other_files(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *said;
    } files[] = {
#define FILE_OF(bytes, said) {bytes, sizeof(bytes) - 1, said}
        FILE_OF("", "empty"),
        FILE_OF("\0asm\1\0\0\0", "wasm-tools component new"),
        FILE_OF("\0asm\1\0\0\0\1\4\1\x60\0\0\2\x24\1\x16wasi_snapshot_preview1\x09proc_exit\0\0", "preview 1"),
        FILE_OF(" \n(component)", "wasm-tools parse"),
        FILE_OF(";; text\n(module)", "wasm-tools parse"),
        FILE_OF("\177ELF\2\1\1\0", "portable .wasm"),
        FILE_OF("\0as", "not WebAssembly"),
        FILE_OF("\0asm", "first eight bytes"),
        FILE_OF("\0asm\x0a\0\1\0", "another version of the binary format"),
        FILE_OF("PK\3\4", "not WebAssembly"),
        FILE_OF("\0asm\x0d\0\1\0\x63\1\0", "not a valid component"),
        FILE_OF("\0asm\x0d\0\1\0\7\5\1\x42\0\0", "not a valid component"),
        FILE_OF("\0asm\x0d\0\1\0\7\3\1\x42\0\x0a\x20\1\0\x1bwasi:http/handler@0.3.0-rc1\5\0", "WASI 0.3"),
        /* proposals that are not served: shared memory, and an asynchronous function's type */
        FILE_OF("\0asm\x0d\0\1\0\1\x0e\0asm\1\0\0\0\5\4\1\3\1\2", "threads"),
        FILE_OF("\0asm\x0d\0\1\0\7\5\1\x43\0\1\0", "WASI 0.3"),
        FILE_OF("\0asm\x0d\0\1\0\1\x0e\0asm\1\0\0\0\5\4\1\x08\1\0", "64 KiB"),
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct job job = {.compile = true};
        put(&job.wasm, files[i].bytes, files[i].size);
        on_stack(&job, COMPILE_STACK);
        expect(job.status != 0 && strstr(job.error, files[i].said), files[i].said, 0, &job);
        free(job.wasm.data);
    }
    printf("ok   %zu other files\n", sizeof files / sizeof *files);
}

/* What it takes ---------------------------------------------------------------------------------------------------- */

static struct bytes read_file(const char *path)
{
    struct bytes out = {0};
    uint8_t part[65536];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;)
        put(&out, part, got);
    fclose(file);
    return out;
}

static void measure(const char *path)
{
    struct job job = {.wasm = read_file(path), .compile = true};
    struct component_needs needs = {0};
    struct timespec begin, end;
    struct rusage before, after;
    if (component_check(job.wasm.data, job.wasm.size, &needs, job.error, sizeof job.error) != 0) {
        printf("%s: refused: %s\n", path, job.error);
        return;
    }
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    on_stack(&job, COMPILE_STACK);
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(RUSAGE_SELF, &after);
    printf("%s: %zu bytes, %lu items, %lu of modules, %lu of code, largest %lu, %lu instances of %lu; may take %lu "
           "MiB, took %ld "
           "MiB, %.2f s: %s\n",
           path, job.wasm.size, (unsigned long)needs.items, (unsigned long)needs.core_items,
           (unsigned long)needs.code_bytes, (unsigned long)needs.largest_function, (unsigned long)needs.instances,
           (unsigned long)needs.instance_bytes, (unsigned long)(component_compile_memory(job.wasm.size, &needs) >> 20),
           (after.ru_maxrss - before.ru_maxrss) >> 10,
           (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9,
           job.status ? job.error : "compiled");
    free(job.wasm.data);
}

int main(int argc, char **argv)
{
    const struct wasm_runtime_config config = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    runtime = wasm_runtime_new(&config);
    if (argc > 2 && strcmp(argv[1], "--measure") == 0) {
        for (int i = 2; i < argc; i++)
            measure(argv[i]);
    } else {
        uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
        printf("seed %lu\n", (unsigned long)seed);
        state = seed * 2654435761u + 88172645463325252u;
        generated();
        other_files();
    }
    wasm_runtime_delete(runtime);
    return failures > 0;
}
