/* The stand-in for the kernel's SGX driver; see kernel_double.h. */
#include "sgx/loader/kernel_double.h"

#include <asm/sgx.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sgx/loader/kernel_double_internal.h"

#define UNPRIVILEGED (0x02ull | 0x04ull | 0x80ull | 0x400ull) /* DEBUG, MODE64BIT, KSS, AEX-Notify */
#define KNOWN_ATTRIBUTES (UNPRIVILEGED | 0x10ull | 0x20ull)   /* with PROVISION_KEY, EINITTOKEN_KEY */

/* ---- ECREATE ------------------------------------------------------------------------------------------------- */

static void hash(struct kernel_double *k, const void *data, size_t size)
{
    EVP_DigestUpdate(k->sha, data, size);
}

/* The 64-byte records of SDM 3D 38.1.3: a name, then fields, then zeros. */
static void hash_record(struct kernel_double *k, const char *name, const uint64_t *fields, size_t bytes)
{
    uint8_t record[64] = {0};
    strncpy((char *)record, name, 8);
    memcpy(record + 8, fields, bytes);
    hash(k, record, sizeof record);
}

/* Bytes of XSAVE state for a mask, in the standard format that all CPUs share (SDM vol. 1, 13.4). */
static uint64_t xsave_end(uint64_t xfrm)
{
    return xfrm & 0x80 ? 2688 : xfrm & 0x40 ? 1664 : xfrm & 0x20 ? 1152 : xfrm & 0x4 ? 832 : 576;
}

static const char *ecreate_fault(const struct kernel_double *k, const struct sgx_secs *s)
{
    if (s->size < 2 * PAGE || s->base % s->size || s->base + s->size > 1ull << 47)
        return "ECREATE: SECS.SIZE is too small, or BASEADDR not aligned to it, or not a user address";
    if ((s->attributes.flags & 1) || (s->attributes.flags & ~KNOWN_ATTRIBUTES))
        return "ECREATE: SECS.ATTRIBUTES has INIT or unknown bits";
    if (!(s->attributes.flags & 4))
        return "ECREATE: not MODE64BIT";
    if ((s->attributes.xfrm & 3) != 3 || s->attributes.xfrm & ~k->xfrm)
        return "ECREATE: SECS.ATTRIBUTES.XFRM";
    uint64_t avx512 = s->attributes.xfrm & 0xE0;
    if (avx512 && (avx512 != 0xE0 || !(s->attributes.xfrm & 4)))
        return "ECREATE: XFRM has a part of AVX-512, or no AVX below it";
    if (s->miscselect & ~k->misc)
        return "ECREATE: SECS.MISCSELECT";
    if ((uint64_t)s->ssa_frame_size * PAGE < xsave_end(s->attributes.xfrm) + 184 + (s->miscselect ? 16 : 0))
        return "ECREATE: SECS.SSAFRAMESIZE does not hold the state of XFRM";
    if (!double_zero(s->reserved1, sizeof s->reserved1) || !double_zero(s->reserved2, sizeof s->reserved2) ||
        !double_zero(s->reserved3, sizeof s->reserved3) || !double_zero(s->reserved4, sizeof s->reserved4) ||
        s->cet_attributes)
        return "ECREATE: SECS has reserved bytes set";
    return NULL;
}

static int ioctl_create(struct kernel_double *k, const struct sgx_enclave_create *a)
{
    if (k->created)
        return double_refuse(k, EINVAL, "CREATE: twice on one file");
    struct sgx_secs secs;
    memcpy(&secs, (const void *)a->src, sizeof secs);
    if (secs.size == 0 || secs.size & (secs.size - 1))
        return double_refuse(k, EINVAL, "CREATE: SECS.SIZE is not a power of two");
    const char *fault = ecreate_fault(k, &secs);
    if (fault)
        return double_refuse(k, EIO, "%s", fault);
    k->secs = secs;
    k->page_count = secs.size / PAGE;
    k->pages = calloc(k->page_count, sizeof *k->pages);
    k->attributes_allowed = UNPRIVILEGED;
    uint8_t fields[12];
    memcpy(fields, &secs.ssa_frame_size, 4);
    memcpy(fields + 4, &secs.size, 8);
    uint64_t words[2] = {0};
    memcpy(words, fields, sizeof fields);
    hash_record(k, "ECREATE", words, sizeof fields);
    k->created = true;
    return 0;
}

/* ---- EADD, EEXTEND ------------------------------------------------------------------------------------------- */

