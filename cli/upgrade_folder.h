/*
 * What the folder of a server that takes over (serve --take-over, --data) says of it, on the same machine.
 */
#ifndef ENCLAVE_OS_CLI_UPGRADE_FOLDER_H
#define ENCLAVE_OS_CLI_UPGRADE_FOLDER_H

#include <stdbool.h>

/* Its name, in HEX. 0; -1: it is not there; or the exit status: why was told. */
int upgrade_folder_recipient(const char *folder, char recipient[65]);

/* Whether its server serves: one that takes over does so behind the hand-over, not before. Of a server that has ended,
 * or of another user's folder: false. */
bool upgrade_folder_serves(const char *folder);

#endif
