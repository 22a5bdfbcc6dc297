/*
 * Test guests in one: /trap, /loop, /bomb (memory), /hoard (memory, kept), /stack (recursion), /unfinished (no end of
 * body), /copies (of one argument), /silent (no answer); anything else says hello.
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
        if (__builtin_wasm_memory_grow(0, 1024) == (size_t)-1)
            __builtin_trap();
        unsigned char *end = (unsigned char *)(__builtin_wasm_memory_size(0) * 65536);
        end[-1] = 1;
    }
}

/* All that can be had, to the last page, and keep it. */
static void hoard(void)
{
    for (unsigned pages = 256; pages > 0; pages /= 2)
        while (__builtin_wasm_memory_grow(0, pages) != (size_t)-1)
            sink++;
}

/* One argument that names the same megabyte 4,096 times: copied, it would be 4 GiB. */
static void copies(void)
{
    static struct text values[4096];
    size_t page = __builtin_wasm_memory_grow(0, 16);
    for (unsigned i = 0; i < 4096; i++)
        values[i] = (struct text){(const char *)(page * 65536), 1 << 20};
    uint8_t result[8];
    fields_set(fields_new(), "x", 1, values, 4096, result);
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
    if (is(path.text, TEXT("/hoard"))) {
        hoard();
        loop();
    }
    if (is(path.text, TEXT("/copies")))
        copies();
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
