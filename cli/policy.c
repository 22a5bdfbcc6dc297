/*
 * enclavectl policy: write down what is seen of a server, as what is expected of it from now on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/context.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/trust.h"

static const char usage[] =
    "usage: enclavectl policy from https://HOST:PORT [--out FILE] [options]\n"
    "Writes a policy file (docs/policy.md) from what is seen, for --policy FILE of the other commands: which program,\n"
    "whose, and all of its configuration. What no option pins is believed as it is now: compare it with what its "
    "operator\n"
    "says, by another way.\n"
    "  --out FILE               where to, instead of standard output; a file with something else in it is left alone\n"
    "  --who                    only which program, and whose: for its operator, who changes the rest\n" CONTEXT_USAGE
        TRUST_USAGE;

struct policy_options {
    const char *out;
    bool who;
};

static int set_option(void *user, int id, const char *value)
{
    struct policy_options *o = user;
    if (id == 'o')
        o->out = value;
    else
        o->who = true;
    return 0;
}

static int write_down(struct trust_options *trust, const struct policy_options *o, const char *url,
                      const struct verifier_result *result)
{
    const struct verifier_evidence evidence = trust_evidence(trust);
    trust_tell(result, url);
    if (!verifier_result_ok(result))
        return complain("%s is not verified: no policy was written", url);
    if (trust->only_apps)
        verifier_policy_only_apps(trust->policy, true);
    char *text = verifier_policy_write(trust->policy, result, &evidence, o->who);
    if (!text)
        return complain("%s: no policy was written: without a manifest nobody knows what to expect", url);
    int status = 0;
    if (o->out)
        status = output_save(o->out, text, strlen(text),
                             "Compare it with what is seen now (without --out), and remove it if the change is meant");
    else
        fputs(text, stdout);
    if (status == 0 && verifier_result_verdict(result) != VERIFIER_VERIFIED)
        fprintf(stderr, "%s was believed as it is now. Compare instance and mrenclave with what its operator says.\n",
                url);
    verifier_free(text);
    return status;
}

static int policy_from(struct trust_options *trust, const struct policy_options *o, const char *url)
{
    struct connection c;
    int status = connection_open(&c, url);
    if (status != 0)
        return status;
    struct verifier_result *result = trust_judge(trust, &c, url, !o->who);
    connection_close(&c);
    status = result ? write_down(trust, o, url, result) : 1;
    verifier_result_destroy(result);
    return status;
}

int policy_main(int argc, char **argv)
{
    static const struct option table[] = {TRUST_OPTIONS, {"out", 1, 0, 'o'}, {"who", 0, 0, 'w'}, {0, 0, 0, 0}};
    struct trust_options trust;
    struct policy_options o = {0};
    struct trust_command command = {.table = table,
                                    .usage = usage,
                                    .name = "policy",
                                    .form = "from https://HOST[:PORT]",
                                    .other = set_option,
                                    .user = &o,
                                    .names_apps = true,
                                    .least = 2,
                                    .most = 2};
    int result = trust_options_read(&trust, &command, argc, argv);
    if (result == 0 && strcmp(command.rest[0], "from") != 0)
        result = wrong("policy: there is no '%s'; there is from", command.rest[0]);
    if (result == 0 && o.who && trust.only_apps)
        result = wrong("--only-apps: with --who nothing of apps is written down");
    const char *beyond = o.who && result == 0 ? verifier_policy_beyond_who(trust.policy) : NULL;
    if (beyond)
        result = wrong("--who: %s of the policy that was given would not be written down", beyond);
    if (result == 0)
        result = output_judge("--out", o.out);
    if (result == 0)
        result = policy_from(&trust, &o, command.rest[1]);
    trust_options_deinit(&trust);
    return command.help ? 0 : result;
}
