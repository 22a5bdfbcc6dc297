/*
 * Signed notes, keys, cosignatures and checkpoints: what Go's sumdb/note wrote and what its documentation shows, and
 * the same with anything about it changed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <cmocka.h>

#include "verifier/internal.h"
#include "verifier/note.h"
#include "verifier/testing/note_lines.h"

#define DASH "\xe2\x80\x94 "

/* The example of golang.org/x/mod/sumdb/note. */
static const char neumann[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char neumann_note[] =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n" DASH
    "PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

/* Made with that package, from seeds that are SHA-256 of "log" and "witness"; the root is SHA-256 of "root". */
#define ORIGIN "enclave-os/836ff184e7b41b1e13cb5fd89fa1de98dbbab99e9d2918913ff43b86a5c7c213"
static const char log_key[] = ORIGIN "+15013165+AZsfhHkc/HZjBFhU04netcqVRJ2HXydqg4QLBgqznPxx";
static const char witness_key[] = "witness.example/w1+a7e12144+BGG3op9v3HIXXDPBmFc/0CioJHhGCXc+pyvvFPlBZdYO";
static const char checkpoint[] = ORIGIN
    "\n20852163\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n" DASH ORIGIN
    " FQExZRw+SGM06YvgEuLTTaAbSS+BiRhSYW3hjawv9Gj5TADNsiC+FyZ4lNK5AacxVAVeUkKTzDlk4YlYr8eE/ehuLA4=\n" DASH
    "witness.example/w1 p+EhRAAAAABkGFDL9jh0X8srKbnMXbMmR5yt4BWtCd+ncmZlwt75XBg4OQjKiW8PkJgGxyxE/a8PMDg7W1LTVwSDl9kVb68"
    "fRC36Ag==\n";

static struct note parsed(const char *text)
{
    struct note n;
    assert_int_equal(note_parse(text, strlen(text), &n), 0);
    return n;
}

static struct note_key key(const char *text)
{
    struct note_key k;
    assert_int_equal(note_key_parse(text, strlen(text), &k), 0);
    return k;
}

static void test_others(void **state)
{
    struct note n = parsed(neumann_note), c = parsed(checkpoint);
    struct note_key peter = key(neumann), log = key(log_key), witness = key(witness_key);
    uint64_t time = 1;
    assert_int_equal(note_verify(&n, &peter, &time), 0);
    assert_int_equal(time, 0);
    assert_int_equal(note_verify(&n, &peter, NULL), 0);
    assert_int_equal(note_verify(&n, &log, NULL), -ENOENT);
    assert_int_equal(note_verify(&c, &log, &time), 0);
    assert_int_equal(time, 0);
    assert_int_equal(note_verify(&c, &witness, &time), 0);
    assert_int_equal(time, 1679315147);
    assert_int_equal(note_verify(&c, &peter, NULL), -ENOENT);
    assert_int_equal(n.text_size, strstr(neumann_note, "\n\n") + 1 - neumann_note);

    struct note_checkpoint head;
    uint8_t root[32];
    assert_int_equal(note_checkpoint_parse(&c, &head), 0);
    assert_string_equal(head.origin, ORIGIN);
    assert_int_equal(head.size, 20852163);
    assert_true(verifier__sha256("root", 4, root));
    assert_memory_equal(head.root, root, 32);
    assert_int_equal(note_checkpoint_parse(&n, &head), -EBADMSG);
}

/* Each bit of a signed note: it is no note any more, or no key's signature over what was changed holds. */
static void test_each_bit(void **state)
{
    struct note_key log = key(log_key), witness = key(witness_key);
    size_t size = sizeof checkpoint - 1, text = (size_t)(strstr(checkpoint, "\n\n") + 1 - checkpoint);
    const char *second = strstr(strstr(checkpoint, DASH) + 1, DASH);
    char changed[sizeof checkpoint];
    for (size_t i = 0; i < size; i++) {
        struct note n;
        memcpy(changed, checkpoint, sizeof changed);
        changed[i] ^= (char)(1 << i % 8);
        if (note_parse(changed, size, &n))
            continue;
        bool of_log = i < text || (size_t)(second - checkpoint) > i;
        bool of_witness = i < text || (size_t)(second - checkpoint) <= i;
        assert_true(!of_log == (note_verify(&n, &log, NULL) == 0));
        assert_true(!of_witness == (note_verify(&n, &witness, NULL) == 0));
    }
    for (size_t cut = 0; cut < size; cut++) {
        struct note n;
        if (note_parse(checkpoint, cut, &n) == 0) { /* only where a line ends */
            assert_int_equal(cut, second - checkpoint);
            assert_int_equal(note_verify(&n, &log, NULL), 0);
            assert_int_equal(note_verify(&n, &witness, NULL), -ENOENT);
        }
    }
}

#define LINE DASH "x x08go/ZJkuBS\n"
static const struct {
    const char *text;
    bool good;
} notes[] = {
    {"a\n\n" LINE, true},
    {"a\n\n\n\n" LINE, true}, /* the last empty line is where it splits */
    {"\n\n" LINE, true},      /* as Go has it: a text of an empty line */
    {"a\n\nb\n\n" LINE LINE, true},
    {"\xc3\xa4\n\n" DASH "\xc3\xa4 AAAAAAA=\n", true},
    {"", false},
    {"a\n", false},
    {"a\n\n", false},
    {"\n" LINE, false},
    {LINE, false},
    {"a\n" LINE, false},
    {"a\n\n" DASH "x x08go/ZJkuBS", false},
    {"a\n\n" LINE "a\n", false},
    {"a\n\n" LINE " ", false},
    {"a\n\n- x x08go/ZJkuBS\n", false},
    {"a\n\n\xe2\x80\x94x x08go/ZJkuBS\n", false},
    {"a\n\n" DASH "x  x08go/ZJkuBS\n", false},
    {"a\n\n" DASH "x x08go/ZJkuBS \n", false},
    {"a\n\n" DASH " x08go/ZJkuBS\n", false},
    {"a\n\n" DASH "x\n", false},
    {"a\n\n" DASH "x \n", false},
    {"a\n\n" DASH "x+y x08go/ZJkuBS\n", false},
    {"a\n\n" DASH "x\xc2\xa0y x08go/ZJkuBS\n", false}, /* a space that does not break */
    {"a\n\n" DASH "x\xe3\x80\x80 x08go/ZJkuBS\n", false},
    {"a\n\n" DASH "x x08goQ==\n", false}, /* an ID and no signature */
    {"a\n\n" DASH "x x08go/ZJkuB\n", false},
    {"a\n\n" DASH "x x08go/ZJkuA=\n", true},
    {"a\n\n" DASH "x x08go/ZJkuB=\n", false},  /* bits in the padding */
    {"a\n\n" DASH "x x08go/ZJkuA==\n", false}, /* too much padding for its length */
    {"a\n\n" DASH "x x08go/ZJku==\n", false},
    {"a\n\n" DASH "x x08go/ZJkg==\n", true},
    {"a\n\n" DASH "x x08go/ZJ====\n", false},
    {"a\n\n" DASH "x x08go/Z=kuBS\n", false},
    {"a\n\n" DASH "x x08go_ZJkuBS\n", false},
    {"a\r\n\n" LINE, false},
    {"a\t\n\n" LINE, false},
    {"\xff\n\n" LINE, false},
    {"\xc0\x80\n\n" LINE, false},
};

static void test_notes(void **state)
{
    struct note n;
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if ((note_parse(notes[i].text, strlen(notes[i].text), &n) == 0) != notes[i].good)
            fail_msg("%zu: %s", i, notes[i].text);
    assert_int_equal(note_parse("a\0\n\n" LINE, sizeof("a\0\n\n" LINE) - 1, &n), -EBADMSG);

    /* 100 signatures, and no more; a whole of so many bytes */
    char *big = malloc(NOTE_SIZE_MAX + 64), *end = big + sprintf(big, "a\n\n");
    for (unsigned i = 0; i < NOTE_SIGNATURES_MAX; i++)
        end += sprintf(end, LINE);
    assert_int_equal(note_parse(big, (size_t)(end - big), &n), 0);
    end += sprintf(end, LINE);
    assert_int_equal(note_parse(big, (size_t)(end - big), &n), -EBADMSG);
    memset(big, 'a', NOTE_SIZE_MAX + 1);
    size_t tail = strlen("\n\n" LINE);
    memcpy(big + NOTE_SIZE_MAX - tail, "\n\n" LINE, tail);
    assert_int_equal(note_parse(big, NOTE_SIZE_MAX, &n), 0);
    memcpy(big + NOTE_SIZE_MAX + 1 - tail, "\n\n" LINE, tail);
    assert_int_equal(note_parse(big, NOTE_SIZE_MAX + 1, &n), -EBADMSG);
    free(big);
}

static void test_keys(void **state)
{
    static const char *const wrong[] = {
        "",
        "+",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", /* another ID */
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", /* another type */
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=", /* short */
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWAA==",
        "PeterNeumann+c74f20a3 +ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
    };
    static const char *const good[] = {neumann, log_key, witness_key};
    struct note_key k, made;
    char text[NOTE_KEY_TEXT_SIZE], name[NOTE_NAME_SIZE_MAX + 2];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (note_key_parse(wrong[i], strlen(wrong[i]), &k) != -EBADMSG)
            fail_msg("%s", wrong[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        k = key(good[i]);
        assert_int_equal(note_key_make(k.name, k.type, k.key, &made), 0);
        assert_memory_equal(&made, &k, sizeof k);
        assert_int_equal(note_key_text(&k, text, sizeof text), 0);
        assert_string_equal(text, good[i]);
        assert_int_equal(note_key_text(&k, text, strlen(good[i])), -EINVAL);
        for (size_t cut = 0; cut < strlen(good[i]); cut++)
            assert_int_equal(note_key_parse(good[i], cut, &k), -EBADMSG);
    }
    memset(name, 'n', sizeof name);
    name[NOTE_NAME_SIZE_MAX + 1] = '\0';
    assert_int_equal(note_key_make(name, NOTE_ED25519, k.key, &made), -EINVAL);
    name[NOTE_NAME_SIZE_MAX] = '\0';
    assert_int_equal(note_key_make(name, NOTE_ED25519, k.key, &made), 0);
    assert_int_equal(note_key_text(&made, text, sizeof text), 0);
    assert_int_equal(note_key_parse(text, strlen(text), &k), 0);
    assert_memory_equal(&made, &k, sizeof k);
    assert_int_equal(note_key_make("", NOTE_ED25519, k.key, &made), -EINVAL);
    assert_int_equal(note_key_make("a b", NOTE_ED25519, k.key, &made), -EINVAL);
    assert_int_equal(note_key_make("a+b", NOTE_ED25519, k.key, &made), -EINVAL);
    assert_int_equal(note_key_make("a", 0x02, k.key, &made), -EINVAL);
}

#define ROOT "SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I="
static const struct {
    const char *text;
    bool good;
} checkpoints[] = {
    {"o\n0\n" ROOT "\n", true},
    {"o\n9223372036854775807\n" ROOT "\n", true},
    {"an origin with spaces\n7\n" ROOT "\nan extension\nanother\n", true},
    {"o\n9223372036854775808\n" ROOT "\n", false},
    {"o\n18446744073709551616\n" ROOT "\n", false},
    {"o\n00\n" ROOT "\n", false},
    {"o\n07\n" ROOT "\n", false},
    {"o\n-1\n" ROOT "\n", false},
    {"o\n+1\n" ROOT "\n", false},
    {"o\n 1\n" ROOT "\n", false},
    {"o\n1e3\n" ROOT "\n", false},
    {"o\n\n" ROOT "\n", false},
    {"\n1\n" ROOT "\n", false},
    {"o\n1\n\n", false},
    {"o\n1\n", false},
    {"o\n1\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2\n", false},
    {"o\n1\n" ROOT "AAAA\n", false},
    {"o\n1\n" ROOT "\n\n", false},
    {"o\n1\n" ROOT "\nx\n\ny\n", false},
};

static void test_checkpoints(void **state)
{
    char text[1024];
    struct note n;
    struct note_checkpoint c;
    for (size_t i = 0; i < sizeof checkpoints / sizeof *checkpoints; i++) {
        int size = snprintf(text, sizeof text, "%s\n%s", checkpoints[i].text, LINE);
        assert_int_equal(note_parse(text, (size_t)size, &n), 0);
        if ((note_checkpoint_parse(&n, &c) == 0) != checkpoints[i].good)
            fail_msg("%zu: %s", i, checkpoints[i].text);
    }
    for (int length = NOTE_NAME_SIZE_MAX; length <= NOTE_NAME_SIZE_MAX + 1; length++) { /* of the origin */
        int size = snprintf(text, sizeof text, "%.*s\n1\n%s\n\n%s", length, "", ROOT, LINE);
        size = snprintf(text, sizeof text, "%0*d\n1\n%s\n\n%s", length, 0, ROOT, LINE);
        assert_int_equal(note_parse(text, (size_t)size, &n), 0);
        assert_int_equal(note_checkpoint_parse(&n, &c), length == NOTE_NAME_SIZE_MAX ? 0 : -EBADMSG);
    }
}

/* ---- signatures of our own -------------------------------------------------------------------------------------- */

/* A signature line of that key over message, behind the note in text. */
static void add_line(char *text, const struct note_key *k, EVP_PKEY *private_key, const uint64_t *time,
                     const char *message)
{
    char line[NOTE_LINE_SIZE];
    note_line_sign(k, private_key, time, message, strlen(message), line);
    strcat(text, line);
}

static EVP_PKEY *make_key(const char *name, uint8_t type, struct note_key *k)
{
    EVP_PKEY *private_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    uint8_t raw[32];
    size_t size = sizeof raw;
    assert_int_equal(EVP_PKEY_get_raw_public_key(private_key, raw, &size), 1);
    assert_int_equal(note_key_make(name, type, raw, k), 0);
    return private_key;
}

/* The first line of a key counts, whatever stands behind it; kinds of signature do not stand for each other; a time is
 * part of what is signed. */
static void test_lines(void **state)
{
    static char text[NOTE_SIZE_MAX], body[NOTE_COSIGNED_SIZE_MAX + 64], message[NOTE_COSIGNED_SIZE_MAX + 256];
    struct note_key log, witness, same;
    EVP_PKEY *log_private = make_key("log", NOTE_ED25519, &log);
    EVP_PKEY *private_key = make_key("w", NOTE_COSIGNATURE, &witness);
    uint64_t time = 17, later = 18, beyond = UINT64_C(1) << 63, got;

    sprintf(text, "o\n1\n%s\n\n", ROOT);
    add_line(text, &log, log_private, NULL, "something else");
    add_line(text, &log, log_private, NULL, "o\n1\n" ROOT "\n");
    struct note n = parsed(text);
    assert_int_equal(note_verify(&n, &log, NULL), -EBADMSG);

    sprintf(text, "o\n1\n%s\n\n", ROOT);
    add_line(text, &witness, private_key, &later, "cosignature/v1\ntime 17\no\n1\n" ROOT "\n");
    n = parsed(text);
    assert_int_equal(note_verify(&n, &witness, NULL), -EBADMSG);

    sprintf(text, "o\n1\n%s\n\n", ROOT);
    add_line(text, &witness, private_key, &beyond, "cosignature/v1\ntime 9223372036854775808\no\n1\n" ROOT "\n");
    n = parsed(text);
    assert_int_equal(note_verify(&n, &witness, NULL), -EBADMSG);

    /* a plain signature under a witness's ID, and a cosignature under a plain key's */
    assert_int_equal(note_key_make("w", NOTE_ED25519, witness.key, &same), 0);
    assert_memory_not_equal(same.id, witness.id, 4);
    sprintf(text, "o\n1\n%s\n\n", ROOT);
    add_line(text, &witness, private_key, NULL, "o\n1\n" ROOT "\n");
    add_line(text, &same, private_key, &time, "cosignature/v1\ntime 17\no\n1\n" ROOT "\n");
    n = parsed(text);
    assert_int_equal(note_verify(&n, &witness, NULL), -EBADMSG);
    assert_int_equal(note_verify(&n, &same, NULL), -EBADMSG);

    /* of the same key's two kinds, each has its line */
    sprintf(text, "o\n1\n%s\n\n", ROOT);
    add_line(text, &same, private_key, NULL, "o\n1\n" ROOT "\n");
    add_line(text, &witness, private_key, &time, "cosignature/v1\ntime 17\no\n1\n" ROOT "\n");
    n = parsed(text);
    assert_int_equal(note_verify(&n, &witness, &got), 0);
    assert_int_equal(got, 17);
    assert_int_equal(note_verify(&n, &same, &got), 0);
    assert_int_equal(got, 0);

    /* the largest text that a cosignature is verified over, and one more byte */
    for (size_t size = NOTE_COSIGNED_SIZE_MAX; size <= NOTE_COSIGNED_SIZE_MAX + 1; size++) {
        memset(body, 'b', size - 1);
        body[size - 1] = '\n';
        body[size] = '\0';
        sprintf(text, "%s\n", body);
        sprintf(message, "cosignature/v1\ntime 17\n%s", body);
        add_line(text, &witness, private_key, &time, message);
        n = parsed(text);
        assert_int_equal(note_verify(&n, &witness, NULL), size == NOTE_COSIGNED_SIZE_MAX ? 0 : -EBADMSG);
    }
    EVP_PKEY_free(log_private);
    EVP_PKEY_free(private_key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others), cmocka_unit_test(test_each_bit),    cmocka_unit_test(test_notes),
        cmocka_unit_test(test_keys),   cmocka_unit_test(test_checkpoints), cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
