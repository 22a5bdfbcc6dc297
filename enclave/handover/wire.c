/* See wire.h. */
#include "enclave/handover/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"

static const char magic[8] = {'E', 'O', 'S', '-', 'H', 'O', '/', '1'};

static void take_into(struct bytes_reader *r, void *out, size_t size)
{
    const uint8_t *from = bytes_take(r, size);
    if (from)
        memcpy(out, from, size);
}

static struct handover_bytes take_blob(struct bytes_reader *r, size_t most)
{
    struct handover_bytes b;
    b.data = bytes_take_blob(r, &b.size);
    r->failed |= b.size > most;
    return b;
}

/* ---- offer ------------------------------------------------------------------------------------------------------- */

void handover_write_offer_asked(const uint8_t nonce[HANDOVER_NONCE_SIZE], uint8_t out[HANDOVER_OFFER_ASKED_SIZE])
{
    memcpy(out, magic, sizeof magic);
    memcpy(out + sizeof magic, nonce, HANDOVER_NONCE_SIZE);
}

bool handover_read_offer_asked(const void *data, size_t size, uint8_t nonce[HANDOVER_NONCE_SIZE])
{
    if (size != HANDOVER_OFFER_ASKED_SIZE || memcmp(data, magic, sizeof magic) != 0)
        return false;
    memcpy(nonce, (const uint8_t *)data + sizeof magic, HANDOVER_NONCE_SIZE);
    return true;
}

void handover_write_offer(const struct handover_offer *o, uint8_t out[HANDOVER_OFFER_SIZE])
{
    struct bytes_writer w = bytes_writer_make(out, HANDOVER_OFFER_SIZE);
    bytes_append(&w, o->nonce, sizeof o->nonce);
    bytes_append(&w, o->instance, sizeof o->instance);
    bytes_append(&w, o->mrenclave, sizeof o->mrenclave);
    bytes_append_u64(&w, o->generation);
    bytes_append_u64(&w, o->log_size);
    bytes_append(&w, o->log_root, sizeof o->log_root);
    ENSURE(!w.failed && w.size == HANDOVER_OFFER_SIZE);
}

bool handover_read_offer(const void *data, size_t size, struct handover_offer *o)
{
    struct bytes_reader r = bytes_reader_make(data, size);
    *o = (struct handover_offer){0};
    take_into(&r, o->nonce, sizeof o->nonce);
    take_into(&r, o->instance, sizeof o->instance);
    take_into(&r, o->mrenclave, sizeof o->mrenclave);
    o->generation = bytes_take_u64(&r);
    o->log_size = bytes_take_u64(&r);
    take_into(&r, o->log_root, sizeof o->log_root);
    return bytes_reader_complete(&r);
}

/* ---- accept ------------------------------------------------------------------------------------------------------ */

bool handover_read_evidence(const void *data, size_t size, struct handover_evidence *e)
{
    struct bytes_reader r = bytes_reader_make(data, size);
    *e = (struct handover_evidence){0};
    e->quote = take_blob(&r, HANDOVER_QUOTE_MAX);
    e->collateral = take_blob(&r, HANDOVER_EVIDENCE_MAX);
    return bytes_reader_complete(&r) && e->quote.size > 0;
}

static uint8_t *write_key(const struct handover_accept *a, size_t before, size_t *size)
{
    ENSURE(a->evidence.size <= HANDOVER_EVIDENCE_MAX);
    *size = before + HANDOVER_KEY_SIZE + 4 + a->evidence.size;
    uint8_t *out = malloc(*size);
    struct bytes_writer w = bytes_writer_make(out, *size);
    if (!out)
        return NULL;
    bytes_append(&w, a->nonce, before);
    bytes_append(&w, a->key, sizeof a->key);
    bytes_append_blob(&w, a->evidence.data, a->evidence.size);
    ENSURE(!w.failed && w.size == *size);
    return out;
}

static bool read_key(const void *data, size_t size, size_t before, struct handover_accept *a)
{
    struct bytes_reader r = bytes_reader_make(data, size);
    *a = (struct handover_accept){0};
    take_into(&r, a->nonce, before);
    take_into(&r, a->key, sizeof a->key);
    a->evidence = take_blob(&r, HANDOVER_EVIDENCE_MAX);
    return bytes_reader_complete(&r);
}

uint8_t *handover_write_accept(const struct handover_accept *a, size_t *size)
{
    return write_key(a, HANDOVER_NONCE_SIZE, size);
}

bool handover_read_accept(const void *data, size_t size, struct handover_accept *a)
{
    return read_key(data, size, HANDOVER_NONCE_SIZE, a);
}

uint8_t *handover_write_accepted(const struct handover_accept *a, size_t *size)
{
    return write_key(a, 0, size);
}

bool handover_read_accepted(const void *data, size_t size, struct handover_accept *a)
{
    return read_key(data, size, 0, a);
}

/* ---- sealed ------------------------------------------------------------------------------------------------------ */

