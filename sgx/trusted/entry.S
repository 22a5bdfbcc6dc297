/*
 * The only ways into the enclave: EENTER for an ECALL, for the return from an OCALL, and above an interrupted frame.
 *
 * EENTER gives RAX = CSSA, RBX = TCS, RCX = the address to EEXIT to; RDI, RSI, RDX, R8 are the loader's (abi.h). FS
 * and GS base point to the TCS's struct thread_data. Everything else is the host's and is not relied on.
 */
#include "sgx/loader/abi.h"
#include "sgx/trusted/internal.h"

    .text
    .globl enclave_entry
    .hidden enclave_entry
    .type enclave_entry, @function
enclave_entry:
    cld
    test %rax, %rax
    jnz exception
    mov %rcx, %gs:TD_RETURN
    cmp $ENTER_ORET, %rdi
    je rt_oret
    cmpq $0, %gs:TD_IN_ECALL
    jne rt_refuse                   /* an OCALL is under way here: only its return may come */
    movq $1, %gs:TD_IN_ECALL
    lea ELRANGE_START(%rip), %r11
    add %gs:TD_STACK_TOP_OFFSET, %r11
    mov %r11, %rsp
    pushq $2
    popfq                           /* AC, DF, TF and the rest: off */
    fninit
    ldmxcsr rt_initial_mxcsr(%rip)
    xor %ebp, %ebp
    mov %r8, %rcx
    call rt_ecall                   /* (index, ms, scratch, scratch size) */
    movq $0, %gs:TD_IN_ECALL
    mov %rax, %rsi
    mov $EXIT_ERET, %rdi
    jmp rt_leave

/* Entered above an interrupted frame: the host says there was an exception; the SSA frame says whether it is true. */
exception:
    cmp $1, %rax
    jne nested
    mov %rcx, %gs:TD_EXCEPTION_RETURN
    lea ELRANGE_START(%rip), %r11
    mov %r11, %rdi
    add %gs:TD_SSA_OFFSET, %rdi
    add %gs:TD_EXCEPTION_STACK_OFFSET, %r11
    mov %r11, %rsp
    pushq $2
    popfq
    fninit
    ldmxcsr rt_initial_mxcsr(%rip)
    call rt_exception               /* (frame 0): 0, or a text in untrusted memory, or 1 for no text */
    mov %rax, %rsi
    mov $EXIT_HANDLED, %rdi
    test %rax, %rax
    jz 1f
    mov $EXIT_FATAL, %rdi
1:
    lea ELRANGE_START(%rip), %r11
    add %gs:TD_SSA_OFFSET, %r11
    add $4096, %r11                 /* frame 1 is this entry's */
    mov %gs:TD_EXCEPTION_RETURN, %rbx
    jmp rt_scrub_and_exit

/* An exception in the exception handler: no way on. RCX still holds the return address. */
nested:
    lea ELRANGE_START(%rip), %r11
    add %gs:TD_SSA_OFFSET, %r11
    add $2 * 4096, %r11
    movb $1, sgx_dead_flag(%rip)
    lea rt_leave_dead(%rip), %rdx   /* whichever frame is resumed: only out */
    mov %rdx, GPR_OFFSET + GPR_RIP - 2 * 4096(%r11)
    mov %rdx, GPR_OFFSET + GPR_RIP - 1 * 4096(%r11)
    mov %rcx, %rbx
    mov $1, %rsi
    mov $EXIT_FATAL, %rdi
    jmp rt_scrub_and_exit

    .section .note.GNU-stack,"",@progbits
