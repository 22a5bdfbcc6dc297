/*
 * The in-process SGX emulator: a software model of the leaves that software can see, for machines without SGX.
 *
 * It runs the same image bytes with their real ENCLU instructions. It proves logic and gives no confidentiality:
 * the host's own code could read ELRANGE. What is modelled and what is not: docs/emulator.md.
 *
 * One emulated enclave per process: ELRANGE lies below 8 GiB (backend.h), and signal handlers are process-wide.
 *
 *     struct backend *b;
 *     emulator_open("/var/lib/enclave-os-sim", &b, error, sizeof error);
 *     b->ops->create(b, &secs, hole, error, sizeof error);       and on as backend.h says
 *     b->ops->destroy(b);                                        which also frees what emulator_open gave
 *
 * Threads: one builds; each that enters gets a signal stack and Syscall User Dispatch at its first prepare_thread,
 * which it keeps to its end. Its EPCM is checked whole at EINIT and at the end; a broken one ends the process.
 */
#ifndef ENCLAVE_OS_SGX_EMULATOR_H
#define ENCLAVE_OS_SGX_EMULATOR_H

#include <stddef.h>
#include <stdint.h>

#include "sgx/loader/backend.h"

/* machine_dir is the emulated CPU: its fuses ("fuse-key", 32 random bytes, mode 0600), made on first use; and, if
 * somebody put it there, the version of its microcode ("cpu-svn", a number from 1 to 255; 1 without it), as if an
 * update had been installed, or taken back. */
int emulator_open(const char *machine_dir, struct backend **out, char *error, size_t error_size);

/* The key with which the emulated CPU MACs reports meant for the enclave that targetinfo describes: what EGETKEY
 * would give that enclave. For the simulated quoting enclave, which runs in the host. Needs an open emulator. */
int emulator_report_key(const uint8_t targetinfo[512], const uint8_t keyid[32], uint8_t key[16]);

/* Exits and exceptions so far, for measurements. */
struct emulator_counters {
    uint64_t eenter, eexit, eresume, aex, syscalls;
};
void emulator_counters(struct emulator_counters *out);

#endif
