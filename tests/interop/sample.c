/*
 * A quote of real hardware, with Intel's own collateral, through our verifier with its built-in root: sample QUOTE
 * COLLATERAL.json DIR NOW NAME. Prints the line that cases.c prints, and writes DIR/NAME for the other verifier.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "verifier/verifier.h"

#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "sample: line %d: %s\n", __LINE__, #condition); \
            exit(1);                                                        \
        }                                                                   \
    } while (0)

static void set(struct verifier_collateral *c, enum verifier_document which, const char *text)
{
    MUST(text && verifier_collateral_set(c, which, text, strlen(text)) == 0);
}

/* {"NAME":INNER,"signature":"HEX"}, as it was served before the crate took it apart. */
static void set_signed(struct verifier_collateral *c, enum verifier_document which, const char *name, const char *inner,
                       const char *signature)
{
    size_t size = strlen(inner) + strlen(signature) + 64;
    char *text = malloc(size);
    MUST(text && snprintf(text, size, "{\"%s\":%s,\"signature\":\"%s\"}", name, inner, signature) < (int)size);
    set(c, which, text);
    free(text);
}

static struct verifier_collateral *read_collateral(const char *path)
{
    json_t *all = json_load_file(path, 0, NULL);
    struct verifier_collateral *c = verifier_collateral_create();
    MUST(all && c);
#define TEXT(name) json_string_value(json_object_get(all, name))
    set(c, VERIFIER_ROOT_CRL, TEXT("root_ca_crl"));
    set(c, VERIFIER_PCK_CRL, TEXT("pck_crl"));
    set(c, VERIFIER_TCB_INFO_CHAIN, TEXT("tcb_info_issuer_chain"));
    set(c, VERIFIER_QE_IDENTITY_CHAIN, TEXT("qe_identity_issuer_chain"));
    set_signed(c, VERIFIER_TCB_INFO, "tcbInfo", TEXT("tcb_info"), TEXT("tcb_info_signature"));
    set_signed(c, VERIFIER_QE_IDENTITY, "enclaveIdentity", TEXT("qe_identity"), TEXT("qe_identity_signature"));
    json_decref(all);
    return c;
}

static void copy(const char *from, const char *folder, const char *name)
{
    char command[12288];
    snprintf(command, sizeof command, "cp '%s' '%s/%s'", from, folder, name);
    MUST(system(command) == 0);
}

int main(int argc, char **argv)
{
    MUST(argc == 6);
    static uint8_t quote[65536];
    char folder[4096];
    FILE *file = fopen(argv[1], "rb");
    MUST(file);
    size_t size = fread(quote, 1, sizeof quote, file);
    fclose(file);
    struct verifier_collateral *collateral = read_collateral(argv[2]);
    struct verifier_policy *policy = verifier_policy_create();
    verifier_policy_set_time(policy, atoll(argv[4]));
    struct verifier_result *strict = verifier_verify_quote(policy, collateral, quote, size, NULL);
    for (int s = VERIFIER_TCB_UP_TO_DATE; s < VERIFIER_TCB_REVOKED; s++)
        MUST(verifier_policy_accept_tcb(policy, (enum verifier_tcb_status)s) == 0);
    struct verifier_result *any = verifier_verify_quote(policy, collateral, quote, size, NULL);
    printf("%s\t%s\t%s\n", argv[5],
           verifier_result_ok(any) ? verifier_tcb_status_name(verifier_result_claims(any)->tcb_status) : "refused",
           verifier_result_ok(strict) ? "accepted" : "refused");
    for (size_t i = 0; i < verifier_result_count(any); i++)
        fprintf(stderr, "%s: %s: %s\n", argv[5], verifier_result_check(any, i).name,
                verifier_result_check(any, i).reason);

    snprintf(folder, sizeof folder, "%s/%s", argv[3], argv[5]);
    MUST(mkdir(folder, 0755) == 0);
    copy(argv[1], folder, "quote");
    copy(argv[2], folder, "collateral.json");
    snprintf(folder, sizeof folder, "%s/%s/now", argv[3], argv[5]);
    file = fopen(folder, "w");
    MUST(file && fprintf(file, "%s", argv[4]) > 0 && fclose(file) == 0);
    verifier_result_destroy(strict);
    verifier_result_destroy(any);
    verifier_policy_destroy(policy);
    verifier_collateral_destroy(collateral);
    return 0;
}
