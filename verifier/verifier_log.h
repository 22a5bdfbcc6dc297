/*
 * An instance's log over the network: its head, what proves that the head goes on from others, its entries, and what a
 * client remembers of it in a file (docs/history.md). Not for use inside an enclave: opens files.
 *
 *   struct verifier_log *log = verifier_log_open(fetch, user, error, sizeof error);
 *   evidence.log = verifier_log_view(log, policy, certificate, certificate_size);
 *   result = verifier_verify(policy, collateral, &evidence);    ... its checks of the log ...
 *   verifier_log_entry(log, i, &data, &size)                    ... and then, what happened
 *
 * The server is a stranger: every answer is bounded, and no entry is given that is not proven to stand in the tree
 * whose root the head names. Whose head that is, and since when, only the verification says. A log belongs to one
 * thread.
 */
#ifndef ENCLAVE_VERIFIER_LOG_H
#define ENCLAVE_VERIFIER_LOG_H

#include "verifier.h"

#ifdef __cplusplus
extern "C" {
#endif

/* GET /_enclave/log/PATH, whose answer is at most limit bytes: 0, with data malloc'ed; -ENOENT: the server has none of
 * that name; -EBADMSG, -EPROTO: it answers something else; or another negative errno: there is no whole answer, and
 * nothing is known. Everything is signed or hashed, so that it may come over any connection, and from anybody who keeps
 * copies. */
typedef int verifier_log_fetch(void *user, const char *path, size_t limit, uint8_t **data, size_t *size);

struct verifier_log;

/* Fetch the log's head as it is now. NULL, with errno set and one line in error: there is none (ENOENT), it is
 * malformed (EBADMSG), or what fetch came to. user must outlive the log. */
VERIFIER_API struct verifier_log *verifier_log_open(verifier_log_fetch *fetch, void *user, char *error,
                                                    size_t error_size);
VERIFIER_API void verifier_log_close(struct verifier_log *log);

/* What the head says: entries, root (32 bytes), the signed text. Borrowed from the log. */
VERIFIER_API uint64_t verifier_log_size(const struct verifier_log *log);
VERIFIER_API const uint8_t *verifier_log_root(const struct verifier_log *log);
VERIFIER_API const char *verifier_log_checkpoint(const struct verifier_log *log, size_t *size);
/* One line about what went wrong last with this log, or "". */
VERIFIER_API const char *verifier_log_error(const struct verifier_log *log);

/* Fetch what proves that the head goes on from the one in the certificate (DER), and from those that the policy
 * remembers; and where the certificate says that other images have had the instance, or the policy remembers a head,
 * the entry by which this one has it. What the server has not, or answers wrongly, is missing in the view, and fails
 * its check. NULL: something was not answered (verifier_no_answer; verifier_log_error says what): a verification would
 * have nothing to go by. Ask again. Borrowed from the log, until the next call with it. */
VERIFIER_API const struct verifier_log_view *verifier_log_view(struct verifier_log *log,
                                                               const struct verifier_policy *policy,
                                                               const void *certificate, size_t certificate_size);

/* Fetch what proves that the head goes on from the tree of old_size entries, 1 to verifier_log_size; its path is
 * borrowed until the log is closed. 0, or a negative errno: see verifier_log_error. */
VERIFIER_API int verifier_log_prove(struct verifier_log *log, uint64_t old_size, struct verifier_consistency *proof);

/* An entry, proven to be the index'th of the head's tree, NUL-terminated behind its size; borrowed until the next call.
 * Those in order are fetched 256 at once. 0, or a negative errno: see verifier_log_error. */
VERIFIER_API int verifier_log_entry(struct verifier_log *log, uint64_t index, const char **data, size_t *size);
#define VERIFIER_LOG_ENTRY_SIZE_MAX 4096u

/* ---- what a client remembers ----
 * A file for one instance: the log's key, and the largest head that was seen, as it was signed. */

/* Expect what the file says, a head of so many entries (size may be NULL); what it said before is forgotten. 0;
 * -ENOENT: there is no such file yet; or another negative errno, with one line in error: it cannot be read, is damaged,
 * or of another instance than the policy is for. */
VERIFIER_API int verifier_log_remembered(struct verifier_policy *policy, const char *path, uint64_t *size, char *error,
                                         size_t error_size);
/* Write down the head that result was judged by, whole or not at all; a larger one that somebody else wrote down in the
 * meantime stays. Only if nothing is wrong (verifier_result_ok) and the log's checkpoint passed; else -EINVAL. 0, or a
 * negative errno with one line in error. */
VERIFIER_API int verifier_log_remember(const struct verifier_log *log, const struct verifier_result *result,
                                       const char *path, char *error, size_t error_size);

/* What a third party can check of a head that does not go on from the one in the file, as JSON (docs/history.md): both
 * as they were signed, the proof, and the certificate (DER). malloc'ed, to be freed with verifier_free. NULL: that is
 * not certain (no such proof was had), the file cannot be read, this log's head goes on from it, or out of memory. */
VERIFIER_API char *verifier_log_conflict(struct verifier_log *log, const char *path, const void *certificate,
                                         size_t certificate_size);

/* ---- what two clients remember ----
 * Each may have been shown a history of its own. */

enum verifier_comparison {
    VERIFIER_CONSISTENT, /* it is one history: the larger head goes on from the smaller one */
    VERIFIER_UNPROVEN,   /* nobody knows: they are of two sizes, and hashes that would tell were not had */
    VERIFIER_CONFLICT    /* the log's key has signed two histories */
};
struct verifier_log_comparison {
    enum verifier_comparison outcome;
    uint64_t size; /* of a conflict the head that evidence calls "now"; if consistent, the largest */
    uint8_t root[32];
    char why[512];
    char *evidence; /* of a conflict, as verifier_log_conflict has it; to be freed with verifier_free */
};

/* Compare two files: what verifier_log_remember wrote, or what verifier_log_conflict came to, which has two heads and
 * what is between them. b may be NULL. log is of a server that may have one of these logs, or larger ones (NULL: none);
 * it is believed only as far as the key of the files has signed its head. certificate (DER; may be NULL) goes into the
 * evidence if it names that key. 0; or a negative errno with one line in out->why: a file cannot be read, or they are
 * of two logs (-EEXIST). */
VERIFIER_API int verifier_log_compare(const char *a, const char *b, struct verifier_log *log, const void *certificate,
                                      size_t certificate_size, struct verifier_log_comparison *out);

#ifdef __cplusplus
}
#endif

#endif
