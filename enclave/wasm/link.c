/*
 * Linking a component at deployment: every import is looked up among what we serve, by name and semantic version,
 * and its type is compared with the one that our code expects. wasmtime checks neither for dynamic functions.
 */
#include <errno.h>
#include <stdio.h>

#include "enclave/wasm/internal.h"

static const struct {
    const char *name;
    enum kind kind;
} resource_kinds[] = {
    {"error", KIND_ERROR},
    {"pollable", KIND_POLLABLE},
    {"input-stream", KIND_INPUT_STREAM},
    {"output-stream", KIND_OUTPUT_STREAM},
    {"fields", KIND_FIELDS},
    {"incoming-request", KIND_INCOMING_REQUEST},
    {"outgoing-request", KIND_OUTGOING_REQUEST},
    {"request-options", KIND_REQUEST_OPTIONS},
    {"response-outparam", KIND_RESPONSE_OUTPARAM},
    {"incoming-response", KIND_INCOMING_RESPONSE},
    {"incoming-body", KIND_INCOMING_BODY},
    {"future-trailers", KIND_FUTURE_TRAILERS},
    {"outgoing-response", KIND_OUTGOING_RESPONSE},
    {"outgoing-body", KIND_OUTGOING_BODY},
    {"future-incoming-response", KIND_FUTURE_INCOMING_RESPONSE},
    {"bucket", KIND_BUCKET},
    {"network", KIND_NETWORK},
    {"descriptor", KIND_DESCRIPTOR},
    {"directory-entry-stream", KIND_DIRECTORY_ENTRY_STREAM},
    {"tcp-socket", KIND_TCP_SOCKET},
    {"udp-socket", KIND_UDP_SOCKET},
    {"incoming-datagram-stream", KIND_INCOMING_DATAGRAM_STREAM},
    {"outgoing-datagram-stream", KIND_OUTGOING_DATAGRAM_STREAM},
    {"resolve-address-stream", KIND_RESOLVE_ADDRESS_STREAM},
    {"terminal-input", KIND_TERMINAL_INPUT},
    {"terminal-output", KIND_TERMINAL_OUTPUT},
};

/* "0.2" serves 0.2.0, 0.2.12 and the like, but no pre-release; any other version serves itself. */
static bool version_matches(const char *served, const char *wanted, size_t size)
{
    size_t prefix = strlen(served);
    if (strcmp(served, "0.2") != 0)
        return size == prefix && memcmp(served, wanted, size) == 0;
    if (size < prefix + 2 || memcmp(served, wanted, prefix) != 0 || wanted[prefix] != '.')
        return false;
    for (size_t i = prefix + 1; i < size; i++)
        if (wanted[i] < '0' || wanted[i] > '9')
            return false;
    return true;
}

static bool interface_matches(const char *name, const char *version, const char *import, size_t size)
{
    const char *at = memchr(import, '@', size);
    size_t name_size = strlen(name);
    return at && (size_t)(at - import) == name_size && memcmp(import, name, name_size) == 0 &&
           version_matches(version, at + 1, size - name_size - 1);
}

static const struct host_interface *find_interface(const struct host_world *world, const char *import, size_t size)
{
    for (const struct host_package *p = world->packages; p->name; p++)
        for (size_t i = 0; i < p->count; i++)
            if (interface_matches(p->list[i].name, p->list[i].version, import, size))
                return &p->list[i];
    return NULL;
}

static const struct host_func *find_func(const struct host_interface *interface, const char *name, size_t size)
{
    for (size_t i = 0; i < interface->func_count; i++) {
        const char *served = interface->funcs[i].name;
        size_t served_size = strlen(served);
        if (served[served_size - 1] == '*' ? size >= served_size - 1 && memcmp(served, name, served_size - 1) == 0
                                           : size == served_size && memcmp(served, name, size) == 0)
            return &interface->funcs[i];
    }
    return NULL;
}

const struct host_func *link_find(const struct host_world *world, const char *interface, size_t interface_size,
                                  const char *name, size_t name_size)
{
    const struct host_interface *found = find_interface(world, interface, interface_size);
    return found ? find_func(found, name, name_size) : NULL;
}

static enum host_result refuse(struct guest *g, unsigned error)
{
    reply_word(g, 1);
    reply_word(g, error);
    return HOST_DONE;
}

/* wasmtime keeps copies of what passes: of the arguments while the guest waits, and of the answer while it is written
 * to the guest's memory, for which its cabi_realloc runs as long as it likes. Where these are long the app is charged
 * for them until the next call. False: it has no memory left. */
