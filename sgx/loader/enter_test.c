/*
 * The hardware backend's way in: what the kernel's ABI says survives a call survives it, whatever the enclave does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sgx/loader/kernel_double.h"
#include "sgx/loader/sgx_device.h"

/* int clobbering_enter(...): EEXIT at once, with the registers as a scrubbing enclave leaves them.
 * int registers_survive(enter, run): calls it with patterns in the registers that the ABI says survive. */
int clobbering_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function, unsigned long r8,
                     unsigned long r9, struct enclave_run *run);
int registers_survive(enclave_enter_function enter, struct enclave_run *run);
__asm__(".text\n"
        "clobbering_enter:\n"
        "    mov 8(%rsp), %rax\n"
        "    movl $4, 8(%rax)\n"
        "    xor %r12d, %r12d\n    xor %r13d, %r13d\n    xor %r14d, %r14d\n    xor %r15d, %r15d\n"
        "    xor %eax, %eax\n    ret\n"
        "registers_survive:\n"
        "    push %rbx\n    push %rbp\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    sub $8, %rsp\n"
        "    mov %rdi, %rax\n"
        "    mov $0x1111, %rbx\n    mov $0x2222, %rbp\n    mov $0x3333, %r12\n    mov $0x4444, %r13\n"
        "    mov $0x5555, %r14\n    mov $0x6666, %r15\n"
        "    sub $8, %rsp\n    push %rsi\n"
        "    mov $2, %ecx\n"
        "    call *%rax\n"
        "    add $16, %rsp\n"
        "    cmp $0x1111, %rbx\n    jne 1f\n    cmp $0x2222, %rbp\n    jne 1f\n    cmp $0x3333, %r12\n    jne 1f\n"
        "    cmp $0x4444, %r13\n    jne 1f\n    cmp $0x5555, %r14\n    jne 1f\n    cmp $0x6666, %r15\n    jne 1f\n"
        "    mov $1, %eax\n    jmp 2f\n"
        "1:  xor %eax, %eax\n"
        "2:  add $8, %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbp\n    pop %rbx\n    ret\n");

static void test_enter_keeps_registers(void **state)
{
    (void)state;
    struct kernel_double k;
    struct backend *b;
    char error[256];
    struct enclave_run run = {0};
    double_init(&k);
    k.enter = clobbering_enter;
    assert_false(registers_survive(clobbering_enter, &run)); /* it does clobber */
    assert_int_equal(sgx_device_open(&k.kernel, &b, error, sizeof error), 0);
    assert_true(registers_survive(b->ops->enter, &run));
    assert_int_equal(run.function, ENCLU_EEXIT);
    b->ops->destroy(b);
    double_deinit(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_enter_keeps_registers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
