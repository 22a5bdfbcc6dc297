/*
 * What its client does to a guest: each path waits for its client in one way, and says in the log how that ended.
 * With ?stay it does not return when its client is gone, but waits for the end of the world.
 *
 *   /write   blocks of 4,096 bytes without end      /poll    the same, waiting with poll for room alone
 *   /both    waiting for room or a time far away    /read    its body, then it answers
 *   /sleep   waits for a time far away
 *   /nap     waits for a second, a hundred calls deep; then answers whether all on its stack is as it was
 *   /nap/deep  the same, two thousand deep
 */
#include "../common/wasi_http.h"

#define POLL "wasi:io/poll@0.2.12"
#define CLOCK "wasi:clocks/monotonic-clock@0.2.12"
#define STDOUT "wasi:cli/stdout@0.2.12"
#define FAR UINT64_C(1000000000000000)
#define SECOND UINT64_C(1000000000)

struct count_result {
    uint8_t error;
    _Alignas(8) union {
        uint64_t count;
        struct {
            uint8_t which;
            uint32_t handle;
        };
    };
};
struct index_list {
    const uint32_t *items;
    size_t count;
};

IMPORT(CLOCK, "subscribe-duration") uint32_t subscribe_duration(uint64_t ns);
IMPORT(POLL, "[method]pollable.block") void pollable_block(uint32_t pollable);
IMPORT(POLL, "poll") void poll(const uint32_t *pollables, size_t count, struct index_list *result);
IMPORT(STDOUT, "get-stdout") uint32_t get_stdout(void);
IMPORT(STREAMS, "[method]output-stream.check-write") void check_write(uint32_t stream, struct count_result *result);
IMPORT(STREAMS, "[method]output-stream.write")
void write_now(uint32_t stream, const void *data, size_t size, struct stream_result *result);
IMPORT(STREAMS, "[method]output-stream.subscribe") uint32_t subscribe(uint32_t stream);

static void say(struct text line)
{
    struct stream_result ignored;
    stream_write(get_stdout(), line.data, line.size, &ignored);
}

static void far_away(void)
{
    pollable_block(subscribe_duration(FAR));
}

/* Each level keeps values that it needs when those above it are done. */
__attribute__((noinline)) static uint64_t nap(unsigned depth, uint64_t seed, bool sleeps)
{
    uint64_t a = seed * 0x9e3779b97f4a7c15u + depth, b = a ^ (seed << 7), c = b * 3 + seed;
    if (depth == 0 && sleeps)
        pollable_block(subscribe_duration(SECOND));
    uint64_t above = depth == 0 ? seed : nap(depth - 1, a ^ c, sleeps);
    return (above ^ a) * 31 + (b ^ seed) * 17 + c;
}

static void nap_and_tell(uint32_t stream, unsigned depth, uint64_t seed)
{
    struct stream_result ignored;
    struct text same = TEXT("as it was\n"), other = TEXT("something else\n");
    struct text said = nap(depth, seed, true) == nap(depth, seed, false) ? same : other;
    stream_write(stream, said.data, said.size, &ignored);
}

static void write_blocks(uint32_t stream)
{
    static char block[4096];
    struct stream_result written = {0};
    while (!written.error)
        stream_write(stream, block, sizeof block, &written);
    say(written.which == 1 ? TEXT("write: closed\n") : TEXT("write: failed\n"));
}

static void write_when_there_is_room(uint32_t stream, bool or_later)
{
    static char block[4096];
    const uint32_t pollables[] = {subscribe(stream), subscribe_duration(FAR)};
    struct stream_result written = {0};
    for (;;) {
        struct index_list ready;
        struct count_result room;
        uintptr_t mark = heap_mark();
        poll(pollables, or_later ? 2 : 1, &ready);
        heap_release(mark);
        check_write(stream, &room);
        if (room.error)
            break;
        write_now(stream, block, room.count < sizeof block ? (size_t)room.count : sizeof block, &written);
        if (written.error)
            break;
    }
    say(TEXT("write: closed\n"));
}

static void read_all(uint32_t request)
{
    struct handle_result body, stream;
    struct byte_list piece;
    bool whole;
    request_consume(request, &body);
    incoming_body_stream(body.handle, &stream);
    for (uintptr_t mark = heap_mark(); read_piece(stream.handle, &piece, &whole); heap_release(mark))
        ;
    say(whole ? TEXT("read: whole\n") : TEXT("read: failed\n"));
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    uint32_t body = 0, stream = 0;
    request_path(request, &path);
    bool reads = text_starts(path.text, TEXT("/read")), stays = false;
    for (size_t i = 0; i < path.text.size; i++)
        stays |= path.text.data[i] == '?';
    if (!reads)
        body = respond(outparam, 200, &stream);
    if (reads)
        read_all(request);
    else if (text_starts(path.text, TEXT("/write")))
        write_blocks(stream);
    else if (text_starts(path.text, TEXT("/sleep")))
        far_away();
    else if (text_starts(path.text, TEXT("/nap")))
        nap_and_tell(stream, text_starts(path.text, TEXT("/nap/deep")) ? 2000 : 100, path.text.size);
    else
        write_when_there_is_room(stream, text_starts(path.text, TEXT("/both")));
    if (stays)
        far_away();
    if (reads)
        body = respond(outparam, 200, &stream);
    finish(body, stream);
    say(TEXT("returned\n"));
}
