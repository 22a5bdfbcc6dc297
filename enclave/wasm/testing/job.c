/* See job.h. */
#include "enclave/wasm/testing/job.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "enclave/wasm/component.h"
#include "enclave/wasm/host.h"

struct wasm_runtime *job_runtime(uint64_t (*memory_left)(void))
{
    static const struct host_package nothing[] = {{0}};
    static const struct host_world world = {.packages = nothing};
    const struct wasm_runtime_config config = {.world = &world, .memory_left = memory_left};
    struct wasm_runtime *runtime = wasm_runtime_new(&config);
    if (!runtime)
        abort();
    return runtime;
}

static void *run_job(void *user)
{
    struct job *job = user;
    struct component_needs needs;
    if (!job->compile) {
        job->refused = component_check(job->wasm.data, job->wasm.size, &needs, job->error, sizeof job->error);
        return NULL;
    }
    struct wasm_component *component =
        wasm_compile(job->runtime, job->wasm.data, job->wasm.size, job->error, sizeof job->error);
    job->refused = component ? 0 : -1;
    wasm_component_delete(component);
    return NULL;
}

void job_run(struct job *job, size_t stack)
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

void job_measure(struct job *job, struct taken *taken)
{
    struct timespec begin, end;
    struct rusage before, after;
    job->compile = true;
    job->refused = component_check(job->wasm.data, job->wasm.size, &taken->needs, job->error, sizeof job->error);
    if (job->refused != 0)
        return;
    taken->expected_mib = component_compile_memory(job->wasm.size, &taken->needs) >> 20;
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    job_run(job, COMPILE_STACK);
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(RUSAGE_SELF, &after);
    taken->took_mib = (uint64_t)(after.ru_maxrss - before.ru_maxrss) >> 10;
    taken->seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}
