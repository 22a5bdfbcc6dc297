/*
 * Test guests in one: /trap, /loop, /bomb (memory), /stack (recursion), /unfinished (no end of body), /silent (no
 * answer); anything else says hello.
 */
#include "../common/wasi_http.h"

static bool is(struct text path, struct text wanted)
{
    return path.size == wanted.size && text_starts(path, wanted);
}

static volatile unsigned sink;

static void bomb(void)
{
    for (;;) {
        if (__builtin_wasm_memory_grow(0, 256) == (size_t)-1)
            __builtin_trap();
        unsigned char *end = (unsigned char *)(__builtin_wasm_memory_size(0) * 65536);
        end[-1] = 1;
    }
}

__attribute__((noinline)) static unsigned recurse(unsigned depth)
{
    volatile unsigned here = depth;
    return (sink == UINT32_MAX ? 0 : recurse(depth + 1)) + here;
}

static void loop(void)
{
    for (;;)
        sink++;
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    request_path(request, &path);
    if (is(path.text, TEXT("/trap")))
        __builtin_trap();
    if (is(path.text, TEXT("/loop")))
        loop();
    if (is(path.text, TEXT("/bomb")))
        bomb();
    if (is(path.text, TEXT("/stack")))
        sink = recurse(0);
    if (is(path.text, TEXT("/silent")))
        return;
    if (is(path.text, TEXT("/unfinished"))) {
        uint32_t stream;
        respond(outparam, 200, &stream);
        return;
    }
    respond_text(outparam, 200, TEXT("behaving\n"));
}
