/* The gate, state entries, the bound, refusals, changes of the witnesses; log and answers are played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/container.h"
#include "enclave/thread/worker.h"
#include "enclave/witness/ask.h"
#include "enclave/witness/testing/cosigner.h"
#include "enclave/witness/witness.h"

#define S UINT64_C(1000000000)

/* ---- what is played ---------------------------------------------------------------------------------------------- */

struct witness_ask { /* a question that is to be answered */
    struct witness_ask *next;
    char name[WITNESS_NAME_MAX + 1];
    uint64_t from, size;
    size_t proof_count;
    witness_asked done;
    void *user;
};

static struct {
    struct worker worker;
    uint64_t now, size, epoch, reached, allowed;
    struct witness_ask *asks;
    witness_appended appended;
    void *appended_user;
    witness_proof_done proved;
    void *proved_user;
    unsigned stops, resumes, appends, tells;
    bool no_memory, refuse_append;
    char why[1000], told[1000];
} played;
static struct witnesses *w;
static struct cosigner keys[3];

struct witness_ask *witness_ask_start(const struct witness_asking *asking)
{
    struct witness_ask *a = played.no_memory ? NULL : calloc(1, sizeof *a);
    if (!a)
        return NULL;
    assert_true(asking->from == 0 || asking->from == asking->size || asking->proof_count > 0);
    strcpy(a->name, asking->witness->name);
    a->from = asking->from;
    a->size = asking->size;
    a->proof_count = asking->proof_count;
    a->done = asking->done;
    a->user = asking->user;
    a->next = played.asks;
    played.asks = a;
    return a;
}

static void unlink_ask(struct witness_ask *a)
{
    struct witness_ask **at = &played.asks;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
}

void witness_ask_cancel(struct witness_ask *a)
{
    unlink_ask(a);
    free(a);
}

static uint64_t log_size(void *user)
{
    return played.size;
}

static size_t log_checkpoint(void *user, char text[WITNESS_CHECKPOINT_MAX], uint64_t *entries)
{
    *entries = played.size;
    return (size_t)snprintf(text, WITNESS_CHECKPOINT_MAX, "log\n%lu\n", (unsigned long)played.size);
}

static int log_prove(void *user, uint64_t from, uint64_t to, witness_proof_done done, void *done_user)
{
    static const uint8_t proof[1][32];
    assert_true(from > 0 && from < to && to <= played.size);
    if (played.no_memory)
        return -1;
    if (!played.proved && played.proved_user == &played) { /* it is kept waiting */
        played.proved = done;
        played.proved_user = done_user;
        return 0;
    }
    done(done_user, 0, proof, 1);
    return 0;
}

static int log_append(void *user, witness_appended done, void *done_user)
{
    assert_null(played.appended);
    played.appends++;
    if (played.refuse_append)
        return -1;
    played.appended = done;
    played.appended_user = done_user;
    return 0;
}

static uint64_t log_epoch(void *user)
{
    return played.epoch;
}

static void on_reached(void *user, uint64_t size, uint64_t epoch)
{
    assert_true(size > played.reached && size <= played.size);
    played.reached = size;
}

static void on_allow(void *user, uint64_t epoch)
{
    played.allowed = epoch;
}

static void on_stop(void *user, const char *why)
{
    played.stops++;
    snprintf(played.why, sizeof played.why, "%s", why);
}

static void on_resume(void *user)
{
    played.resumes++;
}

static void on_tell(void *user, bool bad, const char *line)
{
    played.tells++;
    snprintf(played.told, sizeof played.told, "%s", line);
}

/* ---- helpers ----------------------------------------------------------------------------------------------------- */

static void turn(void)
{
    for (int i = 0; i < 5; i++)
        loop_run_once(&played.worker.loop, played.now);
}

static void pass(uint64_t ns)
{
    played.now += ns;
    turn();
}

static bool answer_with(const char *name, struct witness_answer a)
{
    for (struct witness_ask *ask = played.asks; ask; ask = ask->next)
        if (strcmp(ask->name, name) == 0) {
            unlink_ask(ask);
            witness_asked done = ask->done;
            void *user = ask->user;
            free(ask);
            done(user, &a);
            turn();
            return true;
        }
    return false;
}

