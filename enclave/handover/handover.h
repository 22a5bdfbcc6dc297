/*
 * The room's manual. A hand-over: an enclave gives its instance (the master key, and with it the CA, the log's key and
 * all data) to one of another measurement or on another machine. Exactly one of the two serves afterwards, whatever
 * dies or lies in between. docs/handover.md has it step by step, with what would be if it stopped there.
 *
 *     handover.h    what boot and the service call
 *     wire.h        messages: bytes in, bytes out
 *     session.h     what both sides said, and the keys that follow from it
 *     evidence.h    a quote of our own with its collateral; judge.h: whether the other side's is good
 *     marker.h      what the store of the old one has from the commit on
 *     giver.h       the old side: offers, recipients, the pause, the one commit
 *     routes.h      HTTP to the old side
 *     taker.h       the new side's steps; client.h: its requests; copy.h: records from there to our host
 *
 * The new one is the client, and the old one's ordinary port is where it asks:
 *
 *     POST /_enclave/hand-over/offer      nonces; who the old one is
 *     POST /_enclave/hand-over/accept     keys, each under a quote over all that was said so far
 *     POST /_enclave/hand-over/sealed     from here on under the session's keys, each request with its counter:
 *                                         records, commit, done
 *     GET  /_enclave/hand-over            an administrator is shown a recipient (below)
 *     POST /_enclave/hand-over            administrators approve one, as many as a change of them takes
 *
 * TLS proves nothing there: the quotes do, and the keys that they bind. The recipient is SHA-256 of the new one's key;
 * that key stays with the new one's data folder, sealed to it, so that it goes on where it was killed.
 *
 * What holds. Before the old one's commit is on disk all can be undone, and it serves on. That commit is the last that
 * its store takes: marker, lineage and the log's entry in one transaction. Only then does it tell the master key, to
 * that recipient alone, as often as it asks; it serves nobody any more, also after restarts. The new one takes what
 * records the host gives, opens them under that key, compares the root with what it was told, and only then seals the
 * key to itself: from then on its folder is an ordinary store. When it serves, the old one destroys its own sealed key.
 *
 * Threads. All but handover_answer is the owner's, worker 0's; a request comes to it as an errand (thread/errand.h).
 *
 * Limits. HANDOVER_OFFERS_MAX nonces and HANDOVER_SESSIONS_MAX recipients are outstanding at a time and expire; bodies
 * that ask are bounded by HANDOVER_REQUEST_MAX, and HANDOVER_REQUESTS_MAX of them are read at once.
 *
 * Known weaknesses. A host that puts back the old store as it was before the commit has two: only witnesses see that
 * (docs/witnesses.md). What the two hosts see: sizes and times, and that it is a hand-over.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_HANDOVER_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_HANDOVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"

struct authors;
struct http_exchange;
struct http_site;
struct store;

/* ---- the new side ------------------------------------------------------------------------------------------------ */

/* Boot, before the store is opened. If the host gives a URL to take over from, and its folder has no store yet: until
 * the instance is here, which takes as long as an administrator takes to approve it. Then the store is open, *taken is
 * true, and nothing else may open it. *taken false: the folder is an ordinary store, or no URL was given: open it as
 * always. 0; -ECANCELED: the host wants to stop; other negative errno with a line in error. Turns the loop. */
int handover_take(struct store *store, bool *taken, char *error, size_t error_size);
/* Once clients are let in: tells the old one that it is over, again and again until it is heard. Where nothing was
 * taken over, or that has been said, nothing. */
void handover_taken(void);

/* ---- the old side ------------------------------------------------------------------------------------------------ */

/* Boot, with the store and the settings open, before anything is written: whether the instance has been handed over.
 * Then nothing is written any more, and only the routes above are served. 0 or a negative errno with a line in error.
 * Turns the loop. */
int handover_boot(bool *handed_over, char *error, size_t error_size);

/* For http_server's more_routes, before all others: true where it is for these routes, or may not be answered since
 * serving has paused or is over. On the connection's worker. */
bool handover_answer(void *user, struct http_exchange *x);
/* For http_server's not_ready and more_status, beside the system's own. Any worker. */
bool handover_withholds(char *why, size_t size);
int handover_status(json_t *into);

/* POST /_enclave/hand-over, role admin: {"recipient":HEX64, "statements":[JWS, ...]}, the second where the upgrade rule
 * asks for publishers (service/upgrade_agreement.h). 0, and done comes once, later, from the asker's loop, and takes
 * body; or -EINVAL, it is not of this form, or -ENOMEM:
 *     200   {"recipient":HEX,"mrenclave":HEX,"mrsigner":HEX,"product":N,"svn":N}
 *     404   no such recipient has shown itself, or it went away
 *     403   the rule, the SVN or a publisher does not let it have the instance: the error has a sentence
 *     409   another one is approved already and takes over right now, or the instance was handed over
 * authors: copied, as many as the threshold says. For admin_hand_over_by (service/admin.h). */
struct worker;
typedef void (*handover_approved)(void *user, int status, json_t *body);
MAY_REFUSE int handover_approve(struct worker *worker, const struct authors *authors, const void *body, size_t size,
                                handover_approved done, void *user);
/* GET /_enclave/hand-over?recipient=HEX64, and query is what stands behind the question mark (NULL: nothing): all that
 * this recipient has said, for who is to approve it to judge himself (docs/handover.md); nothing changes. As above, but
 *     200   {"recipient":HEX,"mrenclave":HEX,"approved":BOOL,"asked":HEX,"offer":HEX,"key":HEX,"evidence":HEX} */
MAY_REFUSE int handover_show(struct worker *worker, const char *query, handover_approved done, void *user);

#endif
