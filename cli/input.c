/*
 * Files that the user named. See input.h.
 */
#include "cli/input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/report.h"
#include "common/pem.h"

char *read_whole_file(const char *path, size_t limit, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *data = NULL;
    size_t used = 0, capacity = 65536;
    for (;;) {
        char *grown = realloc(data, capacity + 1);
        if (!grown)
            break;
        data = grown;
        used += fread(data + used, 1, capacity - used, file);
        if (used < capacity) {
            if (ferror(file))
                break;
            if (used > limit) {
                errno = EFBIG;
                break;
            }
            fclose(file);
            data[used] = '\0';
            *size = used;
            return data;
        }
        if (used > limit) {
            errno = EFBIG;
            break;
        }
        capacity *= 2;
    }
    int reason = errno;
    free(data);
    fclose(file);
    errno = reason;
    return NULL;
}

/* "--root FILE", or FILE alone. */
static int wrong_file(const char *option, const char *path, const char *what)
{
    return wrong("%s%s%s: %s", option ? option : "", option ? " " : "", path, what);
}

char *read_input(const char *option, const char *path, size_t limit, size_t *size)
{
    char text[128];
    char *data = read_whole_file(path, limit, size);
    if (data && *size > 0)
        return data;
    if (data)
        snprintf(text, sizeof text, "it is empty");
    else if (errno == EISDIR)
        snprintf(text, sizeof text, "%s: expected a file", strerror(errno));
    else if (errno == EFBIG)
        snprintf(text, sizeof text, "%s: at most %zu bytes are taken", strerror(errno), limit);
    else
        snprintf(text, sizeof text, "%s", strerror(errno));
    free(data);
    wrong_file(option, path, text);
    return NULL;
}

bool is_folder(const char *path)
{
    struct stat st;
    errno = 0;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int judge_certificates(const char *option, const char *path, const char *pem, size_t size)
{
    char why[PEM_WHY_SIZE];
    long blocks = pem_judge(pem, size, "CERTIFICATE", why);
    if (blocks == 0)
        return wrong_file(option, path, "certificate number 1 cannot be read: there is none in PEM");
    return blocks > 0 ? 0 : wrong_file(option, path, why);
}
