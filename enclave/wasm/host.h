/*
 * What host functions are made of: an app, a guest (one request in progress), its resources, the replies, and how
 * functions are declared. For those who serve guests (enclave/wasi); others begin with runtime.h.
 *
 *     static HOST_FUNC(now)                                           one function of an interface
 *     {
 *         reply_word(g, clock_monotonic_ns());
 *         return HOST_DONE;
 *     }
 *     static const struct host_func funcs[] = {{"now", "()->(u64)", now, SHAPE_ANY, false}};
 *     static const struct host_interface clocks[] = {INTERFACE("wasi:clocks/monotonic-clock", "0.2", funcs)};
 *
 * A function answers with HOST_DONE and a reply, with guest_wait(): then it is called again, with the same arguments,
 * whenever the guest is polled, until it has an answer; or with guest_trap(), which ends the guest. It never blocks.
 * Arguments and replies are slots (shim.h); what a reply points to lives until the guest's next call.
 *
 * Owners. A guest belongs to its worker's thread, and lives until its call is over, which may be long after its client
 * went: g->x is NULL then. Resources are counted, by handles and by each other; world->release gives back what one
 * owns. What a callback of another room needs after the guest's end is its own, with a reference to the app.
 *
 * Every door asserts its thread and its state (guest_check, resources_check, app_check). What a guest does wrong is a
 * trap or an error of the interface, never an invariant.
 *
 * Memory: whatever a guest can make grow is charged to its app, up to limits.h.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_HOST_H
#define ENCLAVE_OS_ENCLAVE_WASM_HOST_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/protocol.h"
#include "enclave/budget/budget.h"
#include "enclave/https/kept.h"
#include "enclave/https/site.h"
#include "enclave/thread/loop.h"
#include "enclave/thread/worker.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/image.h"
#include "enclave/wasm/limits.h"
#include "enclave/wasm/runtime.h"
#include "enclave/wasm/settings.h"
#include "enclave/wasm/shim.h"

/* The world's, of which the engine holds pointers only. */
struct fs;
struct fs_node;
struct fs_op;
struct kv_namespace;

/* code.c */
struct code_region;
struct code_regions {
    pthread_mutex_t lock;
    struct code_region *first;
    uint64_t last_number;
    bool fixed; /* pages' permissions are what they are */
};

struct wasm_runtime {
    wasm_engine_t *engine;
    struct code_regions code;
    struct wasm_runtime_config config;
    _Atomic uint64_t ticks;
    atomic_bool ticks_often;    /* GUEST_TICK_QUEUED_MS */
    _Atomic uint64_t queued_ns; /* when a guest last had to queue for its turn; 0: none has */
    pthread_mutex_t compiling;  /* held while the next two change */
    pthread_cond_t compiled;    /* each time that one is over */
    struct budget compilers;    /* what those that are under way may take */
    struct budget guests;       /* what all apps' guests hold */
    struct budget kept_bytes;   /* of these: memories that are kept for requests to come */
    uint64_t set_aside;         /* bytes, for what host calls read of their memory before anybody can be charged */
    struct budget kept;         /* connections of all apps that wait: a number */
};

struct wasm_component {
    wasmtime_component_t *component;
    uint64_t instance_bytes;    /* what an instance takes beside memories, tables and stack, at most */
    struct memory_image *image; /* it marks what it writes: what its memory begins with; counted. NULL: it does not */
    bool is_quick;              /* not optimised */
};

/* Memories that an app keeps on one worker, who alone uses them while the app is counted: memories.c. */
struct kept_memories {
    struct recycled *first;
    unsigned count;
};

/* What an app runs (app_code.c). */
struct app_code {
    struct wasm_component *component;
    _Atomic(enclave_pre_t *) pre; /* NULL: there is none, or none any more */
    bool marks;                   /* what it writes (memory_image) */
    atomic_uint guests;           /* that run it; counted of quick code alone */
};
enum { CODE_FIRST, CODE_BETTER, CODE_COUNT };

/* What an app has on one worker: only that worker's thread writes it, and none of another's lines. */
struct app_turns {
    _Atomic uint64_t cpu_ns;    /* that its guests have computed, of its whole life; others read it */
    uint64_t pass, used_ns;     /* turns.c: what it has computed beyond its share, as of this pass of the loop */
    struct guest *first, *last; /* whose turns are to come */
    struct app *next;           /* among those that have such guests */
    bool is_listed, is_served;
    char apart[72];
};

