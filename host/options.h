/*
 * The command line of `enclave-os serve`.
 */
#ifndef ENCLAVE_OS_HOST_OPTIONS_H
#define ENCLAVE_OS_HOST_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/protocol.h"
#include "sgx/loader/enclave.h"

struct options {
    const char *image;
    const char *data;
    const char *machine_dir; /* the emulator's secret and the simulation's certificates */
    const char *san;         /* NULL: localhost and the listen address */
    enum enclave_backend backend;
    bool debug;
    bool no_edmm;
    bool verbose;
    uint32_t workers;
    uint32_t grace_ms;
    struct sockaddr_in6 listen; /* v4 addresses are mapped */
    char listen_text[80];
    struct sockaddr_in6 collateral_listen;
    bool serve_collateral;
    uint8_t admin_key[PROTO_ADMIN_KEY_MAX];
    uint32_t admin_key_size;
    uint32_t max_header_bytes, max_headers, header_timeout_ms, idle_timeout_ms, request_timeout_ms, app_memory_mib;
    uint64_t max_body_bytes;
};

/* Reads the arguments after "serve". Prints one line and exits with status 2 on a wrong one, 0 after --help. */
void options_parse(struct options *options, int argc, char **argv);

/* Prints "enclave-os: ..." on standard error and exits with status 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
