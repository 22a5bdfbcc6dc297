/*
 * The C side of wasmtime/src: what the enclave adds to wasmtime's official C API. The reasons stand there.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_SHIM_H
#define ENCLAVE_OS_ENCLAVE_WASM_SHIM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wasmtime.h>
#include <wasmtime/component.h>

/* One part of a value; see wasmtime/src/host.rs for the layout of each type. */
struct slot {
    uint64_t word;
    uint64_t size;
};
static_assert(sizeof(struct slot) == 16, "shared with Rust");

static inline const char *slot_text(const struct slot *s)
{
    return (const char *)(uintptr_t)s->word;
}

struct slot_reply {
    const struct slot *slots;
    size_t count;
};
static_assert(sizeof(struct slot_reply) == 16, "shared with Rust");

enum host_result {
    HOST_DONE = 0, /* the reply is complete */
    HOST_WAIT = 1, /* the guest is suspended; the same call comes again when it is polled again */
    HOST_TRAP = 2, /* the guest is ended */
};

/* Signatures with a typed path of their own; the numbers are those of Place::define in host.rs. */
enum shape {
    SHAPE_ANY = 0,
    SHAPE_WRITE = 1,      /* (handle, bytes) -> result<_, stream-error> */
    SHAPE_READ = 2,       /* (handle, u64) -> result<bytes, stream-error> */
    SHAPE_RANDOM = 3,     /* (u64) -> bytes */
    SHAPE_FIELDS_GET = 4, /* (handle, string) -> list<bytes> */
    SHAPE_FIELDS_SET = 5, /* (handle, string, list<bytes>) -> result<_, header-error> */
    SHAPE_FIELDS_APPEND = 6,
    SHAPE_FIELDS_ENTRIES = 7,
    SHAPE_FIELDS_FROM_LIST = 8,
    SHAPE_KV_GET = 9,
    SHAPE_KV_SET = 10,
    SHAPE_NEW = 11,         /* () -> own */
    SHAPE_HANDLE = 12,      /* (handle) -> own */
    SHAPE_TRY_HANDLE = 13,  /* (handle) -> result<own, _> */
    SHAPE_SET_U16 = 14,     /* (handle, u16) -> result<_, _> */
    SHAPE_OPTION_TEXT = 15, /* (handle) -> option<string> */
    SHAPE_STREAM_U64 = 16,  /* (handle) -> result<u64, stream-error> */
    SHAPE_STREAM_VOID = 17, /* (handle) -> result<_, stream-error> */
    SHAPE_VOID = 18,        /* (handle), waits */
    SHAPE_BOOL = 19,        /* (handle) -> bool */
    SHAPE_POLL = 20,        /* (list<handle>) -> list<u32> */
    SHAPE_KV_GET_MANY = 21, /* (handle, list<string>) -> result<list<option<(string, bytes)>>, store-error> */
    SHAPE_KV_SET_MANY = 22, /* (handle, list<(string, bytes)>) -> result<_, store-error> */
    SHAPE_FILE_READ = 23,   /* (handle, u64, u64) -> result<(bytes, bool), filesystem's error-code> */
    SHAPE_FILE_WRITE = 24,  /* (handle, bytes, u64) -> result<u64, filesystem's error-code> */
};

typedef int32_t (*enclave_callback)(const void *function, void *guest, const struct slot *args, size_t count,
                                    struct slot_reply *reply);

/* function must outlive everything made from the linker. */
wasmtime_error_t *enclave_linker_func(wasmtime_component_linker_instance_t *instance, const char *name,
                                      size_t name_size, uint32_t shape, bool waits, enclave_callback callback,
                                      const void *function);

/* Where compiled code lies (wasmtime/src/code.rs). publish: text, within an artefact that was loaded, is to become
 * executable, and all of the artefact read only; false: it cannot. release: the artefact with this text is not used any
 * more. Any thread; user outlives the engine. */
struct code_memory {
    bool (*publish)(void *user, const uint8_t *text, size_t size);
    void (*release)(void *user, const uint8_t *text);
    void *user;
};
static_assert(sizeof(struct code_memory) == 24, "shared with Rust");
void enclave_config_code_memory(wasm_config_t *config, const struct code_memory *memory);
wasmtime_error_t *enclave_component_compile(const wasm_engine_t *engine, const uint8_t *wasm, size_t size,
                                            wasm_byte_vec_t *artefact);