struct app {
    atomic_uint refs;
    struct wasm_runtime *rt;
    struct app_code code[CODE_COUNT]; /* the first goes once the better one is there and nobody runs it */
    atomic_uint code_now;             /* which of them requests that come run */
    bool command;                     /* wasi:cli/run, with the request's body as stdin and the answer's as stdout */
    uint64_t id;                      /* never used twice: tags fiber stacks */
    _Atomic uint64_t calls;
    atomic_uint running; /* guests */
    atomic_bool closed;  /* none may begin */
    bool is_listed;
    struct app *next_living;
    uint64_t memory_limit, timeout_ns;
    uint64_t cpu_limit_ns;      /* that one request may compute; 0: as long as it has time */
    struct admission admission; /* by its settings' limits */
    struct app_turns turns[PROTO_MAX_WORKERS];
    _Atomic uint64_t over_cpu; /* requests that were ended at cpu_limit_ns */
    struct budget memory;      /* what its guests hold, of the runtime's */
    struct budget calls_out;   /* requests to servers elsewhere, at this moment: a number, not bytes */
    struct budget kept;        /* connections to servers elsewhere that wait for its next request: a number too */
    struct http_keeper keeper; /* of these */
    struct fs *fs;             /* what the world keeps its files in: host_world.files_of */
    uint8_t sha256[32];
    char path[APP_NAME_MAX + 2]; /* "/" and the name */
    const char *name;
    char space[APP_NAME_MAX + 1]; /* of its data, in the store */
    char *rule;
    char *stopped; /* it has neither component nor pre: why. NULL: it has */
    const _Atomic uint64_t *lost;
    struct budget kept_bytes; /* of memories that it keeps */
    struct kept_memories kept_memories[PROTO_MAX_WORKERS];
    _Atomic uint64_t recycled;     /* how many instances had one of these */
    struct app_settings *settings; /* counted */
};

/* Fields (headers, trailers) ---------------------------------------------------------------------------------- */

struct fields {
    struct http_field *items; /* name in items[i].name, value in items[i].value; one allocation each */
    size_t count, capacity;
    size_t bytes; /* names and values */
    struct budget *memory;
    struct charge charge;
};

/* Resources --------------------------------------------------------------------------------------------------- */

enum kind {
    KIND_FREE = 0,
    KIND_ERROR,
    KIND_POLLABLE,
    KIND_INPUT_STREAM,
    KIND_OUTPUT_STREAM,
    KIND_FIELDS,
    KIND_INCOMING_REQUEST,
    KIND_OUTGOING_REQUEST,
    KIND_REQUEST_OPTIONS,
    KIND_RESPONSE_OUTPARAM,
    KIND_INCOMING_RESPONSE,
    KIND_INCOMING_BODY,
    KIND_FUTURE_TRAILERS,
    KIND_OUTGOING_RESPONSE,
    KIND_OUTGOING_BODY,
    KIND_FUTURE_INCOMING_RESPONSE,
    KIND_HTTP_CALL, /* what a request's and a response's parts belong to; no guest has a handle of it */
    KIND_BUCKET,
    KIND_NETWORK,
    KIND_DESCRIPTOR,
    KIND_DIRECTORY_ENTRY_STREAM,
    /* Never made, only named: */
    KIND_TCP_SOCKET,
    KIND_UDP_SOCKET,
    KIND_INCOMING_DATAGRAM_STREAM,
    KIND_OUTGOING_DATAGRAM_STREAM,
    KIND_RESOLVE_ADDRESS_STREAM,
    KIND_TERMINAL_INPUT,
    KIND_TERMINAL_OUTPUT,
};

enum stream_end {
    STREAM_EMPTY,
    STREAM_CLOSED, /* after last-operation-failed */
    STREAM_BODY,
    STREAM_ANSWER, /* a command's stdout */
    STREAM_STDOUT, /* a line of the log */
    STREAM_STDERR,
    STREAM_FILE,
    STREAM_FILE_END,
};
enum http_scheme { SCHEME_HTTP, SCHEME_HTTPS, SCHEME_OTHER };

/* What a handle of the guest stands for. Counted: by the guest's handle and by the resources that need it. */
struct resource {
    uint8_t kind;
    uint8_t state; /* of the kind's own: see each file */
    uint16_t refs;
    uint32_t rep;
    struct resource *on; /* counted: what a stream, body or pollable belongs to; next in the free list */
    union {
        struct fields fields;
        struct {
            uint64_t deadline_ns;
        } pollable;
        struct {
            struct resource *headers; /* counted */
            uint16_t status;
        } response;
        struct {
            struct resource *headers;    /* counted */
            char *path, *authority;      /* charged, all four */
            char *method, *other_scheme; /* beyond the known ones */
            uint8_t scheme;              /* position + 1; 0: none */
        } request;
        struct {
            char *early; /* written before the response was set; charged */
            uint32_t early_size;
            bool stream_taken;
        } body;
        struct kv_namespace *bucket; /* owned */
        uint64_t timeouts[3];        /* request-options; UINT64_MAX: none */
        struct {
            const char *message; /* error: static text; state: a file system's error code plus one */
            uint8_t http;        /* error: an HTTP error-code plus one */
        } error;
        struct {
            struct http_call *call; /* owned */
            struct charge memory, slot;
        } outgoing;
        struct {
            struct fs_node *node; /* held; NULL: the root */
            bool directory, may_read, may_write;
            uint8_t sync; /* DESCRIPTOR_SYNC_*: what has to be on disk before an operation is over */
        } file;
        uint64_t position; /* a stream's in its file */
        struct {
            struct fs_op *page; /* names that were read ahead */
            struct charge charge;
            size_t at;
        } entries;
    };
};

