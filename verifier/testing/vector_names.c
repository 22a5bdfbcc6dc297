/* See vector_names.h. */
#include "verifier/testing/vector_names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "verifier/testing/manifests.h"
#include "verifier/testing/worlds.h"

/* The check's name with hyphens, and a number. */
static void put(const char *check, unsigned number, char out[VECTOR_NAME_SIZE])
{
    size_t used = 0;
    for (; *check && used + 1 < VECTOR_NAME_SIZE; check++)
        if (*check != '\'')
            out[used++] = isalnum((unsigned char)*check) ? *check : '-';
    snprintf(out + used, VECTOR_NAME_SIZE - used, "-%u", number);
}

bool vector_world_name(size_t i, char out[VECTOR_NAME_SIZE])
{
    const char *check = world_cases[i].name;
    unsigned number = 1;
    /* a proof without a manifest; another extension; another mode than a policy file's */
    if (strcmp(check, "app") == 0 || strcmp(check, "extension") == 0 || strcmp(world_cases[i].word, "challenge") == 0)
        return false;
    for (size_t k = 0; k < i; k++)
        number += strcmp(world_cases[k].name, check) == 0;
    put(check, number, out);
    return true;
}

void vector_made_name(size_t i, char out[VECTOR_NAME_SIZE])
{
    const char *check = made_cases[i].name;
    unsigned number = 1;
    for (size_t k = 0; k < world_case_count; k++)
        number += strcmp(world_cases[k].name, check) == 0 && vector_world_name(k, out);
    for (size_t k = 0; k < i; k++)
        number += strcmp(made_cases[k].name, check) == 0;
    put(check, number, out);
}
