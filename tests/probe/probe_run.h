/*
 * The probe in the emulator, run by a host that is as hostile as its variables say. It drives the backend by itself,
 * since the loader is honest. Whatever goes wrong on this side ends the process with status 1 and a line.
 */
#ifndef ENCLAVE_OS_TESTS_PROBE_PROBE_RUN_H
#define ENCLAVE_OS_TESTS_PROBE_PROBE_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/protocol.h"
#include "sgx/loader/abi.h"
#include "sgx/loader/backend.h"
#include "sgx/sign/image.h"
#include "tests/probe/probe.h"

#define DIED (-1000)
#define HANG_SECONDS 120 /* a hang is told from a slow machine */

extern struct backend *backend;
extern struct image image;
extern uint64_t base;
extern struct run_args args; /* as set_args leaves them, and a CPUID table that is there already */
extern struct time_page time_page;
extern struct report report; /* the probe's */
extern char last_words[1024];
extern atomic_uint threads_inside; /* but for the boot thread */

extern bool garbage;        /* pages that are not measured are full of it */
extern bool resume_anyway;  /* go on with an enclave that says that it is dead */
extern uint64_t map_before; /* map a page of ours there once the enclave has died of touching it */

/* What another thread does with a TCS while the boot thread is out on its first OCALL; NULL: nothing. */
struct in_ocall {
    uint32_t slot;
    bool done;
    long result;
};
extern struct in_ocall *in_ocall;

void fail(const char *what);
void check(bool ok, const char *what);

void load(const char *path, uint64_t hole);
void set_args(void); /* what an honest host would pass */
/* The probe boots, and does as it is ordered (probe.h). As ecall_run. */
long go(uint64_t kind, uint64_t argument);
/* What the ECALL answers, or DIED. */
long ecall_run(uint32_t slot);
long run_on(uint32_t slot, long index, void *ms);

#endif
