/*
 * Signing and measuring, each against something that does not use the code under test: OpenSSL's own signature
 * check, the definitions of Q1 and Q2, and a measurement computed from the SDM's text by a separate program.
 */
#include <elf.h>
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sgx/sign/image.h"
#include "sgx/sign/sigstruct.h"

static EVP_PKEY *make_key(unsigned bits, unsigned exponent)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
    BIGNUM *e = BN_new();
    EVP_PKEY *key = NULL;
    BN_set_word(e, exponent);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits), 1);
    assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
    BN_free(e);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *key;
static struct sgx_sigstruct development, production;
static const uint8_t hash[32] = {1, 2, 3};
static const struct image_config config = {
    .prod_id = 0x1234, .isv_svn = 0x5678, .misc_select = 1, .misc_mask = 0xff, .disable_debug = 1};

static int setup(void **state)
{
    (void)state;
    key = make_key(3072, 3);
    assert_int_equal(sigstruct_make(&config, hash, 0x20260102, 0, key, &development), 0);
    assert_int_equal(sigstruct_make(&config, hash, 0x20260102, 1, key, &production), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

static void test_fields(void **state)
{
    (void)state;
    const struct sgx_sigstruct *s = &development;
    static const uint8_t header[16] = {6, 0, 0, 0, 0xE1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0};
    static const uint8_t header2[16] = {1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0};
    assert_memory_equal(s->header, header, 16);
    assert_memory_equal(s->header2, header2, 16);
    assert_memory_equal(s->enclavehash, hash, 32);
    assert_int_equal(s->date, 0x20260102);
    assert_int_equal(s->exponent, 3);
    assert_int_equal(s->isvprodid, 0x1234);
    assert_int_equal(s->isvsvn, 0x5678);
    assert_int_equal(s->miscselect, 1);
    assert_int_equal(s->miscmask, 0xff);
    assert_int_equal(s->attributes.flags & SGX_FLAGS_DEBUG, 0);
    assert_int_equal(s->attributemask.flags & SGX_FLAGS_DEBUG, 0);
    assert_int_equal(production.attributemask.flags & SGX_FLAGS_DEBUG, SGX_FLAGS_DEBUG);
}

/* The modulus as a little-endian number is the key's, and the signature is PKCS#1 over the two signed parts. */
static void test_signature(void **state)
{
    (void)state;
    const struct sgx_sigstruct *both[] = {&development, &production};
    for (int i = 0; i < 2; i++) {
        const uint8_t *bytes = (const uint8_t *)both[i];
        BIGNUM *n = NULL, *m = BN_lebin2bn(both[i]->modulus, 384, NULL);
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n);
        assert_int_equal(BN_cmp(n, m), 0);
        uint8_t big_endian[384];
        for (int b = 0; b < 384; b++)
            big_endian[b] = both[i]->signature[383 - b];
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
        EVP_DigestVerifyUpdate(ctx, bytes, 128);
        EVP_DigestVerifyUpdate(ctx, bytes + 900, 128);
        assert_int_equal(EVP_DigestVerifyFinal(ctx, big_endian, 384), 1);
        assert_int_equal(sigstruct_check(both[i]), SGX_SUCCESS);
        EVP_MD_CTX_free(ctx);
        BN_free(n);
        BN_free(m);
    }
}

/* Q1 = floor(S^2 / M); Q2 = floor((S^3 - Q1 S M) / M), SDM 3D 35.14. */
static void test_q1_q2(void **state)
{
    (void)state;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *s = BN_lebin2bn(development.signature, 384, NULL), *m = BN_lebin2bn(development.modulus, 384, NULL);
    BIGNUM *q = BN_new(), *square = BN_new(), *cube = BN_new(), *product = BN_new();
    BIGNUM *q1 = BN_lebin2bn(development.q1, 384, NULL), *q2 = BN_lebin2bn(development.q2, 384, NULL);
    BN_mul(square, s, s, ctx);
    BN_div(q, NULL, square, m, ctx);
    assert_int_equal(BN_cmp(q, q1), 0);
    BN_mul(cube, square, s, ctx);
    BN_mul(product, q1, s, ctx);
    BN_mul(product, product, m, ctx);
    BN_sub(cube, cube, product);
    BN_div(q, NULL, cube, m, ctx);
    assert_int_equal(BN_cmp(q, q2), 0);
    BIGNUM *all[] = {s, m, q, square, cube, product, q1, q2};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        BN_free(all[i]);
    BN_CTX_free(ctx);
}

static void test_every_byte_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof development; i++) {
        struct sgx_sigstruct s = development;
        ((uint8_t *)&s)[i] ^= 0x40;
        assert_int_not_equal(sigstruct_check(&s), SGX_SUCCESS);
    }
}

