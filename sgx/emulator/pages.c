/*
 * Pages that change while the enclave runs (SGX2; SDM 3D 37, "EACCEPT" and its neighbours): the leaves that the
 * enclave executes, and what the kernel does with EAUG, EMODPR, EMODT and EREMOVE when the host, or a fault, asks.
 *
 * Two parties must agree on every change: the kernel makes it and leaves a mark (PENDING, MODIFIED, PR) in the EPCM;
 * the enclave looks whether it is what it asked for, and EACCEPT takes the mark away. ETRACK is not modelled: mprotect
 * reaches all threads before it returns, so no stale translation is ever left.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "sgx/emulator/internal.h"

#define PERMISSIONS (SECINFO_R | SECINFO_W | SECINFO_X)

static void lock(void)
{
    while (atomic_flag_test_and_set_explicit(&emu.epcm_busy, memory_order_acquire))
        __builtin_ia32_pause();
}

static void unlock(void)
{
    atomic_flag_clear_explicit(&emu.epcm_busy, memory_order_release);
}

static struct emu_page *entry_of(uint64_t address)
{
    return &emu.pages[(address - emu.secs.base) / SGX_PAGE_SIZE];
}

static bool in_elrange(uint64_t address)
{
    return address - emu.secs.base < emu.secs.size;
}

static struct emu_fault page_fault(uint64_t address, bool write)
{
    bool present = in_elrange(address) && entry_of(address)->valid;
    return (struct emu_fault){.vector = VEC_PF,
                              .error_code = PF_USER | (write ? PF_WRITE : 0) | (present ? PF_PRESENT | PF_SGX : 0),
                              .address = address};
}

struct emu_fault emu_operand(uint64_t address, uint64_t size, uint64_t alignment, bool write)
{
    if (address % alignment || !in_elrange(address))
        return EMU_GP;
    return emu_page_allows(address, size, write) ? EMU_DONE : page_fault(address, write);
}

/* ---- what the leaves have in common -------------------------------------------------------------------------- */

/* SECINFO at address, copied, with its reserved fields zero. */
static struct emu_fault read_secinfo(uint64_t address, struct sgx_secinfo *out)
{
    struct emu_fault fault = emu_operand(address, sizeof *out, 64, false);
    if (fault.vector)
        return fault;
    memcpy(out, (const void *)address, sizeof *out);
    uint8_t any = 0;
    for (size_t i = 0; i < sizeof out->reserved; i++)
        any |= out->reserved[i];
    const uint64_t known = PERMISSIONS | SECINFO_PENDING | SECINFO_MODIFIED | SECINFO_PR | SECINFO_TYPE(0xff);
    return any || out->flags & ~known ? EMU_GP : EMU_DONE;
}

static unsigned type_of(const struct sgx_secinfo *s)
{
    return s->flags >> 8 & 0xff;
}

static bool write_only(const struct sgx_secinfo *s)
{
    return s->flags & SECINFO_W && !(s->flags & SECINFO_R);
}

/* An empty place that the host has mapped: the access faults, and the kernel EAUGs a page there. */
static void augment(uint64_t address)
{
    struct emu_page *p = entry_of(address);
    if (p->valid || !p->growable)
        return;
    madvise((void *)address, SGX_PAGE_SIZE, MADV_DONTNEED); /* EAUG gives zeros */
    *p = (struct emu_page){.valid = 1, .r = 1, .w = 1, .pending = 1, .growable = 1, .type = PT_REG};
}

/* ---- EACCEPT ------------------------------------------------------------------------------------------------- */

/* The combinations of type and marks that make sense. */
static bool acceptable(const struct sgx_secinfo *s)
{
    uint64_t marks = s->flags & (SECINFO_PENDING | SECINFO_MODIFIED | SECINFO_PR);
    switch (type_of(s)) {
    case PT_REG:
        return marks && !(marks & SECINFO_MODIFIED);
    case PT_TCS:
    case PT_TRIM:
        return marks == SECINFO_MODIFIED;
    default:
        return false;
    }
}

static bool matches(const struct emu_page *p, const struct sgx_secinfo *s)
{
    return p->r == !!(s->flags & SECINFO_R) && p->w == !!(s->flags & SECINFO_W) && p->x == !!(s->flags & SECINFO_X) &&
           p->pending == !!(s->flags & SECINFO_PENDING) && p->modified == !!(s->flags & SECINFO_MODIFIED) &&
           p->pr == !!(s->flags & SECINFO_PR) && p->type == type_of(s);
}

