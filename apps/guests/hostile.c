/*
 * An app that attacks: each path is one attack, and the answer is what came of it, for tests/e2e/hostile.sh to judge.
 * What must end the guest has no answer of its own: the server says 500.
 */
#include "hostile.h"

/* What is said so far. */
static char said[8192];
static size_t said_size;

static void say(struct text text)
{
    for (size_t i = 0; i < text.size && said_size < sizeof said; i++)
        said[said_size++] = text.data[i];
}

static void say_number(uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    say((struct text){digits + at, sizeof digits - at});
}

/* "ok", or "error N" */
static void say_result(bool error, uint32_t code)
{
    say(error ? TEXT("error ") : TEXT("ok"));
    if (error)
        say_number(code);
    say(TEXT("\n"));
}

static uint32_t root(void)
{
    struct directories d;
    get_directories(&d);
    return d.items[0].handle;
}

/* ---- other apps' secrets -------------------------------------------------------------------------------------- */

static void keys(void)
{
    static const struct text buckets[] = {
        TEXT("default"),      TEXT(""),       TEXT("victim"), TEXT("../victim"), TEXT("app:victim:kv:default"),
        TEXT("x:kv:default"), TEXT("system"), TEXT("a\0b")};
    for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++) {
        struct store_result bucket, value;
        struct list_result list;
        store_open(buckets[i].data, buckets[i].size, &bucket);
        if (bucket.error) {
            say(TEXT("refused\n"));
            continue;
        }
        bucket_get(bucket.handle, "secret", 6, &value);
        bucket_list(bucket.handle, 0, 0, &list);
        say(value.error || value.some || list.error || list.keys.count ? TEXT("FOUND\n") : TEXT("nothing\n"));
    }
}

static void environment(void)
{
    struct pairs all;
    struct store_result secret;
    get_environment(&all);
    for (size_t i = 0; i < all.count; i++) {
        say(all.items[i].name);
        say(TEXT("="));
        say(all.items[i].value);
        say(TEXT("\n"));
    }
    config_get("secret", 6, &secret);
    say(secret.error || secret.some ? TEXT("FOUND\n") : TEXT("nothing\n"));
}

static void preopens(void)
{
    struct directories d;
    get_directories(&d);
    for (size_t i = 0; i < d.count; i++) {
        say(d.items[i].name);
        say(TEXT("\n"));
    }
}

/* ---- ways out of the root ------------------------------------------------------------------------------------- */

static char long_name[5000];

static void try_open(uint32_t at, struct text path, uint32_t open_flags)
{
    struct small_result r;
    open_at(at, 1, path.data, path.size, open_flags, 3, &r);
    say_result(r.error, r.code);
}

static void escape(void)
{
    static const struct text paths[] = {
        TEXT(".."),         TEXT("../victim/secret"), TEXT("d/../../secret"),
        TEXT("d/../.."),    TEXT("/etc/passwd"),      TEXT("/"),
        TEXT("//secret"),   TEXT("./../x"),           TEXT("d/./../../x"),
        TEXT("..\\secret"), TEXT("a\0/../b"),         TEXT(""),
        TEXT("secret"),
    };
    struct code_result made;
    uint32_t at = root();
    mkdir_at(at, "d", 1, &made);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        try_open(at, paths[i], 0);
    for (size_t i = 0; i < sizeof long_name; i++)
        long_name[i] = 'n';
    try_open(at, (struct text){long_name, 256}, 1);
    try_open(at, (struct text){long_name, sizeof long_name}, 1);
}

/* A directory's descriptor leads no further up than the root's. */
static void escape_below(void)
{
    struct code_result made;
    struct small_result below;
    uint32_t at = root();
    mkdir_at(at, "d", 1, &made);
    open_at(at, 0, "d", 1, 2, 1, &below);
    try_open(below.handle, TEXT(".."), 0);
    try_open(below.handle, TEXT("../d"), 0);
    try_open(below.handle, TEXT("x"), 1);
    rename_at(below.handle, "x", 1, below.handle, "../y", 4, &made);
    say_result(made.error, made.code);
}

static void links(void)
{
    struct code_result r;
    struct small_result target;
    uint32_t at = root();
    symlink_at(at, "/etc", 4, "way-out", 7, &r);
    say_result(r.error, r.code);
    symlink_at(at, "../..", 5, "way-out", 7, &r);
    say_result(r.error, r.code);
    link_at(at, 0, "../victim/secret", 16, at, "mine", 4, &r);
    say_result(r.error, r.code);
    readlink_at(at, "way-out", 7, &target);
    say_result(target.error, target.code);
    try_open(at, TEXT("way-out"), 0);
}

static void sockets(void)
{
    struct small_result r;
    create_tcp(0, &r);
    say_result(r.error, r.code);
    create_udp(1, &r);
    say_result(r.error, r.code);
    resolve(instance_network(), "localhost", 9, &r);
    say_result(r.error, r.code);
}

