/* The running kernel, and the vDSO; see sgx_kernel.h. */
#include "sgx/loader/sgx_kernel.h"

#include <cpuid.h>
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* How many symbols a DT_GNU_HASH table covers: the end of the chain that starts last. */
static uint32_t gnu_symbol_count(const uint32_t *table)
{
    uint32_t bucket_count = table[0], first = table[1], bloom_words = table[2], last = 0;
    const uint32_t *buckets = table + 4 + 2 * (size_t)bloom_words, *chains = buckets + bucket_count;
    for (uint32_t i = 0; i < bucket_count; i++)
        last = buckets[i] > last ? buckets[i] : last;
    if (last < first)
        return first;
    while (!(chains[last - first] & 1))
        last++;
    return last + 1;
}

/* Find a symbol in the vDSO: its image is a complete little ELF file in memory. */
static const void *vdso_symbol(const char *name)
{
    const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
    if (!image)
        return NULL;
    const Elf64_Ehdr *eh = (const void *)image;
    const Elf64_Phdr *ph = (const void *)(image + eh->e_phoff);
    const Elf64_Dyn *dyn = NULL;
    const Elf64_Sym *symbols = NULL;
    const char *strings = NULL;
    const uint32_t *hash = NULL, *gnu_hash = NULL;
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
        else if (dyn->d_tag == DT_GNU_HASH)
            gnu_hash = at;
    }
    if (!symbols || !strings || (!hash && !gnu_hash))
        return NULL;
    uint32_t count = hash ? hash[1] : gnu_symbol_count(gnu_hash); /* a vDSO may have only one of the two */
    for (uint32_t i = 0; i < count; i++)
        if (symbols[i].st_value && !strcmp(strings + symbols[i].st_name, name))
            return image + symbols[i].st_value;
    return NULL;
}

enclave_enter_function sgx_kernel_vdso_enter(void)
{
    return (enclave_enter_function)vdso_symbol("__vdso_sgx_enter_enclave");
}

static int real_open(void *user, const char *path, int flags)
{
    return open(path, flags);
}

static int real_close(void *user, int fd)
{
    return close(fd);
}

static int real_ioctl(void *user, int fd, unsigned long request, void *argument)
{
    return ioctl(fd, request, argument);
}

static void *real_mmap(void *user, void *at, size_t length, int protection, int flags, int fd)
{
    return mmap(at, length, protection, flags, fd, 0);
}

static int real_munmap(void *user, void *at, size_t length)
{
    return munmap(at, length);
}

static enclave_enter_function real_enter(void *user)
{
    return sgx_kernel_vdso_enter();
}

static void real_cpuid(void *user, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof *out);
    if (leaf <= __get_cpuid_max(0, NULL))
        __cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
}

static uint64_t real_xcr0(void *user)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

const struct sgx_kernel sgx_kernel_real = {
    .open = real_open,
    .close = real_close,
    .ioctl = real_ioctl,
    .mmap = real_mmap,
    .munmap = real_munmap,
    .enter = real_enter,
    .cpuid = real_cpuid,
    .xcr0 = real_xcr0,
};
