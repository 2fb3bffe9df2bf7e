/* worker/supervisor/job_log.c - a job's output on its way to Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/job_log.h"

#include "base/clock.h"
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define GATHER_MS   20
#define RETRY_MS    500
#define ENTRY_BYTES ((size_t)16 << 10)
#define ENTRY_COST                                                             \
    64 /* counted for each entry, so that tiny ones are bound                  \
        */

struct piece {
    TAILQ_ENTRY(piece) link;
    unsigned step;
    const char *stream; /* static */
    struct strbuf data;
    uint64_t gap_bytes; /* of a gap */
};

TAILQ_HEAD(piece_list, piece);

struct job_log {
    struct loop *loop;   /* borrowed */
    struct lease *lease; /* borrowed */
    struct piece_list waiting;
    struct piece_list sent; /* the batch under way, or to be sent again */
    size_t pending_bytes;   /* of both, with ENTRY_COST */
    uint64_t batch;         /* number of the batch in `sent` */
    uint64_t dropped_bytes;
    bool under_way;
    struct loop_source *timer;  /* borrowed: gather, or try again */
    struct loop_source *limit;  /* borrowed: of job_log_finish() */
    job_log_done_fn *on_finish; /* NULL: not finishing */
    void *arg;
};

static void send_next(void *arg);

static size_t cost(const struct piece *piece)
{
    return piece->data.len + ENTRY_COST;
}

static void clear(struct job_log *log, struct piece_list *list)
{
    struct piece *piece;

    while ((piece = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, piece, link);
        log->pending_bytes -= cost(piece);
        strbuf_clear(&piece->data);
        free(piece);
    }
}

struct job_log *job_log_new(struct loop *loop, struct lease *lease)
{
    struct job_log *log = xcalloc(1, sizeof(*log));

    log->loop = loop;
    log->lease = lease;
    TAILQ_INIT(&log->waiting);
    TAILQ_INIT(&log->sent);
    return log;
}

void job_log_free(struct job_log *log)
{
    if (!log)
        return;
    clear(log, &log->waiting);
    clear(log, &log->sent);
    loop_remove(log->timer);
    loop_remove(log->limit);
    free(log);
}

/* ---- sending ------------------------------------------------------------ */

static void send_later(struct job_log *log, int64_t wait_ms)
{
    if (!log->timer)
        log->timer = loop_add_timer(log->loop, clock_mono_ms() + wait_ms,
                                    send_next, log);
}

static void finished(struct job_log *log)
{
    job_log_done_fn *fn = log->on_finish;

    log->on_finish = NULL;
    loop_remove(log->limit);
    log->limit = NULL;
    if (fn)
        fn(log->arg);
}

static void on_stored(void *arg, const struct err *err)
{
    struct job_log *log = arg;

    log->under_way = false;
    if (err && (err->kind == ERR_TRANSIENT || err->kind == ERR_TIMEOUT)) {
        send_later(log, RETRY_MS);
        return;
    }
    if (err) { /* refused for good: no use to send it again */
        struct piece *piece;

        TAILQ_FOREACH (piece, &log->sent, link)
            log->dropped_bytes += piece->data.len + piece->gap_bytes;
    }
    clear(log, &log->sent);
    send_next(log);
}

/* The next batch: a failed one goes out again as it was. */
static void gather_batch(struct job_log *log)
{
    struct piece *piece;
    size_t count = 0;
    size_t bytes = 0;

    if (!TAILQ_EMPTY(&log->sent))
        return;
    log->batch++;
    while ((piece = TAILQ_FIRST(&log->waiting)) &&
           count < LEASE_LOG_MAX_ENTRIES &&
           bytes + piece->data.len <= LEASE_LOG_MAX_BYTES) {
        TAILQ_REMOVE(&log->waiting, piece, link);
        TAILQ_INSERT_TAIL(&log->sent, piece, link);
        bytes += piece->data.len;
        count++;
    }
}