static bool charge_passed(struct guest *g, const struct slot *slots, size_t count)
{
    size_t bytes = count * PASSED_SLOT;
    for (size_t i = 0; i < count; i++)
        bytes += slots[i].size; /* of what is no text next to nothing: the number of a type */
    return charge_resize(&g->passed, bytes > PASSED_FREE ? bytes : 0);
}

static int32_t host_call(const void *function, void *guest, const struct slot *args, size_t count,
                         struct slot_reply *reply)
{
    const struct host_func *func = function;
    struct guest *g = guest;
    ENSURE(func && g->polling);
    g->reply_count = 0;
    enum host_result result = IS_REFUSED(func->shape) ? refuse(g, func->shape - REFUSED(0))
                              : func->fn              ? func->fn(g, args, count)
                                                      : guest_trap(g, "unreachable host function");
    if (g->trap)
        result = HOST_TRAP; /* whatever was replied before, or beside it, is not whole */
    bool answered = result == HOST_DONE;
    if (result != HOST_TRAP && !charge_passed(g, answered ? g->reply : args, answered ? g->reply_count : count))
        result = guest_trap(g, "no memory is left for this app");
    /* One that began to wait and answered after all goes on: nobody will wake it for what it does not wait for. */
    if (result != HOST_WAIT)
        g->waiting = WAITS_NOT;
    ENSURE(result != HOST_WAIT || g->waiting);
    ENSURE(g->reply_count <= g->reply_capacity);
    reply->slots = g->reply;
    reply->count = g->reply_count;
    return result;
}

static wasmtime_error_t *dropped(void *kind, wasmtime_context_t *store, uint32_t rep)
{
    resource_drop_handle(wasmtime_context_get_data(store), rep, (enum kind)(uintptr_t)kind);
    return NULL;
}

struct linking {
    const struct host_world *world;
    wasmtime_component_linker_instance_t *root, *instance;
    const struct host_interface *interface;
    char *why;
    size_t why_size;
    int error;
};

static void fail(struct linking *l, const char *what, const char *instance, size_t instance_size, const char *name,
                 size_t name_size)
{
    if (l->error == 0)
        snprintf(l->why, l->why_size, "%s: %.*s%s%.*s", what, (int)instance_size, instance, instance_size ? " " : "",
                 (int)name_size, name);
    l->error = -EINVAL;
}

static void take_error(struct linking *l, wasmtime_error_t *error)
{
    if (!error)
        return;
    char *cause = error_cause(error);
    fail(l, "cannot link", "", 0, cause ? cause : "no memory", cause ? strlen(cause) : strlen("no memory"));
    free(cause);
}

/* What is served instead, where only the version is another one. NULL: nothing like it is served. */
static const struct host_interface *other_version(const struct host_world *world, const char *import, size_t size)
{
    const char *at = memchr(import, '@', size);
    size_t name_size = at ? (size_t)(at - import) : size;
    for (const struct host_package *p = world->packages; p->name; p++)
        for (size_t i = 0; i < p->count; i++)
            if (strlen(p->list[i].name) == name_size && memcmp(p->list[i].name, import, name_size) == 0)
                return &p->list[i];
    return NULL;
}

static bool is_served(struct linking *l, const char *import, size_t size)
{
    if (l->interface || l->error)
        return l->error == 0;
    const struct host_interface *other = other_version(l->world, import, size);
    char what[160];
    snprintf(what, sizeof what,
             "the component imports an interface in a version that is not served (%s is: build it for that)",
             other ? (strcmp(other->version, "0.2") == 0 ? "any 0.2.x" : other->version) : "");
    fail(l, other ? what : "the component imports an interface that is not served", "", 0, import, size);
    return false;
}

static void define_func(struct linking *l, const char *instance, size_t instance_size, const char *name,
                        size_t name_size, const char *type, size_t type_size)
{
    if (!is_served(l, instance, instance_size))
        return;
    const struct host_func *func = find_func(l->interface, name, name_size);
    if (!func) {
        fail(l, "the component imports a function that is not served", instance, instance_size, name, name_size);
        return;
    }
    if (func->type && (strlen(func->type) != type_size || memcmp(func->type, type, type_size) != 0)) {
        fail(l, "the component imports a function with another type", instance, instance_size, name, name_size);
        return;
    }
    uint32_t shape = IS_REFUSED(func->shape) ? SHAPE_ANY : func->shape;
    take_error(l, enclave_linker_func(l->instance, name, name_size, shape, func->waits, host_call, func));
}

