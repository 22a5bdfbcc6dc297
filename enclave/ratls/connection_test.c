/*
 * The enclave's channels, worker and TLS over a host that does as it likes: names of other generations, doubled, out
 * of range or of nobody; channels posted twice, or where no channel may be; indices that jump and run backwards; ends
 * that are taken back, bytes after the end, names withheld. In one thread, so a seed repeats it: HOSTILE_SEED,
 * HOSTILE_ROUNDS.
 *
 * Whatever comes, the enclave gives each channel that it took back exactly once, names it no more after that, and does
 * not touch its memory: here, that memory faults from the moment on at which the end is read from the doorbell.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/asn1err.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <cmocka.h>

#include "enclave/early/channel.h"
#include "enclave/ratls/connections.h"
#include "enclave/https/http.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/thread/worker.h"

#define SLOTS 12u
#define CAPACITY PROTO_RING_MIN
#define STEPS 4000
#define INSIDE 0x7e0000000000ull /* where the pretended enclave lies */
#define INSIDE_SIZE (1ull << 30)

struct memory {
    struct ring_shared rings[2];
    _Alignas(4096) uint8_t data[2][CAPACITY];
};

struct slot {
    struct memory *memory;
    channel_name name;
    bool live;  /* posted, and its end was not read */
    bool taken; /* the enclave was seen to have it */
    SSL *client;
    BIO *from_client, *to_client;
    uint64_t read; /* of the enclave's bytes */
};

static struct worker worker;
static struct connections connections;
static struct http_server server;
static struct slot slots[SLOTS];
static struct doorbell_shared *bell_in, *bell_out;
static struct doorbell_producer ring_worker;
static struct doorbell_consumer from_worker;
static SSL_CTX *client_context;
static uint64_t random_state, clock_offset_ns, ends_seen, handshakes, broken;

/* ---- what the enclave has around it ------------------------------------------------------------------------- */

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    int result = __real_clock_gettime(clock, out);
    out->tv_sec += (time_t)(clock_offset_ns / 1000000000u);
    return result;
}

bool sgx_is_outside_enclave(const void *p, size_t size)
{
    uint64_t start = (uint64_t)p;
    return start != 0 && start + size >= start && (start + size <= INSIDE || start >= INSIDE + INSIDE_SIZE);
}

int ocall_notify(int32_t *retval, uint32_t op, uint64_t arg, uint64_t timeout_ns)
{
    *retval = 0;
    return 0;
}

bool ecall_shutdown_requested(uint64_t *deadline_ns)
{
    return false;
}

bool sgx_is_debug(void)
{
    return true;
}

int peer_describe(SSL *ssl, bool debug, char out[256])
{
    return -ENOENT;
}

/* An echo in HTTP's place; ends at "." or with its peer, unless it stays to write. */
static struct http_site site;
static bool stays;
static ssize_t last_read;

/* Its channel is the host's again: nothing may reach into it any more. */
static void use_broken(struct transport *t)
{
    uint8_t byte = 0, bytes[32] = {0};
    assert_true(t->ops->read(t, &byte, 1) < 0);
    assert_true(t->ops->write(t, &byte, 1) < 0);
    t->ops->flush(t);
    assert_false(t->ops->reusable(t));
    assert_false(t->export_key(t, "EXPORTER-test", bytes, bytes));
    assert_false(t->shown_key(t, bytes));
    assert_true(t->shown_until(t) < 0);
    broken++;
}

static void on_ready(struct transport *t, void *user)
{
    uint8_t buffer[700];
    ssize_t got = -EAGAIN;
    if (t->broken)
        use_broken(t);
    while (!t->broken && (got = t->ops->read(t, buffer, sizeof buffer)) > 0) {
        ssize_t put = t->ops->write(t, buffer, (size_t)got); /* what does not fit is lost: the host's doing */
        if ((put < 0 && put != -EAGAIN) || buffer[0] == '.')
            break;
    }
    last_read = got;
    if (t->broken || (got < 0 && got != -EAGAIN))
        t->ops->abort(t);
    else if (got != -EAGAIN && !(got == 0 && stays))
        t->ops->close(t);
    else
        t->ops->flush(t);
}

