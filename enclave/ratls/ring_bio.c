/* See ring_bio.h. */
#include "enclave/ratls/ring_bio.h"

#include <pthread.h>
#include <stdlib.h>

struct ring_pair {
    struct queue_consumer *in;
    struct queue_producer *out;
    struct ring_turn *turn;
};

static int ring_read(BIO *bio, char *data, size_t size, size_t *done)
{
    struct ring_pair *pair = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    struct ring_turn *turn = pair->turn;
    *done = 0;
    if (turn->bytes == 0 || turn->reads == 0) {
        turn->used_up = true;
        BIO_set_retry_read(bio);
        return 0;
    }
    int64_t count = queue_consumer_read(pair->in, data, size < turn->bytes ? size : turn->bytes);
    if (count > 0) {
        *done = (size_t)count;
        turn->bytes -= (uint32_t)count;
        turn->reads--;
    }
    if (count == 0 && !queue_consumer_ended(pair->in))
        BIO_set_retry_read(bio);
    return count > 0;
}

static int ring_write(BIO *bio, const char *data, size_t size, size_t *done)
{
    struct ring_pair *pair = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
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

BIO *ring_bio_new(struct queue_consumer *in, struct queue_producer *out, struct ring_turn *turn)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    struct ring_pair *pair = malloc(sizeof *pair);
    BIO *bio = method && pair ? BIO_new(method) : NULL;
    if (!bio) {
        free(pair);
        return NULL;
    }
    *pair = (struct ring_pair){in, out, turn};
    BIO_set_data(bio, pair);
    BIO_set_init(bio, 1);
    return bio;
}
