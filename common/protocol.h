/*
 * What host and enclave both know: the structures that cross the boundary, and the RPC methods.
 *
 * Everything here is little-endian, has a fixed size, and lives in untrusted memory unless a comment says
 * otherwise. The enclave copies a structure in once, checks the copy, and uses only the copy. Freestanding:
 * no libc is needed to include it.
 */
#ifndef ENCLAVE_OS_COMMON_PROTOCOL_H
#define ENCLAVE_OS_COMMON_PROTOCOL_H

#include <stdatomic.h>
#include <stdint.h>

/* ---- limits, fixed in the image ------------------------------------------------------------------------- */

#define PROTO_MAX_SERVING 8u                       /* workers that serve connections */
#define PROTO_MAX_WORKERS (PROTO_MAX_SERVING + 1u) /* and the keeper, below */
#define PROTO_MAX_CHANNELS 16384u /* connection channels of the whole enclave; ids 0 .. PROTO_MAX_CHANNELS-1 */
/* Power of two. Of each channel one name at most stands in a doorbell (struct ring_shared, `named`), its end, and as
 * many again of the generation before. */
#define PROTO_DOORBELL_SLOTS 131072u
_Static_assert(PROTO_DOORBELL_SLOTS > 4 * PROTO_MAX_CHANNELS, "an honest pair never fills a doorbell");
#define PROTO_RING_MIN 4096u
#define PROTO_RING_MAX (16u << 20)
#define PROTO_RECORD_MAX ((4u << 20) + 4096u) /* the largest value that an enclave stores, bytes */
#define PROTO_RPC_MAX (8u << 20) /* longest RPC payload, bytes; the control rings are at least twice as large */
#define PROTO_LOG_MAX 2048u      /* a line of the log, bytes: a guest's with its app's name, or a reason, whole */

/* Host and enclave share these, and nothing smaller: the enclave touches host memory in whole aligned words only
 * (INTEL-SA-00615, INTEL-SA-00657). `./dev lint` keeps any other _Atomic out of this file. */
typedef _Atomic uint64_t shared_word;
_Static_assert(sizeof(shared_word) == 8 && _Alignof(shared_word) == 8, "a word, without a lock");

/* A channel is named by its id in the low 32 bits and its generation in the high 32. The generation of an id
 * grows by one each time the id is used again, so that late news of an old connection is recognised as stale. */
typedef uint64_t channel_name;
#define CHANNEL_CONTROL_ID 0x7FFFFFFFu /* id of a worker's control channel in doorbells; generation 0 */

/* Set in the id of a name in a worker's doorbell_out: the enclave has let go of that channel. It has written FIN or
 * RST before, it touches the channel's memory no more, and rings no more by that name. The host frees the memory and
 * uses the id again only after it has taken this out of the doorbell: nothing in the channel itself says that it is
 * free, so nobody can learn of it while the enclave is still at it. */
#define CHANNEL_ENDED 0x80000000u

static inline channel_name channel_name_make(uint32_t id, uint32_t generation)
{
    return ((uint64_t)generation << 32) | id;
}

/* ---- one direction of one channel ------------------------------------------------------------------------ */

/* Set by a direction's producer: FIN (no more bytes will come; those in the ring are valid), RST (drop what is
 * there). */
#define RING_FIN 1u
#define RING_RST 2u

/* Header of a byte ring; the data follows at its own address. See common/queue.h. */
struct ring_shared {
    _Alignas(64) shared_word head;  /* bytes ever consumed; written by the consumer only */
    _Alignas(64) shared_word tail;  /* bytes ever produced; written by the producer only */
    _Alignas(64) shared_word flags; /* RING_FIN | RING_RST; written by the producer only */
    /* 1: the channel's name stands in the doorbell that this ring's consumer reads, for whatever news (common/link.h).
     * The producer sets it, the consumer clears it. */
    shared_word named;
    shared_word want_space; /* 1: the producer waits for space; the consumer tells it after reading */
};
_Static_assert(sizeof(struct ring_shared) == 192, "layout is shared");

