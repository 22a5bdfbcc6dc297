/*
 * The in-kernel driver (uapi asm/sgx.h): CREATE, ADD_PAGES, PROVISION, INIT, RESTRICT_PERMISSIONS, MODIFY_TYPES and
 * REMOVE_PAGES on /dev/sgx_enclave, pages mapped with the permissions they were added with, and
 * __vdso_sgx_enter_enclave. What the driver demands of each call is written down, and checked, in kernel_double.c.
 */
#include "sgx/loader/sgx_device.h"

#include <asm/sgx.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/container.h"
#include "common/error_line.h"

#define ADD_CHUNK (64u << 20) /* the zero pages that back unmeasured content come from one buffer of this size */
#define MAPS_MAX 8192u        /* each stack, behind its gap, is one */
#define STALLS_MAX 1000u      /* times that the driver may answer "later" without progress, a millisecond apart */

struct sgx_device {
    struct backend backend;
    const struct sgx_kernel *kernel;
    int fd;
    uint64_t base, size, hole;
    bool created;
    bool provision; /* SECS asks for ATTRIBUTES.PROVISION_KEY */
    uint8_t *zeros;
    struct {
        uint64_t offset, length;
        int protection;
        bool dynamic; /* pages come later, where EDMM allows */
    } maps[MAPS_MAX];
    uint32_t map_count;
    pthread_mutex_t changing; /* the driver answers -EBUSY to a second ioctl on the same enclave */
};

static enclave_enter_function vdso_enter;

static int call(struct sgx_device *d, unsigned long request, void *argument)
{
    return d->kernel->ioctl(d->kernel->user, d->fd, request, argument);
}

/* ---- ECREATE ------------------------------------------------------------------------------------------------- */

/* With a hole ELRANGE starts at 0, and the hole gets no address space: the kernel would not give the lowest part. */
static int reserve_low(struct sgx_device *d, uint64_t size, uint64_t hole)
{
    const struct sgx_kernel *k = d->kernel;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    if (hole >= size)
        return -EINVAL;
    void *p = k->mmap(k->user, (void *)hole, size - hole, PROT_NONE, flags, -1);
    if (p == MAP_FAILED)
        return -errno;
    d->base = 0;
    d->size = size;
    d->hole = hole;
    if (p == (void *)hole)
        return 0;
    k->munmap(k->user, p, size - hole); /* a kernel that does not know the flag takes the address for a hint */
    return -EEXIST;
}

