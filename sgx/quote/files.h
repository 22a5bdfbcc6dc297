/* The simulation PKI's files. Private to sgx/quote. */
#ifndef ENCLAVE_OS_SGX_QUOTE_FILES_H
#define ENCLAVE_OS_SGX_QUOTE_FILES_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <sys/types.h>

#define FILES_SIZE_MAX 65536u

/* Replace folder/name as a whole (common/replace.h). */
bool files_write(const char *folder, const char *name, mode_t mode, const void *data, size_t size);
bool files_write_key(const char *folder, const char *name, EVP_PKEY *key);
bool files_write_certificates(const char *folder, const char *name, X509 *const *list, int count);
bool files_write_crl(const char *folder, const char *name, X509_CRL *crl);

/* The whole file, malloc'ed and NUL-terminated, at most FILES_SIZE_MAX bytes; NULL otherwise. */
char *files_read(const char *folder, const char *name, size_t *size);
EVP_PKEY *files_read_key(const char *folder, const char *name);
/* The index'th certificate in a PEM file. */
X509 *files_read_certificate(const char *folder, const char *name, int index);

#endif
