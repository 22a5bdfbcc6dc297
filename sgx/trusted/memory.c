/*
 * The enclave's own pages: a heap that grows by brk, and the code region, the only place where pages may be
 * executable. Pages are zeroed before they can be used: their content before is the host's choice. For the code region
 * that is at boot, since its pages can be executed from the start; for the heap it is when they are handed out.
 *
 * On SGX1 page permissions are fixed at EADD, so a request that would take a permission away is refused: the code
 * region stays writable and executable, and wasmtime is told (enclave/wasm/code.c) not to ask. With EDMM the heap
 * grows behind what was
 * loaded: each new page is accepted when it is first handed out. And permissions of code are cut for real: the host
 * takes them away (EMODPR), and EACCEPT checks that it did, so code is not writable when it runs. What comes back is
 * added from inside (EMODPE).
 */
#include <linux/mman.h>

#include "enclave_os_t.h"
#include "sgx/trusted/internal.h"

#include "common/protocol.h"

#define EACCES 13
#define ENOMEM 12
#define EINVAL 22
#define MAX_PAGES (1u << 20)      /* 4 GiB of heap */
#define MAX_CODE_PAGES (1u << 18) /* 1 GiB */

static struct rt_lock lock;

static uint64_t heap_base, heap_pages;
static uint64_t heap_loaded;       /* heap pages that were there from the start; later ones must be accepted */
static uint64_t brk_pages, brk_at; /* handed out, from the base */
static uint64_t accepted_pages;    /* of the later ones, likewise */
static bool edmm;

static uint64_t code_base, code_pages;
static uint64_t code_used[MAX_CODE_PAGES / 64];
static uint64_t no_write[MAX_CODE_PAGES / 64]; /* code pages that have lost a permission */
static uint64_t no_exec[MAX_CODE_PAGES / 64];

static bool bit(const uint64_t *bits, uint64_t page)
{
    return bits[page / 64] >> (page % 64) & 1;
}

static void set_bits(uint64_t *bits, uint64_t page, uint64_t count, bool value)
{
    for (uint64_t i = page; i < page + count; i++) {
        if (value)
            bits[i / 64] |= 1ull << (i % 64);
        else
            bits[i / 64] &= ~(1ull << (i % 64));
    }
}

static uint64_t pages_of(uint64_t size)
{
    return size / SGX_PAGE_SIZE + (size % SGX_PAGE_SIZE != 0);
}

/* Looks before it writes: an honest host's pages are zero, and reading them is the smaller part of the work. */
static void zero_page(uint64_t *page)
{
    const uint64_t words = SGX_PAGE_SIZE / sizeof *page;
    uint64_t any = 0;
    for (uint64_t i = 0; i < words; i += 4)
        any |= page[i] | page[i + 1] | page[i + 2] | page[i + 3];
    if (any)
        __builtin_memset(page, 0, SGX_PAGE_SIZE);
}

void rt_memory_init(const struct enclave_layout *l, bool can_change)
{
    edmm = can_change;
    heap_base = brk_at = sgx_base() + l->heap_offset;
    heap_loaded = l->heap_size / SGX_PAGE_SIZE;
    heap_pages = (can_change ? l->heap_max_size : l->heap_size) / SGX_PAGE_SIZE;
    code_base = sgx_base() + l->code_offset;
    code_pages = l->code_size / SGX_PAGE_SIZE;
    if (heap_pages > MAX_PAGES || code_pages > MAX_CODE_PAGES)
        sgx_panic("boot: heap or code region too large for the page map");
    for (uint64_t i = 0; i < code_pages; i++)
        zero_page((uint64_t *)(code_base + i * SGX_PAGE_SIZE));
}

/* ---- the heap ------------------------------------------------------------------------------------------------- */

/* Heap pages up to `end` are to be used, under the lock. A new page is empty and ours once EACCEPT has said so: the
 * access makes the kernel add it, and a page that is not fresh does not match. */
static void bring(uint64_t end)
{
    const uint64_t fresh = SECINFO_TYPE(PT_REG) | SECINFO_R | SECINFO_W | SECINFO_PENDING;
    for (; heap_loaded + accepted_pages < end; accepted_pages++)
        if (rt_eaccept(fresh, heap_base + (heap_loaded + accepted_pages) * SGX_PAGE_SIZE) != SGX_SUCCESS)
            sgx_panic("memory: a new heap page is not what EAUG makes");
}

int64_t rt_brk(uint64_t address)
{
    rt_lock(&lock);
    uint64_t wanted = address < heap_base ? ~0ull : pages_of(address - heap_base);
    if (wanted <= heap_pages) {
        bring(wanted);
        if (wanted > brk_pages)
            __builtin_memset((void *)(heap_base + brk_pages * SGX_PAGE_SIZE), 0, (wanted - brk_pages) * SGX_PAGE_SIZE);
        __atomic_store_n(&brk_pages, wanted, __ATOMIC_RELAXED);
        brk_at = address;
    }
    int64_t result = (int64_t)brk_at;
    rt_unlock(&lock);
    return result;
}

