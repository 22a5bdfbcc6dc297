/*
 * An AESM service of the tests' own, on a real socket with real messages. It answers like the real one, or wrong in
 * the way that it is told to.
 */
#ifndef ENCLAVE_OS_SGX_QUOTE_AESM_DOUBLE_H
#define ENCLAVE_OS_SGX_QUOTE_AESM_DOUBLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sgx/quote/quote.h"

/* What clients are to wait, and to say that they wait: long, but where a test is about silence. */
extern unsigned client_timeout_ms;
#define PATIENT_MS 300000u
#define QUOTE_SIZE 4600u
#define KEY_ID_SIZE 256u

enum question { SELECT, INIT_SIZE, INIT, SIZE, QUOTE, QUESTIONS };

/* How the service misbehaves, at which question. */
enum trick {
    HONEST,
    ERROR_CODE,      /* argument: the code */
    SILENT,          /* no answer */
    HANG_UP,         /* without an answer */
    HALF,            /* argument bytes of the answer, then closes */
    DRIP,            /* a byte now and then, never done in time */
    LENGTH,          /* argument instead of the length, then the answer */
    GARBAGE,         /* bytes that are no message */
    OTHER_QUESTION,  /* the answer to another one */
    UNSUPPORTED,     /* the service's "cannot" */
    NO_FIELD,        /* success without content */
    SIZE_IS,         /* content of argument bytes, or the size argument */
    OTHER_ALGORITHM, /* an EPID key */
    OTHER_REPORT,    /* a quote of somebody else's report */
    VERSION          /* a quote of version 4 */
};

struct service {
    char folder[64], path[100];
    int listener;
    pthread_t thread;
    enum question at;
    enum trick trick;
    uint64_t argument;
    unsigned once; /* misbehave only so many times; 0: always */
    atomic_uint asked[QUESTIONS];
    char wrong[160]; /* what a request had wrong, "" if nothing */
    uint8_t report[QUOTE_REPORT_SIZE];
};
extern struct service service; /* one at a time */

/* Start it in a folder of its own (service.folder, service.path), or at path if that is not NULL; stop it and remove
 * what it made. trick: how to misbehave at the question at. */
void service_start(const char *path, enum question at, enum trick trick, uint64_t argument);
void service_stop(void);
/* Stop answering, and leave the socket file. */
void service_abandon(void);

#endif
