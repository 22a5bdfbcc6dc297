/*
 * DICE evidence: any bytes as such, any bytes as its claims, and a good leaf's with changes in it. Nothing but what its
 * quote is over may come to bind anything.
 */
#include "common/dice.h"
#include "tests/fuzz/verifier_world.h"
#include "verifier/internal.h"

static struct fixture *proven; /* its leaf has evidence */
static uint8_t *evidence;
static size_t evidence_size;
static struct dice_evidence good;

static ASN1_OBJECT *oid;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    int count;
    struct fixture_options options = fixture_defaults();
    world_make();
    verifier_policy_set_live(policy, false);
    options.evidences = 1;
    proven = fixture_create(&options);
    MUST(verifier_policy_set_roots(policy, proven->root_pem, strlen(proven->root_pem)) == 0);
    oid = OBJ_txt2obj(DICE_OID, 1);
    const ASN1_OCTET_STRING *value = verifier__extension(proven->leaf, oid, &count);
    evidence_size = (size_t)ASN1_STRING_length(value);
    evidence = malloc(evidence_size);
    memcpy(evidence, ASN1_STRING_get0_data(value), evidence_size);
    MUST(verifier__dice_read(evidence, evidence_size, &good) == NULL);
    return 0;
}

static void inside(const uint8_t *bytes, size_t size, const uint8_t *part, size_t part_size)
{
    MUST(part >= bytes && part <= bytes + size && part_size <= (size_t)(bytes + size - part));
}

static void read_claims(const uint8_t *bytes, size_t size)
{
    struct dice_claims claims;
    if (verifier__dice_read_claims(bytes, size, &claims))
        return;
    inside(bytes, size, claims.key, 32);
    const uint8_t *const parts[] = {claims.root, claims.extensions, claims.generation, claims.from, claims.until};
    for (size_t i = 0; i < 5; i++)
        if (parts[i])
            inside(bytes, size, parts[i], i < 2 ? 32 : 8);
}

static void read_evidence(const uint8_t *bytes, size_t size)
{
    struct dice_evidence e;
    if (verifier__dice_read(bytes, size, &e))
        return;
    inside(bytes, size, e.quote, e.quote_size);
    inside(bytes, size, e.claims, e.claims_size);
    read_claims(e.claims, e.claims_size);
}

/* The good leaf with this in place of its evidence, judged alone. */
static void judge(const uint8_t *bytes, size_t size)
{
    X509 *leaf = X509_dup(proven->leaf);
    struct dice_evidence e;
    X509_EXTENSION_free(X509_delete_ext(leaf, X509_get_ext_by_OBJ(leaf, oid, -1)));
    fixture_add_extension(leaf, DICE_OID, bytes, size);
    struct verifier_result *r = verifier_verify_certificate(policy, proven->collateral, leaf);
    bool bound = false;
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check check = verifier_result_check(r, i);
        bound |= strcmp(check.name, "configuration root") == 0 && check.outcome == VERIFIER_PASSED;
    }
    if (bound) {
        MUST(verifier__dice_read(bytes, size, &e) == NULL);
        MUST(e.claims_size == good.claims_size && memcmp(e.claims, good.claims, good.claims_size) == 0);
        MUST(e.quote_size >= 432 && memcmp(e.quote, good.quote, 432) == 0);
    }
    world_look(r);
    X509_free(leaf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    uint8_t kind = input_byte(&in) % 3;
    size_t left = (size_t)(in.end - in.at);
    if (kind == 0) {
        read_evidence(in.at, left);
    } else if (kind == 1) {
        read_claims(in.at, left);
    } else {
        uint8_t *changed = malloc(evidence_size);
        memcpy(changed, evidence, evidence_size);
        left = world_edit(&in, changed, evidence_size);
        uint8_t *exact = malloc(left + 1); /* so that the sanitizer sees the end */
        memcpy(exact, changed, left);
        read_evidence(exact, left);
        judge(exact, left);
        free(exact);
        free(changed);
    }
    return 0;
}
