/*
 * Tests of the host with the pretended enclave (fake_enclave.c): the program is run as users run it, and talked to
 * over TCP.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];
static pid_t server;
static uint16_t port;
static FILE *output;

/* Run the host with further arguments; both of its outputs go to *out. */
static pid_t run_host(FILE **out, const char *const *arguments)
{
    const char *argv[24] = {HOST, "serve"};
    int pipes[2], count = 2;
    while (*arguments)
        argv[count++] = *arguments++;
    argv[count] = NULL;
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], 1);
        dup2(pipes[1], 2);
        close(pipes[0]);
        execv(HOST, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(pipes[1]);
    *out = fdopen(pipes[0], "r");
    return pid;
}

static int setup(void **state)
{
    strcpy(folder, "/tmp/host_test_XXXXXX");
    assert_non_null(mkdtemp(folder));
    char data[80], sim[80], line[512];
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(sim, sizeof sim, "%s/sim", folder);
    const char *arguments[] = {"--image",  "/dev/null",   "--data",    data, "--sim-dir", sim,
                               "--listen", "127.0.0.1:0", "--workers", "2",  NULL};
    server = run_host(&output, arguments);
    bool rpcs = false, warned = false, phase = false;
    while (port == 0 && fgets(line, sizeof line, output)) {
        fputs(line, stdout);
        rpcs |= strstr(line, "enclave: info: all RPCs are right?[31m") != NULL;
        warned |= strstr(line, "no confidentiality") != NULL;
        phase |= strstr(line, "fake boot") != NULL;
        char *url = strstr(line, "https://127.0.0.1:");
        if (url)
            port = (uint16_t)atoi(url + strlen("https://127.0.0.1:"));
    }
    assert_true(port != 0 && rpcs && warned && phase);
    return 0;
}

static bool ended_well; /* cmocka's result does not count a group teardown that fails */

static int teardown(void **state)
{
    int status;
    char command[128];
    kill(server, SIGTERM);
    waitpid(server, &status, 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    int ignored = system(command);
    (void)ignored;
    ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return 0;
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static uint8_t stream_byte(uint64_t position)
{
    return (uint8_t)((position * 0x9E3779B97F4A7C15u) >> 56);
}

/* 20 MiB through one connection, in pieces of all sizes, ended by a half-close: every byte comes back. */
static void test_echo(void **state)
{
    const uint64_t total = 20u << 20;
    int fd = dial();
    fcntl(fd, F_SETFL, O_NONBLOCK);
    uint64_t sent = 0, received = 0;
    bool closed = false, ended = false;
    while (!ended) {
        static uint8_t buffer[100000];
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (sent < total ? POLLOUT : 0))};
        assert_int_equal(poll(&p, 1, 300000), 1);
        if (p.revents & POLLOUT && sent < total) {
            size_t size = 1 + sent * 7919 % sizeof buffer;
            size = size < total - sent ? size : (size_t)(total - sent);
            for (size_t i = 0; i < size; i++)
                buffer[i] = stream_byte(sent + i);
            ssize_t n = send(fd, buffer, size, MSG_NOSIGNAL);
            sent += n > 0 ? (uint64_t)n : 0;
        }
        if (sent == total && !closed) {
            shutdown(fd, SHUT_WR);
            closed = true;
        }
        if (p.revents & POLLIN) {
            ssize_t n = recv(fd, buffer, sizeof buffer, 0);
            assert_true(n >= 0);
            for (ssize_t i = 0; i < n; i++)
                if (buffer[i] != stream_byte(received + (uint64_t)i))
                    fail_msg("byte %llu is wrong", (unsigned long long)received + (unsigned long long)i);
            received += (uint64_t)n;
            ended = n == 0;
        }
    }
    assert_true(received == total);
    close(fd);
}

