/*
 * See component.h. Everything that is said here is said to somebody who just pushed a file and wants it to work.
 */
#include "enclave/wasm/component.h"

#include <errno.h>
#include <stdio.h>

#include "enclave/wasm/internal.h"
#include "enclave/wasm/limits.h"

static bool begins(const uint8_t *bytes, size_t size, const char *with, size_t with_size)
{
    return size >= with_size && memcmp(bytes, with, with_size) == 0;
}

/* "(module", "(component", or a comment, behind white space. */
static bool is_text_format(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (at < size && (bytes[at] == ' ' || (bytes[at] >= '\t' && bytes[at] <= '\r')))
        at++;
    return begins(bytes + at, size - at, "(", 1) || begins(bytes + at, size - at, ";;", 2);
}

/* Files that are no WebAssembly binary at all. NULL: it may be one. */
static const char *other_format(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return "the file is empty: push a component's .wasm";
    if (is_text_format(bytes, size))
        return "this is WebAssembly as text: make a binary of it with wasm-tools parse";
    if (begins(bytes, size, "\177ELF", 4))
        return "this was compiled for one machine already: push the portable .wasm, the enclave compiles it itself";
    if (!begins(bytes, size, "\0asm", 4))
        return "this is not WebAssembly: push a component's .wasm";
    if (size < 8)
        return "the file ends within its first eight bytes: push a whole component's .wasm";
    if (bytes[6] == 1 && bytes[7] == 0 && (bytes[4] != 0x0d || bytes[5] != 0))
        return "this component is of another version of the binary format than 0x0d: build it with current tools";
    return NULL;
}

int component_check(const uint8_t *wasm, size_t size, struct component_needs *needs, char *why, size_t why_size)
{
    static const struct component_limits limits = {
        .depth = COMPONENT_DEPTH_MAX,
        .items = COMPONENT_ITEMS_MAX,
        .core_items = COMPONENT_CORE_ITEMS_MAX,
        .function_bytes = COMPONENT_FUNCTION_MAX,
        .loops = COMPONENT_LOOPS_MAX,
        .block_values = COMPONENT_BLOCK_VALUES_MAX,
        .handlers = COMPONENT_HANDLERS_MAX,
        .bulk = COMPONENT_BULK_MAX,
        .function_work = COMPONENT_FUNCTION_STEPS_MAX,
        .work = COMPONENT_STEPS_MAX,
        .instances = COMPONENT_INSTANCES_MAX,
    };
    const char *other = other_format(wasm, size);
    if (other) {
        snprintf(why, why_size, "%s", other);
        return -EINVAL;
    }
    wasmtime_error_t *failed = enclave_component_check(wasm, size, &limits, needs);
    if (!failed)
        return 0;
    component_refusal(failed, why, why_size);
    return -EINVAL;
}

/* An estimate, above what the example apps took (component_needs --measure: JavaScript's engine 768 MiB, CPython 517,
 * Go 127). One function is compiled at a time: what is held beside the code that was made is its graph, in which each
 * variable can be a new value wherever branches meet. */
uint64_t component_compile_memory(size_t size, const struct component_needs *needs)
{
    return MIB(32) + 2 * (uint64_t)size + 64 * needs->code_bytes + 6144 * needs->functions +
           512 * needs->largest_function + 256 * needs->largest_graph + 96 * needs->largest_work +
           512 * needs->core_items + 2048 * needs->items;
}

bool component_takes_long(const struct component_needs *needs)
{
    return needs->code_bytes >= COMPONENT_QUICK_CODE || needs->work >= COMPONENT_QUICK_STEPS;
}

