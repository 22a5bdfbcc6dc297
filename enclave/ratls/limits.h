/*
 * What a connection holds and takes at most, each by what it is for. Bytes unless said otherwise. What of it HTTP needs
 * is in enclave/https/limits.h.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_RATLS_LIMITS_H

#include <assert.h>

#include "enclave/https/limits.h"

/* Memory ---------------------------------------------------------------------------------------------------------- */

#define TLS_MAX (128u << 10)    /* OpenSSL's for one connection; a handshake with an RA-TLS client takes 93 KiB */
#define TLS_BEGUN (16u << 10)   /* of an SSL that was made elsewhere */
#define CLIENT_CHAIN_MAX 32768u /* a client's certificates; a leaf with its quotes takes 10 KB */
static_assert(TLS_BEGUN + CLIENT_CHAIN_MAX < TLS_MAX, "there is room for what a client shows");

/* When nothing is on its way, whatever the keys were agreed on by: OpenSSL's, and all (test tls_context, e2e/crowd). */
#define TLS_IDLE_MAX (12u << 10)
#define CONNECTION_IDLE_MAX (14u << 10)

#define CONNECTION_STRUCTURES (11u << 10) /* struct connection, HTTP's, and what they are charged for beside buffers */
/* A client's: TLS, the request's head, input and output on their way. Whatever it sends or leaves unread, it holds no
 * more. */
#define CONNECTION_MEMORY_MAX(header_bytes) \
    (TLS_MAX + H1_IN_SIZE + HTTP_BUFFER_OF(H1_OUT_SIZE) + CONNECTION_STRUCTURES + (header_bytes))
/* One of an app's own to a server elsewhere, TLS and all; the app is charged (CALL_COST). */
#define CONNECTION_EGRESS_MAX CALL_TRANSPORT_MAX
static_assert(TLS_MAX + CONNECTION_STRUCTURES <= CONNECTION_EGRESS_MAX, "TLS and the structures fit");

/* A name's own context, with its certificate and chain (test tls_names), and those of all names together: some
 * generations' of as many as there may be, since connections of those before end by and by. */
#define TLS_NAME_COST (48u << 10)
#define TLS_NAMES_MEMORY (16u << 20)

/* Of what all connections may have: beyond it each worker cuts some that wait for their peer (crowd.h). */
#define CROWD_MEMORY_MARK(limit) ((limit) / 8 * 7)
#define CROWD_COUNT_MARK(limit) ((limit) / 16 * 15)
#define CROWD_LOOKED_AT_MAX 4096u /* members in one turn */

/* A turn of the loop ---------------------------------------------------------------------------------------------- */

#define TURN_BYTES 131072u  /* of input that one connection takes in one pass of the loop */
#define TURN_READS 128u     /* of its ring: two for each TLS record */
#define KEY_UPDATES_MAX 32u /* without data in between, as other servers have it */

/* The ring to the host -------------------------------------------------------------------------------------------- */

/* A record is written only if all of it fits: half of one in the ring, an alert could not come any more. */
#define RECORD_LEAST 512u    /* of content, where there is more: what a peer may ask for (RFC 6066, section 4) */
#define RECORD_AROUND 32u    /* what TLS 1.2 or 1.3 puts around it */
#define RING_ALERT_ROOM 128u /* an alert and a close_notify, with what is put around them */
#define KEY_UPDATE_SIZE 32u  /* what OpenSSL may want to write first */
#define WRITE_RESERVE (RING_ALERT_ROOM + KEY_UPDATE_SIZE)
static_assert(RING_ALERT_ROOM >= 2u * (RECORD_AROUND + 2u), "an alert has two bytes");

/* Time and number ------------------------------------------------------------------------------------------------- */

#define CONNECTION_HANDSHAKE_TIMEOUT_MS 10000u
#define CERTIFICATE_NAMES_MAX 64u

#endif