static bool answer(const char *name, enum witness_says says, uint64_t size)
{
    return answer_with(name, (struct witness_answer){.says = says, .size = size, .line_size = 5, .line = "line\n"});
}

static void append_is_made(void)
{
    witness_appended done = played.appended;
    assert_non_null(done);
    played.appended = NULL;
    played.size++;
    played.epoch++;
    done(played.appended_user, 0);
    turn();
}

static struct witness_set *set_of(const char *names, uint32_t quorum, uint32_t seconds, uint32_t commits)
{
    char lines[2048] = "", why[WITNESS_WHY_SIZE];
    for (size_t i = 0; names[i]; i++)
        sprintf(lines + strlen(lines), "%c=http://%c,%s\n", names[i], names[i], keys[names[i] - 'a'].vkey);
    struct witness_set *s = witness_set_of_options(lines, strlen(lines), quorum, seconds, commits, why);
    assert_non_null(s);
    return s;
}

static void be(const char *names, uint32_t quorum, uint32_t seconds, uint32_t commits)
{
    struct witness_set *s = set_of(names, quorum, seconds, commits);
    assert_int_equal(witnesses_are(w, s, NULL), 0);
    witness_set_unref(s);
}

/* A boot: the log has size entries, the last one the boot's. */
static void begin(const char *names, uint32_t quorum, uint32_t seconds, uint32_t commits, uint64_t size)
{
    const struct witness_config config = {.worker = &played.worker,
                                          .log = {NULL, log_size, log_checkpoint, log_prove, log_append, log_epoch},
                                          .events = {NULL, on_reached, on_allow, on_stop, on_resume, on_tell}};
    memset(&played, 0, sizeof played);
    assert_int_equal(loop_init(&played.worker.loop, NULL), 0);
    played.now = 1000 * S;
    played.size = size;
    played.epoch = 50;
    turn();
    w = witnesses_new(&config);
    be(names, quorum, seconds, commits);
    turn();
}

static void end(void)
{
    if (played.appended)
        append_is_made();
    turn();
    witnesses_free(w);
    assert_null(played.asks);
    loop_deinit(&played.worker.loop);
}

/* Through the gate, and served. */
static void begin_serving(const char *names, uint32_t quorum, uint32_t seconds, uint32_t commits)
{
    begin(names, quorum, seconds, commits, 3);
    for (size_t i = 0; names[i]; i++)
        assert_true(answer((char[]){names[i], 0}, WITNESS_COSIGNED, 0));
    assert_int_equal(witnesses_reached(w), 3);
    witnesses_serve(w);
}

#define REPORT_MAX 5120

