/* Reads config/enclave.config.xml with expat. An unknown element is an error: a typo must not pass for a default. */
#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sgx/sign/image.h"

#define FILE_MAX 16384u
#define THREAD_STACK_SIZE (64u << 10) /* short ECALLs only; threads that run libc code bring their own stacks */

struct reader {
    const char *path;
    XML_Parser parser;
    struct image_config *config;
    char text[64];
    size_t text_size;
    uint32_t executable;
    char *error;
    size_t error_size;
};

static void stop(struct reader *r, const char *what, const char *name)
{
    snprintf(r->error, r->error_size, "%s: line %lu: %s %s", r->path, XML_GetCurrentLineNumber(r->parser), what, name);
    XML_StopParser(r->parser, XML_FALSE);
}

static void stop_at_value(struct reader *r, const char *name)
{
    char text[160];
    snprintf(text, sizeof text, "%.40s is '%s', expected a whole number of 0 or more", name, r->text);
    stop(r, "not a number:", text);
}

static void on_start(void *user, const char *name, const char **attributes)
{
    (void)name, (void)attributes;
    ((struct reader *)user)->text_size = 0;
}

static void on_text(void *user, const char *text, int size)
{
    struct reader *r = user;
    for (int i = 0; i < size && r->text_size < sizeof r->text - 1; i++)
        r->text[r->text_size++] = text[i];
}

static bool fits(struct reader *r, const char *name, uint64_t value)
{
    static const struct {
        const char *name;
        uint64_t max;
    } bounds[] = {{"ProdID", UINT16_MAX},      {"ISVSVN", UINT16_MAX},   {"TCSNum", UINT32_MAX},
                  {"DisableDebug", 1},         {"MiscMask", UINT32_MAX}, {"MiscSelect", UINT32_MAX},
                  {"ReservedMemExecutable", 1}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (!strcmp(name, bounds[i].name) && value > bounds[i].max) {
            stop(r, "too large:", name);
            return false;
        }
    return true;
}

static void store(struct reader *r, const char *name, uint64_t value)
{
    struct image_config *c = r->config;
    if (!strcmp(name, "ProdID"))
        c->prod_id = (uint16_t)value;
    else if (!strcmp(name, "ISVSVN"))
        c->isv_svn = (uint16_t)value;
    else if (!strcmp(name, "TCSNum"))
        c->tcs_num = (uint32_t)value;
    else if (!strcmp(name, "StackMaxSize"))
        c->main_stack_size = value;
    else if (!strcmp(name, "ThreadStackSize"))
        c->stack_sizes[ENCLAVE_STACK_THREAD] = value;
    else if (!strcmp(name, "CompilerStackSize"))
        c->stack_sizes[ENCLAVE_STACK_COMPILER] = value;
    else if (!strcmp(name, "GuestStackSize"))
        c->stack_sizes[ENCLAVE_STACK_GUEST] = value;
    else if (!strcmp(name, "GuestStackNum"))
        c->guest_stack_num = value;
    else if (!strcmp(name, "HeapInitSize"))
        c->heap_init_size = value;
    else if (!strcmp(name, "HeapMaxSize"))
        c->heap_max_size = value;
    else if (!strcmp(name, "ReservedMemInitSize"))
        c->code_size = value;
    else if (!strcmp(name, "ReservedMemExecutable"))
        r->executable = (uint32_t)value;
    else if (!strcmp(name, "DisableDebug"))
        c->disable_debug = (uint32_t)value;
    else if (!strcmp(name, "MiscSelect"))
        c->misc_select = (uint32_t)value;
    else if (!strcmp(name, "MiscMask"))
        c->misc_mask = (uint32_t)value;
    else if (strcmp(name, "TCSPolicy") && strcmp(name, "ReservedMemMaxSize"))
        stop(r, "unknown element", name);
}

static void on_end(void *user, const char *name)
{
    struct reader *r = user;
    if (!strcmp(name, "EnclaveConfiguration"))
        return;
    r->text[r->text_size] = 0;
    char *end;
    errno = 0;
    uint64_t value = strtoull(r->text, &end, 0);
    if (errno || end == r->text || *end || strchr(r->text, '-'))
        stop_at_value(r, name);
    else if (fits(r, name, value))
        store(r, name, value);
}

/* The whole file, FILE_MAX bytes at most. */
static int read_file(const char *path, char buffer[FILE_MAX + 1], size_t *size, char *error, size_t error_size)
{
    FILE *f = fopen(path, "rb");
    int result = f ? 0 : -errno;
    errno = 0;
    *size = f ? fread(buffer, 1, FILE_MAX + 1, f) : 0;
    if (f && ferror(f))
        result = errno ? -errno : -EIO;
    if (f)
        fclose(f);
    if (result < 0)
        snprintf(error, error_size, "%s: %s%s", path, strerror(-result), result == -EISDIR ? ": expected a file" : "");
    else if (*size > FILE_MAX)
        snprintf(error, error_size, "%s: more than %u bytes: no configuration", path, FILE_MAX);
    else if (*size == 0)
        snprintf(error, error_size, "%s: line 1: not well-formed XML: it is empty", path);
    else
        return 0;
    return result < 0 ? result : -EINVAL;
}

int image_config_read(const char *path, struct image_config *config, char *error, size_t error_size)
{
    char buffer[FILE_MAX + 1];
    size_t size;
    int read = read_file(path, buffer, &size, error, error_size);
    if (read < 0)
        return read;
    memset(config, 0, sizeof *config);
    config->thread_stack_size = THREAD_STACK_SIZE;
    struct reader r = {
        .path = path, .config = config, .error = error, .error_size = error_size, .parser = XML_ParserCreate(NULL)};
    if (!r.parser)
        return -ENOMEM;
    error[0] = 0;
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    int result = 0;
    if (XML_Parse(r.parser, buffer, (int)size, 1) != XML_STATUS_OK) {
        result = -EINVAL;
        if (!error[0])
            stop(&r, "not well-formed XML:", XML_ErrorString(XML_GetErrorCode(r.parser)));
    }
    if (result == 0 && !r.executable) {
        snprintf(error, error_size, "%s: ReservedMemExecutable must be 1: compiled guests run there", path);
        result = -EINVAL;
    }
    XML_ParserFree(r.parser);
    return result;
}
