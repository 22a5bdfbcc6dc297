/* Reads config/enclave.config.xml with expat. Whatever would have no effect is an error, by its name: an element that
 * is unknown (a typo must not pass for a default) or there twice, or within another one, and attributes. */
#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sgx/sign/image.h"

#define FILE_MAX 16384u
#define THREAD_STACK_SIZE (64u << 10) /* short ECALLs only; threads that run libc code bring their own stacks */

#define ROOT "EnclaveConfiguration"
static const struct {
    const char *name;
    uint64_t max;
} elements[] = {
    {"ProdID", UINT16_MAX},
    {"ISVSVN", UINT16_MAX},
    {"TCSNum", UINT32_MAX},
    {"TCSPolicy", 1},
    {"StackMaxSize", UINT64_MAX},
    {"ThreadStackSize", UINT64_MAX},
    {"CompilerStackSize", UINT64_MAX},
    {"GuestStackSize", UINT64_MAX},
    {"GuestStackNum", UINT64_MAX},
    {"HeapInitSize", UINT64_MAX},
    {"HeapMaxSize", UINT64_MAX},
    {"ReservedMemInitSize", UINT64_MAX},
    {"ReservedMemMaxSize", UINT64_MAX},
    {"ReservedMemExecutable", 1},
    {"DisableDebug", 1},
    {"MiscSelect", UINT32_MAX},
    {"MiscMask", UINT32_MAX},
};
#define ELEMENTS (sizeof elements / sizeof *elements)

struct reader {
    const char *path;
    XML_Parser parser;
    struct image_config *config;
    unsigned depth;
    bool seen[ELEMENTS];
    char text[64];
    size_t text_size;
    uint32_t executable;
    uint64_t code_max;
    char *error;
    size_t error_size;
};

/* The first reason counts: expat may call once more. */
static void stop(struct reader *r, const char *what, const char *name)
{
    if (r->error[0])
        return;
    snprintf(r->error, r->error_size, "%s: line %lu: %s %s", r->path, XML_GetCurrentLineNumber(r->parser), what, name);
    XML_StopParser(r->parser, XML_FALSE);
}

static void stop_at_value(struct reader *r, const char *name)
{
    char text[160];
    snprintf(text, sizeof text, "%.40s is '%s', expected a whole number of 0 or more", name, r->text);
    stop(r, "not a number:", text);
}

static size_t element_of(const char *name)
{
    size_t i = 0;
    while (i < ELEMENTS && strcmp(elements[i].name, name) != 0)
        i++;
    return i;
}

static void on_start(void *user, const char *name, const char **attributes)
{
    struct reader *r = user;
    size_t element = element_of(name);
    r->text_size = 0;
    r->depth++;
    if (r->depth == 1 ? strcmp(name, ROOT) != 0 : element == ELEMENTS)
        stop(r, "unknown element", name);
    else if (r->depth > 2)
        stop(r, "within another element:", name);
    else if (attributes[0])
        stop(r, "an attribute, where there are none, of", name);
    else if (r->depth == 2 && r->seen[element])
        stop(r, "given twice:", name);
    else if (r->depth == 2)
        r->seen[element] = true;
}

static void on_text(void *user, const char *text, int size)
{
    struct reader *r = user;
    for (int i = 0; i < size && r->text_size < sizeof r->text - 1; i++)
        r->text[r->text_size++] = text[i];
}

/* What Intel's schema has and is one way here. */
static void store_checked(struct reader *r, const char *name, uint64_t value)
{
    if (!strcmp(name, "TCSPolicy") && value != 1)
        stop(r, "must be 1, threads are bound to no TCS:", name);
    else if (!strcmp(name, "ReservedMemMaxSize"))
        r->code_max = value;
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
    else
        store_checked(r, name, value);
}

static void on_end(void *user, const char *name)
{
    struct reader *r = user;
    if (--r->depth == 0)
        return;
    r->text[r->text_size] = 0;
    char *end;
    errno = 0;
    uint64_t value = strtoull(r->text, &end, 0);
    if (errno || end == r->text || *end || strchr(r->text, '-'))
        stop_at_value(r, name);
    else if (value > elements[element_of(name)].max)
        stop(r, "too large:", name);
    else
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

/* What belongs together. */
static int judge(struct reader *r)
{
    if (!r->executable)
        snprintf(r->error, r->error_size, "%s: ReservedMemExecutable must be 1: compiled guests run there", r->path);
    else if (r->seen[element_of("ReservedMemMaxSize")] && r->code_max != r->config->code_size)
        snprintf(r->error, r->error_size,
                 "%s: ReservedMemMaxSize must be what ReservedMemInitSize is: the region does not grow", r->path);
    else
        return 0;
    return -EINVAL;
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
    if (result == 0)
        result = judge(&r);
    XML_ParserFree(r.parser);
    return result;
}