/* What validation says when a proposal is not served, and what we say. */
static const struct {
    const char *said, *sentence;
} proposals[] = {
    {"component model async", "uses asynchronous functions, which are of WASI 0.3: build it for WASI 0.2"},
    {"threads", "uses threads or shared memory, which are not served: build it without"},
    {"atomic", "uses threads or shared memory, which are not served: build it without"},
    {"shared", "uses threads or shared memory, which are not served: build it without"},
    {"stack switching", "uses stack switching, which is not served: build it without"},
    {"continuation", "uses stack switching, which is not served: build it without"},
    {"custom page size", "uses memory pages of another size than 64 KiB, which are not served: build it without"},
    {"legacy", "uses the old form of exceptions: build it with the standard one (-mllvm -wasm-use-legacy-eh=false)"},
    {"cm-threading", "uses threads or shared memory, which are not served: build it without"},
    {"error-context", "uses error-context, which is of WASI 0.3: build it for WASI 0.2"},
    {"error context", "uses error-context, which is of WASI 0.3: build it for WASI 0.2"},
    {"cm64", "uses 64-bit memories in its interfaces, which are not served: build it for wasm32"},
    {"64-bit feature", "uses 64-bit memories in its interfaces, which are not served: build it for wasm32"},
    {"cm-gc", "passes garbage-collected values through its interfaces, which is not served"},
    {"fixed-length list", "uses lists of fixed length in its interfaces, which are not served"},
    {"fixed size list", "uses lists of fixed length in its interfaces, which are not served"},
    {"map` ", "uses maps in its interfaces, which are not served"},
    {"cm-implements", "uses names with `implements`, which are not served"},
    {"64-bit nested component encoding", "uses a feature of components that is not served"},
};

/* wasmtime writes what it did first, and what went wrong at the end; of numbered causes the last is meant. */
static const char *last_cause(const char *text)
{
    static const char head[] = "Caused by:";
    const char *cause = strstr(text, head);
    if (!cause)
        return text;
    cause += sizeof head - 1;
    for (const char *line = cause; (line = strchr(line, '\n'));) {
        line += strspn(line, "\n ");
        size_t digits = strspn(line, "0123456789");
        if (digits && line[digits] == ':')
            cause = line + digits + 1;
    }
    return cause + strspn(cause, "\n ");
}

char *error_cause(wasmtime_error_t *error)
{
    wasm_name_t message;
    wasmtime_error_message(error, &message);
    wasmtime_error_delete(error);
    size_t size = message.size;
    while (size > 0 && (unsigned char)message.data[size - 1] <= ' ')
        size--;
    char *text = strndup(message.data, size), *cause = text ? strdup(last_cause(text)) : NULL;
    for (char *c = cause; c && *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    free(text);
    wasm_name_delete(&message);
    return cause;
}

void component_refusal(wasmtime_error_t *failed, char *why, size_t why_size)
{
    char *cause = error_cause(failed);
    bool of_validation = cause && strstr(cause, "(at offset");
    const char *sentence = NULL;
    for (size_t i = 0; i < sizeof proposals / sizeof *proposals && of_validation && !sentence; i++)
        if (strstr(cause, proposals[i].said))
            sentence = proposals[i].sentence;
    if (sentence)
        snprintf(why, why_size, "the component %s", sentence);
    else
        snprintf(why, why_size, "%s%s", of_validation ? "this is not a valid component: " : "",
                 cause ? cause : "no memory");
    free(cause);
}

#define WASM_PAGE 65536u /* what memories are counted in */

int component_fits(const wasmtime_component_t *component, uint64_t memory_limit, char *why, size_t why_size)
{
    struct component_demand demand;
    if (!enclave_component_demand(component, &demand)) {
        snprintf(why, why_size, "the component imports modules, which are not served: link them into it");
        return -EINVAL;
    }
    const struct {
        const char *what;
        uint64_t wanted, limit;
    } all[] = {
        {"memories", demand.memories, GUEST_MEMORIES_MAX},
        {"tables", demand.tables, GUEST_TABLES_MAX},
        {"elements in a table", demand.largest_table, GUEST_TABLE_MAX},
        {"pages of memory (64 KiB each) at its start", demand.largest_memory, memory_limit / WASM_PAGE},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].wanted <= all[i].limit)
            continue;
        snprintf(why, why_size, "the component has %lu %s: at most %lu", (unsigned long)all[i].wanted, all[i].what,
                 (unsigned long)all[i].limit);
        return -EINVAL;
    }
    return 0;
}
