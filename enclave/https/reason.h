/* Statuses in words (RFC 9110, section 15). */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_REASON_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_REASON_H

/* The reason phrase: static text, of a status that nobody knows too. */
const char *http_reason(int status);
/* The line that an answer of the server's own says why it is one: how long it is. */
#define H1_WHY_MAX 320u
int http_refusal_text(int status, const char *why, char out[H1_WHY_MAX]);

#endif
