/*
 * The first-level handler: RDI signal number, RSI siginfo, RDX ucontext. If the signal came from inside ELRANGE the
 * thread still runs on the enclave's FS base, and no compiled code may run before the host's is back. The signal
 * stack is aligned to its span, so RSP finds the thread.
 */
#include "sgx/emulator/internal.h"

    .text
    .globl emu_asm_signal
    .type emu_asm_signal, @function
emu_asm_signal:
    mov 168(%rdx), %rax             /* ucontext: RIP */
    sub emu_elrange_base(%rip), %rax
    cmp emu_elrange_size(%rip), %rax
    jb 2f
    rdfsbase %rax                   /* the enclave may have jumped out of ELRANGE: then its FS base tells */
    sub emu_elrange_base(%rip), %rax
    cmp emu_elrange_size(%rip), %rax
    jae emu_signal_in_host
2:
    cld
    mov %rsp, %rax
    and $-EMU_THREAD_SPAN, %rax
    mov %rsp, THREAD_FRAME(%rax)
    rdfsbase %rcx
    mov %rcx, THREAD_ENCLAVE_FS(%rax)
    rdgsbase %rcx
    mov %rcx, THREAD_ENCLAVE_GS(%rax)
    mov THREAD_HOST_FS(%rax), %rcx
    wrfsbase %rcx
    mov THREAD_HOST_GS(%rax), %rcx
    wrgsbase %rcx
    /* compiled code would push these, the enclave's, where they stay; sigreturn loads them from the context anyway */
    xor %ebx, %ebx
    xor %ebp, %ebp
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    mov %rax, %rcx
    and $-16, %rsp
    call emu_signal_in_enclave      /* (signo, info, context, thread): 1 if the enclave goes on */
    mov %rsp, %rcx
    and $-EMU_THREAD_SPAN, %rcx
    test %eax, %eax
    jz 1f
    mov THREAD_ENCLAVE_FS(%rcx), %rax
    wrfsbase %rax
    mov THREAD_ENCLAVE_GS(%rcx), %rax
    wrgsbase %rax
1:
    mov THREAD_FRAME(%rcx), %rsp    /* the kernel's return address, the restorer, stands there */
    ret
    .size emu_asm_signal, . - emu_asm_signal

    .section .note.GNU-stack,"",@progbits
