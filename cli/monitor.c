/*
 * enclavectl monitor: follow an instance, and say each change when it is seen.
 */
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/context.h"
#include "cli/history.h"
#include "cli/report.h"
#include "cli/trust.h"
#include "common/hex.h"

static const char usage[] =
    "usage: enclavectl monitor https://HOST:PORT [options]\n"
    "Follows an instance, and prints one line for each entry of its history (docs/history.md) when it is seen. "
    "Verifies\n"
    "the server each time, and that its log goes on from what was seen before; ends with status 1 as soon as it does\n"
    "not, and with 0 at SIGTERM or SIGINT. A server that does not answer, or whose answer is cut, is asked again.\n"
    "  --from N                 begin with the N'th entry; default: what comes from now on, or behind --log-state's\n"
    "  --count N                end after so many entries\n"
    "  --interval S             ask every S seconds, 1 to 86400; default: 10\n"
    "  --json                   print each as a JSON object, in one line\n" CONTEXT_USAGE TRUST_USAGE;

struct monitor {
    struct trust_options trust;
    const char *url;
    bool json, has_from;
    uint64_t from, count, interval;
    uint64_t shown; /* entries */
    bool away;      /* it did not answer, not all of it, when it was asked last */
    uint64_t pause; /* in seconds, before it is asked again */
    bool unwritten; /* --log-state's file, when it was to be written last */
    struct {        /* the head that was seen last; 0: none */
        uint64_t size;
        uint8_t root[32];
    } before;
};

static int set_option(void *user, int id, const char *value)
{
    struct monitor *m = user;
    if (id == 'j')
        m->json = true;
    else if (id == 'f' && !arguments_number(value, 0, INT64_MAX, &m->from))
        return wrong("--from %s: expected a number from 0 to %" PRId64, value, INT64_MAX);
    else if (id == 'c' && !arguments_number(value, 1, INT64_MAX, &m->count))
        return wrong("--count %s: expected a number from 1 to %" PRId64, value, INT64_MAX);
    else if (id == 'i' && !arguments_number(value, 1, 86400, &m->interval))
        return wrong("--interval %s: expected a number from 1 to 86400", value);
    m->has_from |= id == 'f';
    return 0;
}

/* What a look comes to, beside an exit status. */
enum { GO_ON = -1, AWAY = -2 };

static void come_back(struct monitor *m)
{
    if (m->away)
        fprintf(stderr, "%s answers again\n", m->url);
    m->away = false;
    report_quietly(false);
}

/* Whether the log's head goes on from the one that was seen last: no file remembers it. GO_ON, AWAY or 1. */
static int goes_on(struct monitor *m)
{
    struct verifier_log *log = m->trust.seen.log;
    struct verifier_consistency proof;
    uint8_t roots[2][32];
    char text[2][65];
    if (m->before.size == 0)
        return GO_ON;
    int result = m->before.size <= verifier_log_size(log) ? verifier_log_prove(log, m->before.size, &proof) : 0;
    bool proven = result == 0 && m->before.size <= verifier_log_size(log) &&
                  verifier_consistency_roots(&proof, roots[0], roots[1]) &&
                  memcmp(roots[1], verifier_log_root(log), 32) == 0;
    if (proven && memcmp(roots[0], m->before.root, 32) == 0)
        return GO_ON;
    if (verifier_no_answer(result) || (!proven && m->trust.seen.source.stranger)) {
        complain("%s: the log: %s", m->url,
                 result != 0 ? verifier_log_error(log) : "it came over a connection with another certificate");
        return AWAY;
    }
    report_quietly(false);
    hex_text(m->before.root, 32, text[0]);
    hex_text(verifier_log_root(log), 32, text[1]);
    return complain("%s: log history: seen before: %" PRIu64 " entries, root %s; shown now: %" PRIu64
                    " entries, root %s: it does not go on from there",
                    m->url, m->before.size, text[0], verifier_log_size(log), text[1]);
}

/* GO_ON, AWAY, or the exit status. */
static int show(struct monitor *m)
{
    struct verifier_log *log = m->trust.seen.log;
    while (m->from < verifier_log_size(log)) {
        const char *data;
        size_t size;
        if (verifier_log_entry(log, m->from, &data, &size) != 0) {
            complain("%s: the log: %s", m->url, verifier_log_error(log));
            return AWAY;
        }
        come_back(m);
        int status = history_print(m->url, m->from, data, size, m->json);
        if (m->json)
            putchar('\n');
        if (fflush(stdout) != 0)
            return complain("standard output is gone");
        if (status != 0)
            return status;
        m->from++;
        if (++m->shown == m->count && m->count > 0)
            return 0;
    }
    return GO_ON;
}

