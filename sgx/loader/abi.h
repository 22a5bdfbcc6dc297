/*
 * Register conventions between loader and runtime, on top of the vDSO's (linux/uapi asm/sgx.h): RDI and RSI carry
 * two words each way. Freestanding; also used by assembly.
 */
#ifndef ENCLAVE_OS_SGX_LOADER_ABI_H
#define ENCLAVE_OS_SGX_LOADER_ABI_H

/* At EENTER with CSSA 0, RDI: an ECALL's index (>= 0), or this. RSI: the marshalled arguments. */
#define ENTER_ORET (-2) /* return from the OCALL that this TCS made; RSI is its result */

/* At EEXIT, RDI: an OCALL's index (>= 0; RSI: its arguments), or one of these. */
#define EXIT_ERET (-1)    /* the ECALL is done; RSI: 0 or a negative errno from the runtime */
#define EXIT_HANDLED (-3) /* the exception was dealt with: ERESUME */
#define EXIT_FATAL (-4)   /* the enclave is dead; RSI: untrusted address of a NUL-terminated text, or 0 */

#endif