int http_connection_start(struct http_server *s, struct worker *w, struct transport *t)
{
    handshakes++;
    t->on_ready = on_ready;
    t->on_ready(t, NULL);
    return 0;
}

/* ---- the host ------------------------------------------------------------------------------------------------ */

static uint64_t next_random(void) /* xorshift64 */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static struct channel_desc describe(const struct slot *s)
{
    return (struct channel_desc){.kind = CHANNEL_CONNECTION,
                                 .name = s->name,
                                 .to_enclave = (uintptr_t)&s->memory->rings[0],
                                 .to_enclave_data = (uintptr_t)s->memory->data[0],
                                 .to_enclave_capacity = CAPACITY,
                                 .to_host = (uintptr_t)&s->memory->rings[1],
                                 .to_host_data = (uintptr_t)s->memory->data[1],
                                 .to_host_capacity = CAPACITY};
}

static void ring(channel_name name)
{
    doorbell_push(&ring_worker, name);
}

static void open_slot(struct slot *s)
{
    uint32_t id = (uint32_t)(s - slots);
    assert_int_equal(mprotect(s->memory, sizeof *s->memory, PROT_READ | PROT_WRITE), 0);
    memset(s->memory->rings, 0, sizeof s->memory->rings);
    SSL_free(s->client);
    *s = (struct slot){.memory = s->memory, .name = channel_name_make(id, (uint32_t)(s->name >> 32) + 1), .live = true};
    s->client = SSL_new(client_context);
    s->to_client = BIO_new(BIO_s_mem());
    s->from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(s->client, s->to_client, s->from_client);
    SSL_set_connect_state(s->client);
    struct channel_desc d = describe(s);
    assert_int_equal(channel_post(&d), 0); /* a slot that was given back is free: no leak */
    ring(s->name);
}

/* Bytes into its ring, wherever that stands. */
static void feed(struct slot *s, const uint8_t *bytes, size_t size)
{
    struct ring_shared *r = &s->memory->rings[0];
    uint64_t tail = atomic_load(&r->tail), head = atomic_load(&r->head);
    for (size_t i = 0; i < size && tail - head < CAPACITY - 8; i++)
        s->memory->data[0][tail++ % CAPACITY] = bytes[i];
    atomic_store(&r->tail, tail);
}

/* What an honest client would do next. */
static void talk(struct slot *s)
{
    uint8_t bytes[1500];
    struct ring_shared *r = &s->memory->rings[1];
    uint64_t tail = atomic_load(&r->tail);
    for (; s->read < tail && tail - s->read <= CAPACITY; s->read++)
        BIO_write(s->to_client, &s->memory->data[1][s->read % CAPACITY], 1);
    atomic_store(&r->head, s->read);
    if (SSL_do_handshake(s->client) == 1) {
        while (SSL_read(s->client, bytes, sizeof bytes) > 0)
            ;
        SSL_write(s->client, next_random() % 8 ? "hello" : ".", 1);
    }
    int size = BIO_read(s->from_client, bytes, sizeof bytes);
    if (size > 0)
        feed(s, bytes, (size_t)size);
    ring(s->name);
}

static void read_doorbell(void);