/* ---- handles -------------------------------------------------------------------------------------------------- */

static void exhaust_fields(void)
{
    for (;;)
        fields_new();
}

static void exhaust_pollables(void)
{
    for (;;)
        subscribe_duration(1);
}

static void exhaust_buckets(void)
{
    struct store_result bucket;
    do
        store_open("b", 1, &bucket);
    while (!bucket.error);
}

static void exhaust_descriptors(void)
{
    struct small_result r;
    uint32_t at = root();
    do
        open_at(at, 0, "many", 4, 1, 3, &r);
    while (!r.error);
}

static void exhaust_streams(void)
{
    struct small_result file, stream;
    open_at(root(), 0, "many", 4, 1, 3, &file);
    do
        file_stream(file.handle, 0, &stream);
    while (!stream.error);
}

static void exhaust_requests(void)
{
    for (;;)
        outgoing_new(fields_new());
}

static void wrong_type(void)
{
    uint8_t result[8];
    fields_set(subscribe_duration(1), "a", 1, NULL, 0, result);
}

static void dropped(void)
{
    uint32_t pollable = subscribe_duration(1);
    pollable_drop(pollable);
    pollable_block(pollable);
}

static void dropped_twice(void)
{
    uint32_t fields = fields_new();
    fields_drop(fields);
    fields_drop(fields);
}

static void given_away(void)
{
    uint32_t fields = fields_new();
    outgoing_new(fields);
    outgoing_new(fields);
}

static void never_given(void)
{
    pollable_block(12345);
}

static void largest(void)
{
    struct stream_result r;
    stream_write_now(UINT32_MAX, "x", 1, &r);
}

/* ---- lengths and numbers -------------------------------------------------------------------------------------- */

static void list_outside(void)
{
    struct small_result r;
    fields_from_list((const void *)16, 0x10000000, &r);
}

static void text_outside(void)
{
    struct store_result r;
    store_open((const char *)0xfffffff0, 0xffff, &r);
}

static void bad_utf8(void)
{
    struct store_result r;
    store_open("\xff\xfe", 2, &r);
}

static void poll_nothing(void)
{
    struct byte_list ready;
    poll(NULL, 0, &ready);
}

/* One handle, a hundred thousand times: served, at the cost of the list. */
static void poll_many(void)
{
    struct byte_list ready;
    uint32_t pollable = subscribe_duration(1000000);
    uint32_t *list = cabi_realloc(NULL, 0, 4, 400000);
    for (int i = 0; i < 100000; i++)
        list[i] = pollable;
    poll(list, 100000, &ready);
    say_number(ready.size);
    say(TEXT("\n"));
}

/* Nearly as many, for a time that never comes. */
static void poll_long(void)
{
    struct byte_list ready;
    uint32_t pollable = subscribe_duration(UINT64_MAX / 2);
    uint32_t *list = cabi_realloc(NULL, 0, 4, 360000);
    for (int i = 0; i < 90000; i++)
        list[i] = pollable;
    poll(list, 90000, &ready);
}

/* Half a million empty names and values: 8 MiB here, three times as much once they are read. */
static void fields_many(void)
{
    struct small_result r;
    struct pair *list = cabi_realloc(NULL, 0, 4, 500000 * sizeof *list);
    fields_from_list(list, 500000, &r);
}

static void random_much(void)
{
    struct byte_list bytes;
    random_bytes(UINT64_MAX, &bytes);
}

static void far_write(void)
{
    struct small_result file;
    struct code_result r;
    struct large_result written;
    uint32_t at = root();
    open_at(at, 0, "far", 3, 1, 3, &file);
    set_size(file.handle, UINT64_MAX, &r);
    say_result(r.error, r.code);
    file_write(file.handle, "x", 1, UINT64_MAX, &written);
    say_result(written.error, written.code);
    file_write(file.handle, "xy", 2, UINT64_MAX - 1, &written);
    say_result(written.error, written.code);
}

static void too_much_at_once(uint32_t outparam)
{
    struct stream_result r;
    uint32_t stream;
    respond(outparam, 200, &stream);
    stream_write(stream, long_name, 4097, &r);
}

static void more_than_allowed(uint32_t outparam)
{
    struct stream_result r;
    uint32_t stream;
    void *large = cabi_realloc(NULL, 0, 1, 1 << 20);
    respond(outparam, 200, &stream);
    stream_write_now(stream, large, 1 << 20, &r);
}

/* ---- the answer ------------------------------------------------------------------------------------------------- */

