/* worker/supervisor/job_log.c - a job's output on its way to Redis and disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/job_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "worker/logs/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define GATHER_MS 50
#define RETRY_MS  500
#define MAX_STEPS 100
#define MAX_AGE_S ((int64_t)7 * 24 * 3600)
#define MAX_WAITS 60 /* of job_log_finish(): a lease is over before */
/* A masked chunk: frames are cut into some that are no larger. */
#define CHUNK_BYTES ((size_t)64 << 10)

/* Steps in the background print beside others: a secret is looked for in what
 * one of them prints, not across several. */
struct step_masks {
    unsigned step;
    struct mask_stream *streams[LOG_STREAMS]; /* owned */
};

struct job_log {
    struct job_log_spec spec;
    struct step_masks *masks; /* owned: of the steps that print */
    size_t mask_count;
    struct log_builder *builder; /* owned */
    struct spool *spool;         /* owned; NULL: there is none */
    bool is_away;                /* its file goes to the store, or is gone */
    bool putting;                /* it is on its way to the store */
    struct log_reader *reader;   /* owned; of the spool; NULL: not yet */
    struct strbuf batch;         /* blocks that Redis has not taken yet */
    uint64_t lost_bytes;         /* for want of a spool */
    bool under_way;
    bool refused;               /* Redis will never take it */
    struct loop_source *gather; /* borrowed: finish a block */
    struct loop_source *retry;  /* borrowed: send again */
    struct loop_source *limit;  /* borrowed: of job_log_finish() */
    int64_t limit_ms;           /* the same */
    bool progress;              /* Redis took some since it was set */
    unsigned waits;             /* how often it was set again */
    job_log_done_fn *on_finish; /* NULL: not finishing */
    bool finished;              /* it is told once the file is in the store */
    void *arg;
    char *stored; /* owned */
};

static void pump(struct job_log *log);

struct job_log *job_log_new(const struct job_log_spec *spec)
{
    struct job_log *log = xcalloc(1, sizeof(*log));
    CLEANUP(mem) char *dir = xasprintf("%s/spool", spec->state_dir);
    const struct spool_options options = {.dir = dir,
                                          .id = lease_job_id(spec->lease),
                                          .epoch = lease_epoch(spec->lease)};
    struct err err;

    log->spec = *spec;
    log->batch = (struct strbuf)STRBUF_MAX(LEASE_LOG_MAX_BYTES);
    if (spool_open(&options, &log->spool, &err) < 0)
        log_warn("job %s: its log is not kept: %s", options.id, err.msg);
    log->builder = log_builder_new(log->spool ? spool_next_seq(log->spool) : 1,
                                   log->spool ? spool_offset(log->spool) : 0);
    return log;
}

static void tell_finish(struct job_log *log)
{
    job_log_done_fn *fn = STEAL(log->on_finish);

    fn(log->arg);
}

static void on_put(void *arg, const char *name, const struct err *err)
{
    struct job_log *log = arg;

    log->putting = false;
    if (name)
        log->stored = xstrdup(name);
    else
        log_warn("job %s: its log is not in the log store: %s",
                 lease_job_id(log->spec.lease), err->msg);
    if (log->finished)
        tell_finish(log);
}

/* The file is read on, wherever it is then. */
static void put_in_store(struct job_log *log)
{
    if (!log->spool || !log->spec.archiver || log->stored || log->putting)
        return;
    log->putting = true;
    archiver_put(log->spec.archiver, spool_path(log->spool),
                 lease_job_id(log->spec.lease), lease_epoch(log->spec.lease),
                 on_put, log);
}

bool job_log_put_away(struct job_log *log, archiver_fn *fn, void *arg)
{
    bool under_way;

    if (!log || !log->spool)
        return false;
    if (!log->is_away && log->spec.archiver)
        put_in_store(log);
    else if (!log->is_away)
        (void)unlink(spool_path(log->spool));
    log->is_away = true;
    under_way = log->putting && fn;
    if (under_way) {
        archiver_redirect(log->spec.archiver, log, fn, arg);
        log->putting = false;
    }
    return under_way;
}

static void masks_clear(struct step_masks *masks)
{
    for (size_t i = 0; i < LOG_STREAMS; i++)
        mask_stream_free(masks->streams[i]);
}

