/* What the files of the stand-in for the kernel share. */
#ifndef ENCLAVE_OS_SGX_LOADER_KERNEL_DOUBLE_INTERNAL_H
#define ENCLAVE_OS_SGX_LOADER_KERNEL_DOUBLE_INTERNAL_H

#include <asm/sgx.h>

#include "sgx/loader/kernel_double.h"

#define PAGE 4096u
#define RWX 7u

/* An argument broke a rule, which is noted: -1, with code as errno. */
int double_refuse(struct kernel_double *k, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Are these bytes (at most a page) zero? */
bool double_zero(const void *p, size_t size);
/* What is wrong with whole pages at offset, or NULL. */
const char *double_range_fault(const struct kernel_double *k, uint64_t offset, uint64_t length);
/* The stop that is planned for this call, or NULL. */
const struct double_stop *double_planned(const struct kernel_double *k, enum double_call call);
/* Do one page after the other until the end, a refusal, or a planned stop; *count says how far it came. */
int double_for_pages(struct kernel_double *k, enum double_call call, uint64_t length, __u64 *count,
                     int (*page)(struct kernel_double *k, const void *argument, uint64_t at), const void *argument);

/* EINIT's answer, with k->mrenclave final. */
enum sgx_error double_einit(const struct kernel_double *k, const struct sgx_sigstruct *s);

/* EDMM's three calls, as ioctl answers them. */
int double_restrict(struct kernel_double *k, struct sgx_enclave_restrict_permissions *a);
int double_modify(struct kernel_double *k, struct sgx_enclave_modify_types *a);
int double_remove(struct kernel_double *k, struct sgx_enclave_remove_pages *a);

#endif