/* The artefact begins a page, and is wasmtime's until it is released. On failure it may have been, or not. */
wasmtime_error_t *enclave_component_load(const wasm_engine_t *engine, const uint8_t *artefact, size_t size,
                                         wasmtime_component_t **out);

/* What a component may have, and what it has: see wasmtime/src/check.rs. */
struct component_limits {
    uint64_t depth;
    uint64_t items;
    uint64_t core_items;
    uint64_t function_bytes, loops;
    uint64_t block_values, handlers;
    uint64_t bulk;
    uint64_t function_work, work;
    uint64_t instances;
};
static_assert(sizeof(struct component_limits) == 88, "shared with Rust");
struct component_needs {
    uint64_t items, core_items;
    uint64_t code_bytes, functions;
    uint64_t largest_function; /* its operators, a call as four */
    uint64_t largest_graph;    /* of one function: variables times places where branches meet */
    uint64_t largest_work;     /* of one function: the steps that compiling it takes, beside its operators */
    uint64_t work;             /* of all */
    uint64_t instances;
    uint64_t instance_bytes; /* beside memories and tables, at most */
};
static_assert(sizeof(struct component_needs) == 72 + 8, "shared with Rust");
wasmtime_error_t *enclave_component_check(const uint8_t *wasm, size_t size, const struct component_limits *limits,
                                          struct component_needs *needs);

/* The same component, but that it marks what it writes (wasmtime/mark): all of it is the caller's. An error says why it
 * has to run as it is, and then there is nothing. It has been checked. */
struct marked_component {
    wasm_byte_vec_t component;
    wasm_byte_vec_t memories; /* enum memory_role of each that instantiating makes, in their order */
    wasm_byte_vec_t image;    /* what is in the memory, from image_offset on */
    uint64_t image_offset, memory_bytes;
};
static_assert(sizeof(struct marked_component) == 64, "shared with Rust");
wasmtime_error_t *enclave_component_mark(const uint8_t *wasm, size_t size, struct marked_component *out);

/* What instances begin with. False: it imports modules, and nobody knows. */
struct component_demand {
    uint64_t memories, tables;
    uint64_t largest_memory, largest_table; /* bytes; elements */
};
static_assert(sizeof(struct component_demand) == 32, "shared with Rust");
bool enclave_component_demand(const wasmtime_component_t *component, struct component_demand *out);

/* What a store may have; charge is asked for each table that begins or grows, and user outlives the store. */
struct store_limits {
    uint64_t memory_bytes, table_elements;
    uint64_t instances, tables, memories;
    bool (*charge)(void *user, uint64_t bytes);
    void *user;
};
static_assert(sizeof(struct store_limits) == 56, "shared with Rust");
void enclave_store_limit(wasmtime_store_t *store, const struct store_limits *limits);

/* A component whose imports are resolved and whose entry is found: handle of its interface, or run if it is a command.
 * Any thread may use it. */
typedef struct enclave_pre enclave_pre_t;
wasmtime_error_t *enclave_pre_new(const wasmtime_component_linker_t *linker, const wasmtime_component_t *component,
                                  const char *interface, size_t interface_size, bool command, enclave_pre_t **out);
void enclave_pre_delete(enclave_pre_t *pre);

/* Instantiate and call handle(own request, own outparam), as one suspendable call. pre and the store outlive it.
 * copied_max: bytes that one host call copies out of the guest's memory. */
typedef struct enclave_call enclave_call_t;
enclave_call_t *enclave_call_new(const enclave_pre_t *pre, wasmtime_context_t *store, uint32_t request,
                                 uint32_t request_type, uint32_t outparam, uint32_t outparam_type, size_t copied_max);
/* The same for run() of a command; an error also when it says itself that it failed. */
enclave_call_t *enclave_call_new_command(const enclave_pre_t *pre, wasmtime_context_t *store, size_t copied_max);
/* True when done, with *error set if it failed; false if the guest waits or yielded. */
bool enclave_call_poll(enclave_call_t *call, wasmtime_error_t **error);
void enclave_call_delete(enclave_call_t *call); /* not from inside a poll */

enum item_kind { ITEM_FUNC = 0, ITEM_RESOURCE = 1, ITEM_TYPE = 2, ITEM_INSTANCE = 3, ITEM_OTHER = 4 };
typedef void (*item_visitor)(void *user, const char *instance, size_t instance_size, const char *name, size_t name_size,
                             enum item_kind kind, const char *type, size_t type_size);
void enclave_component_each(const wasmtime_component_t *component, bool exports, item_visitor visit, void *user);

#endif
