/*
 * Building the emulated enclave: ECREATE, EADD, EEXTEND, EINIT, with the checks of SDM 3D chapter 37 that software
 * can see. Page permissions become the host's page protections, so that a breach faults as it would in the EPCM.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/error_line.h"
#include "sgx/emulator/internal.h"
#include "sgx/sign/sigstruct.h"

/* Where ELRANGE lies if it need not start at 0. Low, so that all host code lies above its end. */
#define ELRANGE_BASE 0x100000000ull

/* INIT is the CPU's to set; KSS and AEX-Notify are not modelled. */
#define FLAGS_KNOWN (SGX_FLAGS_DEBUG | SGX_FLAGS_MODE64BIT | SGX_FLAGS_PROVISION_KEY | SGX_FLAGS_EINITTOKEN_KEY)

/* What a SSA frame must hold: the XSAVE area of the features in XFRM (CPUID 0DH), MISC and GPRSGX (SDM 3D 35.9). */
static uint64_t frame_bytes(uint64_t xfrm)
{
    uint64_t end = 512 + 64; /* legacy area and header */
    for (uint32_t i = 2; i < 63; i++) {
        uint32_t size, offset, ecx, edx;
        if (!(xfrm >> i & 1))
            continue;
        __cpuid_count(0xd, i, size, offset, ecx, edx);
        if ((uint64_t)offset + size > end)
            end = (uint64_t)offset + size;
    }
    return end + sizeof(struct sgx_exinfo) + sizeof(struct sgx_gprsgx);
}

static bool secs_reserved_zero(const struct sgx_secs *s)
{
    const struct {
        const uint8_t *at;
        size_t size;
    } parts[] = {{s->reserved1, sizeof s->reserved1}, {s->reserved2, sizeof s->reserved2},
                 {s->reserved3, sizeof s->reserved3}, {s->reserved4, sizeof s->reserved4},
                 {s->configid, sizeof s->configid},   {(const uint8_t *)&s->configsvn, sizeof s->configsvn}};
    uint8_t any = s->cet_attributes;
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++)
        for (size_t i = 0; i < parts[part].size; i++)
            any |= parts[part].at[i];
    return any == 0;
}

static const char *ecreate_fault(const struct backend *b, const struct sgx_secs *secs)
{
    if (secs->size < 2 * SGX_PAGE_SIZE || (secs->size & (secs->size - 1)) || secs->size > ELRANGE_BASE)
        return "SECS.SIZE must be a power of two, at most 4 GiB here";
    if ((secs->attributes.xfrm & SGX_XFRM_LEGACY) != SGX_XFRM_LEGACY || (secs->attributes.xfrm & ~b->xfrm))
        return "SECS.ATTRIBUTES.XFRM is not what this machine allows";
    if (secs->miscselect & ~SGX_MISC_EXINFO)
        return "SECS.MISCSELECT has unknown bits";
    if (!(secs->attributes.flags & SGX_FLAGS_MODE64BIT) || (secs->attributes.flags & ~FLAGS_KNOWN))
        return "SECS.ATTRIBUTES.FLAGS";
    if ((uint64_t)secs->ssa_frame_size * SGX_PAGE_SIZE < frame_bytes(secs->attributes.xfrm))
        return "SECS.SSAFRAMESIZE is too small for the features in XFRM";
    if (!secs_reserved_zero(secs))
        return "SECS has reserved bytes set, or CONFIGID without KSS";
    return NULL;
}

/* Address space for ELRANGE. With a hole it starts at 0, of which the hole is left out: nothing in it is ever the
 * enclave's, and what the kernel keeps unmapped at the low end stays so. A privileged process could map something
 * there: the kernel is asked to keep the place, which only such a process is granted. */
static int reserve(uint64_t base, uint64_t size, uint64_t hole, char *error, size_t error_size)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *at = (void *)(base + hole);
    if (hole >= size || mmap(at, size - hole, PROT_NONE, flags, -1, 0) != at)
        return error_line(error, error_size, -ENOMEM, "emulator: cannot reserve ELRANGE at %#lx: %s", base,
                          strerror(errno));
    if (hole)
        for (uint64_t low = 0; low < hole && mmap((void *)low, hole - low, PROT_NONE, flags, -1, 0) == MAP_FAILED;)
            low = low ? 2 * low : SGX_PAGE_SIZE;
    emu.hole = hole;
    return 0;
}

