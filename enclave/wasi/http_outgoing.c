/*
 * wasi:http/types@0.2.x: outgoing-request and request-options, as a guest puts them together. http_call.c sends them.
 */
#include "enclave/wasi/http_outgoing.h"

#include "enclave/wasi/http_fields.h"

static struct resource *request_of(struct guest *g, const struct slot *handle)
{
    return resource_get(g, handle, KIND_OUTGOING_REQUEST);
}

static enum host_result ok(struct guest *g)
{
    reply_word(g, 0);
    return HOST_DONE;
}

HOST_FUNC(outgoing_new)
{
    struct resource *headers = resource_get(g, &args[0], KIND_FIELDS);
    struct resource *request = resource_new(g, KIND_OUTGOING_REQUEST);
    if (!headers || !request)
        return guest_trap(g, "not fields");
    request->request.headers = headers; /* the guest's handle moves here */
    reply_own(g, request);
    return HOST_DONE;
}

HOST_FUNC(outgoing_body)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    if (request->on) {
        reply_word(g, 1);
        return HOST_DONE;
    }
    struct resource *body = resource_new(g, KIND_OUTGOING_BODY);
    if (!body)
        return HOST_TRAP;
    request->on = resource_keep(body);
    reply_word(g, 0);
    reply_own(g, body);
    return HOST_DONE;
}

/* A case with a text of its own is the last one of its variant. */
static enum host_result get_variant(struct guest *g, unsigned which, const char *other)
{
    reply_word(g, which);
    if (other)
        reply_text(g, other, strlen(other));
    return HOST_DONE;
}

static enum host_result get_text(struct guest *g, const char *text)
{
    reply_word(g, text != NULL);
    if (text)
        reply_text(g, text, strlen(text));
    return HOST_DONE;
}

static enum host_result invalid(struct guest *g)
{
    reply_word(g, 1);
    return HOST_DONE;
}

/* Replaces *to by a copy, or by nothing. */
static bool keep_text(struct guest *g, char **to, const struct slot *text)
{
    char *copy = text ? charged_text(&g->app->memory, slot_text(text), text->size) : NULL;
    if (text && !copy) {
        guest_trap(g, "no memory");
        return false;
    }
    charged_free(*to);
    *to = copy;
    return true;
}

/* RFC 9110, section 5.6.2 (a method, a scheme), or what may stand in a request line. */
static bool text_ok(const struct slot *text, bool token)
{
    const char *at = slot_text(text);
    if (text->size == 0 || text->size > TEXT_MAX)
        return false;
    for (size_t i = 0; i < text->size; i++) {
        unsigned char c = (unsigned char)at[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && (token ? !strchr("!#$%&'*+-.^_`|~", c) || !c : c <= ' ' || c >= 0x7f || c == '#'))
            return false;
    }
    return true;
}

HOST_FUNC(outgoing_method)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    return get_variant(g, request->state, request->state == METHOD_OTHER ? request->request.method : NULL);
}

HOST_FUNC(outgoing_set_method)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    bool other = args[1].word == METHOD_OTHER;
    if (other && !text_ok(&args[2], true))
        return invalid(g);
    if (other && !keep_text(g, &request->request.method, &args[2]))
        return HOST_TRAP;
    request->state = (uint8_t)args[1].word;
    return ok(g);
}

HOST_FUNC(outgoing_path)
{
    struct resource *request = request_of(g, &args[0]);
    return request ? get_text(g, request->request.path) : guest_trap(g, "not a request");
}

static enum host_result set_text(struct guest *g, char **to, const struct slot *option)
{
    if (option->word && !text_ok(&option[1], false))
        return invalid(g);
    return keep_text(g, to, option->word ? &option[1] : NULL) ? ok(g) : HOST_TRAP;
}

HOST_FUNC(outgoing_set_path)
{
    struct resource *request = request_of(g, &args[0]);
    return request ? set_text(g, &request->request.path, &args[1]) : guest_trap(g, "not a request");
}

HOST_FUNC(outgoing_authority)
{
    struct resource *request = request_of(g, &args[0]);
    return request ? get_text(g, request->request.authority) : guest_trap(g, "not a request");
}

HOST_FUNC(outgoing_set_authority)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    for (size_t i = 0; args[1].word && i < args[2].size; i++)
        if (strchr("@/?", slot_text(&args[2])[i])) /* a user's name, or more than an authority; NUL is found too */
            return invalid(g);
    return set_text(g, &request->request.authority, &args[1]);
}

HOST_FUNC(outgoing_scheme)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    unsigned scheme = request->request.scheme;
    reply_word(g, scheme != SCHEME_NONE);
    if (scheme == SCHEME_NONE)
        return HOST_DONE;
    return get_variant(g, scheme - 1, scheme - 1 == SCHEME_OTHER ? request->request.other_scheme : NULL);
}

HOST_FUNC(outgoing_set_scheme)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    bool other = args[1].word && args[2].word == SCHEME_OTHER;
    if (other && !text_ok(&args[3], true))
        return invalid(g);
    if (other && !keep_text(g, &request->request.other_scheme, &args[3]))
        return HOST_TRAP;
    request->request.scheme = args[1].word ? (uint8_t)(args[2].word + 1) : SCHEME_NONE;
    return ok(g);
}

HOST_FUNC(outgoing_headers)
{
    struct resource *request = request_of(g, &args[0]);
    struct resource *copy = request ? fields_immutable(g, &request->request.headers->fields) : NULL;
    if (!copy)
        return guest_trap(g, "not a request");
    reply_own(g, copy);
    return HOST_DONE;
}

/* request-options: kept, so that a guest reads back what it set. */

HOST_FUNC(options_new)
{
    struct resource *options = resource_new(g, KIND_REQUEST_OPTIONS);
    if (!options)
        return HOST_TRAP;
    for (int i = 0; i < 3; i++)
        options->timeouts[i] = UINT64_MAX;
    reply_own(g, options);
    return HOST_DONE;
}

static enum host_result get_timeout(struct guest *g, const struct slot *args, int which)
{
    struct resource *options = resource_get(g, &args[0], KIND_REQUEST_OPTIONS);
    if (!options)
        return guest_trap(g, "not options");
    reply_word(g, options->timeouts[which] != UINT64_MAX);
    if (options->timeouts[which] != UINT64_MAX)
        reply_word(g, options->timeouts[which]);
    return HOST_DONE;
}

static enum host_result set_timeout(struct guest *g, const struct slot *args, int which)
{
    struct resource *options = resource_get(g, &args[0], KIND_REQUEST_OPTIONS);
    if (!options)
        return guest_trap(g, "not options");
    options->timeouts[which] = args[1].word ? args[2].word : UINT64_MAX;
    return ok(g);
}

HOST_FUNC(options_get_connect)
{
    return get_timeout(g, args, 0);
}
HOST_FUNC(options_set_connect)
{
    return set_timeout(g, args, 0);
}
HOST_FUNC(options_get_first)
{
    return get_timeout(g, args, 1);
}
HOST_FUNC(options_set_first)
{
    return set_timeout(g, args, 1);
}
HOST_FUNC(options_get_between)
{
    return get_timeout(g, args, 2);
}
HOST_FUNC(options_set_between)
{
    return set_timeout(g, args, 2);
}