static void test_other_keys_refused(void **state)
{
    (void)state;
    struct sgx_sigstruct s;
    EVP_PKEY *small = make_key(2048, 3), *usual = make_key(3072, 65537), *curve = EVP_EC_gen("P-256");
    EVP_PKEY *keys[] = {small, usual, curve};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sigstruct_make(&config, hash, 0x20260102, 0, keys[i], &s), -EINVAL);
        EVP_PKEY_free(keys[i]);
    }
}

static void test_mrsigner(void **state)
{
    (void)state;
    uint8_t signer[32], expected[32];
    sigstruct_mrsigner(&development, signer);
    SHA256((const uint8_t *)&development + 128, 384, expected);
    assert_memory_equal(signer, expected, 32);
}

static const char *write_temporary(const void *data, size_t size)
{
    static char path[64];
    strcpy(path, "/tmp/sign_test.XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
    return path;
}

static int read_config(const char *text, struct image_config *c, char error[256])
{
    const char *path = write_temporary(text, strlen(text));
    error[0] = 0;
    int result = image_config_read(path, c, error, 256);
    unlink(path);
    return result;
}

static void test_config(void **state)
{
    (void)state;
    struct image_config c;
    char error[256];
    const char *good = "<EnclaveConfiguration>\n<ProdID>3</ProdID>\n<ISVSVN>0x4</ISVSVN><TCSNum>6</TCSNum>"
                       "<StackMaxSize>0x10000</StackMaxSize><HeapInitSize>0x200000</HeapInitSize>"
                       "<HeapMaxSize>0x400000</HeapMaxSize><ReservedMemInitSize>0x1000</ReservedMemInitSize>"
                       "<ReservedMemExecutable>1</ReservedMemExecutable><DisableDebug>1</DisableDebug>"
                       "<MiscSelect>1</MiscSelect><MiscMask>0xFFFFFFFF</MiscMask></EnclaveConfiguration>";
    assert_int_equal(read_config(good, &c, error), 0);
    assert_int_equal(c.prod_id, 3);
    assert_int_equal(c.isv_svn, 4);
    assert_int_equal(c.tcs_num, 6);
    assert_int_equal(c.main_stack_size, 0x10000);
    assert_int_equal(c.heap_init_size, 0x200000);
    assert_int_equal(c.heap_max_size, 0x400000);
    assert_int_equal(c.code_size, 0x1000);
    assert_int_equal(c.misc_mask, 0xffffffff);
}

static void test_config_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line, *what;
    } bad[] = {
        {"<EnclaveConfiguration>\n<HeapSize>1</HeapSize></EnclaveConfiguration>",
         "line 2:", "unknown element HeapSize"},
        {"<EnclaveConfiguration>\n\n<TCSNum>many</TCSNum></EnclaveConfiguration>", "line 3:", "not a number: TCSNum"},
        {"<EnclaveConfiguration>\n<TCSNum></TCSNum></EnclaveConfiguration>", "line 2:", "not a number: TCSNum"},
        {"<EnclaveConfiguration>\n<ProdID>1</ProdID>\n</Enclave>", "line 3:", "not well-formed"},
        {"<EnclaveConfiguration>\n<ProdID>65536</ProdID></EnclaveConfiguration>", "line 2:", "ProdID"},
        {"<EnclaveConfiguration>\n<ISVSVN>-1</ISVSVN></EnclaveConfiguration>", "line 2:", "ISVSVN"},
        {"<EnclaveConfiguration>\n<TCSNum>4294967297</TCSNum></EnclaveConfiguration>", "line 2:", "TCSNum"},
        {"<EnclaveConfiguration>\n</EnclaveConfiguration>", "", "ReservedMemExecutable"},
        {"<EnclaveConfiguration><ISVSVN>1</ISVSVN>\n<ISVSVN>2</ISVSVN></EnclaveConfiguration>",
         "line 2:", "given twice: ISVSVN"},
        {"<EnclaveConfiguration><DisableDebug>1</DisableDebug>\n<DisableDebug>1</DisableDebug></EnclaveConfiguration>",
         "line 2:", "given twice: DisableDebug"},
        {"<EnclaveConfiguration>\n<TCSNum value='2'>1</TCSNum></EnclaveConfiguration>", "line 2:", "TCSNum"},
        {"<EnclaveConfiguration>\n<TCSNum><ProdID>1</ProdID>2</TCSNum></EnclaveConfiguration>",
         "line 2:", "within another element: ProdID"},
        {"<ProdID>1</ProdID>", "line 1:", "unknown element ProdID"},
        {"<EnclaveConfiguration>\n<TCSPolicy>0</TCSPolicy></EnclaveConfiguration>", "line 2:", "TCSPolicy"},
        {"<EnclaveConfiguration><ReservedMemExecutable>1</ReservedMemExecutable><ReservedMemInitSize>1</"
         "ReservedMemInitSize>"
         "<ReservedMemMaxSize>2</ReservedMemMaxSize></EnclaveConfiguration>",
         "", "ReservedMemMaxSize"},
        {"", "line 1:", "not well-formed XML: it is empty"},
    };
    struct image_config c;
    char error[256];
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_config(bad[i].text, &c, error), -EINVAL);
        if (!strstr(error, bad[i].line) || !strstr(error, bad[i].what))
            fail_msg("%s", error);
    }
    assert_true(image_config_read("/nonexistent/x.xml", &c, error, sizeof error) < 0);
}