static int emu_create(struct backend *b, struct sgx_secs *secs, uint64_t hole, char *error, size_t error_size)
{
    if (emu.measure || emu.initialised)
        return error_line(error, error_size, -EBUSY, "emulator: one enclave per process");
    const char *fault = ecreate_fault(b, secs);
    if (fault)
        return error_line(error, error_size, -EINVAL, "ECREATE: %s", fault);
    /* An emulated enclave is always a debug enclave: nothing keeps the host out of it. */
    secs->attributes.flags |= SGX_FLAGS_DEBUG;
    secs->base = hole ? 0 : ELRANGE_BASE;
    int result = reserve(secs->base, secs->size, hole, error, error_size);
    if (result < 0)
        return result;
    emu.pages = calloc(secs->size / SGX_PAGE_SIZE, sizeof *emu.pages);
    emu.measure = measure_ecreate(secs->ssa_frame_size, secs->size);
    if (!emu.pages || !emu.measure)
        return error_line(error, error_size, -ENOMEM, "emulator: out of memory");
    emu.secs = *secs;
    emu_elrange_base = secs->base + hole;
    emu_elrange_size = secs->size - hole;
    return 0;
}

static int add_tcs(uint64_t offset, const struct sgx_tcs *t, char *error, size_t error_size)
{
    const char *fault = t ? emu_use_tcs(emu.secs.base + offset, t) : "no content";
    return fault ? error_line(error, error_size, -EINVAL, "EADD at %#lx: %s", offset, fault) : 0;
}

static const char *eadd_fault(uint64_t offset, uint64_t length, const struct sgx_secinfo *secinfo)
{
    uint64_t type = secinfo->flags >> 8 & 0xff;
    static const uint8_t zero[sizeof secinfo->reserved];
    if (offset % SGX_PAGE_SIZE || length % SGX_PAGE_SIZE || length == 0)
        return "not whole, aligned pages";
    if (offset > emu.secs.size || length > emu.secs.size - offset)
        return "outside ELRANGE";
    if (offset < emu.hole)
        return "in the hole at ELRANGE's start";
    if (secinfo->flags & ~0xff07ull || memcmp(secinfo->reserved, zero, sizeof zero))
        return "SECINFO has reserved bits set";
    if (type != PT_REG && type != PT_TCS)
        return "SECINFO.FLAGS.PT is neither PT_REG nor PT_TCS";
    if (type == PT_TCS && secinfo->flags & (SECINFO_R | SECINFO_W | SECINFO_X))
        return "a TCS page with R, W or X";
    if ((secinfo->flags & SECINFO_W) && !(secinfo->flags & SECINFO_R))
        return "SECINFO has W without R";
    return NULL;
}

static void measure_range(uint64_t offset, uint64_t length, const uint8_t *content, const struct sgx_secinfo *secinfo,
                          bool measured)
{
    static const uint8_t zeros[256];
    for (uint64_t at = 0; at < length; at += SGX_PAGE_SIZE) {
        measure_eadd(emu.measure, offset + at, secinfo);
        for (uint64_t chunk = 0; measured && chunk < SGX_PAGE_SIZE; chunk += 256)
            measure_eextend(emu.measure, offset + at + chunk, content ? content + at + chunk : zeros);
    }
}

static int emu_add_pages(struct backend *b, uint64_t offset, uint64_t length, const void *content,
                         const struct sgx_secinfo *secinfo, bool measured, char *error, size_t error_size)
{
    (void)b;
    if (!emu.measure)
        return error_line(error, error_size, -EINVAL, "EADD: no enclave is being built");
    const char *fault = eadd_fault(offset, length, secinfo);
    if (fault)
        return error_line(error, error_size, -EINVAL, "EADD at %#lx: %s", offset, fault);
    struct emu_page entry = {.valid = 1,
                             .r = !!(secinfo->flags & SECINFO_R),
                             .w = !!(secinfo->flags & SECINFO_W),
                             .x = !!(secinfo->flags & SECINFO_X),
                             .type = secinfo->flags >> 8 & 0xf};
    for (uint64_t i = 0; i < length / SGX_PAGE_SIZE; i++)
        if (emu.pages[offset / SGX_PAGE_SIZE + i].valid)
            return error_line(error, error_size, -EEXIST, "EADD at %#lx: the page is there already", offset);
    uint8_t *at = (uint8_t *)emu.secs.base + offset;
    if (entry.type == PT_TCS) {
        for (uint64_t page = 0; page < length; page += SGX_PAGE_SIZE) {
            int result = add_tcs(offset + page, content ? (const void *)((const uint8_t *)content + page) : NULL, error,
                                 error_size);
            if (result < 0)
                return result;
        }
    } else {
        if (content && mprotect(at, length, PROT_READ | PROT_WRITE) == 0)
            memcpy(at, content, length);
        int protection = (entry.r ? PROT_READ : 0) | (entry.w ? PROT_WRITE : 0) | (entry.x ? PROT_EXEC : 0);
        if (mprotect(at, length, protection) != 0)
            return error_line(error, error_size, -errno, "emulator: mprotect: %s", strerror(errno));
    }
    for (uint64_t i = 0; i < length / SGX_PAGE_SIZE; i++)
        emu.pages[offset / SGX_PAGE_SIZE + i] = entry;
    measure_range(offset, length, content, secinfo, measured);
    return 0;
}

