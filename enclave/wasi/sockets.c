/*
 * wasi:sockets/{network,instance-network,ip-name-lookup,tcp,tcp-create-socket,udp,udp-create-socket}@0.2.x
 *
 * A guest has no sockets: making one is refused with access-denied, so the methods of sockets cannot be reached.
 */
#include "enclave/wasi/internal.h"

static HOST_FUNC(network)
{
    struct resource *r = resource_new(g, KIND_NETWORK);
    if (!r)
        return HOST_TRAP;
    reply_own(g, r);
    return HOST_DONE;
}

enum { ACCESS_DENIED = 1 };

#define SOCKET_ERROR                                                                                        \
    "enum{unknown,access-denied,not-supported,invalid-argument,out-of-memory,timeout,concurrency-conflict," \
    "not-in-progress,would-block,invalid-state,new-socket-limit,address-not-bindable,address-in-use,"       \
    "remote-unreachable,connection-refused,connection-reset,connection-aborted,datagram-too-large,"         \
    "name-unresolvable,temporary-resolver-failure,permanent-resolver-failure}"

/* What a stream's error says of sockets: nothing. */
static HOST_FUNC(none)
{
    reply_word(g, 0);
    return HOST_DONE;
}

static const struct host_func network_funcs[] = {
    {"network-error-code", "(borrow<error>)->(option<" SOCKET_ERROR ">)", none, SHAPE_ANY, false},
};
static const struct host_func unreachable_funcs[] = {
    {"[method]*", NULL, NULL, SHAPE_ANY, false},
};
static const struct host_func instance_funcs[] = {
    {"instance-network", "()->(own<network>)", network, SHAPE_NEW, false},
};
static const struct host_func lookup_funcs[] = {
    {"resolve-addresses", "(borrow<network>,string)->(result<own<resolve-address-stream>," SOCKET_ERROR ">)", NULL,
     REFUSED(ACCESS_DENIED), false},
    {"[method]*", NULL, NULL, SHAPE_ANY, false},
};
static const struct host_func tcp_create_funcs[] = {
    {"create-tcp-socket", "(enum{ipv4,ipv6})->(result<own<tcp-socket>," SOCKET_ERROR ">)", NULL, REFUSED(ACCESS_DENIED),
     false},
};
static const struct host_func udp_create_funcs[] = {
    {"create-udp-socket", "(enum{ipv4,ipv6})->(result<own<udp-socket>," SOCKET_ERROR ">)", NULL, REFUSED(ACCESS_DENIED),
     false},
};

const struct host_interface wasi_sockets[7] = {
    INTERFACE("wasi:sockets/network", "0.2", network_funcs),
    INTERFACE("wasi:sockets/instance-network", "0.2", instance_funcs),
    INTERFACE("wasi:sockets/ip-name-lookup", "0.2", lookup_funcs),
    INTERFACE("wasi:sockets/tcp", "0.2", unreachable_funcs),
    INTERFACE("wasi:sockets/tcp-create-socket", "0.2", tcp_create_funcs),
    INTERFACE("wasi:sockets/udp", "0.2", unreachable_funcs),
    INTERFACE("wasi:sockets/udp-create-socket", "0.2", udp_create_funcs),
};