bool sgx_pages_can_change(void)
{
    return edmm;
}

void sgx_heap_counts(uint64_t *used_pages, uint64_t *total_pages)
{
    *used_pages = __atomic_load_n(&brk_pages, __ATOMIC_RELAXED);
    *total_pages = heap_pages;
}

/* ---- the code region ------------------------------------------------------------------------------------------ */

/* Pages of the code region, or false: not aligned, empty, or not all of them in it. */
static bool code_range(uint64_t address, uint64_t size, uint64_t *page, uint64_t *count)
{
    *page = (address - code_base) / SGX_PAGE_SIZE;
    *count = pages_of(size);
    return address % SGX_PAGE_SIZE == 0 && address >= code_base && *count > 0 && *page < code_pages &&
           *count <= code_pages - *page;
}

static bool all_used(uint64_t page, uint64_t count)
{
    for (uint64_t i = page; i < page + count; i++)
        if (!bit(code_used, i))
            return false;
    return true;
}

/* Highest run of free pages. */
static int64_t find_run(uint64_t count)
{
    uint64_t run = 0;
    for (uint64_t page = code_pages; page-- > 0;) {
        if ((page & 63) == 63 && code_used[page / 64] == ~0ull) {
            run = 0;
            page -= 63;
            continue;
        }
        run = bit(code_used, page) ? 0 : run + 1;
        if (run == count)
            return (int64_t)page;
    }
    return -ENOMEM;
}

/* malloc has one arena and never maps, stacks are sgx_stack_take's, there are no files: what is left to be mapped is
 * wasmtime's memory for code, which becomes executable later. The pages are zero: since boot, or since munmap. */
int64_t rt_mmap(uint64_t size, int protection, int flags, uint64_t offset)
{
    if (size == 0 || offset != 0 || (flags & ~MAP_NORESERVE) != (MAP_PRIVATE | MAP_ANONYMOUS))
        return -EINVAL;
    if (protection != (PROT_READ | PROT_WRITE))
        return -EACCES; /* not to be had from the start */
    uint64_t count = pages_of(size);
    rt_lock(&lock);
    int64_t page = find_run(count);
    if (page >= 0)
        set_bits(code_used, (uint64_t)page, count, true);
    rt_unlock(&lock);
    return page < 0 ? page : (int64_t)(code_base + (uint64_t)page * SGX_PAGE_SIZE);
}

static void note_permissions(uint64_t page, uint64_t count, bool write, bool execute)
{
    rt_lock(&lock);
    set_bits(no_write, page, count, !write);
    set_bits(no_exec, page, count, !execute);
    rt_unlock(&lock);
}

/* Pages [page, page + count), which now have equal permissions: take away what is not wanted. The host does it; what
 * it did is checked. If it will not, they may have lost anything. */
static int64_t cut(uint64_t page, uint64_t count, bool write, bool execute)
{
    uint64_t keep = SECINFO_R | (write ? SECINFO_W : 0) | (execute ? SECINFO_X : 0);
    uint64_t address = code_base + page * SGX_PAGE_SIZE;
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
    rt_emodpe(SECINFO_TYPE(PT_REG) | more, code_base + page * SGX_PAGE_SIZE);
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

int64_t rt_munmap(uint64_t address, uint64_t size)
{
    uint64_t page, count;
    if (!code_range(address, size, &page, &count) || !all_used(page, count))
        return -EINVAL;
    for (uint64_t i = page; edmm && i < page + count; i++)
        if (bit(no_write, i))
            extend(i, true, false);
    __builtin_memset((void *)address, 0, count * SGX_PAGE_SIZE); /* keys and guests' data do not linger */
    rt_lock(&lock);
    set_bits(code_used, page, count, false);
    rt_unlock(&lock);
    return 0;
}

int64_t rt_mprotect(uint64_t address, uint64_t size, int protection)
{
    uint64_t page, count;
    if (protection != PROT_READ && protection != (PROT_READ | PROT_WRITE) && protection != (PROT_READ | PROT_EXEC))
        return -EACCES; /* PROT_NONE makes no guard here; writable and executable nothing may be by request */
    if (!code_range(address, size, &page, &count) || !all_used(page, count))
        return -EACCES; /* a heap page is writable for good, and an image page what its segment is */
    if (!edmm)
        return protection & PROT_WRITE ? 0 : -EACCES; /* they are writable, and nobody can take that away */
    return protect_code(page, count, protection & PROT_WRITE, protection & PROT_EXEC);
}

int64_t rt_madvise(uint64_t address, uint64_t size, int advice)
{
    uint64_t end = heap_base + brk_pages * SGX_PAGE_SIZE;
    if (advice != MADV_DONTNEED || address % SGX_PAGE_SIZE || address < heap_base || address >= end ||
        pages_of(size) > (end - address) / SGX_PAGE_SIZE)
        return -EINVAL;
    __builtin_memset((void *)address, 0, pages_of(size) * SGX_PAGE_SIZE);
    return 0;
}
