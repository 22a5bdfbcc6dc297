/*
 * What is pushed is judged before it is compiled: generated components of every shape that nests or multiplies, deeper
 * and larger than the limits and just within them, are refused in words or compiled, and never anything else.
 *
 * Usage: component_test [SEED]   the seed is printed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enclave/wasm/limits.h"
#include "enclave/wasm/testing/job.h"
#include "enclave/wasm/testing/shapes.h"

static struct wasm_runtime *runtime;
static unsigned failures;

#ifdef __SANITIZE_ADDRESS__ /* takes memory of its own, which cannot be told from a compilation's */
#define SANITIZED true
#else
#define SANITIZED false
#endif

static void expect(bool right, const char *what, unsigned depth, const struct job *job)
{
    if (right)
        return;
    printf("FAIL %s, %u levels: %s\n", what, depth, job->refused ? job->error : "accepted");
    failures++;
}

static void try_shape(const struct shape_kind *shape, unsigned depth)
{
    struct job job = {.runtime = runtime};
    put_head(&job.wasm);
    shape->make(&job.wasm, depth);
    job_run(&job, CHECK_STACK);
    job.compile = true;
    job_run(&job, COMPILE_STACK);
    if (depth <= shape->within)
        expect(job.refused == 0, shape->name, depth, &job);
    else if (depth >= shape->beyond)
        expect(job.refused != 0 && strstr(job.error, shape->said), shape->name, depth, &job);
    free(job.wasm.data);
}

/* A component with bytes changed here and there is refused or compiled. */
static void try_damaged(void)
{
    struct job job = {.runtime = runtime};
    put_head(&job.wasm);
    for (unsigned i = 1 + pick(3); i > 0; i--) {
        const struct shape_kind *shape = &shapes[pick(shape_count)];
        shape->make(&job.wasm, pick(shape->within < 200 ? shape->within : 200));
    }
    for (unsigned i = pick(4); i > 0; i--)
        job.wasm.data[8 + pick((unsigned)job.wasm.size - 8)] ^= (uint8_t)(1u << pick(8));
    job_run(&job, CHECK_STACK);
    job.compile = true;
    job_run(&job, COMPILE_STACK);
    expect(job.refused == 0 || job.error[0], "damaged", 0, &job);
    free(job.wasm.data);
}

static void generated(void)
{
    for (size_t i = 0; i < shape_count; i++) {
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
#define FILE_OF(bytes, said) {bytes, sizeof bytes - 1, said}
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
        /* a module that ends with the file, whole as it looks, and is shorter than it says */
        FILE_OF("\0asm\x0d\0\1\0\1\x7f\0asm\1\0\0\0\1\4\1\x60\0\0", "out of bounds"),
        FILE_OF("\0asm\x0d\0\1\0\7\3\1\x42\0\x0a\x20\1\0\x1bwasi:http/handler@0.3.0-rc1\5\0", "WASI 0.3"),
        /* proposals that are not served: shared memory, and an asynchronous function's type */
        FILE_OF("\0asm\x0d\0\1\0\1\x0e\0asm\1\0\0\0\5\4\1\3\1\2", "threads"),
        FILE_OF("\0asm\x0d\0\1\0\7\5\1\x43\0\1\0", "WASI 0.3"),
        FILE_OF("\0asm\x0d\0\1\0\1\x0e\0asm\1\0\0\0\5\4\1\x08\1\0", "64 KiB"),
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct job job = {.runtime = runtime, .compile = true};
        put(&job.wasm, files[i].bytes, files[i].size);
        job_run(&job, COMPILE_STACK);
        expect(job.refused != 0 && strstr(job.error, files[i].said), files[i].said, 0, &job);
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
    struct wasm_runtime *full = job_runtime(little_left);
    struct job small = {.runtime = full, .compile = true}, large = {.runtime = full, .compile = true};
    put_head(&small.wasm);
    many_operators(&small.wasm, 1000);
    put_head(&large.wasm);
    many_operators(&large.wasm, 100000);
    job_run(&small, COMPILE_STACK);
    job_run(&large, COMPILE_STACK);
    expect(small.refused == 0, "enough memory", 0, &small);
    expect(large.refused != 0 && strstr(large.error, "the enclave has 64 MiB left: remove an app"), "too little memory",
           0, &large);
    wasm_runtime_delete(full);
    free(small.wasm.data);
    free(large.wasm.data);
    printf("ok   too little memory\n");
}

/* What is expected is not less than what is taken, whatever it is that there is much of. */
static void estimates(void)
{
    for (size_t i = 0; i < large_shape_count; i++) {
        const struct large_shape *large = &large_shapes[i];
        pid_t child = fork();
        if (child == 0) {
            struct job job = {.runtime = runtime};
            struct taken t = {0};
            put_head(&job.wasm);
            large->make(&job.wasm, large->count);
            job_measure(&job, &t);
            printf("%s: expected %lu MiB, took %lu MiB %s\n", large->name, (unsigned long)t.expected_mib,
                   (unsigned long)t.took_mib, job.error);
            _exit(job.refused != 0 || t.took_mib > t.expected_mib);
        }
        int ended = -1;
        if (child < 0 || waitpid(child, &ended, 0) != child || ended != 0) {
            printf("FAIL %s take more memory than expected\n", large->name);
            failures++;
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %lu\n", (unsigned long)seed);
    pick_seed(seed);
    runtime = job_runtime(NULL);
    if (!SANITIZED)
        estimates();
    generated();
    other_files();
    memory_left();
    wasm_runtime_delete(runtime);
    return failures > 0;
}
