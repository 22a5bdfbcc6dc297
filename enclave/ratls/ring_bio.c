/* See ring_bio.h. */
#include "enclave/ratls/ring_bio.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A handshake message in the clear: behind the handshake nobody may send one (RFC 8446, section 5). */
static const uint8_t forbidden[] = {SSL3_RT_HANDSHAKE, 3, 3, 0, 1, SSL3_MT_HELLO_REQUEST};

struct ring_pair {
    struct queue_consumer *in;
    struct queue_producer *out;
    struct ring_use *use;
    size_t refused; /* bytes of forbidden that were read */
};

static int read_forbidden(struct ring_pair *pair, char *data, size_t size, size_t *done)
{
    size_t left = sizeof forbidden - pair->refused;
    *done = size < left ? size : left;
    memcpy(data, forbidden + pair->refused, *done);
    pair->refused += *done;
    return *done > 0;
}

static int ring_read(BIO *bio, char *data, size_t size, size_t *done)
{
    struct ring_pair *pair = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    struct ring_use *use = pair->use;
    *done = 0;
    if (use->refuse)
        return read_forbidden(pair, data, size, done);
    if (use->bytes == 0 || use->reads == 0) {
        use->used_up = true;
        BIO_set_retry_read(bio);
        return 0;
    }
    int64_t count = queue_consumer_read(pair->in, data, size < use->bytes ? size : use->bytes);
    if (count > 0) {
        *done = (size_t)count;
        use->bytes -= (uint32_t)count;
        use->reads--;
    }
    if (count == 0 && !queue_consumer_ended(pair->in))
        BIO_set_retry_read(bio);
    return count > 0;
}

static int ring_write(BIO *bio, const char *data, size_t size, size_t *done)
{
    struct ring_pair *pair = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!pair->use->alert) {
        int64_t space = queue_producer_space_for(pair->out, size + RING_ALERT_ROOM);
        size_t room = space > RING_ALERT_ROOM ? (size_t)space - RING_ALERT_ROOM : 0;
        size = size < room ? size : room;
    }
    int64_t count = queue_producer_write(pair->out, data, size);
    *done = count > 0 ? (size_t)count : 0;
    if (count == 0)
        BIO_set_retry_write(bio);
    return count > 0;
}

static long ring_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    struct ring_pair *pair = BIO_get_data(bio);
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return queue_consumer_ended(pair->in) != 0;
    default:
        return 0;
    }
}

static int ring_destroy(BIO *bio)
{
    free(BIO_get_data(bio));
    return 1;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ring");
    if (!method)
        return;
    BIO_meth_set_read_ex(method, ring_read);
    BIO_meth_set_write_ex(method, ring_write);
    BIO_meth_set_ctrl(method, ring_ctrl);
    BIO_meth_set_destroy(method, ring_destroy);
}

BIO *ring_bio_new(struct queue_consumer *in, struct queue_producer *out, struct ring_use *use)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    struct ring_pair *pair = malloc(sizeof *pair);
    BIO *bio = method && pair ? BIO_new(method) : NULL;
    if (!bio) {
        free(pair);
        return NULL;
    }
    *pair = (struct ring_pair){in, out, use, 0};
    BIO_set_data(bio, pair);
    BIO_set_init(bio, 1);
    return bio;
}
