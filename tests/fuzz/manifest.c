/*
 * A server's manifest: any bytes, or changes to a good one, beside a certificate whose root is the good one's. Nothing
 * but the good one's leaves may pass. Each is also taken as if it were the right one, so that what reads the leaves'
 * values sees all of them.
 */
#include "tests/fuzz/fuzz.h"
#include "verifier/manifest.h"
#include "verifier/testing/manifests.h"

static struct made *made;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    made = made_open();
    made_build(made);
    return 0;
}

/* All values of the leaves, and lookups of each. */
static void look(const char *text, size_t size)
{
    struct manifest m;
    if (verifier__manifest_read(&m, text, size))
        return;
    unsigned threshold;
    verifier__manifest_threshold(&m, &threshold);
    for (size_t i = 0; i < m.count; i++) {
        struct verifier_administrator one;
        struct app_rule rule;
        MUST(verifier__manifest_find(&m, "", m.leaves[i].label) == &m.leaves[i]);
        if (verifier__manifest_name(&m.leaves[i], "admin:"))
            verifier__manifest_administrator(&m.leaves[i], &one);
        const char *name = verifier__manifest_name(&m.leaves[i], "rule:");
        if (name && verifier__manifest_rule(&m, name, &rule))
            MUST(strlen(rule.kind) < sizeof rule.kind);
    }
    verifier__manifest_free(&m);
}

static void judge(char *text, size_t size)
{
    struct verifier_evidence evidence = made->evidence;
    evidence.manifest = text;
    evidence.manifest_size = size;
    struct verifier_result *r = verifier_verify(made->policy, made->fixture->collateral, &evidence);
    char *json = verifier_result_json(r);
    MUST(json);
    /* Blanks and unknown members may differ; what is read may not. */
    if (verifier_result_ok(r)) {
        struct manifest m;
        MUST(verifier__manifest_read(&m, text, size) == NULL);
        MUST(memcmp(m.root, made->fixture->merkle_root, 32) == 0);
        verifier__manifest_free(&m);
        char *policy = verifier_policy_write(made->policy, r, &evidence, false);
        MUST(policy);
        verifier_free(policy);
    }
    verifier_free(json);
    verifier_result_destroy(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    uint8_t kind = input_byte(&in);
    size_t left = (size_t)(in.end - in.at);
    char *text;
    if (kind % 2 == 0) {
        text = malloc(left + 1);
        memcpy(text, in.at, left);
    } else {
        size_t whole = made->evidence.manifest_size;
        text = malloc(whole + 1);
        memcpy(text, made->manifest, whole);
        left = whole;
        while (in.at < in.end) { /* a place, a character, and whether to cut there */
            uint64_t edit = input_word(&in);
            text[(edit & 0xffff) % whole] = (char)(edit >> 16);
            if ((edit >> 24 & 0xff) == 1)
                left = (edit >> 32 & 0xffff) % (whole + 1);
        }
    }
    look(text, left);
    if (kind % 8 < 2)
        judge(text, left);
    free(text);
    return 0;
}
