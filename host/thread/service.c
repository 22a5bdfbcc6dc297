/*
 * A queue under a lock, and threads that take from it. See service.h.
 */
#include "host/thread/service.h"

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "common/ensure.h"
#include "host/thread/threads.h"

#define THREADS_MAX 32u

struct service {
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct job *first, **last;
    bool stopping;
    char name[16];
    unsigned thread_count;
    pthread_t threads[THREADS_MAX];
};

static struct job *take(struct service *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->first && !s->stopping)
        pthread_cond_wait(&s->news, &s->lock);
    struct job *job = s->first;
    if (job) {
        s->first = job->next;
        if (!s->first)
            s->last = &s->first;
    }
    pthread_mutex_unlock(&s->lock);
    return job;
}

static void *serve(void *argument)
{
    struct service *s = argument;
    pthread_setname_np(pthread_self(), s->name);
    for (struct job *job; (job = take(s));)
        job->run(job);
    return NULL;
}

struct service *service_create(const char *name, unsigned threads)
{
    struct service *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->news, NULL);
    s->last = &s->first;
    for (size_t i = 0; name[i] && i + 1 < sizeof s->name; i++)
        s->name[i] = name[i];
    while (s->thread_count < threads && s->thread_count < THREADS_MAX &&
           thread_start(&s->threads[s->thread_count], serve, s) == 0)
        s->thread_count++;
    if (s->thread_count == 0) {
        free(s);
        return NULL;
    }
    return s;
}

void service_submit(struct service *s, struct job *job)
{
    ENSURE(job->run);
    job->next = NULL;
    pthread_mutex_lock(&s->lock);
    ENSURE(!s->stopping);
    *s->last = job;
    s->last = &job->next;
    pthread_cond_signal(&s->news);
    pthread_mutex_unlock(&s->lock);
}

static void stop(struct service *s, bool drop)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    if (drop) {
        s->first = NULL;
        s->last = &s->first;
    }
    pthread_cond_broadcast(&s->news);
    pthread_mutex_unlock(&s->lock);
}

static void free_stopped(struct service *s)
{
    pthread_cond_destroy(&s->news);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void service_destroy(struct service *s)
{
    stop(s, false);
    for (unsigned i = 0; i < s->thread_count; i++)
        pthread_join(s->threads[i], NULL);
    free_stopped(s);
}

bool service_leave(struct service *s, unsigned ms)
{
    struct timespec until;
    stop(s, true);
    clock_gettime(CLOCK_REALTIME, &until); /* as pthread_timedjoin_np has it, which sanitizers know */
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    for (unsigned i = 0; i < s->thread_count; i++)
        if (pthread_timedjoin_np(s->threads[i], NULL, &until) != 0)
            return false;
    free_stopped(s);
    return true;
}
