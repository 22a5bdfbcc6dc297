/* PEM text: what is in a file beside what it should have is refused, and the line is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/pem.h"

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nMAAB\n-----END CERTIFICATE-----\n"
#define KEY(name) "-----BEGIN " name "-----\nMAAB\n-----END " name "-----\n"

static long judge(const char *text, char why[PEM_WHY_SIZE])
{
    why[0] = '\0';
    return pem_judge(text, strlen(text), "CERTIFICATE", why);
}

static void test_taken(void **state)
{
    static const struct {
        const char *text;
        long count;
    } cases[] = {
        {"", 0},
        {"nonsense", 0},
        {"\n \n", 0},
        {CERTIFICATE, 1},
        {CERTIFICATE CERTIFICATE, 2},
        {"-----BEGIN CERTIFICATE-----\r\nMAAB\r\n-----END CERTIFICATE-----\r\n", 1},
        {"-----BEGIN CERTIFICATE-----  \nMAAB\n-----END CERTIFICATE-----", 1},
        {"# comment\n\nName of a CA\n============\n" CERTIFICATE "\n\xc3\x9c\tNext\n-----\n" CERTIFICATE "\n \n", 2},
    };
    char why[PEM_WHY_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (judge(cases[i].text, why) != cases[i].count)
            fail_msg("case %zu: %s", i, why);
}

static void test_refused(void **state)
{
    static const char *const cases[][2] = {
        {CERTIFICATE KEY("PRIVATE KEY"), "line 4: a private key"},
        {KEY("EC PRIVATE KEY") CERTIFICATE, "line 1: a private key"},
        {CERTIFICATE "comment\n" KEY("RSA PRIVATE KEY"), "line 5: a private key"},
        {CERTIFICATE KEY("ENCRYPTED PRIVATE KEY"), "line 4: a private key"},
        {CERTIFICATE KEY("OPENSSH PRIVATE KEY"), "line 4: a private key"},
        {CERTIFICATE " " KEY("PRIVATE KEY"), "line 4: the beginning or end"},
        {"> -----BEGIN PRIVATE KEY-----\n" CERTIFICATE, "line 1: the beginning or end"},
        {"a\r-----BEGIN PRIVATE KEY-----\n" CERTIFICATE, "line 1: bytes that are no text"},
        {KEY("PUBLIC KEY"), "line 1: a block called PUBLIC KEY; only CERTIFICATE belongs here"},
        {CERTIFICATE KEY("CERTIFICATE REQUEST"), "line 4: a block called CERTIFICATE REQUEST"},
        {CERTIFICATE KEY("X509 CRL"), "line 4: a block called X509 CRL"},
        {KEY("TRUSTED CERTIFICATE"), "line 1: a block called TRUSTED CERTIFICATE"},
        {KEY("EC PARAMETERS") CERTIFICATE, "line 1: a block called EC PARAMETERS"},
        {KEY("certificate"), "line 1: a block called certificate"},
        {"\xef\xbb\xbf" CERTIFICATE, "line 1: the beginning or end"},
        {"-----BEGIN CERTIFICATE----\nMAAB\n-----END CERTIFICATE-----\n", "line 1: the beginning or end"},
        {"-----BEGIN -----\n", "line 1: the beginning or end"},
        {"----BEGIN CERTIFICATE-----\nMAAB\n-----END CERTIFICATE-----\n", "line 3: a block ends that did not begin"},
        {CERTIFICATE "-----BEGIN CERTIFICATE-----\nMAAB\n", "line 5: the last block does not end"},
        {"-----BEGIN CERTIFICATE-----\nMAAB\n" CERTIFICATE, "line 3: a block begins within another"},
        {"-----BEGIN CERTIFICATE-----\nMAAB\n-----END CERTIFICATES-----\n", "line 3: the block ends with another name"},
        {CERTIFICATE "\nnonsense\n\n", "line 5: text behind the last block"},
        {CERTIFICATE "\x01", "line 4: bytes that are no text"},
        {"0\x82\x01\x02\x30", "line 1: bytes that are no text"},
    };
    char why[PEM_WHY_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (judge(cases[i][0], why) != -1 || strncmp(why, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("case %zu: '%s' instead of '%s'", i, why, cases[i][1]);
    assert_int_equal(pem_judge("a\0b", 3, "CERTIFICATE", why), -1);
    assert_int_equal(pem_judge(CERTIFICATE, strlen(CERTIFICATE), "PUBLIC KEY", why), -1);
}

/* Whatever is cut off or put in, nothing beyond the text is read (the sanitizers see that) and every line is judged. */
static void test_every_cut(void **state)
{
    static const char whole[] = "# a\n" CERTIFICATE "# b\n" CERTIFICATE;
    char why[PEM_WHY_SIZE];
    (void)state;
    for (size_t size = 0; size <= strlen(whole); size++) {
        char *copy = test_malloc(size + 1);
        memcpy(copy, whole, size);
        long count = pem_judge(copy, size, "CERTIFICATE", why);
        assert_in_range(count + 1, 0, 3);
        test_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
