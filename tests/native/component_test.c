/*
 * What is pushed is judged before it is compiled: generated components of every shape that nests or multiplies, deeper
 * and larger than the limits and just within them, are refused in words or compiled, and never anything else.
 *
 * Usage: component_test [SEED]            generated shapes; the seed is printed
 *        component_test --check FILE...   what each needs
 *        component_test --measure FILE... and what compiling it takes
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enclave/wasi/wasi.h"
#include "enclave/wasm/component.h"
#include "enclave/wasm/host.h"

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

/* A module with so many functions, each with this type (behind its leading byte), variables and body; body is freed. */
static void put_functions(struct bytes *b, unsigned count, const char *type, unsigned variables, struct bytes *body)
{
    struct bytes module = {0}, types = {0}, functions = {0}, code = {0}, one = {0};
    PUT(&module, "\0asm\1\0\0\0");
    PUT(&types, "\1\x60\0");
    put(&types, type, strlen(type));
    if (!*type)
        PUT(&types, "\0");
    put_section(&module, 1, &types);
    put_number(&one, variables ? 1 : 0);
    if (variables) {
        put_number(&one, variables);
        PUT(&one, "\x7f");
    }
    put(&one, body->data, body->size);
    put_number(&functions, count);
    put_number(&code, count);
    for (unsigned i = 0; i < count; i++) {
        PUT(&functions, "\0");
        put_number(&code, (uint32_t)one.size);
        put(&code, one.data, one.size);
    }
    free(one.data);
    free(body->data);
    put_section(&module, 3, &functions);
    put_section(&module, 10, &code);
    put_section(b, 1, &module);
}

static void put_times(struct bytes *b, unsigned times, const char *data, size_t size)
{
    while (times-- > 0)
        put(b, data, size);
}

/* A function of so many nested blocks. */
static void nested_blocks(struct bytes *b, unsigned depth)
{
    struct bytes body = {0};
    put_times(&body, depth, "\2\x40", 2);
    put_times(&body, depth + 1, "\x0b", 1);
    put_functions(b, 1, "", 0, &body);
}

/* Of loops, with blocks between them. */
static void nested_loops(struct bytes *b, unsigned depth)
{
    struct bytes body = {0};
    unsigned blocks = 0;
    for (unsigned i = 0; i < depth; i++) {
        for (unsigned j = pick(2); j > 0; j--, blocks++)
            PUT(&body, "\2\x40");
        PUT(&body, "\3\x40");
    }
    put_times(&body, depth + blocks + 1, "\x0b", 1);
    put_functions(b, 1, "", 0, &body);
}

/* One behind the other, however many. */
static void loops_in_a_row(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    put_times(&body, count, "\3\x40\x0b", 3);
    PUT(&body, "\x0b");
    put_functions(b, 1, "", 0, &body);
}

/* Shapes that take much memory for their size. */
static void many_functions(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    PUT(&body, "\x0b");
    put_functions(b, count, "", 0, &body);
}

static void many_calls(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    put_times(&body, count, "\x10\0", 2);
    PUT(&body, "\x0b");
    put_functions(b, 1, "", 0, &body);
}

/* So many values wait on the stack while the next is computed by a call. */
static void many_values(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    put_times(&body, count + 1, "\x10\0", 2);
    put_times(&body, count, "\x6a", 1);
    PUT(&body, "\x0b");
    put_functions(b, 1, "\1\x7f", 0, &body);
}

static void many_operators(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    PUT(&body, "\x41\0");
    put_times(&body, count, "\x41\1\x6a", 3);
    PUT(&body, "\x1a\x0b");
    put_functions(b, 1, "", 0, &body);
}

/* 100 loops within each other, which all change the same variables. */
static void many_meetings(struct bytes *b, unsigned variables)
{
    struct bytes body = {0};
    put_times(&body, 100, "\3\x40", 2);
    for (unsigned i = 0; i < variables; i++) {
        PUT(&body, "\x20");
        put_number(&body, i);
        PUT(&body, "\x41\1\x6a\x21");
        put_number(&body, i);
    }
    put_times(&body, 100, "\x20\0\x0d\0\x0b", 5);
    PUT(&body, "\x0b");
    put_functions(b, 1, "", variables, &body);
}

/* So many branches to a block that gives so many values as it may. */
static void branches_with_values(struct bytes *b, unsigned branches)
{
    struct bytes module = {0}, types = {0}, one = {0}, code = {0};
    PUT(&types, "\2\x60\0\0\x60\0\x3c"); /* 60 values */
    put_times(&types, 60, "\x7f", 1);
    PUT(&module, "\0asm\1\0\0\0");
    put_section(&module, 1, &types);
    PUT(&module, "\3\2\1\0");
    PUT(&one, "\0\2\1");
    put_times(&one, 60, "\x41\0", 2);
    put_times(&one, branches, "\x41\1\x0d\0", 4);
    PUT(&one, "\x0b");
    put_times(&one, 60, "\x1a", 1);
    PUT(&one, "\x0b");
    PUT(&code, "\1");
    put_number(&code, (uint32_t)one.size);
    put(&code, one.data, one.size);
    free(one.data);
    put_section(&module, 10, &code);
    put_section(b, 1, &module);
}

