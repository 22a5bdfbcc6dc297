/*
 * The policy, continued: whose enclave it is to be, and what it is to run.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/internal.h"

/* ---- whose ----------------------------------------------------------------------------------------------------- */

int verifier_policy_expect_instance(struct verifier_policy *p, const uint8_t instance[32])
{
    if (p->has_instance && memcmp(p->instance, instance, 32) != 0)
        return -EEXIST;
    p->has_instance = true;
    memcpy(p->instance, instance, 32);
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return memcmp(((const struct verifier_administrator *)a)->key, ((const struct verifier_administrator *)b)->key, 32);
}

int verifier_policy_expect_administrators(struct verifier_policy *p, unsigned threshold,
                                          const struct verifier_administrator *list, size_t count)
{
    struct verifier_administrator sorted[ADMINISTRATORS_MAX] = {0};
    if (count > ADMINISTRATORS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < count; i++) {
        if ((unsigned)list[i].role > VERIFIER_MONITOR)
            return -EINVAL;
        sorted[i] = list[i];
    }
    qsort(sorted, count, sizeof sorted[0], by_key);
    for (size_t i = 1; i < count; i++)
        if (by_key(&sorted[i - 1], &sorted[i]) == 0)
            return -EINVAL;
    if (p->has_administrators && (p->threshold != threshold || p->administrator_count != count ||
                                  memcmp(p->administrators, sorted, count * sizeof sorted[0]) != 0))
        return -EEXIST;
    p->has_administrators = true;
    p->threshold = threshold;
    p->administrator_count = count;
    memcpy(p->administrators, sorted, sizeof sorted);
    return 0;
}

void verifier_policy_set_min_generation(struct verifier_policy *p, uint64_t generation)
{
    p->min_generation = generation;
}

/* ---- its history ----------------------------------------------------------------------------------------------- */

#define ORIGIN "enclave-os/"

/* The instance that the log's name has in it. */
static bool read_origin(const struct note_key *k, uint8_t instance[32])
{
    size_t prefix = strlen(ORIGIN), size = strlen(k->name);
    char text[65];
    if (k->type != NOTE_ED25519 || size != prefix + 64 || strncmp(k->name, ORIGIN, prefix) != 0 ||
        !hex_read(k->name + prefix, 64, instance, 32))
        return false;
    return strcmp(verifier__hex(instance, 32, text), k->name + prefix) == 0; /* in lower case */
}

/* Where a head goes: what was read from the file before is no longer what it says. NULL: there are too many. */
static struct remembered *place_for(struct verifier_policy *p, const struct remembered *head)
{
    for (size_t i = 0; i < p->head_count; i++)
        if (head->of_file && p->heads[i].of_file)
            return &p->heads[i];
    return p->head_count < HEADS_MAX ? &p->heads[p->head_count] : NULL;
}

int verifier__expect_head(struct verifier_policy *p, const char *key, const struct remembered *head)
{
    struct note_key k;
    uint8_t instance[32];
    int error = note_key_parse(key, strlen(key), &k);
    if (error)
        return error == -ENOMEM ? -ENOMEM : -EINVAL;
    if (!read_origin(&k, instance) || (head && (head->size == 0 || head->size > INT64_MAX)))
        return -EINVAL;
    if (p->has_log && memcmp(&k, &p->log_key, sizeof k) != 0)
        return -EEXIST;
    struct remembered *place = head ? place_for(p, head) : NULL;
    if (head && !place)
        return -E2BIG;
    error = verifier_policy_expect_instance(p, instance);
    if (error)
        return error;
    p->has_log = true;
    p->log_key = k;
    if (head) {
        p->head_count += place == &p->heads[p->head_count];
        *place = *head;
    }
    return 0;
}

int verifier_policy_expect_log(struct verifier_policy *p, const char *key, uint64_t size, const uint8_t *root)
{
    struct remembered head = {.size = size};
    if (root)
        memcpy(head.root, root, sizeof head.root);
    return verifier__expect_head(p, key, root ? &head : NULL);
}

int verifier_policy_add_witness(struct verifier_policy *p, const char *key)
{
    struct note_key k;
    int error = note_key_parse(key, strlen(key), &k);
    if (error || k.type != NOTE_COSIGNATURE)
        return error == -ENOMEM ? -ENOMEM : -EINVAL;
    for (size_t i = 0; i < p->witness_count; i++)
        if (memcmp(p->witnesses[i].key, k.key, sizeof k.key) == 0)
            return -EEXIST;
    if (p->witness_count == WITNESSES_MAX)
        return -E2BIG;
    p->witnesses[p->witness_count++] = k;
    return 0;
}

