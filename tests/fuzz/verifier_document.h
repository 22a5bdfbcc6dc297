/*
 * TCB info and QE identity differ in little: any bytes, or changes to the good document, signed anew so that what is
 * inside is judged, too.
 */
#ifndef ENCLAVE_OS_TESTS_FUZZ_VERIFIER_DOCUMENT_H
#define ENCLAVE_OS_TESTS_FUZZ_VERIFIER_DOCUMENT_H

#include "tests/fuzz/verifier_world.h"

static char *inner; /* the good document's object */
static size_t inner_size;

static int document_start(enum verifier_document document, const char *name)
{
    world_make();
    size_t size, prefix = strlen(name) + 4;
    const char *text = verifier_collateral_get(world->collateral, document, &size);
    const char *end = strstr(text, ",\"signature\":\"");
    MUST(end);
    inner = strndup(text + prefix, (size_t)(end - text) - prefix);
    inner_size = strlen(inner);
    return 0;
}

static void document_try(enum verifier_document document, const void *text, size_t size)
{
    MUST(verifier_collateral_set(world->collateral, document, text, size) == 0);
    world_look(verifier_verify_certificate(policy, world->collateral, world->leaf));
}

static void document_one(enum verifier_document document, const char *name, const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    uint8_t kind = input_byte(&in);
    size_t left = (size_t)(in.end - in.at);
    if (kind % 3 == 0) {
        document_try(document, in.at, left);
        return;
    }
    char *text;
    if (kind % 3 == 1) {
        text = fixture_sign(name, in.at, left);
        left += strlen(name) + 4 + 144; /* with NULs inside, it is longer than its string */
    } else {
        uint8_t *changed = malloc(inner_size);
        memcpy(changed, inner, inner_size);
        size_t edited = world_edit(&in, changed, inner_size);
        text = fixture_sign(name, changed, edited);
        left = edited + strlen(name) + 4 + 144;
        free(changed);
    }
    document_try(document, text, left);
    free(text);
}

#endif
