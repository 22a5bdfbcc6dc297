/*
 * The enclave's own pages: a heap that grows by brk from below and by mmap from above, and the code region, the only
 * place where pages may be executable. Pages are zeroed when they are handed out: their content before is the host's.
 *
 * On SGX1 page permissions are fixed at EADD, so mprotect checks the rule (no execution outside the code region, never
 * writable and executable by request) and nothing changes. With EDMM the heap grows behind what was loaded: each new
 * page is accepted when it is first handed out. And permissions are cut for real: the host takes them away (EMODPR),
 * and EACCEPT checks that it did, so code is not writable when it runs. What comes back is added from inside (EMODPE).
 */
#include <asm/mman.h>

#include "enclave_os_t.h"
#include "sgx/trusted/rt.h"

#include "common/protocol.h"

#define EACCES 13
#define ENOMEM 12
#define EINVAL 22
#define PROT_WRITE_BIT 2
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

static bool edmm;
static uint64_t heap_loaded;              /* heap pages that were there from the start; later ones must be accepted */
static uint64_t accepted[MAX_PAGES / 64]; /* of those later ones */
static uint64_t no_write[MAX_PAGES / 64 / 4]; /* code pages that have lost a permission */
static uint64_t no_exec[MAX_PAGES / 64 / 4];

static bool bit(const uint64_t *bits, uint64_t page)
{
    return bits[page / 64] >> (page % 64) & 1;
}

static void set_bit(uint64_t *bits, uint64_t page, bool value)
{
    if (value)
        bits[page / 64] |= 1ull << (page % 64);
    else
        bits[page / 64] &= ~(1ull << (page % 64));
}

static bool is_used(const struct region *r, uint64_t page)
{
    return bit(r->bits, page);
}

static void mark(struct region *r, uint64_t page, uint64_t count, bool used)
{
    for (uint64_t i = page; i < page + count; i++)
        set_bit(r->bits, i, used);
    r->used += used ? count : -count;
}

void rt_memory_init(const struct enclave_layout *l, bool can_change)
{
    uint64_t heap_size = can_change ? l->heap_max_size : l->heap_size;
    edmm = can_change;
    heap_loaded = l->heap_size / SGX_PAGE_SIZE;
    heap = (struct region){.base = sgx_base() + l->heap_offset, .pages = heap_size / SGX_PAGE_SIZE, .bits = heap_bits};
    code =
        (struct region){.base = sgx_base() + l->code_offset, .pages = l->code_size / SGX_PAGE_SIZE, .bits = code_bits};
    if (heap.pages > MAX_PAGES || code.pages > MAX_PAGES / 4)
        sgx_panic("boot: heap or code region too large for the page map");
    brk_at = heap.base;
}

/* Pages of the heap that are to be used, under the lock. A new page is empty and ours once EACCEPT has said so: the
 * access makes the kernel add it, and a page that is not fresh does not match. */
