/*
 * enclavectl log: what happened to an instance, each entry proven to stand in the log whose head the enclave signed.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/context.h"
#include "cli/history.h"
#include "cli/report.h"
#include "cli/trust.h"
#include "common/hex.h"

static const char usage[] =
    "usage: enclavectl log https://HOST:PORT [options]\n"
    "       enclavectl log compare STATE-A [STATE-B] [--url https://HOST:PORT] [--json]\n"
    "Prints an instance's history (docs/history.md): what was changed, by whom, and each boot. Every entry is proven "
    "to\n"
    "stand in the log whose head the enclave has signed, and which goes on from the head in its certificate.\n"
    "  --from N                 from the N'th entry on; default: 0, all\n"
    "  --json                   print one JSON object, with the head and all entries\n" CONTEXT_USAGE TRUST_USAGE;

struct log_options {
    uint64_t from;
    bool json;
};

static int set_option(void *user, int id, const char *value)
{
    struct log_options *o = user;
    if (id == 'j')
        o->json = true;
    else if (!arguments_number(value, 0, INT64_MAX, &o->from))
        return wrong("--from %s: expected a number from 0 to %" PRId64, value, INT64_MAX);
    return 0;
}

static void put_string(const char *name, const char *value)
{
    printf("\"%s\": ", name);
    json_t *text = json_string(value);
    json_dumpf(text, stdout, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    json_decref(text);
    printf(", ");
}

static void put_head(const char *url, const struct verifier_log *log)
{
    char root[65];
    size_t size;
    hex_text(verifier_log_root(log), 32, root);
    printf("{");
    put_string("url", url);
    printf("\"size\": %" PRIu64 ", \"root\": \"%s\", ", verifier_log_size(log), root);
    put_string("checkpoint", verifier_log_checkpoint(log, &size));
    printf("\"entries\": [");
}

static int show(struct verifier_log *log, const struct log_options *o, const char *url)
{
    int status = 0;
    char root[65];
    const char *data;
    size_t size;
    if (o->json)
        put_head(url, log);
    for (uint64_t i = o->from; i < verifier_log_size(log); i++) {
        if (verifier_log_entry(log, i, &data, &size) != 0) {
            status = complain("%s: the log: %s", url, verifier_log_error(log));
            break;
        }
        if (o->json)
            printf("%s\n", i > o->from ? "," : "");
        status |= history_print(NULL, i, data, size, o->json);
    }
    hex_text(verifier_log_root(log), 32, root);
    if (o->json)
        printf("]}\n");
    else if (status == 0)
        printf("%" PRIu64 " entries, root %s, signed by the enclave\n", verifier_log_size(log), root);
    return status;
}

static int judged(struct trust_options *t, const struct log_options *o, const char *url,
                  const struct verifier_result *result)
{
    trust_tell(result, url);
    if (!verifier_result_ok(result))
        return complain("%s is not verified: its log is not shown", url);
    if (!verifier_result_claims(result)->has_checkpoint)
        return complain("%s has shown no log that its certificate vouches for", url);
    if (o->from > verifier_log_size(t->seen.log))
        return complain("%s: there are %" PRIu64 " entries", url, verifier_log_size(t->seen.log));
    if (verifier_result_verdict(result) != VERIFIER_VERIFIED)
        fprintf(stderr, "%s is genuine, but nothing says whose enclave it is: this may be another one's history\n",
                url);
    return show(t->seen.log, o, url);
}

static int log_of(struct trust_options *t, const struct log_options *o, const char *url)
{
    struct connection c;
    int status = connection_open(&c, url);
    if (status != 0)
        return status;
    struct verifier_result *result = trust_judge(t, &c, url, true);
    connection_close(&c);
    status = result ? judged(t, o, url, result) : 1;
    verifier_result_destroy(result);
    return status;
}

int log_main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "compare") == 0)
        return log_compare_main(argc - 1, argv + 1);
    static const struct option table[] = {TRUST_OPTIONS, {"from", 1, 0, 'f'}, {"json", 0, 0, 'j'}, {0, 0, 0, 0}};
    struct trust_options trust;
    struct log_options o = {0};
    struct trust_command command = {.table = table,
                                    .usage = usage,
                                    .name = "log",
                                    .form = "https://HOST[:PORT]",
                                    .other = set_option,
                                    .user = &o,
                                    .least = 1,
                                    .most = 1};
    int result = trust_options_read(&trust, &command, argc, argv);
    trust.reads_log = true;
    if (result == 0)
        result = log_of(&trust, &o, command.rest[0]);
    trust_options_deinit(&trust);
    return command.help ? 0 : result;
}
