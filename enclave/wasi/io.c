/*
 * wasi:io/{error,poll,streams}@0.2.x
 *
 * An input stream reads the request's body, a file or nothing; an output stream writes the response's body, a file or
 * the log.
 */
#include <errno.h>

#include "common/clock.h"
#include "enclave/https/client.h"
#include "enclave/wasi/internal.h"

#define STREAM_ERROR "variant{last-operation-failed:own<error>,closed}"

/* wasi:io/error */

static HOST_FUNC(error_text_of)
{
    struct resource *error = resource_get(g, &args[0], KIND_ERROR);
    if (!error)
        return guest_trap(g, "not an error");
    reply_text(g, error->error.message, strlen(error->error.message));
    return HOST_DONE;
}

/* wasi:io/poll */

static size_t stream_space(struct guest *g, struct resource *stream)
{
    if (stream->state == STREAM_BODY)
        return outgoing_body_space(g, stream->on);
    return stream->state == STREAM_ANSWER ? command_space(g) : SCRATCH_SIZE;
}

/* Of a response from elsewhere, or of the request. */
static bool body_ready(struct guest *g, struct http_call *call)
{
    return call ? http_call_readable(call) : !g->x || g->x->ops->body_ready(g->x);
}

/* What a pollable on target waits for. */
static bool resource_ready(struct guest *g, struct resource *target)
{
    resource_check(target);
    ENSURE(target->kind != KIND_POLLABLE);
    switch (target->kind) {
    case KIND_INPUT_STREAM:
        return target->state != STREAM_BODY || body_ready(g, call_of(target->on));
    case KIND_FUTURE_INCOMING_RESPONSE:
        return http_call_status(call_of(target)) || http_call_failure(call_of(target));
    case KIND_OUTPUT_STREAM:
        return stream_space(g, target) > 0;
    case KIND_FUTURE_TRAILERS:
        return body_ready(g, call_of(target));
    default:
        return true;
    }
}

static bool pollable_ready(struct guest *g, struct resource *pollable)
{
    if (pollable->on)
        return resource_ready(g, pollable->on);
    return pollable->pollable.deadline_ns <= g->worker->loop.now_ns ||
           pollable->pollable.deadline_ns <= clock_monotonic_ns();
}

/* A body that is full before anybody can read it makes no room while the guest waits for that. */
static bool never_ready(struct guest *g, struct resource *target)
{
    bool early = target->kind == KIND_OUTPUT_STREAM && target->state == STREAM_BODY && target->on->state == BODY_EARLY;
    return early && outgoing_body_space(g, target->on) == 0;
}

static enum host_result wait_in_vain(struct guest *g)
{
    return guest_trap(g, "the guest wrote more than 32 KiB of a body that nobody can read yet: first set the response "
                         "(response-outparam.set) or send the request (outgoing-handler.handle)");
}

/* Room in the answer is its client's to make; whatever else is waited for is not, or has a deadline here. */
static enum waits_for waits_on(const struct resource *target)
{
    bool answers = target->kind == KIND_OUTPUT_STREAM &&
                   (target->state == STREAM_ANSWER || (target->state == STREAM_BODY && !call_of(target->on)));
    return answers ? WAITS_ROOM : WAITS_OTHERS;
}

static enum waits_for wait_for(struct guest *g, struct resource *pollable)
{
    if (pollable->on)
        return waits_on(pollable->on);
    guest_wake_at(g, pollable->pollable.deadline_ns);
    return WAITS_OTHERS;
}

static HOST_FUNC(ready)
{
    struct resource *pollable = resource_get(g, &args[0], KIND_POLLABLE);
    if (!pollable)
        return guest_trap(g, "not a pollable");
    reply_word(g, pollable_ready(g, pollable));
    return HOST_DONE;
}

static HOST_FUNC(block)
{
    struct resource *pollable = resource_get(g, &args[0], KIND_POLLABLE);
    if (!pollable)
        return guest_trap(g, "not a pollable");
    if (pollable_ready(g, pollable))
        return HOST_DONE;
    if (pollable->on && never_ready(g, pollable->on))
        return wait_in_vain(g);
    return guest_wait(g, wait_for(g, pollable));
}

