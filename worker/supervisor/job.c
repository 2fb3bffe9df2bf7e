/* worker/supervisor/job.c - one leased job and its run-job process. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/job.h"

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/queue/log.h"
#include "worker/job/events.h"
#include "worker/supervisor/job_log.h"
#include "worker/supervisor/result.h"
#include "worker/supervisor/run_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define KILL_AFTER_MS     15000 /* from end of file to SIGKILL */
#define RESULT_GRACE_MS   30000 /* from the result to the end of run-job */
#define SWEEP_MS          60000
#define LOG_FINISH_MS     3000
#define RENEW_RETRY_MS    1000
#define COMPLETE_RETRY_MS 500

/*
 *   running ──▶ ending ──▶ (sweeping) ──▶ storing ──▶ over
 *
 * running: run-job has the job. ending: its result came, or its socket was
 * closed by either side; it gets some time to exit, then SIGKILL. sweeping:
 * it did not end by itself, so its sandbox is destroyed by another process.
 * storing: the rest of the log, then the result go to Redis, again and again
 * until the lease's deadline. The lease is renewed all the time.
 */
enum phase { RUNNING, ENDING, SWEEPING, STORING };

struct job {
    struct job_spec spec;
    struct lease *lease;       /* owned */
    struct job_log *log;       /* owned */
    json_t *start;             /* owned; what run-job was told; may be NULL */
    struct channel *channel;   /* owned; NULL: closed */
    pid_t pid;                 /* -1: ended, or never started */
    struct loop_source *child; /* borrowed; of run-job or the sweeper */
    struct loop_source *renew; /* borrowed */
    struct loop_source *deadline; /* borrowed */
    struct loop_source *killer;   /* borrowed */
    struct loop_source *retry;    /* borrowed */
    enum phase phase;
    int status;       /* of run-job, as waitpid() fills it */
    bool cancel_told; /* of a cancel that came through Redis */
    unsigned cancels;
    enum reason cancel_reason; /* of the first */
    bool result_too_large;     /* run-job sent one, in pieces */
    bool gave_up;              /* `why` says so: no result will be stored */
    struct err why;
    struct job_verdict *result; /* owned; NULL: none yet */
    char *json;                 /* owned; the result as it is stored */
    int64_t started_at_ms;      /* wall clock */
};

static void begin_end(struct job *job, int64_t limit_ms);
static void maybe_ended(struct job *job);
static void store(void *arg);

/* ---- the end of the job here -------------------------------------------- */

static const char *id_of(const struct job *job)
{
    return lease_job_id(job->lease);
}

/* Last thing done with a job: on_over frees it. */
static void over(struct job *job)
{
    const struct supervisor_events *events = job->spec.events;

    if (job->gave_up && events->on_failed)
        events->on_failed(events->arg, id_of(job), &job->why);
    else if (!job->gave_up && events->on_ended)
        events->on_ended(events->arg, id_of(job), job->result->state,
                         job->json);
    job->spec.on_over(job->spec.arg, job);
}

/* No result of this job may be stored any more: only its process is left. */
static void give_up(struct job *job, const struct err *why)
{
    if (job->gave_up)
        return;
    job->gave_up = true;
    job->why = *why;
    loop_remove(job->renew);
    loop_remove(job->deadline);
    job->renew = job->deadline = NULL;
    if (job->phase == STORING) {
        over(job);
        return;
    }
    if (job->phase == SWEEPING)
        return;
    channel_free(STEAL(job->channel));
    begin_end(job, KILL_AFTER_MS);
    maybe_ended(job);
}

/* ---- the lease ---------------------------------------------------------- */

static void renew(void *arg);

static void on_deadline(void *arg)
{
    struct job *job = arg;
    struct err why;

    job->deadline = NULL;
    (void)err_set(&why, ERR_TRANSIENT,
                  "job %s: Redis was away until the lease's deadline",
                  id_of(job));
    give_up(job, &why);
}

static void arm_deadline(struct job *job)
{
    int64_t at = lease_sent_mono_ms(job->lease) + job->spec.options->kill_ms;
    char json[64];
    int len = snprintf(json, sizeof(json), "{\"mono_ms\":%" PRId64 "}", at);

    loop_remove(job->deadline);
    job->deadline = loop_add_timer(job->spec.loop, at, on_deadline, job);
    if (job->channel)
        channel_send(job->channel, JOB_FRAME_DEADLINE, 0, json, (size_t)len);
}

