/*
 * `enclave-os doctor`: could the hardware backend run on this machine, and if not, what is to be done, in order?
 *
 * It only looks: CPUID, files, the vDSO, and one exchange with AESM. Nothing is changed and nothing needs root, though
 * root sees one thing more (what the firmware has set).
 */
#ifndef ENCLAVE_OS_HOST_DOCTOR_H
#define ENCLAVE_OS_HOST_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Where the facts come from; tests put others in their place. */
struct doctor_machine {
    const char *root;                                                            /* prefix of every path; "" here */
    const char *kernel_release;                                                  /* as uname -r */
    void (*cpuid)(void *user, uint32_t leaf, uint32_t subleaf, uint32_t out[4]); /* EAX, EBX, ECX, EDX */
    void *user;
    bool has_vdso_entry; /* __vdso_sgx_enter_enclave */
    uint32_t aesm_timeout_ms;
};

/* Print one line for each check and, at the end, what to do first. 0 if an enclave could be run and quoted on
 * hardware, 1 if not. */
int doctor_run(const struct doctor_machine *machine, FILE *out);

/* The command: `enclave-os doctor [--root DIR]`. Its exit status. */
int doctor_main(int argc, char **argv);

#endif
