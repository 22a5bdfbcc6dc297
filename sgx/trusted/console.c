/*
 * What libc and libraries write to file descriptors 1 and 2 (an abort message, as a rule) is kept here. It leaves the
 * enclave only as the last words of a debug enclave: elsewhere it might hold secrets.
 */
#include "sgx/trusted/internal.h"

#define KEEP 512u

static struct rt_lock lock;
static char kept[KEEP];
static uint32_t kept_size;

void rt_console_write(const char *text, size_t size)
{
    rt_lock(&lock);
    if (size > KEEP) {
        text += size - KEEP;
        size = KEEP;
    }
    if (kept_size + size > KEEP) {
        uint32_t drop = (uint32_t)(kept_size + size - KEEP);
        __builtin_memmove(kept, kept + drop, kept_size - drop);
        kept_size -= drop;
    }
    __builtin_memcpy(kept + kept_size, text, size);
    kept_size += (uint32_t)size;
    rt_unlock(&lock);
}

static bool is_debug;

void rt_console_init(bool debug)
{
    is_debug = debug;
}

const char *rt_console_to_untrusted(const char *text)
{
    struct thread_data *td = rt_td();
    if (!is_debug || td->scratch_size < 2 * KEEP)
        return 0;
    size_t size = 0;
    char out[2 * KEEP];
    while (text[size] && size < KEEP - 3) {
        out[size] = text[size];
        size++;
    }
    if (kept_size) {
        out[size++] = '\n';
        __builtin_memcpy(out + size, kept, kept_size);
        size += kept_size;
    }
    out[size++] = 0;
    sgx_copy_out(td->scratch, out, size);
    return (const char *)td->scratch;
}
