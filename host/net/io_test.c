/*
 * The listener's life on real sockets: accepting, being paused where all slots are used, going on when one is free,
 * being held by another thread, and being closed by it at any moment, from before it was opened until all clients have
 * been served. More clients than slots come at once, on threads of their own, and a pretended worker echoes. Every
 * round is decided by a seed: SEED, ROUNDS. Nobody is forgotten: without a shutdown every client is answered, with one
 * every client hears the end; no slot is used beyond their number, none is taken while it is held, and afterwards the
 * port refuses.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "common/ensure.h"
#include "common/link.h"
#include "edl/enclave_os_u.h"
#include "host/thread/clock.h"
#include "host/net/io.h"
#include "host/net/listen.h"

#define SLOTS 8u
#define CLIENTS 12u /* at once */
#define VISITS 6u   /* of each, one after another */
#define HANG_S 300u /* a round that takes so long takes for ever */

/* What is decided for a round, and what has come of it. */
static struct io *io;
static uint16_t port;
static atomic_bool refusing, over; /* the enclave takes no channels any more; the round may end */
static atomic_bool ending;         /* from now on clients may be turned away */
static _Atomic unsigned served, paused, clients_left;

/* ---- a worker inside, pretended -------------------------------------------------------------------------------- */

struct enclave {
    int unused;
};

struct post {
    atomic_bool posted;
    struct channel_desc desc;
};

static struct channel_desc control;
static struct post posts[SLOTS];
static struct {
    struct link link;
    bool taken;
} connections[SLOTS];
static unsigned taken_count;
static struct doorbell_consumer bell_in;
static struct doorbell_producer bell_out;

int enclave_ecall(struct enclave *e, uint32_t index, void *ms)
{
    uint64_t *words = ms;
    const struct channel_desc *d = (const void *)words[1];
    ENSURE(index == ENCLAVE_ECALL_INIT_CHANNEL_INDEX);
    words[0] = 0;
    if (d->kind == CHANNEL_CONTROL) {
        control = *d;
        return 0;
    }
    struct post *p = &posts[(uint32_t)d->name];
    ENSURE((uint32_t)d->name < SLOTS && !atomic_load(&p->posted));
    if (atomic_load(&refusing)) {
        words[0] = (uint64_t)(int64_t)-ESHUTDOWN;
        return 0;
    }
    p->desc = *d;
    atomic_store(&p->posted, true);
    return 0;
}

static void end(uint32_t id, uint32_t how)
{
    connections[id].taken = false;
    taken_count--;
    atomic_store(&posts[id].posted, false); /* before the host hears, who may use it again */
    doorbell_push(&bell_out, link_end(&connections[id].link, how));
}

static void echo(uint32_t id)
{
    struct link *link = &connections[id].link;
    uint8_t bytes[512];
    int64_t got;
    while ((got = queue_consumer_available(&link->from)) > 0 &&
           queue_producer_space(&link->to) > (int64_t)sizeof bytes) {
        got = got < (int64_t)sizeof bytes ? got : (int64_t)sizeof bytes;
        queue_consumer_read(&link->from, bytes, (size_t)got);
        queue_producer_write(&link->to, bytes, (size_t)got);
    }
    uint32_t ended = queue_consumer_ended(&link->from);
    if (ended)
        end(id, ended);
    else if (link_publish(link))
        doorbell_push(&bell_out, link->name);
}

static void on_name(channel_name name)
{
    uint32_t id = (uint32_t)name;
    if (id >= SLOTS)
        return; /* the control channel, on which nothing is asked */
    if (!connections[id].taken && atomic_load(&posts[id].posted) && posts[id].desc.name == name) {
        ENSURE(link_init_enclave(&connections[id].link, &posts[id].desc) == 0);
        connections[id].taken = true;
        taken_count++;
    }
    if (!connections[id].taken || connections[id].link.name != name)
        return;
    link_on_name(&connections[id].link);
    echo(id);
}

static void turn(void)
{
    channel_name name;
    bool busy = false;
    while (doorbell_pop(&bell_in, &name) == 1) {
        busy = true;
        on_name(name);
    }
    if (doorbell_wake(&bell_out))
        io_kick(io);
    if (busy)
        return;
    if (doorbell_sleep(&bell_in) && !atomic_load(&over))
        io_wait_for_news(io, 5000000);
    doorbell_awake(&bell_in);
}

