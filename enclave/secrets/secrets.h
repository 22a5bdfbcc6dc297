/*
 * The room's manual. Who may do what rests on two kinds of secret, one in each header:
 *
 *     master.h       the master key, from which every key of the store is derived
 *     jwt.h          tokens that administrators and monitors sign, checked here; jws.h: their form and signature
 *
 *     int first_boot;
 *     error = master_open_store(store, &first_boot, why, sizeof why);       once, at boot
 *     if (error == 0 && first_boot)
 *         error = store_create(store, ops, count, why, sizeof why);         what first boot fixes, in one commit
 *
 *     struct jwt_claims claims;
 *     signer = jwt_verify(token, size, keys, count, now_s, &claims);        -EACCES: not signed by any of the keys
 *
 * The master key is in memory only while the store is opened, and wiped then, on every path; it leaves the enclave
 * sealed to this image and CPU (crypto/seal.h). Tokens are no secrets of ours: their keys are public.
 *
 * master_open_store turns the loop of the store's owner, on whose thread it is called; jwt_verify is pure, for any
 * thread. Nothing is kept and nothing is global. 0 or a negative errno; -EACCES and -EBADMSG are what an attacker can
 * cause. A NULL stops the enclave. Sizes are bytes, times seconds since 1970. Limits: JWS_MAX_SIZE and the sizes of
 * struct jwt_claims; a longer claim is -EINVAL, never cut.
 *
 * Known weaknesses. Times are the host's claim, so that an expired token proves nothing against the host; that a token
 * counts once is for its user to see to. A host that gives back an older store whole gives back its master key, too.
 * Another image or CPU cannot open the store at all.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SECRETS_SECRETS_H
#define ENCLAVE_OS_ENCLAVE_SECRETS_SECRETS_H

#include "enclave/secrets/jwt.h"
#include "enclave/secrets/master.h"

#endif
