/*
 * What a worker thread owns: its loop, its control channel to the host, its connections.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WORKER_H
#define ENCLAVE_OS_ENCLAVE_WORKER_H

#include "enclave/loop.h"

struct rpc_client;

struct worker {
    struct loop loop;
    uint32_t index;           /* 0 .. workers-1 */
    struct rpc_client *rpc;   /* this worker's control channel; enclave/rpc_client.h */
};

#endif
