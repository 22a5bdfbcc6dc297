/* Answers of the old side, back to where they were asked for. See giver.h. */
#include "enclave/handover/giver.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/service/system.h"

static void end(struct handover_request *r)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(r->status >= 200 && (r->status != 200) == (r->answer == NULL));
    errand_return(&r->errand, &enclave_system.owner->loop, r->deliver);
}

void handover_request_refuse(struct handover_request *r, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->why, sizeof r->why, format, args);
    va_end(args);
    r->status = status;
    end(r);
}

void handover_request_answer(struct handover_request *r, uint8_t *answer, size_t size)
{
    if (!answer) {
        handover_request_refuse(r, 503, "out of memory");
        return;
    }
    r->status = 200;
    r->answer = answer;
    r->answer_size = size;
    end(r);
}

void handover_answer_sealed(struct handover_request *r, const struct handover_session *s, uint64_t counter,
                            const void *plain, size_t size)
{
    uint8_t head[HANDOVER_SEALED_OVERHEAD];
    const struct handover_sealed answer = {.counter = counter, .sealed = {NULL, size + AEAD_OVERHEAD}};
    size_t head_size = handover_write_answered(&answer, head);
    uint8_t *all = malloc(head_size + size + AEAD_OVERHEAD);
    if (all)
        memcpy(all, head, head_size);
    if (all && handover_seal(s, HANDOVER_OLD, counter, plain, size, all + head_size) < 0) {
        free(all);
        all = NULL;
    }
    handover_request_answer(r, all, head_size + size + AEAD_OVERHEAD);
}
