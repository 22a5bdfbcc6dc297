/*
 * What belongs to one thread stops whoever calls from another, with its message; and lets its own thread in. Each door
 * is tried in processes of its own, from the thread that prepared it and from a second one.
 */
#ifndef ENCLAVE_OS_TESTS_NATIVE_DOORS_H
#define ENCLAVE_OS_TESTS_NATIVE_DOORS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct door {
    const char *name;
    void (*go)(void);
    enum {
        OWN,
        ANYBODY,
        WAITS
    } whose; /* WAITS: OWN, and on its own thread it would wait for a host that is not there */
};

static inline void *door_from_another(void *door)
{
    ((const struct door *)door)->go();
    return NULL;
}

static inline void door_child(const struct door *door, bool other, void (*prepare)(void))
{
    pthread_t thread;
    prepare();
    if (!other)
        door->go();
    else if (pthread_create(&thread, NULL, door_from_another, (void *)door) != 0 || pthread_join(thread, NULL) != 0)
        _exit(2);
    _exit(0);
}

/* The status of a process that prepares everything and goes through the door, and what it said. */
static inline int door_try(const struct door *door, bool other, void (*prepare)(void), char said[1024])
{
    int pipes[2], status = -1;
    size_t size = 0;
    fflush(stdout);
    if (pipe(pipes) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 2);
        close(pipes[0]);
        close(pipes[1]);
        door_child(door, other, prepare);
    }
    close(pipes[1]);
    for (ssize_t got = 1; got > 0; size += got > 0 ? (size_t)got : 0)
        got = read(pipes[0], said + size, 1023 - size);
    said[size] = 0;
    close(pipes[0]);
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

/* How many doors are wrong. */
static inline int doors_try(const struct door *doors, size_t count, void (*prepare)(void))
{
    int failures = 0;
    for (size_t i = 0; i < count; i++) {
        char said[1024], own_said[1024] = "";
        int own = doors[i].whose == WAITS ? 0 : door_try(&doors[i], false, prepare, own_said);
        int other = door_try(&doors[i], true, prepare, said);
        bool stopped = WIFSIGNALED(other) && WTERMSIG(other) == SIGABRT && strstr(said, "common/owner.h") != NULL;
        bool right = own == 0 && (doors[i].whose == ANYBODY ? other == 0 : stopped);
        printf("%s %s: own %d, another's %d%s%s%s\n", right ? "ok  " : "FAIL", doors[i].name, own, other,
               right ? "" : ": ", right ? "" : own_said, right ? "" : said);
        failures += !right;
    }
    return failures;
}

#endif
