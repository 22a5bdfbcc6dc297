/*
 * Where control passes between host code and emulated enclave code: EENTER, ERESUME, the landing places of EEXIT and
 * of asynchronous exits.
 */
#include "sgx/emulator/internal.h"

    .text

/* int emu_asm_eenter(struct emu_thread *t): like EENTER, keeps RSP and RBP, and notes them in the SSA frame. */
    .globl emu_asm_eenter
    .type emu_asm_eenter, @function
emu_asm_eenter:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    sub $24, %rsp
    mov %rdi, 8(%rsp)               /* the landing places find the thread here */
    stmxcsr 16(%rsp)
    fnstcw 20(%rsp)
    mov %rsp, THREAD_HOST_RSP(%rdi)
    rdfsbase %rax
    mov %rax, THREAD_HOST_FS(%rdi)
    rdgsbase %rax
    mov %rax, THREAD_HOST_GS(%rdi)
    mov THREAD_ENTER(%rdi), %r10
    mov ENTER_GPRSGX(%r10), %rax
    mov %rsp, 144(%rax)             /* URSP */
    mov %rbp, 152(%rax)             /* URBP */
    mov ENTER_RAX(%r10), %rax
    mov ENTER_RBX(%r10), %rbx
    lea emu_asm_eexit_landing(%rip), %rcx /* hardware: the instruction behind ENCLU[EENTER] */
    mov ENTER_RDI(%r10), %rdi
    mov ENTER_RSI(%r10), %rsi
    mov ENTER_RDX(%r10), %rdx
    mov ENTER_R8(%r10), %r8
    mov ENTER_R9(%r10), %r9
    mov ENTER_FS(%r10), %r11
    wrfsbase %r11
    mov ENTER_GS(%r10), %r11
    wrgsbase %r11
    mov ENTER_RIP(%r10), %r11
    jmp *%r11
    .size emu_asm_eenter, . - emu_asm_eenter

/* The enclave jumps here by EEXIT, with RSP as it was at EENTER. */
    .globl emu_asm_eexit_landing
    .type emu_asm_eexit_landing, @function
emu_asm_eexit_landing:
    mov 8(%rsp), %r11
    mov %rdi, THREAD_EXIT_RDI(%r11)
    mov %rsi, THREAD_EXIT_RSI(%r11)
    mov %rdx, THREAD_EXIT_RDX(%r11)
    mov %rsp, THREAD_EXIT_RSP(%r11)
    mov %r8, THREAD_EXIT_R8(%r11)
    mov %r9, THREAD_EXIT_R9(%r11)
    xor %eax, %eax
    jmp leave
    .size emu_asm_eexit_landing, . - emu_asm_eexit_landing

/* An asynchronous exit ends here (the AEP), with RSP and RBP from URSP and URBP. */
    .globl emu_asm_aex_landing
    .type emu_asm_aex_landing, @function
emu_asm_aex_landing:
    mov $-14, %eax                  /* -EFAULT */
leave:
    cld
    fninit
    ldmxcsr 16(%rsp)
    fldcw 20(%rsp)
    add $24, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size emu_asm_aex_landing, . - emu_asm_aex_landing

/* int emu_asm_eresume(struct emu_thread *t): restore all registers from the SSA frame. */
    .globl emu_asm_eresume
    .type emu_asm_eresume, @function
emu_asm_eresume:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    sub $24, %rsp
    mov %rdi, 8(%rsp)
    stmxcsr 16(%rsp)
    fnstcw 20(%rsp)
    mov %rsp, THREAD_HOST_RSP(%rdi)
    rdfsbase %rax
    mov %rax, THREAD_HOST_FS(%rdi)
    rdgsbase %rax
    mov %rax, THREAD_HOST_GS(%rdi)
    mov THREAD_ENTER(%rdi), %r10
    mov ENTER_FS(%r10), %r11
    wrfsbase %r11
    mov ENTER_GS(%r10), %r11
    wrgsbase %r11
    mov ENTER_XFRM(%r10), %rax
    mov %rax, %rdx
    shr $32, %rdx
    mov ENTER_XSAVE(%r10), %r11
    xrstor64 (%r11)
    mov ENTER_GPRSGX(%r10), %r11
    /* the frame that IRETQ pops: RIP, CS, RFLAGS, RSP, SS */
    mov %rsp, %r10
    mov %ss, %eax
    push %rax
    pushq 32(%r11)                  /* RSP */
    mov 128(%r11), %rax             /* RFLAGS */
    and $0x40cd5, %eax              /* status flags, DF, AC: what ring 3 may set, without TF */
    or $0x202, %eax
    push %rax
    mov %cs, %eax
    push %rax
    pushq 136(%r11)                 /* RIP */
    /* like EENTER, ERESUME notes the outer RSP and RBP for the next exit */
    mov %r10, 144(%r11)
    mov %rbp, 152(%r11)
    mov 0(%r11), %rax
    mov 8(%r11), %rcx
    mov 16(%r11), %rdx
    mov 24(%r11), %rbx
    mov 40(%r11), %rbp
    mov 48(%r11), %rsi
    mov 56(%r11), %rdi
    mov 64(%r11), %r8
    mov 72(%r11), %r9
    mov 80(%r11), %r10
    mov 96(%r11), %r12
    mov 104(%r11), %r13
    mov 112(%r11), %r14
    mov 120(%r11), %r15
    mov 88(%r11), %r11
    iretq
    .size emu_asm_eresume, . - emu_asm_eresume

    .section .note.GNU-stack,"",@progbits