void job_log_free(struct job_log *log)
{
    if (!log)
        return;
    (void)job_log_put_away(log, NULL, NULL);
    if (log->putting)
        archiver_redirect(log->spec.archiver, log, NULL, NULL);
    loop_remove(log->gather);
    loop_remove(log->retry);
    loop_remove(log->limit);
    for (size_t i = 0; i < log->mask_count; i++)
        masks_clear(&log->masks[i]);
    free(log->masks);
    log_reader_free(log->reader);
    log_builder_free(log->builder);
    spool_free(log->spool);
    strbuf_clear(&log->batch);
    free(log->stored);
    free(log);
}

/* ---- to Redis ------------------------------------------------------------ */

static void finished(struct job_log *log)
{
    loop_remove(log->limit);
    loop_remove(log->retry);
    log->limit = log->retry = NULL;
    log->finished = true;
    (void)job_log_put_away(log, NULL, NULL);
    if (!log->putting)
        tell_finish(log);
}

static void on_retry(void *arg)
{
    struct job_log *log = arg;

    log->retry = NULL;
    pump(log);
}

static void on_logged(void *arg, const struct err *err)
{
    struct job_log *log = arg;

    log->under_way = false;
    if (err && (err->kind == ERR_TRANSIENT || err->kind == ERR_TIMEOUT)) {
        log->retry = loop_add_timer(log->spec.loop, clock_mono_ms() + RETRY_MS,
                                    on_retry, log);
        return;
    }
    log->progress = true;
    if (err) /* the supervisor learns from its renewal what is wrong */
        log->refused = true;
    strbuf_cut(&log->batch, 0);
    pump(log);
}

static bool open_reader(struct job_log *log)
{
    struct err err;

    if (!log->spool)
        return false;
    if (!log->reader && spool_read(log->spool, 1, &log->reader, &err) < 0)
        log_warn("job %s: %s", lease_job_id(log->spec.lease), err.msg);
    return log->reader != NULL;
}

/* As many blocks as are there, and as surely fit. */
static void fill_batch(struct job_log *log)
{
    struct log_block block;
    struct err err;
    int rc = 1;

    if (!open_reader(log))
        return;
    while (rc > 0 &&
           log->batch.len + LOG_BLOCK_MAX_SIZE <= LEASE_LOG_MAX_BYTES) {
        rc = log_reader_next_block(log->reader, &block, &err);
        if (rc > 0)
            log_block_put(&block, &log->batch);
    }
    if (rc < 0) {
        log_warn("job %s: its spool: %s", lease_job_id(log->spec.lease),
                 err.msg);
        log->refused = true;
    }
}

static void pump(struct job_log *log)
{
    if (log->under_way || log->retry)
        return;
    if (!log->batch.len && !log->refused)
        fill_batch(log);
    if (log->batch.len && !log->refused) {
        log->under_way = true;
        lease_log(log->spec.lease, *log->spec.budget_bytes, log->batch.data,
                  log->batch.len, on_logged, log);
    } else if (log->on_finish && !log->finished) {
        finished(log);
    }
}

/* ---- into blocks --------------------------------------------------------- */

/* Redis may have it later: from the spool. Without one: now or never. */
static void cut_block(struct job_log *log)
{
    struct log_block block;

    loop_remove(log->gather);
    log->gather = NULL;
    if (!log_builder_finish(log->builder, &block))
        return;
    if (log->spool)
        spool_append(log->spool, &block);
    else if (!log->under_way && !log->retry && !log->batch.len)
        log_block_put(&block, &log->batch);
    else
        log->lost_bytes += block.bytes;
}

static void on_gather(void *arg)
{
    struct job_log *log = arg;

    log->gather = NULL;
    cut_block(log);
    pump(log);
}

static void add_text(struct job_log *log, unsigned step, enum log_stream stream,
                     const char *data, size_t len)
{
    if (len && log->spec.on_text)
        log->spec.on_text(log->spec.arg, step, stream, data, len);
    while (len) {
        struct log_entry entry = {
            .at_ms = clock_wall_ms(),
            .step = step,
            .stream = stream,
            .data = data,
            .len = len < LOG_ENTRY_MAX_DATA ? len : LOG_ENTRY_MAX_DATA};

        if (!log_builder_add(log->builder, &entry)) {
            cut_block(log);
            pump(log);
            continue;
        }
        data += entry.len;
        len -= entry.len;
    }
    if (log_builder_pending(log->builder) && !log->gather)
        log->gather = loop_add_timer(
            log->spec.loop, clock_mono_ms() + GATHER_MS, on_gather, log);
}

