/* Requests of administrators: by whom, together with whom, for what, and once. The tables of used tokens are small here
 * (CMakeLists.txt). */
#include "enclave/service/authority.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"
#include "enclave/secrets/testing/jws_make.h"

#define NOW 1800000000
#define TOKEN_SIZE 1024u
#define BODY "the body"

/* Of the keys: three admins, who are two or more together; one who deploys, one who monitors; and a stranger. */
enum { A, B, C, DEPLOY, MONITOR, STRANGER, KEYS };

static EVP_PKEY *keys[KEYS];
static struct administrators *list;
static uint8_t audience[32];
static char why[AUTHORITY_WHY_SIZE];
static unsigned tokens; /* made so far: each has a jti of its own */

static struct administrators *make_list(const char *roles, unsigned threshold)
{
    static const char *const names[] = {['a'] = "admin", ['d'] = "deploy", ['m'] = "monitor"};
    char json[ADMINISTRATORS_JSON_MAX], *at = json;
    uint8_t replaces[32];
    bool conditional;
    at += sprintf(at, "{\"threshold\":%u,\"administrators\":[", threshold);
    for (size_t i = 0, count = 0; roles[i]; i++) {
        char *pem;
        BIO *bio = BIO_new(BIO_s_mem());
        if (roles[i] != '-') {
            PEM_write_bio_PUBKEY(bio, keys[i]);
            at +=
                sprintf(at, "%s{\"role\":\"%s\",\"public_key\":\"", count++ ? "," : "", names[(unsigned char)roles[i]]);
            long size = BIO_get_mem_data(bio, &pem);
            for (long k = 0; k < size; k++)
                at += sprintf(at, pem[k] == '\n' ? "\\n" : "%c", pem[k]);
            at += sprintf(at, "\"}");
        }
        BIO_free(bio);
    }
    strcpy(at, "]}");
    struct administrators *made = administrators_parse(json, strlen(json), &conditional, replaces, why);
    if (!made)
        fail_msg("%s", why);
    return made;
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        keys[i] = EVP_EC_gen("P-256");
    memset(audience, 0x5a, sizeof audience);
    list = make_list("aaadm", 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    administrators_unref(list);
    for (size_t i = 0; i < KEYS; i++)
        EVP_PKEY_free(keys[i]);
    return 0;
}

/* What a token says; NULL and 0: what the request is. */
struct said {
    const char *method, *path, *body, *scope, *jti, *audience;
    int64_t issued_at;
};

static char *token(int by, struct said said, char out[TOKEN_SIZE])
{
    static const char header[] = "{\"alg\":\"ES256\"}";
    char claims[700], aud[65], body[65], jti[32];
    uint8_t hash[32];
    const char *text = said.body ? said.body : BODY;
    hex_text(audience, 32, aud);
    SHA256((const uint8_t *)text, strlen(text), hash);
    hex_text(hash, 32, body);
    snprintf(jti, sizeof jti, "number %09u", tokens++);
    long long from = said.issued_at ? said.issued_at : NOW;
    int size =
        snprintf(claims, sizeof claims,
                 "{\"aud\":\"%s\",\"method\":\"%s\",\"path\":\"%s\",\"body_sha256\":\"%s\",\"scope\":\"%s\","
                 "\"jti\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
                 said.audience ? said.audience : aud, said.method ? said.method : "PUT", said.path ? said.path : "/x?y",
                 body, said.scope ? said.scope : "", said.jti ? said.jti : jti, from, from + 300);
    out[jws_make(keys[by], header, strlen(header), claims, (size_t)size, out)] = 0;
    return out;
}

/* A request with the first token as its own and the others as approvals. */
struct request {
    char authorization[TOKEN_SIZE + 8], approvals[17 * TOKEN_SIZE];
    struct authority_asked asked;
};

static struct authority_asked *request(struct request *r, enum admin_role needs, enum authority_quorum together,
                                       const char *const *given)
{
    char *at = r->approvals;
    *r = (struct request){.asked = {.administrators = list,
                                    .audience = audience,
                                    .method = "PUT",
                                    .path = "/x?y",
                                    .authorization = r->authorization,
                                    .approvals = r->approvals,
                                    .asked_s = NOW,
                                    .needs = needs,
                                    .together = together}};
    snprintf(r->authorization, sizeof r->authorization, "Bearer %s", given[0]);
    for (size_t i = 1; given[i]; i++) {
        strcpy(at, given[i]);
        at += strlen(at) + 1;
        r->asked.approval_count++;
    }
    return &r->asked;
}

/* The status, for the head and whole: what the head cannot know is the body, and what was used. */
static int ask(enum admin_role needs, enum authority_quorum together, const char *const *given, struct authors *authors)
{
    static struct request r;
    struct authority_asked *asked = request(&r, needs, together, given);
    int head = authority_admit(asked, why), whole = authority_use(asked, BODY, strlen(BODY), authors, why);
    assert_true(whole != 0 || head == 0);
    return whole;
}

#define ASK(needs, together, ...) ask(needs, together, (const char *const[]){__VA_ARGS__, NULL}, &authors)

static void test_roles(void **state)
{
    (void)state;
    struct authors authors;
    char text[TOKEN_SIZE];
    static const int expected[KEYS][3] = {
        /* needs monitor, deploy, admin */
        [A] = {0, 0, 0},        [B] = {0, 0, 0},           [C] = {0, 0, 0},
        [DEPLOY] = {0, 0, 403}, [MONITOR] = {0, 403, 403}, [STRANGER] = {401, 401, 401},
    };
    for (int by = 0; by < KEYS; by++) {
        for (int needs = ADMIN_ROLE_MONITOR; needs <= ADMIN_ROLE_ADMIN; needs++) {
            int status = ASK((enum admin_role)needs, false, token(by, (struct said){0}, text));
            if (status != expected[by][needs])
                fail_msg("key %d, needs %d: %d %s", by, needs, status, why);
        }
    }
}

static void test_nobody(void **state)
{
    (void)state;
    struct authors authors;
    char text[TOKEN_SIZE];
    struct administrators *kept = list;
    list = administrators_of_key(NULL, 0, why);
    assert_int_equal(ASK(ADMIN_ROLE_MONITOR, false, token(A, (struct said){0}, text)), 403);
    assert_non_null(strstr(why, "without an admin key"));
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, token(A, (struct said){0}, text)), 403);
    administrators_unref(list);
    list = kept;
}

