/* See image_record.h. */
#include "enclave/service/image_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"
#include "enclave/service/system.h"

static void write_record(const struct upgrade_candidate *c, uint8_t record[IMAGE_RECORD_SIZE])
{
    struct bytes_writer w = bytes_writer_make(record, IMAGE_RECORD_SIZE);
    bytes_append(&w, c->mrenclave, sizeof c->mrenclave);
    bytes_append(&w, c->mrsigner, sizeof c->mrsigner);
    bytes_append_u16(&w, c->product);
    bytes_append_u16(&w, c->svn);
    bytes_append_u8(&w, c->debug);
    ENSURE(!w.failed && w.size == IMAGE_RECORD_SIZE);
}

int image_record_load(struct upgrade_candidate *out)
{
    uint8_t *record = NULL;
    size_t size;
    loop_check(&enclave_system.owner->loop);
    *out = (struct upgrade_candidate){0};
    int result = system_get(IMAGE_KEY, &record, &size);
    if (result < 0)
        return result;
    struct bytes_reader r = bytes_reader_make(record, size);
    const uint8_t *mrenclave = bytes_take(&r, sizeof out->mrenclave), *mrsigner = bytes_take(&r, sizeof out->mrsigner);
    out->product = bytes_take_u16(&r);
    out->svn = bytes_take_u16(&r);
    out->debug = bytes_take_u8(&r) != 0;
    bool ok = bytes_reader_complete(&r);
    if (ok) {
        memcpy(out->mrenclave, mrenclave, sizeof out->mrenclave);
        memcpy(out->mrsigner, mrsigner, sizeof out->mrsigner);
    }
    free(record);
    return ok ? 0 : -EBADMSG;
}

struct kv_op image_record_op(const struct upgrade_candidate *c, uint8_t record[IMAGE_RECORD_SIZE])
{
    write_record(c, record);
    return (struct kv_op){KV_PUT, enclave_system.settings, IMAGE_KEY, strlen(IMAGE_KEY), record, IMAGE_RECORD_SIZE};
}

bool image_record_is(const struct upgrade_candidate *c)
{
    uint8_t own[IMAGE_RECORD_SIZE], kept[IMAGE_RECORD_SIZE];
    struct upgrade_candidate said;
    if (image_record_load(&said) < 0)
        return false;
    write_record(c, own);
    write_record(&said, kept);
    return memcmp(own, kept, sizeof own) == 0;
}
