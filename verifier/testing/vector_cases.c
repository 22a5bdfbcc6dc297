/* See vector_cases.h. */
#include "verifier/testing/vector_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/dice.h"
#include "verifier/testing/vectors.h"

#define BEFORE(name, statement)      \
    static void name(struct made *m) \
    {                                \
        statement;                   \
    }
#define AFTER(name, statement)       \
    static void name(json_t *vector) \
    {                                \
        statement;                   \
    }

static json_t *policy_of(json_t *vector)
{
    return json_object_get(vector, "policy");
}

static void expect_text(json_t *vector, const char *member, const char *text)
{
    json_object_set_new(policy_of(vector), member, json_string(text));
}

static void collateral_rule(json_t *vector, json_t *accepted, bool required)
{
    json_object_set_new(policy_of(vector), "collateral",
                        json_pack("{s:b,s:o}", "required", required, "accept_tcb", accepted));
}

/* ---- the certificate ------------------------------------------------------------------------------------------- */

static void set_certificate(json_t *vector, const void *der, size_t size)
{
    json_object_set_new(vector, "certificate", vector_base64(der, size));
}

static void longer_certificate(json_t *vector)
{
    size_t size;
    uint8_t *der = vector_bytes(json_object_get(vector, "certificate"), &size), *longer = calloc(1, size + 1);
    assert_non_null(longer);
    memcpy(longer, der, size);
    set_certificate(vector, longer, size + 1);
    free(longer);
    free(der);
}

/* The certificate with one extension more. Anybody signs it: no issuer is expected then. */
static void add_extension(json_t *vector, const char *oid_text, bool critical, const void *data, int length)
{
    size_t size;
    uint8_t *der = vector_bytes(json_object_get(vector, "certificate"), &size), *out = NULL;
    const uint8_t *at = der;
    X509 *leaf = d2i_X509(NULL, &at, (long)size);
    ASN1_OBJECT *oid = OBJ_txt2obj(oid_text, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    assert_true(ASN1_OCTET_STRING_set(value, data, length));
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, critical, value);
    assert_true(X509_add_ext(leaf, extension, -1));
    EVP_PKEY *anybody = EVP_EC_gen("P-256");
    assert_true(X509_sign(leaf, anybody, EVP_sha256()) > 0);
    length = i2d_X509(leaf, &out);
    assert_true(length > 0);
    set_certificate(vector, out, (size_t)length);
    json_object_del(policy_of(vector), "issuer");
    OPENSSL_free(out);
    EVP_PKEY_free(anybody);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    X509_free(leaf);
    free(der);
}
/* RFC 5280, section 4.2: what one must understand and does not. */
AFTER(critical_extension, add_extension(vector, "1.2.3.4", true, "", 0))
AFTER(no_certificate, set_certificate(vector, "no DER", 6))
BEFORE(no_root, m->options.roots = 0)
AFTER(other_extension,
      json_object_set_new(policy_of(vector), "extensions", json_pack("{s:s}", "1.3.6.1.4.1.65230.2.4", "01020305")))
AFTER(missing_extension,
      json_object_set_new(policy_of(vector), "extensions", json_pack("{s:s}", "1.3.6.1.4.1.65230.2.9", "01020304")))
AFTER(from_file, json_object_set_new(vector, "live", json_false()))
static void unbound(json_t *vector)
{
    from_file(vector);
    json_object_del(policy_of(vector), "issuer");
    json_object_del(policy_of(vector), "extensions");
}

/* ---- its DICE evidence ------------------------------------------------------------------------------------------ */

BEFORE(evidence, m->options.evidences = 1)
BEFORE(evidence_alone, (m->options.evidences = 1, m->options.quotes = 0))
BEFORE(evidence_of_key_alone, {
    m->options.evidences = 1;
    m->options.evidence.missing_claims = CLAIM_EXTENSIONS;
})
BEFORE(evidence_by_sha512, {
    m->options.evidences = 1;
    m->options.evidence.algorithm = DICE_SHA512;
    m->options.evidence.unknown = true;
})
static void bound_by_evidence(json_t *vector)
{
    from_file(vector);
    json_object_del(policy_of(vector), "issuer");
}

/* ---- without a quote: version 2 -------------------------------------------------------------------------------- */

