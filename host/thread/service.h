/*
 * Work that may block (disk, name look-ups, signatures) on threads of its own, so that it never holds up the
 * network. Jobs run in the order of their submission, on as many threads as the service has (32 at most).
 *
 *     struct work { struct job job; ... };
 *     work->job.run = run;                       run gets &work->job, and owns it
 *     service_submit(service, &work->job);
 *
 * A job is its submitter's memory, and from service_submit on its run's. The queue has no bound of its own: what it
 * holds is charged where the job was made. Any thread may submit.
 */
#ifndef ENCLAVE_OS_HOST_THREAD_SERVICE_H
#define ENCLAVE_OS_HOST_THREAD_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

struct job {
    void (*run)(struct job *job); /* on a service thread; hands the job on to whoever owns it next */
    struct job *next;
};

struct service;

/* NULL if there are no resources: with errno. name is copied, up to 15 letters. Its threads take no signals. */
struct service *service_create(const char *name, unsigned threads);
void service_submit(struct service *service, struct job *job);
/* Runs what was submitted, then ends the threads. Nobody may submit any more. */
void service_destroy(struct service *service);
/* The same at a process's end, which waits for nobody: what is queued is dropped, and what runs has so many more
 * milliseconds. False: it runs on, until the process ends, and the service stays. */
bool service_leave(struct service *service, unsigned ms);

#endif
