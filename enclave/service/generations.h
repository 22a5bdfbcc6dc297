/*
 * Which generation is in force, and how the next one takes its place on every worker.
 *
 *     error = generations_boot(&parts, why, sizeof why);            until it is attested, or the host stops
 *     struct generation *now = generations_current();               any thread; give the reference back
 *
 *     struct installation *i = installation_new(next, tls);         a change: all memory that is needed, beforehand
 *     ... the store's transaction ...
 *     installation_begin(i, cut_ns, installed, user);               cannot fail
 *
 * From installed on, every new connection is served with the next one. Connections of the one before end when their
 * work is done, and are cut at cut_ns (https/site.h).
 *
 * The certificate is renewed at half of its lifetime. One that could not be had is asked for again, with pauses from 1
 * s to 5 min, which generations_report tells. A renewal is the same generation: what answers does not change.
 *
 * On the owner's thread, but for generations_current and generations_report.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_GENERATIONS_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_GENERATIONS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct generation;
struct generation_parts;
struct installation;
struct witness_set;

/* Boot: nobody is served before this is over: 0, or a negative errno with a line in error, which ends the boot. */
typedef int (*generations_gate)(struct witness_set *witnesses, char *error, size_t error_size);

/* Boot: the generation of what the store has, under the number that it has, or the next one if what it shows differs
 * from what was served last (limits are the host's at each boot). Takes what parts has. gate is
 * asked when this start is in the log; NULL: there is none. 0; -ECANCELED: the host wants
 * to stop; other negative errno with a line in error. Turns the loop. */
int generations_boot(struct generation_parts *parts, generations_gate gate, char *error, size_t error_size);

/* Whether boot's is there on every worker, which it is some turns after their threads have begun. */
bool generations_installed(void);

/* A reference, which the caller gives back to its site. After boot. */
struct generation *generations_current(void);
/* The number that the next one would have. */
uint64_t generations_next(void);

/* What it takes to serve g under tls (references are taken). NULL: no memory. */
struct installation *installation_new(struct generation *g, SSL_CTX *tls);
void installation_free(struct installation *i); /* one that was not begun; NULL is nothing */
/* done runs once, later, on the owner's loop, when all workers have it. i is taken. cut_ns SITE_CUT_AT_ONCE: none of
 * the connections before is left by then, but for those that are spared. */
void installation_begin(struct installation *i, uint64_t cut_ns, void (*done)(void *user), void *user);

/* The certificate of the one in force is made again, soon: something is to be shown that is new. After boot. */
void generations_renew(void);
/* Boot, once: told on the owner's thread, as often as all workers have what is in force. */
void generations_tell(void (*told)(void));

/* The generation in force in its own place: nothing changes of what is shown and served, but connections before end as
 * where another one takes its place. done as installation_begin's. 0 or -ENOMEM, and done never comes. */
int generations_again(uint64_t cut_ns, void (*done)(void *user), void *user);
/* Boot, instead of generations_boot, where nobody is to be served any more: what parts has is there to be asked for,
 * under the number that the store has, with a certificate that proves nothing and is never renewed. Nothing is written.
 * 0 or a negative errno with a line in error. */
int generations_boot_mute(struct generation_parts *parts, char *error, size_t error_size);

struct generations_report {
    uint64_t number;
    uint64_t renewed_ns;       /* monotonic: when the certificate that is served was made */
    uint64_t renewals_failed;  /* since boot */
    uint64_t failing_since_ns; /* monotonic: the last attempt failed, and those since then; 0: it did not */
};
struct generations_report generations_report(void);

#endif
