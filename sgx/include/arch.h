/*
 * SGX's architectural structures, leaf numbers and error codes: Intel SDM vol. 3D, chapters 34 to 40.
 *
 * Everything is little-endian and has the CPU's layout; the static asserts hold the offsets. Freestanding, used by
 * both sides and by the tools.
 */
#ifndef ENCLAVE_OS_SGX_ARCH_H
#define ENCLAVE_OS_SGX_ARCH_H

#include <stddef.h>
#include <stdint.h>

#define SGX_PAGE_SIZE 4096u

/* ENCLU leaves (user mode), SDM 3D table 36-2. */
#define ENCLU_EREPORT 0
#define ENCLU_EGETKEY 1
#define ENCLU_EENTER 2
#define ENCLU_ERESUME 3
#define ENCLU_EEXIT 4
#define ENCLU_EACCEPT 5
#define ENCLU_EMODPE 6
#define ENCLU_EACCEPTCOPY 7

/* Error codes that leaves return in RAX, SDM 3D table 36-5. */
enum sgx_error {
    SGX_SUCCESS = 0,
    SGX_INVALID_SIG_STRUCT = 1,
    SGX_INVALID_ATTRIBUTE = 2,
    SGX_BLKSTATE = 3,
    SGX_INVALID_MEASUREMENT = 4,
    SGX_NOTBLOCKABLE = 5,
    SGX_PG_INVLD = 6,
    SGX_EPC_PAGE_CONFLICT = 7,
    SGX_INVALID_SIGNATURE = 8,
    SGX_MAC_COMPARE_FAIL = 9,
    SGX_PAGE_NOT_BLOCKED = 10,
    SGX_NOT_TRACKED = 11,
    SGX_VA_SLOT_OCCUPIED = 12,
    SGX_CHILD_PRESENT = 13,
    SGX_ENCLAVE_ACT = 14,
    SGX_ENTRYEPOCH_LOCKED = 15,
    SGX_INVALID_EINITTOKEN = 16,
    SGX_PREV_TRK_INCMPL = 17,
    SGX_PG_IS_SECS = 18,
    SGX_PAGE_ATTRIBUTES_MISMATCH = 19,
    SGX_PAGE_NOT_MODIFIABLE = 20,
    SGX_PAGE_NOT_DEBUGGABLE = 21,
    SGX_INVALID_COUNTER = 25,
    SGX_INVALID_CPUSVN = 32,
    SGX_INVALID_ISVSVN = 64,
    SGX_UNMASKED_EVENT = 128,
    SGX_INVALID_KEYNAME = 256,
};

struct sgx_attributes {
    uint64_t flags;
    uint64_t xfrm;
};
#define SGX_FLAGS_INIT 0x01ull
#define SGX_FLAGS_DEBUG 0x02ull
#define SGX_FLAGS_MODE64BIT 0x04ull
#define SGX_FLAGS_PROVISION_KEY 0x10ull
#define SGX_FLAGS_EINITTOKEN_KEY 0x20ull
#define SGX_FLAGS_KSS 0x80ull
#define SGX_XFRM_LEGACY 0x3ull /* x87 and SSE: always set */

#define SGX_MISC_EXINFO 0x1u

struct sgx_secs {
    uint64_t size;
    uint64_t base;
    uint32_t ssa_frame_size; /* pages */
    uint32_t miscselect;
    uint8_t cet_leg_bitmap_offset[8];
    uint8_t cet_attributes;
    uint8_t reserved1[15];
    struct sgx_attributes attributes;
    uint8_t mrenclave[32];
    uint8_t reserved2[32];
    uint8_t mrsigner[32];
    uint8_t reserved3[32];
    uint8_t configid[64];
    uint16_t isvprodid;
    uint16_t isvsvn;
    uint16_t configsvn;
    uint8_t reserved4[3834];
};
_Static_assert(sizeof(struct sgx_secs) == 4096, "SECS");
_Static_assert(offsetof(struct sgx_secs, attributes) == 48, "SECS.ATTRIBUTES");
_Static_assert(offsetof(struct sgx_secs, mrsigner) == 128, "SECS.MRSIGNER");
_Static_assert(offsetof(struct sgx_secs, isvprodid) == 256, "SECS.ISVPRODID");

struct sgx_tcs {
    uint64_t state; /* reserved for the CPU */
    uint64_t flags;
    uint64_t ossa;
    uint32_t cssa;
    uint32_t nssa;
    uint64_t oentry;
    uint64_t aep; /* reserved for the CPU */
    uint64_t ofsbase;
    uint64_t ogsbase;
    uint32_t fslimit;
    uint32_t gslimit;
    uint8_t reserved[4024];
};
_Static_assert(sizeof(struct sgx_tcs) == 4096, "TCS");
#define TCS_DBGOPTIN 0x1ull

struct sgx_secinfo {
    uint64_t flags;
    uint8_t reserved[56];
};
_Static_assert(sizeof(struct sgx_secinfo) == 64, "SECINFO");
#define SECINFO_R 0x1u
#define SECINFO_W 0x2u
#define SECINFO_X 0x4u
#define SECINFO_PENDING 0x8u
#define SECINFO_MODIFIED 0x10u
#define SECINFO_PR 0x20u
#define SECINFO_TYPE(t) ((uint64_t)(t) << 8)
enum sgx_page_type { PT_SECS = 0, PT_TCS = 1, PT_REG = 2, PT_VA = 3, PT_TRIM = 4 };