void verifier_policy_set_witness_quorum(struct verifier_policy *p, unsigned quorum, int64_t max_age_s)
{
    p->quorum = quorum;
    p->cosigned_within_s = max_age_s;
}

bool verifier_policy_needs_log(const struct verifier_policy *p)
{
    return p->head_count > 0 || p->witness_count > 0;
}

void verifier_policy_accept_any_instance(struct verifier_policy *p, bool accept)
{
    p->any_instance = accept;
}

/* As verifier_result_verdict judges. That nobody administers is true of anybody's who gives no key. */
bool verifier_policy_names_instance(const struct verifier_policy *p)
{
    bool whose = p->has_instance || (p->has_administrators && p->administrator_count > 0);
    for (size_t i = 0; i < p->extension_count; i++)
        whose = whose || strcmp(p->extensions[i]->text, OID_MERKLE_ROOT) == 0 ||
                strcmp(p->extensions[i]->text, OID_INSTANCE) == 0;
    return p->any_instance || p->issuer || (whose && (p->mrenclave_count > 0 || p->has_mrsigner));
}

bool verifier_policy_names_program(const struct verifier_policy *p)
{
    return p->mrenclave_count > 0 || p->has_mrsigner || p->issuer;
}

bool verifier_policy_names_enclave(const struct verifier_policy *p)
{
    return p->mrenclave_count > 0 || p->has_mrsigner || p->issuer || p->has_instance || p->has_administrators ||
           p->extension_count > 0;
}

/* ---- for all apps ---------------------------------------------------------------------------------------------- */

int verifier_policy_expect_limits(struct verifier_policy *p, const char *text)
{
    if (strlen(text) > LIMITS_SIZE_MAX)
        return -EINVAL;
    if (p->has_limits && strcmp(p->limits, text) != 0)
        return -EEXIST;
    p->has_limits = true;
    strcpy(p->limits, text);
    return 0;
}

/* An expected hash, or (NULL) that there is none. */
static int expect_hash(bool *has, bool *none, uint8_t hash[32], const uint8_t *expected)
{
    if (*has && (*none != !expected || (expected && memcmp(hash, expected, 32) != 0)))
        return -EEXIST;
    *has = true;
    *none = !expected;
    if (expected)
        memcpy(hash, expected, 32);
    return 0;
}

int verifier_policy_expect_egress_ca(struct verifier_policy *p, const uint8_t *sha256)
{
    return expect_hash(&p->has_egress_ca, &p->no_egress_ca, p->egress_ca, sha256);
}

void verifier_policy_only_apps(struct verifier_policy *p, bool only)
{
    p->only_apps = only;
}

/* ---- of one app ------------------------------------------------------------------------------------------------ */

struct expected_app *verifier__expect(struct verifier_policy *p, const char *name, int *error)
{
    size_t size = strlen(name);
    *error = size == 0 || size > NAME_SIZE_MAX ? -EINVAL : 0;
    for (size_t i = 0; *error == 0 && i < p->app_count; i++)
        if (strcmp(p->apps[i]->name, name) == 0)
            return p->apps[i];
    if (*error == 0 && p->app_count == APPS_MAX)
        *error = -E2BIG;
    struct expected_app *a = *error == 0 ? calloc(1, sizeof *a) : NULL;
    if (!a) {
        *error = *error == 0 ? -ENOMEM : *error;
        return NULL;
    }
    memcpy(a->name, name, size);
    return p->apps[p->app_count++] = a;
}

/* Remember value at place, which counts from now on; another one that is there already contradicts it. */
static int set_once(bool *has, void *place, const void *value, size_t size)
{
    if (*has && memcmp(place, value, size) != 0)
        return -EEXIST;
    *has = true;
    memcpy(place, value, size);
    return 0;
}

int verifier_policy_expect_code(struct verifier_policy *p, const char *name, const uint8_t sha256[32])
{
    int error;
    struct expected_app *a = verifier__expect(p, name, &error);
    return a ? set_once(&a->has_sha256, a->sha256, sha256, 32) : error;
}

int verifier_policy_expect_app(struct verifier_policy *p, const char *name, const uint8_t sha256[32],
                               const struct verifier_inclusion *proof)
{
    if (proof->path_count > 64)
        return -EINVAL;
    int error;
    struct expected_app *a = verifier__expect(p, name, &error);
    error = a ? set_once(&a->has_sha256, a->sha256, sha256, 32) : error;
    if (error != 0)
        return error;
    a->has_proof = true;
    a->leaf_index = proof->leaf_index;
    a->tree_size = proof->tree_size;
    a->path_count = proof->path_count;
    for (size_t i = 0; i < proof->path_count; i++)
        memcpy(a->path[i], proof->path[i], 32);
    return 0;
}

