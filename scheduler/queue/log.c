/* scheduler/queue/log.c - what Redis keeps of a job's output. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/log.h"

#include "scheduler/queue/impl.h"

#include <inttypes.h>

#define KEEP_MS    604800000
#define HEAD_BYTES ((int64_t)256 << 10)
#define TAIL_BYTES ((int64_t)1 << 20)
/* About what Redis needs for an entry besides its data. */
#define OVERHEAD 64

static char *log_prefix(const struct queue *queue, const char *id,
                        uint64_t epoch)
{
    return xasprintf("berth:log:{%s:%s:%" PRIu64 "}:", queue->pool, id, epoch);
}

char *lease_log_stream(const struct lease *lease)
{
    return log_prefix(lease->queue, lease->job_id, lease->epoch);
}

/* ---- writing ------------------------------------------------------------ */

static void on_logged(struct queue_request *request,
                      const struct redisReply *reply UNUSED,
                      const struct err *err)
{
    ((lease_logged_fn *)request->fn)(request->arg, err);
}

void lease_log(struct lease *lease, uint64_t batch,
               const struct queue_log_entry *entries, size_t count,
               lease_logged_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem)
    char *key = log_prefix(lease->queue, lease->job_id, lease->epoch);
    struct queue_request *request =
        queue_request(lease->queue, on_logged, (void (*)(void))fn, arg);

    request->lease = lease;
    queue_args_num(&args, (int64_t)batch);
    queue_args_num(&args, HEAD_BYTES);
    queue_args_num(&args, TAIL_BYTES);
    queue_args_num(&args, OVERHEAD);
    queue_args_num(&args, KEEP_MS);
    for (size_t i = 0; i < count && i < LEASE_LOG_MAX_ENTRIES; i++) {
        queue_args_num(&args, entries[i].step);
        queue_args_str(&args, entries[i].stream);
        queue_args_mem(&args, entries[i].data ? entries[i].data : "",
                       entries[i].len);
        queue_args_num(&args, (int64_t)entries[i].gap_bytes);
    }
    queue_send_at(request, SCRIPT_LOG, key, &args);
}
