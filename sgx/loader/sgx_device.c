/*
 * The in-kernel driver (uapi asm/sgx.h): CREATE, ADD_PAGES, INIT on /dev/sgx_enclave, pages mapped by segment with
 * the permissions they were added with, and __vdso_sgx_enter_enclave.
 */
#include "sgx/loader/sgx_device.h"

#include <asm/sgx.h>
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define ADD_CHUNK (64u << 20) /* the zero pages that back unmeasured content come from one buffer of this size */

struct sgx_device {
    struct backend backend;
    int fd;
    uint64_t base, size;
    uint8_t *zeros;
    struct {
        uint64_t offset, length;
        int protection;
    } maps[128];
    uint32_t map_count;
};

static enclave_enter_function vdso_enter;

/* Find a symbol in the vDSO: its image is a complete little ELF file in memory. */
static void *vdso_symbol(const char *name)
{
    const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
    if (!image)
        return NULL;
    const Elf64_Ehdr *eh = (const void *)image;
    const Elf64_Phdr *ph = (const void *)(image + eh->e_phoff);
    const Elf64_Dyn *dyn = NULL;
    const Elf64_Sym *symbols = NULL;
    const char *strings = NULL;
    const uint32_t *hash = NULL;
    for (int i = 0; i < eh->e_phnum; i++)
        if (ph[i].p_type == PT_DYNAMIC)
            dyn = (const void *)(image + ph[i].p_offset);
    for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
        const void *at = image + dyn->d_un.d_ptr;
        if (dyn->d_tag == DT_SYMTAB)
            symbols = at;
        else if (dyn->d_tag == DT_STRTAB)
            strings = at;
        else if (dyn->d_tag == DT_HASH)
            hash = at;
    }
    for (uint32_t i = 0; symbols && strings && hash && i < hash[1]; i++)
        if (!strcmp(strings + symbols[i].st_name, name))
            return (void *)(image + symbols[i].st_value);
    return NULL;
}

static int device_create(struct backend *b, struct sgx_secs *secs, char *error, size_t error_size)
{
    struct sgx_device *d = (struct sgx_device *)b;
    /* ELRANGE must be aligned to its size: reserve twice as much and keep the aligned part */
    uint8_t *p = mmap(NULL, 2 * secs->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        snprintf(error, error_size, "sgx: cannot reserve address space: %s", strerror(errno));
        return -errno;
    }
    uint64_t base = ((uint64_t)p + secs->size - 1) & ~(secs->size - 1);
    if (base > (uint64_t)p)
        munmap(p, base - (uint64_t)p);
    munmap((void *)(base + secs->size), (uint64_t)p + secs->size - base);
    secs->base = d->base = base;
    d->size = secs->size;
    struct sgx_enclave_create create = {.src = (uint64_t)secs};
    if (ioctl(d->fd, SGX_IOC_ENCLAVE_CREATE, &create) != 0) {
        int code = errno;
        snprintf(error, error_size, "sgx: SGX_IOC_ENCLAVE_CREATE: %s", strerror(code));
        return -code;
    }
    return 0;
}

