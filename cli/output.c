/*
 * Files that a command writes. See output.h.
 */
#include "cli/output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/report.h"
#include "common/replace.h"

#define EXISTING_MAX (4u << 20)

/* Something else under the same name is for a human to look at. 1: it is there already; -1: not to be written. */
static int look_at_existing(const char *path, const void *data, size_t data_size, const char *hint)
{
    size_t size;
    struct stat s;
    if (stat(path, &s) != 0)
        return errno == ENOENT ? 0 : -complain("--out %s: %s", path, strerror(errno));
    if (S_ISREG(s.st_mode) && s.st_size == 0) /* as mktemp makes it */
        return 0;
    if (!S_ISREG(s.st_mode)) /* of a pipe or a terminal nobody knows an end */
        return -complain("--out %s: %s", path, S_ISDIR(s.st_mode) ? strerror(EISDIR) : "not a file");
    char *before = read_whole_file(path, EXISTING_MAX, &size);
    if (!before)
        return -complain("--out %s: %s", path, strerror(errno));
    bool same = size == data_size && memcmp(before, data, size) == 0;
    free(before);
    if (same)
        return 1;
    complain("--out %s: there is something else in it, which is left as it is. %s", path, hint);
    return -1;
}

int output_judge(const char *option, const char *path)
{
    return path && is_folder(path) ? wrong("%s %s: %s: expected a file's name", option, path, strerror(EISDIR)) : 0;
}

int output_text(const char *option, const char *path, const char *text)
{
    char why[REPLACE_WHY_SIZE];
    struct stat s;
    const struct replace_how how = {.mode = 0644};
    if (!path)
        return printf("%s\n", text) > 0 && fflush(stdout) == 0 ? 0 : complain("standard output: cannot be written");
    char *line = malloc(strlen(text) + 2);
    if (!line)
        return complain("out of memory");
    sprintf(line, "%s\n", text);
    int reason = 0;
    if (stat(path, &s) != 0 || S_ISREG(s.st_mode) || S_ISDIR(s.st_mode)) {
        reason = replace_file(path, line, strlen(line), &how, why);
    } else { /* a pipe, or a terminal */
        FILE *out = fopen(path, "w");
        reason = out && fputs(line, out) >= 0 && fflush(out) == 0 ? 0 : -errno;
        if (out && fclose(out) != 0 && reason == 0)
            reason = -errno;
        snprintf(why, sizeof why, "%s", strerror(-reason));
    }
    free(line);
    return reason == 0 ? 0 : complain("%s %s: %s", option, path, why);
}

int output_save(const char *path, const void *data, size_t size, const char *hint)
{
    char why[REPLACE_WHY_SIZE];
    for (;;) {
        int there = look_at_existing(path, data, size, hint); /* as it is now, whatever it was at the options' time */
        if (there != 0)
            return there < 0 ? 1 : 0;
        const struct replace_how how = {.mode = 0644, .fresh = access(path, F_OK) != 0};
        int error = replace_file(path, data, size, &how, why);
        if (error == 0)
            return 0;
        if (error != -EEXIST) /* else somebody has just written it */
            return complain("--out %s: %s", path, why);
    }
}
