/*
 * The port going from one process to another, over real sockets: who takes it is a child, whose end is the end of its
 * connection; which I/O thread is told to hold is played.
 */
#include "host/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/net/io.h"
#include "host/net/listen.h"

#define WORKERS 2u

static char folder[64];
static struct sockaddr_in6 address = {.sin6_family = AF_INET6};
static int listeners[WORKERS];
static bool held[WORKERS];

void io_hold(struct io *io, bool hold)
{
    held[(uintptr_t)io - 1] = hold;
}

static int setup(void **state)
{
    static struct io *const ios[WORKERS] = {(struct io *)1, (struct io *)2};
    (void)state;
    strcpy(folder, "/tmp/port_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    assert_int_equal(listen_bind(&address, WORKERS, listeners), 0);
    assert_int_equal(port_open(folder, listeners, WORKERS), 0);
    port_share(ios, WORKERS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    port_close();
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* One that has asked for the sockets, says what it got, and has them until it is let go. */
struct child {
    pid_t pid;
    int said, end;
};

struct said {
    int result;
    bool listens;
    char error[256];
};

static void be_taker(uint32_t count, const struct sockaddr_in6 *at, int said, int end)
{
    struct said s = {0};
    int sockets[8];
    char byte, found[80];
    int taken = port_take(folder, at, sockets, count, s.error, sizeof s.error);
    s.result = taken < 0 ? taken : 0;
    s.listens = s.result == 0 && listen_is_at(sockets[count - 1], &address, found, sizeof found) &&
                listen(sockets[count - 1], 4) == 0;
    if (write(said, &s, sizeof s) == sizeof s && read(end, &byte, 1) < 0)
        _exit(1);
    _exit(0);
}

static struct child begin(uint32_t count, const struct sockaddr_in6 *at)
{
    int said[2], end[2];
    assert_int_equal(pipe(said), 0);
    assert_int_equal(pipe(end), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(end[1]);
        be_taker(count, at, said[1], end[0]);
    }
    close(said[1]);
    close(end[0]);
    return (struct child){pid, said[0], end[1]};
}

/* As the main thread does, until there is something of that child, or it is gone. */
static void turn(void)
{
    struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
    port_descriptors(&fds[0].fd, &fds[1].fd);
    poll(fds, 2, 10);
    port_look();
}

static struct said hear(struct child *c)
{
    struct said s;
    struct pollfd fd = {.fd = c->said, .events = POLLIN};
    while (poll(&fd, 1, 0) == 0)
        turn();
    assert_int_equal(read(c->said, &s, sizeof s), sizeof s);
    return s;
}

static void let_go(struct child *c)
{
    close(c->end);
    close(c->said);
    assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
}

static void expect_held(bool expected)
{
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_int_equal(held[i], expected);
}

static bool has_taker(void)
{
    int waiting, taker;
    port_descriptors(&waiting, &taker);
    return taker >= 0;
}

static void await_taker(bool there)
{
    while (has_taker() != there)
        turn();
}

static void nothing_is_held_but_for_who_has_the_sockets(void **state)
{
    (void)state;
    port_pause(true);
    expect_held(false);
    struct child c = begin(WORKERS, &address);
    struct said s = hear(&c);
    assert_string_equal(s.error, "");
    assert_int_equal(s.result, 0);
    assert_true(s.listens);
    expect_held(true);
    port_pause(false);
    expect_held(false);
    port_pause(true);
    expect_held(true);
    let_go(&c);
    await_taker(false);
    expect_held(false); /* somebody must say why nobody serves */
    c = begin(WORKERS, &address);
    assert_int_equal(hear(&c).result, 0);
    expect_held(true);
    port_pause(false);
    let_go(&c);
    await_taker(false);
}

static void one_has_them_at_a_time(void **state)
{
    (void)state;
    struct child first = begin(WORKERS, &address);
    assert_int_equal(hear(&first).result, 0);
    struct child second = begin(WORKERS, &address);
    struct said s = hear(&second);
    assert_true(s.result < 0);
    assert_non_null(strstr(s.error, "to another process"));
    assert_true(has_taker());
    let_go(&second);
    let_go(&first);
    await_taker(false);
}

static void what_does_not_fit_is_told(void **state)
{
    (void)state;
    struct sockaddr_in6 other = address;
    other.sin6_port = htons(1);
    struct child c = begin(WORKERS, &other);
    struct said s = hear(&c);
    assert_int_equal(s.result, -EINVAL);
    assert_non_null(strstr(s.error, "start with --listen 127.0.0.1:"));
    let_go(&c);
    await_taker(false);
    c = begin(WORKERS + 1, &address);
    s = hear(&c);
    assert_int_equal(s.result, -EINVAL);
    assert_non_null(strstr(s.error, "start with --workers 2"));
    let_go(&c);
    await_taker(false);
}

/* It listens, and its main thread does not look. */
static void who_gives_no_answer_is_not_waited_for(void **state)
{
    (void)state;
    struct child c = begin(WORKERS, &address);
    struct said s;
    assert_int_equal(read(c.said, &s, sizeof s), sizeof s);
    assert_int_equal(s.result, -EAGAIN);
    assert_non_null(strstr(s.error, "does not answer: it is starting, or stopped"));
    let_go(&c);
    turn();
    await_taker(false);
}

static void nobody_is_there(void **state)
{
    (void)state;
    int sockets[WORKERS];
    char error[256] = "";
    assert_int_equal(port_take("/nonexistent", &address, sockets, WORKERS, error, sizeof error), -ENOENT);
    port_close(); /* its socket's file stays */
    assert_int_equal(port_take(folder, &address, sockets, WORKERS, error, sizeof error), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_held_but_for_who_has_the_sockets),
        cmocka_unit_test(one_has_them_at_a_time),
        cmocka_unit_test(what_does_not_fit_is_told),
        cmocka_unit_test(who_gives_no_answer_is_not_waited_for),
        cmocka_unit_test(nobody_is_there),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
