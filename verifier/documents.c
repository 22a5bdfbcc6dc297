/*
 * Reading TCB info version 3 and QE identity version 2. See documents.h.
 */
#include "verifier/documents.h"

#include <string.h>

#define LEVELS_MAX 256u

void verifier__free_document(struct signed_document *d)
{
    verifier__json_free(&d->json);
}

static bool read_time(const struct json *j, uint32_t object, const char *name, int64_t *out)
{
    uint32_t i = verifier__json_member(j, object, name, JSON_STRING);
    return i && verifier__parse_time(j->text + j->values[i].start, j->values[i].end - j->values[i].start, out);
}

static bool read_number(const struct json *j, uint32_t object, const char *name, uint64_t most, uint64_t *out)
{
    uint32_t i = verifier__json_member(j, object, name, JSON_NUMBER);
    return i && verifier__json_number(j, i, most, out);
}

static bool read_hex(const struct json *j, uint32_t object, const char *name, uint8_t *out, size_t size)
{
    uint32_t i = verifier__json_member(j, object, name, JSON_STRING);
    return i && verifier__json_hex(j, i, out, size);
}

static bool is_text(const struct json *j, uint32_t object, const char *name, const char *expected)
{
    char text[16];
    uint32_t i = verifier__json_member(j, object, name, JSON_STRING);
    return i && verifier__json_text(j, i, text, sizeof text) && strcmp(text, expected) == 0;
}

static const char *open_document(struct signed_document *d, const void *text, size_t size, const char *name)
{
    *d = (struct signed_document){0};
    const char *wrong = verifier__json_parse(&d->json, text, size);
    if (wrong)
        return wrong;
    const struct json *j = &d->json;
    d->inner = verifier__json_member(j, 0, name, JSON_OBJECT);
    if (!d->inner || !read_hex(j, 0, "signature", d->signature, sizeof d->signature))
        return "not an object with its kind's name and a signature";
    d->signed_text = j->text + j->values[d->inner].start;
    d->signed_size = j->values[d->inner].end - j->values[d->inner].start;
    if (!read_time(j, d->inner, "issueDate", &d->issued_s) || !read_time(j, d->inner, "nextUpdate", &d->next_update_s))
        return "its issueDate or nextUpdate is malformed";
    uint64_t number;
    if (!read_number(j, d->inner, "tcbEvaluationDataNumber", UINT32_MAX, &number))
        return "its tcbEvaluationDataNumber is malformed";
    d->evaluation_number = (uint32_t)number;
    d->levels = verifier__json_member(j, d->inner, "tcbLevels", JSON_ARRAY);
    if (!d->levels || j->values[d->levels].count == 0 || j->values[d->levels].count > LEVELS_MAX)
        return "it has no tcbLevels, or too many";
    return NULL;
}

/* ---- levels ---------------------------------------------------------------------------------------------------- */

static bool read_advisories(const struct json *j, uint32_t level, uint32_t *out)
{
    char text[ADVISORY_SIZE_MAX];
    *out = verifier__json_member(j, level, "advisoryIDs", JSON_ARRAY);
    if (!*out || j->values[*out].count > ADVISORIES_MAX / 2)
        return *out == 0;
    for (uint32_t i = JSON_FIRST(*out); i != JSON_END(j, *out); i = JSON_NEXT(j, i))
        if (!verifier__json_text(j, i, text, sizeof text))
            return false;
    return true;
}

/* What levels of both kinds have. */
static bool read_level(const struct json *j, uint32_t index, struct tcb_level *level)
{
    char status[64];
    *level = (struct tcb_level){0};
    uint32_t i = verifier__json_member(j, index, "tcbStatus", JSON_STRING);
    if (!i || !verifier__json_text(j, i, status, sizeof status))
        return false;
    level->status = verifier_tcb_status_from_name(status);
    return level->status != VERIFIER_TCB_UNKNOWN && read_time(j, index, "tcbDate", &level->date_s) &&
           read_advisories(j, index, &level->advisories);
}

