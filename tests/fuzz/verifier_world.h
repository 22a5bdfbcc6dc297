/*
 * What the verifier's fuzz targets share: one good world, and a policy under which it passes. Each target changes one
 * part of it; nothing may crash, and nothing may pass that should not.
 */
#ifndef ENCLAVE_OS_TESTS_FUZZ_VERIFIER_WORLD_H
#define ENCLAVE_OS_TESTS_FUZZ_VERIFIER_WORLD_H

#include "tests/fuzz/fuzz.h"
#include "verifier/testing/fixture.h"

static struct fixture *world;
static struct verifier_policy *policy;

static void world_make(void)
{
    struct fixture_options options = fixture_defaults();
    world = fixture_create(&options);
    policy = verifier_policy_create();
    MUST(policy && verifier_policy_set_roots(policy, world->root_pem, strlen(world->root_pem)) == 0);
    verifier_policy_set_time(policy, FIXTURE_NOW);
    verifier_policy_set_live(policy, true);
    struct verifier_result *r = verifier_verify_certificate(policy, world->collateral, world->leaf);
    MUST(verifier_result_ok(r));
    verifier_result_destroy(r);
}

/* Edits of eight bytes each: place (two bytes), value, and whether to cut there. Returns the size that is left. */
static inline size_t world_edit(struct input *in, uint8_t *data, size_t size)
{
    size_t left = size;
    while (in->at < in->end && size > 0) {
        uint64_t edit = input_word(in);
        data[(edit & 0xffff) % size] = (uint8_t)(edit >> 16);
        if ((edit >> 24 & 0xff) == 1)
            left = (edit >> 32 & 0xffff) % (size + 1);
    }
    return left;
}

/* A result in every form, so that all of it is looked at; whether it is good. */
static inline bool world_look(struct verifier_result *r)
{
    bool ok = verifier_result_ok(r);
    char *json = verifier_result_json(r);
    MUST(r && json);
    for (size_t i = 0; i < verifier_result_count(r); i++)
        MUST(strlen(verifier_result_check(r, i).reason) > 0);
    verifier_free(json);
    verifier_result_destroy(r);
    return ok;
}

#endif
