/*
 * The enclave that the quote is about, against what the caller pinned.
 */
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "verifier/internal.h"

static void check_debug(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    uint64_t flags = bytes_u64(BODY_ATTRIBUTES(v->quote.body));
    if (!(flags & FLAG_INIT))
        verifier__fail(v, CHECK_DEBUG, "the enclave was not initialised");
    else if (!(flags & FLAG_DEBUG))
        verifier__pass(v, CHECK_DEBUG, "not a debug enclave");
    else if (v->result->claims.simulated && p->allow_simulation)
        verifier__pass(v, CHECK_DEBUG, "set, as always in a simulation, which the caller allowed");
    else if (p->allow_debug)
        verifier__pass(v, CHECK_DEBUG, "a debug enclave, which the caller allowed");
    else
        verifier__fail(v, CHECK_DEBUG, "a debug enclave: its host can read it");
}

static void check_mrenclave(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    const uint8_t *actual = BODY_MRENCLAVE(v->quote.body);
    char text[65], first[65];
    verifier__hex(actual, 32, text);
    if (p->mrenclave_count == 0) {
        verifier__skip(v, CHECK_MRENCLAVE, "%s (not pinned by the caller)", text);
        return;
    }
    for (size_t i = 0; i < p->mrenclave_count; i++) {
        if (memcmp(actual, p->mrenclaves[i], 32) == 0) {
            verifier__pass(v, CHECK_MRENCLAVE, "%s", text);
            return;
        }
    }
    if (p->mrenclave_count == 1)
        verifier__fail(v, CHECK_MRENCLAVE, "%s, expected %s", text, verifier__hex(p->mrenclaves[0], 32, first));
    else
        verifier__fail(v, CHECK_MRENCLAVE, "%s is none of the %zu expected ones", text, p->mrenclave_count);
}

static void check_mrsigner(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    char text[65], expected[65];
    verifier__hex(BODY_MRSIGNER(v->quote.body), 32, text);
    if (!p->has_mrsigner)
        verifier__skip(v, CHECK_MRSIGNER, "%s (not pinned by the caller)", text);
    else if (memcmp(BODY_MRSIGNER(v->quote.body), p->mrsigner, 32) == 0)
        verifier__pass(v, CHECK_MRSIGNER, "%s", text);
    else
        verifier__fail(v, CHECK_MRSIGNER, "%s, expected %s", text, verifier__hex(p->mrsigner, 32, expected));
}

void verifier__check_enclave(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    unsigned prod_id = bytes_u16(BODY_PROD_ID(v->quote.body)), svn = bytes_u16(BODY_SVN(v->quote.body));
    check_debug(v);
    check_mrenclave(v);
    check_mrsigner(v);
    if (!p->has_prod_id)
        verifier__skip(v, CHECK_PROD_ID, "%u (not pinned by the caller)", prod_id);
    else if (prod_id == p->prod_id)
        verifier__pass(v, CHECK_PROD_ID, "%u", prod_id);
    else
        verifier__fail(v, CHECK_PROD_ID, "%u, expected %u", prod_id, p->prod_id);
    if (!p->has_min_svn)
        verifier__skip(v, CHECK_SVN, "%u (the caller has no minimum)", svn);
    else if (svn >= p->min_svn)
        verifier__pass(v, CHECK_SVN, "%u, at least %u is expected", svn, p->min_svn);
    else
        verifier__fail(v, CHECK_SVN, "%u, at least %u is expected", svn, p->min_svn);
}