/* ELRANGE must be aligned to its size: reserve twice as much and keep the aligned part. */
static int reserve(struct sgx_device *d, uint64_t size)
{
    const struct sgx_kernel *k = d->kernel;
    uint8_t *p = k->mmap(k->user, NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    if (p == MAP_FAILED)
        return -errno;
    uint64_t start = (uint64_t)p, base = (start + size - 1) & ~(size - 1);
    if (base > start)
        k->munmap(k->user, p, base - start);
    if (base < start + size)
        k->munmap(k->user, (void *)(base + size), start + size - base);
    d->base = base;
    d->size = size;
    return 0;
}

static void give_back(struct sgx_device *d)
{
    d->kernel->munmap(d->kernel->user, (void *)(d->base + d->hole), d->size - d->hole);
    d->created = false;
}

static int device_create(struct backend *b, struct sgx_secs *secs, uint64_t hole, char *error, size_t error_size)
{
    struct sgx_device *d = CONTAINER_OF(b, struct sgx_device, backend);
    if (d->created)
        return error_line(error, error_size, -EBUSY, "sgx: this enclave is created already");
    if (secs->size == 0 || secs->size & (secs->size - 1))
        return error_line(error, error_size, -EINVAL, "sgx: SECS.SIZE is not a power of two");
    int result = hole ? reserve_low(d, secs->size, hole) : reserve(d, secs->size);
    if (result < 0)
        return error_line(error, error_size, result, "sgx: cannot reserve address space%s: %s",
                          hole ? " from the low end (is vm.mmap_min_addr above 2 MiB, or the host no PIE?)" : "",
                          strerror(-result));
    d->created = true;
    secs->base = d->base;
    d->provision = secs->attributes.flags & SGX_FLAGS_PROVISION_KEY;
    struct sgx_enclave_create create = {.src = (uint64_t)secs};
    if (call(d, SGX_IOC_ENCLAVE_CREATE, &create) == 0)
        return 0;
    int code = errno;
    give_back(d);
    const char *why = code == EIO ? " (ECREATE refused: attributes, XFRM or MISCSELECT that this CPU does not allow)"
                      : code == ENOMEM ? " (no EPC left: is other software using it?)"
                                       : "";
    return error_line(error, error_size, -code, "sgx: SGX_IOC_ENCLAVE_CREATE: %s%s", strerror(code), why);
}

/* ---- calls that the driver may answer in part ---------------------------------------------------------------- */

/* The fields that such an argument has in common; src is NULL but for ADD_PAGES. */
struct range {
    uint64_t *offset, *length, *count, *src;
};

static void rest_a_millisecond(void)
{
    const struct timespec t = {.tv_nsec = 1000000};
    nanosleep(&t, NULL);
}

/* Repeat until all is done: the driver stops early for signals and for pages that are being paged out, and says in
 * count (bytes) how far it came. A count that cannot be is an error, not a reason to go on. */
static int call_until_done(struct sgx_device *d, unsigned long request, void *argument, struct range r)
{
    for (unsigned stalls = 0; *r.length > 0;) {
        *r.count = 0;
        int result = call(d, request, argument);
        int code = result < 0 ? errno : result > 0 ? EIO : 0;
        uint64_t done = *r.count;
        if (done > *r.length || done % SGX_PAGE_SIZE)
            return -EIO;
        *r.offset += done;
        *r.length -= done;
        if (r.src)
            *r.src += done;
        /* for ADD_PAGES busy means that the page is there already */
        bool later = code == EINTR || code == EAGAIN || (code == EBUSY && request != SGX_IOC_ENCLAVE_ADD_PAGES);
        if (code && !later)
            return -code;
        if (done == 0 && ++stalls > STALLS_MAX)
            return code ? -code : -EIO;
        if (done > 0)
            stalls = 0;
        else if (code != EINTR)
            rest_a_millisecond();
    }
    return 0;
}

/* ---- EADD, EEXTEND ------------------------------------------------------------------------------------------- */

static int add_chunk(struct sgx_device *d, uint64_t offset, uint64_t length, const void *src,
                     const struct sgx_secinfo *secinfo, bool measured)
{
    struct sgx_secinfo aligned __attribute__((aligned(64))) = *secinfo;
    struct sgx_enclave_add_pages add = {.src = (uint64_t)src,
                                        .offset = offset,
                                        .length = length,
                                        .secinfo = (uint64_t)&aligned,
                                        .flags = measured ? SGX_PAGE_MEASURE : 0};
    struct range range = {(uint64_t *)&add.offset, (uint64_t *)&add.length, (uint64_t *)&add.count,
                          (uint64_t *)&add.src};
    return call_until_done(d, SGX_IOC_ENCLAVE_ADD_PAGES, &add, range);
}

static int add_all(struct sgx_device *d, uint64_t offset, uint64_t length, const void *content,
                   const struct sgx_secinfo *secinfo, bool measured)
{
    int result = 0;
    if (content) { /* the driver wants a page-aligned source */
        uint8_t *aligned = aligned_alloc(SGX_PAGE_SIZE, length);
        if (!aligned)
            return -ENOMEM;
        memcpy(aligned, content, length);
        result = add_chunk(d, offset, length, aligned, secinfo, measured);
        free(aligned);
        return result;
    }
    for (uint64_t at = 0; at < length && result == 0; at += ADD_CHUNK)
        result =
            add_chunk(d, offset + at, length - at < ADD_CHUNK ? length - at : ADD_CHUNK, d->zeros, secinfo, measured);
    return result;
}

/* The most that the kernel lets a mapping of such pages have (its sgx_encl_may_map). */
static int protection_of(const struct sgx_secinfo *secinfo)
{
    if ((secinfo->flags >> 8 & 0xff) == PT_TCS)
        return PROT_READ | PROT_WRITE; /* for the CPU; nobody else can touch them */
    return (secinfo->flags & SECINFO_R ? PROT_READ : 0) | (secinfo->flags & SECINFO_W ? PROT_WRITE : 0) |
           (secinfo->flags & SECINFO_X ? PROT_EXEC : 0);
}

static int note_map(struct sgx_device *d, uint64_t offset, uint64_t length, int protection, bool dynamic)
{
    if (d->map_count > 0) {
        uint32_t last = d->map_count - 1;
        if (d->maps[last].offset + d->maps[last].length == offset && d->maps[last].protection == protection &&
            d->maps[last].dynamic == dynamic) {
            d->maps[last].length += length;
            return 0;
        }
    }
    if (d->map_count == MAPS_MAX)
        return -ENOSPC;
    d->maps[d->map_count].offset = offset;
    d->maps[d->map_count].length = length;
    d->maps[d->map_count].protection = protection;
    d->maps[d->map_count++].dynamic = dynamic;
    return 0;
}

static int device_add_pages(struct backend *b, uint64_t offset, uint64_t length, const void *content,
                            const struct sgx_secinfo *secinfo, bool measured, char *error, size_t error_size)
{
    struct sgx_device *d = CONTAINER_OF(b, struct sgx_device, backend);
    if (length == 0 || length % SGX_PAGE_SIZE || offset % SGX_PAGE_SIZE)
        return error_line(error, error_size, -EINVAL, "sgx: pages at %#lx: not whole, aligned pages", offset);
    int result = add_all(d, offset, length, content, secinfo, measured);
    if (result < 0)
        return error_line(error, error_size, result, "sgx: SGX_IOC_ENCLAVE_ADD_PAGES at %#lx: %s%s", offset,
                          strerror(-result), result == -ENOMEM ? " (no EPC left, or no memory to page it out to)" : "");
    result = note_map(d, offset, length, protection_of(secinfo), false);
    return result == 0 ? 0 : error_line(error, error_size, result, "sgx: too many kinds of pages");
}

static int device_allow_growth(struct backend *b, uint64_t offset, uint64_t length, char *error, size_t error_size)
{
    struct sgx_device *d = CONTAINER_OF(b, struct sgx_device, backend);
    int result = note_map(d, offset, length, PROT_READ | PROT_WRITE, true);
    return result == 0 ? 0 : error_line(error, error_size, result, "sgx: too many kinds of pages");
}

/* ---- EINIT --------------------------------------------------------------------------------------------------- */

/* ATTRIBUTES.PROVISION_KEY is granted to who may open /dev/sgx_provision. Only for an enclave that asked for it. */
static int allow_provision_key(struct sgx_device *d, char *error, size_t error_size)
{
    const struct sgx_kernel *k = d->kernel;
    int fd = k->open(k->user, SGX_PROVISION_DEVICE, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int code = errno;
        return error_line(error, error_size, -code, "sgx: %s: %s%s", SGX_PROVISION_DEVICE, strerror(code),
                          code == EACCES ? " (its group, often sgx_prv, may open it)" : "");
    }
    struct sgx_enclave_provision provision = {.fd = (uint64_t)fd};
    int result = call(d, SGX_IOC_ENCLAVE_PROVISION, &provision) == 0 ? 0 : -errno;
    k->close(k->user, fd);
    return result == 0 ? 0
                       : error_line(error, error_size, result, "sgx: SGX_IOC_ENCLAVE_PROVISION: %s", strerror(-result));
}

/* RESTRICT_PERMISSIONS of nothing: the driver looks for SGX2 first (-ENODEV), then at the argument (-EINVAL). An
 * older driver does not know the call (-ENOTTY). */
static bool has_edmm(struct sgx_device *d)
{
    struct sgx_enclave_restrict_permissions nothing = {0};
    return call(d, SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, &nothing) < 0 && errno == EINVAL;
}

static int map_pages(struct sgx_device *d, char *error, size_t error_size)
{
    const struct sgx_kernel *k = d->kernel;
    for (uint32_t i = 0; i < d->map_count; i++) {
        if (d->maps[i].dynamic && !d->backend.edmm)
            continue;
        void *at = (void *)(d->base + d->maps[i].offset);
        if (k->mmap(k->user, at, d->maps[i].length, d->maps[i].protection, MAP_SHARED | MAP_FIXED, d->fd) == at)
            continue;
        int code = errno;
        return error_line(error, error_size, -code, "sgx: mapping the enclave: %s%s", strerror(code),
                          code == EPERM    ? " (/dev is mounted noexec: remount it with exec)"
                          : code == EACCES ? " (more than the pages' own permissions)"
                                           : "");
    }
    return 0;
}

static int device_init(struct backend *b, const struct sgx_sigstruct *sigstruct, char *error, size_t error_size)
{
    struct sgx_device *d = CONTAINER_OF(b, struct sgx_device, backend);
    struct sgx_enclave_init init = {.sigstruct = (uint64_t)sigstruct};
    int result = d->provision ? allow_provision_key(d, error, error_size) : 0, code;
    if (result < 0)
        return result;
    do {
        result = call(d, SGX_IOC_ENCLAVE_INIT, &init);
        code = result < 0 ? errno : 0;
    } while (result < 0 && code == EINTR); /* EINIT waits for a quiet moment; a signal may end the wait */
    if (result > 0)                        /* out-of-tree drivers hand the leaf's code through */
        return error_line(error, error_size, -EPERM, "sgx: EINIT refused the enclave, SGX error %d", result);
    if (result < 0)
        return error_line(error, error_size, -code, "sgx: SGX_IOC_ENCLAVE_INIT: %s%s", strerror(code),
                          code == EPERM    ? " (EINIT refused: the signature, the measurement or the attributes)"
                          : code == EACCES ? " (an attribute that needs /dev/sgx_provision)"
                          : code == EINVAL ? " (SIGSTRUCT asks for what this CPU does not have)"
                                           : "");
    b->edmm = has_edmm(d);
    return map_pages(d, error, error_size);
}

/* ---- EDMM ---------------------------------------------------------------------------------------------------- */

static int change(struct sgx_device *d, unsigned long request, void *argument, struct range r)
{
    if (!d->backend.edmm)
        return -ENODEV;
    pthread_mutex_lock(&d->changing);
    int result = call_until_done(d, request, argument, r);
    pthread_mutex_unlock(&d->changing);
    return result;
}

static int device_restrict_permissions(struct backend *b, uint64_t offset, uint64_t length, uint32_t permissions,
                                       uint64_t *sgx_result)
{
    struct sgx_enclave_restrict_permissions a = {.offset = offset, .length = length, .permissions = permissions};
    struct range range = {(uint64_t *)&a.offset, (uint64_t *)&a.length, (uint64_t *)&a.count, NULL};
    int result = change(CONTAINER_OF(b, struct sgx_device, backend), SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, &a, range);
    *sgx_result = a.result;
    return result;
}

static int device_modify_type(struct backend *b, uint64_t offset, uint64_t length, enum sgx_page_type type,
                              uint64_t *sgx_result)
{
    struct sgx_enclave_modify_types a = {.offset = offset, .length = length, .page_type = type};
    struct range range = {(uint64_t *)&a.offset, (uint64_t *)&a.length, (uint64_t *)&a.count, NULL};
    int result = change(CONTAINER_OF(b, struct sgx_device, backend), SGX_IOC_ENCLAVE_MODIFY_TYPES, &a, range);
    *sgx_result = a.result;
    return result;
}

static int device_remove_pages(struct backend *b, uint64_t offset, uint64_t length)
{
    struct sgx_enclave_remove_pages a = {.offset = offset, .length = length};
    struct range range = {(uint64_t *)&a.offset, (uint64_t *)&a.length, (uint64_t *)&a.count, NULL};
    return change(CONTAINER_OF(b, struct sgx_device, backend), SGX_IOC_ENCLAVE_REMOVE_PAGES, &a, range);
}

/* ---- entering ------------------------------------------------------------------------------------------------ */

static int device_prepare_thread(struct backend *b)
{
    (void)b;
    return 0;
}

/* The vDSO keeps RBX, RBP and RSP of its caller; the enclave, or an exception's synthetic state, leaves the rest
 * cleared. Naming them here makes the compiler save and restore them around. */
static int device_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function,
                        unsigned long r8, unsigned long r9, struct enclave_run *run)
{
    int result = vdso_enter(rdi, rsi, rdx, function, r8, r9, run);
    __asm__ volatile("" : : : "r12", "r13", "r14", "r15", "memory");
    return result;
}

