/*
 * The list of who administers, as the server shows it and takes it (docs/attestation.md), and what becomes of it. JSON
 * values are jansson's.
 */
#ifndef ENCLAVE_OS_CLI_ADMIN_LIST_H
#define ENCLAVE_OS_CLI_ADMIN_LIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The server's answer, judged: keys are what their thumbprints say. NULL: why was told. */
json_t *admin_list_read(const char *body, size_t size);
/* A PEM file's public key as an entry of the list, with that role and its thumbprint. NULL: why was told. */
json_t *admin_list_entry(const char *path, const char *role);
/* What a user calls an administrator: a thumbprint, or its first 8 digits or more, or a file with the public key; as
 * digits. False: why was told. */
bool admin_list_name(const char *name, char hex[65]);
/* Which entry name is. -1: why was told. */
int admin_list_find(const json_t *list, const char *name);
void admin_list_print(const json_t *list);

/* What to send, for a list that was read and then changed: malloc'ed text, the same for the same change of the same
 * list, so that others can approve it. NULL: no memory. */
char *admin_list_order(const json_t *list);
/* An order that somebody proposes, as a list to print; *replaces: the list that it is made from, or NULL. NULL: why was
 * told. */
json_t *admin_list_of_order(const char *text, size_t size, const char **replaces);

#endif
