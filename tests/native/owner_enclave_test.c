/*
 * The doors of what takes a whole enclave to try: RPC, workers, connections, apps, identity, trust, and the host's
 * listeners. Boot is the product's own (main.c); in worker_run's place the doors are tried, each in a copy of the
 * process, which has the enclave's memory and one thread.
 */
#include "tests/native/doors.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>

#include "enclave/early/channel.h"
#include "enclave/https/transport.h"
#include "enclave/ratls/connection.h"
#include "enclave/ratls/connections.h"
#include "enclave/ratls/internal.h"
#include "enclave/service/app_changes.h"
#include "enclave/service/authority.h"
#include "enclave/service/apps.h"
#include "enclave/service/attest.h"
#include "enclave/history/read.h"
#include "enclave/service/chronicle.h"
#include "enclave/service/deployed.h"
#include "enclave/service/rule.h"
#include "enclave/service/spaces.h"
#include "enclave/service/generations.h"
#include "enclave/service/identity.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/service/trust_change.h"
#include "enclave/wasm/settings.h"
#include "enclave/thread/rpc_client.h"
#include "host/host.h"
#include "host/net/io.h"
#include "host/net/listen.h"

#define ID 4000u /* a channel that the host has not come to */
#define CAPACITY PROTO_RING_MIN

static struct worker *w;
static struct channel_desc desc;
static struct connection *connection;
static struct io *io;
static struct {
    struct ring_shared rings[2];
    _Alignas(4096) uint8_t data[2][CAPACITY];
} shared;

static void on_changed(void *user, int status, json_t *body)
{
    (void)user, (void)status;
    json_decref(body);
}

static void on_opened(void *user, struct transport *t, enum http_call_failure failure, uint8_t alert)
{
    (void)user, (void)t, (void)failure, (void)alert;
}

/* ---- the doors --------------------------------------------------------------------------------------------------- */

static void do_rpc_call(void)
{
    (void)!rpc_call(w->rpc, RPC_TIME, NULL, 0, NULL, NULL);
}

static void do_rpc_news(void)
{
    rpc_client_on_news(w->rpc);
}

static void do_rpc_log(void)
{
    rpc_log(w->rpc, LOG_INFO, "said");
}

static void do_turn(void)
{
    worker_turn(w);
}

static void do_ring(void)
{
    worker_ring_host(w, desc.name);
}

/* A channel that no connection has yet. */
static struct channel_desc another(void)
{
    struct channel_desc other = desc;
    other.name++;
    (void)!(channel_post(&other) == 0 && channel_take(0, CHANNEL_EGRESS, other.name, &other));
    return other;
}

static void do_accept_client(void)
{
    struct channel_desc other = another();
    connection_accept(connections_of(w), &other);
}

static void do_posted(void)
{
    w->handlers->news(w, channel_name_make(ID + 2, 1));
}

static void do_worked(void)
{
    w->handlers->worked(w);
}

static void do_drained(void)
{
    (void)w->handlers->drained(w);
}

static void do_connect(void)
{
    struct channel_desc other = another();
    connection_connect(w, &other, SSL_new(SSL_CTX_new(TLS_client_method())), on_opened, NULL);
}

static void do_refuse(void)
{
    struct channel_desc other = another();
    connection_refuse(w, &other);
}

static void do_news(void)
{
    connection_on_news(connection, desc.name);
}

static void do_transport(void)
{
    connection->phase = SERVING;
    connection->in_use = true;
    connection->transport.ops->flush(&connection->transport);
}

static void do_cancel(void)
{
    connection_cancel(connection);
}

static void do_drain_one(void)
{
    connection_drain(connection);
}

static void do_cut(void)
{
    connection_cut(connection);
}

static void do_close_idle(void)
{
    w->handlers->drain(w);
}

static void do_abort(void)
{
    w->handlers->abort(w);
}

static void do_apps_load(void)
{
    char error[256];
    apps_load(NULL, error, sizeof error);
}

static void do_apps_stop(void)
{
    change_stop();
}

static struct change_asker asker(void)
{
    static const struct authors authors = {.count = 1};
    return (struct change_asker){.worker = w, .done = on_changed, .authors = &authors};
}

