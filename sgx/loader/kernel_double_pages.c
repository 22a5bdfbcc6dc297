/* What several of the stand-in's calls share: refusals, ranges, and one page after the other. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sgx/loader/kernel_double_internal.h"

int double_refuse(struct kernel_double *k, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!k->broken[0])
        vsnprintf(k->broken, sizeof k->broken, format, args);
    va_end(args);
    errno = code;
    return -1;
}

bool double_zero(const void *p, size_t size)
{
    static const uint8_t zeros[PAGE];
    return size <= PAGE && memcmp(p, zeros, size) == 0;
}

const char *double_range_fault(const struct kernel_double *k, uint64_t offset, uint64_t length)
{
    if (offset % PAGE)
        return "offset is not page-aligned";
    if (length == 0 || length % PAGE)
        return "length is zero or not whole pages";
    if (offset + length < offset || offset + length - PAGE >= k->secs.size)
        return "the range leaves ELRANGE";
    return NULL;
}

/* The stop that is planned for this call, or NULL. */
const struct double_stop *double_planned(const struct kernel_double *k, enum double_call call)
{
    for (unsigned i = 0; i < DOUBLE_PLAN_MAX; i++)
        if (k->plan[i].nth == k->calls[call] && k->plan[i].call == call)
            return &k->plan[i];
    return NULL;
}

/* Do one page after the other until the end, a refusal, or a planned stop; *count says how far it came. */
int double_for_pages(struct kernel_double *k, enum double_call call, uint64_t length, __u64 *count,
                     int (*page)(struct kernel_double *k, const void *argument, uint64_t at), const void *argument)
{
    const struct double_stop *stop = double_planned(k, call);
    uint64_t at = 0;
    int result = 0;
    for (; at < length && result == 0; at += PAGE) {
        if (stop && at / PAGE == stop->pages) {
            errno = stop->code;
            result = stop->code ? -1 : 0;
            break;
        }
        result = page(k, argument, at);
        if (result != 0)
            break;
    }
    *count = at;
    return result;
}
