/*
 * Intel's SGX extension of a PCK certificate (OID 1.2.840.113741.1.13.1), by "Intel SGX PCK Certificate and CRL Profile
 * Specification": a sequence of pairs {OID, value}; the TCB is itself such a sequence. Strict DER: short and definite
 * lengths as DER has them, nothing left over, no pair twice. Nesting is fixed, so nothing here recurses.
 */
#include <openssl/objects.h>
#include <string.h>

#include "verifier/internal.h"

#define TAG_INTEGER 0x02
#define TAG_OCTETS 0x04
#define TAG_OID 0x06
#define TAG_SEQUENCE 0x30

struct der {
    const uint8_t *at;
    size_t left;
};

/* One element: its tag, and its content in *content. False at the end and on anything that is not DER. */
static bool take(struct der *d, uint8_t *tag, struct der *content)
{
    if (d->left < 2)
        return false;
    size_t header = 2, size = d->at[1];
    if (size == 0x81 && d->left >= 3 && d->at[2] >= 0x80) {
        size = d->at[2];
        header = 3;
    } else if (size == 0x82 && d->left >= 4 && d->at[2] != 0) {
        size = (size_t)d->at[2] << 8 | d->at[3];
        header = 4;
    } else if (size >= 0x80) {
        return false;
    }
    if (size > d->left - header)
        return false;
    *tag = d->at[0];
    *content = (struct der){d->at + header, size};
    d->at += header + size;
    d->left -= header + size;
    return true;
}

static const uint8_t sgx_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

/* A pair {sgx_oid.a[.b], value}: gives a, or with depth 2 (a must be 2 then) b. 0: malformed. */
static unsigned take_pair(struct der *list, size_t depth, uint8_t *tag, struct der *value)
{
    struct der pair, oid;
    uint8_t pair_tag, oid_tag;
    if (!take(list, &pair_tag, &pair) || pair_tag != TAG_SEQUENCE || !take(&pair, &oid_tag, &oid) ||
        oid_tag != TAG_OID || !take(&pair, tag, value) || pair.left != 0)
        return 0;
    if (oid.left != sizeof sgx_oid + depth || memcmp(oid.at, sgx_oid, sizeof sgx_oid) != 0)
        return 0;
    if (depth == 2 && oid.at[sizeof sgx_oid] != 2)
        return 0;
    uint8_t last = oid.at[oid.left - 1];
    return last < 0x80 ? last : 0; /* a longer arc is none of ours */
}

static bool octets(uint8_t tag, struct der value, uint8_t *out, size_t size)
{
    if (tag != TAG_OCTETS || value.left != size)
        return false;
    memcpy(out, value.at, size);
    return true;
}

/* A non-negative INTEGER of at most 16 bits. */
static bool number(uint8_t tag, struct der value, unsigned most, unsigned *out)
{
    if (tag != TAG_INTEGER || value.left < 1 || value.left > 3 || value.at[0] >= 0x80)
        return false;
    if (value.left > 1 && value.at[0] == 0 && value.at[1] < 0x80) /* a zero too many */
        return false;
    *out = 0;
    for (size_t i = 0; i < value.left; i++)
        *out = *out << 8 | value.at[i];
    return *out <= most;
}

static bool read_tcb(struct der list, struct platform *p)
{
    uint32_t seen = 0;
    while (list.left > 0) {
        struct der value;
        uint8_t tag, ignored[16];
        unsigned v = 0, which = take_pair(&list, 2, &tag, &value);
        if (which < 1 || which > 18 || (seen & 1u << which))
            return false;
        seen |= 1u << which;
        if (which == 18 ? !octets(tag, value, ignored, 16) : !number(tag, value, which == 17 ? 0xffff : 0xff, &v))
            return false;
        if (which <= 16)
            p->tcb_components[which - 1] = (uint8_t)v;
        else if (which == 17)
            p->pce_svn = (uint16_t)v;
    }
    return seen == 0x7fffe; /* 1 to 18 */
}

static bool read_extension(struct der list, struct platform *p)
{
    uint32_t seen = 0;
    while (list.left > 0) {
        struct der value;
        uint8_t tag;
        unsigned which = take_pair(&list, 1, &tag, &value);
        if (which < 1 || which > 31 || (seen & 1u << which))
            return false;
        seen |= 1u << which;
        bool ok = true;
        if (which == 2)
            ok = tag == TAG_SEQUENCE && read_tcb(value, p);
        else if (which == 3)
            ok = octets(tag, value, p->pce_id, sizeof p->pce_id);
        else if (which == 4)
            ok = octets(tag, value, p->fmspc, sizeof p->fmspc);
        if (!ok)
            return false;
    }
    return (seen & 0x1c) == 0x1c; /* 2, 3 and 4; the others say nothing that is judged here */
}

const char *verifier__read_platform(X509 *pck, struct platform *p)
{
    int count = 0;
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    const ASN1_OCTET_STRING *value = oid ? verifier__extension(pck, oid, &count) : NULL;
    ASN1_OBJECT_free(oid);
    if (!value)
        return count ? "it has more than one SGX extension" : "it has no SGX extension";
    struct der all = {ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)}, list;
    uint8_t tag;
    *p = (struct platform){0};
    if (!take(&all, &tag, &list) || tag != TAG_SEQUENCE || all.left != 0 || !read_extension(list, p))
        return "its SGX extension is malformed";
    return NULL;
}