static void device_destroy(struct backend *b)
{
    struct sgx_device *d = CONTAINER_OF(b, struct sgx_device, backend);
    const struct sgx_kernel *k = d->kernel;
    if (d->created)
        give_back(d);
    munmap(d->zeros, ADD_CHUNK);
    k->close(k->user, d->fd);
    pthread_mutex_destroy(&d->changing);
    free(d);
}

static const struct backend_ops device_ops = {
    .name = "sgx",
    .create = device_create,
    .add_pages = device_add_pages,
    .allow_growth = device_allow_growth,
    .init = device_init,
    .prepare_thread = device_prepare_thread,
    .enter = device_enter,
    .restrict_permissions = device_restrict_permissions,
    .modify_type = device_modify_type,
    .remove_pages = device_remove_pages,
    .destroy = device_destroy,
};

/* What this CPU lets SECS have: CPUID leaf 12H, subleaves 0 and 1 (SDM 3D 33.7.2), and what the kernel has enabled. */
static void read_machine(struct sgx_device *d)
{
    const struct sgx_kernel *k = d->kernel;
    uint32_t leaf0[4], leaf1[4];
    k->cpuid(k->user, 0x12, 0, leaf0);
    k->cpuid(k->user, 0x12, 1, leaf1);
    d->backend.miscselect = leaf0[1] & SGX_MISC_EXINFO;
    d->backend.xfrm = k->xcr0(k->user) & 0xE7 & ((uint64_t)leaf1[3] << 32 | leaf1[2]);
}