static_assert(RESOURCES_MAX < UINT16_MAX, "a resource can be kept by all others");
static_assert(KIND_TERMINAL_OUTPUT <= UINT8_MAX, "a kind fits a resource");

/* A guest: one request in progress ------------------------------------------------------------------------------ */

/* What a guest that waits is waiting for: that its client takes some of the answer, and nothing else; or anything
 * else. */
enum waits_for { WAITS_NOT, WAITS_OTHERS, WAITS_ROOM };

/* What a client is told of a guest that failed: the app's log has the reason, which is its operator's business. */
#define APP_FAILED "the app failed, and its log says why"

struct kv_call;
struct fs_wait;
struct http_call;

struct guest {
    struct app *app;
    struct app_code *code;  /* of the app's, which stays until code_leave */
    struct http_site *site; /* that its request came to: it is the whole of what it may see of the configuration */
    struct worker *worker;
    struct http_exchange *x; /* NULL once the exchange is over */
    wasmtime_store_t *store;
    enclave_call_t *call;
    struct stack *stack; /* of its fiber, once it has one: stacks.c */
    struct loop_task task;
    struct loop_timer deadline; /* of the request */
    struct loop_timer wakeup;   /* earliest pollable that it waits for */
    struct guest *next;         /* among those that used up their tick: see guest.c */
    bool polling;               /* its call runs */
    bool computing, ended;
    uint8_t waiting;    /* enum waits_for: why a host function answered HOST_WAIT in this poll */
    uint64_t cpu_ns;    /* that it has computed */
    uint64_t turn_tick; /* as its turn began */
    bool expired, exited;
    bool spent; /* it has computed as much as it may */
    bool responded, finished;
    uint8_t exit_code;       /* once it exited */
    struct kv_call *kv;      /* the one storage call it waits for */
    struct kv_call *kv_kept; /* one that is over, until its reply is read */
    struct fs_wait *fs;      /* and the one file operation */
    const char *trap;        /* why a host function ended it; static text */
    char *line[2];           /* unfinished lines of stdout and stderr */
    uint16_t line_size[2];

    struct slot *reply; /* reply_first, or charged */
    size_t reply_count, reply_capacity;
    struct slot reply_first[16];
    void *scratch;             /* what a reply points to, until the next call */
    void *large;               /* the same, where it is not enough; charged */
    struct recycled *recycled; /* its memories, where they are kept afterwards */
    struct charge cost;        /* guest_cost */
    struct charge tables;      /* of its store */
    struct charge passed;      /* what wasmtime holds of the arguments or the answer of a host call: link.c */
    char *printed;             /* by a command whose answer has not begun; charged */
    size_t printed_size;

    struct resource *free;
    uint32_t free_count; /* of resource_count: in that list */
    uint32_t resource_count;
    struct resource *chunks[RESOURCE_CHUNKS];
    struct resource first[RESOURCE_FIRST];
};
static_assert(sizeof(struct guest) <= GUEST_STRUCTURE, "limits.h counts with it");
static_assert(LINE_MAX_SIZE + APP_NAME_MAX + 64 <= PROTO_LOG_MAX, "a line and who printed it fit the log");

/* What holds of an app as long as it is counted, and of a guest between any two of its steps. */
void app_check(const struct app *app);
void guest_check(const struct guest *g);

/* Wake a guest that may wait; from its worker's loop or from inside its own call. */
void guest_wake(struct guest *g);
/* The host function that returns this is called again when the guest is polled again. */
enum host_result guest_wait(struct guest *g, enum waits_for what);
enum host_result guest_trap(struct guest *g, const char *why);
/* One whole line in the app's log. */
void guest_log(struct guest *g, bool error, const char *line, size_t size);
/* The same of a text of ours; and what it prints to stdout (error: stderr), which is a line once it ends. */
void guest_note(struct guest *g, const char *line);
void guest_print(struct guest *g, bool error, const char *data, size_t size);
/* It can give no answer any more: the client gets an error at once, the log a reason. The guest goes on. */
void guest_misuse(struct guest *g, const char *why);

