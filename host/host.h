/* The host as a library: what main calls. */
#ifndef ENCLAVE_OS_HOST_HOST_H
#define ENCLAVE_OS_HOST_HOST_H

/* enclave-os's command line; returns the process's exit status. */
int host_main(int argc, char **argv);

#endif