static void do_push(void)
{
    const struct change_asker by = asker();
    const struct app_push push = {.name = "x", .wasm = charged_alloc(NULL, 1)};
    (void)!app_push(&by, &push);
}

static void do_remove(void)
{
    const struct change_asker by = asker();
    (void)!app_remove(&by, "x");
}

static void do_set(void)
{
    const struct change_asker by = asker();
    char error[256];
    (void)!app_set(&by, "x", "{}", 2, error, sizeof error);
}

static void do_identity_open(void)
{
    char error[256];
    identity_open(0, error, sizeof error);
}

static void on_attested(void *user, int error, SSL_CTX *tls)
{
}

static void do_attest(void)
{
    const struct history_head head = {0};
    (void)!attest(generations_current(), &head, on_attested, NULL);
}

static void do_generations_next(void)
{
    (void)!generations_next();
}

static void do_generations_installed(void)
{
    (void)!generations_installed();
}

static void do_trust(void)
{
    const struct change_asker by = asker();
    char error[256];
    (void)!egress_trust_set(&by, NULL, 0, error, sizeof error);
}

static void do_first(void)
{
    (void)deployed_first();
}

static void do_find(void)
{
    (void)deployed_find("x");
}

static void do_put(void)
{
    static const uint8_t id[RULE_ID_SIZE], salt[SETTINGS_SALT_SIZE];
    char why[64];
    struct deployed *d = deployed_new("x");
    deployed_found(d, rule_operator(id));
    d->settings = app_settings_parse("{}", 2, salt, why, sizeof why);
    d->size = 1;
    deployed_put(d);
}

static void do_deployed_remove(void)
{
    deployed_remove("x");
}

static void do_load(void)
{
    deployed_load();
}

static void do_text(void)
{
    free(deployed_text("x", NULL));
}

static void do_spaces_remove(void)
{
    spaces_remove("x");
}

static void do_spaces_resume(void)
{
    spaces_resume();
}

static void do_chronicle_open(void)
{
    char error[256];
    chronicle_open(error, sizeof error);
}

static void on_turn(struct history_turn *turn)
{
}

static void do_turn_take(void)
{
    static struct history_turn turn;
    history_turn_take(enclave_system.history, &turn, on_turn);
}

static void on_appended(void *user, int error, const struct history_head *head)
{
}

static void do_append(void)
{
    const struct history_entry entry = {.kind = "state"};
    (void)!history_append(enclave_system.history, &entry, on_appended, NULL);
}

static void do_watch(void)
{
    history_watch(enclave_system.history, NULL, NULL);
}

static void do_cosigned(void)
{
    history_cosigned(enclave_system.history, 0, "", 0);
}

static void on_proof(void *user, int error, const uint8_t (*proof)[32], size_t count)
{
}

static void do_consistency(void)
{
    (void)!history_consistency(enclave_system.history, 1, 1, on_proof, NULL);
}

static void on_known(void *user, int error)
{
}

static void do_knows(void)
{
    const struct history_head head = {0};
    (void)!history_knows(enclave_system.history, &head, on_known, NULL);
}

static void on_read(void *user, int error, uint8_t *data, size_t size)
{
}

static void do_read(void)
{
    const struct history_part part = {.width = 1};
    (void)!history_read(w, enclave_system.history, &part, on_read, NULL);
}

static void do_accept(void)
{
    io_accept(io);
}

static void do_stop(void)
{
    io_stop_accepting(io);
}

static void do_finish(void)
{
    io_finish(io);
}