int sgx_device_open(const struct sgx_kernel *kernel, struct backend **out, char *error, size_t error_size)
{
    int fd = kernel->open(kernel->user, SGX_ENCLAVE_DEVICE, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        int code = errno;
        const char *why = code == ENOENT   ? " (no SGX in this CPU or firmware, or a kernel without CONFIG_X86_SGX)"
                          : code == EACCES ? " (its mode or group does not let this user in; often the group is sgx)"
                                           : "";
        return error_line(error, error_size, -code, "sgx: %s: %s%s; `enclave-os doctor` tells more", SGX_ENCLAVE_DEVICE,
                          strerror(code), why);
    }
    vdso_enter = kernel->enter(kernel->user);
    if (!vdso_enter) {
        kernel->close(kernel->user, fd);
        return error_line(error, error_size, -ENOSYS,
                          "sgx: the kernel's vDSO has no SGX entry (Linux 5.11 or newer has)");
    }
    struct sgx_device *d = calloc(1, sizeof *d);
    uint8_t *zeros = mmap(NULL, ADD_CHUNK, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!d || zeros == MAP_FAILED) {
        free(d);
        kernel->close(kernel->user, fd);
        return error_line(error, error_size, -ENOMEM, "sgx: out of memory");
    }
    d->backend.ops = &device_ops;
    d->kernel = kernel;
    d->fd = fd;
    d->zeros = zeros;
    pthread_mutex_init(&d->changing, NULL);
    read_machine(d);
    *out = &d->backend;
    return 0;
}
