/* The code of the tests' tiny enclave; see test_enclave.h. Position-independent: the test copies it into ELRANGE. */
#include "sgx/conformance/test_enclave.h"

#define DATA(offset) te_code + TE_DATA + (offset)(%rip)

    .macro label name
    .globl \name
\name:
    .endm

    .text
label te_code
    mov %rcx, %gs:GS_RETURN
    mov %rax, %r15                  /* CSSA */
    cmp $OP_COUNT, %rdi
    jae finish
    lea table(%rip), %r10
    movslq (%r10,%rdi,4), %r11
    add %r10, %r11
    jmp *%r11
table:
    .long state - table, exit_to - table, registers - table, syscall_ - table, divide - table, int3_ - table
    .long load - table, store - table, jump - table, leaf - table, spin - table
    .long cpuid_ - table, wide - table

/* RSP and RBP were noted by the CPU in the frame of this entry. */
finish:
    cld
    shl $12, %r15
    add %gs:GS_SSA, %r15
    lea te_code(%rip), %r10
    add %r10, %r15
    mov 4096 - 184 + 144(%r15), %rsp
    mov 4096 - 184 + 152(%r15), %rbp
    mov %gs:GS_RETURN, %rbx
    mov $4, %eax
    enclu
    ud2

state:
    mov %r15, %rdi
    mov %rbx, %rsi
    mov %rcx, %rdx
    rdfsbase %r8
    rdgsbase %r9
    jmp finish

exit_to:
    mov %rsi, %rbx
    mov $4, %eax
label te_exit_to
    enclu
    jmp finish

registers:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu DATA(DATA_IN + DATA_YMM + 32 * \n), %ymm\n
    .endr
    std
    stc
    mov DATA(DATA_IN), %rax
    mov DATA(DATA_IN + 8), %rcx
    mov DATA(DATA_IN + 16), %rdx
    mov DATA(DATA_IN + 24), %rbx
    mov DATA(DATA_IN + 32), %rsp
    mov DATA(DATA_IN + 40), %rbp
    mov DATA(DATA_IN + 48), %rsi
    mov DATA(DATA_IN + 56), %rdi
    .irp n, 8, 9, 10, 11, 12, 13, 14, 15
    mov DATA(DATA_IN + 8 * \n), %r\n
    .endr
label te_ud2
    ud2
    mov %rax, DATA(DATA_OUT)
    mov %rcx, DATA(DATA_OUT + 8)
    mov %rdx, DATA(DATA_OUT + 16)
    mov %rbx, DATA(DATA_OUT + 24)
    mov %rsp, DATA(DATA_OUT + 32)
    mov %rbp, DATA(DATA_OUT + 40)
    mov %rsi, DATA(DATA_OUT + 48)
    mov %rdi, DATA(DATA_OUT + 56)
    .irp n, 8, 9, 10, 11, 12, 13, 14, 15
    mov %r\n, DATA(DATA_OUT + 8 * \n)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu %ymm\n, DATA(DATA_OUT + DATA_YMM + 32 * \n)
    .endr
    lea DATA(DATA_STACK), %rsp
    pushfq
    popq DATA(DATA_FLAGS)
    vzeroall
    xor %r15d, %r15d                /* entered at CSSA 0 */
    jmp finish

syscall_:
    mov $39, %eax                   /* getpid */
label te_syscall
    syscall
    mov %rax, %rdi
    jmp finish

divide:
    xor %edx, %edx
    mov $1, %eax
    xor %ecx, %ecx
label te_divide
    div %ecx
    jmp finish

int3_:
label te_int3
    int3
    jmp finish

load:
label te_load
    mov (%rsi), %rdi
    jmp finish

store:
label te_store
    mov %rdx, (%rsi)
    jmp finish

jump:
    jmp *%rsi

leaf:
    mov %rsi, %rax
    mov DATA(DATA_LEAF), %rbx
    mov DATA(DATA_LEAF + 8), %rcx
    mov DATA(DATA_LEAF + 16), %rdx
    xor %edi, %edi
    inc %edi                        /* clears ZF: setting it is the leaf's */
label te_leaf
    enclu
    mov %rax, %rdi
    setz %sil
    movzbl %sil, %esi
    jmp finish

spin:
    movl $1, 4(%rsi)
1:
    pause
    cmpl $0, (%rsi)
    je 1b
    xor %edi, %edi
    jmp finish

cpuid_:
    xor %eax, %eax
    xor %ecx, %ecx
label te_cpuid
    cpuid
    mov %rax, %rdi
    jmp finish

#define WIDE(page, offset) te_code + (page) + (offset)(%rip)
wide:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 WIDE(TE_WIDE_IN, 64 * \n), %zmm\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq WIDE(TE_WIDE_IN, WIDE_MASKS + 8 * \n), %k\n
    .endr
label te_wide_ud2
    ud2
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq %k\n, WIDE(TE_WIDE_OUT, WIDE_MASKS + 8 * \n)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 %zmm\n, WIDE(TE_WIDE_OUT, 64 * \n)
    .endr
    vzeroall
    jmp finish
label te_code_end

label te_host_ud2
    ud2

/* int te_enter_and_look(enter, run, rdi, remains) */
label te_enter_and_look
    push %rbx
    push %rcx
    sub $24, %rsp
    mov %rdi, %rax
    mov %rsi, (%rsp)                /* the seventh argument: run */
    mov %rdx, %rdi
    xor %esi, %esi
    xor %edx, %edx
    mov $2, %ecx                    /* EENTER */
    xor %r8d, %r8d
    xor %r9d, %r9d
    call *%rax
    mov 24(%rsp), %rbx              /* remains */
    mov %rcx, 0(%rbx)
    mov %rdx, 8(%rbx)
    mov %rsi, 16(%rbx)
    mov %rdi, 24(%rbx)
    mov %r8, 32(%rbx)
    mov %r9, 40(%rbx)
    mov %r10, 48(%rbx)
    mov %r11, 56(%rbx)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu %ymm\n, 64 + 32 * \n(%rbx)
    .endr
    vzeroupper
    add $24, %rsp
    pop %rcx
    pop %rbx
    ret

    .section .note.GNU-stack,"",@progbits
