/*
 * The only way into the enclave and the only ways out of it.
 *
 * EENTER gives RAX = CSSA, RBX = TCS, RCX = the address to EEXIT to; RDI, RSI, RDX, R8 are the loader's (abi.h). FS
 * and GS base point to the TCS's struct thread_data. Everything else is the host's and is not relied on. On the way
 * out every register, vector registers included, is set to a known value: hardware clears nothing at EEXIT.
 */
#include "sgx/loader/abi.h"
#include "sgx/trusted/rt.h"

#define ELRANGE_START __ehdr_start - ENCLAVE_LOW_GAP /* what the layout's offsets count from */

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
    je oret
    cmpq $0, %gs:TD_IN_ECALL
    jne refuse                      /* an OCALL is under way here: only its return may come */
    movq $1, %gs:TD_IN_ECALL
    lea ELRANGE_START(%rip), %r11
    add %gs:TD_STACK_TOP_OFFSET, %r11
    mov %r11, %rsp
    pushq $2
    popfq                           /* AC, DF, TF and the rest: off */
    fninit
    ldmxcsr initial_mxcsr(%rip)
    xor %ebp, %ebp
    mov %r8, %rcx
    call rt_ecall                   /* (index, ms, scratch, scratch size) */
    movq $0, %gs:TD_IN_ECALL
    mov %rax, %rsi
    mov $EXIT_ERET, %rdi
    jmp leave
refuse:
    mov $-1, %rsi                   /* -EPERM */
    mov $EXIT_ERET, %rdi
    jmp leave

/* Dead: no thread gets further than this, neither back from an OCALL, nor by ERESUME after an exception (the handler
 * leads the interrupted frame here), nor from sgx_stop_if_dead. Needs no stack. */
    .globl rt_leave_dead
    .hidden rt_leave_dead
rt_leave_dead:
    movq $0, %gs:TD_IN_ECALL
    mov $-108, %rsi                 /* -ESHUTDOWN */
    mov $EXIT_ERET, %rdi
    jmp leave

/* The host returns from an OCALL: RSI is its result. */
oret:
    cmpb $0, sgx_dead_flag(%rip)
    jne rt_leave_dead
    mov %gs:TD_OCALL_RSP, %r11
    test %r11, %r11
    jz refuse
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
leave:
    lea ELRANGE_START(%rip), %r11
    add %gs:TD_SSA_OFFSET, %r11
    mov %gs:TD_RETURN, %rbx
scrub_and_exit:                     /* R11: the SSA frame of this entry; RBX: where to */
    mov $XSAVE_MASK, %eax
    xor %edx, %edx
    xrstor64 initial_xsave(%rip)
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
    ldmxcsr initial_mxcsr(%rip)
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
    jmp scrub_and_exit

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
    jmp scrub_and_exit

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
    ja leave
    add %gs:TD_SSA_OFFSET, %r11
    lea rt_leave_dead(%rip), %rdx
    mov %rdx, GPR_OFFSET + GPR_RIP(%r11)
    add $4096, %r11
    mov %gs:TD_EXCEPTION_RETURN, %rbx
    jmp scrub_and_exit

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
/* RDI: struct sgx_gprsgx. Continue behind the system call, as SYSRET would: RCX = RIP, R11 = RFLAGS. */
resume_registers:
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
    jmp resume_registers

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
    ldmxcsr initial_mxcsr(%rip)
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
initial_xsave:                      /* XSTATE_BV 0: every component's initial state */
    .short 0x37f
    .fill 22, 1, 0
initial_mxcsr:
    .long 0x1f80
    .fill 512 + 64 - 28, 1, 0

    .section .note.GNU-stack,"",@progbits