/* A page that is to be a TCS must hold a valid one. */
static bool becomes_tcs(uint64_t page)
{
    struct sgx_tcs tcs;
    if (mprotect((void *)page, SGX_PAGE_SIZE, PROT_READ) != 0)
        return false;
    memcpy(&tcs, (const void *)page, sizeof tcs);
    mprotect((void *)page, SGX_PAGE_SIZE, PROT_NONE);
    return !(tcs.flags & TCS_DBGOPTIN) && emu_use_tcs(page, &tcs) == NULL;
}

static struct emu_fault accept_locked(uint64_t page, const struct sgx_secinfo *s, uint64_t *rax)
{
    augment(page);
    struct emu_page *p = entry_of(page);
    if (!p->valid)
        return page_fault(page, true);
    if (!matches(p, s)) {
        *rax = SGX_PAGE_ATTRIBUTES_MISMATCH;
        return EMU_DONE;
    }
    if (p->type == PT_TCS && !becomes_tcs(page))
        return EMU_GP;
    p->pending = p->modified = p->pr = 0;
    *rax = SGX_SUCCESS;
    return emu_protect(page - emu.secs.base) == 0 ? EMU_DONE : page_fault(page, true);
}

struct emu_fault emu_eaccept(uint64_t secinfo, uint64_t page, uint64_t *rax)
{
    struct sgx_secinfo s;
    struct emu_fault fault = read_secinfo(secinfo, &s);
    if (fault.vector)
        return fault;
    if (page % SGX_PAGE_SIZE || !in_elrange(page) || write_only(&s) || !acceptable(&s))
        return EMU_GP;
    lock();
    fault = accept_locked(page, &s, rax);
    unlock();
    return fault;
}

/* ---- EMODPE, EACCEPTCOPY --------------------------------------------------------------------------------------- */

static void extend(struct emu_page *p, const struct sgx_secinfo *s)
{
    p->r |= !!(s->flags & SECINFO_R);
    p->w |= !!(s->flags & SECINFO_W);
    p->x |= !!(s->flags & SECINFO_X);
}

struct emu_fault emu_emodpe(uint64_t secinfo, uint64_t page)
{
    struct sgx_secinfo s;
    struct emu_fault fault = read_secinfo(secinfo, &s);
    if (fault.vector)
        return fault;
    if (page % SGX_PAGE_SIZE || !in_elrange(page))
        return EMU_GP;
    lock();
    struct emu_page *p = entry_of(page);
    if (!p->valid || p->pending || p->modified || p->type != PT_REG)
        fault = page_fault(page, true);
    else if (!p->r && !(s.flags & SECINFO_R) && s.flags & SECINFO_W)
        fault = EMU_GP; /* it would be writable and not readable */
    else {
        extend(p, &s);
        if (emu_protect(page - emu.secs.base) != 0)
            fault = page_fault(page, true);
    }
    unlock();
    return fault;
}

static struct emu_fault accept_copy_locked(uint64_t page, uint64_t source, const struct sgx_secinfo *s, uint64_t *rax)
{
    augment(page);
    struct emu_page *p = entry_of(page);
    if (!p->valid)
        return page_fault(page, true);
    if (!p->pending || p->modified || p->type != PT_REG) {
        *rax = SGX_PAGE_ATTRIBUTES_MISMATCH;
        return EMU_DONE;
    }
    if (mprotect((void *)page, SGX_PAGE_SIZE, PROT_READ | PROT_WRITE) != 0)
        return page_fault(page, true);
    memcpy((void *)page, (const void *)source, SGX_PAGE_SIZE);
    extend(p, s);
    p->pending = 0;
    *rax = SGX_SUCCESS;
    return emu_protect(page - emu.secs.base) == 0 ? EMU_DONE : page_fault(page, true);
}

struct emu_fault emu_eacceptcopy(uint64_t secinfo, uint64_t page, uint64_t source, uint64_t *rax)
{
    struct sgx_secinfo s;
    struct emu_fault fault = read_secinfo(secinfo, &s);
    if (!fault.vector)
        fault = emu_operand(source, SGX_PAGE_SIZE, SGX_PAGE_SIZE, false);
    if (fault.vector)
        return fault;
    if (page % SGX_PAGE_SIZE || !in_elrange(page) || write_only(&s) || type_of(&s) != PT_REG ||
        s.flags & (SECINFO_PENDING | SECINFO_MODIFIED | SECINFO_PR))
        return EMU_GP;
    lock();
    fault = accept_copy_locked(page, source, &s, rax);
    unlock();
    return fault;
}

/* ---- the kernel's side --------------------------------------------------------------------------------------- */

static bool range_valid(uint64_t offset, uint64_t length)
{
    return length > 0 && offset % SGX_PAGE_SIZE == 0 && length % SGX_PAGE_SIZE == 0 && offset < emu.secs.size &&
           length <= emu.secs.size - offset;
}