/* A ring of channel names, one producer thread, one consumer thread. See common/doorbell.h. */
struct doorbell_shared {
    _Alignas(64) shared_word head;
    _Alignas(64) shared_word tail;
    _Alignas(64) shared_word sleeping; /* 1: the consumer sleeps and must be woken */
    shared_word idle;                  /* 1: it has nothing to do, and looks for names; written by the consumer only */
    _Alignas(64) shared_word slots[PROTO_DOORBELL_SLOTS];
};

/* ---- ECALL arguments -------------------------------------------------------------------------------------- */

/* CHANNEL_EGRESS is the answer to an RPC_NET_CONNECT: the enclave claims it when that names it, and speaks first. */
enum channel_kind { CHANNEL_CONNECTION = 1, CHANNEL_CONTROL = 2, CHANNEL_EGRESS = 3 };

/* Pointers are addresses in untrusted memory; the enclave checks that each object lies wholly outside ELRANGE
 * and is 64-byte aligned. Capacities are bytes, powers of two, PROTO_RING_MIN .. PROTO_RING_MAX. */
struct channel_desc {
    uint32_t kind;            /* enum channel_kind */
    uint32_t worker;          /* 0 .. workers-1 */
    channel_name name;        /* connection, egress: id and generation. control: 0 */
    uint64_t to_enclave;      /* struct ring_shared *, host produces */
    uint64_t to_enclave_data; /* uint8_t[to_enclave_capacity] */
    uint64_t to_enclave_capacity;
    uint64_t to_host; /* struct ring_shared *, enclave produces */
    uint64_t to_host_data;
    uint64_t to_host_capacity;
    uint64_t doorbell_in;  /* control only: struct doorbell_shared *, host to this worker */
    uint64_t doorbell_out; /* control only: struct doorbell_shared *, this worker to the host */
    uint8_t peer[16];      /* connection, egress: the peer's IPv6 (or v4-mapped) address. A host claim. */
    uint16_t peer_port;    /* host byte order. A host claim. */
    uint8_t reserved[6];
};
_Static_assert(sizeof(struct channel_desc) == 104, "layout is shared");

/* The host's clock. The host stores the two values about once a millisecond; each is read with one 8-byte load.
 * Untrusted: the enclave only forces it monotonic. */
struct time_page {
    shared_word monotonic_ns;
    shared_word realtime_ns; /* since the Unix epoch, UTC */
};

struct cpuid_entry {
    uint32_t leaf, subleaf, eax, ebx, ecx, edx;
};
#define PROTO_CPUID_MAX 64u

#define PROTO_ADMIN_KEY_MAX 256u
#define PROTO_SAN_MAX 2048u
#define PROTO_WITNESSES_MAX 5376u /* bytes: 8 of the longest */
#define PROTO_RECOVERY_KEYS_MAX 16u
#define PROTO_RECOVER_SHARE_SIZE 119u /* common/recovery_share.h, sealed (hpke.h) */
#define PROTO_WITNESS_SECONDS_MAX 86400u
#define PROTO_WITNESS_COMMITS_MAX 1000000000u
#define PROTO_TAKE_OVER_MAX 512u

/* Between these the limits in struct run_args may lie. */
#define PROTO_HEADER_BYTES_MIN 256u
#define PROTO_HEADER_BYTES_MAX (1u << 20)
#define PROTO_HEADERS_MAX 4096u
#define PROTO_BODY_BYTES_MAX (1ull << 62)
#define PROTO_TIMEOUT_MS_MAX 86400000u
#define PROTO_APP_MEMORY_MIB_MAX 4096u
#define PROTO_APP_DISK_MIB_MAX 65536u
#define PROTO_RATE_MAX (1u << 30)
#define PROTO_RATE_ANY UINT32_MAX /* as http_min_rate: none is asked for */

/* Which rule says who may have the instance next (enclave/service/upgrade_rule.h). Nothing said: measurements. */
enum proto_upgrade_rule {
    PROTO_UPGRADE_UNSAID = 0,
    PROTO_UPGRADE_NONE = 1,
    PROTO_UPGRADE_MEASUREMENTS = 2,
    PROTO_UPGRADE_SIGNER = 3
};

/* Start-up configuration, the same for every ecall_run; only the boot thread's copy counts. All of it is the
 * host's word: what matters for trust (admin key, limits) becomes a leaf of the Merkle tree. */
