/*
 * What components need, and what compiling them takes: for setting the limits.
 *
 * Usage: component_needs --check FILE...     what each needs
 *        component_needs --measure FILE...   and what compiling it takes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/wasm/component.h"
#include "enclave/wasm/testing/job.h"

static struct wasm_runtime *runtime;

static void check(const char *path)
{
    struct job job = {.runtime = runtime, .wasm = read_file(path)};
    struct component_needs needs = {0};
    job.refused = component_check(job.wasm.data, job.wasm.size, &needs, job.error, sizeof job.error);
    printf("%s: %lu steps, of one function at most %lu; %s\n", path, (unsigned long)needs.work,
           (unsigned long)needs.largest_work, job.refused ? job.error : "within the limits");
    free(job.wasm.data);
}

static void measure(const char *path)
{
    struct job job = {.runtime = runtime, .wasm = read_file(path)};
    struct taken t = {0};
    job_measure(&job, &t);
    printf("%s: %zu bytes, %lu items, %lu of modules, %lu functions, %lu of code, largest %lu, graph %lu, %lu steps of "
           "%lu, %lu "
           "instances of %lu; expected %lu MiB, took %lu MiB, %.2f s: %s\n",
           path, job.wasm.size, (unsigned long)t.needs.items, (unsigned long)t.needs.core_items,
           (unsigned long)t.needs.functions, (unsigned long)t.needs.code_bytes, (unsigned long)t.needs.largest_function,
           (unsigned long)t.needs.largest_graph, (unsigned long)t.needs.largest_work, (unsigned long)t.needs.work,
           (unsigned long)t.needs.instances, (unsigned long)t.needs.instance_bytes, (unsigned long)t.expected_mib,
           (unsigned long)t.took_mib, t.seconds, job.refused ? job.error : "compiled");
    free(job.wasm.data);
}

int main(int argc, char **argv)
{
    bool checks = argc > 2 && strcmp(argv[1], "--check") == 0, measures = argc > 2 && strcmp(argv[1], "--measure") == 0;
    if (!checks && !measures) {
        fprintf(stderr, "usage: component_needs --check|--measure FILE...\n");
        return 2;
    }
    runtime = job_runtime(NULL);
    for (int i = 2; i < argc; i++)
        (checks ? check : measure)(argv[i]);
    wasm_runtime_delete(runtime);
    return 0;
}
