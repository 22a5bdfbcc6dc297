/* A host whose storage does one thing and says another, or that is killed while the enclave asks for something. What
 * files say is so while they are there:
 *
 *     KEEP_AND_REFUSE=FILE    a commit is made, and said to have failed
 *     REFUSE=FILE             no commit is made
 *     HOLD=FILE               a commit waits before it is made
 *     HIDE_ROOT=FILE          the root cannot be read
 *     KILL_AT=N               SIGKILL at the Nth moment of the enclave's requests: each has two, before it is carried
 *                             out and when its answer is ready
 *     COUNT_WHILE=FILE        if it is given, only moments at which FILE is there count
 *     TELL_COMMITS=FILE       a line "commit" at the end of FILE before each commit is made
 *
 * Linked in place of the host's own functions (--wrap); all else is the real host. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/rpc.h"
#include "host/kvstore/kvstore.h"

static bool is_there(const char *name)
{
    const char *file = getenv(name);
    return file && access(file, F_OK) == 0;
}

static void pass_moment(void)
{
    static atomic_ulong moments;
    const char *last = getenv("KILL_AT");
    if (last && (!getenv("COUNT_WHILE") || is_there("COUNT_WHILE")) &&
        atomic_fetch_add(&moments, 1) + 1 == strtoul(last, NULL, 10)) {
        fprintf(stderr, "lying_store: killed at moment %s\n", last);
        kill(getpid(), SIGKILL);
    }
}

int __real_rpc_request_next(struct rpc_reader *r, struct rpc_request *out);
int __wrap_rpc_request_next(struct rpc_reader *r, struct rpc_request *out);

int __wrap_rpc_request_next(struct rpc_reader *r, struct rpc_request *out)
{
    int result = __real_rpc_request_next(r, out);
    if (result == 1)
        pass_moment();
    return result;
}

int __real_rpc_response_send(struct queue_producer *p, const struct rpc_response *response, const void *payload);
int __wrap_rpc_response_send(struct queue_producer *p, const struct rpc_response *response, const void *payload);

int __wrap_rpc_response_send(struct queue_producer *p, const struct rpc_response *response, const void *payload)
{
    pass_moment();
    return __real_rpc_response_send(p, response, payload);
}

static void tell_commit(void)
{
    static const char line[] = "commit\n";
    const char *name = getenv("TELL_COMMITS");
    int file = name ? open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (file < 0)
        return;
    if (write(file, line, sizeof line - 1) != sizeof line - 1)
        abort();
    close(file);
}

int __real_kvstore_commit(struct kvstore *kv, const struct kvstore_op *ops, size_t count);
int __wrap_kvstore_commit(struct kvstore *kv, const struct kvstore_op *ops, size_t count);

int __wrap_kvstore_commit(struct kvstore *kv, const struct kvstore_op *ops, size_t count)
{
    while (is_there("HOLD"))
        usleep(10000);
    if (is_there("REFUSE"))
        return -EIO;
    tell_commit();
    int result = __real_kvstore_commit(kv, ops, count);
    return result == 0 && is_there("KEEP_AND_REFUSE") ? -EIO : result;
}

int __real_kvstore_get(struct kvstore *kv, struct kvstore_bytes key, void **value, size_t *size);
int __wrap_kvstore_get(struct kvstore *kv, struct kvstore_bytes key, void **value, size_t *size);

int __wrap_kvstore_get(struct kvstore *kv, struct kvstore_bytes key, void **value, size_t *size)
{
    if (key.size == 4 && memcmp(key.data, "root", 4) == 0 && is_there("HIDE_ROOT"))
        return -EIO;
    return __real_kvstore_get(kv, key, value, size);
}