/* A tiny image: one RX segment with the headers and 256 bytes of code, one RW segment with data and zeros. */
static size_t tiny_elf(uint8_t *out)
{
    const size_t size = 0x1010;
    memset(out, 0, size);
    Elf64_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                     .e_type = ET_DYN,
                     .e_machine = EM_X86_64,
                     .e_version = 1,
                     .e_entry = 0x100,
                     .e_phoff = 64,
                     .e_ehsize = 64,
                     .e_phentsize = 56,
                     .e_phnum = 2};
    Elf64_Phdr ph[2] = {{PT_LOAD, PF_R | PF_X, 0, 0, 0, 0x200, 0x200, 0x1000},
                        {PT_LOAD, PF_R | PF_W, 0x1000, 0x1000, 0x1000, 16, 0x1800, 0x1000}};
    memcpy(out, &eh, sizeof eh);
    memcpy(out + 64, ph, sizeof ph);
    for (unsigned i = 0x100; i < 0x200; i++)
        out[i] = (uint8_t)i;
    memcpy(out + 0x1000, "initialised data", 16);
    return size;
}

static const struct image_config tiny_config = {.heap_init_size = 0x2000,
                                                .code_size = 0x1000,
                                                .main_stack_size = 0x2000,
                                                .thread_stack_size = 0x1000,
                                                .tcs_num = 2};

