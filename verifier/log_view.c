/*
 * What of a log a verification is to see: its head, what proves that it goes on from other heads, and by what an image
 * has the instance.
 */
#include <errno.h>
#include <stdlib.h>

#include "verifier/log.h"

/* How many entries the log had when the certificate was made; 0: it does not say. And whether it says that other images
 * have had the instance. */
static uint64_t certified_size(const void *certificate, size_t size, bool *has_lineage)
{
    const uint8_t *at = certificate, *lineage = NULL;
    size_t lineage_size = 0;
    uint8_t head[40];
    X509 *x = certificate && size <= VERIFIER_DOCUMENT_SIZE_MAX ? d2i_X509(NULL, &at, (long)size) : NULL;
    struct verification v = {.leaf = x};
    bool found = x && verifier__read_extension(&v, OID_LOG_HEAD, head, sizeof head);
    *has_lineage = x && verifier__lineage_of(x, &lineage, &lineage_size) && lineage_size > 0;
    X509_free(x);
    return found ? verifier__big_endian(head) : 0;
}

/* What the caller has not seen; all of it where other images have had the instance, which may be long ago. */
static void search(struct verifier_log *log, const struct verifier_policy *policy, uint64_t certified, bool has_lineage)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < policy->head_count; i++)
        seen = policy->heads[i].size > seen ? policy->heads[i].size : seen;
    if (has_lineage || seen > 0)
        verifier__log_search(log, has_lineage ? 0 : seen, certified);
}

const struct verifier_log_view *verifier_log_view(struct verifier_log *log, const struct verifier_policy *policy,
                                                  const void *certificate, size_t certificate_size)
{
    bool has_lineage;
    uint64_t sizes[PROOFS_MAX] = {certified_size(certificate, certificate_size, &has_lineage)};
    size_t count = 1;
    for (size_t i = 0; i < policy->head_count; i++)
        sizes[count++] = policy->heads[i].size;
    log->view = (struct verifier_log_view){
        .checkpoint = log->text, .checkpoint_size = log->text_size, .proofs = log->view_proofs};
    search(log, policy, sizes[0], has_lineage);
    for (size_t i = 0; i < count; i++) {
        if (sizes[i] == 0 || sizes[i] >= log->head.size)
            continue;
        int error = verifier_log_prove(log, sizes[i], &log->view_proofs[log->view.proof_count]);
        if (verifier_no_answer(error))
            return NULL;
        log->view.proof_count += error == 0;
    }
    return &log->view;
}