static size_t write_sealed(const struct handover_sealed *s, size_t before, uint8_t *out)
{
    struct bytes_writer w = bytes_writer_make(out, HANDOVER_SEALED_OVERHEAD);
    ENSURE(s->sealed.size <= UINT32_MAX);
    bytes_append(&w, s->recipient, before);
    bytes_append_u64(&w, s->counter);
    bytes_append_u32(&w, (uint32_t)s->sealed.size);
    ENSURE(!w.failed);
    return w.size;
}

static bool read_sealed(const void *data, size_t size, size_t before, struct handover_sealed *s)
{
    struct bytes_reader r = bytes_reader_make(data, size);
    *s = (struct handover_sealed){0};
    take_into(&r, s->recipient, before);
    s->counter = bytes_take_u64(&r);
    s->sealed.data = bytes_take_blob(&r, &s->sealed.size);
    return bytes_reader_complete(&r);
}

size_t handover_write_sealed(const struct handover_sealed *s, uint8_t out[HANDOVER_SEALED_OVERHEAD])
{
    return write_sealed(s, sizeof s->recipient, out);
}

bool handover_read_sealed(const void *data, size_t size, struct handover_sealed *s)
{
    return read_sealed(data, size, sizeof s->recipient, s);
}

size_t handover_write_answered(const struct handover_sealed *s, uint8_t out[HANDOVER_SEALED_OVERHEAD])
{
    return write_sealed(s, 0, out);
}

bool handover_read_answered(const void *data, size_t size, struct handover_sealed *s)
{
    return read_sealed(data, size, 0, s);
}

size_t handover_write_asked(const struct handover_asked *a, uint8_t out[HANDOVER_ASKED_MAX])
{
    struct bytes_writer w = bytes_writer_make(out, HANDOVER_ASKED_MAX);
    bytes_append_u8(&w, (uint8_t)a->ask);
    if (a->ask == HANDOVER_ASK_RECORDS) {
        bytes_append_u64(&w, a->since);
        bytes_append_blob(&w, a->after.data, a->after.size);
    }
    ENSURE(!w.failed);
    return w.size;
}

bool handover_read_asked(const void *data, size_t size, struct handover_asked *a)
{
    struct bytes_reader r = bytes_reader_make(data, size);
    *a = (struct handover_asked){.ask = (enum handover_ask)bytes_take_u8(&r)};
    if (a->ask == HANDOVER_ASK_RECORDS) {
        a->since = bytes_take_u64(&r);
        a->after = take_blob(&r, SCAN_KEY_MAX);
    }
    return bytes_reader_complete(&r) && a->ask >= HANDOVER_ASK_RECORDS && a->ask <= HANDOVER_ASK_DONE;
}

bool handover_read_page(const void *data, size_t size, struct handover_page *p)
{
    struct bytes_reader r = bytes_reader_make(data, size);
    *p = (struct handover_page){.epoch = bytes_take_u64(&r)};
    uint8_t more = bytes_take_u8(&r);
    p->more = more == 1;
    p->records = (struct handover_bytes){r.next, r.left};
    return !r.failed && more <= 1;
}

int handover_next_record(struct handover_page *p, struct handover_record *out)
{
    struct bytes_reader r = bytes_reader_make(p->records.data, p->records.size);
    *out = (struct handover_record){0};
    if (p->records.size == 0)
        return 0;
    uint8_t whole = bytes_take_u8(&r);
    out->key = take_blob(&r, SCAN_KEY_MAX);
    if (whole == 1)
        out->value = take_blob(&r, SCAN_PAGE_MAX);
    if (r.failed || whole > 1 || out->key.size == 0)
        return -EBADMSG;
    p->records = (struct handover_bytes){r.next, r.left};
    return 1;
}

void handover_write_given(const struct handover_given *g, uint8_t out[HANDOVER_GIVEN_SIZE])
{
    struct bytes_writer w = bytes_writer_make(out, HANDOVER_GIVEN_SIZE);
    bytes_append_u8(&w, (uint8_t)g->state);
    bytes_append(&w, g->master, sizeof g->master);
    bytes_append_u64(&w, g->epoch);
    bytes_append_u64(&w, g->count);
    bytes_append(&w, g->digest, sizeof g->digest);
    bytes_append_u64(&w, g->log_size);
    bytes_append(&w, g->log_root, sizeof g->log_root);
    ENSURE(!w.failed && w.size == HANDOVER_GIVEN_SIZE);
}

bool handover_read_given(const void *data, size_t size, struct handover_given *g)
{
    struct bytes_reader r = bytes_reader_make(data, size);
    *g = (struct handover_given){.state = (enum handover_state)bytes_take_u8(&r)};
    take_into(&r, g->master, sizeof g->master);
    g->epoch = bytes_take_u64(&r);
    g->count = bytes_take_u64(&r);
    take_into(&r, g->digest, sizeof g->digest);
    g->log_size = bytes_take_u64(&r);
    take_into(&r, g->log_root, sizeof g->log_root);
    return bytes_reader_complete(&r) && g->state <= HANDOVER_GIVEN;
}
