/*
 * Does the emulator obey the rules of SGX that software can see? Each case builds the tiny enclave of test_enclave.h
 * through the backend interface, in a process of its own, and names its rule:
 *
 *   rule (Intel SDM vol. 3D)                                    tested by
 *   ECREATE: SIZE, XFRM, MISCSELECT, FLAGS, SSAFRAMESIZE        build_test.c      create_refuses
 *   EADD: place, SECINFO, every TCS field                       build_test.c      add_refuses_*
 *   EINIT: measurement, fixed fields, signature, Q1 and Q2,     build_test.c      init_*
 *     ATTRIBUTES, MISCSELECT under their masks
 *   EENTER: RAX, RBX, RCX, FS and GS base; EEXIT                enter_test.c      enter_state
 *   a TCS is entered by one logical processor at a time         enter_test.c      busy_tcs
 *   EENTER and ERESUME: unknown TCS, no frame left, no frame    enter_test.c      enter_refuses, nested
 *   ERESUME: a bad XSAVE header                                 enter_test.c      resume_checks_xsave
 *   AEX: SSA frame complete, synthetic state, ERESUME           exception_test.c  registers
 *   EXITINFO: #UD (`syscall` too), #DE, #BP                     exception_test.c  illegal_syscall, divide, breakpoint
 *   EXITINFO and EXINFO: #PF, #GP, with and without             exception_test.c  page_faults_*
 *   EPCM permissions: W, X, TCS pages, no page                  exception_test.c  page_faults_*,
 *                                                                                code_must_be_executable
 *   EREPORT: content, MAC, target, operands                     key_test.c        report_*
 *   EGETKEY: each input counts, refusals, operands              key_test.c        key_*
 *
 * Not tested, as software cannot see it on the emulator: memory encryption, debug access, EDMM, single-stepping.
 */
#include "sgx/emulator/test_enclave.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern EVP_PKEY *te_signing_key;
extern const char *te_machine_dir;

#define CASE_SECONDS 20

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

static bool passes(const struct te_case *c)
{
    fflush(NULL);
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
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/emulator_test.XXXXXX", path[64];
    te_machine_dir = mkdtemp(folder);
    CHECK(te_machine_dir);
    te_signing_key = make_key();
    const struct te_case *const groups[] = {te_build_cases, te_enter_cases, te_exception_cases, te_key_cases};
    unsigned failed = 0, count = 0;
    for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++)
        for (const struct te_case *c = groups[i]; c->name; c++) {
            if (argc > 1 && strcmp(argv[1], c->name) != 0)
                continue;
            bool ok = passes(c);
            printf("%s %s\n", ok ? "ok    " : "FAILED", c->name);
            failed += !ok;
            count++;
        }
    EVP_PKEY_free(te_signing_key);
    snprintf(path, sizeof path, "%s/fuse-key", folder);
    unlink(path);
    rmdir(folder);
    printf("%u of %u cases failed\n", failed, count);
    return failed || !count ? 1 : 0;
}
