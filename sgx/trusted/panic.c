/* The end, for a reason that is told. */
#include "sgx/trusted/internal.h"

void sgx_panic(const char *text)
{
    rt_set_dead();
    rt_exit_fatal(rt_console_to_untrusted(text));
}

/* GCC's -fstack-protector calls this when a function's canary has changed: in place of libc's, which would print a
 * line and raise a signal on the very stack that is broken. */
_Noreturn void __stack_chk_fail(void);
__attribute__((visibility("default"))) void __stack_chk_fail(void)
{
    sgx_panic("a stack buffer was overrun");
}
