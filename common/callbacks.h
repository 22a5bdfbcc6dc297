/*
 * The rule for every function that takes a callback, so that no caller is entered again while it is still calling:
 *
 *   - it returns a negative errno: nothing was begun, and the callback is never called; or
 *   - it returns 0: the callback is called exactly once, later, from the loop of the worker that asked, and never from
 *     inside the call. Whatever fails from then on, lack of memory too, is the callback's error.
 *
 * Such functions are marked, so that the compiler refuses callers that do not look. A function which has all it needs
 * in what its caller hands over (a task, an operation made before) cannot fail, and returns nothing.
 *
 * What makes it so, and asserts it, is the errand (enclave/thread/errand.h): the answer is a task of the asker's loop.
 * What the host answers comes from the loop by itself (enclave/thread/rpc_client.h).
 */
#ifndef ENCLAVE_OS_COMMON_CALLBACKS_H
#define ENCLAVE_OS_COMMON_CALLBACKS_H

#define MAY_REFUSE __attribute__((warn_unused_result))

#endif