int emu_allow_growth(struct backend *b, uint64_t offset, uint64_t length, char *error, size_t error_size)
{
    (void)b;
    if (!emu.measure || !range_valid(offset, length)) {
        snprintf(error, error_size, "emulator: no room to grow at %#lx", offset);
        return -EINVAL;
    }
    for (uint64_t at = offset; at < offset + length; at += SGX_PAGE_SIZE)
        emu.pages[at / SGX_PAGE_SIZE].growable = 1;
    return 0;
}

/* Apply change to each page, as far as it goes. */
static int for_pages(uint64_t offset, uint64_t length, int (*change)(uint64_t offset, uint64_t argument, uint64_t *sgx),
                     uint64_t argument, uint64_t *sgx_result)
{
    *sgx_result = 0;
    if (!emu.initialised || !range_valid(offset, length))
        return -EINVAL;
    int result = 0;
    lock();
    for (uint64_t at = offset; at < offset + length && result == 0; at += SGX_PAGE_SIZE)
        result = emu.pages[at / SGX_PAGE_SIZE].valid ? change(at, argument, sgx_result) : -EFAULT;
    unlock();
    return result;
}

/* EMODPR */
static int restrict_page(uint64_t offset, uint64_t permissions, uint64_t *sgx_result)
{
    struct emu_page *p = &emu.pages[offset / SGX_PAGE_SIZE];
    if (p->type != PT_REG)
        return -EINVAL;
    if (p->pending || p->modified) {
        *sgx_result = SGX_PAGE_NOT_MODIFIABLE;
        return -EFAULT;
    }
    p->r &= !!(permissions & SECINFO_R);
    p->w &= !!(permissions & SECINFO_W);
    p->x &= !!(permissions & SECINFO_X);
    p->pr = 1;
    return emu_protect(offset);
}

int emu_restrict_permissions(struct backend *b, uint64_t offset, uint64_t length, uint32_t permissions,
                             uint64_t *sgx_result)
{
    *sgx_result = 0;
    if (permissions & ~PERMISSIONS || (permissions & SECINFO_W && !(permissions & SECINFO_R)))
        return -EINVAL;
    return for_pages(offset, length, restrict_page, permissions, sgx_result);
}

/* A TCS that is trimmed can be entered no more; one that is in use cannot be trimmed. */
static bool retire_tcs(uint64_t address)
{
    for (uint32_t i = 0; i < emu.tcs_count; i++) {
        if (emu.tcs[i].address != address)
            continue;
        if (atomic_exchange(&emu.tcs[i].active, 1))
            return false;
        emu.tcs[i].address = 0;
    }
    return true;
}

/* EMODT */
static int change_type(uint64_t offset, uint64_t type, uint64_t *sgx_result)
{
    struct emu_page *p = &emu.pages[offset / SGX_PAGE_SIZE];
    if (p->type != PT_REG && !(p->type == PT_TCS && type == PT_TRIM))
        return -EINVAL;
    if (type == PT_TCS && !(p->r && p->w))
        return -EPERM; /* the kernel's rule: a TCS is mapped readable and writable */
    if (p->pending || p->modified)
        *sgx_result = SGX_PAGE_NOT_MODIFIABLE;
    else if (p->type == PT_TCS && !retire_tcs(emu.secs.base + offset))
        *sgx_result = SGX_EPC_PAGE_CONFLICT;
    if (*sgx_result)
        return -EFAULT;
    p->r = p->w = p->x = p->pr = 0;
    p->modified = 1;
    p->type = type & 0xf;
    return emu_protect(offset);
}

int emu_modify_type(struct backend *b, uint64_t offset, uint64_t length, enum sgx_page_type type, uint64_t *sgx_result)
{
    *sgx_result = 0;
    if (type != PT_TCS && type != PT_TRIM)
        return -EINVAL;
    return for_pages(offset, length, change_type, type, sgx_result);
}

/* EREMOVE, which the kernel does to accepted PT_TRIM pages only. */
static int remove_page(uint64_t offset, uint64_t unused, uint64_t *sgx_result)
{
    struct emu_page *p = &emu.pages[offset / SGX_PAGE_SIZE];
    (void)unused, (void)sgx_result;
    if (p->type != PT_TRIM || p->modified)
        return -EPERM;
    madvise((void *)(emu.secs.base + offset), SGX_PAGE_SIZE, MADV_DONTNEED);
    *p = (struct emu_page){.growable = p->growable};
    return emu_protect(offset);
}

int emu_remove_pages(struct backend *b, uint64_t offset, uint64_t length)
{
    uint64_t ignored;
    return for_pages(offset, length, remove_page, 0, &ignored);
}