/* Returns its size. */
static size_t report(uint64_t now_ns, char text[REPORT_MAX])
{
    json_t *json = witnesses_report(w, now_ns);
    size_t size = json_dumpb(json, text, REPORT_MAX - 1, JSON_COMPACT);
    assert_in_range(size, 1, REPORT_MAX - 1);
    text[size] = 0;
    json_decref(json);
    return size;
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static void without_witnesses_nothing_is_asked_and_all_is_allowed(void **state)
{
    begin("", 0, 0, 0, 3);
    assert_int_equal(witnesses_reached(w), UINT64_MAX);
    witnesses_serve(w);
    for (int i = 0; i < 1000; i++) {
        played.epoch++;
        witnesses_committed(w, true);
        pass(S);
    }
    assert_int_equal(played.allowed, UINT64_MAX);
    assert_int_equal(played.appends + played.stops + played.tells, 0);
    char json[REPORT_MAX];
    report(played.now, json);
    assert_string_equal(json, "{\"quorum\":0}");
    end();
}

static void the_gate_opens_with_the_quorum(void **state)
{
    begin("abc", 2, 60, 10, 3);
    assert_true(answer("b", WITNESS_SILENT, 0));
    assert_non_null(strstr(played.told, "witness b does not answer"));
    assert_non_null(strstr(played.told, "asked again in 1 s"));
    assert_true(answer("a", WITNESS_SIZE, 0));
    assert_true(answer("a", WITNESS_COSIGNED, 0));
    assert_int_equal(witnesses_reached(w), 0);
    assert_true(answer("c", WITNESS_COSIGNED, 0));
    assert_int_equal(witnesses_reached(w), 3);
    assert_int_equal(played.reached, 3);
    assert_int_equal(played.allowed, UINT64_MAX); /* nobody is served yet */
    witnesses_serve(w);
    assert_int_equal(played.allowed, 60);
    char lines[100];
    assert_int_equal(witnesses_lines(w, 3, lines, sizeof lines), 10);
    assert_int_equal(witnesses_lines(w, 3, lines, 9), 5);
    assert_int_equal(witnesses_lines(w, 2, lines, sizeof lines), 0);
    end();
}

static void the_gate_stays_shut_and_asks_again(void **state)
{
    begin("a", 1, 60, 10, 3);
    for (int i = 0; i < 20; i++) {
        assert_true(answer("a", WITNESS_STRANGER, 0));
        assert_false(answer("a", WITNESS_STRANGER, 0));
        assert_int_equal(played.tells, i + 1);
        pass(60 * S);
    }
    assert_int_equal(witnesses_reached(w), 0);
    assert_null(witnesses_refused(w));
    assert_int_equal(played.stops, 0);
    end();
}

static void a_store_that_was_put_back_is_refused_at_the_gate(void **state)
{
    begin("ab", 2, 60, 10, 3);
    assert_true(answer("a", WITNESS_COSIGNED, 0));
    assert_true(answer("b", WITNESS_SIZE, 9));
    assert_non_null(strstr(witnesses_refused(w), "b has seen 9 entries of this log, which has 3 here"));
    assert_int_equal(witnesses_reached(w), 0);
    pass(1000 * S);
    assert_null(played.asks);
    end();
}

static void one_that_lies_does_no_harm_where_two_of_three_suffice(void **state)
{
    begin("abc", 2, 60, 10, 3);
    assert_true(answer("a", WITNESS_CONFLICT, 0));
    assert_null(witnesses_refused(w));
    assert_true(answer("b", WITNESS_COSIGNED, 0));
    assert_true(answer("c", WITNESS_COSIGNED, 0));
    assert_int_equal(witnesses_reached(w), 3);
    witnesses_serve(w);
    assert_int_equal(played.stops, 0);
    end();
}

static void state_entries_come_at_half_of_the_seconds(void **state)
{
    begin_serving("a", 1, 60, 1000);
    for (unsigned i = 1; i <= 5; i++) {
        pass(30 * S - 1);
        assert_int_equal(played.appends, i - 1);
        pass(1);
        assert_int_equal(played.appends, i);
        append_is_made();
        assert_true(answer("a", WITNESS_COSIGNED, 0));
        assert_int_equal(played.reached, 3 + i);
    }
    assert_int_equal(played.stops, 0);
    end();
}

static void on_awaited(struct witness_wait *wait, size_t count)
{
    assert_int_equal(count, 0);
}

static void one_that_rests_asks_and_says_nothing(void **state)
{
    begin_serving("ab", 2, 60, 10);
    struct witness_wait wait = {.fn = on_awaited};
    pass(30 * S);
    append_is_made();
    turn();
    assert_non_null(played.asks);
    witnesses_await(w, &wait, played.size);
    unsigned appends = played.appends, tells = played.tells;
    witnesses_rest(w);
    assert_null(played.asks);
    turn();
    assert_false(wait.waits);
    for (int i = 0; i < 1000; i++) {
        played.size++;
        played.epoch++;
        witnesses_grown(w);
        witnesses_committed(w, true);
        pass(S);
    }
    assert_null(played.asks);
    assert_int_equal(played.appends, appends);
    assert_int_equal(played.stops + played.resumes, 0);
    assert_int_equal(played.tells, tells);
    end();
}

static void state_entries_come_at_half_of_the_commits_and_none_goes_beyond(void **state)
{
    begin_serving("a", 1, 60, 10);
    assert_int_equal(played.allowed, 60);
    for (unsigned i = 1; i <= 5; i++) {
        uint64_t epoch = played.epoch;
        for (unsigned k = 0; k < 5; k++) {
            assert_int_equal(played.appends, i - 1);
            played.epoch++;
            witnesses_committed(w, false);
        }
        assert_int_equal(played.appends, i);
        played.epoch += 2; /* while it is on its way */
        append_is_made();
        assert_int_equal(played.allowed, epoch + 10);
        assert_true(answer("a", WITNESS_COSIGNED, 0));
        assert_int_equal(played.allowed, epoch + 6 + 10); /* with its own commit */
        played.epoch = epoch + 6;
    }
    end();
}

static void one_commit_at_a_time_can_be_asked_for(void **state)
{
    begin_serving("a", 1, 60, 1);
    for (unsigned i = 1; i <= 5; i++) {
        played.epoch++;
        assert_true(played.epoch <= played.allowed);
        witnesses_committed(w, false);
        assert_int_equal(played.appends, i);
        append_is_made();
        assert_true(answer("a", WITNESS_COSIGNED, 0));
        assert_int_equal(played.appends, i); /* its own commit calls for no other */
    }
    end();
}

static void who_waits_has_an_entry_at_once_and_one_for_all_meanwhile(void **state)
{
    begin_serving("a", 1, 60, 1000);
    played.epoch++;
    witnesses_committed(w, true);
    assert_int_equal(played.appends, 1);
    for (int i = 0; i < 7; i++) {
        played.epoch++;
        witnesses_committed(w, true);
    }
    append_is_made();
    assert_int_equal(played.appends, 1);
    assert_true(answer("a", WITNESS_COSIGNED, 0));
    assert_int_equal(played.appends, 2); /* for the seven */
    append_is_made();
    assert_true(answer("a", WITNESS_COSIGNED, 0));
    assert_int_equal(played.appends, 2);
    end();
}

static void an_outage_stops_at_the_bound_and_its_end_resumes(void **state)
{
    begin_serving("a", 1, 60, 1000);
    pass(30 * S);
    append_is_made();
    assert_true(answer("a", WITNESS_SILENT, 0));
    while (played.now < 1060 * S) {
        assert_int_equal(played.stops, 0);
        pass(S);
        answer("a", WITNESS_SILENT, 0);
        if (played.appended)
            append_is_made();
    }
    pass(S);
    assert_int_equal(played.stops, 1);
    assert_int_equal(played.allowed, 0);
    assert_non_null(strstr(played.why, "for 60 seconds no quorum"));
    assert_non_null(strstr(played.why, "a does not answer"));
    unsigned appends = played.appends;
    for (int i = 0; i < 100; i++) {
        pass(20 * S);
        answer("a", WITNESS_SILENT, 0);
    }
    assert_int_equal(played.stops, 1);
    assert_true(played.appends <= appends + 1); /* the log does not grow meanwhile */
    if (played.appended)
        append_is_made();
    pass(20 * S);
    assert_true(answer("a", WITNESS_COSIGNED, 0)); /* an old head */
    if (played.resumes == 0) {
        append_is_made();
        assert_true(answer("a", WITNESS_COSIGNED, 0));
    }
    assert_int_equal(played.resumes, 1);
    assert_true(played.allowed > played.epoch);
    end();
}

static void a_refusal_while_serving_stops_for_good(void **state)
{
    begin_serving("ab", 2, 60, 1000);
    pass(30 * S);
    append_is_made();
    assert_true(answer("a", WITNESS_COSIGNED, 0));
    assert_int_equal(played.stops, 0);
    assert_true(answer("b", WITNESS_SIZE, 44));
    assert_int_equal(played.stops, 1);
    assert_int_equal(played.allowed, 0);
    assert_non_null(strstr(played.why, "b has seen 44 entries"));
    assert_ptr_equal(witnesses_refused(w) ? "yes" : NULL, "yes");
    for (int i = 0; i < 10; i++)
        pass(100 * S);
    assert_int_equal(played.resumes, 0);
    assert_null(played.asks);
    end();
}

struct waiter {
    struct witness_wait wait;
    unsigned calls;
    size_t count;
};

static void on_wait(struct witness_wait *wait, size_t count)
{
    struct waiter *waiter = CONTAINER_OF(wait, struct waiter, wait);
    waiter->calls++;
    waiter->count = count;
}

static void who_awaits_a_head_hears_how_many_have_cosigned_it(void **state)
{
    struct waiter one = {.wait.fn = on_wait}, two = one, three = one;
    begin_serving("abc", 2, 60, 1000);
    played.size++;
    witnesses_grown(w);
    witnesses_await(w, &one.wait, 4);
    witnesses_await(w, &two.wait, 5);
    witnesses_await(w, &three.wait, 2);
    assert_int_equal(three.calls, 0); /* not inside the call */
    turn();
    assert_int_equal(three.calls, 1);
    assert_int_equal(three.count, 3);
    assert_true(answer("a", WITNESS_COSIGNED, 0));
    assert_int_equal(one.calls, 0);
    assert_true(answer("c", WITNESS_COSIGNED, 0));
    assert_int_equal(one.calls, 1);
    assert_int_equal(one.count, 2);
    pass(61 * S); /* nobody answers any more */
    assert_int_equal(played.stops, 1);
    assert_int_equal(two.calls, 1);
    assert_int_equal(two.count, 0);
    end();
}

static void after_a_change_both_sets_must_cosign(void **state)
{
    begin_serving("a", 1, 60, 1000);
    struct witness_set *old = set_of("a", 1, 60, 1000), *new = set_of("bc", 2, 60, 1000);
    played.size++; /* the change */
    assert_int_equal(witnesses_are(w, new, old), 0);
    assert_true(answer("b", WITNESS_SIZE, 0));
    assert_true(answer("b", WITNESS_COSIGNED, 0));
    assert_true(answer("c", WITNESS_COSIGNED, 0));
    assert_int_equal(witnesses_reached(w), 3); /* which a has cosigned, and the others with the larger one */
    assert_true(answer("a", WITNESS_COSIGNED, 0));
    assert_int_equal(witnesses_reached(w), 4);
    assert_int_equal(witnesses_are(w, new, NULL), 0);
    played.size++;
    witnesses_grown(w);
    assert_false(answer("a", WITNESS_COSIGNED, 0));
    assert_true(answer("b", WITNESS_COSIGNED, 0));
    assert_int_equal(witnesses_reached(w), 4);
    assert_true(answer("c", WITNESS_COSIGNED, 0));
    assert_int_equal(witnesses_reached(w), 5);
    witness_set_unref(old);
    witness_set_unref(new);
    end();
}

/* Witnesses that were removed bound what is written, and for how long, until they have cosigned that. */
static void removed_ones_bound_until_they_have_cosigned(void **state)
{
    begin_serving("a", 1, 60, 10);
    struct witness_set *old = set_of("a", 1, 60, 10), *none = set_of("", 0, 0, 0);
    played.size++; /* the change */
    assert_int_equal(witnesses_are(w, none, old), 0);
    assert_int_equal(played.allowed, 60);
    assert_true(answer("a", WITNESS_SILENT, 0));
    while (played.now <= 1060 * S) {
        assert_int_equal(played.stops, 0);
        pass(S);
        answer("a", WITNESS_SILENT, 0);
        if (played.appended)
            append_is_made();
    }
    assert_int_equal(played.stops, 1);
    assert_int_equal(played.allowed, 0);
    assert_int_equal(witnesses_are(w, none, NULL), 0);
    assert_int_equal(played.allowed, UINT64_MAX);
    witness_set_unref(old);
    witness_set_unref(none);
    end();
}

/* A change that keeps a witness asks it for both sets; the answer to the one may be behind that to the other. */
static void of_two_sets_that_have_one_witness_neither_takes_the_other_for_a_copy(void **state)
{
    begin_serving("a", 1, 60, 1000);
    struct witness_set *old = set_of("a", 1, 60, 1000), *new = set_of("ab", 2, 60, 1000);
    played.size++; /* the change */
    assert_int_equal(witnesses_are(w, new, old), 0);
    struct witness_ask *asked_first = NULL; /* for one of the two, on a slow connection */
    for (struct witness_ask *a = played.asks; a; a = a->next)
        if (strcmp(a->name, "a") == 0)
            asked_first = a;
    assert_non_null(asked_first);
    assert_int_equal(asked_first->size, 4);
    assert_true(answer("a", WITNESS_COSIGNED, 0)); /* for the other */
    played.size++;
    unlink_ask(asked_first);
    const struct witness_answer more = {.says = WITNESS_SIZE, .size = 5, .status = 409};
    witness_asked done = asked_first->done;
    void *user = asked_first->user;
    free(asked_first);
    played.told[0] = 0;
    done(user, &more);
    turn();
    assert_null(witnesses_refused(w));
    assert_null(strstr(played.told, "the store was put back"));
    while (answer("a", WITNESS_COSIGNED, 0) || answer("b", WITNESS_COSIGNED, 0))
        ;
    assert_int_equal(witnesses_reached(w), 5);
    char json[REPORT_MAX];
    report(played.now, json);
    assert_null(strstr(json, "\"refused\":1"));
    witness_set_unref(old);
    witness_set_unref(new);
    end();
}

static void the_reason_names_those_before_a_change(void **state)
{
    begin_serving("a", 1, 60, 1000);
    struct witness_set *old = set_of("a", 1, 60, 1000), *new = set_of("b", 1, 60, 1000);
    played.size++;
    assert_int_equal(witnesses_are(w, new, old), 0);
    assert_true(answer("b", WITNESS_COSIGNED, 0));
    assert_true(answer("a", WITNESS_SILENT, 0));
    pass(61 * S);
    assert_int_equal(played.stops, 1);
    assert_non_null(strstr(played.why, "of those before the change, who must cosign, too; a does not answer"));
    witness_set_unref(old);
    witness_set_unref(new);
    end();
}

static void what_one_said_is_not_told_of_what_it_is_asked_next(void **state)
{
    char json[REPORT_MAX];
    begin_serving("a", 1, 60, 1000);
    played.size++;
    witnesses_grown(w);
    report(played.now, json);
    assert_non_null(strstr(json, "has cosigned 3 entries"));
    assert_true(answer("a", WITNESS_COSIGNED, 0));
    report(played.now, json);
    assert_non_null(strstr(json, "has cosigned 4 entries"));
    end();
}

static void a_proof_that_comes_when_its_set_is_gone_is_let_be(void **state)
{
    static const uint8_t proof[1][32];
    begin_serving("a", 1, 60, 1000);
    played.proved_user = &played; /* keep the next one waiting */
    played.size++;
    witnesses_grown(w);
    assert_non_null(played.proved);
    be("b", 1, 60, 1000);
    played.proved(played.proved_user, 0, proof, 1);
    assert_false(answer("a", WITNESS_COSIGNED, 0));
    assert_true(answer("b", WITNESS_COSIGNED, 0));
    assert_int_equal(witnesses_reached(w), 4);
    end();
}

static void without_memory_it_is_asked_later(void **state)
{
    begin_serving("a", 1, 60, 1000);
    played.no_memory = true;
    played.size++;
    witnesses_grown(w);
    assert_null(played.asks);
    played.no_memory = false;
    pass(S);
    assert_true(answer("a", WITNESS_COSIGNED, 0));
    assert_int_equal(witnesses_reached(w), 4);
    played.refuse_append = true;
    pass(30 * S);
    unsigned appends = played.appends;
    assert_true(appends > 0);
    played.refuse_append = false;
    pass(S);
    assert_int_equal(played.appends, appends + 1);
    end();
}

static void the_report_is_json_of_all_of_them(void **state)
{
    char json[REPORT_MAX];
    begin("abc", 2, 60, 10, 3);
    assert_true(answer("a", WITNESS_COSIGNED, 0));
    assert_true(answer("b", WITNESS_STRANGER, 0));
    size_t size = report(played.now + 5 * S, json);
    assert_int_equal(size, strlen(json));
    assert_non_null(strstr(json, "\"a\":{\"cosigned\":3,\"age_seconds\":5,\"failures_total\":0,\"refused\":0,"));
    assert_non_null(strstr(json, "\"b\":{\"cosigned\":0,\"age_seconds\":0,\"failures_total\":1,"));
    end();
}

/* ---- schedules --------------------------------------------------------------------------------------------------- */

/* Whatever happens in whatever order: it serves only while what is proven is young enough, the store is never allowed
 * more than the commits beyond what is proven, and an honest quorum that answers has it serve in the end. */
static void schedule(unsigned seed)
{
    uint32_t seconds = 1 + (uint32_t)rand_r(&seed) % 20, commits = 1 + (uint32_t)rand_r(&seed) % 20;
    begin_serving("abc", 2 + (uint32_t)rand_r(&seed) % 2, seconds, commits);
    uint64_t proven_ns = played.now;
    uint64_t epochs[500]; /* as of the commit that carries the last entry of a log of this size */
    epochs[played.size] = played.epoch;
    for (int step = 0; step < 400; step++) {
        char name[2] = {(char)('a' + rand_r(&seed) % 3), 0};
        uint64_t reached = played.reached, size = played.size;
        switch (rand_r(&seed) % 6) {
        case 0:
            pass((uint64_t)(rand_r(&seed) % 1000) * S / 500);
            break;
        case 1:
            if (played.epoch < played.allowed) {
                played.epoch++;
                witnesses_committed(w, rand_r(&seed) % 2);
            }
            break;
        case 2:
            answer(name, WITNESS_SILENT, 0);
            break;
        case 3:
            if (played.appended)
                append_is_made();
            break;
        case 4:
            played.size++;
            played.epoch++;
            witnesses_grown(w);
            break;
        default:
            answer(name, WITNESS_COSIGNED, 0);
        }
        if (played.size > size)
            epochs[played.size] = played.epoch;
        turn();
        if (played.reached > reached)
            proven_ns = played.now;
        assert_true(played.allowed <= epochs[witnesses_reached(w)] + commits);
        assert_true(played.stops - played.resumes <= 1);
        if (played.stops == played.resumes)
            assert_true(played.now <= proven_ns + (uint64_t)seconds * S + S / 10);
    }
    for (int i = 0; i < 200 && (played.stops != played.resumes || played.reached < played.size); i++) {
        if (played.appended)
            append_is_made();
        for (const char *name = "a\0b\0c\0"; *name; name += 2)
            answer(name, WITNESS_COSIGNED, 0);
        pass(S / 10);
        if (i % 10 == 0 && played.stops == played.resumes)
            break;
    }
    assert_int_equal(played.stops, played.resumes);
    end();
}

static void any_schedule_keeps_the_bound(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("SEED=%u\n", seed);
    for (int i = 0; i < (given ? 1 : 300); i++)
        schedule(seed + (unsigned)i);
}

static int setup(void **state)
{
    for (size_t i = 0; i < 3; i++)
        cosigner_make(&keys[i], "w", NOTE_COSIGNATURE);
    return 0;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < 3; i++)
        cosigner_free(&keys[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_witnesses_nothing_is_asked_and_all_is_allowed),
        cmocka_unit_test(the_gate_opens_with_the_quorum),
        cmocka_unit_test(the_gate_stays_shut_and_asks_again),
        cmocka_unit_test(a_store_that_was_put_back_is_refused_at_the_gate),
        cmocka_unit_test(one_that_lies_does_no_harm_where_two_of_three_suffice),
        cmocka_unit_test(state_entries_come_at_half_of_the_seconds),
        cmocka_unit_test(one_that_rests_asks_and_says_nothing),
        cmocka_unit_test(state_entries_come_at_half_of_the_commits_and_none_goes_beyond),
        cmocka_unit_test(one_commit_at_a_time_can_be_asked_for),
        cmocka_unit_test(who_waits_has_an_entry_at_once_and_one_for_all_meanwhile),
        cmocka_unit_test(an_outage_stops_at_the_bound_and_its_end_resumes),
        cmocka_unit_test(a_refusal_while_serving_stops_for_good),
        cmocka_unit_test(who_awaits_a_head_hears_how_many_have_cosigned_it),
        cmocka_unit_test(after_a_change_both_sets_must_cosign),
        cmocka_unit_test(removed_ones_bound_until_they_have_cosigned),
        cmocka_unit_test(of_two_sets_that_have_one_witness_neither_takes_the_other_for_a_copy),
        cmocka_unit_test(the_reason_names_those_before_a_change),
        cmocka_unit_test(what_one_said_is_not_told_of_what_it_is_asked_next),
        cmocka_unit_test(a_proof_that_comes_when_its_set_is_gone_is_let_be),
        cmocka_unit_test(without_memory_it_is_asked_later),
        cmocka_unit_test(the_report_is_json_of_all_of_them),
        cmocka_unit_test(any_schedule_keeps_the_bound),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