BEFORE(version_2, m->options.v2 = true)
AFTER(other_measurement,
      json_object_set_new(policy_of(vector), "mrenclave",
                          json_pack("[s]", "00ababababababababababababababababababababababababababababababab")))
AFTER(with_generation, add_extension(vector, "1.3.6.1.4.1.65230.4.1", false, "\0\0\0\0\0\0\0\51", 8))
AFTER(with_no_evidence, add_extension(vector, DICE_OID, false, "no CBOR", 7))
static void change_fresh(json_t *vector, const char *member, const char *from, const char *to)
{
    json_t *fresh = json_object_get(vector, "fresh");
    char *text = strdup(json_string_value(json_object_get(fresh, member))), *at = strstr(text, from);
    assert_true(at && strlen(from) == strlen(to));
    memcpy(at, to, strlen(to));
    json_object_set_new(fresh, member, json_string(text));
    free(text);
}
AFTER(replayed, change_fresh(vector, "context", "c0", "c1"))
AFTER(relayed, change_fresh(vector, "exported", "e0", "e1"))
AFTER(misspelt, change_fresh(vector, "answer", "challenge", "chollenge"))
AFTER(unended, change_fresh(vector, "answer", "\"}", "\" "))
static void tampered(json_t *vector)
{
    json_t *fresh = json_object_get(vector, "fresh");
    char *text = strdup(json_string_value(json_object_get(fresh, "answer")));
    char *at = strstr(text, "quote") + 100; /* within the report */
    *at = *at == 'A' ? 'B' : 'A';
    json_object_set_new(fresh, "answer", json_string(text));
    free(text);
}

/* ---- roots and collateral -------------------------------------------------------------------------------------- */

static void simulation(struct made *m)
{
    m->options.root_name = "A SIMULATION Root CA";
    m->options.body.attributes.flags |= SGX_FLAGS_DEBUG;
}
AFTER(allow_simulation, json_object_set_new(policy_of(vector), "allow_simulation", json_true()))
static void no_collateral(json_t *vector)
{
    json_object_set_new(vector, "collateral", json_null());
    collateral_rule(vector, json_array(), false);
}
static void bare_simulation(json_t *vector)
{
    allow_simulation(vector);
    no_collateral(vector);
}
static void missing_collateral(json_t *vector)
{
    bare_simulation(vector);
    collateral_rule(vector, json_array(), true);
}
static void any_simulation(json_t *vector)
{
    bare_simulation(vector);
    json_object_del(policy_of(vector), "roots");
}
AFTER(no_roots, json_object_del(policy_of(vector), "roots"))
AFTER(crl_in_hex, {
    size_t size;
    uint8_t *der = vector_bytes(json_object_get(json_object_get(vector, "collateral"), "root.crl"), &size);
    char *hex = malloc(2 * size + 2);
    assert_non_null(hex);
    hex_text(der, size, hex);
    strcat(hex, "\n");
    json_object_set_new(json_object_get(vector, "collateral"), "root.crl", vector_base64(hex, strlen(hex)));
    free(hex);
    free(der);
})

/* ---- forged ---------------------------------------------------------------------------------------------------- */

BEFORE(forged_pck, m->options.forged_pck = true)
BEFORE(forged_ca, m->options.forged_ca = true)
BEFORE(forged_signer, m->options.forged_signer = true)
BEFORE(root_allows_no_ca, m->options.root_allows_no_ca = true)
BEFORE(pck_by_sha384, m->options.pck_by_sha384 = true)
BEFORE(partial_crl, m->options.partial_crl = true)

