/*
 * Reading the command line. See options.h.
 */
#include "host/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arguments.h"
#include "common/pem.h"
#include "common/recovery_share.h"
#include "common/witness_option.h"
#include "host/net/quote_collateral.h"
#include "host/san.h"
#include "host/witnesses.h"

#define DEFAULT_LISTEN "0.0.0.0:8443"
#define DEFAULT_MACHINE_DIR "/var/lib/enclave-os-sim"
#define DEFAULT_GRACE_MS 10000u
#define ADMIN_KEY_FILE_MAX 65536

static const char usage[] =
    "usage: enclave-os serve --image FILE --data DIR [options]\n"
    "  --image FILE             signed enclave image\n"
    "  --data DIR               folder of the key-value store; made if missing\n"
    "  --listen ADDR:PORT       default " DEFAULT_LISTEN "; [ADDR]:PORT for IPv6\n"
    "  --backend auto|sgx|emulator  default auto: hardware where there is any\n"
    "  --workers N              threads that serve connections, 1 to 8; two or more have one beside them that keeps "
    "what\n"
    "                           apps store; default: half the CPUs, at least 1\n"
    "  --admin-key FILE.pub     the first admin (P-256, PEM); counts at the first boot only: without it there, nobody\n"
    "                           ever may deploy\n"
    "  --upgrade-rule RULE      which other images may ever have this data: none, measurements (those that admins "
    "will\n"
    "                           name; the default) or signer (this one's, of no lower SVN); counts at the first boot,\n"
    "                           and another is refused at later ones\n"
    "  --recovery-key FILE.pub  who holds a share of what recovers this data where no enclave can open it (X25519, "
    "PEM:\n"
    "                           enclavectl keygen --recovery); repeatable, up to 16; counts at the first boot, and\n"
    "                           others are refused at later ones\n"
    "  --recovery-threshold K   so many of the shares recover it\n"
    "  --recover                the data is another image's or another machine's: write recover.request into --data,\n"
    "                           for its holders, and end; with their shares, open it and serve\n"
    "  --recover-share FILE     a holder's, by enclavectl recover; repeatable\n"
    "  --witness NAME=URL,VKEY  cosigns what is kept in the history (C2SP tlog-witness), so that nothing of it is "
    "taken\n"
    "                           back; repeatable; counts at the first boot, and others are refused at later ones\n"
    "  --witness-quorum K       so many of the witnesses must cosign; default: all of them\n"
    "  --witness-seconds T      what is older and not cosigned is served no more; default 60\n"
    "  --witness-commits N      apps' commits wait when so many are not cosigned; default 1000\n"
    "  --take-over URL          begin with the instance of the enclave there (https), which then serves no more; "
    "counts\n"
    "                           while --data is empty, and until the other one knows that it is over\n"
    "  --listen-from DIR        the --data of that server, where it runs on this machine: this one has its listening\n"
    "                           sockets, so that no connection is refused, and reaches it that way\n"
    "  --san NAMES              names and IP addresses for the certificate, separated by commas, beside localhost,\n"
    "                           127.0.0.1, ::1 and the address of --listen\n"
    "  --no-localhost           leave localhost, 127.0.0.1 and ::1 out of the certificate\n"
    "  --ratls v1|v2            v1: the certificate has the quotes; v2: it has none, and a client asks for one behind "
    "the\n"
    "                           handshake; default v1\n"
    "  --request-client-certificates  ask every client for an RA-TLS certificate, without requiring one; default: "
    "only\n"
    "                           while an app's settings have \"peers\": \"request\"\n"
    "  --collateral-listen ADDR:PORT  emulator: serve the simulation's collateral there, over HTTP as a PCCS does\n"
    "  --pccs URL               hardware: where collateral for the enclave's own quotes comes from, a PCCS or Intel's "
    "PCS\n"
    "  --sim-dir DIR            the emulated machine's secrets; default $ENCLAVE_OS_SIM_DIR or " DEFAULT_MACHINE_DIR
    "\n"
    "  --debug                  hardware: run with ATTRIBUTES.DEBUG\n"
    "  --no-edmm                leave the enclave's pages as they were loaded, as on SGX1\n"
    "  --grace MS               time to finish requests at shutdown; default 10000\n"
    "  --drain-timeout MS       what the configuration before still answers, when it changes, is cut then; default "
    "60000\n"
    "  --max-header-bytes N     of a request's line and fields; default 65536\n"
    "  --max-headers N          fields of a request; default 100\n"
    "  --max-body-bytes N       of a request to an app; default 1 TiB\n"
    "  --header-timeout MS      from a request's first byte to the end of its head; default 30000\n"
    "  --idle-timeout MS        between two requests; default 75000\n"
    "  --request-timeout MS     of an app's answer; default 30000\n"
    "  --min-rate BYTES         a client that is waited for must send or take so many a second; default 240, 0: any\n"
    "  --rate-grace MS          how far it may fall behind; default 20000\n"
    "  --app-memory MIB         linear memory of one request's instance; default 256\n"
    "  --app-disk MIB           what one app may keep on disk; default 8192\n";

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
    uint64_t v;
    if (!arguments_number(text, least, most, &v))
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
    if (strstr(text, "://"))
        wrong("--%s %s: it is a URL; expected ADDR:PORT", option, text);
    if (!colon || size >= sizeof host)
        wrong("--%s %s: expected ADDR:PORT", option, text);
    bool bracketed = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? size - 2 : size), bracketed ? text + 1 : text);
    uint64_t port;
    if (!arguments_number(colon + 1, 0, 65535, &port))
        wrong("--%s %s: expected a number from 0 to 65535 for the port of ADDR:PORT", option, text);
    *out = (struct sockaddr_in6){.sin6_family = AF_INET6};
    out->sin6_port = htons((uint16_t)port);
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1)
        set_v4(out, &v4);
    else if (!bracketed || inet_pton(AF_INET6, host, &out->sin6_addr) != 1)
        wrong("--%s %s: '%s' is not an IP address; expected ADDR:PORT or [IPv6 ADDR]:PORT", option, text, host);
}