/* What holds of one that is in use, between any two steps; resource_get asserts it for all that guests name. */
static inline void resource_check(const struct resource *r)
{
    ENSURE(r->kind != KIND_FREE && r->kind <= KIND_TERMINAL_OUTPUT);
    ENSURE(r->refs > 0);
    ENSURE(!r->on || (r->on != r && r->on->kind != KIND_FREE));
}
/* The same of all, and that none is lost; it walks them: for tests. */
void resources_check(const struct guest *g);
/* NULL: no such resource, or no memory. A new resource has the guest's own reference. */
struct resource *resource_new(struct guest *g, enum kind kind);
struct resource *resource_get(struct guest *g, const struct slot *handle, enum kind kind);
struct resource *resource_keep(struct resource *r);
void resource_put(struct guest *g, struct resource *r);
void resource_drop_handle(struct guest *g, uint32_t rep, enum kind kind); /* the guest dropped its handle */

/* Replies */
void reply_word(struct guest *g, uint64_t word);
void reply_text(struct guest *g, const void *data, size_t size);
void reply_own(struct guest *g, const struct resource *r);

enum host_result reply_error(struct guest *g, const char *message);     /* err(last-operation-failed(error)) */
struct resource *reply_new_error(struct guest *g, const char *message); /* the same; NULL: the guest ends */
enum host_result reply_closed(struct guest *g);                         /* err(closed) */

/* Host functions ------------------------------------------------------------------------------------------------ */

/* What the guest is told is put into its reply (reply_…); the arguments are flattened as wasmtime/src/host.rs has it.
 * */
#define HOST_FUNC(name) enum host_result name(struct guest *g, const struct slot *args, size_t count)

struct host_func {
    const char *name; /* ends in '*': all methods of a resource that is never made, which therefore never run */
    const char *type; /* as wasmtime/src/describe.rs writes it; NULL: any */
    HOST_FUNC((*fn));
    uint8_t shape; /* or REFUSED */
    bool waits;
};
/* As a shape, without a function: the answer is always the error in this position of the result's enum. */
#define REFUSED(error) (128u + (error))
#define IS_REFUSED(shape) ((shape) >= 128u)

struct host_interface {
    const char *name;    /* "wasi:io/streams" */
    const char *version; /* "0.2": any 0.2.x; else exact */
    const struct host_func *funcs;
    size_t func_count;
};

#define INTERFACE(package_and_name, wanted_version, table)                         \
    {                                                                              \
        .name = (package_and_name), .version = (wanted_version), .funcs = (table), \
        .func_count = sizeof table / sizeof *(table)                               \
    }

/* The world that guests live in: what they may import, and what the engine leaves to those who serve it. All on the
 * thread of the guest's worker; the lists end with an entry without a name. */
struct host_package {
    const char *name; /* "wasi:io" */
    const struct host_interface *list;
    size_t count;
};
struct host_world {
    const struct host_package *packages;
    /* Where an app's files are, for the world's own functions: a reference, to be given back. NULL: there are none. Any
     * thread. */
    struct fs *(*files_of)(struct fs_home *files, const char *app);
    void (*files_unref)(struct fs *fs); /* NULL is nothing */
    /* May a command be asked this? If not, 400 with what comes back, a static text; else NULL. */
    const char *(*command_refuses)(const struct http_exchange *x);
    /* What a handler is called with; false: no memory. */
    bool (*handler_arguments)(struct guest *g, struct resource **request, struct resource **outparam);
    void (*command_waits)(struct guest *g); /* what it has printed goes out */
    /* A command is over. exit_code: 0, or how it failed as a shell says it; http: what the answer then says of it. */
    void (*command_ends)(struct guest *g, int exit_code, int http);
    void (*abandon)(struct guest *g); /* a guest ends: forget the operations that it waits for */
    /* A resource goes: give back what it owns beside `on`. last: with its guest, and all other resources. */
    void (*release)(struct guest *g, struct resource *r, bool last);
    void (*dropped)(struct guest *g, enum kind kind); /* the guest dropped its handle of one of that kind */
};

/* What serves a function of an interface ("wasi:io/poll@0.2.3"), or NULL. */
const struct host_func *link_find(const struct host_world *world, const char *interface, size_t interface_size,
                                  const char *name, size_t name_size);
/* When a waiting guest must be polled again at the latest. */
void guest_wake_at(struct guest *g, uint64_t deadline_ns);
/* A buffer of at least SCRATCH_SIZE for what a reply points to; NULL (and a trap) if memory is short. */
void *guest_scratch(struct guest *g);
/* The same with any size, charged to the app. */
void *guest_buffer(struct guest *g, size_t size);
/* Takes a block from charged_alloc: it lives until the next one, or the guest's end. */
void guest_keep_large(struct guest *g, void *block);

#endif
