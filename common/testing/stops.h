/* For tests: does it break an invariant? In a process of its own, which then ends by abort (common/ensure.h). */
#ifndef ENCLAVE_OS_COMMON_TESTING_STOPS_H
#define ENCLAVE_OS_COMMON_TESTING_STOPS_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BROKEN "broken invariant" /* any: for those whose case says which */

/* says: what the broken invariant reads, or a part of it. */
static inline bool stops(void (*broken)(void), const char *says)
{
    int out[2], how = 0;
    char text[4096];
    size_t size = 0;
    if (pipe(out) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* a test program's handlers are not what is tried */
        dup2(out[1], STDERR_FILENO);
        broken();
        _exit(0);
    }
    close(out[1]);
    for (ssize_t got; size < sizeof text - 1 && (got = read(out[0], text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)got;
    text[size] = 0;
    close(out[0]);
    bool stopped = child > 0 && waitpid(child, &how, 0) == child && WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT;
    if (!stopped || !strstr(text, says))
        fprintf(stderr, "wanted: %s; got: %s\n", says, stopped ? text : "it goes on");
    return stopped && strstr(text, says);
}

#endif