static void bad_posts(struct slot *s)
{
    struct channel_desc d = describe(s), good = d;
    read_doorbell(); /* it may have ended by now */
    if (s->live)
        assert_int_equal(channel_post(&d), -EBUSY); /* the same again, while it is in use */
    const struct {
        size_t at;
        uint64_t value;
    } wrong[] = {{offsetof(struct channel_desc, to_enclave), INSIDE + 4096},
                 {offsetof(struct channel_desc, to_enclave), INSIDE - 64},
                 {offsetof(struct channel_desc, to_enclave_data), INSIDE - CAPACITY + 64},
                 {offsetof(struct channel_desc, to_host), 0},
                 {offsetof(struct channel_desc, to_host), good.to_host + 8},
                 {offsetof(struct channel_desc, to_host_data), UINT64_MAX - 63},
                 {offsetof(struct channel_desc, to_host_data), INSIDE + INSIDE_SIZE - 64},
                 {offsetof(struct channel_desc, to_host_capacity), CAPACITY - 8},
                 {offsetof(struct channel_desc, to_host_capacity), UINT64_MAX},
                 {offsetof(struct channel_desc, to_enclave_capacity), 0},
                 {offsetof(struct channel_desc, name), PROTO_MAX_CHANNELS},
                 {offsetof(struct channel_desc, name), channel_name_make(CHANNEL_CONTROL_ID, 1)},
                 {offsetof(struct channel_desc, name), good.name | CHANNEL_ENDED},
                 {offsetof(struct channel_desc, kind), CHANNEL_CONTROL | (uint64_t)1 << 32},
                 {offsetof(struct channel_desc, kind), 0},
                 {offsetof(struct channel_desc, kind), CHANNEL_CONNECTION | (uint64_t)PROTO_MAX_WORKERS << 32}};
    size_t i = next_random() % (sizeof wrong / sizeof *wrong);
    memcpy((uint8_t *)&d + wrong[i].at, &wrong[i].value, 8);
    assert_int_equal(channel_post(&d), -EINVAL);
}

static channel_name some_name(struct slot *s)
{
    uint32_t id = (uint32_t)s->name, generation = (uint32_t)(s->name >> 32);
    switch (next_random() % 8) {
    case 0:
        return channel_name_make(id, generation - 1);
    case 1:
        return channel_name_make(id, generation + 1);
    case 2:
        return s->name | CHANNEL_ENDED;
    case 3:
        return channel_name_make(PROTO_MAX_CHANNELS + (uint32_t)(next_random() % 3), generation);
    case 4:
        return channel_name_make(CHANNEL_CONTROL_ID, (uint32_t)(next_random() % 2));
    case 5:
        return next_random();
    default:
        return s->name;
    }
}

static uint64_t some_word(uint64_t now)
{
    const uint64_t choices[] = {0,          now - 1,      now + 1, now + 8, now + CAPACITY, now - CAPACITY,
                                UINT64_MAX, next_random()};
    return choices[next_random() % (sizeof choices / sizeof *choices)];
}

static void scribble(struct slot *s)
{
    struct ring_shared *r = &s->memory->rings[next_random() % 2];
    shared_word *words[] = {&r->head, &r->tail, &r->flags, &r->named, &r->want_space};
    shared_word *word = words[next_random() % 5];
    atomic_store(word, word == &r->flags ? next_random() % 4 : some_word(atomic_load(word)));
    if (next_random() % 4)
        ring(s->name);
}

/* The enclave's word on a channel: once it has said that it has ended, it says no more, and touches it no more. */
static void read_doorbell(void)
{
    channel_name name;
    while (doorbell_pop(&from_worker, &name) == 1) {
        if ((uint32_t)name == CHANNEL_CONTROL_ID)
            continue;
        struct slot *s = &slots[(uint32_t)(name & ~(channel_name)CHANNEL_ENDED)];
        assert_true(s < slots + SLOTS && (name & ~(channel_name)CHANNEL_ENDED) == s->name);
        assert_true(s->live);
        if (!(name & CHANNEL_ENDED)) {
            atomic_store(&s->memory->rings[1].named, 0);
            continue;
        }
        s->live = false;
        ends_seen++;
        assert_int_equal(mprotect(s->memory, sizeof *s->memory, PROT_NONE), 0);
    }
}