/* EINIT's comparisons, in the SDM's order. */
static enum sgx_error einit(const struct sgx_sigstruct *s, const uint8_t mrenclave[32])
{
    enum sgx_error result = sigstruct_check(s);
    if (result != SGX_SUCCESS)
        return result;
    if (memcmp(s->enclavehash, mrenclave, 32) != 0)
        return SGX_INVALID_MEASUREMENT;
    const struct sgx_attributes *have = &emu.secs.attributes, *want = &s->attributes, *mask = &s->attributemask;
    if ((have->flags & mask->flags) != (want->flags & mask->flags) ||
        (have->xfrm & mask->xfrm) != (want->xfrm & mask->xfrm))
        return SGX_INVALID_ATTRIBUTE;
    if ((emu.secs.miscselect & s->miscmask) != (s->miscselect & s->miscmask))
        return SGX_INVALID_ATTRIBUTE;
    if (want->flags & SGX_FLAGS_EINITTOKEN_KEY)
        return SGX_INVALID_ATTRIBUTE; /* only Intel's launch enclave may have it */
    return SGX_SUCCESS;
}

static const char *einit_error_text(enum sgx_error code)
{
    switch (code) {
    case SGX_INVALID_SIG_STRUCT:
        return "SGX_INVALID_SIG_STRUCT (a fixed field of SIGSTRUCT is wrong)";
    case SGX_INVALID_SIGNATURE:
        return "SGX_INVALID_SIGNATURE (SIGSTRUCT's signature does not open)";
    case SGX_INVALID_MEASUREMENT:
        return "SGX_INVALID_MEASUREMENT (the image is not the one that was signed)";
    case SGX_INVALID_ATTRIBUTE:
        return "SGX_INVALID_ATTRIBUTE (this SIGSTRUCT forbids the enclave's attributes)";
    default:
        return "unknown";
    }
}

static int emu_init(struct backend *b, const struct sgx_sigstruct *sigstruct, char *error, size_t error_size)
{
    if (!emu.measure)
        return error_line(error, error_size, -EINVAL, "EINIT: no enclave is being built");
    measure_final(emu.measure, emu.secs.mrenclave);
    emu.measure = NULL;
    enum sgx_error code = einit(sigstruct, emu.secs.mrenclave);
    if (code != SGX_SUCCESS)
        return error_line(error, error_size, -EPERM, "EINIT: %s", einit_error_text(code));
    sigstruct_mrsigner(sigstruct, emu.secs.mrsigner);
    emu.secs.isvprodid = sigstruct->isvprodid;
    emu.secs.isvsvn = sigstruct->isvsvn;
    emu.secs.attributes.flags |= SGX_FLAGS_INIT;
    int result = emu_install_handlers();
    if (result < 0)
        return error_line(error, error_size, result, "emulator: cannot install signal handlers: %s", strerror(-result));
    emu.initialised = true;
    emu_check();
    b->edmm = true;
    return 0;
}

static void emu_destroy(struct backend *b)
{
    (void)b;
    if (emu.pages)
        emu_check();
    if (emu.secs.size)
        munmap((void *)(emu.secs.base + emu.hole), emu.secs.size - emu.hole);
    free(emu.pages);
    memset(&emu, 0, sizeof emu);
    emu_elrange_base = emu_elrange_size = 0;
}

static const struct backend_ops emulator_ops = {
    .name = "emulator",
    .create = emu_create,
    .add_pages = emu_add_pages,
    .allow_growth = emu_allow_growth,
    .init = emu_init,
    .restrict_permissions = emu_restrict_permissions,
    .modify_type = emu_modify_type,
    .remove_pages = emu_remove_pages,
    .prepare_thread = emu_prepare_thread,
    .enter = emu_enter,
    .destroy = emu_destroy,
};

int emulator_open(const char *machine_dir, struct backend **out, char *error, size_t error_size)
{
    int result = emu_load_fuses(machine_dir, error, error_size);
    if (result < 0)
        return result;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    emu.backend.ops = &emulator_ops;
    emu.backend.xfrm = low & 0xE7;
    emu.backend.miscselect = SGX_MISC_EXINFO;
    *out = &emu.backend;
    return 0;
}
