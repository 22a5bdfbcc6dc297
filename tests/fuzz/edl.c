/* The interface compiler: every text is either refused with a position or becomes bridges. exit is ours there. */
#include <setjmp.h>
#include <stdio.h>

#include "sgx/edger/edl.h"
#include "tests/fuzz/fuzz.h"

static jmp_buf refused;

_Noreturn void fuzz_exit(int status);
_Noreturn void fuzz_exit(int status)
{
    MUST(status == 1);
    longjmp(refused, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct edl edl;
    static FILE *null;
    static char *text;
    if (memchr(data, 0, size))
        return 0; /* main.c refuses it */
    null = null ? null : fopen("/dev/null", "w");
    free(text);
    text = calloc(1, size + 1);
    memcpy(text, data, size);
    memset(&edl, 0, sizeof edl);
    if (setjmp(refused))
        return 0;
    edl_parse(&edl, "input.edl", text);
    MUST(edl.ecall_count <= EDL_FUNCTIONS_MAX && edl.ocall_count <= EDL_FUNCTIONS_MAX);
    edl_write_trusted_header(&edl, "input", null);
    edl_write_trusted_source(&edl, "input", null);
    edl_write_untrusted_header(&edl, "input", null);
    edl_write_untrusted_source(&edl, "input", null);
    return 0;
}
