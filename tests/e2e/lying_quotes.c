/*
 * A host whose quoting enclave does, while the file LIE is there, what it says: refuse, forge (one bit is another), or
 * hold: it waits until the file is gone, and says in a file LIE.held that it does. Linked in place of the host's own
 * (--wrap); all else is the real host.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sgx/quote/quote.h"

static const struct quote_backend_ops *real;

static void read_lie(char lie[16])
{
    FILE *file = getenv("LIE") ? fopen(getenv("LIE"), "r") : NULL;
    lie[0] = 0;
    if (!file)
        return;
    if (!fgets(lie, 16, file))
        lie[0] = 0;
    fclose(file);
}

static void say_held(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s.held", getenv("LIE"));
    FILE *file = fopen(path, "w");
    if (file)
        fclose(file);
}

static int lying_get(struct quote_backend *b, const uint8_t report[QUOTE_REPORT_SIZE], uint8_t *out, size_t capacity,
                     size_t *size)
{
    char lie[16];
    for (read_lie(lie); strcmp(lie, "hold\n") == 0; read_lie(lie)) {
        say_held();
        usleep(10000);
    }
    if (strcmp(lie, "refuse\n") == 0)
        return -EIO;
    int error = real->get(b, report, out, capacity, size);
    if (error < 0)
        return error;
    if (strcmp(lie, "forge\n") == 0)
        out[400] ^= 1; /* its ReportData */
    return 0;
}

int __real_quote_simulation_create(const char *machine_dir, quote_report_key report_key, struct quote_backend **out,
                                   char *error, size_t error_size);
int __wrap_quote_simulation_create(const char *machine_dir, quote_report_key report_key, struct quote_backend **out,
                                   char *error, size_t error_size);

int __wrap_quote_simulation_create(const char *machine_dir, quote_report_key report_key, struct quote_backend **out,
                                   char *error, size_t error_size)
{
    static struct quote_backend_ops ops;
    int result = __real_quote_simulation_create(machine_dir, report_key, out, error, error_size);
    if (result < 0)
        return result;
    real = (*out)->ops;
    ops = *real;
    ops.get = lying_get;
    (*out)->ops = &ops;
    return 0;
}
