/* Messages of a hand-over: any bytes, each as every kind. What is read lies inside, and is written again as it was. */
#include "enclave/handover/marker.h"
#include "enclave/handover/wire.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t *from;
static size_t from_size;

static void check_inside(struct handover_bytes b)
{
    MUST(b.size == 0 || (b.data >= from && b.size <= from_size && b.data <= from + (from_size - b.size)));
}

static void check_offers(const uint8_t *data, size_t size)
{
    struct handover_offer o;
    uint8_t nonce[HANDOVER_NONCE_SIZE], asked[HANDOVER_OFFER_ASKED_SIZE], offer[HANDOVER_OFFER_SIZE];
    if (handover_read_offer_asked(data, size, nonce)) {
        handover_write_offer_asked(nonce, asked);
        MUST(size == sizeof asked && memcmp(data, asked, size) == 0);
    }
    if (handover_read_offer(data, size, &o)) {
        handover_write_offer(&o, offer);
        MUST(size == sizeof offer && memcmp(data, offer, size) == 0);
    }
}

static void check_acceptance(const uint8_t *data, size_t size, bool is_answer)
{
    struct handover_accept a;
    struct handover_evidence e;
    size_t again_size;
    if (!(is_answer ? handover_read_accepted(data, size, &a) : handover_read_accept(data, size, &a)))
        return;
    check_inside(a.evidence);
    uint8_t *again = is_answer ? handover_write_accepted(&a, &again_size) : handover_write_accept(&a, &again_size);
    MUST(again && again_size == size && memcmp(again, data, size) == 0);
    free(again);
    if (handover_read_evidence(a.evidence.data, a.evidence.size, &e)) {
        check_inside(e.quote);
        check_inside(e.collateral);
        MUST(e.quote.size > 0 && e.quote.size <= HANDOVER_QUOTE_MAX);
    }
}

static void check_sealed(const uint8_t *data, size_t size)
{
    struct handover_sealed s;
    struct handover_asked a;
    uint8_t head[HANDOVER_SEALED_OVERHEAD], asked[HANDOVER_ASKED_MAX];
    if (handover_read_sealed(data, size, &s)) {
        size_t head_size = handover_write_sealed(&s, head);
        check_inside(s.sealed);
        MUST(head_size + s.sealed.size == size && memcmp(head, data, head_size) == 0);
    }
    if (handover_read_answered(data, size, &s)) {
        size_t head_size = handover_write_answered(&s, head);
        check_inside(s.sealed);
        MUST(head_size + s.sealed.size == size && memcmp(head, data, head_size) == 0);
    }
    if (handover_read_asked(data, size, &a)) {
        check_inside(a.after);
        size_t again = handover_write_asked(&a, asked);
        MUST(again == size && memcmp(asked, data, size) == 0);
    }
}

static void check_page(const uint8_t *data, size_t size)
{
    struct handover_page p;
    struct handover_record r;
    size_t records = 0;
    int more;
    if (!handover_read_page(data, size, &p))
        return;
    check_inside(p.records);
    while ((more = handover_next_record(&p, &r)) == 1) {
        check_inside(r.key);
        check_inside(r.value);
        MUST(r.key.size > 0 && r.key.size <= SCAN_KEY_MAX);
        MUST(++records <= size);
    }
    MUST(more == 0 ? p.records.size == 0 : more < 0);
}

static void check_ends(const uint8_t *data, size_t size)
{
    struct handover_given g;
    struct handover_marker m;
    uint8_t given[HANDOVER_GIVEN_SIZE], marker[HANDOVER_MARKER_SIZE];
    if (handover_read_given(data, size, &g)) {
        handover_write_given(&g, given);
        MUST(size == sizeof given && memcmp(given, data, size) == 0);
    }
    if (handover_marker_read(data, size, &m) == 0) {
        handover_marker_write(&m, marker);
        MUST(size == sizeof marker && memcmp(marker, data, size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    from = data;
    from_size = size;
    check_offers(data, size);
    check_acceptance(data, size, false);
    check_acceptance(data, size, true);
    check_sealed(data, size);
    check_page(data, size);
    check_ends(data, size);
    return 0;
}
