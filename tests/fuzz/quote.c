/*
 * Quotes: bytes as one, and changes to a good one, which get past the outer format. What the attestation key signs
 * cannot be changed without notice.
 */
#include "tests/fuzz/verifier_world.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    world_make();
    return 0;
}

static void inside(const uint8_t *bytes, size_t size, const uint8_t *part, size_t part_size)
{
    MUST(part >= bytes && part <= bytes + size && part_size <= (size_t)(bytes + size - part));
}

static void parse(const uint8_t *bytes, size_t size)
{
    struct verifier_quote q;
    if (verifier_quote_parse(bytes, size, &q) != NULL)
        return;
    inside(bytes, size, q.signed_part, q.signed_size);
    inside(bytes, size, q.body, 384);
    inside(bytes, size, q.signature, 64);
    inside(bytes, size, q.attestation_key, 64);
    inside(bytes, size, q.qe_body, 384);
    inside(bytes, size, q.qe_signature, 64);
    inside(bytes, size, q.auth_data, q.auth_size);
    inside(bytes, size, q.chain, q.chain_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    uint8_t kind = input_byte(&in);
    size_t left = (size_t)(in.end - in.at);
    if (kind % 2 == 0) {
        parse(in.at, left);
        MUST(!world_look(verifier_verify_quote(policy, world->collateral, in.at, left, NULL)));
        return 0;
    }
    uint8_t *changed = malloc(world->quote_size);
    memcpy(changed, world->quote, world->quote_size);
    left = world_edit(&in, changed, world->quote_size);
    uint8_t *exact = malloc(left + 1); /* so that the sanitizer sees the end */
    memcpy(exact, changed, left);
    parse(exact, left);
    if (world_look(verifier_verify_quote(policy, world->collateral, exact, left, NULL)))
        MUST(memcmp(exact, world->quote, 432) == 0);
    if (verifier_quote_is_for(exact, left, world->quote + 48) == NULL)
        MUST(memcmp(exact, world->quote, 432) == 0);
    free(exact);
    free(changed);
    return 0;
}