static void renew_at(struct job *job, int64_t at_ms)
{
    loop_remove(job->renew);
    job->renew = loop_add_timer(job->spec.loop, at_ms, renew, job);
}

static void on_lost(struct job *job)
{
    struct err why;

    (void)err_set(&why, ERR_LOST, "job %s: its lease is lost", id_of(job));
    /* While the result is being stored only that call knows: if its answer
     * was lost, the job has ended, by ourselves. */
    if (job->phase != STORING)
        give_up(job, &why);
}

static void on_renewed(void *arg, bool drain UNUSED,
                       const struct lease_news *news, size_t count,
                       const struct err *err)
{
    struct job *job = arg;
    int64_t period = job->spec.options->renew_ms;

    if (job->gave_up)
        return;
    if (!err && (!count || news->lost)) {
        on_lost(job);
        return;
    }
    if (err) {
        renew_at(job, clock_mono_ms() +
                          (period < RENEW_RETRY_MS ? period : RENEW_RETRY_MS));
        return;
    }
    arm_deadline(job);
    renew_at(job, lease_sent_mono_ms(job->lease) + period);
    if (news->cancel != REASON_NONE && !job->cancel_told) {
        job->cancel_told = true;
        job_cancel(job, reason_name(news->cancel));
    }
}

static void renew(void *arg)
{
    struct job *job = arg;

    job->renew = NULL;
    queue_renew(job->spec.queue, job->spec.options->worker, NULL, 0,
                &job->lease, 1, on_renewed, job);
}

void job_cancel(struct job *job, const char *reason)
{
    int found = reason_find(reason);
    json_t *body;
    char *json;

    if (!job->channel || job->phase != RUNNING)
        return;
    if (!job->cancels)
        job->cancel_reason =
            found == REASON_SUPERSEDED ? REASON_SUPERSEDED : REASON_CANCELLED;
    body = json_pack("{s:s}", "reason", reason_name(job->cancel_reason));
    json = json_dumps(body, JSON_COMPACT);
    channel_send(job->channel, JOB_FRAME_CANCEL, 0, json, strlen(json));
    free(json);
    json_decref(body);
    /* The second asks run-job to kill at once: it has that long to do so. */
    if (++job->cancels == 2)
        begin_end(job, KILL_AFTER_MS);
}

/* ---- what run-job says -------------------------------------------------- */

static bool is_json_object(const struct frame *frame)
{
    json_t *root = json_loadb((const char *)frame->data, frame->len,
                              JSON_REJECT_DUPLICATES, NULL);
    bool is_object = json_is_object(root);

    json_decref(root);
    return is_object;
}

static void take_result(struct job *job, const struct frame *frame)
{
    struct err err;

    /* A channel cuts what is over one frame: no piece is a result. */
    if (job->result_too_large || frame->len == FRAME_MAX_PAYLOAD) {
        job->result_too_large = true;
        return;
    }
    if (job_verdict_read(id_of(job), frame->data, frame->len, &job->result,
                         &err) < 0) {
        log_warn("job %s: %s", id_of(job), err.msg);
        return;
    }
    begin_end(job, RESULT_GRACE_MS);
}

/* Returns false for what is not to be passed on. */
static bool take_frame(struct job *job, const struct frame *frame)
{
    switch ((enum job_frame)frame->type) {
    case JOB_FRAME_STDOUT:
        job_log_add(job->log, frame->id, "stdout", frame->data, frame->len);
        return true;
    case JOB_FRAME_STDERR:
        job_log_add(job->log, frame->id, "stderr", frame->data, frame->len);
        return true;
    case JOB_FRAME_NOTE:
        job_log_add(job->log, frame->id, "note", frame->data, frame->len);
        return true;
    case JOB_FRAME_PROGRESS:
        return true;
    case JOB_FRAME_STEP_START:
    case JOB_FRAME_STEP_END:
        return is_json_object(frame);
    case JOB_FRAME_RESULT:
        take_result(job, frame);
        return job->result != NULL;
    case JOB_FRAME_START:
    case JOB_FRAME_DEADLINE:
    case JOB_FRAME_CANCEL:
        break;
    }
    return false;
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct job *job = arg;
    const struct supervisor_events *events = job->spec.events;

    if (job->result) /* it was the last frame */
        return;
    if (take_frame(job, frame) && events->on_frame)
        events->on_frame(events->arg, id_of(job), frame);
}