static void define_resource(struct linking *l, const char *instance, size_t instance_size, const char *name,
                            size_t name_size, const char *type, size_t type_size)
{
    if (!is_served(l, instance, instance_size))
        return;
    for (size_t i = 0; i < sizeof resource_kinds / sizeof *resource_kinds; i++) {
        const char *served = resource_kinds[i].name;
        if (strlen(served) != type_size || memcmp(served, type, type_size) != 0)
            continue;
        enum kind kind = resource_kinds[i].kind;
        wasmtime_component_resource_type_t *resource = wasmtime_component_resource_type_new_host(kind);
        take_error(l, wasmtime_component_linker_instance_add_resource(l->instance, name, name_size, resource, dropped,
                                                                      (void *)(uintptr_t)kind, NULL));
        wasmtime_component_resource_type_delete(resource);
        return;
    }
    fail(l, "the component imports a resource that is not served", instance, instance_size, name, name_size);
}

static void end_instance(struct linking *l)
{
    if (l->instance)
        wasmtime_component_linker_instance_delete(l->instance);
    if (l->root)
        wasmtime_component_linker_instance_delete(l->root);
    l->instance = l->root = NULL;
}

struct link_user {
    struct linking l;
    wasmtime_component_linker_t *linker;
};

static void begin_instance(struct link_user *u, const char *name, size_t size)
{
    struct linking *l = &u->l;
    end_instance(l);
    l->interface = find_interface(l->world, name, size); /* NULL does no harm if only its types are used */
    /* The root borrows the linker: one interface is open at a time. */
    l->root = wasmtime_component_linker_root(u->linker);
    take_error(l, wasmtime_component_linker_instance_add_instance(l->root, name, size, &l->instance));
}

static void visit_import(void *user, const char *instance, size_t instance_size, const char *name, size_t name_size,
                         enum item_kind kind, const char *type, size_t type_size)
{
    struct link_user *u = user;
    if (u->l.error)
        return;
    if (kind == ITEM_INSTANCE)
        begin_instance(u, name, name_size);
    else if (kind == ITEM_FUNC && instance_size)
        define_func(&u->l, instance, instance_size, name, name_size, type, type_size);
    else if (kind == ITEM_RESOURCE && instance_size)
        define_resource(&u->l, instance, instance_size, name, name_size, type, type_size);
    else if (kind != ITEM_TYPE)
        fail(&u->l, "the component imports something that is not served", instance, instance_size, name, name_size);
}

int link_component(const struct host_world *world, wasmtime_component_linker_t *linker,
                   const wasmtime_component_t *component, char *why, size_t why_size)
{
    struct link_user u = {.l = {.world = world, .why = why, .why_size = why_size}, .linker = linker};
    enclave_component_each(component, false, visit_import, &u);
    end_instance(&u.l);
    return u.l.error;
}

/* What a component may export to be reached from here, in the order of preference. */
static const struct {
    const char *interface, *func, *type;
    bool command;
} entries[] = {
    {"wasi:http/incoming-handler", "handle", "(own<incoming-request>,own<response-outparam>)->()", false},
    {"wasi:cli/run", "run", "()->(result<_,_>)", true},
};
#define ENTRIES (sizeof entries / sizeof *entries)

struct found {
    char name[ENTRIES][LINK_NAME_MAX];
    bool usable[ENTRIES];
};

static bool text_is(const char *text, const char *data, size_t size)
{
    return strlen(text) == size && memcmp(text, data, size) == 0;
}

static void visit_export(void *user, const char *instance, size_t instance_size, const char *name, size_t name_size,
                         enum item_kind kind, const char *type, size_t type_size)
{
    struct found *found = user;
    if (kind != ITEM_FUNC || instance_size >= LINK_NAME_MAX)
        return;
    for (size_t i = 0; i < ENTRIES; i++) {
        if (!interface_matches(entries[i].interface, "0.2", instance, instance_size) ||
            !text_is(entries[i].func, name, name_size) || !text_is(entries[i].type, type, type_size))
            continue;
        memcpy(found->name[i], instance, instance_size);
        found->name[i][instance_size] = 0;
        found->usable[i] = true;
    }
}

int link_find_entry(const wasmtime_component_t *component, struct link_entry *out)
{
    struct found found = {0};
    enclave_component_each(component, true, visit_export, &found);
    for (size_t i = 0; i < ENTRIES; i++) {
        if (!found.usable[i])
            continue;
        strcpy(out->interface, found.name[i]);
        out->command = entries[i].command;
        return 0;
    }
    return -EINVAL;
}
