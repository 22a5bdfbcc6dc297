/*
 * What a connection is answered with, from its handshake to its end: which apps there are, and what else the
 * certificate that its client saw speaks for. A newer one never takes the place of the one that a connection began
 * with: that would be answering with something else than was proved.
 *
 *     struct generation { struct http_site site; ... };       embedded in what knows more
 *     http_site_init(&g->site, number, apps, release);                one reference, the caller's
 *     transport->site = http_site_ref(&g->site);              a connection's, of which HTTP and the router borrow it
 *     http_site_retire(&g->site, now_ns + grace_ns);          a newer one is served to those who connect from now on
 *     http_site_retire(&g->site, SITE_CUT_AT_ONCE);           the same, and nobody waits
 *
 * Counted, and immutable but for its retirement. Any thread may take and give references, and look; the last one to let
 * go releases it, on whatever thread that is.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_SITE_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_SITE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct app_table;

/* A connection of a retired site that has been idle for so long is closed; before, its client's next request, which may
 * be on its way, is answered, and told to connect anew. The first request of a connection is waited for as it is
 * elsewhere: whoever made the effort of a handshake is about to send it, perhaps from a slow machine. */
#define SITE_RETIRED_IDLE_MS 1000u
#define SITE_CUT_AT_ONCE UINT64_C(1) /* as cut_ns */

struct http_site {
    atomic_uint references;
    struct app_table *apps; /* owned by what embeds this */
    uint64_t number;        /* which generation it is, for those who ask */
    void (*release)(struct http_site *site);
    _Atomic uint64_t cut_ns; /* of the workers' clock: connections that are left then, but for those that are spared
                              * (transport.h), are cut; 0: it is not retired */
};

/* release may be NULL, where it lives for ever. */
void http_site_init(struct http_site *site, uint64_t number, struct app_table *apps,
                    void (*release)(struct http_site *site));
struct http_site *http_site_ref(struct http_site *site);
void http_site_unref(struct http_site *site); /* NULL is nothing */

/* Only ever sooner: a later cut_ns than one given before changes nothing. cut_ns is not 0. */
void http_site_retire(struct http_site *site, uint64_t cut_ns);

/* When what is left of its connections is cut; 0: it is not retired. http_site_is_over says whether that is so now. */
static inline uint64_t http_site_cut_ns(const struct http_site *site)
{
    return atomic_load_explicit(&((struct http_site *)site)->cut_ns, memory_order_relaxed);
}

static inline bool http_site_is_over(const struct http_site *site, uint64_t now_ns)
{
    uint64_t cut_ns = http_site_cut_ns(site);
    return cut_ns == SITE_CUT_AT_ONCE || (cut_ns && cut_ns <= now_ns); /* at once, whatever the host says the time is */
}

#endif
