/*
 * enclave-os: loads the enclave, gives it network and storage, and stops it cleanly.
 *
 * Everything here is outside the trusted part. Start-up: options, port, data folder, image, channels, boot. The main
 * thread then waits for signals and for the enclave's end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <poll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "common/replace.h"
#include "common/witness_option.h"
#include "edl/enclave_os_u.h"
#include "host/thread/clock.h"
#include "host/cpuid_table.h"
#include "host/dispatcher.h"
#include "host/hand_over.h"
#include "host/host.h"
#include "host/net/collateral.h"
#include "host/net/listen.h"
#include "host/net/quote_collateral.h"
#include "host/options.h"
#include "host/port.h"
#include "host/rpc/local.h"
#include "sgx/emulator/emulator.h"
#include "sgx/quote/aesm.h"

#define EGRESS_THREADS 32 /* each may wait for a name server or a silent address; asleep they cost nothing */

static struct {
    struct options options;
    struct enclave *enclave;
    struct io *ios[PROTO_MAX_WORKERS];
    struct control_backends backends;
    struct quote_collateral_source collateral_source;
    struct collateral_server *collateral;
    struct run_args args;
    _Alignas(64) struct time_page time_page;
    int local;  /* for other processes of this machine */
    int events; /* eventfd: the main thread has something to look at */
    int giver;  /* the connection to who gave the listening sockets; negative: nobody did, or it has ended */
    atomic_bool shutdown_asked; /* by an I/O thread */
    atomic_bool ended;          /* every thread has left the enclave */
    atomic_int end_result;
    atomic_bool ready; /* the enclave serves; phases holds its times */
    char phases[1024];
    bool open; /* connections are let in */
    uint64_t start_ns, loaded_ns;
    char listen_text[80];
} server;

static void tell_main(void)
{
    uint64_t one = 1;
    ssize_t ignored = write(server.events, &one, sizeof one);
    (void)ignored;
}

static void on_shutdown(void)
{
    atomic_store(&server.shutdown_asked, true);
    tell_main();
}

static void on_end(int result)
{
    atomic_store(&server.end_result, result);
    atomic_store(&server.ended, true);
    tell_main();
}

/* Any thread. Only the main thread opens and closes the port, one after the other. */
static void on_ready(const char *phases)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&said))
        return;
    snprintf(server.phases, sizeof server.phases, "%s", phases);
    atomic_store(&server.ready, true);
    tell_main();
}

/* Any thread of egress. */
static int get_collateral(const void *quote, size_t size, uint8_t **out, size_t *out_size)
{
    char error[512];
    int result = quote_collateral_get(&server.collateral_source, quote, size, out, out_size, error, sizeof error);
    if (result < 0)
        fprintf(stderr, "enclave-os: collateral: %s\n", error);
    return result;
}

/* The enclave serves: let connections in, and then tell the operator, who may take the line at its word. */
static void open_port(void)
{
    server.open = true;
    for (uint32_t i = 0; i < server.options.workers; i++) {
        int result = io_accept(server.ios[i]);
        if (result < 0)
            fail("cannot listen on %s: %s", server.listen_text, strerror(-result));
    }
    double ms = (double)(clock_monotonic_ns() - server.start_ns) / 1e6;
    printf("boot:\n  %-32s %8.1f ms\n%sready after %.1f ms, listening on https://%s\n", "load and measure the image",
           (double)(server.loaded_ns - server.start_ns) / 1e6, server.phases, ms, server.listen_text);
    fflush(stdout);
}

/* ---- start-up ---------------------------------------------------------------------------------------------- */

