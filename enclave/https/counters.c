/* What is counted of requests. See http.h. */
#include "common/ensure.h"
#include "enclave/https/http.h"
#include "enclave/thread/worker.h"

struct http_counters *http_counters_of(struct http_server *server, const struct worker *worker)
{
    loop_check(&worker->loop);
    ENSURE(worker->index < PROTO_MAX_WORKERS);
    return &server->counters[worker->index];
}

void http_counters_sum(const struct http_server *server, struct http_counters *sum)
{
    *sum = (struct http_counters){0};
    for (uint32_t i = 0; i < PROTO_MAX_WORKERS; i++) {
        const struct http_counters *c = &server->counters[i];
        sum->connections += atomic_load_explicit(&c->connections, memory_order_relaxed);
        sum->requests += atomic_load_explicit(&c->requests, memory_order_relaxed);
        sum->app_calls += atomic_load_explicit(&c->app_calls, memory_order_relaxed);
        for (uint32_t k = 0; k < sizeof c->responses / sizeof *c->responses; k++)
            sum->responses[k] += atomic_load_explicit(&c->responses[k], memory_order_relaxed);
    }
}
