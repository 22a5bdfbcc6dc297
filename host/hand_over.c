/* See hand_over.h. */
#include "host/hand_over.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "common/replace.h"
#include "host/port.h"

#define RECIPIENT_FILE "recipient"

static struct {
    const char *folder;
    void (*end)(void);
} hand_over;

void hand_over_init(const char *data, void (*end)(void))
{
    ENSURE(data && end);
    hand_over.folder = data;
    hand_over.end = end;
}

static void path_of(char path[4096])
{
    snprintf(path, 4096, "%s/" RECIPIENT_FILE, hand_over.folder);
}

/* Whole or not at all: somebody waits for it. */
static int write_recipient(const void *data, size_t size)
{
    static const struct replace_how how = {.mode = 0644};
    char name[65], line[67], path[4096], why[REPLACE_WHY_SIZE];
    if (size != 32)
        return -EINVAL;
    hex_text(data, 32, name);
    path_of(path);
    snprintf(line, sizeof line, "%s\n", name);
    int error = replace_file(path, line, strlen(line), &how, why);
    if (error < 0)
        return error;
    printf("hand-over: recipient %s\n", name);
    fflush(stdout);
    return 0;
}

static int remove_recipient(void)
{
    char path[4096];
    path_of(path);
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int say(const char *text)
{
    printf("hand-over: %s\n", text);
    fflush(stdout);
    return 0;
}

int hand_over_act(enum hand_over_news news, const void *data, size_t size)
{
    ENSURE(hand_over.folder);
    switch (news) {
    case HAND_OVER_RECIPIENT:
        return write_recipient(data, size);
    case HAND_OVER_PAUSED: /* answered once nothing is taken from the port: whoever was let in before is served */
        port_pause(true);
        return say("paused: what is under way ends");
    case HAND_OVER_RESUMED:
        port_pause(false);
        return say("it came to nothing: serving goes on");
    case HAND_OVER_GIVEN:
        port_pause(true);
        return say("given: this enclave serves nobody any more, and tells the new one what it must know");
    case HAND_OVER_TAKEN:
        return remove_recipient();
    case HAND_OVER_DONE:
        say("done: the new enclave serves, and this one ends");
        hand_over.end();
        return 0;
    }
    return -EINVAL;
}