static void parse_listen(struct options *o, const char *text)
{
    parse_address("listen", text, &o->listen);
    snprintf(o->listen_text, sizeof o->listen_text, "%s", text);
}

/* What is no regular file could be a folder, or have no end. */
static void need_file(const char *option, const char *path, off_t most)
{
    struct stat st;
    if (stat(path, &st) != 0 || access(path, R_OK) != 0)
        wrong("--%s %s: %s", option, path, strerror(errno));
    if (most > 0 ? !S_ISREG(st.st_mode) : S_ISDIR(st.st_mode))
        wrong("--%s %s: not a file%s", option, path, S_ISDIR(st.st_mode) ? ", but a folder" : "");
    if (S_ISREG(st.st_mode) && st.st_size == 0)
        wrong("--%s %s: it is empty", option, path);
    if (most > 0 && st.st_size > most)
        wrong("--%s %s: more than %lld bytes", option, path, (long long)most);
}

/* One that is made if it is missing. */
static void need_folder(const char *option, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        wrong("--%s %s: not a folder", option, path);
}

static EVP_PKEY *read_public_key(const char *option, const char *kind, const char *path)
{
    static char pem[ADMIN_KEY_FILE_MAX + 1];
    char why[PEM_WHY_SIZE];
    FILE *file = fopen(path, "r");
    if (!file)
        wrong("--%s %s: %s", option, path, strerror(errno));
    size_t size = fread(pem, 1, sizeof pem - 1, file);
    fclose(file);
    if (memmem(pem, size, "PRIVATE KEY-----", 16))
        wrong("--%s %s: this is the secret half, or has it in it; the server takes the public one, FILE.pub", option,
              path);
    long blocks = pem_judge(pem, size, PEM_STRING_PUBLIC, why);
    if (blocks != 1)
        wrong("--%s %s: not %s public key in PEM: %s", option, path, kind,
              blocks < 0    ? why
              : size == 0   ? "it is empty"
              : blocks == 0 ? "there is no PUBLIC KEY in it"
                            : "there is more than one PUBLIC KEY in it");
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return key;
}

