/*
 * enclavectl: verify a server, manage its apps, make keys, measure and sign images.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "common/pem.h"
#include "sgx/sign/sign.h"

static const char usage[] =
    "usage: enclavectl COMMAND ...\n"
    "  verify https://HOST:PORT [--mrenclave HEX] [--allow-simulation] [--root FILE] [--pccs URL] [--json] ...\n"
    "  ca https://HOST:PORT --out FILE   save the enclave's CA once it is verified, for curl --cacert and others\n"
    "  app push NAME FILE.wasm | app settings NAME [FILE.json] | app list | app rm NAME, with --url https://HOST:PORT "
    "--admin-key FILE\n"
    "      and what verify has to say which server is trusted\n"
    "  egress-ca set FILE.pem | show | rm: whom apps' outgoing requests trust, with the same options\n"
    "  get /readyz | /status | /metrics, with the same options as app\n"
    "  keygen FILE            make an admin key: FILE (secret) and FILE.pub\n"
    "  measure IMAGE          print MRENCLAVE\n"
    "  sign ...               sign an enclave image\n"
    "each command has --help\n";

static void tell(const char *format, va_list arguments)
{
    fputs("enclavectl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
    return 1;
}

int wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
    return 2;
}

int show_usage(const char *text, bool asked)
{
    fputs(text, asked ? stdout : stderr);
    return asked ? 0 : 2;
}

char *read_whole_file(const char *path, size_t limit, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *data = NULL;
    size_t used = 0, capacity = 65536;
    for (;;) {
        char *grown = realloc(data, capacity + 1);
        if (!grown)
            break;
        data = grown;
        used += fread(data + used, 1, capacity - used, file);
        if (used < capacity) {
            if (ferror(file))
                break;
            if (used > limit) {
                errno = EFBIG;
                break;
            }
            fclose(file);
            data[used] = '\0';
            *size = used;
            return data;
        }
        if (used > limit) {
            errno = EFBIG;
            break;
        }
        capacity *= 2;
    }
    int reason = errno;
    free(data);
    fclose(file);
    errno = reason;
    return NULL;
}

/* "--root FILE", or FILE alone. */
static int wrong_file(const char *option, const char *path, const char *what)
{
    return wrong("%s%s%s: %s", option ? option : "", option ? " " : "", path, what);
}

char *read_input(const char *option, const char *path, size_t limit, size_t *size)
{
    char text[128];
    char *data = read_whole_file(path, limit, size);
    if (data && *size > 0)
        return data;
    if (data)
        snprintf(text, sizeof(text), "it is empty");
    else if (errno == EISDIR)
        snprintf(text, sizeof(text), "%s: expected a file", strerror(errno));
    else if (errno == EFBIG)
        snprintf(text, sizeof(text), "%s: at most %zu bytes are taken", strerror(errno), limit);
    else
        snprintf(text, sizeof(text), "%s", strerror(errno));
    free(data);
    wrong_file(option, path, text);
    return NULL;
}

int judge_certificates(const char *option, const char *path, const char *pem, size_t size)
{
    char why[PEM_WHY_SIZE];
    long blocks = pem_judge(pem, size, "CERTIFICATE", why);
    if (blocks == 0)
        return wrong_file(option, path, "certificate number 1 cannot be read: there is none in PEM");
    return blocks > 0 ? 0 : wrong_file(option, path, why);
}

int wrong_arguments(const char *command, const char *form, int least, int most, int count, char **arguments)
{
    if (count < least)
        return wrong("%s: %s %s (see enclavectl %.*s --help)", command,
                     count == 0 ? "it needs" : "something is missing, it needs", form, (int)strcspn(command, " "),
                     command);
    return wrong("%s: unexpected argument '%s'; it takes %s", command, arguments[most], *form ? form : "options only");
}

bool parse_hex(const char *text, uint8_t *out, size_t size)
{
    if (strlen(text) != 2 * size || strspn(text, "0123456789abcdefABCDEF") != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return true;
}

bool parse_hex32(const char *text, uint8_t out[32])
{
    return parse_hex(text, out, 32);
}

void format_hex(const uint8_t *data, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++)
        sprintf(out + 2 * i, "%02x", data[i]);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {
        {"verify", verify_main}, {"ca", ca_main},         {"app", app_main},         {"egress-ca", egress_ca_main},
        {"get", get_main},       {"keygen", keygen_main}, {"measure", measure_main}, {"sign", sign_main},
    };
    signal(SIGPIPE, SIG_IGN); /* a server that refuses an upload closes: what it said is read and told */
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0))
        return show_usage(usage, true);
    for (size_t i = 0; argc >= 2 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argc >= 2)
        return wrong("unknown command '%s' (see enclavectl --help)", argv[1]);
    return show_usage(usage, false);
}
