/*
 * The enclave's own pages: a heap that grows by brk from below and by mmap from above, and the code region, the only
 * place where pages may be executable. Pages are zeroed when they are handed out: their content before is the host's.
 *
 * Page protections are fixed at EADD (SGX1), so mprotect checks and records nothing but the rule: no execution
 * outside the code region.
 */
#include <asm/mman.h>

#include "sgx/trusted/rt.h"

#define EACCES 13
#define ENOMEM 12
#define EINVAL 22
#define PROT_EXEC_BIT 4
#define MAX_PAGES (1u << 20) /* 4 GiB of heap */

/* A region with one bit a page; set: in use. */
struct region {
    uint64_t base, pages;
    uint64_t *bits;
    uint64_t used;
};

static struct rt_lock lock;
static struct region heap, code;
static uint64_t brk_pages; /* pages of the heap, from its base, that brk has handed out */
static uint64_t brk_at;
static uint64_t heap_bits[MAX_PAGES / 64], code_bits[MAX_PAGES / 64 / 4];

static bool is_used(const struct region *r, uint64_t page)
{
    return r->bits[page / 64] >> (page % 64) & 1;
}

static void mark(struct region *r, uint64_t page, uint64_t count, bool used)
{
    for (uint64_t i = page; i < page + count; i++) {
        if (used)
            r->bits[i / 64] |= 1ull << (i % 64);
        else
            r->bits[i / 64] &= ~(1ull << (i % 64));
    }
    r->used += used ? count : -count;
}

void rt_memory_init(const struct enclave_layout *l)
{
    heap =
        (struct region){.base = sgx_base() + l->heap_offset, .pages = l->heap_size / SGX_PAGE_SIZE, .bits = heap_bits};
    code =
        (struct region){.base = sgx_base() + l->code_offset, .pages = l->code_size / SGX_PAGE_SIZE, .bits = code_bits};
    if (heap.pages > MAX_PAGES || code.pages > MAX_PAGES / 4)
        sgx_panic("boot: heap or code region too large for the page map");
    brk_at = heap.base;
}

/* Highest run of free pages: leaves the low end to brk. */
static int64_t find_run(const struct region *r, uint64_t count, uint64_t lowest)
{
    uint64_t run = 0;
    for (uint64_t page = r->pages; page-- > lowest;) {
        if ((page & 63) == 63 && r->bits[page / 64] == ~0ull && page >= lowest + 64) {
            run = 0;
            page -= 63;
            continue;
        }
        run = is_used(r, page) ? 0 : run + 1;
        if (run == count)
            return (int64_t)page;
    }
    return -ENOMEM;
}

static int64_t allocate(struct region *r, uint64_t count, uint64_t lowest)
{
    rt_lock(&lock);
    int64_t page = find_run(r, count, lowest);
    if (page >= 0)
        mark(r, (uint64_t)page, count, true);
    rt_unlock(&lock);
    if (page < 0)
        return page;
    uint64_t address = r->base + (uint64_t)page * SGX_PAGE_SIZE;
    __builtin_memset((void *)address, 0, count * SGX_PAGE_SIZE);
    return (int64_t)address;
}

static struct region *region_of(uint64_t address, uint64_t size)
{
    struct region *all[] = {&heap, &code};
    for (int i = 0; i < 2; i++) {
        uint64_t offset = address - all[i]->base, length = all[i]->pages * SGX_PAGE_SIZE;
        if (offset < length && size <= length - offset)
            return all[i];
    }
    return 0;
}

int64_t rt_brk(uint64_t address)
{
    if (address < heap.base)
        return (int64_t)brk_at;
    uint64_t wanted = (address - heap.base + SGX_PAGE_SIZE - 1) / SGX_PAGE_SIZE, from = brk_pages;
    if (wanted > heap.pages)
        return (int64_t)brk_at;
    rt_lock(&lock);
    bool free = true;
    for (uint64_t page = brk_pages; page < wanted && free; page++)
        free = !is_used(&heap, page);
    if (free && wanted > brk_pages)
        mark(&heap, brk_pages, wanted - brk_pages, true);
    else if (free)
        mark(&heap, wanted, brk_pages - wanted, false);
    if (free)
        brk_pages = wanted;
    rt_unlock(&lock);
    if (!free)
        return (int64_t)brk_at;
    if (wanted > from)
        __builtin_memset((void *)(heap.base + from * SGX_PAGE_SIZE), 0, (wanted - from) * SGX_PAGE_SIZE);
    brk_at = address;
    return (int64_t)brk_at;
}

int64_t rt_mmap(uint64_t address, uint64_t size, int protection, int flags)
{
    if (size == 0 || size > 1ull << 40 || !(flags & MAP_ANONYMOUS) || flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
        return -EINVAL;
    uint64_t count = (size + SGX_PAGE_SIZE - 1) / SGX_PAGE_SIZE;
    /* libc maps thread stacks (MAP_STACK); malloc has one arena and never maps. What is left is wasmtime's code
     * memory, which becomes executable later, when it can no longer be moved. */
    bool data = flags & MAP_STACK;
    if (data && protection & PROT_EXEC_BIT)
        return -EACCES;
    return data ? allocate(&heap, count, brk_pages) : allocate(&code, count, 0);
}

int64_t rt_munmap(uint64_t address, uint64_t size)
{
    uint64_t count = (size + SGX_PAGE_SIZE - 1) / SGX_PAGE_SIZE;
    struct region *r = region_of(address, count * SGX_PAGE_SIZE);
    if (!r || address % SGX_PAGE_SIZE || count == 0)
        return -EINVAL;
    uint64_t page = (address - r->base) / SGX_PAGE_SIZE;
    if (r == &heap && page < brk_pages)
        return -EINVAL;
    __builtin_memset((void *)address, 0, count * SGX_PAGE_SIZE); /* keys and guests' data do not linger */
    rt_lock(&lock);
    for (uint64_t i = page; i < page + count; i++)
        if (is_used(r, i))
            mark(r, i, 1, false);
    rt_unlock(&lock);
    return 0;
}

int64_t rt_mprotect(uint64_t address, uint64_t size, int protection)
{
    struct region *r = region_of(address, size);
    if (protection & PROT_EXEC_BIT && r != &code)
        return -EACCES;
    return r ? 0 : -EINVAL;
}

int64_t rt_madvise(uint64_t address, uint64_t size, int advice)
{
    if (!region_of(address, size) || address % SGX_PAGE_SIZE)
        return -EINVAL;
    if (advice == MADV_DONTNEED)
        __builtin_memset((void *)address, 0, (size + SGX_PAGE_SIZE - 1) & ~(uint64_t)(SGX_PAGE_SIZE - 1));
    return 0;
}

void sgx_heap_counts(uint64_t *used_pages, uint64_t *total_pages)
{
    *used_pages = heap.used;
    *total_pages = heap.pages;
}
