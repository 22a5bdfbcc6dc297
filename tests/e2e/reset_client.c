/*
 * Connections that are cut at every point: reset_client PORT COUNT [SEED]
 *
 * Each makes TLS by hand over its socket, so that it can stop after any byte of either side: within the handshake, a
 * request, a response; between requests; or nowhere. Then it goes with a reset, by closing, or by closing its side
 * and reading on. Whoever is owed an answer waits for it: PATIENCE_S without a byte is a hang. Certificates are not
 * checked. Exit status 0: no connection hung, and each that was not cut had all its answers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define THREADS 16
#define PATIENCE_S 60
#define BODY_SIZE 60000u
#define NEVER SIZE_MAX

static int port;
static uint64_t seed;
static SSL_CTX *context;
static char body[BODY_SIZE];
static atomic_long flight, left, hung, wrong, complete, cut_count, by_point[6];
static const char *const points[] = {"connect", "hello", "handshake", "request", "response", "between requests"};

enum way { RESET, CLOSE, HALF_CLOSE, NOTIFY };

struct connection {
    int fd;
    SSL *ssl;
    BIO *in, *out;             /* what came, what is to go */
    size_t may_send, may_read; /* bytes until the cut */
    size_t sent, received;
    bool cut, over;    /* we stop here; the server has ended or reset */
    int point;         /* of `points`, where it stands */
    char answer[4096]; /* the beginning of what came after the handshake */
    size_t answer_size;
};

static uint64_t next_random(uint64_t *state) /* xorshift64 */
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void say(const char *what, struct connection *c)
{
    fprintf(stderr, "reset_client: %s, at: %s, after %zu bytes: %.60s\n", what, points[c->point], c->sent,
            c->answer_size ? c->answer : "(nothing came)");
}

static bool dial(struct connection *c, unsigned thread)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)}, from = {.sin_family = AF_INET};
    struct timeval patience = {PATIENCE_S, 0};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + thread); /* more ports than one address has */
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) {
        fprintf(stderr, "reset_client: cannot connect: %s\n", strerror(errno));
        wrong++;
        return false;
    }
    return true;
}

/* What OpenSSL has to say, up to the cut. */
static void flush(struct connection *c)
{
    char bytes[4096];
    while (!c->cut && !c->over && BIO_ctrl_pending(c->out) > 0) {
        size_t want = sizeof bytes < c->may_send ? sizeof bytes : c->may_send;
        int size = want ? BIO_read(c->out, bytes, (int)want) : 0;
        for (int at = 0; at < size && !c->over;) {
            ssize_t n = send(c->fd, bytes + at, (size_t)(size - at), MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN) {
                say("the server takes nothing more", c);
                hung++;
            }
            if (n < 0)
                c->over = true;
            else
                at += (int)n;
        }
        c->sent += (size_t)size;
        if (c->may_send != NEVER)
            c->may_send -= (size_t)size;
        c->cut = c->may_send == 0;
    }
}

/* Wait for bytes: a server that owes some and is silent has lost us. */
static void fill(struct connection *c)
{
    char bytes[8192];
    flush(c);
    if (c->cut || c->over)
        return;
    size_t want = sizeof bytes < c->may_read ? sizeof bytes : c->may_read;
    ssize_t n = want ? recv(c->fd, bytes, want, 0) : 0;
    if (n < 0 && errno == EAGAIN) {
        say("no byte came", c);
        hung++;
    }
    if (n > 0) {
        BIO_write(c->in, bytes, (int)n);
        c->received += (size_t)n;
    }
    if (n > 0 && c->may_read != NEVER)
        c->may_read -= (size_t)n;
    c->cut = want == 0 || c->may_read == 0;
    c->over = !c->cut && n <= 0;
}

static bool handshake(struct connection *c)
{
    while (!c->cut && !c->over) {
        int result = SSL_do_handshake(c->ssl);
        flush(c);
        if (result == 1) {
            atomic_store(&flight, (long)c->received);
            return !c->cut;
        }
        if (SSL_get_error(c->ssl, result) != SSL_ERROR_WANT_READ)
            return false;
        fill(c);
        if (c->received > 0)
            c->point = 2;
    }
    return false;
}

/* Up to `end` bytes of answer, or to the end of all if end is 0. */
static size_t read_answer(struct connection *c, size_t end)
{
    char bytes[16384];
    size_t total = 0;
    while (!c->cut && (end == 0 || total < end)) {
        int n = SSL_read(c->ssl, bytes, sizeof bytes);
        if (n > 0) {
            size_t keep = sizeof c->answer - 1 - c->answer_size;
            keep = (size_t)n < keep ? (size_t)n : keep;
            memcpy(c->answer + c->answer_size, bytes, keep);
            c->answer_size += keep;
            total += (size_t)n;
            c->point = 4;
            if (end == 1) { /* a short answer: head and body come in one record */
                const char *length = strstr(c->answer, "content-length: "), *head = strstr(c->answer, "\r\n\r\n");
                if (length && head)
                    end = (size_t)(head + 4 - c->answer) + strtoul(length + 16, NULL, 10);
            }
        } else if (c->over || SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ) {
            break;
        } else {
            fill(c);
        }
    }
    return total;
}