#define FLIP(name, offset)                                      \
    static const char *name##_bit(uint8_t *quote, size_t *size) \
    {                                                           \
        quote[offset] ^= 1;                                     \
        return NULL;                                            \
    }                                                           \
    BEFORE(name, m->options.tamper = name##_bit)
FLIP(in_vendor, 12)
FLIP(in_mrenclave, 112)
FLIP(in_signature_length, 432)
FLIP(in_attestation_key, 500)
FLIP(in_certification_type, 1046)

/* A document of collateral with other words in it, signed again. */
static void sign_again(json_t *vector, const char *file, const char *name, const char *from, const char *to)
{
    json_t *files = json_object_get(vector, "collateral");
    size_t size, prefix = strlen(name) + 4;
    char *text = vector_bytes(json_object_get(files, file), &size);
    char *inner = calloc(1, size + strlen(to) + 1);
    assert_non_null(inner);
    text[size] = '\0';
    const char *end = strstr(text, ",\"signature\":\""), *at = strstr(text, from);
    assert_true(at && at < end);
    memcpy(inner, text + prefix, (size_t)(at - text) - prefix);
    strcat(inner, to);
    strncat(inner, at + strlen(from), (size_t)(end - at) - strlen(from));
    char *made = fixture_sign(name, inner, strlen(inner));
    json_object_set_new(files, file, vector_base64(made, strlen(made)));
    free(made);
    free(inner);
    free(text);
}
#define TCB_INFO(name, from, to) AFTER(name, sign_again(vector, "tcb-info.json", "tcbInfo", from, to))
#define QE_IDENTITY(name, from, to) AFTER(name, sign_again(vector, "qe-identity.json", "enclaveIdentity", from, to))
TCB_INFO(version_twice, "\"version\":3", "\"version\":3,\"version\":3")
TCB_INFO(of_tdx, "\"id\":\"SGX\"", "\"id\":\"TDX\"")
TCB_INFO(unknown_status, "\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"Wonderful\"")
TCB_INFO(large_svn, "{\"svn\":5}", "{\"svn\":256}")
TCB_INFO(short_date, "\"tcbDate\":\"2025-01-01T00:00:00Z\"", "\"tcbDate\":\"2025-01-01\"")
TCB_INFO(spaces, "\"version\":3", " \"version\" : 3 ")
QE_IDENTITY(of_td, "\"id\":\"QE\"", "\"id\":\"TD_QE\"")
QE_IDENTITY(number_as_text, "\"isvprodid\":1", "\"isvprodid\":\"1\"")
QE_IDENTITY(platforms_status, "\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"SWHardeningNeeded\"")

/* ---- statuses -------------------------------------------------------------------------------------------------- */

#define STATUS(name, text, qe)                  \
    static void name(struct made *m)            \
    {                                           \
        m->options.tcb.levels[0].status = text; \
        m->options.qe_body.isvsvn = qe;         \
    }
#define ACCEPT(name, text) AFTER(name, collateral_rule(vector, json_pack("[s]", text), true))
STATUS(hardening, "SWHardeningNeeded", 8)
STATUS(hardening_low, "SWHardeningNeeded", 7)
STATUS(configuration_low, "ConfigurationNeeded", 7)
STATUS(both, "ConfigurationAndSWHardeningNeeded", 8)
BEFORE(component_low, m->options.platform.components[15] = 4)
ACCEPT(accept_hardening, "SWHardeningNeeded")
ACCEPT(accept_out_of_date, "OutOfDate")
ACCEPT(accept_out_of_date_configuration, "OutOfDateConfigurationNeeded")
ACCEPT(accept_configuration, "ConfigurationNeeded")
ACCEPT(accept_both, "ConfigurationAndSWHardeningNeeded")

/* ---- whose ----------------------------------------------------------------------------------------------------- */

static void nobodys(json_t *vector)
{
    json_t *policy = policy_of(vector), *roots = json_incref(json_object_get(policy, "roots"));
    json_object_clear(policy);
    expect_text(vector, "format", "enclave-os-policy/1");
    json_object_set_new(policy, "roots", roots);
}
static void instance_alone(json_t *vector)
{
    static const char instance[] = "1d02030000000000000000000000000000000000000000000000000000000000";
    nobodys(vector);
    expect_text(vector, "instance", instance);
}
static void program_alone(json_t *vector)
{
    nobodys(vector);
    expect_text(vector, "mrsigner", "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd");
}
static void instance_of_program(json_t *vector)
{
    instance_alone(vector);
    expect_text(vector, "mrsigner", "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd");
}
static void issuer_alone(json_t *vector)
{
    json_t *issuer = json_incref(json_object_get(policy_of(vector), "issuer"));
    nobodys(vector);
    json_object_set_new(policy_of(vector), "issuer", issuer);
    from_file(vector);
}
static void administrators_alone(json_t *vector)
{
    json_t *administrators = json_incref(json_object_get(policy_of(vector), "administrators"));
    program_alone(vector);
    json_object_set_new(policy_of(vector), "administrators", administrators);
}
AFTER(unknown_predecessor, json_object_del(policy_of(vector), "predecessors"))
BEFORE(strange_lineage, {
    static uint8_t lineage[64];
    memset(lineage, 0xe6, 32);
    memset(lineage + 32, 0xab, 32);
    m->options.lineage = lineage;
    m->options.lineage_size = 64;
})

const struct vector_case vector_cases[] = {
    {"good-all", "Everything is expected that a policy file can say, and all of it holds.", NULL,
     MANIFEST | LOG | FRESH, evidence, NULL},
    {"good-dice", "A certificate from a file, whose DICE evidence binds its extensions.", NULL, LEAN, evidence,
     bound_by_evidence},
    {"good-dice-alone", "The same without any other quote.", NULL, LEAN, evidence_alone, bound_by_evidence},
    {"good-dice-sha512", "Evidence with a longer hash, and a claim that nobody knows.", NULL, LEAN, evidence_by_sha512,
     bound_by_evidence},
    {"dice-of-key-alone", "Evidence that says nothing of the extensions, which are nobody's word then.", "extension",
     LEAN, evidence_of_key_alone, bound_by_evidence},
    {"good-manifest", "Everything is expected but a log, and all of it holds.", NULL, MANIFEST, NULL, NULL},
    {"good-certificate", "What a certificate alone shows is expected, and holds.", NULL, LEAN, NULL, NULL},
    {"good-simulation", "A simulation's debug enclave, under a root that the policy allows and pins.", NULL, LEAN,
     simulation, allow_simulation},
    {"good-simulation-bare", "A simulation without collateral, which the policy does not require.", NULL, LEAN,
     simulation, bare_simulation},
    {"good-simulation-any", "A simulation under a root of its own, which the policy allows.", NULL, LEAN, simulation,
     any_simulation},
    {"good-issuer", "A certificate from a file, under the CA that the policy pins, and nothing else.", NULL, LEAN, NULL,
     issuer_alone},
    {"good-instance", "An instance of a signer's program, and nothing else, is expected.", NULL, LEAN, NULL,
     instance_of_program},
    {"good-administrators", "A signer's program with these administrators is expected.", NULL, MANIFEST, NULL,
     administrators_alone},
    {"good-out-of-date", "A platform that is out of date, which the policy accepts.", NULL, LEAN, component_low,
     accept_out_of_date},
    {"good-hardening", "A platform that needs hardening, which the policy accepts.", NULL, LEAN, hardening,
     accept_hardening},
    {"good-hardening-low", "The same with an old quoting enclave: out of date, which the policy accepts.", NULL, LEAN,
     hardening_low, accept_out_of_date},
    {"good-configuration-low", "A platform to be configured with an old quoting enclave, which the policy accepts.",
     NULL, LEAN, configuration_low, accept_out_of_date_configuration},
    {"good-both", "A platform to be configured and hardened, which the policy accepts.", NULL, LEAN, both, accept_both},
    {"good-spaces", "A TCB info with spaces in it, over which it is signed.", NULL, LEAN, NULL, spaces},
    {"good-crl-hex", "The root's revocation list in hexadecimal, as a PCCS has it.", NULL, LEAN, NULL, crl_in_hex},
    {"genuine-nobody", "Nothing is expected but a root: nothing is wrong, and it is nobody's in particular.", NULL,
     LEAN, NULL, nobodys},
    {"genuine-program", "A signer's program, whoever runs it.", NULL, LEAN, NULL, program_alone},
    {"genuine-instance", "An instance by its own word, of whatever program.", NULL, LEAN, NULL, instance_alone},
    {"certificate-longer", "There is a byte behind the certificate.", "certificate", LEAN, NULL, longer_certificate},
    {"certificate-critical", NULL, "certificate", LEAN, NULL, critical_extension},
    {"certificate-none", NULL, "certificate", LEAN, NULL, no_certificate},
    {"configuration-root", NULL, "configuration root", LEAN, no_root, NULL},
    {"extension-value", NULL, "extension", LEAN, NULL, other_extension},
    {"extension-missing", NULL, "extension", LEAN, NULL, missing_extension},
    {"unbound", "A certificate from a file, under no CA that is pinned: its extensions are nobody's word.", "instance",
     LEAN, NULL, unbound},
    {"unbound-manifest", "The same with a manifest: it proves nothing.", "manifest", MANIFEST, NULL, unbound},
    {"collateral-none", NULL, "collateral", LEAN, simulation, missing_collateral},
    {"quoting-enclave-unknown", "Without collateral, the quoting enclave must be Intel's.",
     "quoting enclave's identity", LEAN, NULL, no_collateral},
    {"root-unknown", "The root is neither Intel's, nor a simulation's, nor pinned.", "root", LEAN, NULL, no_roots},
    {"pck-forged", NULL, "pck chain", LEAN, forged_pck, NULL},
    {"pck-ca-forged", NULL, "pck chain", LEAN, forged_ca, NULL},
    {"pck-ca-too-deep", NULL, "pck chain", LEAN, root_allows_no_ca, NULL},
    {"pck-sha384", NULL, "pck chain", LEAN, pck_by_sha384, NULL},
    {"pck-crl-partial", NULL, "pck crl", LEAN, partial_crl, NULL},
    {"tcb-info-forged-signer", NULL, "tcb info", LEAN, forged_signer, NULL},
    {"tcb-info-name-twice", NULL, "tcb info", LEAN, NULL, version_twice},
    {"tcb-info-of-tdx", NULL, "tcb info", LEAN, NULL, of_tdx},
    {"tcb-info-status", NULL, "tcb info", LEAN, NULL, unknown_status},
    {"tcb-info-svn", NULL, "tcb info", LEAN, NULL, large_svn},
    {"tcb-info-date", NULL, "tcb info", LEAN, NULL, short_date},
    {"qe-identity-of-td", NULL, "qe identity", LEAN, NULL, of_td},
    {"qe-identity-text", NULL, "qe identity", LEAN, NULL, number_as_text},
    {"qe-identity-status", NULL, "qe identity", LEAN, NULL, platforms_status},
    {"quote-vendor", NULL, "quote", LEAN, in_vendor, NULL},
    {"quote-mrenclave", "A bit of MRENCLAVE is another than was signed.", "quote signature", LEAN, in_mrenclave, NULL},
    {"quote-length", NULL, "quote", LEAN, in_signature_length, NULL},
    {"quote-key", "A bit of the attestation key is another than was vouched for.", "attestation key", LEAN,
     in_attestation_key, NULL},
    {"quote-certification", NULL, "quote", LEAN, in_certification_type, NULL},
    {"tcb-status-hardening", NULL, "tcb status", LEAN, hardening, accept_out_of_date},
    {"tcb-status-converged", "The quoting enclave brings the platform's status down.", "tcb status", LEAN,
     configuration_low, accept_configuration},
    {"good-v2", "Version 2, without a quote in the certificate: all holds by what is made behind the handshake.", NULL,
     MANIFEST | LOG | FRESH, version_2, NULL},
    {"v2-unasked", "The same, but nobody asked it behind the handshake.", "quote", MANIFEST, version_2, NULL},
    {"v2-file", "The same from a file: whoever has it can ask the enclave, too.", "quote", MANIFEST | FRESH, version_2,
     from_file},
    {"v2-replayed", "The answer is to another challenge.", "report data", MANIFEST | FRESH, version_2, replayed},
    {"v2-relayed", "The answer is of another connection.", "report data", MANIFEST | FRESH, version_2, relayed},
    {"v2-measurement", "The answer is of another program.", "mrenclave", MANIFEST | FRESH, version_2,
     other_measurement},
    {"v2-tampered", "A bit of the answer's quote is another than was signed.", "quote signature", MANIFEST | FRESH,
     version_2, tampered},
    {"v2-mode", NULL, "quote", MANIFEST | FRESH, version_2, misspelt},
    {"v2-unended", NULL, "quote", MANIFEST | FRESH, version_2, unended},
    {"v2-generation", "A number of version 1 stands in it: it is not of version 2, and lacks a quote.", "quote",
     MANIFEST | FRESH, version_2, with_generation},
    {"v2-dice", "It has DICE evidence, which is none: what is made behind the handshake does not replace it.", "quote",
     MANIFEST | FRESH, version_2, with_no_evidence},
    {"lineage-unknown", NULL, "lineage", LEAN, strange_lineage, unknown_predecessor},
};
const size_t vector_case_count = sizeof vector_cases / sizeof vector_cases[0];
