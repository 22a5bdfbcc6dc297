/* See marker.h. */
#include "enclave/handover/marker.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"

#define VERSION 1u

void handover_marker_write(const struct handover_marker *m, uint8_t out[HANDOVER_MARKER_SIZE])
{
    struct bytes_writer w = bytes_writer_make(out, HANDOVER_MARKER_SIZE);
    bytes_append_u8(&w, VERSION);
    bytes_append(&w, m->session.recipient, sizeof m->session.recipient);
    bytes_append(&w, m->session.keys, sizeof m->session.keys);
    bytes_append(&w, m->mrenclave, sizeof m->mrenclave);
    ENSURE(!w.failed && w.size == HANDOVER_MARKER_SIZE);
}

int handover_marker_read(const uint8_t *record, size_t size, struct handover_marker *out)
{
    *out = (struct handover_marker){0};
    if (size != HANDOVER_MARKER_SIZE || record[0] != VERSION)
        return -EBADMSG;
    memcpy(out->session.recipient, record + 1, 32);
    memcpy(out->session.keys, record + 33, sizeof out->session.keys);
    memcpy(out->mrenclave, record + 33 + sizeof out->session.keys, 32);
    return 0;
}
