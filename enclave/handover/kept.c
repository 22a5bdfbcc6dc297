/* Which sessions the new one keeps. See taker.h. */
#include <string.h>

#include <openssl/crypto.h>

#include "common/ensure.h"
#include "enclave/handover/taker.h"

bool taker_state_meets(const struct taker_state *s, const uint8_t instance[32])
{
    return !s->met || memcmp(s->instance, instance, sizeof s->instance) == 0;
}

void taker_state_add(struct taker_state *s, const uint8_t instance[32], const struct handover_session *keys)
{
    ENSURE(taker_state_meets(s, instance));
    ENSURE(s->has_session || !s->session.may_be_given);
    if (s->session.may_be_given)
        s->former = s->session;
    s->met = s->has_session = 1;
    memcpy(s->instance, instance, sizeof s->instance);
    s->session = (struct taker_session){.keys = *keys};
}

bool taker_state_other(struct taker_state *s)
{
    static const struct taker_session none;
    struct taker_session now = s->session;
    ENSURE(s->has_session && s->met);
    bool has_former = CRYPTO_memcmp(&s->former, &none, sizeof none) != 0;
    if (has_former) {
        s->session = s->former;
        s->former = now;
    }
    OPENSSL_cleanse(&now, sizeof now);
    return has_former;
}
