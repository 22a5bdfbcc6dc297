/*
 * WASI 0.2 for guests: all that they may import, as a world for the engine. Begin here; there is nothing else to call.
 *
 *     struct wasm_runtime_config config = {.world = &wasi_world, .store = store, .dialer = dialer};
 *
 * A file for each WIT package has its functions and one table of them; wasi.c puts the tables together. docs/wasi.md is
 * made from these tables, and a test compares. To serve another function: write it as host.h of enclave/wasm says, and
 * add its line, with its type as WIT has it, to the package's table.
 *
 * What the configuration leaves out is refused to guests in the interfaces' own words: without a dialer requests are
 * denied, without files there is no directory. wasi:sockets has its interfaces, and no network.
 *
 * Threads. All functions run on their guest's worker. The store and the file system answer later, on the same loop;
 * what they answer to (struct kv_call, struct fs_wait) may outlive the guest, and holds a reference to the app instead.
 *
 * Errors. A guest's mistake is an error of the interface, or a trap with a sentence in its app's log. errno values of
 * the rooms below become the interfaces' error codes in one place each (http_error_code.c, file_call.c,
 * keyvalue_call.c).
 *
 * Bounds are in limits.h here and in enclave/wasm; whatever a guest makes grow is charged to its app.
 *
 * Known weaknesses. Clocks are the host's. A guest has one operation on files and one on the store at a time.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_WASI_H
#define ENCLAVE_OS_ENCLAVE_WASI_WASI_H

struct host_world;

extern const struct host_world wasi_world;

#endif