static void on_closed(void *arg, const struct err *err UNUSED)
{
    struct job *job = arg;

    channel_free(STEAL(job->channel));
    begin_end(job, KILL_AFTER_MS);
    maybe_ended(job);
}

/* ---- the end of run-job ------------------------------------------------- */

static void on_kill(void *arg)
{
    struct job *job = arg;

    job->killer = NULL;
    run_job_kill(job->pid);
    channel_free(STEAL(job->channel));
    maybe_ended(job);
}

static void begin_end(struct job *job, int64_t limit_ms)
{
    if (job->phase != RUNNING)
        return;
    /* A cancel may still bring a result: frames are taken until the end. */
    if (job->result || !job->channel)
        job->phase = ENDING;
    loop_remove(job->killer);
    job->killer = loop_add_timer(job->spec.loop, clock_mono_ms() + limit_ms,
                                 on_kill, job);
}

static void on_exit_of_job(void *arg, pid_t pid UNUSED, int status)
{
    struct job *job = arg;

    job->child = NULL;
    job->pid = -1;
    job->status = status;
    /* What it wrote last is still in the socket; but a grandchild that holds
     * its end must not keep the job. */
    if (job->channel) {
        loop_remove(job->killer);
        job->killer = loop_add_timer(job->spec.loop, clock_mono_ms() + 2000,
                                     on_kill, job);
    }
    maybe_ended(job);
}

static void make_up_result(struct job *job, enum reason reason,
                           const char *message)
{
    const struct job_verdict_spec spec = {
        .job_id = id_of(job),
        .epoch = lease_epoch(job->lease),
        .start = job->start,
        .reason = reason,
        .message = message,
        .started_at_ms = job->started_at_ms,
        .ended_at_ms = clock_wall_ms(),
    };

    job->result = job_verdict_make(&spec);
}

static void judge_end(struct job *job)
{
    char message[128];

    if (job->result_too_large)
        (void)snprintf(message, sizeof(message),
                       "run-job's result is over %u bytes",
                       FRAME_MAX_PAYLOAD - 1);
    else if (WIFSIGNALED(job->status))
        (void)snprintf(message, sizeof(message),
                       "run-job was killed by signal %d before it gave a "
                       "result",
                       WTERMSIG(job->status));
    else
        (void)snprintf(message, sizeof(message),
                       "run-job exited with %d and gave no valid result",
                       WEXITSTATUS(job->status));
    make_up_result(job,
                   job->cancels ? job->cancel_reason : REASON_SANDBOX_FAILED,
                   message);
}

/* ---- storing ------------------------------------------------------------ */

static void on_stored(void *arg, struct lease *next UNUSED,
                      const struct err *err)
{
    struct job *job = arg;

    if (job->gave_up)
        return;
    if (err && (err->kind == ERR_TRANSIENT || err->kind == ERR_TIMEOUT)) {
        job->retry = loop_add_timer(
            job->spec.loop, clock_mono_ms() + COMPLETE_RETRY_MS, store, job);
        return;
    }
    if (err)
        give_up(job, err);
    else
        over(job);
}

static void store(void *arg)
{
    struct job *job = arg;
    struct lease_result result = {
        .state = job->result->state,
        .reason = (enum reason)reason_find(job->result->reason),
        .json = job->json};

    job->retry = NULL;
    lease_complete(job->lease, job->spec.options->worker, &result, NULL,
                   on_stored, job);
}

static void on_log_stored(void *arg)
{
    struct job *job = arg;
    CLEANUP(mem) char *stream = lease_log_stream(job->lease);

    job->json =
        job_verdict_write(job->result, stream, job_log_dropped(job->log));
    store(job);
}

static void begin_store(struct job *job)
{
    job->phase = STORING;
    if (job->gave_up) {
        over(job);
        return;
    }
    if (!job->result)
        judge_end(job);
    job_log_finish(job->log, LOG_FINISH_MS, on_log_stored, job);
}

