/*
 * A tiny HTTP responder: takes the first line of a request, ignores its header, answers, closes. Every connection has
 * five seconds; when all places are taken, new connections wait in the kernel's queue. See collateral.h.
 */
#include "host/net/collateral.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "host/thread/threads.h"
#include "sgx/quote/pccs.h"

#define CLIENTS_MAX 16
#define REQUEST_MAX 2048u
#define PATIENCE_NS 5000000000u

struct client {
    int fd; /* -1: a free place */
    uint64_t until_ns;
    char request[REQUEST_MAX + 1];
    size_t received;
    char *answer;
    size_t size, sent;
};

struct collateral_server {
    int listener, stop;
    const char *machine_dir;
    pthread_t thread;
    struct client clients[CLIENTS_MAX];
};

static void drop(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->answer);
    *c = (struct client){.fd = -1};
}

/* "GET target HTTP/1.x": the target, ended with NUL, or NULL. */
static const char *parse_target(char *request)
{
    if (strncmp(request, "GET ", 4) != 0)
        return NULL;
    char *target = request + 4, *end = target + strcspn(target, " \r\n");
    if (strncmp(end, " HTTP/1.", 8) != 0)
        return NULL;
    *end = '\0';
    return target;
}

static void answer(const struct collateral_server *s, struct client *c)
{
    const char *target = parse_target(c->request);
    c->answer = target ? pccs_answer(s->machine_dir, target, &c->size) : pccs_refuse(400, "Bad Request", &c->size);
    if (!c->answer)
        c->answer = pccs_refuse(503, "Service Unavailable", &c->size);
    if (!c->answer)
        drop(c);
}

static void receive(const struct collateral_server *s, struct client *c)
{
    ssize_t n = recv(c->fd, c->request + c->received, REQUEST_MAX - c->received, 0);
    if (n <= 0) {
        drop(c);
        return;
    }
    c->received += (size_t)n;
    c->request[c->received] = '\0';
    if (memmem(c->request, c->received, "\r\n\r\n", 4) || c->received == REQUEST_MAX)
        answer(s, c);
}

static void transmit(struct client *c)
{
    ssize_t n = send(c->fd, c->answer + c->sent, c->size - c->sent, MSG_NOSIGNAL);
    if (n > 0)
        c->sent += (size_t)n;
    if (n < 0 || c->sent == c->size)
        drop(c);
}

static void accept_one(struct collateral_server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < CLIENTS_MAX; i++) {
        if (s->clients[i].fd < 0) {
            s->clients[i].fd = fd;
            s->clients[i].until_ns = clock_monotonic_ns() + PATIENCE_NS;
            return;
        }
    }
    if (fd >= 0) /* not reached: it is only called with a free place */
        close(fd);
}

/* Fills the poll set: stop, listener (while a place is free), then one for each place. */
static void prepare(const struct collateral_server *s, struct pollfd *fds)
{
    bool room = false;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        const struct client *c = &s->clients[i];
        fds[2 + i] = (struct pollfd){.fd = c->fd, .events = c->answer ? POLLOUT : POLLIN};
        room |= c->fd < 0;
    }
    fds[0] = (struct pollfd){.fd = s->stop, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = room ? s->listener : -1, .events = POLLIN};
}

static void *serve(void *argument)
{
    struct collateral_server *s = argument;
    struct pollfd fds[2 + CLIENTS_MAX];
    pthread_setname_np(pthread_self(), "collateral");
    for (;;) {
        prepare(s, fds);
        if (poll(fds, 2 + CLIENTS_MAX, 1000) < 0)
            continue;
        if (fds[0].revents)
            return NULL;
        for (int i = 0; i < CLIENTS_MAX; i++) {
            struct client *c = &s->clients[i];
            if (c->fd >= 0 && fds[2 + i].revents && !c->answer)
                receive(s, c);
            else if (c->fd >= 0 && fds[2 + i].revents)
                transmit(c);
            if (c->fd >= 0 && clock_monotonic_ns() > c->until_ns)
                drop(c);
        }
        if (fds[1].revents)
            accept_one(s);
    }
}

struct collateral_server *collateral_server_start(int listener, const char *machine_dir)
{
    struct collateral_server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->listener = listener;
    s->machine_dir = machine_dir;
    s->stop = eventfd(0, EFD_CLOEXEC);
    for (int i = 0; i < CLIENTS_MAX; i++)
        s->clients[i].fd = -1;
    if (s->stop >= 0 && listen(listener, SOMAXCONN) == 0 && thread_start(&s->thread, serve, s) == 0)
        return s;
    if (s->stop >= 0)
        close(s->stop);
    free(s);
    return NULL;
}

void collateral_server_stop(struct collateral_server *s)
{
    uint64_t one = 1;
    if (!s)
        return;
    if (write(s->stop, &one, sizeof one) == sizeof one)
        pthread_join(s->thread, NULL);
    for (int i = 0; i < CLIENTS_MAX; i++)
        drop(&s->clients[i]);
    close(s->stop);
    close(s->listener);
    free(s);
}
