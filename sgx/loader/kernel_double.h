/*
 * A stand-in for the kernel's SGX driver, for tests on machines without SGX: it takes the calls that sgx_device.c makes
 * (sgx_kernel.h), judges each argument by the driver's rules and the CPU's, page by page, and keeps what the driver
 * would keep. It adds no page and runs nothing. The measurement and the signature check are its own: they share no
 * code with sgx/sign.
 *
 * The rules are those of Linux 6.x (uapi asm/sgx.h; arch/x86/kernel/cpu/sgx/ioctl.c and encl.c) and of SDM 3D for what
 * ECREATE, EADD, EINIT, EMODPR and EMODT refuse. Each refusal sets the driver's errno and, in broken, the rule.
 */
#ifndef ENCLAVE_OS_SGX_LOADER_KERNEL_DOUBLE_H
#define ENCLAVE_OS_SGX_LOADER_KERNEL_DOUBLE_H

#include "sgx/loader/sgx_kernel.h"

#define DOUBLE_FD 4242
#define DOUBLE_PROVISION_FD 4243
#define DOUBLE_PLAN_MAX 16u
#define DOUBLE_MAPS_MAX 1024u

enum double_call { /* the ioctls, by their number */
                   CALL_CREATE,
                   CALL_ADD,
                   CALL_INIT,
                   CALL_PROVISION,
                   CALL_RESTRICT = 5,
                   CALL_MODIFY,
                   CALL_REMOVE,
                   CALL_COUNT
};

/* At its nth call (from 1) this ioctl stops after so many pages, with code as errno; 0: it just stops early. */
struct double_stop {
    enum double_call call;
    unsigned nth;
    uint64_t pages;
    int code;
};

struct double_page {
    bool added, measured;
    bool mark; /* changed by EMODPR or EMODT, and not accepted yet */
    uint8_t type;
    uint8_t permissions; /* SECINFO_R, W, X in the EPCM */
    int max_protection;  /* that a mapping may have */
};

struct kernel_double {
    struct sgx_kernel kernel; /* what sgx_device_open gets */

    /* The machine; set before use. double_init chooses a machine with everything. */
    int open_error;           /* errno of opening the device; 0: it opens */
    int provision_open_error; /* of /dev/sgx_provision */
    bool no_vdso;
    bool noexec;        /* /dev is mounted noexec */
    bool sgx2;          /* the CPU */
    bool knows_edmm;    /* the driver: Linux 6.0 and newer */
    uint64_t xfrm;      /* CPUID 12H.1: allowed in ATTRIBUTES.XFRM */
    uint32_t misc;      /* CPUID 12H.0: allowed in MISCSELECT */
    uint64_t epc_pages; /* that may be added */
    struct double_stop plan[DOUBLE_PLAN_MAX];
    enclave_enter_function enter;

    /* What happened. */
    char broken[160]; /* the first rule that an argument broke; "" if none */
    unsigned calls[CALL_COUNT];
    bool created, initialised;
    struct sgx_secs secs;
    struct double_page *pages;
    uint64_t page_count, added, measured;
    uint8_t mrenclave[32];     /* valid after INIT was tried */
    enum sgx_error einit_code; /* of the last EINIT */
    uint64_t attributes_allowed;
    struct {
        uint64_t offset, length;
        int protection;
    } maps[DOUBLE_MAPS_MAX];
    unsigned map_count;
    unsigned open_fds;
    void *sha; /* EVP_MD_CTX */
};

void double_init(struct kernel_double *k);
void double_deinit(struct kernel_double *k);

/* What the enclave's EACCEPT would do: take the marks from pages. */
void double_accept(struct kernel_double *k, uint64_t offset, uint64_t length);

/* Is each page that was added mapped once, with just what it may have, and nothing else but room to grow? */
bool double_maps_fit(const struct kernel_double *k);

#endif