/* Add what was held back because a secret might begin so. */
static void flush_masks(struct job_log *log, struct step_masks *masks)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    for (size_t i = 0; i < LOG_STREAMS; i++) {
        strbuf_cut(&text, 0);
        mask_stream_flush(masks->streams[i], &text);
        add_text(log, masks->step, (enum log_stream)i, text.data, text.len);
    }
}

void job_log_end_step(struct job_log *log, unsigned step)
{
    for (size_t i = 0; i < log->mask_count; i++) {
        if (log->masks[i].step != step)
            continue;
        flush_masks(log, &log->masks[i]);
        masks_clear(&log->masks[i]);
        log->masks[i] = log->masks[--log->mask_count];
        return;
    }
}

static struct step_masks *masks_of(struct job_log *log, unsigned step)
{
    struct step_masks *masks;

    for (size_t i = 0; i < log->mask_count; i++)
        if (log->masks[i].step == step)
            return &log->masks[i];
    if (log->mask_count == MAX_STEPS)
        job_log_end_step(log, log->masks[0].step);
    log->masks =
        xreallocarray(log->masks, log->mask_count + 1, sizeof(*log->masks));
    masks = &log->masks[log->mask_count++];
    masks->step = step;
    for (size_t i = 0; i < LOG_STREAMS; i++)
        masks->streams[i] = mask_stream_new(log->spec.mask);
    return masks;
}

void job_log_add(struct job_log *log, unsigned step, enum log_stream stream,
                 const void *data, size_t len)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct mask_stream *mask;
    const char *p = data;

    if (!log->spec.mask) {
        add_text(log, step, stream, p, len);
        return;
    }
    mask = masks_of(log, step)->streams[stream];
    while (len) {
        size_t n = len < CHUNK_BYTES ? len : CHUNK_BYTES;

        strbuf_cut(&text, 0);
        mask_stream_feed(mask, p, n, &text);
        /* A line of berth's own is whole: it does not wait for the next. */
        if (stream == LOG_NOTE && n == len)
            mask_stream_flush(mask, &text);
        add_text(log, step, stream, text.data, text.len);
        p += n;
        len -= n;
    }
}

/* ---- the end ------------------------------------------------------------- */

static void on_limit(void *arg);

static void arm_limit(struct job_log *log)
{
    log->progress = false;
    log->limit = loop_add_timer(log->spec.loop, clock_mono_ms() + log->limit_ms,
                                on_limit, log);
}

static void on_limit(void *arg)
{
    struct job_log *log = arg;

    log->limit = NULL;
    if (!log->progress && log->waits++ < MAX_WAITS) {
        put_in_store(log);
        arm_limit(log);
        return;
    }
    log->refused = true; /* what is under way may come or not */
    finished(log);
}

/* Not from inside of job_log_finish(). */
static void on_last(void *arg)
{
    struct job_log *log = arg;

    log->gather = NULL;
    pump(log);
}

void job_log_finish(struct job_log *log, int64_t limit_ms, job_log_done_fn *fn,
                    void *arg)
{
    for (size_t i = 0; i < log->mask_count; i++)
        flush_masks(log, &log->masks[i]);
    cut_block(log);
    if (log->spool && !spool_finish(log->spool))
        log_warn("job %s: the end of its log is missing",
                 lease_job_id(log->spec.lease));
    log->on_finish = fn;
    log->arg = arg;
    log->limit_ms = limit_ms;
    arm_limit(log);
    log->gather = loop_add_timer(log->spec.loop, 0, on_last, log);
}

uint64_t job_log_lost_bytes(const struct job_log *log)
{
    return log->lost_bytes + (log->spool ? spool_lost_bytes(log->spool) : 0);
}

const char *job_log_stored(const struct job_log *log)
{
    return log->stored;
}

void job_log_clean(const char *state_dir)
{
    CLEANUP(mem) char *spool = xasprintf("%s/spool", state_dir);
    int64_t oldest = clock_wall_ms() / 1000 - MAX_AGE_S;
    DIR *dir = opendir(spool);
    struct dirent *entry;
    struct stat st;

    while (dir && (entry = readdir(dir)))
        if (log_file_is_name(entry->d_name) &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime < oldest)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        (void)closedir(dir);
}