static HOST_FUNC(poll)
{
    size_t wanted = args[0].word, found = 0;
    if (wanted == 0 || wanted != count - 1)
        return guest_trap(g, "poll of an empty list");
    reply_word(g, 0);
    for (size_t i = 0; i < wanted; i++) {
        struct resource *pollable = resource_get(g, &args[1 + i], KIND_POLLABLE);
        if (!pollable)
            return guest_trap(g, "not a pollable");
        if (pollable_ready(g, pollable)) {
            reply_word(g, i);
            found++;
        }
    }
    g->reply[0].word = found;
    if (found)
        return HOST_DONE;
    size_t in_vain = 0;
    enum waits_for what = WAITS_ROOM;
    for (size_t i = 0; i < wanted; i++) {
        struct resource *pollable = resource_get(g, &args[1 + i], KIND_POLLABLE);
        if (wait_for(g, pollable) != WAITS_ROOM)
            what = WAITS_OTHERS;
        in_vain += pollable->on && never_ready(g, pollable->on);
    }
    return in_vain == wanted ? wait_in_vain(g) : guest_wait(g, in_vain ? WAITS_OTHERS : what);
}

static HOST_FUNC(subscribe)
{
    struct resource *stream = resource_get(g, &args[0], (enum kind)args[0].size);
    struct resource *pollable = stream ? pollable_on(g, stream) : NULL;
    if (!pollable)
        return guest_trap(g, "not a stream");
    reply_own(g, pollable);
    return HOST_DONE;
}

/* wasi:io/streams: reading. Returns bytes, -EAGAIN, 0 at the end, other negative errno if broken; of a file also
 * -EINPROGRESS: whether blocking or not, the guest waits for the file system. */

static ssize_t stream_read(struct guest *g, struct resource *stream, void *buf, uint64_t size)
{
    if (stream->state == STREAM_EMPTY || stream->state == STREAM_CLOSED)
        return 0;
    if (size > SCRATCH_SIZE)
        size = SCRATCH_SIZE;
    if (size == 0)
        return -EAGAIN;
    if (stream->state == STREAM_FILE)
        return file_stream_read(g, stream, buf, size);
    return incoming_body_read(g, call_of(stream->on), buf, size);
}

/* After last-operation-failed a stream is closed, says the WIT. */
static enum stream_end close_stream(struct resource *stream)
{
    enum stream_end was = stream->state;
    stream->state = STREAM_CLOSED;
    return was;
}

static enum host_result read_failed(struct guest *g, struct resource *stream, ssize_t error)
{
    if (g->trap)
        return HOST_TRAP;
    if (close_stream(stream) == STREAM_FILE)
        return reply_file_error(g, (int)error);
    const struct http_call *call = call_of(stream->on);
    return call ? reply_broken_response(g, call) : reply_error(g, "the request's body is broken");
}

static enum host_result read_common(struct guest *g, const struct slot *args, bool blocking, bool skip)
{
    struct resource *stream = resource_get(g, &args[0], KIND_INPUT_STREAM);
    void *buf = guest_scratch(g);
    if (!stream || !buf)
        return guest_trap(g, "not an input stream");
    ssize_t got = stream_read(g, stream, buf, args[1].word);
    if (got == 0)
        return reply_closed(g);
    if (got == -EINPROGRESS || (got == -EAGAIN && blocking && args[1].word > 0))
        return guest_wait(g, waits_on(stream));
    if (got < 0 && got != -EAGAIN)
        return read_failed(g, stream, got);
    size_t size = got < 0 ? 0 : (size_t)got;
    reply_word(g, 0);
    if (skip)
        reply_word(g, size);
    else
        reply_text(g, buf, size);
    return HOST_DONE;
}

static HOST_FUNC(read_now)
{
    return read_common(g, args, false, false);
}

static HOST_FUNC(blocking_read)
{
    return read_common(g, args, true, false);
}

static HOST_FUNC(skip)
{
    return read_common(g, args, false, true);
}

static HOST_FUNC(blocking_skip)
{
    return read_common(g, args, true, true);
}

/* Writing */

static bool stream_closed(struct guest *g, struct resource *stream)
{
    if (stream->state == STREAM_ANSWER)
        return !g->x;
    if (stream->state == STREAM_CLOSED)
        return true;
    if (stream->state != STREAM_BODY)
        return false;
    const struct resource *body = stream->on;
    const struct http_call *call = call_of(body);
    bool gone = call ? http_call_failure(call) != CALL_OK : !g->x;
    return body->state == BODY_DONE || body->state == BODY_REFUSED || (body->state == BODY_LIVE && gone);
}

static ssize_t stream_write(struct guest *g, struct resource *stream, const void *data, size_t size)
{
    if (stream->state == STREAM_BODY)
        return outgoing_body_write(g, stream->on, data, size);
    if (stream->state == STREAM_FILE || stream->state == STREAM_FILE_END)
        return file_stream_write(g, stream, data, size);
    if (stream->state == STREAM_ANSWER)
        return command_write(g, data, size);
    guest_print(g, stream->state == STREAM_STDERR, data, size);
    return (ssize_t)size;
}