int verifier_policy_expect_publisher(struct verifier_policy *p, const char *name, const uint8_t key[32],
                                     uint64_t min_version)
{
    int error;
    struct expected_app *a = verifier__expect(p, name, &error);
    if (a && a->has_publisher && a->min_version != min_version)
        return -EEXIST;
    error = a ? set_once(&a->has_publisher, a->publisher, key, 32) : error;
    if (error == 0)
        a->min_version = min_version;
    return error;
}

int verifier_policy_expect_app_id(struct verifier_policy *p, const char *name, const uint8_t id[16])
{
    int error;
    struct expected_app *a = verifier__expect(p, name, &error);
    return a ? set_once(&a->has_id, a->id, id, 16) : error;
}

int verifier_policy_expect_settings(struct verifier_policy *p, const char *name, const uint8_t *sha256)
{
    int error;
    struct expected_app *a = verifier__expect(p, name, &error);
    return a ? expect_hash(&a->has_settings, &a->no_settings, a->settings, sha256) : error;
}

/* ---- where it may connect -------------------------------------------------------------------------------------- */

/* How long the host at the beginning is: a name's characters, or an address in brackets; 0: neither. */
static size_t host_size(const char *text)
{
    if (*text != '[')
        return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_.*");
    size_t size = 1 + strspn(text + 1, "abcdef0123456789:.");
    return size > 1 && text[size] == ']' ? size + 1 : 0;
}

/* One of a list's entries, of that size, to out, which has room for the size and 6 more; its port as leaves have it.
 * False: it is none. */
static bool normalise(const char *entry, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (char)tolower((unsigned char)entry[i]);
    out[size] = '\0';
    size_t host = host_size(out);
    if (host > 0 && host == size)
        strcpy(out + size, ":443");
    char *port = out + host + 1;
    size_t digits = out[host] == ':' ? strspn(port, "0123456789") : 0;
    if (host == 0 || digits == 0 || digits > 5 || port[digits])
        return false;
    unsigned long number = strtoul(port, NULL, 10);
    sprintf(port, "%lu", number);
    return number > 0 && number <= UINT16_MAX;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *verifier__normal_egress(const char *list)
{
    size_t size = strlen(list), count = 0;
    size_t most = size + 1; /* each entry has its character, or a comma */
    char *memory = malloc(7 * most), *out = malloc(7 * most), **entries = calloc(most, sizeof *entries), *to = memory;
    bool ok = memory && out && entries && size <= EGRESS_SIZE_MAX;
    for (const char *at = list; ok && *list; at++) {
        size_t length = strcspn(at, ",");
        entries[count++] = to;
        ok = normalise(at, length, to);
        to += ok ? strlen(to) + 1 : 0;
        at += length;
        if (!*at)
            break;
    }
    if (ok) {
        qsort(entries, count, sizeof *entries, by_text);
        char *end = out;
        *end = '\0';
        for (size_t i = 0; i < count; i++)
            if (i == 0 || strcmp(entries[i - 1], entries[i]) != 0) {
                size_t length = strlen(entries[i]);
                if (end != out)
                    *end++ = ',';
                memcpy(end, entries[i], length + 1);
                end += length;
            }
    }
    free(memory);
    free(entries);
    if (ok)
        return out;
    free(out);
    return NULL;
}

int verifier_policy_expect_egress(struct verifier_policy *p, const char *name, const char *hosts)
{
    char *egress = verifier__normal_egress(hosts);
    if (!egress)
        return -EINVAL;
    int error;
    struct expected_app *a = verifier__expect(p, name, &error);
    if (a && a->has_egress && strcmp(a->egress, egress) != 0)
        error = -EEXIST;
    if (!a || error != 0 || a->has_egress) {
        free(egress);
        return error;
    }
    a->has_egress = true;
    a->egress = egress;
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

bool verifier_policy_needs_manifest(const struct verifier_policy *p)
{
    bool needs = p->has_administrators || p->has_upgrade_rule || p->has_limits || p->has_egress_ca || p->only_apps;
    for (size_t i = 0; i < p->app_count; i++) {
        const struct expected_app *a = p->apps[i];
        needs = needs || a->has_publisher || a->has_id || a->has_settings || a->has_egress ||
                (a->has_sha256 && !a->has_proof);
    }
    return needs;
}
