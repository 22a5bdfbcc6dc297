# For gdb at the root of the checkout: code inside the enclave on the emulator, with names, lines and variables.
# CONTRIBUTING.md says how it is used, and the test e2e/docs uses it so.

# What the emulator lives on: ENCLU is an illegal instruction (a protection fault on a CPU that knows SGX), a system call from
# inside is trapped. None of it is a fault of the program. A real fault inside ends in sgx_panic.
handle SIGILL SIGSYS SIGSEGV nostop noprint pass

set breakpoint pending on
set debuginfod enabled off
directory .

# The image has no pages before the host has loaded it, and a breakpoint is a byte in a page: so a program that is not running
# yet runs until the enclave is there.
python
if gdb.selected_inferior().pid == 0:
    gdb.execute("tbreak dispatcher_start")
    gdb.execute("run")
end

# The image begins behind the gap at the start of ELRANGE: ENCLAVE_LOW_GAP of sgx/include/layout.h.
add-symbol-file build/enclave_os.debug -o 0x200000
