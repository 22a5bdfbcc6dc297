/*
 * The thread on which components are compiled, which takes a larger stack and may take long: the changes' (change.h),
 * and at boot, before there are changes, that of whatever has to be compiled again.
 *
 *     component = compiler_compile(wasm, size, why, sizeof why);      boot, as often as need be
 *     error = compiler_serve();                                       boot is over: it is the changes' from now on
 *     compiler_stop(change_is_preparing());                           or compiler_stop(false) where boot has failed
 *
 * On the owner's thread. One thread, started at the first of these.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_COMPILER_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wasm_component;

/* As wasm_compile_quick (wasm/runtime.h), waited for. */
struct wasm_component *compiler_compile(const uint8_t *wasm, size_t size, char *why, size_t why_size);
/* 0 or a negative errno: there is no such thread. */
int compiler_serve(void);
/* Until it has ended; computing: it may not for long, and nobody waits for it any more. After change_stop, or instead
 * of compiler_serve. */
void compiler_stop(bool computing);

#endif
