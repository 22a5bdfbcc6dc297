/*
 * enclavectl verify: connect, judge, say what was checked.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/connection.h"

static const char *const outcomes[] = {"passed", "failed", "not checked"};

static void print_text(const struct verifier_result *r, const char *url, bool ok)
{
    static const char *const marks[] = {"ok  ", "FAIL", "--  "};
    for (int i = 0; i < r->count; i++)
        printf("%s  %-28s %s\n", marks[r->checks[i].outcome], r->checks[i].name, r->checks[i].reason);
    if (!ok)
        printf("%s: NOT verified\n", url);
    else
        printf("%s: verified%s\n", url, r->simulated ? ", as a SIMULATION: no hardware protects it" : "");
}

static json_t *hex_json(const uint8_t *data, size_t size)
{
    char text[65];
    format_hex(data, size, text);
    return json_string(text);
}

static void print_json(const struct verifier_result *r, const char *url, bool ok)
{
    json_t *checks = json_array();
    for (int i = 0; i < r->count; i++)
        json_array_append_new(checks, json_pack("{s:s, s:s, s:s}", "name", r->checks[i].name, "outcome",
                                                outcomes[r->checks[i].outcome], "reason", r->checks[i].reason));
    json_t *all = json_pack("{s:s, s:b, s:b, s:b, s:o, s:o, s:i, s:i, s:o, s:o, s:o}", "url", url, "verified", ok,
                            "simulated", r->simulated, "debug", r->debug, "mrenclave", hex_json(r->mrenclave, 32),
                            "mrsigner", hex_json(r->mrsigner, 32), "isv_prod_id", r->isv_prod_id, "isv_svn", r->isv_svn,
                            "merkle_root", r->has_merkle_root ? hex_json(r->merkle_root, 32) : json_null(),
                            "spki_sha256", hex_json(r->spki_sha256, 32), "checks", checks);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static int usage(void)
{
    fputs("usage: enclavectl verify https://HOST:PORT [--mrenclave HEX] [--allow-simulation] [--allow-debug]\n"
          "                         [--root FILE] [--json]\n",
          stderr);
    return 2;
}

static int verify(const char *url, const struct trust_options *trust, bool json)
{
    struct connection c;
    struct verifier_result result;
    if (connection_open(&c, url) != 0)
        return 1;
    bool ok = connection_verify(&c, &trust->policy, &result);
    connection_close(&c);
    if (json)
        print_json(&result, url, ok);
    else
        print_text(&result, url, ok);
    return ok ? 0 : 1;
}

int verify_main(int argc, char **argv)
{
    static const struct option table[] = {TRUST_OPTIONS, {"json", 0, 0, 'j'}, {0, 0, 0, 0}};
    struct trust_options trust = {0};
    bool json = false;
    int result = 0;
    for (int id; result == 0 && (id = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (id == '?')
            result = usage();
        else if (id == 'j')
            json = true;
        else
            result = trust_option(&trust, id, optarg);
    }
    if (result == 0)
        result = optind + 1 == argc ? verify(argv[optind], &trust, json) : usage();
    trust_options_deinit(&trust);
    return result;
}
