/* EDMM's calls, for the stand-in for the kernel; see kernel_double.h. */
#include <asm/sgx.h>
#include <errno.h>
#include <sys/mman.h>

#include "sgx/loader/kernel_double_internal.h"

static int not_ready(struct kernel_double *k)
{
    if (!k->knows_edmm) {
        errno = ENOTTY;
        return -1;
    }
    if (!k->sgx2) {
        errno = ENODEV;
        return -1;
    }
    return k->initialised ? 0 : double_refuse(k, EINVAL, "EDMM before INIT");
}

static struct double_page *loaded(struct kernel_double *k, uint64_t offset)
{
    struct double_page *p = &k->pages[offset / PAGE];
    if (p->added)
        return p;
    double_refuse(k, EFAULT, "no page at %#lx", offset);
    return NULL;
}

static int restrict_page(struct kernel_double *k, const void *argument, uint64_t at)
{
    struct sgx_enclave_restrict_permissions *a = (void *)argument;
    struct double_page *p = loaded(k, a->offset + at);
    if (!p)
        return -1;
    if (p->type != 2)
        return double_refuse(k, EINVAL, "RESTRICT_PERMISSIONS of a page that is not PT_REG");
    p->permissions &= a->permissions; /* EMODPR only takes away */
    p->mark = true;
    return 0;
}

int double_restrict(struct kernel_double *k, struct sgx_enclave_restrict_permissions *a)
{
    if (not_ready(k))
        return -1;
    const char *fault = double_range_fault(k, a->offset, a->length);
    if (fault && !a->length && !a->offset) {
        errno = EINVAL; /* asking whether the call exists: nothing is wrong with that */
        return -1;
    }
    if (fault)
        return double_refuse(k, EINVAL, "RESTRICT_PERMISSIONS: %s", fault);
    if (a->permissions & ~(uint64_t)RWX || (a->permissions & 2 && !(a->permissions & 1)))
        return double_refuse(k, EINVAL, "RESTRICT_PERMISSIONS: permissions");
    if (a->result || a->count)
        return double_refuse(k, EINVAL, "RESTRICT_PERMISSIONS: result and count are the driver's to set");
    return double_for_pages(k, CALL_RESTRICT, a->length, &a->count, restrict_page, a);
}

static int modify_page(struct kernel_double *k, const void *argument, uint64_t at)
{
    struct sgx_enclave_modify_types *a = (void *)argument;
    struct double_page *p = loaded(k, a->offset + at);
    if (!p)
        return -1;
    if (!(p->type == 2 || (p->type == 1 && a->page_type == 4)))
        return double_refuse(k, EINVAL, "MODIFY_TYPES: not from this type to that");
    if (a->page_type == 1 && (p->max_protection & (PROT_READ | PROT_WRITE)) != (PROT_READ | PROT_WRITE))
        return double_refuse(k, EPERM, "MODIFY_TYPES: a TCS out of a page that was not RW");
    if (p->mark) {
        a->result = SGX_PAGE_NOT_MODIFIABLE;
        return double_refuse(k, EFAULT, "EMODT of a page that was changed and not accepted");
    }
    p->type = (uint8_t)a->page_type;
    p->permissions = 0;
    p->mark = true;
    return 0;
}

int double_modify(struct kernel_double *k, struct sgx_enclave_modify_types *a)
{
    if (not_ready(k))
        return -1;
    const char *fault = double_range_fault(k, a->offset, a->length);
    if (fault)
        return double_refuse(k, EINVAL, "MODIFY_TYPES: %s", fault);
    if (a->page_type != 1 && a->page_type != 4)
        return double_refuse(k, EINVAL, "MODIFY_TYPES: neither PT_TCS nor PT_TRIM");
    if (a->result || a->count)
        return double_refuse(k, EINVAL, "MODIFY_TYPES: result and count are the driver's to set");
    return double_for_pages(k, CALL_MODIFY, a->length, &a->count, modify_page, a);
}

static int remove_page(struct kernel_double *k, const void *argument, uint64_t at)
{
    const struct sgx_enclave_remove_pages *a = argument;
    struct double_page *p = loaded(k, a->offset + at);
    if (!p)
        return -1;
    if (p->type != 4 || p->mark)
        return double_refuse(k, EPERM, "REMOVE_PAGES: not PT_TRIM, or not accepted by the enclave");
    *p = (struct double_page){0};
    k->added--;
    return 0;
}

int double_remove(struct kernel_double *k, struct sgx_enclave_remove_pages *a)
{
    if (not_ready(k))
        return -1;
    const char *fault = double_range_fault(k, a->offset, a->length);
    if (fault)
        return double_refuse(k, EINVAL, "REMOVE_PAGES: %s", fault);
    if (a->count)
        return double_refuse(k, EINVAL, "REMOVE_PAGES: count is the driver's to set");
    return double_for_pages(k, CALL_REMOVE, a->length, &a->count, remove_page, a);
}