/* One request and its answer; last: the server is asked to close behind it. */
static bool ask(struct connection *c, uint64_t random, bool last)
{
    char head[256];
    bool upload = random % 8 == 0;
    last |= upload; /* its answer ends with the connection */
    const char *end = last ? "Connection: close\r\n" : "";
    int size = snprintf(head, sizeof head,
                        upload ? "POST /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: %u\r\n%s\r\n"
                               : "GET /healthz HTTP/1.1\r\nHost: h\r\nX-Pad: %u\r\n%s\r\n",
                        BODY_SIZE, end);
    c->point = 3;
    c->answer_size = 0;
    memset(c->answer, 0, sizeof c->answer);
    SSL_write(c->ssl, head, size);
    if (upload)
        SSL_write(c->ssl, body, sizeof body);
    flush(c);
    size_t got = c->cut ? 0 : read_answer(c, last ? 0 : 1);
    if (c->cut)
        return false;
    if (strncmp(c->answer, "HTTP/1.1 200 ", 13) != 0 || got < (upload ? BODY_SIZE : 1)) {
        say("an answer is missing or wrong", c);
        wrong++;
        return false;
    }
    c->point = 5;
    return !last && !c->over;
}

static void go(struct connection *c, enum way way)
{
    char waste[4096];
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (way == NOTIFY && SSL_is_init_finished(c->ssl)) {
        SSL_shutdown(c->ssl);
        c->may_send = NEVER;
        c->cut = false;
        flush(c);
    }
    if (way == RESET)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (way == HALF_CLOSE) {
        shutdown(c->fd, SHUT_WR);
        ssize_t n;
        while ((n = recv(c->fd, waste, sizeof waste, 0)) > 0)
            ;
        if (n < 0 && errno == EAGAIN) {
            say("our end was not answered", c);
            hung++;
        }
    }
    close(c->fd);
}

static void one(uint64_t *random, unsigned thread)
{
    struct connection c = {.may_send = NEVER, .may_read = NEVER};
    uint64_t r = next_random(random);
    /* A third is cut while it sends, a third while it reads, the rest nowhere. */
    if (r % 3 == 0)
        c.may_send = (r >> 8) % ((r >> 40) % 8 ? 900 : 70000);
    else if (r % 3 == 1)
        c.may_read =
            (r >> 7) % 2 ? (r >> 8) % (size_t)(flight + 1) : (size_t)flight + (r >> 8) % ((r >> 40) % 4 ? 500 : 70000);
    if (!dial(&c, thread))
        return;
    c.ssl = SSL_new(context);
    c.in = BIO_new(BIO_s_mem());
    c.out = BIO_new(BIO_s_mem());
    SSL_set_bio(c.ssl, c.in, c.out);
    SSL_set_connect_state(c.ssl);
    c.cut = c.may_send == 0 || c.may_read == 0;
    c.point = 1;
    unsigned requests = 1 + (r >> 32) % 3;
    bool more = handshake(&c);
    if (!more && !c.cut && !c.over) {
        say("no handshake", &c);
        wrong++;
    } else if (c.over && !more) {
        say("ended in the handshake", &c);
        wrong++;
    }
    for (unsigned i = 0; more && i < requests; i++)
        more = ask(&c, next_random(random), i + 1 == requests && (r >> 36) % 2);
    by_point[c.point]++;
    *(c.cut ? &cut_count : &complete) += 1;
    go(&c, (enum way)((r >> 44) % 4));
    SSL_free(c.ssl);
}

static void *run(void *argument)
{
    unsigned thread = (unsigned)(uintptr_t)argument;
    uint64_t random = seed * 0x9E3779B97F4A7C15u + thread + 1;
    while (atomic_fetch_sub(&left, 1) > 0 && hung < 10 && wrong < 10)
        one(&random, thread);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    if (argc < 3)
        return 2;
    port = atoi(argv[1]);
    left = atol(argv[2]);
    seed = argc > 3 ? strtoull(argv[3], NULL, 0) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    signal(SIGPIPE, SIG_IGN);
    context = SSL_CTX_new(TLS_client_method());
    for (unsigned i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i) != 0)
            return 2;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%ld whole connections, %ld cut", (long)complete, (long)cut_count);
    for (size_t i = 1; i < sizeof points / sizeof *points; i++)
        printf("%s %ld at: %s", i == 1 ? ";" : ",", (long)by_point[i], points[i]);
    printf("\n%ld hung, %ld wrong\n", (long)hung, (long)wrong);
    SSL_CTX_free(context);
    return hung || wrong || complete == 0;
}