static void test_together(void **state)
{
    (void)state;
    struct authors authors;
    char a[TOKEN_SIZE], b[TOKEN_SIZE], c[TOKEN_SIZE];
    token(A, (struct said){0}, a);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a), 403);
    assert_non_null(strstr(why, "2 admins together: there are 1"));
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a, token(A, (struct said){0}, b)), 403);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a, a), 403);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a, token(DEPLOY, (struct said){0}, b)), 403);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a, token(MONITOR, (struct said){0}, b)), 403);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a, token(STRANGER, (struct said){0}, b)), 401);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, token(DEPLOY, (struct said){0}, c), a, token(B, (struct said){0}, b)),
                     403);
    token(B, (struct said){0}, b);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a, b), 0); /* none of all that has used them up */
    assert_int_equal(authors.count, 2);
    token(A, (struct said){0}, a);
    token(B, (struct said){0}, b);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a, b, token(C, (struct said){0}, c)), 0); /* more than are needed */
    assert_int_equal(authors.count, 3);
}

/* What fixes a rule takes whoever may push, and where the threshold is more than one, so many admins beside. */
static void test_rules(void **state)
{
    (void)state;
    struct authors authors;
    struct administrators *alone = make_list("aaadm", 1), *both = list;
    char a[TOKEN_SIZE], b[TOKEN_SIZE], d[TOKEN_SIZE];
    token(A, (struct said){0}, a);
    token(DEPLOY, (struct said){0}, d);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, AUTHORITY_RULES, a), 403);
    assert_non_null(strstr(why, "2 admins together: there are 1"));
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, AUTHORITY_RULES, d), 403);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, AUTHORITY_RULES, d, a), 403);
    assert_non_null(strstr(why, "there are 1")); /* who deploys is no admin */
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, AUTHORITY_RULES, d, a, token(B, (struct said){0}, b)), 0);
    assert_true(authors_still_may(&authors, list, why));
    token(A, (struct said){0}, a);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, AUTHORITY_RULES, a, token(B, (struct said){0}, b)), 0);
    list = alone;
    token(DEPLOY, (struct said){0}, d);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, AUTHORITY_RULES, d), 0);
    list = both;
    assert_true(authors_still_may(&authors, alone, why));
    assert_false(authors_still_may(&authors, both, why)); /* more are wanted now */
    assert_true(authors_suffice(&authors, AUTHORITY_ALONE, both, why));
    assert_false(authors_suffice(&authors, AUTHORITY_RULES, both, why));
    administrators_unref(alone);
}

/* Approvals that a request does not need must hold all the same. */
static void test_needless(void **state)
{
    (void)state;
    struct authors authors;
    char a[TOKEN_SIZE], b[TOKEN_SIZE];
    token(A, (struct said){0}, a);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, false, a, "x"), 401);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, false, a, token(STRANGER, (struct said){0}, b)), 401);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, false, a, token(B, (struct said){0}, b)), 0);
}

