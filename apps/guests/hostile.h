/*
 * What the hostile app imports (hostile.c), as the canonical ABI passes it: numbers and addresses, so that it can pass
 * wrong ones.
 */
#ifndef APPS_GUESTS_HOSTILE_H
#define APPS_GUESTS_HOSTILE_H

#include "../common/wasi_http.h"

#define POLL "wasi:io/poll@0.2.12"
#define CLOCK "wasi:clocks/monotonic-clock@0.2.12"
#define RANDOM "wasi:random/random@0.2.12"
#define ENVIRONMENT "wasi:cli/environment@0.2.12"
#define STDOUT "wasi:cli/stdout@0.2.12"
#define CONFIG "wasi:config/store@0.2.0-rc.1"
#define STORE "wasi:keyvalue/store@0.2.0-draft"
#define ATOMICS "wasi:keyvalue/atomics@0.2.0-draft"
#define FILES "wasi:filesystem/types@0.2.12"
#define PREOPENS "wasi:filesystem/preopens@0.2.12"
#define LOOKUP "wasi:sockets/ip-name-lookup@0.2.12"
#define NETWORK "wasi:sockets/instance-network@0.2.12"
#define TCP "wasi:sockets/tcp-create-socket@0.2.12"
#define UDP "wasi:sockets/udp-create-socket@0.2.12"

struct pair {
    struct text name, value;
};
struct pairs {
    const struct pair *items;
    size_t count;
};
/* result<own, enum>, or result<string, enum> */
struct small_result {
    uint8_t error;
    union {
        uint32_t handle;
        uint8_t code;
    };
    uint32_t size;
};
/* result<_, enum> */
struct code_result {
    uint8_t error, code;
};
/* result<u64, enum> and result<descriptor-stat, enum> */
struct large_result {
    uint8_t error;
    union {
        uint64_t value;
        uint8_t code;
    };
    uint64_t rest[12];
};
/* result<own<bucket>, store-error> and the like */
struct store_result {
    uint8_t error;
    union {
        uint32_t handle;
        uint8_t some;
    };
    struct text text;
};
struct list_result {
    uint8_t error;
    union {
        _Alignas(8) struct text_list keys;
        uint8_t code;
    };
    uint64_t cursor[2];
};
struct directory {
    uint32_t handle;
    struct text name;
};
struct directories {
    const struct directory *items;
    size_t count;
};

IMPORT(ENVIRONMENT, "get-environment") void get_environment(struct pairs *result);
IMPORT(CONFIG, "get") void config_get(const char *key, size_t size, struct store_result *result);
IMPORT(STORE, "open") void store_open(const char *name, size_t size, struct store_result *result);
IMPORT(STORE, "[method]bucket.get")
void bucket_get(uint32_t bucket, const char *key, size_t size, struct store_result *result);
IMPORT(STORE, "[method]bucket.list-keys")
void bucket_list(uint32_t bucket, uint32_t some, uint64_t cursor, struct list_result *result);
IMPORT(PREOPENS, "get-directories") void get_directories(struct directories *result);
IMPORT(FILES, "[method]descriptor.open-at")
void open_at(uint32_t at, uint32_t path_flags, const char *path, size_t size, uint32_t open_flags, uint32_t flags,
             struct small_result *result);
IMPORT(FILES, "[method]descriptor.symlink-at")
void symlink_at(uint32_t at, const char *old, size_t old_size, const char *path, size_t size, struct code_result *r);
IMPORT(FILES, "[method]descriptor.link-at")
void link_at(uint32_t at, uint32_t flags, const char *old, size_t old_size, uint32_t to, const char *path, size_t size,
             struct code_result *r);
IMPORT(FILES, "[method]descriptor.readlink-at")
void readlink_at(uint32_t at, const char *path, size_t size, struct small_result *result);
IMPORT(FILES, "[method]descriptor.rename-at")
void rename_at(uint32_t at, const char *old, size_t old_size, uint32_t to, const char *path, size_t size,
               struct code_result *r);
IMPORT(FILES, "[method]descriptor.create-directory-at")
void mkdir_at(uint32_t at, const char *path, size_t size, struct code_result *r);
IMPORT(FILES, "[method]descriptor.set-size") void set_size(uint32_t file, uint64_t size, struct code_result *r);
IMPORT(FILES, "[method]descriptor.write")
void file_write(uint32_t file, const void *data, size_t size, uint64_t offset, struct large_result *result);
IMPORT(FILES, "[method]descriptor.write-via-stream")
void file_stream(uint32_t file, uint64_t offset, struct small_result *result);
IMPORT(FILES, "[resource-drop]descriptor") void descriptor_drop(uint32_t file);
IMPORT(CLOCK, "subscribe-duration") uint32_t subscribe_duration(uint64_t ns);
IMPORT(POLL, "poll") void poll(const uint32_t *list, size_t count, struct byte_list *result);
IMPORT(POLL, "[method]pollable.block") void pollable_block(uint32_t pollable);
IMPORT(POLL, "[method]pollable.ready") uint32_t pollable_ready(uint32_t pollable);
IMPORT(POLL, "[resource-drop]pollable") void pollable_drop(uint32_t pollable);
IMPORT(RANDOM, "get-random-bytes") void random_bytes(uint64_t size, struct byte_list *result);
IMPORT(STDOUT, "get-stdout") uint32_t get_stdout(void);
IMPORT(STREAMS, "[method]output-stream.write")
void stream_write_now(uint32_t stream, const void *data, size_t size, struct stream_result *result);
IMPORT(STREAMS, "[method]output-stream.blocking-write-zeroes-and-flush")
void stream_zeroes(uint32_t stream, uint64_t size, struct stream_result *result);
IMPORT(NETWORK, "instance-network") uint32_t instance_network(void);
IMPORT(LOOKUP, "resolve-addresses")
void resolve(uint32_t network, const char *name, size_t size, struct small_result *result);
IMPORT(TCP, "create-tcp-socket") void create_tcp(uint32_t family, struct small_result *result);
IMPORT(UDP, "create-udp-socket") void create_udp(uint32_t family, struct small_result *result);
IMPORT(TYPES, "[static]fields.from-list")
void fields_from_list(const void *items, size_t count, struct small_result *result);
IMPORT(TYPES, "[constructor]outgoing-request") uint32_t outgoing_new(uint32_t fields);
IMPORT(TYPES, "[resource-drop]fields") void fields_drop(uint32_t fields);

#endif
