/*
 * Where a command starts, in place of wasi-libc's crt1-command.o. That one leaves it to the linker to wrap every export
 * in the program's constructors and destructors, cabi_realloc included, which the adapter calls while the constructors
 * run: they would run within themselves, and the destructors after each allocation. A program that names
 * __wasm_call_ctors gets no such wrappers.
 */
#include <stdlib.h>

void __wasm_call_ctors(void);
void __wasm_call_dtors(void);
int __main_void(void); /* the library's, which fetches the arguments, or that of a main without any */

__attribute__((export_name("_start"))) void _start(void)
{
    __wasm_call_ctors();
    int status = __main_void();
    if (status != 0)
        exit(status);
    __wasm_call_dtors();
}