static HOST_FUNC(check_write)
{
    struct resource *stream = resource_get(g, &args[0], KIND_OUTPUT_STREAM);
    if (!stream)
        return guest_trap(g, "not an output stream");
    if (stream_closed(g, stream))
        return reply_closed(g);
    reply_word(g, 0);
    reply_word(g, stream_space(g, stream));
    return HOST_DONE;
}

static enum host_result write_result(struct guest *g, struct resource *stream, ssize_t written)
{
    resource_check(stream);
    ENSURE(stream->kind == KIND_OUTPUT_STREAM);
    if (written == -EINPROGRESS)
        return guest_wait(g, WAITS_OTHERS);
    if (g->trap)
        return HOST_TRAP;
    enum stream_end was = written < 0 ? close_stream(stream) : STREAM_EMPTY;
    if (was == STREAM_FILE || was == STREAM_FILE_END)
        return reply_file_error(g, (int)written);
    if (written == -EMSGSIZE)
        guest_note(g, "the guest wrote more of a body than its content-length announces");
    if (written == -EMSGSIZE)
        return reply_error(g, "the body is longer than its content-length");
    if (written < 0)
        return reply_closed(g);
    reply_word(g, 0);
    return HOST_DONE;
}

static void make_room(struct guest *g, struct resource *stream, size_t size)
{
    if (stream->state == STREAM_ANSWER)
        command_make_room(g, size);
}

static HOST_FUNC(write_now)
{
    struct resource *stream = resource_get(g, &args[0], KIND_OUTPUT_STREAM);
    if (!stream)
        return guest_trap(g, "not an output stream");
    if (stream_closed(g, stream))
        return reply_closed(g);
    make_room(g, stream, args[1].size);
    if (args[1].size > stream_space(g, stream))
        return guest_trap(g, "write of more than check-write allowed");
    return write_result(g, stream, stream_write(g, stream, slot_text(&args[1]), args[1].size));
}

/* A body that nobody can read yet makes no room while the guest waits. */
static enum host_result wait_for_space(struct guest *g, const struct resource *stream)
{
    bool early = stream->state == STREAM_BODY && stream->on->state == BODY_EARLY;
    return early ? wait_in_vain(g) : guest_wait(g, waits_on(stream));
}

static HOST_FUNC(blocking_write)
{
    struct resource *stream = resource_get(g, &args[0], KIND_OUTPUT_STREAM);
    if (!stream || args[1].size > WRITE_MAX)
        return guest_trap(g, "blocking-write-and-flush of more than 4096 bytes");
    if (stream_closed(g, stream))
        return reply_closed(g);
    make_room(g, stream, args[1].size);
    if (stream_space(g, stream) < args[1].size)
        return wait_for_space(g, stream);
    return write_result(g, stream, stream_write(g, stream, slot_text(&args[1]), args[1].size));
}

/* What was written is on its way: the connection sends it when the guest waits or ends. */
static HOST_FUNC(flush)
{
    struct resource *stream = resource_get(g, &args[0], KIND_OUTPUT_STREAM);
    if (!stream)
        return guest_trap(g, "not an output stream");
    if (stream_closed(g, stream))
        return reply_closed(g);
    reply_word(g, 0);
    return HOST_DONE;
}

static enum host_result zeroes(struct guest *g, const struct slot *args, bool blocking)
{
    struct resource *stream = resource_get(g, &args[0], KIND_OUTPUT_STREAM);
    if (!stream)
        return guest_trap(g, "not an output stream");
    if (blocking && args[1].word > WRITE_MAX)
        return guest_trap(g, "blocking-write-zeroes-and-flush of more than 4096 bytes");
    if (stream_closed(g, stream))
        return reply_closed(g);
    size_t size = args[1].word;
    make_room(g, stream, size);
    if (stream_space(g, stream) < size)
        return blocking ? wait_for_space(g, stream) : guest_trap(g, "write of more than check-write allowed");
    void *zero = guest_buffer(g, size);
    if (!zero)
        return HOST_TRAP;
    memset(zero, 0, size);
    return write_result(g, stream, stream_write(g, stream, zero, size));
}

static HOST_FUNC(write_zeroes)
{
    return zeroes(g, args, false);
}

static HOST_FUNC(blocking_write_zeroes)
{
    return zeroes(g, args, true);
}

