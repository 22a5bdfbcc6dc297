/*
 * Where a thread goes on whose `syscall` instruction was trapped (exception.c).
 */
#include "sgx/loader/abi.h"
#include "sgx/trusted/internal.h"

    .text
/* A `syscall` was trapped; the handler put the registers at RSP and sent us here. Runs on the thread's own stack and
 * FS base. Everything but RAX, RCX and R11 survives a system call, the vector registers too. */
    .globl rt_syscall_trampoline
    .hidden rt_syscall_trampoline
    .type rt_syscall_trampoline, @function
rt_syscall_trampoline:
    mov %rsp, %rbx
    sub $XSAVE_SPACE, %rsp
    and $-64, %rsp
    xor %eax, %eax
    mov %rax, 512(%rsp)             /* XSAVE leaves most of its header as it was */
    mov %rax, 520(%rsp)
    mov %rax, 528(%rsp)
    mov %rax, 536(%rsp)
    mov %rax, 544(%rsp)
    mov %rax, 552(%rsp)
    mov %rax, 560(%rsp)
    mov %rax, 568(%rsp)
    mov $XSAVE_MASK, %eax
    xor %edx, %edx
    xsave64 (%rsp)
    cld
    mov %rbx, %rdi
    call rt_syscall
    mov $XSAVE_MASK, %eax
    xor %edx, %edx
    xrstor64 (%rsp)
    mov %rbx, %rdi
    jmp rt_resume_registers

    .section .note.GNU-stack,"",@progbits
