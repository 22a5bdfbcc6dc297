/* AESM's answers: whatever the service sends, the client ends with an error and a line, or with a quote of its report.
 * One message answers every question, since each takes only its own part of it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/bytes.h"
#include "sgx/quote/aesm.h"
#include "tests/fuzz/fuzz.h"

static char path[64];
static int listener;
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER; /* the service may still serve who has hung up */
static uint8_t answer[1u << 20];
static size_t answer_size;

static void serve_one(int fd)
{
    uint8_t request[4096], size[4];
    if (recv(fd, size, 4, MSG_WAITALL) != 4 || bytes_u32(size) > sizeof request ||
        recv(fd, request, bytes_u32(size), MSG_WAITALL) != (ssize_t)bytes_u32(size))
        return;
    bytes_put_u32(size, (uint32_t)answer_size);
    send(fd, size, 4, MSG_NOSIGNAL);
    send(fd, answer, answer_size, MSG_NOSIGNAL);
}

static void *serve(void *unused)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return unused;
        pthread_mutex_lock(&busy);
        serve_one(fd);
        pthread_mutex_unlock(&busy);
        close(fd);
    }
}

static void forget_socket(void)
{
    unlink(path);
}

static void start(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    snprintf(path, sizeof path, "/tmp/fuzz_aesm.%d", (int)getpid());
    memcpy(address.sun_path, path, sizeof path);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    MUST(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 4) == 0);
    atexit(forget_socket);
    MUST(pthread_create(&thread, NULL, serve, NULL) == 0);
    MUST(freopen("/dev/null", "w", stdout));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t report[QUOTE_REPORT_SIZE];
    struct quote_backend *b;
    char error[512] = "";
    if (!listener)
        start();
    pthread_mutex_lock(&busy);
    answer_size = size < sizeof answer ? size : sizeof answer;
    memcpy(answer, data, answer_size);
    pthread_mutex_unlock(&busy);
    if (quote_aesm_create(path, 2000, &b, error, sizeof error) < 0) {
        MUST(error[0]);
        return 0;
    }
    uint8_t quote[QUOTE_SIZE_MAX];
    size_t quote_size = 0;
    if (quote_get(b, report, quote, sizeof quote, &quote_size) == 0)
        MUST(quote_size >= 432 && quote_size <= sizeof quote && memcmp(quote + 48, report, 384) == 0);
    quote_destroy(b);
    return 0;
}