static void begin(struct monitor *m)
{
    char root[65];
    const struct verifier_log *log = m->trust.seen.log;
    if (!m->has_from)
        m->from = verifier_log_size(log);
    m->has_from = true;
    hex_text(verifier_log_root(log), 32, root);
    fprintf(stderr, "%s: %" PRIu64 " entries, root %s\n", m->url, verifier_log_size(log), root);
}

/* What is wrong with the server is told however often it was away. GO_ON, or 1. */
static int refuse(struct monitor *m, const struct verifier_result *result)
{
    const char *what = !verifier_result_ok(result) ? "is not verified"
                       : !verifier_result_claims(result)->has_checkpoint
                           ? "has shown no log that its certificate vouches for"
                           : NULL;
    if (!what)
        return GO_ON;
    report_quietly(false);
    trust_tell(result, m->url);
    return complain("%s %s", m->url, what);
}

static int judged(struct monitor *m, const struct verifier_result *result)
{
    int status = refuse(m, result);
    if (status == GO_ON)
        status = goes_on(m);
    if (status != GO_ON)
        return status;
    if (m->before.size == 0)
        begin(m);
    m->before.size = verifier_log_size(m->trust.seen.log);
    memcpy(m->before.root, verifier_log_root(m->trust.seen.log), 32);
    status = show(m);
    if (m->from < verifier_log_size(m->trust.seen.log))
        return status; /* what was not said is not remembered: it is said the next time */
    come_back(m);
    report_quietly(m->unwritten); /* why is told once */
    m->unwritten = trust_remember(&m->trust, m->url, result) != 0;
    report_quietly(false);
    return status == 0 && m->unwritten ? 1 : status;
}

/* GO_ON, AWAY, or the exit status. */
static int ask(struct monitor *m)
{
    struct connection c;
    int opened = connection_open(&c, m->url);
    if (opened != 0)
        return opened == 2 ? 2 : AWAY;
    struct verifier_result *result = trust_judge(&m->trust, &c, m->url, true);
    connection_close(&c);
    int status = result ? judged(m, result) : AWAY;
    verifier_result_destroy(result);
    return status;
}

#define PAUSES_MAX 16u /* intervals, while it is away */

static int look(struct monitor *m)
{
    report_quietly(m->away); /* why is told once */
    connection_deadline(m->interval > CONNECTION_LOOK_SECONDS ? (unsigned)m->interval : CONNECTION_LOOK_SECONDS);
    int status = ask(m);
    connection_deadline(0);
    report_quietly(false);
    if (status != AWAY)
        m->pause = m->interval;
    else if (m->away && m->pause < PAUSES_MAX * m->interval && m->pause < 300)
        m->pause *= 2;
    if (status == AWAY && !m->away)
        fprintf(stderr, "%s does not answer; it is asked again\n", m->url);
    m->away |= status == AWAY;
    return status == AWAY ? GO_ON : status;
}

/* Nothing is left half done: lines are written as a whole, and files replaced. */
static void end(int signal)
{
    (void)signal;
    _exit(0);
}

static int follow(struct monitor *m)
{
    int status;
    if (!connection_url_ok(m->url))
        return wrong("%s: expected https://HOST[:PORT], with a name, an IPv4 address or [IPv6 address]", m->url);
    if (!m->has_from && m->trust.log_from > 0) {
        m->has_from = true;
        m->from = m->trust.log_from;
    }
    signal(SIGTERM, end);
    signal(SIGINT, end);
    m->pause = m->interval;
    while ((status = look(m)) == GO_ON) {
        const struct timespec pause = {.tv_sec = (time_t)m->pause};
        nanosleep(&pause, NULL);
    }
    return status;
}

int monitor_main(int argc, char **argv)
{
    static const struct option table[] = {TRUST_OPTIONS,           {"from", 1, 0, 'f'}, {"count", 1, 0, 'c'},
                                          {"interval", 1, 0, 'i'}, {"json", 0, 0, 'j'}, {0, 0, 0, 0}};
    struct monitor m = {.interval = 10};
    struct trust_command command = {.table = table,
                                    .usage = usage,
                                    .name = "monitor",
                                    .form = "https://HOST[:PORT]",
                                    .other = set_option,
                                    .user = &m,
                                    .least = 1,
                                    .most = 1};
    int result = trust_options_read(&m.trust, &command, argc, argv);
    if (result == 0) {
        m.url = command.rest[0];
        m.trust.remembers_later = true;
        m.trust.reads_log = true;
        result = follow(&m);
    }
    trust_options_deinit(&m.trust);
    return command.help ? 0 : result;
}