/* Handlers within each other, and as many calls within them all. */
static void handlers(struct bytes *b, unsigned depth)
{
    struct bytes body = {0};
    PUT(&body, "\2\x40");
    put_times(&body, depth, "\x1f\x40\1\2\0", 5);
    put_times(&body, depth, "\x10\0", 2);
    put_times(&body, depth + 2, "\x0b", 1);
    put_functions(b, 1, "", 0, &body);
}

/* A memory is filled again and again, and an import is called each time, which interrupts nothing. */
static void bulk(struct bytes *b, unsigned count)
{
    struct bytes module = {0}, one = {0}, code = {0};
    PUT(&module, "\0asm\1\0\0\0\1\4\1\x60\0\0"); /* a type: nothing to nothing */
    PUT(&module, "\2\7\1\1a\1b\0\0");            /* a.b of that type */
    PUT(&module, "\3\2\1\0\5\3\1\0\1");          /* a function, a memory of one page */
    PUT(&one, "\0");
    put_times(&one, count, "\x41\0\x41\0\x41\0\xfc\x0b\0\x10\0", 11);
    PUT(&one, "\x0b");
    PUT(&code, "\1");
    put_number(&code, (uint32_t)one.size);
    put(&code, one.data, one.size);
    free(one.data);
    put_section(&module, 10, &code);
    put_section(b, 1, &module);
}

/* Calls whose exceptions are caught, with as many variables alive. */
static void caught_calls(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    PUT(&body, "\2\x40\x1f\x40\1\2\0");
    for (unsigned i = 0; i < count; i++) {
        PUT(&body, "\x41\1\x21");
        put_number(&body, i);
        PUT(&body, "\x10\0");
    }
    PUT(&body, "\x0b\x0b");
    for (unsigned i = 0; i < count; i++) {
        PUT(&body, "\x20");
        put_number(&body, i);
        PUT(&body, "\x1a");
    }
    PUT(&body, "\x0b");
    put_functions(b, 1, "", count, &body);
}

/* As many variables as calls that they live across. */
static void variables_and_calls(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    for (unsigned i = 0; i < count; i++) {
        PUT(&body, "\x10\0\x21");
        put_number(&body, i);
    }
    put_times(&body, count, "\x10\0\x1a", 3);
    PUT(&body, "\x41\0");
    for (unsigned i = 0; i < count; i++) {
        PUT(&body, "\x20");
        put_number(&body, i);
        PUT(&body, "\x6a");
    }
    PUT(&body, "\x0b");
    put_functions(b, 1, "\1\x7f", count, &body);
}

/* A table whose branches all lead to where as many variables meet. */
static void table_of_branches(struct bytes *b, unsigned count)
{
    struct bytes body = {0};
    PUT(&body, "\2\x40\x41\1\x0e");
    put_number(&body, count);
    put_times(&body, count + 1, "\0", 1);
    PUT(&body, "\x0b\x0b");
    put_functions(b, 1, "", count, &body);
}

enum { TYPES_DEEP = 100 }; /* COMPONENT_DEPTH_MAX, which a test must not follow by itself */

#define TOO_LONG "would take too long to compile"

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
    {"nested loops", nested_loops, 200, 201, 20000, "more than 200 loops within loops"},
    {"loops in a row", loops_in_a_row, 10000, 400000, 500000, "at most 1048576"},
    /* what compiling takes more than its length would say */
    {"values across calls", many_values, 2700, 2900, 100000, TOO_LONG},
    {"variables across calls", variables_and_calls, 1300, 1500, 40000, TOO_LONG},
    {"branches with values", branches_with_values, 1900, 2100, 200000, TOO_LONG},
    {"handlers", handlers, 64, 65, 20000, "64 exception handlers at one place"},
    {"bulk instructions", bulk, 64, 65, 90000, "64 instructions like memory.copy in a row"},
    {"caught calls", caught_calls, 450, 500, 40000, TOO_LONG},
    {"tables of branches", table_of_branches, 1900, 2100, 40000, TOO_LONG},
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

static uint64_t little_left(void)
{
    return MIB(64);
}

