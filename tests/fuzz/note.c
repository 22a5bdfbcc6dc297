/* Signed notes, keys' texts and checkpoints: any bytes, each as all three. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "tests/fuzz/fuzz.h"
#include "verifier/note.h"

/* A key's one text leads back to it. */
static void check_key(const char *data, size_t size)
{
    struct note_key k;
    char text[NOTE_KEY_TEXT_SIZE];
    if (note_key_parse(data, size, &k))
        return;
    MUST(note_key_text(&k, text, sizeof text) == 0);
    MUST(strlen(text) == size && memcmp(text, data, size) == 0);
}

/* The checkpoint's first three lines are the text's, and there is no other way to write them. */
static void check_checkpoint(const struct note *n)
{
    struct note_checkpoint c;
    char text[512], root[48];
    if (note_checkpoint_parse(n, &c))
        return;
    EVP_EncodeBlock((uint8_t *)root, c.root, 32);
    int size = snprintf(text, sizeof text, "%s\n%llu\n%s\n", c.origin, (unsigned long long)c.size, root);
    MUST(size > 0 && (size_t)size <= n->text_size && memcmp(text, n->text, (size_t)size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const keys[] = {
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "witness.example/w1+a7e12144+BGG3op9v3HIXXDPBmFc/0CioJHhGCXc+pyvvFPlBZdYO",
    };
    const char *data = (const char *)bytes;
    struct note n;
    check_key(data, size);
    if (note_parse(data, size, &n))
        return 0;
    MUST(n.text == data && n.text_size > 0 && n.text[n.text_size - 1] == '\n');
    MUST(n.text[n.text_size] == '\n' && n.signatures == data + n.text_size + 1);
    MUST(n.signatures_size > 0 && n.signatures + n.signatures_size == data + size);
    check_checkpoint(&n);
    for (size_t i = 0; i < 2; i++) {
        struct note_key k;
        uint64_t time = 0;
        MUST(note_key_parse(keys[i], strlen(keys[i]), &k) == 0);
        int error = note_verify(&n, &k, &time);
        MUST(error == 0 || error == -ENOENT || error == -EBADMSG);
        MUST(i == 1 || time == 0);
    }
    return 0;
}
