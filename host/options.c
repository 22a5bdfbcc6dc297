/*
 * Reading the command line. See options.h.
 */
#include "host/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LISTEN "0.0.0.0:8443"
#define DEFAULT_MACHINE_DIR "/var/lib/enclave-os-sim"
#define DEFAULT_GRACE_MS 10000u

static const char usage[] =
    "usage: enclave-os serve --image FILE --data DIR [options]\n"
    "  --image FILE             signed enclave image\n"
    "  --data DIR               folder of the key-value store; made if missing\n"
    "  --listen ADDR:PORT       default " DEFAULT_LISTEN "; [ADDR]:PORT for IPv6\n"
    "  --backend auto|sgx|emulator  default auto: hardware where there is any\n"
    "  --workers N              threads that serve connections, 1 to 8; default: half the CPUs, at least 1\n"
    "  --admin-key FILE.pub     who may deploy apps (P-256, PEM); counts at the first boot only\n"
    "  --san NAMES              names and IP addresses for the certificate, separated by commas\n"
    "  --collateral-listen ADDR:PORT  emulator: serve the simulation's collateral there, over HTTP as a PCCS does\n"
    "  --sim-dir DIR            the emulated machine's secrets; default $ENCLAVE_OS_SIM_DIR or " DEFAULT_MACHINE_DIR
    "\n"
    "  --debug                  hardware: run with ATTRIBUTES.DEBUG\n"
    "  --no-edmm                leave the enclave's pages as they were loaded, as on SGX1\n"
    "  --grace MS               time to finish requests at shutdown; default 10000\n"
    "  --max-header-bytes N, --max-headers N, --max-body-bytes N\n"
    "  --header-timeout MS, --idle-timeout MS, --request-timeout MS\n"
    "  --app-memory MIB         linear memory of one app instance\n"
    "  --verbose                also print debug messages\n";

_Noreturn void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("enclave-os: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

static _Noreturn void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static _Noreturn void wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("enclave-os: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs(" (see enclave-os serve --help)\n", stderr);
    va_end(arguments);
    exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || *end || end == text || text[0] == '-' || v < least || v > most)
        wrong("--%s %s: expected a number from %llu to %llu", option, text, (unsigned long long)least,
              (unsigned long long)most);
    return v;
}

static void set_v4(struct sockaddr_in6 *to, const struct in_addr *address)
{
    memset(&to->sin6_addr, 0, 10);
    memset(to->sin6_addr.s6_addr + 10, 0xff, 2);
    memcpy(to->sin6_addr.s6_addr + 12, address, 4);
}

static void parse_address(const char *option, const char *text, struct sockaddr_in6 *out)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t size = colon ? (size_t)(colon - text) : 0;
    if (!colon || size >= sizeof(host))
        wrong("--%s %s: expected ADDR:PORT", option, text);
    bool bracketed = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    snprintf(host, sizeof(host), "%.*s", (int)(bracketed ? size - 2 : size), bracketed ? text + 1 : text);
    *out = (struct sockaddr_in6){.sin6_family = AF_INET6};
    out->sin6_port = htons((uint16_t)number(option, colon + 1, 0, 65535));
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1)
        set_v4(out, &v4);
    else if (!bracketed || inet_pton(AF_INET6, host, &out->sin6_addr) != 1)
        wrong("--%s %s: '%s' is not an IP address", option, text, host);
}

static void parse_listen(struct options *o, const char *text)
{
    parse_address("listen", text, &o->listen);
    snprintf(o->listen_text, sizeof(o->listen_text), "%s", text);
}

static void read_admin_key(struct options *o, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail("admin key %s: %s", path, strerror(errno));
    EVP_PKEY *key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
    fclose(file);
    char group[32] = "";
    if (!key || !EVP_PKEY_is_a(key, "EC") || !EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) ||
        strcmp(group, "prime256v1") != 0)
        fail("admin key %s: not a P-256 public key in PEM", path);
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    if (size <= 0 || (size_t)size > sizeof(o->admin_key))
        fail("admin key %s: cannot be encoded", path);
    memcpy(o->admin_key, der, (size_t)size);
    o->admin_key_size = (uint32_t)size;
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

static enum enclave_backend parse_backend(const char *text)
{
    if (strcmp(text, "auto") == 0)
        return ENCLAVE_BACKEND_AUTO;
    if (strcmp(text, "sgx") == 0)
        return ENCLAVE_BACKEND_SGX;
    if (strcmp(text, "emulator") == 0)
        return ENCLAVE_BACKEND_EMULATOR;
    wrong("--backend %s: expected auto, sgx or emulator", text);
}

enum option_id {
    IMAGE = 1,
    DATA,
    LISTEN,
    BACKEND,
    WORKERS,
    ADMIN_KEY,
    SAN,
    SIM_DIR,
    COLLATERAL_LISTEN,
    DEBUG,
    NO_EDMM,
    GRACE,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_BODY_BYTES,
    HEADER_TIMEOUT,
    IDLE_TIMEOUT,
    REQUEST_TIMEOUT,
    APP_MEMORY,
    VERBOSE,
    HELP
};