/* Saved state area, SDM 3D 35.9: XSAVE at the frame's start, GPRSGX at its end, MISC just below GPRSGX. */
struct sgx_gprsgx {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rflags, rip, ursp, urbp;
    uint32_t exitinfo;
    uint8_t reserved[3];
    uint8_t aexnotify;
    uint64_t fsbase, gsbase;
};
_Static_assert(sizeof(struct sgx_gprsgx) == 184, "GPRSGX");

struct sgx_exinfo {
    uint64_t maddr;
    uint32_t errcd;
    uint32_t reserved;
};
_Static_assert(sizeof(struct sgx_exinfo) == 16, "EXINFO");

#define EXITINFO_VALID 0x80000000u
#define EXITINFO_TYPE_HARDWARE (3u << 8)
#define EXITINFO_TYPE_SOFTWARE (6u << 8)
#define EXITINFO_VECTOR(info) ((info)&0xffu)
#define PF_PRESENT 0x1u /* a page fault's error code */
#define PF_WRITE 0x2u
#define PF_USER 0x4u
#define PF_FETCH 0x10u
#define PF_SGX 0x8000u /* the EPCM refused, not the page tables */
enum x86_vector {
    VEC_DE = 0,
    VEC_DB = 1,
    VEC_BP = 3,
    VEC_BR = 5,
    VEC_UD = 6,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_MF = 16,
    VEC_AC = 17,
    VEC_XM = 19
};

struct sgx_sigstruct {
    uint8_t header[16];
    uint32_t vendor;
    uint32_t date; /* BCD, yyyymmdd */
    uint8_t header2[16];
    uint32_t swdefined;
    uint8_t reserved1[84];
    uint8_t modulus[384]; /* little-endian, like every big number here */
    uint32_t exponent;
    uint8_t signature[384];
    uint32_t miscselect;
    uint32_t miscmask;
    uint8_t cet_attributes;
    uint8_t cet_attributes_mask;
    uint8_t reserved2[2];
    uint8_t isvfamilyid[16];
    struct sgx_attributes attributes;
    struct sgx_attributes attributemask;
    uint8_t enclavehash[32];
    uint8_t reserved3[16];
    uint8_t isvextprodid[16];
    uint16_t isvprodid;
    uint16_t isvsvn;
    uint8_t reserved4[12];
    uint8_t q1[384];
    uint8_t q2[384];
};
_Static_assert(sizeof(struct sgx_sigstruct) == 1808, "SIGSTRUCT");
_Static_assert(offsetof(struct sgx_sigstruct, miscselect) == 900, "SIGSTRUCT.MISCSELECT");
_Static_assert(offsetof(struct sgx_sigstruct, enclavehash) == 960, "SIGSTRUCT.ENCLAVEHASH");
_Static_assert(offsetof(struct sgx_sigstruct, q1) == 1040, "SIGSTRUCT.Q1");

struct sgx_report_body {
    uint8_t cpusvn[16];
    uint32_t miscselect;
    uint8_t cet_attributes;
    uint8_t reserved1[11];
    uint8_t isvextprodid[16];
    struct sgx_attributes attributes;
    uint8_t mrenclave[32];
    uint8_t reserved2[32];
    uint8_t mrsigner[32];
    uint8_t reserved3[32];
    uint8_t configid[64];
    uint16_t isvprodid;
    uint16_t isvsvn;
    uint16_t configsvn;
    uint8_t reserved4[42];
    uint8_t isvfamilyid[16];
    uint8_t reportdata[64];
};
_Static_assert(sizeof(struct sgx_report_body) == 384, "REPORT body");
_Static_assert(offsetof(struct sgx_report_body, reportdata) == 320, "REPORTDATA");

struct sgx_report {
    struct sgx_report_body body;
    uint8_t keyid[32];
    uint8_t mac[16];
};
_Static_assert(sizeof(struct sgx_report) == 432, "REPORT");

struct sgx_targetinfo {
    uint8_t mrenclave[32];
    struct sgx_attributes attributes;
    uint8_t cet_attributes;
    uint8_t reserved1;
    uint16_t configsvn;
    uint32_t miscselect;
    uint8_t reserved2[8];
    uint8_t configid[64];
    uint8_t reserved3[384];
};
_Static_assert(sizeof(struct sgx_targetinfo) == 512, "TARGETINFO");

struct sgx_keyrequest {
    uint16_t keyname;
    uint16_t keypolicy;
    uint16_t isvsvn;
    uint8_t cet_attributes_mask;
    uint8_t reserved1;
    uint8_t cpusvn[16];
    struct sgx_attributes attributemask;
    uint8_t keyid[32];
    uint32_t miscmask;
    uint16_t configsvn;
    uint8_t reserved2[434];
};
_Static_assert(sizeof(struct sgx_keyrequest) == 512, "KEYREQUEST");
enum sgx_keyname {
    KEYNAME_EINITTOKEN = 0,
    KEYNAME_PROVISION = 1,
    KEYNAME_PROVISION_SEAL = 2,
    KEYNAME_REPORT = 3,
    KEYNAME_SEAL = 4
};
#define KEYPOLICY_MRENCLAVE 0x1u
#define KEYPOLICY_MRSIGNER 0x2u
#define KEYPOLICY_NOISVPRODID 0x4u
#define KEYPOLICY_CONFIGID 0x8u
#define KEYPOLICY_ISVFAMILYID 0x10u
#define KEYPOLICY_ISVEXTPRODID 0x20u

#endif