static void prepare_folder(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        fail("--data %s: %s", path, strerror(errno));
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        fail("--data %s: not a folder", path);
    if (access(path, R_OK | W_OK | X_OK) != 0)
        fail("--data %s: %s", path, strerror(errno));
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Where another process of this machine finds this server, and its listening sockets. */
static void open_local(const int *listeners)
{
    server.local = local_bind(server.options.data, LOCAL_CONNECTIONS);
    int result = server.local < 0 ? server.local : port_open(server.options.data, listeners, server.options.workers);
    if (result < 0)
        fail("--data %s: sockets for this machine cannot be made there: %s", server.options.data, strerror(-result));
}

/* Where the enclave says the server that it takes over from, that is reached on this machine. */
static void find_other(void)
{
    static struct witness_url url;
    const struct options *o = &server.options;
    if (!o->listen_from)
        return;
    ENSURE(witness_url_read(o->take_over, strlen(o->take_over), &url)); /* it was judged */
    server.backends.local = (struct local_way){url.host, url.port, o->listen_from};
}

static void open_backends(const int *listeners)
{
    char error[512];
    struct control_backends *b = &server.backends;
    if (kvstore_open(server.options.data, &b->kv, error, sizeof error) != 0)
        fail("%s", error);
    open_local(listeners); /* the folder is ours alone from here on */
    b->storage = service_create("storage", 1);
    b->quoting = service_create("quoting", 1);
    b->egress = service_create("egress", EGRESS_THREADS);
    if (!b->storage || !b->quoting || !b->egress)
        fail("cannot start threads: %s", strerror(errno));
    b->collateral = get_collateral;
    hand_over_init(server.options.data, on_shutdown);
    b->on_hand_over = hand_over_act;
    find_other();
    b->on_ready = on_ready;
    b->on_shutdown = on_shutdown;
}

static void load_enclave(void)
{
    char error[512] = "";
    const struct options *o = &server.options;
    struct enclave_create_options create = {.image_path = o->image,
                                            .ocall = enclave_ocall_dispatch,
                                            .backend = o->backend,
                                            .debug = o->debug,
                                            .no_edmm = o->no_edmm,
                                            .machine_dir = o->machine_dir};
    int result = enclave_create(&create, &server.enclave, error, sizeof error);
    if (result != 0)
        fail("%s%s", strncmp(error, o->image, strlen(o->image)) == 0 ? "--image " : "",
             error[0] ? error : strerror(-result));
    server.loaded_ns = clock_monotonic_ns();
    uint32_t tcs_count = enclave_tcs_count(server.enclave);
    const uint32_t others = 4; /* the clock, two that compile, and one for short calls */
    if (o->workers + others > tcs_count)
        fail("--workers %u: the image has room for %u", o->workers, tcs_count > others ? tcs_count - others : 0);
    options_judge_backend(o, enclave_backend_of(server.enclave));
    bool emulated = enclave_backend_of(server.enclave) == ENCLAVE_BACKEND_EMULATOR;
    server.collateral_source =
        (struct quote_collateral_source){.machine_dir = emulated ? o->machine_dir : NULL, .pccs = o->pccs};
    struct quote_backend **quote = &server.backends.quote;
    if (emulated ? quote_simulation_create(o->machine_dir, emulator_report_key, quote, error, sizeof error) != 0
                 : quote_aesm_create(AESM_SOCKET, AESM_TIMEOUT_MS, quote, error, sizeof error) != 0)
        fail("%s", error);
}

/* Real platforms' collateral comes from their vendor: there is nothing to serve for them. */
static void serve_collateral(void)
{
    struct options *o = &server.options;
    int listener;
    char text[80];
    if (!o->serve_collateral)
        return;
    int result = listen_bind(&o->collateral_listen, 1, &listener);
    listen_describe(&o->collateral_listen, text, sizeof text);
    if (result != 0)
        fail("--collateral-listen %s: cannot listen there: %s", text, strerror(-result));
    server.collateral = collateral_server_start(listener, o->machine_dir);
    if (!server.collateral)
        fail("cannot start threads");
    printf("collateral: http://%s\n", text);
}

static void print_identity(void)
{
    char mrenclave[65];
    bool emulated = enclave_backend_of(server.enclave) == ENCLAVE_BACKEND_EMULATOR;
    printf("backend:   %s\n", emulated ? "emulator" : "sgx");
    if (emulated)
        printf("           the emulator gives no confidentiality: this machine can read everything inside\n");
    hex_text(enclave_mrenclave(server.enclave), 32, mrenclave);
    printf("MRENCLAVE: %s", mrenclave);
    const struct enclave_memory *memory = enclave_memory(server.enclave);
    unsigned long heap_mib = memory->heap_size >> 20, max_mib = memory->heap_max_size >> 20;
    if (memory->edmm)
        printf("\nmemory:    EDMM: heap %lu MiB, growing to %lu; code is made read-only before it runs", heap_mib,
               max_mib);
    else
        printf("\nmemory:    no EDMM: heap %lu MiB, fixed; code made at run time stays writable", heap_mib);
    printf("\nlisten:    %s, %u worker%s\n", server.listen_text, server.options.workers,
           server.options.workers == 1 ? "" : "s");
    fflush(stdout);
}

static void fill_run_args(void)
{
    const struct options *o = &server.options;
    struct run_args *a = &server.args;
    a->version = PROTO_VERSION;
    a->workers = o->workers;
    a->time_page = (uintptr_t)&server.time_page;
    a->cpuid_count = cpuid_table_fill(a->cpuid);
    a->admin_key_size = o->admin_key_size;
    memcpy(a->admin_key, o->admin_key, o->admin_key_size);
    memcpy(a->witnesses, o->witnesses, o->witnesses_size);
    a->witnesses_size = o->witnesses_size;
    a->witness_quorum = o->witness_quorum;
    a->witness_seconds = o->witness_seconds;
    a->witness_commits = o->witness_commits;
    a->upgrade_rule = o->upgrade_rule;
    a->recovery_threshold = o->recovery_threshold;
    a->recovery_count = o->recovery_count;
    a->recover = o->recover;
    a->recover_share_count = o->recover_share_count;
    memcpy(a->recover_shares, o->recover_shares, sizeof a->recover_shares);
    memcpy(a->recovery_keys, o->recovery_keys, sizeof a->recovery_keys);
    snprintf(a->san, sizeof a->san, "%s", o->names);
    snprintf(a->take_over, sizeof a->take_over, "%s", o->take_over ? o->take_over : "");
    a->http_max_header_bytes = o->max_header_bytes;
    a->http_max_headers = o->max_headers;
    a->http_max_body_bytes = o->max_body_bytes;
    a->http_header_timeout_ms = o->header_timeout_ms;
    a->http_idle_timeout_ms = o->idle_timeout_ms;
    a->http_request_timeout_ms = o->request_timeout_ms;
    a->http_min_rate = o->min_rate;
    a->http_rate_grace_ms = o->rate_grace_ms;
    a->drain_timeout_ms = o->drain_timeout_ms;
    a->app_memory_max_mib = o->app_memory_mib;
    a->app_disk_max_mib = o->app_disk_mib;
    a->ratls = o->ratls;
    a->request_client_certificates = o->request_client_certificates;
    a->edmm = enclave_memory(server.enclave)->edmm;
}

static void start(const int *listeners)
{
    char error[512];
    for (uint32_t i = 0; i < server.options.workers; i++) {
        struct io_options io = {.enclave = server.enclave,
                                .worker = i,
                                .workers = server.options.workers,
                                .listener = listeners[i],
                                .local = i == 0 ? server.local : -1,
                                .backends = &server.backends};
        if (io_create(&io, &server.ios[i], error, sizeof error) != 0)
            fail("%s", error);
    }
    for (uint32_t i = 0; i < server.options.workers; i++)
        if (io_start(server.ios[i]) != 0)
            fail("cannot start threads");
    port_share(server.ios, server.options.workers);
    if (clock_start(&server.time_page) != 0)
        fail("cannot start threads");
    struct dispatcher_options dispatcher = {
        .enclave = server.enclave, .args = &server.args, .ios = server.ios, .on_end = on_end};
    if (dispatcher_start(&dispatcher) != 0)
        fail("cannot start threads");
}

/* ---- the main thread's wait -------------------------------------------------------------------------------- */

#define TELL_AGAIN_MS 5
#define GIVER_LOOKS 200 /* of 10 ms */

/* false: the boot thread is not inside yet, so that there is nobody to tell; or others are on every way in. */
static bool tell_enclave_to_stop(void)
{
    int32_t result = 0;
    int error = ecall_shutdown_u(server.enclave, &result, server.options.grace_ms);
    if (error == -EBUSY || (error == 0 && result == -EAGAIN))
        return false;
    if ((error != 0 || result != 0) && !atomic_load(&server.ended))
        fail("the enclave cannot be stopped in good order (%d): exiting", error != 0 ? error : result);
    return true;
}

static void begin_shutdown(void)
{
    fprintf(stderr, "enclave-os: stopping\n");
    port_close();
    for (uint32_t i = 0; i < server.options.workers; i++)
        io_stop_accepting(server.ios[i]);
}

/* On SIGUSR1: connections whose slots are in use, how I/O threads have waited, and how often the enclave was entered
 * and left so far. */
static void print_counters(void)
{
    struct emulator_counters c;
    struct io_waits waits = {0};
    uint32_t channels = 0;
    for (uint32_t i = 0; i < server.options.workers; i++) {
        channels += io_used(server.ios[i]);
        io_add_waits(server.ios[i], &waits);
    }
    printf("spinning: %lu us by I/O threads\n", (unsigned long)(waits.looked_ns / 1000));
    printf("waiting:  naps %lu sleeps %lu by I/O threads\n", (unsigned long)waits.naps, (unsigned long)waits.sleeps);
    printf("channels: %u in use\n", channels);
    fflush(stdout);
    if (enclave_backend_of(server.enclave) != ENCLAVE_BACKEND_EMULATOR)
        return; /* nobody counts on hardware */
    emulator_counters(&c);
    printf("counters: eenter %lu eexit %lu eresume %lu aex %lu syscalls %lu\n", (unsigned long)c.eenter,
           (unsigned long)c.eexit, (unsigned long)c.eresume, (unsigned long)c.aex, (unsigned long)c.syscalls);
    fflush(stdout);
}

/* Who gave the sockets says nothing: it has ended. Nobody takes connections then, unless this one is about to serve:
 * the old one ends as soon as it hears so, and that may be here before this server's own word. */
static void look_at_giver(void)
{
    static const struct timespec pause = {.tv_nsec = 10000000};
    for (int i = 0; i < GIVER_LOOKS && !atomic_load(&server.ready) && !atomic_load(&server.ended); i++)
        nanosleep(&pause, NULL);
    if (!atomic_load(&server.ready) && !atomic_load(&server.ended))
        fail("the server of %s has ended before this one serves: start it again, and then this one as it was started",
             server.options.listen_from);
    server.giver = -1; /* its descriptor stays, with the process */
}

/* Until every thread has left the enclave; a second signal ends the process at once. */
static void wait_for_end(int signals)
{
    bool stopping = false, told = false;
    struct pollfd fds[5] = {{.fd = signals, .events = POLLIN}, {.fd = server.events, .events = POLLIN}};
    fds[2].events = fds[3].events = fds[4].events = POLLIN;
    while (!atomic_load(&server.ended)) {
        port_descriptors(&fds[2].fd, &fds[3].fd);
        fds[4].fd = stopping || atomic_load(&server.ready) ? -1 : server.giver;
        fds[4].revents = 0;
        poll(fds, 5, stopping && !told ? TELL_AGAIN_MS : -1);
        port_look();
        if (fds[4].revents)
            look_at_giver();
        struct signalfd_siginfo info;
        uint64_t value;
        bool signalled = read(signals, &info, sizeof info) == sizeof info;
        if (signalled && info.ssi_signo == SIGUSR1) {
            print_counters();
            continue;
        }
        if (read(server.events, &value, sizeof value) < 0 && errno != EAGAIN)
            fail("eventfd: %s", strerror(errno));
        if (signalled && stopping)
            fail("stopped at once by a second signal");
        if (!stopping && !atomic_load(&server.ended) && (signalled || atomic_load(&server.shutdown_asked))) {
            stopping = true;
            begin_shutdown();
        }
        if (!stopping && !server.open && atomic_load(&server.ready))
            open_port();
        if (stopping && !told)
            told = tell_enclave_to_stop();
    }
}

#define QUOTING_LEFT_MS 1000u /* for a quote that is being made: longer only where the quoting enclave hangs */

/* Who asks ends before who is asked: the enclave may leave with requests in its ring that nobody has read yet. */
static void finish(void)
{
    for (uint32_t i = 0; i < server.options.workers; i++)
        io_finish(server.ios[i]);
    for (uint32_t i = 0; i < server.options.workers; i++)
        io_join(server.ios[i]);
    service_destroy(server.backends.egress);
    bool quoting = !service_leave(server.backends.quoting, QUOTING_LEFT_MS); /* nobody waits for its quotes any more */
    service_destroy(server.backends.storage);
    kvstore_close(server.backends.kv);
    collateral_server_stop(server.collateral);
    if (dispatcher_is_left_computing() || quoting)
        return; /* the rest goes with the process, and with the thread that is still in it */
    for (uint32_t i = 0; i < server.options.workers; i++)
        io_destroy(server.ios[i]);
    clock_stop();
    enclave_destroy(server.enclave);
    if (server.backends.quote)
        quote_destroy(server.backends.quote);
}

/* Those of the server that is taken over from, where it runs; else its own. */
static void open_listeners(int listeners[PROTO_MAX_WORKERS])
{
    struct options *o = &server.options;
    char error[512];
    server.giver =
        o->listen_from ? port_take(o->listen_from, &o->listen, listeners, o->workers, error, sizeof error) : -ENOENT;
    if (server.giver < 0 && server.giver != -ENOENT)
        fail("--listen-from: %s", error);
    int result = server.giver < 0 ? listen_bind(&o->listen, o->workers, listeners) : 0;
    if (result < 0 && o->listen_from)
        fail("--listen-from %s: %s; and --listen %s: cannot listen there: %s", o->listen_from,
             access(o->listen_from, F_OK) == 0 ? "no server that runs has its data there" : strerror(errno),
             o->listen_text, strerror(-result));
    if (result < 0)
        fail("--listen %s: cannot listen there: %s", o->listen_text, strerror(-result));
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread exists: they inherit it */
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* What the enclave asks holders with, for whoever brings it to them. */
static void write_recover_request(void)
{
    static const char name[] = "recover.request";
    static const struct replace_how how = {.mode = 0644};
    char path[4096], why[REPLACE_WHY_SIZE];
    void *request = NULL;
    size_t size = 0;
    int result = kvstore_get(server.backends.kv, (struct kvstore_bytes){name, sizeof name - 1}, &request, &size);
    snprintf(path, sizeof path, "%s/%s", server.options.data, name);
    if (result == -ENOENT) { /* it was stopped, or has nothing to ask: its log says so */
        unlink(path);
        printf("recover:   nothing is asked of the holders of shares\n");
        return;
    }
    if (result != 0)
        fail("the enclave's request for the holders cannot be read: %s", strerror(-result));
    if (replace_file(path, request, size, &how, why) != 0)
        fail("%s: %s", path, why);
    free(request);
    printf("recover:   %s is for the holders of shares: enclavectl recover --request\n", path);
}

static int serve(int argc, char **argv)
{
    int listeners[PROTO_MAX_WORKERS];
    server.start_ns = clock_monotonic_ns();
    options_parse(&server.options, argc, argv);
    int signals = open_signals();
    server.events = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (signals < 0 || server.events < 0)
        fail("%s", strerror(errno));
    raise_file_limit();
    prepare_folder(server.options.data);
    open_listeners(listeners);
    listen_describe(&server.options.listen, server.listen_text, sizeof server.listen_text);
    open_backends(listeners);
    load_enclave();
    fill_run_args();
    serve_collateral();
    print_identity();
    start(listeners);
    wait_for_end(signals);
    int result = atomic_load(&server.end_result);
    if (result != 0)
        fail("the enclave ended: %s", result < 0 ? strerror(-result) : "it said why");
    if (server.options.recover && server.options.recover_share_count == 0)
        write_recover_request();
    finish();
    return 0;
}

int host_main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "serve") == 0)
        return serve(argc - 1, argv + 1);
    bool asked = argc >= 2 && strcmp(argv[1], "--help") == 0;
    if (argc >= 2 && !asked) {
        fprintf(stderr, "enclave-os: unknown command '%s'; there are serve and doctor (see enclave-os --help)\n",
                argv[1]);
        return 2;
    }
    fprintf(asked ? stdout : stderr,
            "usage: enclave-os serve --image FILE --data DIR [options]\n       enclave-os serve --help\n"
            "       enclave-os doctor          can hardware enclaves run here, and if not, what is to be done?\n");
    return asked ? 0 : 2;
}
