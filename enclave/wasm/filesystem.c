/*
 * wasi:filesystem/{types,preopens}@0.2.x: there is no file system. No directory is open, so no descriptor exists
 * and none of its methods can be reached; language runtimes import them all the same.
 */
#include "enclave/wasm/internal.h"

static enum host_status nothing(struct guest *g, const struct slot *args, size_t count)
{
    reply_word(g, 0); /* the empty list, and none */
    return HOST_DONE;
}

#define FILE_ERROR                                                                                             \
    "enum{access,would-block,already,bad-descriptor,busy,deadlock,quota,exist,file-too-large,"                 \
    "illegal-byte-sequence,in-progress,interrupted,invalid,io,is-directory,loop,too-many-links,message-size,"  \
    "name-too-long,no-device,no-entry,no-lock,insufficient-memory,insufficient-space,not-directory,not-empty," \
    "not-recoverable,unsupported,no-tty,no-such-device,overflow,not-permitted,pipe,read-only,invalid-seek,"    \
    "text-file-busy,cross-device}"

static const struct host_func types_funcs[] = {
    {"[method]descriptor.*", NULL, NULL, SHAPE_ANY, false},
    {"[method]directory-entry-stream.*", NULL, NULL, SHAPE_ANY, false},
    {"filesystem-error-code", "(borrow<error>)->(option<" FILE_ERROR ">)", nothing, SHAPE_ANY, false},
};
static const struct host_func preopens_funcs[] = {
    {"get-directories", "()->(list<tuple<own<descriptor>,string>>)", nothing, SHAPE_ANY, false},
};

const struct host_interface wasi_filesystem[2] = {
    INTERFACE("wasi:filesystem/types", "0.2", types_funcs),
    INTERFACE("wasi:filesystem/preopens", "0.2", preopens_funcs),
};
