/*
 * The rule for every function that takes a callback, so that no caller is entered again while it is still calling:
 *
 *   - it returns a negative errno: nothing was begun, and the callback is never called; or
 *   - it returns 0: the callback is called exactly once, later, from the loop of the worker that asked, and never from
 *     inside the call. Whatever fails from then on, lack of memory too, is the callback's error.
 *
 * Such functions are marked, so that the compiler refuses callers that do not look. A function which has all it needs
 * in what its caller hands over (a task, an operation made before) cannot fail, and returns nothing.
 */
#ifndef ENCLAVE_OS_COMMON_CALLBACKS_H
#define ENCLAVE_OS_COMMON_CALLBACKS_H

#include <stdbool.h>

#include "common/ensure.h"

#define MAY_REFUSE __attribute__((warn_unused_result))

/*
 * The rule, asserted by who asks: zero-initialised in what the callback will find, it knows whether the call that takes
 * the callback has returned.
 *
 *     asking_begin(&c->asking);
 *     int error = kv_get(worker, ns, key, size, got_value, c);
 *     asking_end(&c->asking);
 *
 * and got_value begins with asking_over(&c->asking), which stops the enclave inside the call. One owner thread.
 */
struct asking {
    bool inside;
};

static inline void asking_begin(struct asking *a)
{
    ENSURE(!a->inside);
    a->inside = true;
}

static inline void asking_end(struct asking *a)
{
    ENSURE(a->inside);
    a->inside = false;
}

static inline void asking_over(const struct asking *a)
{
    ENSURE(!a->inside);
}

#endif
