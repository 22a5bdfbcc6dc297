/*
 * What an enclave had its host keep of a sharing (common/recovery_text.h), read from the folder of a server that does
 * not run, or from a backup of it, in which nothing is written. What is wrong is told on standard error. Both block.
 */
#ifndef ENCLAVE_OS_CLI_RECOVER_FOLDER_H
#define ENCLAVE_OS_CLI_RECOVER_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* The text that counts. malloc'ed; NULL: why was told. */
char *recover_folder_text(const char *folder, size_t *size);

/* Whether there is what the shares open. 0, and *whole: nothing of it is missing or was changed, either copy; else what
 * complain returned: they open nothing here. */
int recover_folder_judge(const char *folder, bool *whole);

#endif