static const struct option table[] = {
    {"image", 1, 0, IMAGE},
    {"data", 1, 0, DATA},
    {"listen", 1, 0, LISTEN},
    {"backend", 1, 0, BACKEND},
    {"workers", 1, 0, WORKERS},
    {"admin-key", 1, 0, ADMIN_KEY},
    {"san", 1, 0, SAN},
    {"sim-dir", 1, 0, SIM_DIR},
    {"collateral-listen", 1, 0, COLLATERAL_LISTEN},
    {"debug", 0, 0, DEBUG},
    {"no-edmm", 0, 0, NO_EDMM},
    {"grace", 1, 0, GRACE},
    {"max-header-bytes", 1, 0, MAX_HEADER_BYTES},
    {"max-headers", 1, 0, MAX_HEADERS},
    {"max-body-bytes", 1, 0, MAX_BODY_BYTES},
    {"header-timeout", 1, 0, HEADER_TIMEOUT},
    {"idle-timeout", 1, 0, IDLE_TIMEOUT},
    {"request-timeout", 1, 0, REQUEST_TIMEOUT},
    {"app-memory", 1, 0, APP_MEMORY},
    {"verbose", 0, 0, VERBOSE},
    {"help", 0, 0, HELP},
    {0, 0, 0, 0},
};

static void set_limit(struct options *o, int id, const char *name, const char *text)
{
    uint64_t v = number(name, text, 1, id == MAX_BODY_BYTES ? UINT64_MAX / 2 : UINT32_MAX);
    switch (id) {
    case MAX_BODY_BYTES:
        o->max_body_bytes = v;
        break;
    case MAX_HEADER_BYTES:
        o->max_header_bytes = (uint32_t)v;
        break;
    case MAX_HEADERS:
        o->max_headers = (uint32_t)v;
        break;
    case HEADER_TIMEOUT:
        o->header_timeout_ms = (uint32_t)v;
        break;
    case IDLE_TIMEOUT:
        o->idle_timeout_ms = (uint32_t)v;
        break;
    case REQUEST_TIMEOUT:
        o->request_timeout_ms = (uint32_t)v;
        break;
    default:
        o->app_memory_mib = (uint32_t)v;
        break;
    }
}

static void set_option(struct options *o, int id, const char *name, const char *text)
{
    switch (id) {
    case IMAGE:
        o->image = text;
        break;
    case DATA:
        o->data = text;
        break;
    case LISTEN:
        parse_listen(o, text);
        break;
    case BACKEND:
        o->backend = parse_backend(text);
        break;
    case WORKERS:
        o->workers = (uint32_t)number(name, text, 1, PROTO_MAX_WORKERS);
        break;
    case ADMIN_KEY:
        read_admin_key(o, text);
        break;
    case SAN:
        if (strlen(text) >= PROTO_SAN_MAX)
            wrong("--san: more than %u characters", PROTO_SAN_MAX - 1);
        o->san = text;
        break;
    case SIM_DIR:
        o->machine_dir = text;
        break;
    case COLLATERAL_LISTEN:
        parse_address(name, text, &o->collateral_listen);
        o->serve_collateral = true;
        break;
    case DEBUG:
        o->debug = true;
        break;
    case NO_EDMM:
        o->no_edmm = true;
        break;
    case VERBOSE:
        o->verbose = true;
        break;
    case GRACE:
        o->grace_ms = (uint32_t)number(name, text, 0, 3600000);
        break;
    default:
        set_limit(o, id, name, text);
        break;
    }
}

static void set_defaults(struct options *o)
{
    const char *machine_dir = getenv("ENCLAVE_OS_SIM_DIR");
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    *o = (struct options){.backend = ENCLAVE_BACKEND_AUTO, .grace_ms = DEFAULT_GRACE_MS};
    o->machine_dir = machine_dir && *machine_dir ? machine_dir : DEFAULT_MACHINE_DIR;
    /* Each worker has an I/O thread beside it, which is about as busy under load (docs/benchmarks.md). */
    o->workers = cpus < 4 ? 1 : cpus > 2 * PROTO_MAX_WORKERS ? PROTO_MAX_WORKERS : (uint32_t)cpus / 2;
    parse_listen(o, DEFAULT_LISTEN);
}

void options_parse(struct options *o, int argc, char **argv)
{
    set_defaults(o);
    opterr = 0;
    optind = 1;
    int id, index = 0;
    while ((id = getopt_long(argc, argv, ":", table, &index)) != -1) {
        if (id == HELP) {
            fputs(usage, stdout);
            exit(0);
        }
        if (id == ':')
            wrong("%s needs a value", argv[optind - 1]);
        if (id == '?')
            wrong("unknown option %s", argv[optind - 1]);
        set_option(o, id, table[index].name, optarg);
    }
    if (optind < argc)
        wrong("unexpected argument '%s'", argv[optind]);
    if (!o->image)
        wrong("--image is missing");
    if (!o->data)
        wrong("--data is missing");
}
