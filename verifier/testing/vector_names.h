/*
 * Which file has which case of the C tests' worlds: the check that fails, and the number of the case among those in
 * which it does.
 */
#ifndef ENCLAVE_VERIFIER_TESTING_VECTOR_NAMES_H
#define ENCLAVE_VERIFIER_TESTING_VECTOR_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define VECTOR_NAME_SIZE 96u

/* Of world_cases[i]; false: what it is about no policy file can say, or vector_cases has it. */
bool vector_world_name(size_t i, char out[VECTOR_NAME_SIZE]);
/* Of made_cases[i]. */
void vector_made_name(size_t i, char out[VECTOR_NAME_SIZE]);

#endif