/* Each claim, in the request's own token and in an approval. */
static void test_claims(void **state)
{
    (void)state;
    static const struct said wrong[] = {{.method = "DELETE"},      {.path = "/x"},           {.body = "another"},
                                        {.scope = "monitoring"},   {.jti = "short"},         {.audience = "00"},
                                        {.issued_at = NOW - 1000}, {.issued_at = NOW + 1000}};
    struct authors authors;
    char good[TOKEN_SIZE], other[TOKEN_SIZE], bad[TOKEN_SIZE];
    token(A, (struct said){0}, good);
    token(B, (struct said){0}, other);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, token(A, wrong[i], bad), other), 401);
        assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, good, token(B, wrong[i], bad)), 401);
        assert_non_null(strstr(why, "approval 1 "));
        assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, good, other, token(C, wrong[i], bad)), 401);
        assert_non_null(strstr(why, "approval 2 "));
    }
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, good, other), 0);
}

/* What no token is over, the path that they are over names: in the request's own token and in an approval alike. */
static void test_publication(void **state)
{
    (void)state;
    static struct request r;
    static const struct {
        const char *given, *named; /* by the path; NULL: nothing */
        int status;
    } cases[] = {{NULL, NULL, 0},         {"terms", "terms", 0},    {"terms", NULL, 401}, {NULL, "terms", 401},
                 {"worse", "terms", 401}, {"terms ", "terms", 401}, {"", "", 0},          {"", NULL, 401}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[128] = "/x?rule=frozen", a[TOKEN_SIZE], b[TOKEN_SIZE], hex[65];
        uint8_t hash[32];
        struct authors authors;
        if (cases[i].named) {
            SHA256((const uint8_t *)cases[i].named, strlen(cases[i].named), hash);
            hex_text(hash, sizeof hash, hex);
            sprintf(path + strlen(path), "&publication=%s", hex);
        }
        const struct said said = {.path = path};
        const char *const given[] = {token(A, said, a), token(B, said, b), NULL};
        struct authority_asked *asked = request(&r, ADMIN_ROLE_DEPLOY, AUTHORITY_RULES, given);
        asked->path = path;
        asked->publication = cases[i].given;
        int head = authority_admit(asked, why), whole = authority_use(asked, BODY, strlen(BODY), &authors, why);
        if (head != cases[i].status || whole != cases[i].status)
            fail_msg("case %zu: %d, %d %s", i, head, whole, why);
    }
}

static void test_once(void **state)
{
    (void)state;
    struct authors authors;
    char a[TOKEN_SIZE], b[TOKEN_SIZE], fresh[TOKEN_SIZE];
    token(A, (struct said){0}, a);
    token(B, (struct said){0}, b);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a, b), 0);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a, b), 401);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, false, a), 401);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, false, b), 401); /* an approval is a token as any other */
    token(C, (struct said){0}, fresh);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, fresh, b), 401);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, fresh, token(B, (struct said){0}, b)), 0); /* fresh was not used up */
    token(A, (struct said){.jti = "the same for both"}, a);
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, a, token(B, (struct said){.jti = "the same for both"}, b)), 401);
}

/* Whose turn it is only now. */
static void test_turn(void **state)
{
    (void)state;
    static const struct {
        const char *roles;
        unsigned threshold;
        bool deploy, admin, together; /* what D, A, and A with B asked for */
    } lists[] = {
        {"aaadm", 2, true, true, true},   {"aaa-m", 2, false, true, true}, {"-aad-", 1, true, false, false},
        {"a-ad-", 1, true, true, true},   {"a-aa-", 2, true, true, false}, {"aaaa-", 3, true, true, false},
        {"daad-", 1, true, false, false}, {"admaa", 1, true, true, true},  {"aaamm", 2, false, true, true},
    };
    struct authors by_deploy, by_admin, by_both, authors;
    char a[TOKEN_SIZE], b[TOKEN_SIZE];
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, false, token(DEPLOY, (struct said){0}, a)), 0);
    by_deploy = authors;
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, false, token(A, (struct said){0}, a)), 0);
    by_admin = authors;
    assert_int_equal(ASK(ADMIN_ROLE_ADMIN, true, token(A, (struct said){0}, a), token(B, (struct said){0}, b)), 0);
    by_both = authors;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct administrators *now = make_list(lists[i].roles, lists[i].threshold);
        assert_int_equal(authors_still_may(&by_deploy, now, why), lists[i].deploy);
        assert_int_equal(authors_still_may(&by_admin, now, why), lists[i].admin);
        assert_int_equal(authors_still_may(&by_both, now, why), lists[i].together);
        administrators_unref(now);
    }
}