static void read_admin_key(struct options *o, const char *path)
{
    need_file("admin-key", path, ADMIN_KEY_FILE_MAX);
    EVP_PKEY *key = read_public_key("admin-key", "a P-256", path);
    char group[32] = "";
    if (!key || !EVP_PKEY_is_a(key, "EC") || !EVP_PKEY_get_group_name(key, group, sizeof group, NULL) ||
        strcmp(group, "prime256v1") != 0)
        wrong("--admin-key %s: not a P-256 public key in PEM", path);
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    if (size <= 0 || (size_t)size > sizeof o->admin_key)
        wrong("--admin-key %s: cannot be encoded", path);
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

static void read_ratls(struct options *o, const char *text)
{
    if (strcmp(text, "v1") != 0 && strcmp(text, "v2") != 0)
        wrong("--ratls %s: expected v1 or v2", text);
    o->ratls = (unsigned)(text[1] - '0');
}

static uint32_t parse_upgrade_rule(const char *text)
{
    static const char *const names[] = {[PROTO_UPGRADE_NONE] = "none",
                                        [PROTO_UPGRADE_MEASUREMENTS] = "measurements",
                                        [PROTO_UPGRADE_SIGNER] = "signer"};
    for (uint32_t i = PROTO_UPGRADE_NONE; i <= PROTO_UPGRADE_SIGNER; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    wrong("--upgrade-rule %s: expected none, measurements or signer", text);
}

static void add_recovery_key(struct options *o, const char *path)
{
    need_file("recovery-key", path, ADMIN_KEY_FILE_MAX);
    if (o->recovery_count == PROTO_RECOVERY_KEYS_MAX)
        wrong("--recovery-key %s: there are more than %u", path, PROTO_RECOVERY_KEYS_MAX);
    EVP_PKEY *key = read_public_key("recovery-key", "an X25519", path);
    uint8_t *raw = o->recovery_keys[o->recovery_count];
    size_t size = sizeof *o->recovery_keys;
    if (!key || !EVP_PKEY_is_a(key, "X25519") || EVP_PKEY_get_raw_public_key(key, raw, &size) != 1)
        wrong("--recovery-key %s: not an X25519 public key in PEM (enclavectl keygen --recovery)", path);
    EVP_PKEY_free(key);
    if (!recovery_is_holder(raw))
        wrong("--recovery-key %s: it is not as X25519 keys are written, below 2^255 - 19", path);
    for (uint32_t i = 0; i < o->recovery_count; i++)
        if (memcmp(o->recovery_keys[i], raw, size) == 0)
            wrong("--recovery-key %s: this key is given twice", path);
    o->recovery_count++;
}

static void add_recover_share(struct options *o, const char *path)
{
    need_file("recover-share", path, PROTO_RECOVER_SHARE_SIZE);
    if (o->recover_share_count == PROTO_RECOVERY_KEYS_MAX)
        wrong("--recover-share %s: there are more than %u", path, PROTO_RECOVERY_KEYS_MAX);
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(o->recover_shares[o->recover_share_count], 1, PROTO_RECOVER_SHARE_SIZE, file) : 0;
    if (file)
        fclose(file);
    if (size != PROTO_RECOVER_SHARE_SIZE)
        wrong("--recover-share %s: not what enclavectl recover --request makes", path);
    o->recover_share_count++;
}

enum option_id {
    IMAGE = 1,
    DATA,
    LISTEN,
    BACKEND,
    WORKERS,
    ADMIN_KEY,
    UPGRADE_RULE,
    RECOVER,
    RECOVER_SHARE,
    RECOVERY_KEY,
    RECOVERY_THRESHOLD,
    WITNESS,
    WITNESS_QUORUM,
    WITNESS_SECONDS,
    WITNESS_COMMITS,
    TAKE_OVER,
    LISTEN_FROM,
    SAN,
    NO_LOCALHOST,
    RATLS,
    REQUEST_CLIENT_CERTIFICATES,
    SIM_DIR,
    COLLATERAL_LISTEN,
    PCCS,
    DEBUG,
    NO_EDMM,
    GRACE,
    DRAIN_TIMEOUT,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_BODY_BYTES,
    HEADER_TIMEOUT,
    IDLE_TIMEOUT,
    MIN_RATE,
    RATE_GRACE,
    REQUEST_TIMEOUT,
    APP_MEMORY,
    APP_DISK,
    HELP
};

static const struct option table[] = {
    {"image", 1, 0, IMAGE},
    {"data", 1, 0, DATA},
    {"listen", 1, 0, LISTEN},
    {"backend", 1, 0, BACKEND},
    {"workers", 1, 0, WORKERS},
    {"admin-key", 1, 0, ADMIN_KEY},
    {"upgrade-rule", 1, 0, UPGRADE_RULE},
    {"recover", 0, 0, RECOVER},
    {"recover-share", 1, 0, RECOVER_SHARE},
    {"recovery-key", 1, 0, RECOVERY_KEY},
    {"recovery-threshold", 1, 0, RECOVERY_THRESHOLD},
    {"witness", 1, 0, WITNESS},
    {"witness-quorum", 1, 0, WITNESS_QUORUM},
    {"witness-seconds", 1, 0, WITNESS_SECONDS},
    {"witness-commits", 1, 0, WITNESS_COMMITS},
    {"take-over", 1, 0, TAKE_OVER},
    {"listen-from", 1, 0, LISTEN_FROM},
    {"san", 1, 0, SAN},
    {"no-localhost", 0, 0, NO_LOCALHOST},
    {"ratls", 1, 0, RATLS},
    {"request-client-certificates", 0, 0, REQUEST_CLIENT_CERTIFICATES},
    {"sim-dir", 1, 0, SIM_DIR},
    {"collateral-listen", 1, 0, COLLATERAL_LISTEN},
    {"pccs", 1, 0, PCCS},
    {"debug", 0, 0, DEBUG},
    {"no-edmm", 0, 0, NO_EDMM},
    {"grace", 1, 0, GRACE},
    {"drain-timeout", 1, 0, DRAIN_TIMEOUT},
    {"max-header-bytes", 1, 0, MAX_HEADER_BYTES},
    {"max-headers", 1, 0, MAX_HEADERS},
    {"max-body-bytes", 1, 0, MAX_BODY_BYTES},
    {"header-timeout", 1, 0, HEADER_TIMEOUT},
    {"idle-timeout", 1, 0, IDLE_TIMEOUT},
    {"min-rate", 1, 0, MIN_RATE},
    {"rate-grace", 1, 0, RATE_GRACE},
    {"request-timeout", 1, 0, REQUEST_TIMEOUT},
    {"app-memory", 1, 0, APP_MEMORY},
    {"app-disk", 1, 0, APP_DISK},
    {"help", 0, 0, HELP},
    {0, 0, 0, 0},
};

static const int repeatable[] = {RECOVER_SHARE, RECOVERY_KEY, WITNESS, 0};

/* False: it is another option. */
static bool set_recovery(struct options *o, int id, const char *name, const char *text)
{
    switch (id) {
    case RECOVER:
        o->recover = true;
        break;
    case RECOVER_SHARE:
        add_recover_share(o, text);
        break;
    case RECOVERY_KEY:
        add_recovery_key(o, text);
        break;
    case RECOVERY_THRESHOLD:
        o->recovery_threshold = (uint32_t)number(name, text, 1, PROTO_RECOVERY_KEYS_MAX);
        break;
    default:
        return false;
    }
    return true;
}

static void set_limit(struct options *o, int id, const char *name, const char *text)
{
    switch (id) {
    case MAX_BODY_BYTES:
        o->max_body_bytes = number(name, text, 1, PROTO_BODY_BYTES_MAX);
        break;
    case MAX_HEADER_BYTES:
        o->max_header_bytes = (uint32_t)number(name, text, PROTO_HEADER_BYTES_MIN, PROTO_HEADER_BYTES_MAX);
        break;
    case MAX_HEADERS:
        o->max_headers = (uint32_t)number(name, text, 1, PROTO_HEADERS_MAX);
        break;
    case HEADER_TIMEOUT:
        o->header_timeout_ms = (uint32_t)number(name, text, 1, PROTO_TIMEOUT_MS_MAX);
        break;
    case IDLE_TIMEOUT:
        o->idle_timeout_ms = (uint32_t)number(name, text, 1, PROTO_TIMEOUT_MS_MAX);
        break;
    case MIN_RATE:
        o->min_rate = (uint32_t)number(name, text, 0, PROTO_RATE_MAX);
        if (o->min_rate == 0)
            o->min_rate = PROTO_RATE_ANY;
        break;
    case RATE_GRACE:
        o->rate_grace_ms = (uint32_t)number(name, text, 1, PROTO_TIMEOUT_MS_MAX);
        break;
    case REQUEST_TIMEOUT:
        o->request_timeout_ms = (uint32_t)number(name, text, 1, PROTO_TIMEOUT_MS_MAX);
        break;
    case WITNESS_QUORUM:
        o->witness_quorum = (uint32_t)number(name, text, 1, WITNESSES_MAX);
        break;
    case WITNESS_SECONDS:
        o->witness_seconds = (uint32_t)number(name, text, 1, PROTO_WITNESS_SECONDS_MAX);
        break;
    case WITNESS_COMMITS:
        o->witness_commits = (uint32_t)number(name, text, 1, PROTO_WITNESS_COMMITS_MAX);
        break;
    case DRAIN_TIMEOUT:
        o->drain_timeout_ms = (uint32_t)number(name, text, 1, PROTO_TIMEOUT_MS_MAX);
        break;
    case APP_DISK:
        o->app_disk_mib = (uint32_t)number(name, text, 1, PROTO_APP_DISK_MIB_MAX);
        break;
    default:
        o->app_memory_mib = (uint32_t)number(name, text, 1, PROTO_APP_MEMORY_MIB_MAX);
        break;
    }
}

static void add_witness(struct options *o, const char *text)
{
    const char *why = witnesses_add(o, text);
    if (why)
        wrong("--witness %s: %s", text, why);
}

static void read_take_over(struct options *o, const char *text)
{
    struct witness_url url;
    if (!witness_url_read(text, strlen(text), &url) || !url.tls || strlen(url.path) > 1)
        wrong("--take-over %s: expected https://HOST[:PORT]", text);
    o->take_over = text;
}

/* Of the server's certificate, and its clients'. False: it is another option. */
static bool set_certificate(struct options *o, int id, const char *text)
{
    switch (id) {
    case SAN:
        o->san = text; /* judged with the names that are there anyway */
        return true;
    case NO_LOCALHOST:
        o->no_localhost = true;
        return true;
    case RATLS:
        read_ratls(o, text);
        return true;
    case REQUEST_CLIENT_CERTIFICATES:
        o->request_client_certificates = true;
        return true;
    default:
        return false;
    }
}

static void set_option(struct options *o, int id, const char *name, const char *text)
{
    switch (id) {
    case IMAGE:
        need_file(name, text, 0);
        o->image = text;
        break;
    case DATA:
        need_folder(name, text);
        o->data = text;
        break;
    case LISTEN:
        parse_listen(o, text);
        break;
    case BACKEND:
        o->backend = parse_backend(text);
        break;
    case WORKERS:
        o->workers = (uint32_t)number(name, text, 1, PROTO_MAX_SERVING);
        break;
    case ADMIN_KEY:
        read_admin_key(o, text);
        break;
    case UPGRADE_RULE:
        o->upgrade_rule = parse_upgrade_rule(text);
        break;
    case WITNESS:
        add_witness(o, text);
        break;
    case LISTEN_FROM:
        o->listen_from = text;
        break;
    case TAKE_OVER:
        read_take_over(o, text);
        break;
    case SIM_DIR:
        need_folder(name, text);
        o->machine_dir = text;
        o->machine_dir_given = true;
        break;
    case COLLATERAL_LISTEN:
        parse_address(name, text, &o->collateral_listen);
        o->serve_collateral = true;
        break;
    case PCCS:
        if (!quote_collateral_is_url(text))
            wrong("--pccs %s: expected http[s]://HOST[:PORT][/PATH]", text);
        o->pccs = text;
        break;
    case DEBUG:
        o->debug = true;
        break;
    case NO_EDMM:
        o->no_edmm = true;
        break;
    case GRACE:
        o->grace_ms = (uint32_t)number(name, text, 0, 3600000);
        break;
    default:
        if (!set_certificate(o, id, text) && !set_recovery(o, id, name, text))
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
    o->workers = cpus < 4 ? 1 : cpus > 2 * PROTO_MAX_SERVING ? PROTO_MAX_SERVING : (uint32_t)cpus / 2;
    parse_listen(o, DEFAULT_LISTEN);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void judge_witnesses(const struct options *o)
{
    if (o->witness_count == 0 && (o->witness_quorum || o->witness_seconds || o->witness_commits))
        wrong("--witness-%s without --witness", o->witness_quorum    ? "quorum"
                                                : o->witness_seconds ? "seconds"
                                                                     : "commits");
    if (o->witness_quorum > o->witness_count)
        wrong("--witness-quorum %u: there are only %u witnesses", o->witness_quorum, o->witness_count);
    if (o->witness_quorum && o->witness_quorum <= o->witness_count / 2)
        wrong("--witness-quorum %u: it has to be more than half of the %u witnesses", o->witness_quorum,
              o->witness_count);
}

static void judge_recovery(const struct options *o)
{
    if (o->recover_share_count > 0 && !o->recover)
        wrong("--recover-share without --recover");
    if (o->recover && o->take_over)
        wrong("--recover and --take-over: the data comes from its holders, or from the enclave that has it");
    if (o->recovery_count > 0 && o->recovery_threshold == 0)
        wrong("--recovery-key without --recovery-threshold: how many of the shares recover the data?");
    if (o->recovery_threshold > 0 && o->recovery_count == 0)
        wrong("--recovery-threshold without --recovery-key");
    if (o->recovery_threshold > o->recovery_count)
        wrong("--recovery-threshold %u: there are only %u recovery keys", o->recovery_threshold, o->recovery_count);
}

static void judge_take_over(const struct options *o)
{
    if (o->listen_from && !o->take_over)
        wrong("--listen-from without --take-over");
    if (o->take_over && (o->recovery_count || o->recovery_threshold || o->witness_count || o->witness_quorum ||
                         o->witness_seconds || o->witness_commits || o->upgrade_rule))
        wrong("--take-over: holders, witnesses and the upgrade rule come with the instance: leave those options out");
}

/* What would have no effect is refused. Where "auto" leads, only the loading tells: options_judge_backend. */
static void judge_together(const struct options *o)
{
    if (!o->image)
        wrong("--image is missing: the signed image of the enclave");
    struct stat st;
    if (!o->machine_dir_given && stat(o->machine_dir, &st) == 0 && !S_ISDIR(st.st_mode))
        wrong("ENCLAVE_OS_SIM_DIR %s: not a folder", o->machine_dir);
    if (!o->data)
        wrong("--data is missing: the folder for what the enclave keeps");
    if (o->serve_collateral && o->collateral_listen.sin6_port != 0 &&
        o->collateral_listen.sin6_port == o->listen.sin6_port &&
        memcmp(&o->collateral_listen.sin6_addr, &o->listen.sin6_addr, 16) == 0)
        wrong("--collateral-listen and --listen are the same address");
    judge_take_over(o);
    judge_witnesses(o);
    judge_recovery(o);
    if (o->backend != ENCLAVE_BACKEND_AUTO)
        options_judge_backend(o, o->backend);
}

void options_judge_backend(const struct options *o, enum enclave_backend backend)
{
    if (backend == ENCLAVE_BACKEND_EMULATOR && o->debug)
        wrong("--debug is for hardware: on the emulator an enclave is always one for debugging");
    if (backend == ENCLAVE_BACKEND_SGX && o->machine_dir_given)
        wrong("--sim-dir is the emulator's, and this is hardware");
    if (backend == ENCLAVE_BACKEND_SGX && o->serve_collateral)
        wrong("--collateral-listen serves a simulation's collateral, and this is hardware");
    if (backend == ENCLAVE_BACKEND_EMULATOR && o->pccs)
        wrong("--pccs is for hardware: a simulation's collateral is in its --sim-dir");
}

void options_parse(struct options *o, int argc, char **argv)
{
    struct arguments a;
    int id, rest;
    set_defaults(o);
    arguments_init(&a, argc, argv, table, repeatable);
    while ((id = arguments_next(&a)) != ARGUMENTS_END) {
        if (id == ARGUMENTS_WRONG)
            wrong("%s", a.error);
        if (id == HELP) {
            fputs(usage, stdout);
            exit(0);
        }
        set_option(o, id, a.name, a.value);
    }
    char **first = arguments_rest(&a, &rest);
    if (rest > 0)
        wrong("unexpected argument '%s'", *first);
    judge_together(o);
    char why[512];
    if (san_gather(o, why, sizeof why) < 0)
        wrong("%s", why);
}