static void smuggle(void)
{
    static const struct text names[] = {
        TEXT("a b"),        TEXT(""),     TEXT("a\r\nb"), TEXT("a:"), TEXT("transfer-encoding"),
        TEXT("Connection"), TEXT("HOST"), TEXT("fine")};
    uint8_t result[8];
    uint32_t fields = fields_new();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fields_append(fields, names[i].data, names[i].size, "x", 1, result);
        say_result(result[0], result[1]);
    }
    fields_append(fields, "fine", 4, "x\r\nset-cookie: y", 16, result);
    say_result(result[0], result[1]);
    fields_append(fields, "fine", 4, "x\0y", 3, result);
    say_result(result[0], result[1]);
}

static void answer_twice(uint32_t outparam)
{
    respond_text(outparam, 200, TEXT("once\n"));
    respond_text(outparam, 200, TEXT("twice\n"));
}

static void lie(uint32_t outparam, const char *length)
{
    struct handle_result body, out;
    struct stream_result written;
    uint64_t result[6];
    uint8_t ignored[8];
    uint32_t fields = fields_new();
    fields_append(fields, "content-length", 14, length, 2, ignored);
    uint32_t response = response_new(fields);
    response_body(response, &body);
    outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
    outgoing_body_write(body.handle, &out);
    stream_write(out.handle, "0123456789abcdef", 16, &written);
    output_stream_drop(out.handle);
    outgoing_body_finish(body.handle, 0, 0, result);
}

static void drown(uint32_t outparam)
{
    struct stream_result r;
    uint32_t stream;
    respond(outparam, 200, &stream);
    do
        stream_zeroes(stream, 4096, &r);
    while (!r.error);
}

static void flood_log(void)
{
    struct stream_result r;
    uint32_t out = get_stdout();
    for (size_t i = 0; i < sizeof long_name; i++)
        long_name[i] = i % 20 ? 'l' : '\n';
    for (int i = 0; i < 20000; i++)
        stream_write(out, long_name, 4096, &r);
    say(TEXT("done\n"));
}

static void wait_for_ever(void)
{
    pollable_block(subscribe_duration(UINT64_MAX));
}

struct attack {
    struct text path;
    void (*run)(void);
    void (*answer)(uint32_t outparam);
};

static void lie_short(uint32_t outparam)
{
    lie(outparam, "99");
}

static void lie_long(uint32_t outparam)
{
    lie(outparam, "05");
}

static const struct attack attacks[] = {
    {TEXT("/keys"), keys, NULL},
    {TEXT("/environment"), environment, NULL},
    {TEXT("/preopens"), preopens, NULL},
    {TEXT("/escape"), escape, NULL},
    {TEXT("/below"), escape_below, NULL},
    {TEXT("/links"), links, NULL},
    {TEXT("/sockets"), sockets, NULL},
    {TEXT("/exhaust-fields"), exhaust_fields, NULL},
    {TEXT("/exhaust-pollables"), exhaust_pollables, NULL},
    {TEXT("/exhaust-buckets"), exhaust_buckets, NULL},
    {TEXT("/exhaust-descriptors"), exhaust_descriptors, NULL},
    {TEXT("/exhaust-streams"), exhaust_streams, NULL},
    {TEXT("/exhaust-requests"), exhaust_requests, NULL},
    {TEXT("/wrong-type"), wrong_type, NULL},
    {TEXT("/dropped"), dropped, NULL},
    {TEXT("/dropped-twice"), dropped_twice, NULL},
    {TEXT("/given-away"), given_away, NULL},
    {TEXT("/never-given"), never_given, NULL},
    {TEXT("/largest"), largest, NULL},
    {TEXT("/list-outside"), list_outside, NULL},
    {TEXT("/text-outside"), text_outside, NULL},
    {TEXT("/bad-utf8"), bad_utf8, NULL},
    {TEXT("/poll-nothing"), poll_nothing, NULL},
    {TEXT("/poll-many"), poll_many, NULL},
    {TEXT("/poll-long"), poll_long, NULL},
    {TEXT("/fields-many"), fields_many, NULL},
    {TEXT("/random-much"), random_much, NULL},
    {TEXT("/far-write"), far_write, NULL},
    {TEXT("/too-much-at-once"), NULL, too_much_at_once},
    {TEXT("/more-than-allowed"), NULL, more_than_allowed},
    {TEXT("/smuggle"), smuggle, NULL},
    {TEXT("/answer-twice"), NULL, answer_twice},
    {TEXT("/lie-short"), NULL, lie_short},
    {TEXT("/lie-long"), NULL, lie_long},
    {TEXT("/drown"), NULL, drown},
    {TEXT("/flood-log"), flood_log, NULL},
    {TEXT("/wait-for-ever"), wait_for_ever, NULL},
};

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    request_path(request, &path);
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        const struct attack *a = &attacks[i];
        if (a->path.size != path.text.size || !text_starts(path.text, a->path))
            continue;
        if (a->answer) {
            a->answer(outparam);
            return;
        }
        a->run();
        respond_text(outparam, 200, (struct text){said, said_size < 4096 ? said_size : 4096});
        return;
    }
    respond_text(outparam, 404, TEXT("no such attack\n"));
}