static void step(void)
{
    struct slot *s = &slots[next_random() % SLOTS];
    uint8_t garbage[64];
    uint64_t what = next_random() % 100;
    if (what < 40 && s->live) {
        talk(s);
    } else if (what < 50) {
        ring(some_name(s));
    } else if (what < 55) {
        bad_posts(s);
    } else if (what < 58 && s->live) {
        scribble(s);
    } else if (what < 61 && s->live) { /* ends, and what comes after them */
        atomic_store(&s->memory->rings[0].flags, next_random() % 4);
        if (next_random() % 2)
            ring(s->name);
        memset(garbage, 0x17, sizeof garbage);
        feed(s, garbage, next_random() % sizeof garbage);
    } else if (what < 75) {
        read_doorbell();
    } else if (what < 78) {
        clock_offset_ns += 1000000000ull * (next_random() % 4);
    } else if (what < 85) {
        if (!s->live)
            open_slot(s);
    } else {
        worker_turn(&worker);
    }
}

/* ---- the whole ----------------------------------------------------------------------------------------------- */

static SSL_CTX *server_context(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(leaf), -3600);
    X509_gmtime_adj(X509_getm_notAfter(leaf), 86400);
    X509_set_pubkey(leaf, key);
    X509_sign(leaf, key, EVP_sha256());
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(context, leaf), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return context;
}

static void *shared_memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

static int set_up(void **state)
{
    static struct memory *control;
    control = shared_memory(sizeof *control);
    bell_in = shared_memory(sizeof *bell_in);
    bell_out = shared_memory(sizeof *bell_out);
    struct slot s = {.memory = control};
    struct channel_desc d = describe(&s);
    d.kind = CHANNEL_CONTROL;
    d.doorbell_in = (uintptr_t)bell_in;
    d.doorbell_out = (uintptr_t)bell_out;
    assert_int_equal(channel_post(&d), 0);
    doorbell_producer_init(&ring_worker, bell_in);
    doorbell_consumer_init(&from_worker, bell_out);
    crowd_limits_init(&connection_limits, 64u << 20, PROTO_MAX_CHANNELS);
    struct channel_desc claimed;
    assert_int_equal(worker_init(&worker, 0, &connections_handlers, &connections, &claimed), 0);
    worker.rpc = rpc_client_create(&worker, &claimed);
    assert_non_null(worker.rpc);
    assert_int_equal(connections_init(&connections, &worker, &connections), 0);
    server.limits.header_bytes = 65536;
    http_site_init(&site, 1, NULL, NULL);
    connections.site = &site;
    connections.tls = server_context();
    connections.http = &server;
    client_context = SSL_CTX_new(TLS_client_method());
    for (unsigned i = 0; i < SLOTS; i++)
        slots[i] = (struct slot){.memory = shared_memory(sizeof(struct memory)), .name = i};
    return 0;
}

/* The host comes to its senses: everything ends. */
static void settle(void)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].live) {
            atomic_store(&slots[i].memory->rings[0].flags, RING_RST);
            ring(slots[i].name); /* perhaps for the first time */
        }
    for (int turn = 0; turn < 200; turn++) { /* 256 names in each */
        worker_turn(&worker);
        connections_check(&connections);
        rpc_client_check(worker.rpc);
        loop_check_all(&worker.loop);
        read_doorbell();
    }
    assert_int_equal(connections.count, 0);
    for (unsigned i = 0; i < SLOTS; i++)
        assert_false(slots[i].live);
}

static void test_hostile_host(void **state)
{
    const char *text = getenv("HOSTILE_SEED"), *rounds = getenv("HOSTILE_ROUNDS");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    int count = rounds ? atoi(rounds) : 40;
    print_message("HOSTILE_SEED=%llu HOSTILE_ROUNDS=%d\n", (unsigned long long)seed, count);
    random_state = seed * 0x9E3779B97F4A7C15u | 1;
    for (int round = 0; round < count; round++) {
        for (int i = 0; i < STEPS; i++)
            step();
        settle();
    }
    print_message("%llu channels ended, %llu of them after a handshake\n", (unsigned long long)ends_seen,
                  (unsigned long long)handshakes);
    assert_true(handshakes > (uint64_t)count && ends_seen > handshakes);
    assert_true(broken > 0);
}

