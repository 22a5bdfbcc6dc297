/*
 * What a connection and a call hold at most, in bytes unless said otherwise. docs/limits.md lists the ones that a
 * client or an app can meet; tests/native/limits_table.c makes its table from them, and a test compares. What an
 * operator can set is in struct http_limits (http.h).
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_LIMITS_H

#include <assert.h>

/* How a buffer grows: by doubling, and from HTTP_BUFFER_DOUBLED on by what is needed and a little more, since others
 * must live, too. So one that holds n bytes has taken no more than HTTP_BUFFER_OF(n), if n is that large. */
#define HTTP_BUFFER_FIRST 1024u
#define HTTP_BUFFER_DOUBLED 32768u
#define HTTP_BUFFER_OF(n) ((n) + HTTP_BUFFER_DOUBLED / 8 + HTTP_BUFFER_FIRST)

/* All or nothing: a guest's blocking write waits for room for the whole of its piece, and wasi:io's
 * blocking-write-and-flush may bring so much at once. */
#define HTTP_WRITE_MIN 4096u
#define HTTP_CHUNK_ROOM 16u /* "8000\r\n" before and "\r\n" after a chunk */

/* A client's connection ------------------------------------------------------------------------------------------ */

#define H1_IN_SIZE 16384u
#define H1_OUT_SIZE 32768u
#define H1_OUT_RESERVE (256u + HTTP_CHUNK_ROOM) /* of it, for what frames a body */
#define H1_EARLY_SIZE 65536u                    /* of a body, before its framing is decided */
#define H1_COPY_MAX 4096u                       /* of them: fewer go into one piece with the head */
#define H1_METHOD_MAX 64u                       /* 501 */
#define H1_EMPTY_MAX 8u                         /* of empty lines before a request */
#define H1_PIPELINE_MARK 16384u /* of unsent output: no further request is begun before the client reads */
#define H1_DRAIN_MAX 262144u    /* of an unread body, to keep the connection */
static_assert(H1_PIPELINE_MARK < H1_OUT_SIZE, "a client that reads nothing is waited for before its buffer is full");
static_assert(H1_OUT_RESERVE + HTTP_WRITE_MIN < H1_OUT_SIZE, "an empty buffer has room for a write");

#define HTTP_TARGET_MAX 65535u /* 414 */

/* A call to a server elsewhere ------------------------------------------------------------------------------------ */

#define CALL_IN_SIZE 16384u
#define CALL_OUT_SIZE 32768u
#define CALL_OUT_RESERVE 32u   /* of it, for the framing of a chunk, twice */
#define CALL_HEAD_MAX 65536u   /* of the response's lines, with its trailers */
#define CALL_LINES_MAX 256u    /* lines of each */
#define CALL_LINE_COST 16u     /* of a line while it is parsed */
#define CALL_FIELD_COST 32u    /* and as a field; one list for the head, one for the trailers */
#define CALL_INTERIM_MAX 16u   /* responses 1xx before the real one */
#define CALL_BLOCKS_COST 1024u /* charged for its blocks beside what they hold */
#define CALL_PASSED_PIECES 8u  /* of a body that nobody reads, each at most CALL_IN_SIZE, to keep the connection */

/* Its budget, which what it needs fits into: what is sent, what has come, the lines and the fields made of them. */
#define CALL_MEMORY_MAX (160u << 10)
#define CALL_MEMORY_NEEDED                                                                              \
    (CALL_IN_SIZE + HTTP_BUFFER_OF(CALL_OUT_SIZE) + HTTP_BUFFER_OF(CALL_HEAD_MAX) + HTTP_BUFFER_FIRST + \
     CALL_LINES_MAX * CALL_LINE_COST + 2u * (CALL_LINES_MAX + 2u) * CALL_FIELD_COST + CALL_BLOCKS_COST)
static_assert(CALL_MEMORY_NEEDED <= CALL_MEMORY_MAX, "a response within its limits fits");
static_assert(CALL_OUT_RESERVE + HTTP_WRITE_MIN < CALL_OUT_SIZE, "an empty buffer has room for a write");

/* What a dialer's transport may hold, TLS and all: who makes a call is charged with both. */
#define CALL_TRANSPORT_MAX (144u << 10)
#define CALL_STRUCTURES 16384u /* struct http_call, the dialer's, and its connection's place (kept.h) */
#define CALL_COST (CALL_MEMORY_MAX + CALL_TRANSPORT_MAX + CALL_STRUCTURES)

/* A connection that waits for its app's next call (kept.h). Some servers close theirs after five seconds: one that has
 * waited so long is no more use to a request that may be sent only once. */
#define KEPT_COST (CALL_TRANSPORT_MAX + 1024u)
#define KEPT_IDLE_MS 4000u
#define KEPT_AGE_MS 600000u /* where the name leads is asked again by then, and who answers proves it again */

#endif