static void bring(uint64_t page, uint64_t count)
{
    const uint64_t fresh = SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_W | SECINFO_PENDING;
    for (uint64_t i = page < heap_loaded ? heap_loaded : page; i < page + count; i++) {
        if (bit(accepted, i))
            continue;
        if (rt_eaccept(fresh, heap.base + i * SGX_PAGE_SIZE) != SGX_SUCCESS)
            sgx_panic("memory: a new heap page is not what EAUG makes");
        set_bit(accepted, i, true);
    }
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
    if (page >= 0 && r == &heap)
        bring((uint64_t)page, count);
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
    if (free && wanted > brk_pages)
        bring(brk_pages, wanted - brk_pages);
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

/* ---- permissions of the code region, with EDMM ---------------------------------------------------------------- */

static void note_permissions(uint64_t page, uint64_t count, bool write, bool execute)
{
    rt_lock(&lock);
    for (uint64_t i = page; i < page + count; i++) {
        set_bit(no_write, i, !write);
        set_bit(no_exec, i, !execute);
    }
    rt_unlock(&lock);
}

/* Pages [page, page + count), which now have equal permissions: take away what is not wanted. The host does it; what
 * it did is checked. If it will not, they may have lost anything. */
static int64_t cut(uint64_t page, uint64_t count, bool write, bool execute)
{
    uint64_t keep = SECINFO_R | (write ? SECINFO_W : 0) | (execute ? SECINFO_X : 0);
    uint64_t address = code.base + page * SGX_PAGE_SIZE;
    int32_t result = -EACCES;
    note_permissions(page, count, false, false);
    if (ocall_notify(&result, NOTIFY_RESTRICT_PAGES, (address - sgx_base()) | keep, count * SGX_PAGE_SIZE) != 0 ||
        result != 0)
        return -EACCES;
    for (uint64_t i = 0; i < count; i++)
        if (rt_eaccept(SECINFO_TYPE(PT_REG) | SECINFO_PR | keep, address + i * SGX_PAGE_SIZE) != SGX_SUCCESS)
            sgx_panic("memory: the host says that it cut a page's permissions, and did not");
    note_permissions(page, count, write, execute);
    return 0;
}

static void extend(uint64_t page, bool write, bool execute)
{
    uint64_t more = SECINFO_R | (write ? SECINFO_W : 0) | (execute ? SECINFO_X : 0);
    write |= !bit(no_write, page);
    execute |= !bit(no_exec, page);
    rt_emodpe(SECINFO_TYPE(PT_REG) | more, code.base + page * SGX_PAGE_SIZE);
    note_permissions(page, 1, write, execute);
}

static bool same_permissions(uint64_t a, uint64_t b)
{
    return bit(no_write, a) == bit(no_write, b) && bit(no_exec, a) == bit(no_exec, b);
}

static int64_t protect_code(uint64_t page, uint64_t count, bool write, bool execute)
{
    int64_t result = 0;
    for (uint64_t end = page + count, run; page < end && result == 0; page += run) {
        for (run = 1; page + run < end && same_permissions(page, page + run);)
            run++;
        bool has_write = !bit(no_write, page), has_exec = !bit(no_exec, page);
        if ((has_write && !write) || (has_exec && !execute))
            result = cut(page, run, has_write && write, has_exec && execute);
        for (uint64_t i = page; i < page + run && result == 0; i++)
            if ((write && bit(no_write, i)) || (execute && bit(no_exec, i)))
                extend(i, write, execute);
    }
    return result;
}

/* Before free pages are zeroed. */
static void make_writable(uint64_t page, uint64_t count)
{
    for (uint64_t i = page; edmm && i < page + count; i++)
        if (bit(no_write, i))
            extend(i, true, false);
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
    if (r == &code)
        make_writable(page, count);
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
    bool write = protection & PROT_WRITE_BIT, execute = protection & PROT_EXEC_BIT;
    if (execute && (r != &code || write))
        return -EACCES;
    if (!r || address % SGX_PAGE_SIZE)
        return -EINVAL;
    if (r != &code || !edmm)
        return 0;
    return protect_code((address - r->base) / SGX_PAGE_SIZE, (size + SGX_PAGE_SIZE - 1) / SGX_PAGE_SIZE, write,
                        execute);
}

int64_t rt_madvise(uint64_t address, uint64_t size, int advice)
{
    if (!region_of(address, size) || address % SGX_PAGE_SIZE)
        return -EINVAL;
    if (advice == MADV_DONTNEED && region_of(address, size) != &heap)
        return -EINVAL; /* code pages may have become read-only */
    if (advice == MADV_DONTNEED)
        __builtin_memset((void *)address, 0, (size + SGX_PAGE_SIZE - 1) & ~(uint64_t)(SGX_PAGE_SIZE - 1));
    return 0;
}

void sgx_heap_counts(uint64_t *used_pages, uint64_t *total_pages)
{
    *used_pages = heap.used;
    *total_pages = heap.pages;
}
