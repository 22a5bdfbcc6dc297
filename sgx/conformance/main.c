/*
 * The conformance suite: does what runs the enclave obey the rules of SGX that software can see? Each case builds the
 * tiny enclave of test_enclave.h through the backend interface, in a process of its own, and names its rule:
 *
 *   rule (Intel SDM vol. 3D)                                    tested by
 *   ECREATE: SIZE, XFRM, MISCSELECT, FLAGS, SSAFRAMESIZE        build_test.c      create_refuses
 *   EADD: place, SECINFO, every TCS field                       build_test.c      add_refuses_*
 *   EINIT: every field of SIGSTRUCT, measurement, signature,    build_test.c      init_*
 *     Q1 and Q2, ATTRIBUTES and MISCSELECT under their masks
 *   EENTER: RAX, RBX, RCX, FS and GS base; EEXIT                enter_test.c      enter_state
 *   a TCS is entered by one logical processor at a time         enter_test.c      busy_tcs
 *   EENTER and ERESUME: unknown TCS, no frame left, no frame    enter_test.c      enter_refuses, nested
 *   ERESUME: a bad XSAVE header                                 enter_test.c      resume_checks_xsave
 *   AEX: SSA frame complete (general, SSE, AVX, AVX-512),       exception_test.c  registers, wide_registers,
 *     synthetic state, ERESUME; nested up to NSSA                                   nested_registers
 *   EXITINFO: #UD (`syscall` and CPUID too), #DE, #BP           exception_test.c  illegal_*, divide, breakpoint
 *   EXITINFO and EXINFO: #PF, #GP, with and without             exception_test.c  page_faults_*
 *   EPCM permissions: W, X, TCS pages, no page                  exception_test.c  page_faults_*,
 *                                                                                code_must_be_executable
 *   EREPORT: content, MAC, target, operands                     key_test.c        report_*
 *   EGETKEY: each input and mask counts, policies, order of     key_test.c        key_*, policies_*, versions_*,
 *     SVNs, refusals, operands, provisioning keys                                   masks_*, provisioning_keys
 *   EAUG, EACCEPT, EACCEPTCOPY, EMODPE, EMODPR, EMODT, EREMOVE  edmm_test.c       all
 *
 * `conformance emulator [CASE]` or `conformance hardware [CASE]`. On hardware the enclave is a debug enclave, so that
 * the suite can look into it; cases that need more than that are skipped and say so. Without /dev/sgx_enclave the whole
 * is skipped, with exit status 77. What the emulator cannot model at all: docs/emulator.md.
 */
#include "sgx/conformance/test_enclave.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sgx/loader/sgx_device.h"

#define CASE_SECONDS 60

static EVP_PKEY *make_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
    BIGNUM *three = BN_new();
    EVP_PKEY *key = NULL;
    CHECK(ctx && three && BN_set_word(three, 3) && EVP_PKEY_keygen_init(ctx) == 1);
    CHECK(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 3072) == 1 && EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, three) == 1);
    CHECK(EVP_PKEY_keygen(ctx, &key) == 1);
    BN_free(three);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

enum outcome { PASSED, FAILED, SKIPPED };

static enum outcome run_case(const struct te_case *c)
{
    fflush(NULL);
    if (c->emulator_only && te_on_hardware)
        return SKIPPED;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(CASE_SECONDS);
        c->run();
        exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status))
        fprintf(stderr, "%s: killed by signal %d\n", c->name, WTERMSIG(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == TE_SKIPPED)
        return SKIPPED;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? PASSED : FAILED;
}

static int run_all(const char *only)
{
    static const char *const words[] = {"ok", "FAILED", "skipped"};
    const struct te_case *const groups[] = {te_build_cases, te_enter_cases, te_exception_cases, te_key_cases,
                                            te_edmm_cases};
    unsigned counts[3] = {0};
    for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++)
        for (const struct te_case *c = groups[i]; c->name; c++) {
            if (only && strcmp(only, c->name) != 0)
                continue;
            enum outcome o = run_case(c);
            printf("%-7s %s\n", words[o], c->name);
            counts[o]++;
        }
    printf("%u passed, %u failed, %u skipped\n", counts[PASSED], counts[FAILED], counts[SKIPPED]);
    return counts[FAILED] || !counts[PASSED] ? 1 : 0;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/conformance.XXXXXX", path[64];
    te_on_hardware = argc > 1 && strcmp(argv[1], "hardware") == 0;
    if (argc < 2 || (!te_on_hardware && strcmp(argv[1], "emulator") != 0)) {
        fprintf(stderr, "usage: conformance emulator|hardware [CASE]\n");
        return 2;
    }
    if (te_on_hardware && access(SGX_ENCLAVE_DEVICE, R_OK | W_OK) != 0) {
        printf("skipped: " SGX_ENCLAVE_DEVICE " cannot be opened here\n");
        return TE_SKIPPED;
    }
    te_machine_dir = mkdtemp(folder);
    CHECK(te_machine_dir);
    te_signing_key = make_key();
    te_other_key = make_key();
    int result = run_all(argc > 2 ? argv[2] : NULL);
    EVP_PKEY_free(te_signing_key);
    EVP_PKEY_free(te_other_key);
    snprintf(path, sizeof path, "%s/fuse-key", folder);
    unlink(path);
    rmdir(folder);
    return result;
}