static int add_chunk(struct sgx_device *d, uint64_t offset, uint64_t length, const void *src,
                     const struct sgx_secinfo *secinfo, bool measured)
{
    struct sgx_secinfo aligned __attribute__((aligned(64))) = *secinfo;
    struct sgx_enclave_add_pages add = {.src = (uint64_t)src,
                                        .offset = offset,
                                        .length = length,
                                        .secinfo = (uint64_t)&aligned,
                                        .flags = measured ? SGX_PAGE_MEASURE : 0};
    while (add.length > 0) {
        add.count = 0;
        int result = ioctl(d->fd, SGX_IOC_ENCLAVE_ADD_PAGES, &add);
        if (result != 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        add.src += add.count; /* the driver may stop early */
        add.offset += add.count;
        add.length -= add.count;
    }
    return 0;
}

static int device_add_pages(struct backend *b, uint64_t offset, uint64_t length, const void *content,
                            const struct sgx_secinfo *secinfo, bool measured, char *error, size_t error_size)
{
    struct sgx_device *d = (struct sgx_device *)b;
    int result = 0;
    uint8_t *aligned = NULL;
    if (content) { /* the driver wants a page-aligned source */
        aligned = aligned_alloc(SGX_PAGE_SIZE, length);
        if (!aligned)
            return -ENOMEM;
        memcpy(aligned, content, length);
        result = add_chunk(d, offset, length, aligned, secinfo, measured);
    }
    for (uint64_t at = 0; !content && at < length && result == 0; at += ADD_CHUNK)
        result =
            add_chunk(d, offset + at, length - at < ADD_CHUNK ? length - at : ADD_CHUNK, d->zeros, secinfo, measured);
    free(aligned);
    if (result < 0) {
        snprintf(error, error_size, "sgx: SGX_IOC_ENCLAVE_ADD_PAGES at %#lx: %s", offset, strerror(-result));
        return result;
    }
    if (d->map_count == sizeof d->maps / sizeof *d->maps)
        return -ENOSPC;
    bool tcs = (secinfo->flags >> 8 & 0xff) == PT_TCS;
    int protection = tcs ? PROT_READ | PROT_WRITE
                         : (secinfo->flags & SECINFO_R ? PROT_READ : 0) |
                               (secinfo->flags & SECINFO_W ? PROT_WRITE : 0) |
                               (secinfo->flags & SECINFO_X ? PROT_EXEC : 0);
    d->maps[d->map_count].offset = offset;
    d->maps[d->map_count].length = length;
    d->maps[d->map_count++].protection = protection;
    return 0;
}

static int device_init(struct backend *b, const struct sgx_sigstruct *sigstruct, char *error, size_t error_size)
{
    struct sgx_device *d = (struct sgx_device *)b;
    struct sgx_enclave_init init = {.sigstruct = (uint64_t)sigstruct};
    int result = ioctl(d->fd, SGX_IOC_ENCLAVE_INIT, &init);
    if (result != 0) {
        int code = result < 0 ? errno : EPERM;
        if (result < 0)
            snprintf(error, error_size, "sgx: SGX_IOC_ENCLAVE_INIT: %s", strerror(code));
        else
            snprintf(error, error_size, "sgx: EINIT refused the enclave, SGX error %d", result);
        return -code;
    }
    for (uint32_t i = 0; i < d->map_count; i++) {
        void *at = (void *)(d->base + d->maps[i].offset);
        if (mmap(at, d->maps[i].length, d->maps[i].protection, MAP_SHARED | MAP_FIXED, d->fd, 0) != at) {
            int code = errno;
            snprintf(error, error_size, "sgx: mapping the enclave: %s%s", strerror(code),
                     code == EPERM ? " (is /dev mounted noexec?)" : "");
            return -code;
        }
    }
    return 0;
}

static int device_prepare_thread(struct backend *b)
{
    (void)b;
    return 0;
}

/* The vDSO keeps only RBX, RBP and RSP of its caller: the enclave leaves the others cleared. */
static int device_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function,
                        unsigned long r8, unsigned long r9, struct enclave_run *run)
{
    int result = vdso_enter(rdi, rsi, rdx, function, r8, r9, run);
    __asm__ volatile("" : : : "r12", "r13", "r14", "r15", "memory");
    return result;
}

static void device_destroy(struct backend *b)
{
    struct sgx_device *d = (struct sgx_device *)b;
    if (d->base)
        munmap((void *)d->base, d->size);
    if (d->zeros)
        munmap(d->zeros, ADD_CHUNK);
    close(d->fd);
    free(d);
}

static const struct backend_ops device_ops = {
    .name = "sgx",
    .create = device_create,
    .add_pages = device_add_pages,
    .init = device_init,
    .prepare_thread = device_prepare_thread,
    .enter = device_enter,
    .destroy = device_destroy,
};

int sgx_device_open(struct backend **out, char *error, size_t error_size)
{
    int fd = open("/dev/sgx_enclave", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        int code = errno;
        snprintf(error, error_size, "sgx: /dev/sgx_enclave: %s%s", strerror(code),
                 code == ENOENT ? " (no SGX in this CPU or firmware, or a kernel without CONFIG_X86_SGX)" : "");
        return -code;
    }
    vdso_enter = (enclave_enter_function)vdso_symbol("__vdso_sgx_enter_enclave");
    struct sgx_device *d = calloc(1, sizeof *d);
    uint8_t *zeros = mmap(NULL, ADD_CHUNK, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!vdso_enter || !d || zeros == MAP_FAILED) {
        snprintf(error, error_size, "sgx: %s", vdso_enter ? "out of memory" : "the kernel's vDSO has no SGX entry");
        free(d);
        close(fd);
        return vdso_enter ? -ENOMEM : -ENOSYS;
    }
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    d->backend.ops = &device_ops;
    d->backend.xfrm = low & 0xE7;
    uint32_t eax, ebx = 0, ecx, edx;
    __cpuid_count(0x12, 0, eax, ebx, ecx, edx); /* the leaf that enumerates SGX, SDM 3D 33.7.2 */
    d->backend.miscselect = ebx & SGX_MISC_EXINFO;
    d->fd = fd;
    d->zeros = zeros;
    *out = &d->backend;
    return 0;
}