/* Serves until it is told that the round is over; then lets go of what it has. */
static void *work(void *unused)
{
    while (!atomic_load(&over))
        turn();
    for (uint32_t id = 0; id < SLOTS; id++)
        if (connections[id].taken)
            end(id, RING_FIN);
    if (doorbell_wake(&bell_out))
        io_kick(io);
    ENSURE(taken_count == 0);
    return NULL;
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ENSURE(fd >= 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

/* All of it comes back. */
static bool talk(int fd, unsigned *seed)
{
    uint8_t sent[2000], got[2000];
    size_t size = 1 + (size_t)rand_r(seed) % sizeof sent, at = 0;
    memset(sent, (int)(size & 0xff), size);
    if (send(fd, sent, size, MSG_NOSIGNAL) != (ssize_t)size)
        return false;
    for (ssize_t n = 1; n > 0 && at<size; at += n> 0 ? (size_t)n : 0)
        n = recv(fd, got + at, size - at, 0);
    return at == size && memcmp(sent, got, size) == 0;
}

static void visit(unsigned *seed)
{
    int fd = dial();
    bool answered = fd >= 0 && talk(fd, seed);
    ENSURE(answered || atomic_load(&ending));
    atomic_fetch_add(&served, answered);
    for (int i = rand_r(seed) % 64; i > 0 && fd >= 0; i--) /* keeps its slot for a while */
        sched_yield();
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (fd >= 0 && rand_r(seed) % 4 == 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if (fd >= 0)
        close(fd);
}

static void *client(void *user)
{
    unsigned seed = *(unsigned *)user;
    for (unsigned i = 0; i < VISITS; i++)
        visit(&seed);
    atomic_fetch_sub(&clients_left, 1);
    return NULL;
}

/* Any thread may ask how many slots are used: never more than there are, and all of them is where it pauses. */
static void look(void)
{
    uint32_t used = io_used(io);
    ENSURE(used <= SLOTS);
    if (used == SLOTS)
        atomic_fetch_add_explicit(&paused, 1, memory_order_relaxed);
    usleep(50);
}

/* ---- a round ----------------------------------------------------------------------------------------------------- */

static void begin(void)
{
    static const struct control_backends nothing;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    struct io_options options = {.channels = SLOTS, .backends = &nothing};
    char error[256];
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    options.local = -1;
    ENSURE(listen_bind(&address, 1, &options.listener) == 0);
    port = ntohs(address.sin6_port);
    atomic_store(&refusing, false);
    atomic_store(&over, false);
    atomic_store(&ending, false);
    atomic_store(&served, 0);
    for (uint32_t i = 0; i < SLOTS; i++)
        atomic_store(&posts[i].posted, false);
    ENSURE(io_create(&options, &io, error, sizeof error) == 0);
    ENSURE(doorbell_consumer_init(&bell_in, (void *)control.doorbell_in) == 0);
    ENSURE(doorbell_producer_init(&bell_out, (void *)control.doorbell_out) == 0);
}

/* As while another process takes the port over: nobody is let in meanwhile, so that slots only come free. */
static void hold_for_a_while(void)
{
    io_hold(io, true);
    for (uint32_t used = io_used(io), i = 0; i < 20; i++) {
        look();
        ENSURE(io_used(io) <= used);
        used = io_used(io);
    }
    io_hold(io, false);
}

/* until: so many served visits, or all clients have gone. It learns nothing else from them: what it does next is in no
 * order with what the I/O thread did, and the sanitizer sees whether that matters. */
static void watch(unsigned until, bool holds)
{
    while (atomic_load_explicit(&served, memory_order_relaxed) < until &&
           atomic_load_explicit(&clients_left, memory_order_relaxed) > 0)
        holds ? hold_for_a_while() : look();
}

static void run_round(unsigned *seed)
{
    pthread_t worker, clients[CLIENTS];
    unsigned seeds[CLIENTS], all = CLIENTS * VISITS;
    bool never_opened = rand_r(seed) % 8 == 0, to_the_end = rand_r(seed) % 3 == 0;
    unsigned until = to_the_end ? all : (unsigned)rand_r(seed) % all;
    begin();
    atomic_store(&clients_left, CLIENTS);
    atomic_store(&ending, never_opened);
    ENSURE(pthread_create(&worker, NULL, work, NULL) == 0 && io_start(io) == 0);
    ENSURE(never_opened || io_accept(io) == 0); /* the port takes connections from here on */
    for (unsigned i = 0; i < CLIENTS; i++) {
        seeds[i] = (unsigned)rand_r(seed);
        ENSURE(pthread_create(&clients[i], NULL, client, &seeds[i]) == 0);
    }
    if (!never_opened)
        watch(until, rand_r(seed) % 3 == 0);
    if (to_the_end && !never_opened)
        ENSURE(atomic_load(&served) == all);
    atomic_store(&ending, true);
    io_stop_accepting(io); /* as the server's signal does, and then the enclave's shutdown */
    for (int i = rand_r(seed) % 16; i > 0; i--)
        sched_yield();
    atomic_store(&refusing, true);
    atomic_store(&over, true);
    io_wake_worker(io);
    pthread_join(worker, NULL);
    io_finish(io);
    io_destroy(io);
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    ENSURE(dial() < 0);
}

int main(void)
{
    const char *seed_text = getenv("SEED"), *rounds_text = getenv("ROUNDS");
    unsigned seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 0) : (unsigned)getpid();
    static struct time_page page;
    unsigned rounds = rounds_text ? (unsigned)strtoul(rounds_text, NULL, 0) : 12, sum = 0;
    printf("SEED=%u ROUNDS=%u\n", seed, rounds);
    fflush(stdout);
    ENSURE(clock_start(&page) == 0);
    for (unsigned i = 0; i < rounds; i++) {
        alarm(HANG_S);
        run_round(&seed);
        sum += atomic_load(&served);
    }
    printf("%u visits were answered; all slots were in use %u times\n", sum, atomic_load(&paused));
    clock_stop();
    ENSURE(atomic_load(&paused) > 0); /* or it tried too little */
    return 0;
}

/* ---- what else a loader has -------------------------------------------------------------------------------------- */

bool enclave_is_dead(const struct enclave *e)
{
    return false;
}

uint32_t enclave_tcs_count(const struct enclave *e)
{
    return 1;
}

int enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length)
{
    return -ENODEV;
}