static int secinfo_refused(struct kernel_double *k, const struct sgx_secinfo *s)
{
    uint64_t type = s->flags & 0xff00, permissions = s->flags & RWX;
    if (type != 0x0100 && type != 0x0200)
        return double_refuse(k, EINVAL, "ADD_PAGES: SECINFO is neither PT_REG nor PT_TCS");
    if (permissions & 2 && !(permissions & 1))
        return double_refuse(k, EINVAL, "ADD_PAGES: W without R");
    if (type == 0x0100 && permissions)
        return double_refuse(k, EINVAL, "ADD_PAGES: a TCS page with R, W or X");
    if (s->flags & ~(0xff00ull | RWX) || !double_zero(s->reserved, sizeof s->reserved))
        return double_refuse(k, EINVAL, "ADD_PAGES: SECINFO has reserved bits set");
    return 0;
}

/* What EADD looks at in a TCS page (SDM 3D, EADD, table 35-8). */
static const char *tcs_fault(const struct kernel_double *k, const uint8_t *page)
{
    uint64_t flags, ossa, oentry, ofs, ogs;
    uint32_t cssa, nssa, fs_limit, gs_limit;
    memcpy(&flags, page + 8, 8);
    memcpy(&ossa, page + 16, 8);
    memcpy(&cssa, page + 24, 4);
    memcpy(&nssa, page + 28, 4);
    memcpy(&oentry, page + 32, 8);
    memcpy(&ofs, page + 48, 8);
    memcpy(&ogs, page + 56, 8);
    memcpy(&fs_limit, page + 64, 4);
    memcpy(&gs_limit, page + 68, 4);
    if (flags & ~1ull || cssa || nssa == 0 || !double_zero(page, 8) || !double_zero(page + 72, PAGE - 72))
        return "TCS: FLAGS, CSSA, NSSA or reserved bytes";
    if (ossa % PAGE || ofs % PAGE || ogs % PAGE || (fs_limit & 0xfff) != 0xfff || (gs_limit & 0xfff) != 0xfff)
        return "TCS: OSSA, OFSBASE, OGSBASE or a limit is not page-aligned";
    if (ossa >= k->secs.size || oentry >= k->secs.size || ofs >= k->secs.size || ogs >= k->secs.size)
        return "TCS: an offset leaves ELRANGE";
    return NULL;
}

struct add {
    const struct sgx_enclave_add_pages *a;
    struct sgx_secinfo secinfo;
};

static int add_page(struct kernel_double *k, const void *argument, uint64_t at)
{
    const struct add *add = argument;
    uint64_t offset = add->a->offset + at, flags = add->secinfo.flags;
    const uint8_t *source = (const uint8_t *)add->a->src + at;
    struct double_page *p = &k->pages[offset / PAGE];
    bool tcs = (flags & 0xff00) == 0x0100, measured = add->a->flags & SGX_PAGE_MEASURE;
    if (k->added == k->epc_pages) {
        errno = ENOMEM;
        return -1;
    }
    if (p->added)
        return double_refuse(k, EBUSY, "ADD_PAGES: the page at %#lx is there already", offset);
    const char *fault = tcs ? tcs_fault(k, source) : NULL;
    if (fault)
        return double_refuse(k, EIO, "EADD at %#lx: %s", offset, fault);
    if (!measured && !double_zero(source, PAGE))
        return double_refuse(k, EINVAL, "ADD_PAGES: content at %#lx that nobody measures", offset); /* our own rule */
    *p = (struct double_page){.added = true, .measured = measured, .type = tcs ? 1 : 2, .permissions = flags & RWX};
    p->max_protection = tcs ? PROT_READ | PROT_WRITE
                            : (flags & 1 ? PROT_READ : 0) | (flags & 2 ? PROT_WRITE : 0) | (flags & 4 ? PROT_EXEC : 0);
    k->added++;
    k->measured += measured;
    const uint64_t fields[2] = {offset, flags};
    hash_record(k, "EADD", fields, sizeof fields);
    for (uint64_t chunk = 0; measured && chunk < PAGE; chunk += 256) {
        const uint64_t where = offset + chunk;
        hash_record(k, "EEXTEND", &where, sizeof where);
        hash(k, source + chunk, 256);
    }
    return 0;
}

static int ioctl_add(struct kernel_double *k, struct sgx_enclave_add_pages *a)
{
    struct add add = {.a = a};
    if (!k->created || k->initialised)
        return double_refuse(k, EINVAL, "ADD_PAGES: before CREATE or after INIT");
    if (a->src % PAGE)
        return double_refuse(k, EINVAL, "ADD_PAGES: src is not page-aligned");
    const char *fault = double_range_fault(k, a->offset, a->length);
    if (fault)
        return double_refuse(k, EINVAL, "ADD_PAGES: %s", fault);
    if (a->flags & ~(uint64_t)SGX_PAGE_MEASURE)
        return double_refuse(k, EINVAL, "ADD_PAGES: unknown flags"); /* the driver ignores them; we set none */
    memcpy(&add.secinfo, (const void *)a->secinfo, sizeof add.secinfo);
    if (secinfo_refused(k, &add.secinfo))
        return -1;
    return double_for_pages(k, CALL_ADD, a->length, &a->count, add_page, &add);
}