bool verifier__read_tcb_level(const struct tcb_info *info, uint32_t index, struct tcb_level *level)
{
    const struct json *j = &info->document.json;
    uint64_t svn;
    if (!read_level(j, index, level))
        return false;
    uint32_t tcb = verifier__json_member(j, index, "tcb", JSON_OBJECT);
    uint32_t components = tcb ? verifier__json_member(j, tcb, "sgxtcbcomponents", JSON_ARRAY) : 0;
    if (!components || j->values[components].count != 16 || !read_number(j, tcb, "pcesvn", 0xffff, &svn))
        return false;
    level->pce_svn = (uint16_t)svn;
    uint32_t at = JSON_FIRST(components);
    for (int i = 0; i < 16; i++, at = JSON_NEXT(j, at)) {
        if (!read_number(j, at, "svn", 0xff, &svn))
            return false;
        level->components[i] = (uint8_t)svn;
    }
    return true;
}

bool verifier__read_qe_level(const struct qe_identity *identity, uint32_t index, struct tcb_level *level)
{
    const struct json *j = &identity->document.json;
    uint64_t svn;
    if (!read_level(j, index, level))
        return false;
    uint32_t tcb = verifier__json_member(j, index, "tcb", JSON_OBJECT);
    if (!tcb || !read_number(j, tcb, "isvsvn", 0xffff, &svn))
        return false;
    level->isv_svn = (uint16_t)svn;
    /* A quoting enclave is not hardened by its software. */
    return level->status != VERIFIER_TCB_SW_HARDENING_NEEDED &&
           level->status != VERIFIER_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED;
}

/* ---- the documents --------------------------------------------------------------------------------------------- */

static const char *fill_tcb_info(struct tcb_info *info)
{
    struct signed_document *d = &info->document;
    const struct json *j = &d->json;
    struct tcb_level level;
    uint64_t version, type;
    if (!is_text(j, d->inner, "id", "SGX") || !read_number(j, d->inner, "version", 3, &version) || version != 3)
        return "not TCB info version 3 of SGX";
    if (!read_number(j, d->inner, "tcbType", 0, &type))
        return "of an unknown tcbType";
    if (!read_hex(j, d->inner, "fmspc", info->fmspc, sizeof info->fmspc) ||
        !read_hex(j, d->inner, "pceId", info->pce_id, sizeof info->pce_id))
        return "its fmspc or pceId is malformed";
    for (uint32_t i = JSON_FIRST(d->levels); i != JSON_END(j, d->levels); i = JSON_NEXT(j, i))
        if (!verifier__read_tcb_level(info, i, &level))
            return "one of its tcbLevels is malformed";
    return NULL;
}

const char *verifier__read_tcb_info(struct tcb_info *info, const void *text, size_t size)
{
    *info = (struct tcb_info){0};
    const char *wrong = open_document(&info->document, text, size, "tcbInfo");
    if (!wrong)
        wrong = fill_tcb_info(info);
    if (wrong)
        verifier__free_document(&info->document);
    return wrong;
}

static const char *fill_qe_identity(struct qe_identity *q)
{
    struct signed_document *d = &q->document;
    const struct json *j = &d->json;
    struct tcb_level level;
    uint64_t version, prod_id;
    if (!is_text(j, d->inner, "id", "QE") || !read_number(j, d->inner, "version", 2, &version) || version != 2)
        return "not the identity, version 2, of SGX's quoting enclave";
    if (!read_hex(j, d->inner, "miscselect", q->miscselect, 4) ||
        !read_hex(j, d->inner, "miscselectMask", q->miscselect_mask, 4) ||
        !read_hex(j, d->inner, "attributes", q->attributes, 16) ||
        !read_hex(j, d->inner, "attributesMask", q->attributes_mask, 16) ||
        !read_hex(j, d->inner, "mrsigner", q->mrsigner, 32) || !read_number(j, d->inner, "isvprodid", 0xffff, &prod_id))
        return "one of its fields is malformed";
    q->prod_id = (uint16_t)prod_id;
    for (uint32_t i = JSON_FIRST(d->levels); i != JSON_END(j, d->levels); i = JSON_NEXT(j, i))
        if (!verifier__read_qe_level(q, i, &level))
            return "one of its tcbLevels is malformed";
    return NULL;
}

const char *verifier__read_qe_identity(struct qe_identity *q, const void *text, size_t size)
{
    *q = (struct qe_identity){0};
    const char *wrong = open_document(&q->document, text, size, "enclaveIdentity");
    if (!wrong)
        wrong = fill_qe_identity(q);
    if (wrong)
        verifier__free_document(&q->document);
    return wrong;
}
