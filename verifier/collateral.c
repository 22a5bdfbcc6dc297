/*
 * Collateral: the documents as they came. appraisal.c says what they are worth.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/internal.h"

struct verifier_collateral *verifier_collateral_create(void)
{
    return calloc(1, sizeof(struct verifier_collateral));
}

void verifier_collateral_destroy(struct verifier_collateral *c)
{
    for (int i = 0; c && i < VERIFIER_DOCUMENTS; i++)
        free(c->documents[i].data);
    free(c);
}

int verifier_collateral_set(struct verifier_collateral *c, enum verifier_document document, const void *data,
                            size_t size)
{
    if ((unsigned)document >= VERIFIER_DOCUMENTS || size > VERIFIER_DOCUMENT_SIZE_MAX)
        return -EINVAL;
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        return -ENOMEM;
    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    free(c->documents[document].data);
    c->documents[document] = (struct document){copy, size};
    return 0;
}

const void *verifier_collateral_get(const struct verifier_collateral *c, enum verifier_document document, size_t *size)
{
    if ((unsigned)document >= VERIFIER_DOCUMENTS || !c->documents[document].data)
        return NULL;
    *size = c->documents[document].size;
    return c->documents[document].data;
}