/* ---- EINIT --------------------------------------------------------------------------------------------------- */

static int ioctl_init(struct kernel_double *k, const struct sgx_enclave_init *a)
{
    struct sgx_sigstruct s;
    if (!k->created || k->initialised)
        return double_refuse(k, EINVAL, "INIT: before CREATE or twice");
    memcpy(&s, (const void *)a->sigstruct, sizeof s);
    if (s.vendor != 0 && s.vendor != 0x8086)
        return double_refuse(k, EINVAL, "INIT: SIGSTRUCT.VENDOR");
    if (k->secs.attributes.flags & ~k->attributes_allowed)
        return double_refuse(k, EACCES, "INIT: an attribute that was not granted");
    if (s.attributes.flags & s.attributemask.flags & ~(KNOWN_ATTRIBUTES | 1) ||
        s.attributes.xfrm & s.attributemask.xfrm & ~k->xfrm || s.miscselect & s.miscmask & ~k->misc)
        return double_refuse(k, EINVAL, "INIT: SIGSTRUCT demands what the CPU does not have");
    const struct double_stop *stop = double_planned(k, CALL_INIT);
    if (stop) {
        errno = stop->code;
        return -1;
    }
    unsigned size = 32;
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    EVP_MD_CTX_copy_ex(copy, k->sha);
    EVP_DigestFinal_ex(copy, k->mrenclave, &size);
    EVP_MD_CTX_free(copy);
    k->einit_code = double_einit(k, &s);
    if (k->einit_code != SGX_SUCCESS)
        return double_refuse(k, EPERM, "EINIT: SGX error %d", k->einit_code);
    k->initialised = true;
    return 0;
}

static int ioctl_provision(struct kernel_double *k, const struct sgx_enclave_provision *a)
{
    if (a->fd != DOUBLE_PROVISION_FD)
        return double_refuse(k, EINVAL, "PROVISION: not a file of /dev/sgx_provision");
    k->attributes_allowed |= 0x10;
    return 0;
}

/* ---- what tests ask -------------------------------------------------------------------------------------------- */

bool double_maps_fit(const struct kernel_double *k)
{
    uint8_t *mapped = calloc(k->page_count, 1);
    bool fit = mapped && k->map_count > 0 && k->map_count <= DOUBLE_MAPS_MAX;
    for (unsigned i = 0; fit && i < k->map_count; i++)
        for (uint64_t at = k->maps[i].offset; at < k->maps[i].offset + k->maps[i].length; at += PAGE) {
            const struct double_page *p = &k->pages[at / PAGE];
            int expected = p->added ? p->max_protection : PROT_READ | PROT_WRITE; /* room to grow is RW */
            fit &= mapped[at / PAGE]++ == 0 && k->maps[i].protection == expected;
        }
    for (uint64_t i = 0; fit && i < k->page_count; i++)
        fit = mapped[i] || !k->pages[i].added;
    free(mapped);
    return fit;
}

void double_accept(struct kernel_double *k, uint64_t offset, uint64_t length)
{
    for (uint64_t at = offset; at < offset + length; at += PAGE)
        k->pages[at / PAGE].mark = false;
}

/* ---- the calls ----------------------------------------------------------------------------------------------- */

static int double_ioctl(void *user, int fd, unsigned long request, void *argument)
{
    struct kernel_double *k = user;
    if (fd != DOUBLE_FD)
        return double_refuse(k, EBADF, "an ioctl on a file that is not the enclave's");
    unsigned number = _IOC_NR(request);
    if (_IOC_TYPE(request) != SGX_MAGIC || number >= CALL_COUNT)
        return double_refuse(k, ENOTTY, "an ioctl that the driver does not know");
    k->calls[number]++;
    switch (request) {
    case SGX_IOC_ENCLAVE_CREATE:
        return ioctl_create(k, argument);
    case SGX_IOC_ENCLAVE_ADD_PAGES:
        return ioctl_add(k, argument);
    case SGX_IOC_ENCLAVE_INIT:
        return ioctl_init(k, argument);
    case SGX_IOC_ENCLAVE_PROVISION:
        return ioctl_provision(k, argument);
    case SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS:
        return double_restrict(k, argument);
    case SGX_IOC_ENCLAVE_MODIFY_TYPES:
        return double_modify(k, argument);
    case SGX_IOC_ENCLAVE_REMOVE_PAGES:
        return double_remove(k, argument);
    default:
        return double_refuse(k, ENOTTY, "an ioctl of another size or direction than the driver's");
    }
}

