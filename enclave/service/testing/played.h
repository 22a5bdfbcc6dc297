/*
 * All that generations stand on, played for generations_test.c: a host that does as it likes with quotes and the
 * store's commits, apps without WebAssembly, certificates without signatures, connections without TLS. One thread and
 * one random stream, so that a seed says all that happens; the compiler's thread is a coroutine.
 *
 * What outlasts an enclave, the store and what clients remember, lies in shared memory: an enclave is a process, which
 * ends by _exit wherever the schedule says.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_TESTING_PLAYED_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_TESTING_PLAYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/protocol.h"
#include "enclave/https/site.h"

#define PLAYED_WORKERS 3u
#define PLAYED_RECORDS 64u

/* ---- chance: splitmix64 ------------------------------------------------------------------------------------------ */

extern uint64_t chance_state;
uint32_t chance(uint32_t below); /* 0 .. below-1 */
bool chance_of(uint32_t per_mille);

/* ---- the store --------------------------------------------------------------------------------------------------- */

struct played_store {
    struct played_record {
        char key[80]; /* empty: free */
        size_t size;
        uint8_t value[3072];
    } records[PLAYED_RECORDS];
    uint32_t numbers; /* commits of boot that wrote a generation's record */
};
extern struct played_store *played_store;
const struct played_record *played_find(const char *key);

/* The newest head of the history: a record of the store. */
#define PLAYED_HEAD "head"
struct played_head {
    uint64_t size;
    uint8_t root[32];
};
struct played_head played_head(void);

/* ---- the host ---------------------------------------------------------------------------------------------------- */

extern uint32_t played_malice; /* per mille of what the host is asked for goes wrong */
extern uint64_t played_clock_ns;
extern struct run_args played_args;
extern uint64_t played_renewals; /* certificates for the same generation once more */

/* One step of the host's: an answer, a commit made, refused or answered. False: there was nothing to do. */
bool played_answer(void);
bool played_store_step(void);

/* ---- the compiler's thread --------------------------------------------------------------------------------------- */

void played_compiler_start(void);
void played_compile(void); /* a step of it */
void played_pause(void);   /* it is elsewhere meanwhile; on any other thread: nothing */

void *played_copy(const void *from, size_t size); /* malloc'ed */

/* ---- certificates, and who has seen them ------------------------------------------------------------------------- */

struct played_certificate {
    unsigned references;
    uint64_t generation;
    uint8_t root[32];
    struct played_head log;
    bool has_trust;
    uint8_t trust[32];
    uint32_t names; /* of apps a0, a1, ... that have a certificate beside it, a bit each */
};

/* A client's connection, from its handshake on. */
struct connection {
    struct connection *next;
    struct connections *of;
    struct http_site *site;
    struct played_certificate *certificate;
    uint32_t id;
    bool answered; /* something on it */
};
extern struct connection *played_connections;
/* The host hands a client's connection to a worker. NULL: it has no certificate yet. */
struct connection *played_connect(uint32_t worker);
void played_close(struct connection *c);

/* ---- what is answered -------------------------------------------------------------------------------------------- */

/* By an app, about itself and where it runs. */
struct played_answer {
    char code[16]; /* the whole component */
    char setting[16];
    uint8_t settings_digest[32];
    bool has_trust;
    uint8_t trust[32];
};

/* A request: its status, and the body in played_body. */
int played_ask(struct connection *c, const char *path);
extern char played_body[32768];
extern size_t played_body_size;

#endif
