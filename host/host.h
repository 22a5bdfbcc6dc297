/*
 * The host: the untrusted half of Enclave OS, as a library. It loads the enclave, gives it threads, sockets, records
 * and the time, and stops it in good order. It sees ciphertext only: whatever it does wrong can deny service, not
 * more.
 *
 *     int main(int argc, char **argv)
 *     {
 *         return host_main(argc, argv);
 *     }
 *
 * Rooms, from the top: this folder (start-up, options, the threads inside the enclave), net/ (sockets and rings,
 * net/io.h), rpc/ (answers to the enclave, rpc/control.h), kvstore/ (records) and thread/ (how threads start, the time
 * page, threads for what blocks). Each needs those below it only.
 *
 * Threads: the main thread, which makes and ends everything and waits for signals meanwhile; one I/O thread for each
 * worker, which owns that worker's sockets; service threads for what blocks; the ticker of the time page; and those
 * that are inside the enclave. Once per process: signal handlers, the emulator and the OCALL have no other context.
 *
 * Errors are negative errno; what an operator can mend is told in one line on standard error, beginning with
 * "enclave-os: ". Out of memory at start-up ends the process; later it ends a connection, or an answer.
 */
#ifndef ENCLAVE_OS_HOST_HOST_H
#define ENCLAVE_OS_HOST_HOST_H

/* enclave-os's command line, argv[0] being the program: returns the process's exit status, 0, 1 (it failed) or 2 (wrong
 * arguments), or does not return (exit, with the same meanings). Serving ends by SIGTERM, SIGINT or SIGHUP. */
int host_main(int argc, char **argv);

#endif