static const struct door doors[] = {
    {"rpc_call", do_rpc_call, OWN},
    {"rpc_client_on_news", do_rpc_news, OWN},
    {"rpc_log", do_rpc_log, OWN},
    {"worker_turn", do_turn, OWN},
    {"worker_ring_host", do_ring, OWN},
    {"a worker's news", do_posted, OWN},
    {"a worker's turn that worked", do_worked, OWN},
    {"whether a worker has drained", do_drained, OWN},
    {"connection_accept", do_accept_client, OWN},
    {"connection_connect", do_connect, OWN},
    {"connection_refuse", do_refuse, OWN},
    {"connection_on_news", do_news, OWN},
    {"a connection's transport", do_transport, OWN},
    {"connection_cancel", do_cancel, OWN},
    {"connection_drain", do_drain_one, OWN},
    {"connection_cut", do_cut, OWN},
    {"a worker's connections that drain", do_close_idle, OWN},
    {"a worker's connections that are cut", do_abort, OWN},
    {"apps_load", do_apps_load, OWN},
    {"change_stop", do_apps_stop, OWN},
    {"app_push", do_push, OWN},
    {"app_remove", do_remove, OWN},
    {"app_set", do_set, OWN},
    {"identity_open", do_identity_open, WAITS},
    {"attest", do_attest, OWN},
    {"generations_next", do_generations_next, OWN},
    {"generations_installed", do_generations_installed, OWN},
    {"egress_trust_set", do_trust, OWN},
    {"deployed_first", do_first, OWN},
    {"deployed_find", do_find, OWN},
    {"deployed_put", do_put, OWN},
    {"deployed_remove", do_deployed_remove, OWN},
    {"deployed_load", do_load, OWN},
    {"deployed_text", do_text, OWN},
    {"spaces_remove", do_spaces_remove, OWN},
    {"spaces_resume", do_spaces_resume, OWN},
    {"chronicle_open", do_chronicle_open, WAITS},
    {"history_turn_take", do_turn_take, OWN},
    {"history_append", do_append, OWN},
    {"history_watch", do_watch, OWN},
    {"history_cosigned", do_cosigned, OWN},
    {"history_consistency", do_consistency, OWN},
    {"history_knows", do_knows, OWN},
    {"history_read", do_read, OWN},
    {"io_accept", do_accept, OWN},
    {"io_stop_accepting", do_stop, OWN},
    {"io_finish", do_finish, OWN},
};

/* ---- around them ------------------------------------------------------------------------------------------------- */

/* An outgoing connection that waits, and listeners of a worker that the host has not. */
static void prepare(void)
{
    static struct control_backends nothing;
    char error[256];
    desc = (struct channel_desc){.kind = CHANNEL_EGRESS,
                                 .name = channel_name_make(ID, 1),
                                 .to_enclave = (uintptr_t)&shared.rings[0],
                                 .to_enclave_data = (uintptr_t)shared.data[0],
                                 .to_enclave_capacity = CAPACITY,
                                 .to_host = (uintptr_t)&shared.rings[1],
                                 .to_host_data = (uintptr_t)shared.data[1],
                                 .to_host_capacity = CAPACITY};
    if (channel_post(&desc) != 0 || !channel_take(0, CHANNEL_EGRESS, desc.name, &desc) ||
        !(connection = connection_connect(w, &desc, SSL_new(SSL_CTX_new(TLS_client_method())), on_opened, NULL)))
        _exit(3);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    struct io_options options = {
        .worker = 7, .first_channel = PROTO_MAX_CHANNELS - 8, .channels = 8, .backends = &nothing};
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    if (listen_bind(&address, 1, &options.listener) != 0 || io_create(&options, &io, error, sizeof error) != 0)
        _exit(4);
}

void doors_run(struct worker *worker); /* in worker_run's place */

void doors_run(struct worker *worker)
{
    w = worker;
    int failures = doors_try(doors, sizeof doors / sizeof *doors, prepare);
    fflush(stdout);
    _exit(failures > 0);
}

/* The server, in a folder of its own. */
int main(int argc, char **argv)
{
    char folder[] = "/tmp/owner_test_XXXXXX", data[64], sim[64], command[80];
    pid_t child = mkdtemp(folder) ? fork() : -1;
    int status = -1;
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(sim, sizeof sim, "%s/sim", folder);
    char *arguments[] = {"owner_test", "serve",     "--image", "/dev/null", "--listen", "127.0.0.1:0", "--data",
                         data,         "--sim-dir", sim,       "--workers", "1",        NULL};
    if (child == 0)
        _exit(host_main((int)(sizeof arguments / sizeof *arguments) - 1, arguments));
    waitpid(child, &status, 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || status != 0;
}