/* A peer that does not read stops its own ring; another connection goes on. */
static void test_slow_peer(void **state)
{
    int slow = dial(), quick = dial();
    static uint8_t buffer[65536];
    uint64_t sent = 0;
    fcntl(slow, F_SETFL, O_NONBLOCK);
    for (int quiet = 0; quiet < 20;) {
        ssize_t n = send(slow, buffer, sizeof buffer, MSG_NOSIGNAL);
        quiet = n > 0 ? 0 : quiet + 1;
        sent += n > 0 ? (uint64_t)n : 0;
        if (n <= 0)
            usleep(5000);
        assert_true(sent < 64u << 20); /* kernel buffers and rings are all that may fill */
    }
    char c = 0;
    assert_int_equal(send(quick, "x", 1, 0), 1);
    assert_int_equal(recv(quick, &c, 1, 0), 1);
    assert_int_equal(c, 'x');
    uint64_t received = 0;
    while (received < sent) {
        struct pollfd p = {.fd = slow, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 300000), 1);
        ssize_t n = recv(slow, buffer, sizeof buffer, 0);
        assert_true(n > 0);
        received += (uint64_t)n;
    }
    close(slow);
    close(quick);
}

static void exchange(int fd)
{
    char reply[6] = "";
    assert_int_equal(send(fd, "hello", 5, 0), 5);
    assert_int_equal(recv(fd, reply, 5, MSG_WAITALL), 5);
    assert_string_equal(reply, "hello");
}

/* Many at once, then many one after another, some reset: slots are used again and again. */
static void test_many(void **state)
{
    int fds[500];
    for (int i = 0; i < 500; i++)
        fds[i] = dial();
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 500; i++)
            exchange(fds[i]);
    for (int i = 0; i < 500; i++)
        close(fds[i]);
    for (int i = 0; i < 1000; i++) {
        struct linger reset = {1, 0};
        int fd = dial();
        exchange(fd);
        if (i % 3 == 0)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    int last = dial();
    exchange(last);
    close(last);
}

/* ---- wrong options: one line, not zero ----------------------------------------------------------------------- */

static void expect_failure(const char *const *arguments, const char *message)
{
    FILE *out;
    char line[512] = "", rest[512];
    int status;
    pid_t pid = run_host(&out, arguments);
    assert_non_null(fgets(line, sizeof line, out));
    assert_null(fgets(rest, sizeof rest, out));
    fclose(out);
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    if (!strstr(line, message))
        fail_msg("'%s' has no '%s'", line, message);
}

static void test_errors(void **state)
{
    char data[80], address[32];
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
#define FAILS(message, ...) expect_failure((const char *const[]){__VA_ARGS__, NULL}, message)
    FAILS("--image is missing", "--data", "/tmp");
    FAILS("--data is missing", "--image", "/dev/null");
    FAILS("unknown option --imagine", "--imagine");
    FAILS("--listen needs a value", "--listen");
    FAILS("'x' is not an IP address", "--listen", "x:1");
    FAILS("expected a number from 0 to 65535", "--listen", "127.0.0.1:70000");
    FAILS("expected a number from 1 to 8", "--workers", "9");
    FAILS("expected auto, sgx or emulator", "--backend", "tdx");
    FAILS("unexpected argument 'more'", "more");
    FAILS("--admin-key /nonexistent: No such file", "--admin-key", "/nonexistent");
    FAILS("--admin-key /dev/null: not a file", "--admin-key", "/dev/null");
    FAILS("--image /nonexistent: No such file", "--image", "/nonexistent", "--data", data);
    FAILS("Address already in use", "--image", "/dev/null", "--data", data, "--listen", address);
    FAILS("is in use by another process", "--image", "/dev/null", "--data", data, "--listen", "127.0.0.1:0");
    FAILS("not a folder", "--image", "/dev/null", "--data", "/dev/null", "--listen", "127.0.0.1:0");
    FAILS("--data /proc/x: No such file", "--image", "/dev/null", "--data", "/proc/x", "--listen", "127.0.0.1:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_slow_peer),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_errors),
    };
    alarm(900);
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    if (!ended_well)
        fprintf(stderr, "the host did not end with status 0\n");
    return failed || !ended_well;
}