/* What another has left in this thread's queue of errors says nothing of a connection. */
static void test_errors_of_others(void **state)
{
    struct slot *s = &slots[0];
    uint64_t before = handshakes;
    open_slot(s);
    for (int turn = 0; turn < 20; turn++) {
        ERR_clear_error();  /* the client is in this thread, too */
        random_state = 0x7; /* "hello" */
        talk(s);
        ERR_raise(ERR_LIB_ASN1, ASN1_R_WRONG_TAG);
        worker_turn(&worker);
        read_doorbell();
        assert_true(s->live);
    }
    ERR_clear_error();
    assert_int_equal(handshakes, before + 1);
    settle();
}

static void turn_for(struct slot *s)
{
    ring(s->name);
    for (int turn = 0; turn < 3; turn++) {
        worker_turn(&worker);
        read_doorbell();
    }
}

static void begin_to_talk(struct slot *s)
{
    uint64_t before = handshakes;
    open_slot(s);
    for (int turn = 0; turn < 20; turn++) {
        random_state = 0x7; /* "hello" */
        talk(s);
        turn_for(s);
    }
    assert_int_equal(handshakes, before + 1);
    assert_int_equal(last_read, -EAGAIN);
    assert_true(s->live);
}

static void say_close_notify(struct slot *s)
{
    uint8_t bytes[128];
    assert_int_equal(SSL_shutdown(s->client), 0);
    int size = BIO_read(s->from_client, bytes, sizeof bytes);
    assert_true(size > 0);
    feed(s, bytes, (size_t)size);
}

/* A close_notify says that no more comes, and no more: what comes all the same counts for nothing. The end of the
 * stream says that nobody is there, with a close_notify or without one. */
static void test_ends_of_clients(void **state)
{
    static const uint8_t junk[300] = {0x17, 3, 3, 0, 32};
    struct slot *s = &slots[0];
    struct ring_shared *r = &s->memory->rings[0];
    stays = true;
    begin_to_talk(s);
    atomic_store(&r->flags, RING_FIN);
    turn_for(s);
    assert_int_equal(last_read, -EPIPE);
    assert_false(s->live);

    begin_to_talk(s);
    say_close_notify(s);
    turn_for(s);
    assert_int_equal(last_read, 0);
    for (int i = 0; i < 100; i++) { /* more than the ring has room for */
        feed(s, junk, sizeof junk);
        turn_for(s);
        assert_int_equal(atomic_load(&r->head), atomic_load(&r->tail));
        assert_int_equal(last_read, 0);
        assert_true(s->live);
    }
    feed(s, junk, sizeof junk);
    atomic_store(&r->flags, RING_FIN);
    turn_for(s);
    assert_int_equal(last_read, -EPIPE);
    assert_false(s->live);

    begin_to_talk(s);
    say_close_notify(s);
    turn_for(s);
    assert_int_equal(last_read, 0);
    atomic_store(&r->flags, RING_RST);
    turn_for(s);
    assert_false(s->live);
    stays = false;
    settle();
}

/* The keeper lets nobody in, whatever a host posts for it and rings. */
static void test_keeper(void **state)
{
    struct slot *s = &slots[1];
    uint64_t before = handshakes;
    connections.http = NULL;
    open_slot(s);
    for (int turn = 0; turn < 20; turn++) {
        random_state = 0x7; /* "hello" */
        talk(s);
        worker_turn(&worker);
        connections_check(&connections);
        assert_int_equal(connections.count, 0);
    }
    assert_int_equal(atomic_load(&s->memory->rings[0].head), 0); /* nothing of it was read */
    assert_int_equal(atomic_load(&s->memory->rings[1].tail), 0);
    assert_int_equal(handshakes, before);
    connections.http = &server; /* as a worker that serves takes it */
    for (int turn = 0; turn < 20; turn++) {
        random_state = 0x7; /* "hello" */
        talk(s);
        worker_turn(&worker);
        read_doorbell();
    }
    assert_int_equal(handshakes, before + 1);
    settle();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors_of_others), cmocka_unit_test(test_ends_of_clients),
                                       cmocka_unit_test(test_keeper), cmocka_unit_test(test_hostile_host)};
    return cmocka_run_group_tests(tests, set_up, NULL);
}
