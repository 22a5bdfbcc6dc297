/* See wasi.h. */
#include "enclave/wasi/wasi.h"

#include "enclave/https/client.h"
#include "enclave/wasi/internal.h"

static void drop_request_texts(struct resource *request)
{
    charged_free(request->request.path);
    charged_free(request->request.authority);
    charged_free(request->request.method);
    charged_free(request->request.other_scheme);
}

static void release(struct guest *g, struct resource *r, bool last)
{
    ENSURE(r->kind != KIND_FREE);
    ENSURE(last || r->refs == 0);
    switch (r->kind) {
    case KIND_FIELDS:
        fields_clear(&r->fields);
        break;
    case KIND_OUTGOING_RESPONSE:
        if (!last)
            resource_put(g, r->response.headers);
        break;
    case KIND_OUTGOING_REQUEST:
        if (!last)
            resource_put(g, r->request.headers);
        drop_request_texts(r);
        break;
    case KIND_HTTP_CALL:
        http_call_drop(g, r);
        break;
    case KIND_OUTGOING_BODY:
        if (r->state == BODY_LIVE && !last && call_of(r))
            http_call_cut(call_of(r)); /* dropped before it was finished */
        else if (r->state == BODY_LIVE && !last)
            guest_misuse(g, "the guest dropped its response's body without outgoing-body.finish");
        charged_free(r->body.early);
        break;
    case KIND_BUCKET:
        kv_namespace_close(r->bucket);
        break;
    case KIND_DESCRIPTOR:
    case KIND_DIRECTORY_ENTRY_STREAM:
        file_free(g, r);
        break;
    default:
        break;
    }
}

static void dropped(struct guest *g, enum kind kind)
{
    if (kind == KIND_RESPONSE_OUTPARAM)
        guest_misuse(g, "the guest dropped its response-outparam without setting a response");
}

static void abandon(struct guest *g)
{
    keyvalue_abandon(g);
    filesystem_abandon(g);
}

static bool handler_arguments(struct guest *g, struct resource **request, struct resource **outparam)
{
    *request = http_request_new(g);
    *outparam = http_outparam_new(g);
    return *request && *outparam;
}

static const struct host_package packages[] = {
#define PACKAGE(name, list)                      \
    {                                            \
        name, list, sizeof list / sizeof *(list) \
    }
    PACKAGE("wasi:io", wasi_io),
    PACKAGE("wasi:clocks", wasi_clocks),
    PACKAGE("wasi:random", wasi_random),
    PACKAGE("wasi:cli", wasi_cli),
    PACKAGE("wasi:filesystem", wasi_filesystem),
    PACKAGE("wasi:sockets", wasi_sockets),
    PACKAGE("wasi:http", wasi_http),
    PACKAGE("wasi:keyvalue", wasi_keyvalue),
    PACKAGE("wasi:config", wasi_config),
    PACKAGE("wasi:logging", wasi_logging),
    {NULL, NULL, 0},
};

const struct host_world wasi_world = {
    .packages = packages,
    .files_of = fs_of_app,
    .files_unref = fs_unref,
    .command_refuses = command_refuses,
    .handler_arguments = handler_arguments,
    .command_waits = command_flush,
    .command_ends = command_end,
    .abandon = abandon,
    .release = release,
    .dropped = dropped,
};
