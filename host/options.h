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
    bool machine_dir_given;
    const char *san;           /* as given; NULL: not */
    char names[PROTO_SAN_MAX]; /* the certificate's, judged, separated by commas; never empty */
    bool no_localhost;
    bool request_client_certificates;
    unsigned ratls; /* 1 or 2; 0: not given */
    enum enclave_backend backend;
    bool debug;
    bool no_edmm;
    uint32_t workers;
    uint32_t grace_ms;
    struct sockaddr_in6 listen; /* v4 addresses are mapped */
    char listen_text[80];
    struct sockaddr_in6 collateral_listen;
    bool serve_collateral;
    const char *pccs; /* where hardware's collateral comes from; NULL: nowhere */
    uint8_t admin_key[PROTO_ADMIN_KEY_MAX];
    uint32_t admin_key_size;
    char witnesses[PROTO_WITNESSES_MAX]; /* as in struct run_args, judged */
    uint32_t witnesses_size, witness_count, witness_quorum, witness_seconds, witness_commits;
    const char *take_over;   /* URL of the enclave whose instance is taken over; NULL: none */
    const char *listen_from; /* the data folder of who has the listening sockets; NULL: not given */
    uint32_t upgrade_rule;   /* enum proto_upgrade_rule */
    bool recover;
    uint32_t recover_share_count;
    uint8_t recover_shares[PROTO_RECOVERY_KEYS_MAX][PROTO_RECOVER_SHARE_SIZE];
    uint32_t recovery_threshold, recovery_count; /* as in struct run_args, judged */
    uint8_t recovery_keys[PROTO_RECOVERY_KEYS_MAX][32];
    uint32_t max_header_bytes, max_headers, header_timeout_ms, idle_timeout_ms, request_timeout_ms;
    uint32_t app_memory_mib, app_disk_mib; /* 0: the enclave's default */
    uint32_t min_rate, rate_grace_ms;      /* as in struct run_args */
    uint32_t drain_timeout_ms;             /* 0: the enclave's default */
    uint64_t max_body_bytes;
};

/* Reads the arguments after "serve". Prints one line and exits with status 2 on a wrong one, 0 after --help. */
void options_parse(struct options *options, int argc, char **argv);

/* The same for options that make no sense on the backend that was found. */
void options_judge_backend(const struct options *options, enum enclave_backend backend);

/* Prints "enclave-os: ..." on standard error and exits with status 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