static int open_image(const uint8_t *elf, size_t size, const struct image_config *c, struct image *image,
                      char error[256])
{
    const char *path = write_temporary(elf, size);
    error[0] = 0;
    int result = image_open(path, c, image, error, 256);
    unlink(path);
    return result;
}

static void test_measurement(void **state)
{
    (void)state;
    /* From a separate program over the SDM's records and the layout that layout.h describes. */
    static const uint8_t expected[32] = {0x88, 0x5c, 0x26, 0xa5, 0xc7, 0x5a, 0xbb, 0xc2, 0x7d, 0x0d, 0x4a,
                                         0x3e, 0x80, 0x0b, 0xac, 0xe8, 0x7b, 0xed, 0x7d, 0x7a, 0x46, 0x93,
                                         0x8f, 0x49, 0x47, 0xf4, 0x62, 0xff, 0xb8, 0x0e, 0x2c, 0x1b};
    uint8_t elf[0x1010], mrenclave[32];
    char error[256];
    struct image image;
    assert_int_equal(open_image(elf, tiny_elf(elf), &tiny_config, &image, error), 0);
    assert_int_equal(image.layout.elrange_size, 0x400000);
    assert_int_equal(image_measure(&image, mrenclave), 0);
    assert_memory_equal(mrenclave, expected, 32);
    image_close(&image);
}

static void test_bad_images(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint64_t value;
        unsigned size;
        const char *what;
    } bad[] = {
        {0, 0, 1, "not an x86-64 ELF"},
        {4, 1, 1, "not an x86-64 ELF"},
        {16, ET_EXEC, 2, "position-independent"},
        {18, EM_386, 2, "not an x86-64 ELF"},
        {32, 0x1000000, 8, "outside the file"},
        {32, UINT64_MAX, 8, "outside the file"},
        {32, 63, 8, "unaligned"},
        {160, 1ull << 31, 8, "too large"},
        {54, 32, 2, "outside the file"},
        {56, 0xffff, 2, "outside the file"},
        {56, 0, 2, "no segment at offset 0"},
        {120, PT_INTERP, 4, "PT_INTERP"},
        {124, PF_R | PF_W | PF_X, 4, "writable and executable"},
        {128, UINT64_MAX, 8, "outside the file"},
        {136, UINT64_MAX - 100, 8, "outside the file"},
        {136, 0, 8, "overlap"},
        {152, 0x2000, 8, "outside the file"},
        {160, UINT64_MAX, 8, "outside the file"},
        {24, 0x100000000, 8, "entry"},
    };
    uint8_t elf[0x1010];
    char error[256];
    struct image image;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t size = tiny_elf(elf);
        memcpy(elf + bad[i].at, &bad[i].value, bad[i].size);
        if (open_image(elf, size, &tiny_config, &image, error) != -ENOEXEC || !strstr(error, bad[i].what))
            fail_msg("case %u: %s", i, error);
    }
    for (size_t size = 0; size < 0x1010; size += 15) {
        tiny_elf(elf);
        assert_int_equal(open_image(elf, size, &tiny_config, &image, error), -ENOEXEC);
    }
    struct image_config c = tiny_config;
    c.tcs_num = ENCLAVE_TCS_MAX + 1;
    assert_int_equal(open_image(elf, tiny_elf(elf), &c, &image, error), -EINVAL);
    c = tiny_config, c.heap_max_size = 0x1000; /* below the initial size */
    assert_true(open_image(elf, tiny_elf(elf), &c, &image, error) < 0);
    c = tiny_config, c.heap_init_size = 100;
    assert_int_equal(open_image(elf, tiny_elf(elf), &c, &image, error), -EINVAL);
    assert_int_equal(open_image(elf, tiny_elf(elf), NULL, &image, error), -ENOEXEC); /* unsigned, without config */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_q1_q2),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_other_keys_refused),
        cmocka_unit_test(test_mrsigner),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_config_errors),
        cmocka_unit_test(test_measurement),
        cmocka_unit_test(test_bad_images),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