struct run_args {
    uint32_t version;   /* PROTO_VERSION */
    uint32_t workers;   /* 1 .. PROTO_MAX_WORKERS; of several the first is the keeper */
    uint64_t time_page; /* struct time_page * */
    uint32_t cpuid_count;
    uint32_t admin_key_size;
    uint8_t admin_key[PROTO_ADMIN_KEY_MAX]; /* DER SubjectPublicKeyInfo, P-256; size 0: none. Used at first boot only */
    char san[PROTO_SAN_MAX]; /* the certificate's names and addresses, separated by commas, NUL-terminated */
    struct cpuid_entry cpuid[PROTO_CPUID_MAX];
    /* HTTP limits; 0 stands for the default in enclave/https/http.h */
    uint32_t http_max_header_bytes, http_max_headers;
    uint64_t http_max_body_bytes;
    uint32_t http_header_timeout_ms, http_idle_timeout_ms, http_request_timeout_ms;
    uint32_t http_min_rate, http_rate_grace_ms;
    uint32_t drain_timeout_ms;   /* 0: CHANGE_DRAIN_MS of enclave/service/change.h */
    uint32_t app_memory_max_mib; /* linear memory of one instance */
    uint32_t app_disk_max_mib;   /* records of one app; 0: KV_DISK_DEFAULT. Only a refusal depends on it */
    uint32_t edmm;  /* 1: pages may be added and changed while the enclave runs. A lie only stops the enclave */
    uint32_t ratls; /* 2: certificates without a quote, evidence behind the handshake; 0, 1: with */
    uint32_t request_client_certificates; /* 1: of every client; 0: where an app's settings say so */
    /* Of the first boot; later ones compare. 0 stands for the default in enclave/witness/set.h */
    uint32_t witness_quorum, witness_seconds, witness_commits;
    uint32_t witnesses_size;             /* bytes */
    char witnesses[PROTO_WITNESSES_MAX]; /* lines "NAME=URL,VKEY", each with a line feed */
    uint32_t upgrade_rule;               /* enum proto_upgrade_rule. Of the first boot; later ones compare */
    char take_over[PROTO_TAKE_OVER_MAX]; /* URL of the enclave to take over from, NUL-terminated; empty: none */
    /* Who can recover the instance, and how many of them it takes. Of the first boot; later ones compare */
    uint32_t recovery_threshold, recovery_count;
    uint8_t recovery_keys[PROTO_RECOVERY_KEYS_MAX][32]; /* X25519 */
    /* 1: the store is one that this enclave cannot open: its key comes from holders' shares, if there are any here */
    uint32_t recover, recover_share_count;
    uint8_t recover_shares[PROTO_RECOVERY_KEYS_MAX][PROTO_RECOVER_SHARE_SIZE];
};
#define PROTO_VERSION 9u

/* Of several workers the first, 0, is the keeper: what they share, the store before all, lives on its thread, and it
 * serves no client and runs no guest, so that nobody who asks for a record waits for an app that computes. Of one, that
 * one does all. Which worker is the first that serves: */
static inline uint32_t proto_first_serving(uint32_t workers)
{
    return workers > 1 ? 1 : 0;
}

/* What the boot thread's ecall_run returns instead of 0 when all is in order, but a thread is still inside that
 * computes: it does nothing that can be seen outside, and may go on for as long as the process lives. */
#define PROTO_RUN_COMPUTING 2

/* ---- the OCALL -------------------------------------------------------------------------------------------- */

