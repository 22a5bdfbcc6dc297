/*
 * Runs OpenSSL's own known-answer tests (providers/fips/self_test_kats.c of its sources) against the library that is
 * linked with it: each as it is, all of which must pass; and then each once more with a byte of its result changed by
 * OpenSSL's own hook for that, so that exactly this one must fail.
 *
 * Prints a line for each: what kind of test, of what. Status 0: all is as it must be.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/self_test.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/openssl/generator.h"

#define TESTS_MAX 200

int SELF_TEST_kats(OSSL_SELF_TEST *st, OSSL_LIB_CTX *libctx); /* of self_test_kats.c */
EVP_RAND_CTX *ossl_rand_get0_private_noncreating(OSSL_LIB_CTX *libctx)
{
    (void)libctx;
    return NULL;
}

struct run {
    int corrupted; /* which test's result is changed; -1: none */
    int begun, passed, failed;
    int last_failed; /* which */
    bool prints;
};

static const char *text_of(const OSSL_PARAM *params, const char *name)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, name);
    return p && p->data_type == OSSL_PARAM_UTF8_STRING ? p->data : "";
}

/* 0 in the phase "Corrupt" asks that the result be changed. */
static int on_event(const OSSL_PARAM *params, void *user)
{
    struct run *run = user;
    const char *phase = text_of(params, OSSL_PROV_PARAM_SELF_TEST_PHASE);
    int now = run->begun - 1;
    if (strcmp(phase, OSSL_SELF_TEST_PHASE_START) == 0) {
        run->begun++;
    } else if (strcmp(phase, OSSL_SELF_TEST_PHASE_CORRUPT) == 0) {
        return now != run->corrupted;
    } else if (strcmp(phase, OSSL_SELF_TEST_PHASE_PASS) == 0) {
        run->passed++;
        if (run->prints)
            printf("passed  %s %s\n", text_of(params, OSSL_PROV_PARAM_SELF_TEST_TYPE),
                   text_of(params, OSSL_PROV_PARAM_SELF_TEST_DESC));
    } else {
        run->failed++;
        run->last_failed = now;
        if (run->prints)
            printf("FAILED  %s %s\n", text_of(params, OSSL_PROV_PARAM_SELF_TEST_TYPE),
                   text_of(params, OSSL_PROV_PARAM_SELF_TEST_DESC));
    }
    return 1;
}

/* Whether OpenSSL says that all of them hold. */
static bool run_all(struct run *run)
{
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
    OSSL_SELF_TEST *test = OSSL_SELF_TEST_new(on_event, run);
    if (!context || !test) {
        fprintf(stderr, "self_tests: out of memory\n");
        exit(2);
    }
    bool good = SELF_TEST_kats(test, context) == 1;
    OSSL_SELF_TEST_free(test);
    OSSL_LIB_CTX_free(context);
    return good;
}

int main(void)
{
    struct run all = {.corrupted = -1, .prints = true};
    if (!run_all(&all) || all.failed > 0 || all.passed != all.begun || all.begun == 0 || all.begun > TESTS_MAX) {
        ERR_print_errors_fp(stderr);
        fprintf(stderr, "self_tests: %d of %d passed\n", all.passed, all.begun);
        return 1;
    }
    for (int i = 0; i < all.begun; i++) {
        struct run one = {.corrupted = i};
        if (run_all(&one) || one.failed != 1 || one.last_failed != i) {
            fprintf(stderr, "self_tests: number %d does not fail where its result is changed\n", i);
            return 1;
        }
    }
    printf("%s: %d known answers, and as many noticed changes\n", OpenSSL_version(OPENSSL_VERSION), all.begun);
    return 0;
}
