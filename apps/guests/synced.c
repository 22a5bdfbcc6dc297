/*
 * A program that writes to a file that it opened with a flag, says so, and stays, with the file open, until the server
 * is killed. What the flag promises is then to be found in /synced. PATH_INFO: /HOW/FLAG; /look prints the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int complain(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
    return 1;
}

static int flag_of(const char *name)
{
    static const struct {
        const char *name;
        int flag;
    } flags[] = {{"sync", O_SYNC}, {"dsync", O_DSYNC}, {"rsync", O_RSYNC}, {"rsync-dsync", O_RSYNC | O_DSYNC}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(name, flags[i].name) == 0)
            return flags[i].flag;
    return 0;
}

static int look(void)
{
    char text[64] = "";
    FILE *file = fopen("/synced", "r");
    if (!file)
        return complain("/synced");
    size_t size = fread(text, 1, sizeof text - 1, file);
    printf("%.*s\n", (int)size, text);
    return 0;
}

/* One way of changing the file, or of reading what was changed. */
static int change(const char *how, int flag)
{
    char text[8];
    if (strcmp(how, "read") == 0) { /* through another descriptor, without a flag */
        int plain = open("/synced", O_WRONLY | O_CREAT | O_TRUNC, 0666), fd = open("/synced", O_RDONLY | flag);
        return plain < 0 || write(plain, "read", 4) != 4 || fd < 0 || read(fd, text, 8) != 4;
    }
    if (strcmp(how, "create") == 0)
        return open("/synced", O_WRONLY | O_CREAT | flag, 0666) < 0;
    if (strcmp(how, "open-truncate") == 0)
        return open("/synced", O_WRONLY | O_TRUNC | flag) < 0;
    int fd = open("/synced", O_RDWR | O_CREAT | flag | (strcmp(how, "append") == 0 ? O_APPEND : 0), 0666);
    if (fd < 0)
        return 1;
    if (strcmp(how, "write") == 0)
        return write(fd, "write", 5) != 5;
    if (strcmp(how, "append") == 0)
        return write(fd, "+more", 5) != 5;
    if (strcmp(how, "position") == 0)
        return pwrite(fd, "P", 1, 1) != 1;
    return ftruncate(fd, 2) != 0;
}

int main(void)
{
    char how[16], name[16];
    const char *path = getenv("PATH_INFO");
    if (path && strcmp(path, "/look") == 0)
        return look();
    if (!path || sscanf(path, "/%15[^/]/%15s", how, name) != 2)
        return complain("no such task");
    if (change(how, flag_of(name)) != 0)
        return complain(how);
    printf("acknowledged\n");
    fflush(stdout);
    sleep(600);
    return 0;
}
