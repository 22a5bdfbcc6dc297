/* The signing tool's two commands, called by enclavectl. They return a process exit status. */
#ifndef ENCLAVE_OS_SGX_SIGN_SIGN_H
#define ENCLAVE_OS_SGX_SIGN_SIGN_H

/* sign --config FILE.xml --key KEY.pem --out SIGNED [--date YYYYMMDD] IMAGE. The key is made if the file is missing. */
int sign_main(int argc, char **argv);
/* measure [--config FILE.xml] IMAGE: prints MRENCLAVE in hex. A bare ELF image needs --config. */
int measure_main(int argc, char **argv);

#endif
