/* See site.h. */
#include "enclave/https/site.h"

#include "common/ensure.h"
#include "common/references.h"

void http_site_init(struct http_site *site, uint64_t number, struct app_table *apps,
                    void (*release)(struct http_site *site))
{
    ENSURE(site);
    atomic_store(&site->references, 1);
    site->apps = apps;
    site->number = number;
    site->release = release;
    atomic_store(&site->cut_ns, 0);
}

struct http_site *http_site_ref(struct http_site *site)
{
    references_take(&site->references);
    return site;
}

void http_site_unref(struct http_site *site)
{
    if (site && references_give(&site->references) && site->release)
        site->release(site);
}

void http_site_retire(struct http_site *site, uint64_t cut_ns)
{
    ENSURE(site && cut_ns > 0);
    uint64_t before = atomic_load(&site->cut_ns);
    while (before == 0 || cut_ns < before)
        if (atomic_compare_exchange_weak(&site->cut_ns, &before, cut_ns))
            return;
}
