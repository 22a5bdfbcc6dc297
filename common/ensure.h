/*
 * An invariant, checked in every build. What it guards is our own doing: a broken one means that the program is wrong,
 * so it stops: inside the enclave for good (sgx_panic), elsewhere by abort. What a host, a client, a guest or an
 * operator can cause is no invariant: that is an error value.
 *
 * May be used before libc is up, and from any thread.
 */
#ifndef ENCLAVE_OS_COMMON_ENSURE_H
#define ENCLAVE_OS_COMMON_ENSURE_H

#ifdef ENCLAVE_TRUSTED                      /* set for all that goes into the image */
_Noreturn void sgx_panic(const char *text); /* sgx/trusted/bridge.h */
#define ensure_failed(text) sgx_panic(text)
#else
#include <stdio.h>
#include <stdlib.h>
#define ensure_failed(text) (fputs(text "\n", stderr), abort())
#endif

#define ENSURE_TEXT_(number) #number
#define ENSURE_TEXT(number) ENSURE_TEXT_(number)

/* One condition each, so that the text says which of them broke. */
#define ENSURE(condition)                                                                           \
    do {                                                                                            \
        if (__builtin_expect(!(condition), 0))                                                      \
            ensure_failed("broken invariant: " __FILE__ ":" ENSURE_TEXT(__LINE__) ": " #condition); \
    } while (0)

#endif
