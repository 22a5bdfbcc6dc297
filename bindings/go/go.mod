module enclave-os/verifier

go 1.24.0
