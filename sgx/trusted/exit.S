/*
 * The only ways out of the enclave, for good and for an OCALL, and how a thread gets onto libc's stack and off it again.
 * Needs nothing of the runtime's but the flag that says the enclave is dead. Whoever has come in by entry.S leaves here.
 *
 * On the way out every register, vector registers included, is set to a known value: hardware clears nothing at EEXIT.
 */
#include "sgx/loader/abi.h"
#include "sgx/trusted/internal.h"

    .text
/* Dead: no thread gets further than this, neither back from an OCALL, nor by ERESUME after an exception (the handler
 * leads the interrupted frame here), nor from sgx_stop_if_dead. Needs no stack. */
    .globl rt_leave_dead
    .hidden rt_leave_dead
rt_leave_dead:
    movq $0, %gs:TD_IN_ECALL
    mov $-108, %rsi                 /* -ESHUTDOWN */
    mov $EXIT_ERET, %rdi
    jmp rt_leave

/* This entry is none of those that may come now. */
    .globl rt_refuse
    .hidden rt_refuse
rt_refuse:
    mov $-1, %rsi                   /* -EPERM */
    mov $EXIT_ERET, %rdi
    jmp rt_leave

/* ---- OCALLs: the two halves of one frame ----------------------------------------------------------------------- */

/* The host returns from an OCALL: RSI is its result. */
    .globl rt_oret
    .hidden rt_oret
rt_oret:
    cmpb $0, sgx_dead_flag(%rip)
    jne rt_leave_dead
    mov %gs:TD_OCALL_RSP, %r11
    test %r11, %r11
    jz rt_refuse
    movq $0, %gs:TD_OCALL_RSP
    mov %r11, %rsp
    pushq $2
    popfq
    fninit
    pop %rax
    wrfsbase %rax
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    add $8, %rsp
    pop %rbx
    pop %rbp
    pop %r12
    pop %r13
    pop %r14
    pop %r15
    mov %rsi, %rax
    ret

/* int64_t rt_ocall_asm(uint32_t index, void *ms) */
    .globl rt_ocall_asm
    .hidden rt_ocall_asm
    .type rt_ocall_asm, @function
rt_ocall_asm:
    push %r15
    push %r14
    push %r13
    push %r12
    push %rbp
    push %rbx
    sub $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    rdfsbase %rax
    push %rax
    mov %rsp, %gs:TD_OCALL_RSP
    mov %edi, %edi

/* Leave with RDI and RSI, to the host's stack. */
    .globl rt_leave
    .hidden rt_leave
rt_leave:
    lea ELRANGE_START(%rip), %r11
    add %gs:TD_SSA_OFFSET, %r11
    mov %gs:TD_RETURN, %rbx
    .globl rt_scrub_and_exit
    .hidden rt_scrub_and_exit
rt_scrub_and_exit:                  /* R11: the SSA frame of this entry; RBX: where to */
    mov $XSAVE_MASK, %eax
    xor %edx, %edx
    xrstor64 rt_initial_xsave(%rip)
    mov GPR_OFFSET + GPR_URBP(%r11), %rbp
    mov GPR_OFFSET + GPR_URSP(%r11), %rsp
    xor %ecx, %ecx
    xor %edx, %edx
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    mov $4, %eax                    /* EEXIT */
    enclu
    ud2

/* void rt_exit_fatal(const char *untrusted_text): die, from the normal path or from the exception handler, which is
 * told by the stack: it runs above an interrupted frame, and that frame must not be left to be resumed. */
    .globl rt_exit_fatal
    .hidden rt_exit_fatal
rt_exit_fatal:
    mov %rdi, %rsi
    mov $EXIT_FATAL, %rdi
    lea ELRANGE_START(%rip), %r11
    mov %r11, %rax
    add %gs:TD_EXCEPTION_STACK_OFFSET, %rax
    sub %rsp, %rax                  /* bytes in use of the exception stack, if that is where we are */
    cmp $ENCLAVE_EXCEPTION_STACK_SIZE, %rax
    ja rt_leave
    add %gs:TD_SSA_OFFSET, %r11
    lea rt_leave_dead(%rip), %rdx
    mov %rdx, GPR_OFFSET + GPR_RIP(%r11)
    add $4096, %r11
    mov %gs:TD_EXCEPTION_RETURN, %rbx
    jmp rt_scrub_and_exit

/* ---- threads --------------------------------------------------------------------------------------------------- */

/* RDI: struct sgx_gprsgx. Continue behind the system call, as SYSRET would: RCX = RIP, R11 = RFLAGS. */
    .globl rt_resume_registers
    .hidden rt_resume_registers
rt_resume_registers:
    mov 0(%rdi), %rax
    mov 16(%rdi), %rdx
    mov 24(%rdi), %rbx
    mov 40(%rdi), %rbp
    mov 48(%rdi), %rsi
    mov 64(%rdi), %r8
    mov 72(%rdi), %r9
    mov 80(%rdi), %r10
    mov 96(%rdi), %r12
    mov 104(%rdi), %r13
    mov 112(%rdi), %r14
    mov 120(%rdi), %r15
    mov 128(%rdi), %r11
    mov 136(%rdi), %rcx
    mov 32(%rdi), %rsp
    mov 56(%rdi), %rdi
    jmp *%rcx

/* int64_t rt_thread_enter(const struct sgx_gprsgx *registers) */
    .globl rt_thread_enter
    .hidden rt_thread_enter
    .type rt_thread_enter, @function
rt_thread_enter:
    push %r15
    push %r14
    push %r13
    push %r12
    push %rbp
    push %rbx
    mov %rsp, %gs:TD_ECALL_RSP
    mov 168(%rdi), %rax             /* FSBASE */
    wrfsbase %rax
    jmp rt_resume_registers

/* void rt_thread_leave(int64_t result) */
    .globl rt_thread_leave
    .hidden rt_thread_leave
    .type rt_thread_leave, @function
rt_thread_leave:
    mov %rdi, %rax
    mov %gs:0, %rdi
    wrfsbase %rdi
    cld
    fninit
    ldmxcsr rt_initial_mxcsr(%rip)
    mov %gs:TD_ECALL_RSP, %rsp
    pop %rbx
    pop %rbp
    pop %r12
    pop %r13
    pop %r14
    pop %r15
    ret

    .section .rodata
    .balign 64
    .globl rt_initial_xsave
    .hidden rt_initial_xsave
rt_initial_xsave:                   /* XSTATE_BV 0: every component's initial state */
    .short 0x37f
    .fill 22, 1, 0
    .globl rt_initial_mxcsr
    .hidden rt_initial_mxcsr
rt_initial_mxcsr:
    .long 0x1f80
    .fill 512 + 64 - 28, 1, 0

    .section .note.GNU-stack,"",@progbits
