/*
 * TCB info and QE identity, read (Intel PCS API version 4). Private to the verifier.
 */
#ifndef ENCLAVE_VERIFIER_DOCUMENTS_H
#define ENCLAVE_VERIFIER_DOCUMENTS_H

#include "verifier/internal.h"
#include "verifier/json.h"

/* A document {"NAME":{...},"signature":"..."}: what both kinds have in common. */
struct signed_document {
    struct json json;
    uint32_t inner;          /* the object NAME */
    const char *signed_text; /* its bytes as served: they are what is signed */
    size_t signed_size;
    uint8_t signature[64];
    int64_t issued_s, next_update_s;
    uint32_t evaluation_number; /* tcbEvaluationDataNumber: rises with what Intel knows of attacks */
    uint32_t levels;            /* tcbLevels, an array of at least one */
};

/* One of tcbLevels. */
struct tcb_level {
    uint8_t components[16]; /* of TCB info */
    uint16_t pce_svn;       /* of TCB info */
    uint16_t isv_svn;       /* of QE identity */
    enum verifier_tcb_status status;
    int64_t date_s;
    uint32_t advisories; /* an array of plain strings; 0: none */
};

struct tcb_info {
    struct signed_document document;
    uint8_t fmspc[6], pce_id[2];
};

struct qe_identity {
    struct signed_document document;
    uint8_t miscselect[4], miscselect_mask[4], attributes[16], attributes_mask[16], mrsigner[32];
    uint16_t prod_id;
};

/* NULL, or what is wrong (static). Every level is checked, so that reading one later cannot fail. After success, and
 * only then, the document must be freed. text must outlive it. */
const char *verifier__read_tcb_info(struct tcb_info *info, const void *text, size_t size);
const char *verifier__read_qe_identity(struct qe_identity *identity, const void *text, size_t size);
void verifier__free_document(struct signed_document *document);

bool verifier__read_tcb_level(const struct tcb_info *info, uint32_t index, struct tcb_level *level);
bool verifier__read_qe_level(const struct qe_identity *identity, uint32_t index, struct tcb_level *level);

#endif