/* Nothing is compiled for which there may be too little memory. */
static void memory_left(void)
{
    const struct wasm_runtime_config config = {.world = &wasi_world, .memory_left = little_left};
    struct wasm_runtime *full = runtime;
    struct job small = {.compile = true}, large = {.compile = true};
    put_head(&small.wasm);
    many_operators(&small.wasm, 1000);
    put_head(&large.wasm);
    many_operators(&large.wasm, 100000);
    runtime = wasm_runtime_new(&config);
    on_stack(&small, COMPILE_STACK);
    on_stack(&large, COMPILE_STACK);
    expect(small.status == 0, "enough memory", 0, &small);
    expect(large.status != 0 && strstr(large.error, "the enclave has 64 MiB left: remove an app"), "too little memory",
           0, &large);
    wasm_runtime_delete(runtime);
    runtime = full;
    free(small.wasm.data);
    free(large.wasm.data);
    printf("ok   too little memory\n");
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

#ifdef __SANITIZE_ADDRESS__ /* takes memory of its own, which cannot be told from a compilation's */
#define SANITIZED true
#else
#define SANITIZED false
#endif

struct taken {
    struct component_needs needs;
    uint64_t expected_mib, took_mib;
    double seconds;
};

static void check(const char *path)
{
    struct job job = {.wasm = read_file(path)};
    struct component_needs needs = {0};
    job.status = component_check(job.wasm.data, job.wasm.size, &needs, job.error, sizeof job.error);
    printf("%s: %lu steps, of one function at most %lu; %s\n", path, (unsigned long)needs.work,
           (unsigned long)needs.largest_work, job.status ? job.error : "within the limits");
    free(job.wasm.data);
}

/* In a process that compiled nothing larger before: what counts is how far its memory grew. */
static void compile_measured(struct job *job, struct taken *taken)
{
    struct timespec begin, end;
    struct rusage before, after;
    job->compile = true;
    job->status = component_check(job->wasm.data, job->wasm.size, &taken->needs, job->error, sizeof job->error);
    if (job->status != 0)
        return;
    taken->expected_mib = component_compile_memory(job->wasm.size, &taken->needs) >> 20;
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    on_stack(job, COMPILE_STACK);
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(RUSAGE_SELF, &after);
    taken->took_mib = (uint64_t)(after.ru_maxrss - before.ru_maxrss) >> 10;
    taken->seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

static void measure(const char *path)
{
    struct job job = {.wasm = read_file(path)};
    struct taken t = {0};
    compile_measured(&job, &t);
    printf("%s: %zu bytes, %lu items, %lu of modules, %lu functions, %lu of code, largest %lu, graph %lu, %lu steps of "
           "%lu, %lu "
           "instances of %lu; expected %lu MiB, took %lu MiB, %.2f s: %s\n",
           path, job.wasm.size, (unsigned long)t.needs.items, (unsigned long)t.needs.core_items,
           (unsigned long)t.needs.functions, (unsigned long)t.needs.code_bytes, (unsigned long)t.needs.largest_function,
           (unsigned long)t.needs.largest_graph, (unsigned long)t.needs.largest_work, (unsigned long)t.needs.work,
           (unsigned long)t.needs.instances, (unsigned long)t.needs.instance_bytes, (unsigned long)t.expected_mib,
           (unsigned long)t.took_mib, t.seconds, job.status ? job.error : "compiled");
    free(job.wasm.data);
}

/* What is expected is not less than what is taken, whatever it is that there is much of. */
static void estimates(void)
{
    static const struct {
        const char *name;
        void (*make)(struct bytes *b, unsigned count);
        unsigned count;
    } large[] = {
        {"many functions", many_functions, 20000},
        {"many calls", many_calls, 50000},
        {"many values", many_values, 2700},
        {"many operators", many_operators, 50000},
        {"many meetings", many_meetings, 500},
        {"nested blocks", nested_blocks, 50000},
        {"branches with values", branches_with_values, 1900},
        {"caught calls", caught_calls, 450},
        {"variables across calls", variables_and_calls, 1300},
        {"handlers", handlers, 64},
    };
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct job job = {0};
            struct taken t = {0};
            put_head(&job.wasm);
            large[i].make(&job.wasm, large[i].count);
            compile_measured(&job, &t);
            printf("%s: expected %lu MiB, took %lu MiB %s\n", large[i].name, (unsigned long)t.expected_mib,
                   (unsigned long)t.took_mib, job.error);
            _exit(job.status != 0 || t.took_mib > t.expected_mib);
        }
        int status = -1;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            printf("FAIL %s take more memory than expected\n", large[i].name);
            failures++;
        }
    }
}

int main(int argc, char **argv)
{
    const struct wasm_runtime_config config = {.world = &wasi_world};
    setvbuf(stdout, NULL, _IOLBF, 0);
    runtime = wasm_runtime_new(&config);
    if (argc > 2 && strcmp(argv[1], "--check") == 0) {
        for (int i = 2; i < argc; i++)
            check(argv[i]);
    } else if (argc > 2 && strcmp(argv[1], "--measure") == 0) {
        for (int i = 2; i < argc; i++)
            measure(argv[i]);
    } else {
        uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
        printf("seed %lu\n", (unsigned long)seed);
        state = seed * 2654435761u + 88172645463325252u;
        if (!SANITIZED)
            estimates();
        generated();
        other_files();
        memory_left();
    }
    wasm_runtime_delete(runtime);
    return failures > 0;
}