static int double_open(void *user, const char *path, int flags)
{
    struct kernel_double *k = user;
    bool enclave = strcmp(path, "/dev/sgx_enclave") == 0, provision = strcmp(path, "/dev/sgx_provision") == 0;
    int code = enclave ? k->open_error : provision ? k->provision_open_error : ENOENT;
    if (code) {
        errno = code;
        return -1;
    }
    if (enclave && (flags & O_ACCMODE) != O_RDWR)
        return double_refuse(k, EACCES, "the enclave's file must be open for reading and writing: it is mapped shared");
    k->open_fds++;
    return enclave ? DOUBLE_FD : DOUBLE_PROVISION_FD;
}

static int double_close(void *user, int fd)
{
    struct kernel_double *k = user;
    if (fd != DOUBLE_FD && fd != DOUBLE_PROVISION_FD)
        return double_refuse(k, EBADF, "closing a file that was not opened");
    k->open_fds--;
    return 0;
}

/* sgx_encl_may_map: a mapping has no more than each page in it was added with; where no page is, all is allowed. */
static void *map_enclave(struct kernel_double *k, uint64_t at, uint64_t length, int protection, int flags)
{
    uint64_t offset = at - k->secs.base;
    if ((flags & MAP_TYPE) != MAP_SHARED || at % PAGE)
        double_refuse(k, EINVAL, "mmap: an enclave is mapped shared, at page boundaries");
    else if (!k->created || offset >= k->secs.size || length == 0 || length > k->secs.size - offset)
        double_refuse(k, EACCES, "mmap: outside ELRANGE");
    else if (protection & PROT_EXEC && k->noexec)
        errno = EPERM;
    else {
        for (uint64_t i = offset / PAGE; i < (offset + length + PAGE - 1) / PAGE; i++)
            if (k->pages[i].added && protection & ~k->pages[i].max_protection) {
                double_refuse(k, EACCES, "mmap: more than the page at %#lx was added with", i * PAGE);
                return MAP_FAILED;
            }
        k->maps[k->map_count].offset = offset;
        k->maps[k->map_count].length = length;
        k->maps[k->map_count++ % DOUBLE_MAPS_MAX].protection = protection;
        return (void *)at;
    }
    return MAP_FAILED;
}

static void *double_mmap(void *user, void *at, size_t length, int protection, int flags, int fd)
{
    struct kernel_double *k = user;
    if (fd == DOUBLE_FD)
        return map_enclave(k, (uint64_t)at, length, protection, flags);
    return mmap(at, length, protection, flags, fd, 0);
}

static int double_munmap(void *user, void *at, size_t length)
{
    (void)user;
    return munmap(at, length);
}

static enclave_enter_function double_enter(void *user)
{
    struct kernel_double *k = user;
    return k->no_vdso ? NULL : k->enter;
}

static void double_cpuid(void *user, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const struct kernel_double *k = user;
    memset(out, 0, 16);
    if (leaf == 0x12 && subleaf == 0) {
        out[0] = 1u | (k->sgx2 ? 2u : 0);
        out[1] = k->misc;
    } else if (leaf == 0x12 && subleaf == 1) {
        out[0] = (uint32_t)KNOWN_ATTRIBUTES;
        out[2] = (uint32_t)k->xfrm;
        out[3] = (uint32_t)(k->xfrm >> 32);
    }
}

static uint64_t double_xcr0(void *user)
{
    return ((const struct kernel_double *)user)->xfrm | 0x200; /* the kernel may have enabled more: PKU */
}

static int enter_nothing(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function,
                         unsigned long r8, unsigned long r9, struct enclave_run *run)
{
    return -EINVAL;
}

void double_init(struct kernel_double *k)
{
    *k = (struct kernel_double){.sgx2 = true,
                                .knows_edmm = true,
                                .xfrm = 0xE7,
                                .misc = 1,
                                .epc_pages = UINT64_MAX,
                                .enter = enter_nothing,
                                .sha = EVP_MD_CTX_new()};
    EVP_DigestInit_ex(k->sha, EVP_sha256(), NULL);
    k->kernel = (struct sgx_kernel){.user = k,
                                    .open = double_open,
                                    .close = double_close,
                                    .ioctl = double_ioctl,
                                    .mmap = double_mmap,
                                    .munmap = double_munmap,
                                    .enter = double_enter,
                                    .cpuid = double_cpuid,
                                    .xcr0 = double_xcr0};
}

void double_deinit(struct kernel_double *k)
{
    EVP_MD_CTX_free(k->sha);
    free(k->pages);
}