static void transmit(struct job_log *log)
{
    struct queue_log_entry entries[LEASE_LOG_MAX_ENTRIES];
    struct piece *piece;
    size_t count = 0;

    TAILQ_FOREACH (piece, &log->sent, link)
        entries[count++] = (struct queue_log_entry){
            .step = piece->step,
            .stream = piece->stream,
            .data = piece->data.data,
            .len = piece->data.len,
            .gap_bytes = piece->gap_bytes,
        };
    log->under_way = true;
    lease_log(log->lease, log->batch, entries, count, on_stored, log);
}

static void send_next(void *arg)
{
    struct job_log *log = arg;

    loop_remove(log->timer);
    log->timer = NULL;
    if (log->under_way)
        return;
    if (TAILQ_EMPTY(&log->waiting) && TAILQ_EMPTY(&log->sent)) {
        finished(log);
        return;
    }
    gather_batch(log);
    transmit(log);
}

/* ---- adding ------------------------------------------------------------- */

static struct piece *append(struct job_log *log, unsigned step,
                            const char *stream)
{
    struct piece *piece = xcalloc(1, sizeof(*piece));

    piece->step = step;
    piece->stream = stream;
    piece->data = (struct strbuf)STRBUF_MAX(ENTRY_BYTES);
    TAILQ_INSERT_TAIL(&log->waiting, piece, link);
    log->pending_bytes += ENTRY_COST;
    return piece;
}

static void add_gap(struct job_log *log, unsigned step, uint64_t bytes)
{
    struct piece *piece = TAILQ_LAST(&log->waiting, piece_list);

    if (!piece || !piece->gap_bytes)
        piece = append(log, step, "gap");
    piece->gap_bytes += bytes;
    log->dropped_bytes += bytes;
}

static size_t add_part(struct job_log *log, unsigned step, const char *stream,
                       const char *data, size_t len)
{
    struct piece *piece = TAILQ_LAST(&log->waiting, piece_list);

    if (!piece || piece->step != step || piece->gap_bytes ||
        strcmp(piece->stream, stream) != 0 || piece->data.len == ENTRY_BYTES)
        piece = append(log, step, stream);
    if (len > ENTRY_BYTES - piece->data.len)
        len = ENTRY_BYTES - piece->data.len;
    strbuf_add(&piece->data, data, len);
    log->pending_bytes += len;
    return len;
}

void job_log_add(struct job_log *log, unsigned step, const char *stream,
                 const void *data, size_t len)
{
    const char *p = data;

    while (len && log->pending_bytes + ENTRY_COST < JOB_LOG_MAX_PENDING) {
        size_t room = JOB_LOG_MAX_PENDING - log->pending_bytes - ENTRY_COST;
        size_t n = add_part(log, step, stream, p, len < room ? len : room);

        p += n;
        len -= n;
    }
    if (len)
        add_gap(log, step, len);
    if (!log->under_way)
        send_later(log, GATHER_MS);
}

/* ---- the end ------------------------------------------------------------ */

static void on_limit(void *arg)
{
    struct job_log *log = arg;
    uint64_t bytes = 0;
    struct piece *piece;

    log->limit = NULL;
    TAILQ_FOREACH (piece, &log->waiting, link)
        bytes += piece->data.len + piece->gap_bytes;
    clear(log, &log->waiting);
    if (bytes)
        add_gap(log, 0, bytes);
    finished(log);
}

void job_log_finish(struct job_log *log, int64_t limit_ms, job_log_done_fn *fn,
                    void *arg)
{
    log->on_finish = fn;
    log->arg = arg;
    log->limit =
        loop_add_timer(log->loop, clock_mono_ms() + limit_ms, on_limit, log);
    if (!log->under_way && TAILQ_EMPTY(&log->sent)) {
        loop_remove(log->timer);
        log->timer = loop_add_timer(log->loop, 0, send_next, log);
    }
}

uint64_t job_log_dropped(const struct job_log *log)
{
    return log->dropped_bytes;
}