/* ---- sweeping ----------------------------------------------------------- */

static void on_swept(void *arg, pid_t pid UNUSED, int status)
{
    struct job *job = arg;

    job->child = NULL;
    job->pid = -1;
    loop_remove(job->killer);
    job->killer = NULL;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        log_warn("job %s: its sandbox could not be swept", id_of(job));
    begin_store(job);
}

static void begin_sweep(struct job *job)
{
    struct err err;

    job->phase = SWEEPING;
    if (run_job_spawn_sweep(job->spec.options->state_dir, &job->pid, &err) <
            0 ||
        loop_add_child(job->spec.loop, job->pid, on_swept, job, &job->child,
                       &err) < 0) {
        log_warn("job %s: cannot sweep: %s", id_of(job), err.msg);
        begin_store(job);
        return;
    }
    job->killer = loop_add_timer(job->spec.loop, clock_mono_ms() + SWEEP_MS,
                                 on_kill, job);
}

/* Both must be over: the process, and what it wrote before. */
static void maybe_ended(struct job *job)
{
    if (job->pid > 0 || job->channel || job->phase >= SWEEPING)
        return;
    loop_remove(job->killer);
    job->killer = NULL;
    if (!WIFEXITED(job->status) || !job->result)
        begin_sweep(job);
    else
        begin_store(job);
}

/* ---- starting ----------------------------------------------------------- */

static int start(struct job *job, struct err *err)
{
    struct channel_spec channel = {
        .on_frame = on_frame, .on_closed = on_closed, .arg = job};
    CLEANUP(mem) char *json = NULL;
    int fd;

    if (run_job_message(job->lease, job->spec.options->secrets, &job->start,
                        &json, err) < 0 ||
        run_job_spawn(&job->pid, &fd, err) < 0)
        return -1;
    channel.in_fd = channel.out_fd = fd;
    if (channel_new(job->spec.loop, &channel, &job->channel, err) < 0 ||
        loop_add_child(job->spec.loop, job->pid, on_exit_of_job, job,
                       &job->child, err) < 0) {
        channel_free(STEAL(job->channel));
        run_job_reap(job->pid, 0);
        return -1;
    }
    channel_send(job->channel, JOB_FRAME_START, 0, json, strlen(json));
    mem_wipe(json, strlen(json));
    return 0;
}

static void begin_store_later(void *arg)
{
    struct job *job = arg;

    job->retry = NULL;
    begin_store(job);
}

struct job *job_new(const struct job_spec *spec, struct lease *lease)
{
    struct job *job = xcalloc(1, sizeof(*job));
    struct err err;

    job->spec = *spec;
    job->lease = lease;
    job->log = job_log_new(spec->loop, lease);
    job->started_at_ms = clock_wall_ms();
    job->pid = -1;
    if (start(job, &err) < 0) {
        job->pid = -1;
        job->phase = STORING;
        make_up_result(
            job, job->start ? REASON_SANDBOX_FAILED : REASON_PIPELINE_INVALID,
            err.msg);
        job->retry = loop_add_timer(spec->loop, 0, begin_store_later, job);
    } else if (spec->events->on_started) {
        spec->events->on_started(spec->events->arg, id_of(job));
    }
    arm_deadline(job);
    renew_at(job, lease_sent_mono_ms(lease) + spec->options->renew_ms);
    return job;
}

/* ---- closing down ------------------------------------------------------- */

void job_close(struct job *job)
{
    channel_free(STEAL(job->channel));
    loop_remove(job->child);
    job->child = NULL;
}

bool job_wait(struct job *job, int64_t until_ms)
{
    pid_t pid = job->pid;

    job->pid = -1;
    return pid > 0 && run_job_reap(pid, until_ms - clock_mono_ms());
}

void job_free(struct job *job)
{
    if (!job)
        return;
    channel_free(job->channel);
    loop_remove(job->child);
    loop_remove(job->renew);
    loop_remove(job->deadline);
    loop_remove(job->killer);
    loop_remove(job->retry);
    job_log_free(job->log);
    lease_free(job->lease);
    job_verdict_free(job->result);
    json_decref(job->start);
    free(job->json);
    free(job);
}
