/*
 * How much of an app may go on: what an operator allows beneath what the server does, in its settings (settings.h), and
 * what was refused by it.
 *
 *     switch (admission_take(&app->admission, &app->settings->limits, running, now_ns))
 *
 * Shared by all workers without a lock. The clock is the workers', which is the host's and never goes back: a host that
 * lies about it can serve less, or more, than is allowed, as it can drop requests.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_ADMISSION_H
#define ENCLAVE_OS_ENCLAVE_WASM_ADMISSION_H

#include <stdatomic.h>
#include <stdint.h>

/* 0: not given. */
struct app_limits {
    uint64_t memory_mib; /* linear memory for one request */
    uint64_t timeout_ms; /* for one request */
    uint64_t cpu_ms;     /* that one request may compute */
    uint64_t requests;   /* at once */
    uint64_t requests_per_second;
    uint64_t body_bytes; /* of a request */
};

struct admission {
    _Atomic uint64_t next_ns;           /* when the next request is due, if they come no faster than they may */
    _Atomic uint64_t busy, fast, large; /* refusals; large: by what is said of the body */
};

enum admitted { ADMITTED, ADMISSION_BUSY, ADMISSION_FAST };

/* running: how many there are with this one. As many as a second has may come at once. A refusal is counted, and costs
 * nothing. Any thread. */
enum admitted admission_take(struct admission *a, const struct app_limits *limits, uint64_t running, uint64_t now_ns);

#endif