enum notify_op {
    /* Sleep until doorbell_in of worker arg has its sleeping flag cleared, or timeout_ns has passed (UINT64_MAX:
     * none). The worker has set the flag and looked at the ring once more. Implies NOTIFY_HOST for arg, if there are
     * names in its doorbell_out. Returns for how many microseconds it slept. */
    NOTIFY_WAIT = 1,
    NOTIFY_HOST = 2, /* the host's side of worker arg's doorbell_out sleeps and has news */
    /* Park the thread with TCS number arg until NOTIFY_THREAD_WAKE, or timeout. Wakes are counted. */
    NOTIFY_THREAD_WAIT = 3,
    NOTIFY_THREAD_WAKE = 4,   /* unpark the thread with TCS number arg */
    NOTIFY_THREADS_READY = 5, /* arg threads wait to be run: call ecall_run from that many more host threads */
    /* Clear worker arg's doorbell_in sleeping flag and wake it: a thread inside has work for it. */
    NOTIFY_WAKE_WORKER = 6,
    /* Take permissions from pages (EMODPR). arg: their offset in ELRANGE, with the SECINFO R, W, X that stay in its
     * low bits; timeout_ns: bytes. The enclave accepts, and so checks, each page afterwards. */
    NOTIFY_RESTRICT_PAGES = 7,
};

/* ---- RPC over a worker's control channel -------------------------------------------------------------------- */

/* Frame: u32 length of what follows, then a header, then payload. See common/rpc.h. Requests go from the enclave
 * to the host. Answers are matched by req_id. Integers in payloads are little-endian; "blob" is u32 length, bytes. */
enum rpc_method {
    RPC_NET_CONNECT = 0x0101, /* blob host name, u16 port -> u32 channel id, u32 generation (egress) */

    /* Storage: an ordered map of keys of at most 64 bytes, and values of at most PROTO_RECORD_MAX. A commit is one
     * transaction and is on disk when answered. What else somebody has put into the host's map is not listed. */
    RPC_KV_GET = 0x0201,    /* blob key -> value; -ENOENT */
    RPC_KV_COMMIT = 0x0202, /* u32 count, count x {u8 op (1 put, 2 delete), blob key, blob value (put)} -> empty */
    RPC_KV_SCAN = 0x0203,   /* blob prefix, blob after (empty: from the start), u32 max count, u32 max bytes
                             * -> u32 count, count x {blob key, blob value}, u8 more */

    RPC_TIME = 0x0300,  /* -> u64 realtime_ns */
    RPC_LOG = 0x0301,   /* u8 level (enum log_level), blob text, at most PROTO_LOG_MAX; no answer is sent */
    RPC_READY = 0x0302, /* u32 count, count x {blob phase name, u64 microseconds}; no answer is sent */

    RPC_QUOTE_TARGET_INFO = 0x0400, /* -> TARGETINFO, 512 bytes */
    RPC_QUOTE = 0x0401,             /* REPORT, 432 bytes -> quote */
    /* quote, one of this host's -> 6 x blob: its collateral, in the order of enum verifier_document; -ENOENT: there is
     * none to be had */
    RPC_QUOTE_COLLATERAL = 0x0402,

    RPC_HAND_OVER = 0x0500, /* u8 enum hand_over_news, blob (HAND_OVER_RECIPIENT: 32 bytes, else empty) -> empty */
};

/* What the host is told of a hand-over, and acts on. It is believed in nothing: a host that does not stop accepting
 * has its clients answered with 503. */
enum hand_over_news {
    HAND_OVER_RECIPIENT = 1, /* the new side: by this name an administrator approves it; a line in the log, and a file
                              * DATA/recipient of 64 hex digits */
    HAND_OVER_PAUSED = 2,    /* the old side: nobody is served from now on: whoever has somebody to take the listening
                              * sockets stops accepting; connections of the new side must still come in */
    HAND_OVER_RESUMED = 3,   /* the old side: it came to nothing, and serves on */
    HAND_OVER_GIVEN = 4,     /* the old side: the commit is on disk, also said at each later boot */
    HAND_OVER_TAKEN = 5,     /* the new side: the store is this folder's; what DATA/recipient says is over */
    HAND_OVER_DONE = 6,      /* the old side: the new one serves; the process ends, with status 0 */
};

enum log_level { LOG_ERROR = 0, LOG_WARN = 1, LOG_INFO = 2 };

/* Headers as they stand in the ring, little-endian, no padding:
 *   request:  req_id u64, method u16, payload_len u32       (14 bytes)
 *   response: req_id u64, error i32, payload_len u32        (16 bytes); error is 0 or a negative errno */
#define RPC_REQUEST_HEADER_SIZE 14u
#define RPC_RESPONSE_HEADER_SIZE 16u

#endif
