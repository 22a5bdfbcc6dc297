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
#include "common/hex.h"
#include "edl/enclave_os_u.h"
#include "host/thread/clock.h"
#include "host/cpuid_table.h"
#include "host/dispatcher.h"
#include "host/host.h"
#include "host/net/collateral.h"
#include "host/net/listen.h"
#include "host/options.h"
#include "sgx/emulator/emulator.h"
#include "sgx/quote/aesm.h"

#define EGRESS_THREADS 32 /* each may wait for a name server or a silent address; asleep they cost nothing */

static struct {
    struct options options;
    struct enclave *enclave;
    struct io *ios[PROTO_MAX_WORKERS];
    struct control_backends backends;
    struct collateral_server *collateral;
    struct run_args args;
    _Alignas(64) struct time_page time_page;
    int events;                 /* eventfd: the main thread has something to look at */
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
    ssize_t ignored = write(server.events, &one, sizeof(one));
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
    snprintf(server.phases, sizeof(server.phases), "%s", phases);
    atomic_store(&server.ready, true);
    tell_main();
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

static void open_backends(void)
{
    char error[512];
    struct control_backends *b = &server.backends;
    if (kvstore_open(server.options.data, &b->kv, error, sizeof(error)) != 0)
        fail("%s", error);
    b->storage = service_create("storage", 1);
    b->quoting = service_create("quoting", 1);
    b->egress = service_create("egress", EGRESS_THREADS);
    if (!b->storage || !b->quoting || !b->egress)
        fail("cannot start threads: %s", strerror(errno));
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
    int result = enclave_create(&create, &server.enclave, error, sizeof(error));
    if (result != 0)
        fail("%s%s", strncmp(error, o->image, strlen(o->image)) == 0 ? "--image " : "",
             error[0] ? error : strerror(-result));
    server.loaded_ns = clock_monotonic_ns();
    uint32_t tcs_count = enclave_tcs_count(server.enclave);
    if (o->workers + 3 > tcs_count) /* the clock, the compiler, and one for short calls */
        fail("--workers %u: the image has room for %u", o->workers, tcs_count > 3 ? tcs_count - 3 : 0);
    options_judge_backend(o, enclave_backend_of(server.enclave));
    bool emulated = enclave_backend_of(server.enclave) == ENCLAVE_BACKEND_EMULATOR;
    struct quote_backend **quote = &server.backends.quote;
    if (emulated ? quote_simulation_create(o->machine_dir, emulator_report_key, quote, error, sizeof(error)) != 0
                 : quote_aesm_create(AESM_SOCKET, AESM_TIMEOUT_MS, quote, error, sizeof(error)) != 0)
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
    listen_describe(&o->collateral_listen, text, sizeof(text));
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
    snprintf(a->san, sizeof(a->san), "%s", o->names);
    a->http_max_header_bytes = o->max_header_bytes;
    a->http_max_headers = o->max_headers;
    a->http_max_body_bytes = o->max_body_bytes;
    a->http_header_timeout_ms = o->header_timeout_ms;
    a->http_idle_timeout_ms = o->idle_timeout_ms;
    a->http_request_timeout_ms = o->request_timeout_ms;
    a->http_min_rate = o->min_rate;
    a->http_rate_grace_ms = o->rate_grace_ms;
    a->app_memory_max_mib = o->app_memory_mib;
    a->app_disk_max_mib = o->app_disk_mib;
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
                                .backends = &server.backends};
        if (io_create(&io, &server.ios[i], error, sizeof(error)) != 0)
            fail("%s", error);
    }
    for (uint32_t i = 0; i < server.options.workers; i++)
        if (io_start(server.ios[i]) != 0)
            fail("cannot start threads");
    if (clock_start(&server.time_page) != 0)
        fail("cannot start threads");
    struct dispatcher_options dispatcher = {
        .enclave = server.enclave, .args = &server.args, .ios = server.ios, .on_end = on_end};
    if (dispatcher_start(&dispatcher) != 0)
        fail("cannot start threads");
}

/* ---- the main thread's wait -------------------------------------------------------------------------------- */

#define TELL_AGAIN_MS 5

/* false: the boot thread is not inside yet, so that there is nobody to tell. */
static bool tell_enclave_to_stop(void)
{
    int32_t result = 0;
    int error = ecall_shutdown_u(server.enclave, &result, server.options.grace_ms);
    if (error == 0 && result == -EAGAIN)
        return false;
    if ((error != 0 || result != 0) && !atomic_load(&server.ended))
        fail("the enclave cannot be stopped in good order (%d): exiting", error != 0 ? error : result);
    return true;
}

static void begin_shutdown(void)
{
    fprintf(stderr, "enclave-os: stopping\n");
    for (uint32_t i = 0; i < server.options.workers; i++)
        io_stop_accepting(server.ios[i]);
}

/* On SIGUSR1: connections whose slots are in use, and how often the enclave was entered and left so far. */
static void print_counters(void)
{
    struct emulator_counters c;
    uint32_t channels = 0;
    for (uint32_t i = 0; i < server.options.workers; i++)
        channels += io_used(server.ios[i]);
    printf("channels: %u in use\n", channels);
    fflush(stdout);
    if (enclave_backend_of(server.enclave) != ENCLAVE_BACKEND_EMULATOR)
        return; /* nobody counts on hardware */
    emulator_counters(&c);
    printf("counters: eenter %lu eexit %lu eresume %lu aex %lu syscalls %lu\n", (unsigned long)c.eenter,
           (unsigned long)c.eexit, (unsigned long)c.eresume, (unsigned long)c.aex, (unsigned long)c.syscalls);
    fflush(stdout);
}

/* Until every thread has left the enclave; a second signal ends the process at once. */
static void wait_for_end(int signals)
{
    bool stopping = false, told = false;
    struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = server.events, .events = POLLIN}};
    while (!atomic_load(&server.ended)) {
        poll(fds, 2, stopping && !told ? TELL_AGAIN_MS : -1);
        struct signalfd_siginfo info;
        uint64_t value;
        bool signalled = read(signals, &info, sizeof(info)) == sizeof(info);
        if (signalled && info.ssi_signo == SIGUSR1) {
            print_counters();
            continue;
        }
        if (read(server.events, &value, sizeof(value)) < 0 && errno != EAGAIN)
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

static void finish(void)
{
    for (uint32_t i = 0; i < server.options.workers; i++)
        io_finish(server.ios[i]);
    service_destroy(server.backends.egress);
    service_destroy(server.backends.quoting);
    service_destroy(server.backends.storage);
    for (uint32_t i = 0; i < server.options.workers; i++)
        io_join(server.ios[i]);
    kvstore_close(server.backends.kv);
    collateral_server_stop(server.collateral);
    if (dispatcher_is_left_computing())
        return; /* the rest goes with the process, and with the thread that is still in it */
    for (uint32_t i = 0; i < server.options.workers; i++)
        io_destroy(server.ios[i]);
    clock_stop();
    enclave_destroy(server.enclave);
    if (server.backends.quote)
        quote_destroy(server.backends.quote);
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
    int result = listen_bind(&server.options.listen, server.options.workers, listeners);
    if (result != 0)
        fail("--listen %s: cannot listen there: %s", server.options.listen_text, strerror(-result));
    listen_describe(&server.options.listen, server.listen_text, sizeof(server.listen_text));
    open_backends();
    load_enclave();
    fill_run_args();
    serve_collateral();
    print_identity();
    start(listeners);
    wait_for_end(signals);
    result = atomic_load(&server.end_result);
    if (result != 0)
        fail("the enclave ended: %s", result < 0 ? strerror(-result) : "it said why");
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