static enum host_result splice_common(struct guest *g, const struct slot *args, bool blocking)
{
    struct resource *to = resource_get(g, &args[0], KIND_OUTPUT_STREAM);
    struct resource *from = resource_get(g, &args[1], KIND_INPUT_STREAM);
    void *buf = guest_scratch(g);
    if (!to || !from || !buf)
        return guest_trap(g, "not a stream");
    if (stream_closed(g, to))
        return reply_closed(g);
    if (blocking && never_ready(g, to))
        return wait_in_vain(g);
    uint64_t size = stream_space(g, to) < args[2].word ? stream_space(g, to) : args[2].word;
    bool writing = file_stream_writing(g); /* what was read earlier is on its way to its file */
    ssize_t got = writing ? 1 : size ? stream_read(g, from, buf, size) : -EAGAIN;
    if (got == 0)
        return reply_closed(g);
    if (got == -EINPROGRESS || (got == -EAGAIN && blocking && args[2].word > 0))
        return guest_wait(g, waits_on(size ? from : to));
    if (got < 0 && got != -EAGAIN)
        return read_failed(g, from, got);
    ssize_t written = got > 0 ? stream_write(g, to, buf, (size_t)got) : 0;
    if (written < 0)
        return write_result(g, to, written);
    reply_word(g, 0);
    reply_word(g, (uint64_t)written);
    return HOST_DONE;
}

static HOST_FUNC(splice)
{
    return splice_common(g, args, false);
}

static HOST_FUNC(blocking_splice)
{
    return splice_common(g, args, true);
}

static const struct host_func error_funcs[] = {
    {"[method]error.to-debug-string", "(borrow<error>)->(string)", error_text_of, SHAPE_ANY, false},
};

static const struct host_func poll_funcs[] = {
    {"[method]pollable.ready", "(borrow<pollable>)->(bool)", ready, SHAPE_BOOL, false},
    {"[method]pollable.block", "(borrow<pollable>)->()", block, SHAPE_VOID, true},
    {"poll", "(list<borrow<pollable>>)->(list<u32>)", poll, SHAPE_POLL, true},
};

#define IN "[method]input-stream."
#define OUT "[method]output-stream."
static const struct host_func stream_funcs[] = {
    {IN "read", "(borrow<input-stream>,u64)->(result<list<u8>," STREAM_ERROR ">)", read_now, SHAPE_READ, true},
    {IN "blocking-read", "(borrow<input-stream>,u64)->(result<list<u8>," STREAM_ERROR ">)", blocking_read, SHAPE_READ,
     true},
    {IN "skip", "(borrow<input-stream>,u64)->(result<u64," STREAM_ERROR ">)", skip, SHAPE_ANY, true},
    {IN "blocking-skip", "(borrow<input-stream>,u64)->(result<u64," STREAM_ERROR ">)", blocking_skip, SHAPE_ANY, true},
    {IN "subscribe", "(borrow<input-stream>)->(own<pollable>)", subscribe, SHAPE_HANDLE, false},
    {OUT "check-write", "(borrow<output-stream>)->(result<u64," STREAM_ERROR ">)", check_write, SHAPE_STREAM_U64,
     false},
    {OUT "write", "(borrow<output-stream>,list<u8>)->(result<_," STREAM_ERROR ">)", write_now, SHAPE_WRITE, true},
    {OUT "blocking-write-and-flush", "(borrow<output-stream>,list<u8>)->(result<_," STREAM_ERROR ">)", blocking_write,
     SHAPE_WRITE, true},
    {OUT "flush", "(borrow<output-stream>)->(result<_," STREAM_ERROR ">)", flush, SHAPE_STREAM_VOID, false},
    {OUT "blocking-flush", "(borrow<output-stream>)->(result<_," STREAM_ERROR ">)", flush, SHAPE_STREAM_VOID, false},
    {OUT "subscribe", "(borrow<output-stream>)->(own<pollable>)", subscribe, SHAPE_HANDLE, false},
    {OUT "write-zeroes", "(borrow<output-stream>,u64)->(result<_," STREAM_ERROR ">)", write_zeroes, SHAPE_ANY, true},
    {OUT "blocking-write-zeroes-and-flush", "(borrow<output-stream>,u64)->(result<_," STREAM_ERROR ">)",
     blocking_write_zeroes, SHAPE_ANY, true},
    {OUT "splice", "(borrow<output-stream>,borrow<input-stream>,u64)->(result<u64," STREAM_ERROR ">)", splice,
     SHAPE_ANY, true},
    {OUT "blocking-splice", "(borrow<output-stream>,borrow<input-stream>,u64)->(result<u64," STREAM_ERROR ">)",
     blocking_splice, SHAPE_ANY, true},
};

const struct host_interface wasi_io[3] = {
    INTERFACE("wasi:io/error", "0.2", error_funcs),
    INTERFACE("wasi:io/poll", "0.2", poll_funcs),
    INTERFACE("wasi:io/streams", "0.2", stream_funcs),
};
