/*
 * A policy file: whatever is taken can be verified by, and what it expects is not lost; whatever is not has a line that
 * says why.
 */
#include "tests/fuzz/fuzz.h"
#include "verifier/internal.h"
#include "verifier/testing/manifests.h"

static struct made *made;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    made = made_open();
    made_build(made);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[256] = "";
    struct verifier_policy *policy = verifier_policy_create();
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    int result = verifier_policy_read(policy, text, size, error, sizeof error);
    MUST(result == 0 || strlen(error) > 0);
    free(text);
    if (result == 0) {
        verifier_policy_set_time(policy, FIXTURE_NOW);
        verifier_policy_set_live(policy, true);
        struct verifier_result *r = verifier_verify(policy, made->fixture->collateral, &made->evidence);
        MUST(r);
        /* The root is nobody's that is built in: without one of the file's, nothing passes. */
        MUST(policy->roots || !verifier_result_ok(r));
        MUST(verifier_result_verdict(r) != VERIFIER_VERIFIED || verifier_policy_names_instance(policy));
        for (size_t i = 0; i < policy->app_count; i++)
            MUST(!policy->apps[i]->has_egress || policy->apps[i]->egress);
        verifier_result_destroy(r);
    }
    verifier_policy_destroy(policy);
    return 0;
}
