/*
 * enclavectl verify: connect, judge, say what was checked.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/context.h"
#include "cli/report.h"
#include "cli/trust.h"

/* In red on a terminal, unless it is as good as it can be. */
static void print_verdict(const struct verifier_result *r, const char *url)
{
    enum verifier_verdict verdict = verifier_result_verdict(r);
    bool red = verdict != VERIFIER_VERIFIED && isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    printf("%s%s: ", red ? "\33[31m" : "", url);
    if (verdict == VERIFIER_REFUSED)
        printf("NOT verified");
    else if (verdict == VERIFIER_GENUINE)
        printf("genuine, but nobody in particular's: anybody can run such a program. To say whose it is to be, give\n"
               "--policy (which enclavectl policy from URL writes), --issuer, or --instance with --mrenclave or "
               "--mrsigner");
    else
        printf("verified");
    if (verdict != VERIFIER_REFUSED && verifier_result_claims(r)->simulated)
        printf("%s as a SIMULATION: no hardware protects it", verdict == VERIFIER_GENUINE ? "; all of it" : ",");
    printf("%s\n", red ? "\33[0m" : "");
}

static void print_text(const struct verifier_result *r, const char *url)
{
    static const char *const marks[] = {"ok  ", "FAIL", "--  "};
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check check = verifier_result_check(r, i);
        printf("%s  %-28s %s\n", marks[check.outcome], check.name, check.reason);
    }
    print_verdict(r, url);
}

/* The library's object, with the address in front. */
static int print_json(const struct verifier_result *r, const char *url)
{
    char *text = verifier_result_json(r);
    json_t *all = json_pack("{s:s}", "url", url), *result = text ? json_loads(text, 0, NULL) : NULL;
    bool ok = all && result && json_object_update(all, result) == 0 &&
              json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0;
    putchar('\n');
    json_decref(result);
    json_decref(all);
    verifier_free(text);
    return ok ? 0 : complain("out of memory");
}

static const char usage[] =
    "usage: enclavectl verify https://HOST:PORT [options]\n"
    "Exit status: 0 if it is verified; 3 if it is genuine, but nothing says whose enclave it is to be; 1 if it is "
    "refused\n"
    "or could not be judged.\n"
    "  --json                   print the result as JSON (docs/verify.schema.json)\n" CONTEXT_USAGE TRUST_USAGE;

static int verify(const char *url, struct trust_options *trust, bool json)
{
    struct connection c;
    int opened = connection_open(&c, url);
    if (opened != 0)
        return opened;
    struct verifier_result *result = trust_judge(trust, &c, url, true);
    connection_close(&c);
    if (!result)
        return 1;
    static const int statuses[] = {[VERIFIER_REFUSED] = 1, [VERIFIER_GENUINE] = 3, [VERIFIER_VERIFIED] = 0};
    int status = statuses[verifier_result_verdict(result)];
    if (!json)
        print_text(result, url);
    else if (print_json(result, url) != 0)
        status = 1;
    verifier_result_destroy(result);
    return status;
}

static int set_json(void *json, int id, const char *value)
{
    (void)id, (void)value;
    *(bool *)json = true;
    return 0;
}

int verify_main(int argc, char **argv)
{
    static const struct option table[] = {TRUST_OPTIONS, {"json", 0, 0, 'j'}, {0, 0, 0, 0}};
    struct trust_options trust;
    bool json = false;
    struct trust_command command = {.table = table,
                                    .usage = usage,
                                    .name = "verify",
                                    .form = "https://HOST[:PORT]",
                                    .other = set_json,
                                    .user = &json,
                                    .least = 1,
                                    .most = 1};
    int result = trust_options_read(&trust, &command, argc, argv);
    if (result == 0)
        result = verify(command.rest[0], &trust, json);
    trust_options_deinit(&trust);
    return command.help ? 0 : result;
}
