/*
 * What a client remembers of a log, in a file:
 *
 *     enclave-os-log-state/1
 *     the log's key, as signed notes write it
 *
 *     the largest head that was seen: the signed note, as it came
 *
 * The signature tells damage from a head that was there. Heads only get larger; a file is replaced as a whole
 * (common/replace.h), under a lock of its folder, so that of two that write at the same time the larger head stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/replace.h"
#include "verifier/log.h"
#include "verifier/text.h"

#define STATE_FORMAT "enclave-os-log-state/1\n"
#define STATE_SIZE_MAX (NOTE_SIZE_MAX + NOTE_KEY_TEXT_SIZE + sizeof STATE_FORMAT)

static const char no_state[] = "it is no file of a log's state";

static int fail(char *error, size_t size, int result, const char *format, ...) __attribute__((format(printf, 4, 5)));
static int fail(char *error, size_t size, int result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, size, format, arguments);
    va_end(arguments);
    return result;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

char *verifier__log_read_file(const char *path, size_t limit, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat s;
    char *text = NULL;
    ssize_t n;
    if (fd < 0)
        return NULL;
    int reason = fstat(fd, &s) != 0 ? errno : S_ISDIR(s.st_mode) ? EISDIR : S_ISREG(s.st_mode) ? 0 : EINVAL;
    if (reason == 0 && !(text = malloc(limit + 1)))
        reason = ENOMEM;
    *size = 0;
    while (reason == 0 && (n = read(fd, text + *size, limit + 1 - *size)) != 0) {
        if (n < 0 && errno != EINTR)
            reason = errno;
        else if (n > 0 && (*size += (size_t)n) > limit)
            reason = EFBIG;
    }
    close(fd);
    if (reason) {
        free(text);
        text = NULL;
    } else {
        text[*size] = '\0';
    }
    errno = reason;
    return text;
}

const char *verifier__log_signed(const char *checkpoint, size_t size, const struct note_key *key,
                                 struct note_checkpoint *head)
{
    struct note note;
    if (note_parse(checkpoint, size, &note) != 0 || note_checkpoint_parse(&note, head) != 0 || head->size == 0 ||
        strcmp(head->origin, key->name) != 0)
        return "its head cannot be read";
    return note_verify(&note, key, NULL) == 0 ? NULL : "its head's signature does not hold";
}

/* NULL, or what is wrong with it. */
static const char *parse(struct log_state *s, size_t size)
{
    const char *at = s->text, *end = at + size, *line;
    if (size < strlen(STATE_FORMAT) || memcmp(at, STATE_FORMAT, strlen(STATE_FORMAT)) != 0)
        return no_state;
    at += strlen(STATE_FORMAT);
    line = memchr(at, '\n', (size_t)(end - at));
    if (!line || note_key_parse(at, (size_t)(line - at), &s->key) != 0 || s->key.type != NOTE_ED25519 ||
        note_key_text(&s->key, s->key_text, sizeof s->key_text) != 0)
        return "its key cannot be read";
    at = line + 1;
    if (at == end || *at != '\n')
        return "it has no head";
    s->checkpoint = at + 1;
    s->checkpoint_size = (size_t)(end - s->checkpoint);
    return verifier__log_signed(s->checkpoint, s->checkpoint_size, &s->key, &s->head);
}

int verifier__log_state_load(struct log_state *s, const char *path, char *error, size_t error_size)
{
    size_t size;
    *s = (struct log_state){.text = verifier__log_read_file(path, STATE_SIZE_MAX, &size)};
    if (!s->text)
        return fail(error, error_size, -errno, "%s", errno == EINVAL ? "not a file" : strerror(errno));
    const char *wrong = parse(s, size);
    if (!wrong)
        return 0;
    free(s->text);
    s->text = NULL;
    return fail(error, error_size, -EBADMSG, "%s%s", wrong == no_state ? "" : "it is damaged: ", wrong);
}

int verifier_log_remembered(struct verifier_policy *policy, const char *path, uint64_t *size, char *error,
                            size_t error_size)
{
    struct log_state s;
    int result = verifier__log_state_load(&s, path, error, error_size);
    if (result)
        return result;
    struct remembered head = {.size = s.head.size, .of_file = true};
    memcpy(head.root, s.head.root, sizeof head.root);
    result = verifier__expect_head(policy, s.key_text, &head);
    if (size && result == 0)
        *size = s.head.size;
    free(s.text);
    return result == -EEXIST  ? fail(error, error_size, result, "it is of another instance, or log, than is expected")
           : result == -E2BIG ? fail(error, error_size, result, "the policy remembers too many heads")
           : result           ? fail(error, error_size, result, "its key is no instance's")
                              : 0;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

/* malloc'ed; NULL: out of memory. */
static char *make_text(const struct verifier_log *log, const struct note_key *key)
{
    struct text t = {0};
    char key_text[NOTE_KEY_TEXT_SIZE];
    note_key_text(key, key_text, sizeof key_text);
    text_append(&t, STATE_FORMAT, strlen(STATE_FORMAT));
    text_append(&t, key_text, strlen(key_text));
    text_append(&t, "\n\n", 2);
    text_append(&t, log->text, log->text_size);
    return text_take(&t);
}

static int write_state(const struct verifier_log *log, const struct note_key *key, const char *path, char *error,
                       size_t error_size)
{
    struct log_state before;
    char why[LOG_ERROR_SIZE];
    int result = verifier__log_state_load(&before, path, why, sizeof why);
    if (result != 0 && result != -ENOENT)
        return fail(error, error_size, result, "%s", why);
    bool larger = result == 0 && before.head.size > log->head.size;
    bool same = result == 0 && before.checkpoint_size == log->text_size &&
                memcmp(before.checkpoint, log->text, log->text_size) == 0;
    if (result == 0 && strcmp(before.key.name, key->name) != 0)
        result = fail(error, error_size, -EEXIST, "it has become another instance's");
    else if (result == 0 && before.head.size == log->head.size && memcmp(before.head.root, log->head.root, 32) != 0)
        result = fail(error, error_size, -EEXIST,
                      "another head of as many entries was written there meanwhile: there are two histories");
    else
        result = 0;
    free(before.text);
    if (result || larger || same)
        return result;
    static const struct replace_how how = {.mode = 0644};
    char reason[REPLACE_WHY_SIZE] = "out of memory", *text = make_text(log, key);
    result = text ? replace_file(path, text, strlen(text), &how, reason) : -ENOMEM;
    free(text);
    return result ? fail(error, error_size, result, "%s", reason) : 0;
}

int verifier_log_remember(const struct verifier_log *log, const struct verifier_result *result, const char *path,
                          char *error, size_t error_size)
{
    const struct verifier_claims *c = &result->claims;
    char name[NOTE_NAME_SIZE_MAX + 1], hex[65];
    struct note_key key;
    snprintf(name, sizeof name, "enclave-os/%s", verifier__hex(c->instance, 32, hex));
    if (!verifier_result_ok(result) || !verifier__has_passed(result, CHECK_LOG_CHECKPOINT) ||
        c->checkpoint_size != log->head.size || memcmp(c->checkpoint_root, log->head.root, 32) != 0)
        return fail(error, error_size, -EINVAL, "this head was not verified");
    if (note_key_make(name, NOTE_ED25519, c->log_key, &key) != 0)
        return fail(error, error_size, -ENOMEM, "out of memory");
    int folder = replace_lock_folder(path);
    if (folder < 0)
        return fail(error, error_size, folder, "%s", strerror(-folder));
    int written = write_state(log, &key, path, error, error_size);
    close(folder);
    return written;
}
