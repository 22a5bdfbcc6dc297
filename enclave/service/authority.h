/*
 * Whether a request to administer is what administrators asked for: tokens (jwt.h) for exactly this request, each used
 * once, by keys whose role is enough, and for a change of the administrators themselves by enough of them together.
 *
 *     struct authority_asked asked = {.administrators = a, .audience = spki_sha256, .method = "PUT", ...};
 *     status = authority_admit(&asked, why);                          when the head is there
 *     status = authority_use(&asked, body, size, &authors, why);      when the body is, too
 *     ... the change waits for its turn ...
 *     authors_still_may(&authors, administrators_of_now, why)         when it begins
 *
 * A token is over method, path and body. What else a request is judged by, a publication (publication.h), its path has
 * to name by its SHA-256 (change_query.h): so nothing of a request can be exchanged behind its tokens.
 *
 * The first token is the request's Authorization; others are approvals. All that are given must hold: one that does
 * not, or is by somebody who has asked or approved already, refuses the request.
 *
 * Judged by the administrators that are in force, whatever generation the request's connection shows: who was revoked
 * is refused on connections of before, too.
 *
 * Any thread. The tables of used tokens are the process's, under a lock of their own.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_AUTHORITY_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/service/administrators.h"

/* Who must want it beside whoever asks. */
enum authority_quorum {
    AUTHORITY_ALONE,    /* nobody */
    AUTHORITY_TOGETHER, /* as many admins as the threshold says */
    AUTHORITY_RULES,    /* so many admins, where that is more than one */
};

/* A request, and what it takes. Everything is borrowed. */
struct authority_asked {
    struct administrators *administrators; /* in force */
    const uint8_t *audience;               /* 32 bytes: SHA-256 of this boot's SubjectPublicKeyInfo */
    const char *method, *path;
    const char *authorization; /* "" if there is none */
    const char *approvals;     /* approval_count texts, each with its NUL */
    size_t approval_count;
    const char *publication; /* NULL: there is none */
    int64_t asked_s;         /* by which time is judged */
    enum admin_role needs;   /* of whoever asks; approvals are admins' */
    enum authority_quorum together;
};

/* Who asked for a change, and what that took. */
struct authors {
    enum admin_role needs;
    enum authority_quorum together;
    size_t count;
    uint8_t thumbprints[ADMINISTRATORS_MAX][32]; /* no two the same; the asker's first */
};

/* All but the body: 0, or an HTTP status with why (one line without quotes). Uses nothing up. */
int authority_admit(const struct authority_asked *asked, char why[AUTHORITY_WHY_SIZE]);
/* All; on 0 none of the tokens is good for anything more, else all are as before. */
int authority_use(const struct authority_asked *asked, const void *body, size_t size, struct authors *authors,
                  char why[AUTHORITY_WHY_SIZE]);
/* Whether enough of them are admins now; false: why says how many that takes. */
bool authors_suffice(const struct authors *authors, enum authority_quorum together, const struct administrators *now,
                     char why[AUTHORITY_WHY_SIZE]);
/* Whether a change that was asked for may begin, by those who are administrators then. */
bool authors_still_may(const struct authors *authors, const struct administrators *now, char why[AUTHORITY_WHY_SIZE]);

/* A token with scope "monitoring", of any role, for this method and path and an empty body, used once. */
bool authority_may_monitor(const struct authority_asked *asked);

#endif