static bool monitor(int by, struct said said, int64_t now_s)
{
    static struct request r;
    char text[TOKEN_SIZE];
    said.body = said.body ? said.body : "";
    said.scope = said.scope ? said.scope : "monitoring";
    struct authority_asked *asked =
        request(&r, ADMIN_ROLE_MONITOR, false, (const char *const[]){token(by, said, text), NULL});
    asked->asked_s = now_s;
    return authority_may_monitor(asked);
}

static void test_monitoring(void **state)
{
    (void)state;
    int64_t now = NOW;
    assert_true(monitor(A, (struct said){0}, now));
    assert_true(monitor(DEPLOY, (struct said){0}, now));
    assert_true(monitor(MONITOR, (struct said){.jti = "once and no more"}, now));
    assert_false(monitor(MONITOR, (struct said){.jti = "once and no more"}, now));
    assert_false(monitor(STRANGER, (struct said){0}, now));
    assert_false(monitor(MONITOR, (struct said){.scope = ""}, now));
    assert_false(monitor(MONITOR, (struct said){.scope = "monitor"}, now));
    assert_false(monitor(MONITOR, (struct said){.body = "x"}, now));
    assert_false(monitor(MONITOR, (struct said){.path = "/y"}, now));
    assert_false(monitor(MONITOR, (struct said){.jti = "short"}, now));
    for (size_t used = 3; used < AUTHORITY_MONITORING_MAX; used++)
        assert_true(monitor(MONITOR, (struct said){0}, now));
    assert_false(monitor(MONITOR, (struct said){0}, now));
    now += 1000; /* those have expired */
    assert_true(monitor(MONITOR, (struct said){.issued_at = now}, now));
}

/* Two threads with the same tokens: one of them has them. */
struct racer {
    char *a, *b;
    atomic_int *at_start;
    int status;
};

static void *race(void *user)
{
    struct racer *racer = user;
    struct request *r = calloc(1, sizeof *r);
    struct authors authors;
    char text[AUTHORITY_WHY_SIZE];
    struct authority_asked *asked = request(r, ADMIN_ROLE_ADMIN, true, (const char *const[]){racer->a, racer->b, NULL});
    atomic_fetch_add(racer->at_start, 1);
    while (atomic_load(racer->at_start) < 2)
        ;
    racer->status = authority_use(asked, BODY, strlen(BODY), &authors, text);
    free(r);
    return NULL;
}

static void test_race(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) { /* 8 of the AUTHORITY_USED_MAX */
        char a[TOKEN_SIZE], b[TOKEN_SIZE], c[TOKEN_SIZE];
        pthread_t threads[2];
        atomic_int at_start = 0;
        struct racer racers[2] = {{a, b, &at_start, 0}, {c, b, &at_start, 0}}; /* the same approval */
        token(A, (struct said){0}, a);
        token(B, (struct said){0}, b);
        token(C, (struct said){0}, c);
        for (size_t i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, race, &racers[i]);
        for (size_t i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(racers[0].status + racers[1].status, 401);
    }
}

/* Last, since it uses them up: who deploys has half of the tokens, admins have what is left. */
static void test_full(void **state)
{
    (void)state;
    struct authors authors;
    char text[TOKEN_SIZE];
    int status = 0;
    unsigned used = 0;
    for (; status == 0 && used <= AUTHORITY_USED_MAX; used++)
        status = ASK(ADMIN_ROLE_DEPLOY, false, token(DEPLOY, (struct said){0}, text));
    assert_int_equal(status, 503);
    assert_true(used <= AUTHORITY_USED_MAX / 2 + 1);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, false, token(A, (struct said){0}, text)), 0);
    assert_int_equal(ASK(ADMIN_ROLE_DEPLOY, false, token(DEPLOY, (struct said){0}, text)), 503);
    for (used = 0, status = 0; status == 0 && used <= AUTHORITY_USED_MAX; used++)
        status = ASK(ADMIN_ROLE_DEPLOY, false, token(A, (struct said){0}, text));
    assert_int_equal(status, 503);
    assert_non_null(strstr(why, "no more tokens can be remembered"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles), cmocka_unit_test(test_nobody),      cmocka_unit_test(test_together),
        cmocka_unit_test(test_rules), cmocka_unit_test(test_needless),    cmocka_unit_test(test_claims),
        cmocka_unit_test(test_once),  cmocka_unit_test(test_turn),        cmocka_unit_test(test_monitoring),
        cmocka_unit_test(test_race),  cmocka_unit_test(test_publication), cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
