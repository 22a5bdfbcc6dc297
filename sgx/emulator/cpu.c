/*
 * What the CPU keeps of the one emulated enclave: its SECS, the EPCM, the TCSs, and counts of what happened. One for
 * each process, as ELRANGE and signal handlers are; everything else in here works on it.
 */
#include <errno.h>
#include <sys/mman.h>

#include "common/ensure.h"
#include "sgx/emulator/internal.h"

struct emulator emu;
uint64_t emu_elrange_base, emu_elrange_size;
struct emulator_counters emu_count;

void emulator_counters(struct emulator_counters *out)
{
    *out = emu_count;
}

/* What EADD demands of a TCS page's content (SDM 3D, EADD). */
static const char *tcs_fault(const struct sgx_tcs *t)
{
    if (t->flags & ~TCS_DBGOPTIN)
        return "TCS.FLAGS";
    if (t->cssa != 0)
        return "TCS.CSSA must be 0";
    if (t->nssa == 0)
        return "TCS.NSSA";
    if (t->ossa % SGX_PAGE_SIZE || t->ossa >= emu.secs.size)
        return "TCS.OSSA";
    if (t->oentry >= emu.secs.size)
        return "TCS.OENTRY";
    if (t->ofsbase % SGX_PAGE_SIZE || t->ogsbase % SGX_PAGE_SIZE || t->ofsbase >= emu.secs.size ||
        t->ogsbase >= emu.secs.size)
        return "TCS.OFSBASE or OGSBASE";
    if ((t->fslimit & 0xfff) != 0xfff || (t->gslimit & 0xfff) != 0xfff)
        return "TCS.FSLIMIT or GSLIMIT";
    for (size_t i = 0; i < sizeof t->reserved; i++)
        if (t->reserved[i])
            return "TCS has reserved bytes set";
    return NULL;
}

const char *emu_use_tcs(uint64_t address, const struct sgx_tcs *t)
{
    const char *fault = tcs_fault(t);
    if (fault)
        return fault;
    if (emu.tcs_count == EMU_TCS_MAX)
        return "the emulator has no room for another TCS";
    struct emu_tcs *s = &emu.tcs[emu.tcs_count++];
    s->address = address;
    s->ossa = t->ossa;
    s->oentry = t->oentry;
    s->ofsbase = t->ofsbase;
    s->ogsbase = t->ogsbase;
    s->nssa = t->nssa;
    return NULL;
}

int emu_protect(uint64_t offset)
{
    struct emu_page p = emu.pages[offset / SGX_PAGE_SIZE];
    int protection = 0;
    if (p.valid && p.type == PT_REG && !p.pending && !p.modified)
        protection = (p.r ? PROT_READ : 0) | (p.w ? PROT_WRITE : 0) | (p.x ? PROT_EXEC : 0);
    return mprotect((void *)(emu.secs.base + offset), SGX_PAGE_SIZE, protection) == 0 ? 0 : -errno;
}

bool emu_page_allows(uint64_t address, uint64_t size, bool write)
{
    uint64_t offset = address - emu.secs.base;
    if (address < emu.secs.base || offset >= emu.secs.size || size > SGX_PAGE_SIZE - offset % SGX_PAGE_SIZE)
        return false;
    struct emu_page p = emu.pages[offset / SGX_PAGE_SIZE];
    return p.valid && p.type == PT_REG && !p.pending && !p.modified && p.r && (!write || p.w);
}

bool emu_code_is(uint64_t address, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint64_t offset = address + i - emu.secs.base;
        if (!emu_page_allows(address + i, 1, false) || !emu.pages[offset / SGX_PAGE_SIZE].x ||
            *(const uint8_t *)(address + i) != bytes[i])
            return false;
    }
    return true;
}

static void check_tcs(const struct emu_tcs *t)
{
    uint64_t offset = t->address - emu.secs.base;
    if (t->address == 0)
        return; /* retired */
    ENSURE(offset % SGX_PAGE_SIZE == 0 && offset >= emu.hole && offset < emu.secs.size);
    ENSURE(emu.pages[offset / SGX_PAGE_SIZE].valid && emu.pages[offset / SGX_PAGE_SIZE].type == PT_TCS);
    ENSURE(t->cssa <= t->nssa);
}

static void check_page(uint64_t offset, struct emu_page p)
{
    if (!p.valid) {
        ENSURE(!p.r && !p.w && !p.x && !p.pending && !p.modified && !p.pr);
        return;
    }
    ENSURE(offset >= emu.hole);
    ENSURE(p.type == PT_REG || p.type == PT_TCS || p.type == PT_TRIM);
    if (p.type != PT_REG)
        ENSURE(!p.r && !p.w && !p.x);
    if (!emu.initialised)
        ENSURE(!p.pending && !p.modified && !p.pr);
}

void emu_check(void)
{
    ENSURE(emu.pages && emu.tcs_count <= EMU_TCS_MAX);
    for (uint32_t i = 0; i < emu.tcs_count; i++)
        check_tcs(&emu.tcs[i]);
    for (uint64_t offset = 0; offset < emu.secs.size; offset += SGX_PAGE_SIZE)
        check_page(offset, emu.pages[offset / SGX_PAGE_SIZE]);
}
