/* The page's parts, each a section or what one needs. */
#ifndef ENCLAVE_OS_ENCLAVE_PAGE_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_PAGE_INTERNAL_H

#include "enclave/page/html.h"
#include "enclave/page/page.h"

/* leaves.c */
/* The leaf whose label is kind and name together; NULL: there is none. */
const struct page_leaf *page_leaf(const struct page_facts *facts, const char *kind, const char *name, size_t size);
/* What follows kind in its label; NULL: it is of another kind. */
const char *page_named(const struct page_leaf *leaf, const char *kind);

/* apps.c */
void page_apps(struct html *h, const struct page_facts *facts);

/* people.c: who may change it, and who else is named. */
void page_people(struct html *h, const struct page_facts *facts);

/* steps.c */
void page_steps(struct html *h);

/* entries.c */
void page_history(struct html *h, const struct page_facts *facts);
/* When the newest change of what is served was, in seconds since 1970; 0: it is not among the entries. */
uint64_t page_since(const struct page_facts *facts);
/* Which program runs, as the newest start among the entries says it; nothing if there is none. */
void page_measured(struct html *h, const struct page_facts *facts);

#endif
