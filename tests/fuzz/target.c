/* A request's target, whatever it is: what is taken has parts that add up to it, and none reads as another path. */
#include "enclave/https/target.h"

#include "tests/fuzz/fuzz.h"

static bool has(struct http_text text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static void check_path(struct http_text path)
{
    MUST(path.size > 0 && path.data[0] == '/' && (path.size == 1 || path.data[1] != '/'));
    for (size_t i = 0; i < path.size; i++)
        MUST(path.data[i] > ' ' && path.data[i] < 0x7f && !strchr("?#\\\"<>", path.data[i]));
    MUST(!has(path, "/../") && !has(path, "/./") && !has(path, "%00"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    MUST(text);
    memcpy(text, data, size);
    struct http_target t;
    struct http_text whole = {text, size};
    int status = http_target_parse(whole, false, &t);
    MUST(status == 0 || status == 400 || (status == 414 && size > HTTP_TARGET_MAX));
    if (status == 0) {
        check_path(t.path);
        struct http_text first = http_target_first(&t);
        MUST(!memchr(first.data, '%', first.size) && !memchr(first.data, '/', first.size));
        MUST(t.authority.size == 0 || http_authority_valid(t.authority));
        if (t.authority.size == 0)
            MUST(t.whole.data == text && t.whole.size == size);
        if (first.size) {
            http_target_cut(&t);
            MUST(t.whole.size > 0 && t.whole.data[0] == '/' && t.path.data == t.whole.data);
        }
    }
    if (http_authority_valid(whole))
        for (size_t i = 0; i < size; i++)
            MUST(text[i] > ' ' && text[i] < 0x7f && !strchr("/?#@\\,\"<>", text[i]));
    free(text);
    return 0;
}
