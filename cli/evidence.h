/*
 * What a third party can check of a log's two histories, in a file beside the state that one of them was seen in
 * (docs/history.md).
 */
#ifndef ENCLAVE_OS_CLI_EVIDENCE_H
#define ENCLAVE_OS_CLI_EVIDENCE_H

/* text into path, which is named by the head that is in conflict with state, a file of --log-state or such evidence.
 * What was written of that first is kept; anything else is left as it is, too, and refused. 0, or what complain
 * returned. */
int evidence_keep(const char *path, const char *text, const char *state);

#endif
