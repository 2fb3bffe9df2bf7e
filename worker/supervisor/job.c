/* worker/supervisor/job.c - one leased job, until its result is stored. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/job.h"

#include "base/clock.h"
#include "base/log.h"
#include "worker/job/events.h"
#include "worker/supervisor/cache_store.h"
#include "worker/supervisor/connections.h"
#include "worker/supervisor/credential.h"
#include "worker/supervisor/job_log.h"
#include "worker/supervisor/models.h"
#include "worker/supervisor/runner.h"
#include "worker/supervisor/secrets.h"
#include "worker/supervisor/spending.h"
#include "worker/supervisor/trace.h"

#include <stdlib.h>
#include <string.h>

#define LOG_FINISH_MS     3000
#define COMPLETE_RETRY_MS 500

/*
 *   (asking) ──▶ running ──▶ storing ──▶ over
 *
 * asking: for what reads its repository. running: a runner, or
 * options->execute, has it. storing: its artifacts go to their store, the rest
 * of the log, then the result go to Redis, again and again until the lease's
 * deadline. The supervisor renews the lease all the time.
 */
struct job {
    struct job_spec spec;
    struct lease *lease;       /* owned */
    struct credential *asking; /* owned; NULL: not, or not any more */
    json_t *given;             /* owned; what came of it; NULL: nothing */
    struct strbuf note;        /* about that, and fallbacks; for the log */
    struct job_log *log;       /* owned; NULL: there is no run-job */
    json_t *secrets;           /* owned; of secrets_gather(), and the models */
    struct spending *spending; /* owned; NULL: it asks no model */
    struct mask *mask;         /* owned; NULL: nothing is secret */
    struct runner *runner;     /* owned; NULL: none runs */
    struct loop_source *deadline, *retry; /* borrowed */
    bool reserving;                       /* before there is a runner */
    const char *cancelled;                /* static; meanwhile, and why */
    bool storing;
    bool sending;       /* artifacts, before the log is finished */
    bool executing;     /* options->execute has it */
    bool held;          /* it is on disk */
    bool works;         /* something ran in its sandbox */
    bool cancel_told;   /* of a cancel that came through Redis */
    bool asked;         /* the next job was asked for with the result */
    bool gave_up;       /* `why` says so: no result will be stored */
    int64_t refused_ms; /* monotonic; Redis refused the result first; 0: no */
    struct err why;
    struct job_verdict *verdict; /* owned; of the runner */
    char *state;                 /* owned; as it is stored */
    enum reason reason;
    char *json; /* owned */
};

static const char *id_of(const struct job *job)
{
    return lease_job_id(job->lease);
}

struct lease *job_lease(const struct job *job)
{
    return job->lease;
}

/* ---- the end of the job here -------------------------------------------- */

/* Last thing done with a job: on_over frees it. */
static void over(struct job *job, struct lease *next)
{
    const struct supervisor_events *events = job->spec.events;

    /* Its log may be on its way for longer than the job is ours. */
    trace_put_away(job->log, job->held ? job->lease : NULL,
                   job->spec.options->state_dir);
    if (job->gave_up && events->on_failed)
        events->on_failed(events->arg, id_of(job), &job->why);
    else if (!job->gave_up && events->on_ended)
        events->on_ended(events->arg, id_of(job), job->state, job->json);
    job->spec.on_over(job->spec.arg, job, next, job->asked);
}

/* No result of this job may be stored any more: only its process is left. */
static void give_up(struct job *job, const struct err *why, struct lease *next)
{
    if (job->gave_up)
        return;
    job->gave_up = true;
    job->why = *why;
    loop_remove(job->deadline);
    job->deadline = NULL;
    /* Who reserves finds out by himself. */
    if (job->storing || job->asking)
        over(job, next);
    else if (job->runner)
        runner_abandon(job->runner);
}

/* ---- the lease ---------------------------------------------------------- */

static void start_runner(struct job *job);

static void on_deadline(void *arg)
{
    struct job *job = arg;
    struct err why;

    job->deadline = NULL;
    (void)err_set(&why, ERR_TRANSIENT,
                  "job %s: Redis was away until the lease's deadline",
                  id_of(job));
    give_up(job, &why, NULL);
}

static void arm_deadline(struct job *job)
{
    int64_t at = lease_sent_mono_ms(job->lease) + job->spec.options->kill_ms;

    loop_remove(job->deadline);
    job->deadline = loop_add_timer(job->spec.loop, at, on_deadline, job);
    if (job->runner)
        runner_set_deadline(job->runner, at);
}

void job_take_news(struct job *job, const struct lease_news *news)
{
    struct err why;

    if (job->gave_up)
        return;
    if (!news->lost) {
        arm_deadline(job);
        if (news->cancel != REASON_NONE && !job->cancel_told) {
            job->cancel_told = true;
            job_cancel(job, reason_name(news->cancel));
        }
    } else if (!job->storing) {
        /* While the result is being stored only that call knows: if its
         * answer was lost, the job has ended, by ourselves. */
        (void)err_set(&why, ERR_LOST, "job %s: its lease is lost", id_of(job));
        give_up(job, &why, NULL);
    }
}

void job_cancel(struct job *job, const char *reason)
{
    if (job->asking) {
        credential_free(STEAL(job->asking));
        start_runner(job);
    }
    if (job->reserving)
        job->cancelled = reason_name((enum reason)reason_find(reason));
    if (job->runner)
        runner_cancel(job->runner, reason);
}

/* ---- storing ------------------------------------------------------------ */

static void store(void *arg);

/* What Redis refuses may be a mistake of its administrator's, who sees to it:
 * a job of an hour is not thrown away at once. Nor does it wait for ever. */
static bool may_store_later(struct job *job, const struct err *err)
{
    int64_t now = clock_mono_ms();

    if (err->kind == ERR_LOST)
        return false;
    if (err->kind == ERR_TRANSIENT || err->kind == ERR_TIMEOUT)
        return true;
    if (!job->refused_ms)
        job->refused_ms = now;
    return now - job->refused_ms < job->spec.options->kill_ms;
}

static void on_stored(void *arg, struct lease *next, const struct err *err)
{
    struct job *job = arg;

    if (err && may_store_later(job, err)) {
        job->retry = loop_add_timer(
            job->spec.loop, clock_mono_ms() + COMPLETE_RETRY_MS, store, job);
        return;
    }
    if (err)
        give_up(job, err, next);
    else
        over(job, next);
}

static void store(void *arg)
{
    struct job *job = arg;
    struct lease_result result = {
        .state = job->state, .reason = job->reason, .json = job->json};
    const struct lease_wish *wish =
        job->spec.on_store(job->spec.arg, job->asked);

    job->retry = NULL;
    job->asked = wish != NULL;
    spending_charge(job->spending);
    lease_complete(job->lease, job->spec.options->worker, &result, wish,
                   on_stored, job);
}

/* The infrastructure's fault, and not in the middle of something. */
static void blame_sandbox(struct job *job)
{
    const json_t *message = json_object_get(job->verdict->document, "message");

    if (job->reason == REASON_SANDBOX_FAILED && !job->works)
        job->spec.on_sandbox(job->spec.arg, json_is_string(message)
                                                ? json_string_value(message)
                                                : "nobody knows why");
}

static void on_log_stored(void *arg)
{
    struct job *job = arg;
    CLEANUP(mem) char *stream = lease_log_stream(job->lease);

    secrets_mask_result(job->mask, job->verdict->document);
    job->state = xstrdup(job->verdict->state);
    job->reason = (enum reason)reason_find(job->verdict->reason);
    blame_sandbox(job);
    job->json =
        job_verdict_write(job->verdict, stream, job_log_stored(job->log),
                          job_log_lost_bytes(job->log));
    store(job);
}

static void finish_log(struct job *job)
{
    job_log_finish(job->log, LOG_FINISH_MS, on_log_stored, job);
}

/* The log goes on until then: it says where they are. */
static void on_artifacts_sent(void *arg, const struct err *err)
{
    struct job *job = arg;
    CLEANUP(mem) char *text = NULL;

    job->sending = false;
    if (err) {
        text = xasprintf("warning: the artifacts stay on the worker's host "
                         "for now: %s\n",
                         err->msg);
        job_log_add(job->log, 0, LOG_NOTE, text, strlen(text));
    }
    finish_log(job);
}

static bool left_artifacts(const struct job *job)
{
    const json_t *left = json_object_get(job->verdict->document, "artifacts");

    return json_integer_value(json_object_get(left, "count")) > 0;
}

static void begin_store(struct job *job)
{
    job->storing = true;
    if (job->spending && !job->gave_up)
        spending_end(job->spending, job->verdict->document);
    job->sending = !job->gave_up && job->spec.sender && left_artifacts(job);
    if (job->gave_up)
        over(job, NULL);
    else if (job->sending)
        sender_put(job->spec.sender, id_of(job), lease_epoch(job->lease),
                   on_artifacts_sent, job);
    else
        finish_log(job);
}

/* ---- run-job ------------------------------------------------------------- */

static const uint8_t stream_frames[LOG_GAP] = {
    [LOG_STDOUT] = JOB_FRAME_STDOUT,
    [LOG_STDERR] = JOB_FRAME_STDERR,
    [LOG_NOTE] = JOB_FRAME_NOTE,
};

static void tell(struct job *job, uint8_t type, uint32_t id, const char *data,
                 size_t len)
{
    const struct supervisor_events *events = job->spec.events;
    const struct frame frame = {type, id, (uint32_t)len, (const uint8_t *)data};

    if (events->on_frame)
        events->on_frame(events->arg, id_of(job), &frame);
}

static void on_text(void *arg, unsigned step, enum log_stream stream,
                    const char *data, size_t len)
{
    tell(arg, stream_frames[stream], step, data, len);
}

/* Whether it is output, of which on_text() tells. */
static bool add_to_log(struct job *job, const struct frame *frame)
{
    for (size_t i = 0; i < LOG_GAP; i++)
        if (frame->type == stream_frames[i]) {
            job_log_add(job->log, frame->id, (enum log_stream)i, frame->data,
                        frame->len);
            return true;
        }
    if (frame->type == JOB_FRAME_STEP_END)
        job_log_end_step(job->log, frame->id);
    return false;
}

static void look_for_life(struct job *job, const struct frame *frame)
{
    if (job->works ||
        (frame->type != JOB_FRAME_STDOUT && frame->type != JOB_FRAME_STDERR &&
         (frame->type != JOB_FRAME_STEP_END ||
          !job_step_ran(frame->data, frame->len))))
        return;
    job->works = true;
    job->spec.on_sandbox(job->spec.arg, NULL);
}

static void log_connection(struct job *job, const struct frame *frame)
{
    CLEANUP(strbuf) struct strbuf line = STRBUF_INIT;

    if (connections_line(job->spec.connections, id_of(job), frame,
                         clock_mono_ms(), &line))
        log_info("%s", line.data);
}

static void on_cache_answer(void *arg, uint32_t id, const char *answer)
{
    struct job *job = arg;

    if (job->runner)
        runner_answer(job->runner, id, answer);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct job *job = arg;
    CLEANUP(strbuf) struct strbuf masked = STRBUF_INIT;

    if (frame->type == JOB_FRAME_CONNECTION) {
        log_connection(job, frame);
        return;
    }
    if (frame->type == JOB_FRAME_SPENT) {
        spending_take(job->spending, frame->data, frame->len);
        return;
    }
    if (frame->type == JOB_FRAME_CACHE_WANTED) {
        cache_store_ask(job->spec.caches, frame, on_cache_answer, job);
        return;
    }
    look_for_life(job, frame);
    if (add_to_log(job, frame) || !job->spec.events->on_frame)
        return;
    secrets_mask_frame(job->mask, frame, &masked);
    tell(job, frame->type, frame->id, masked.data, masked.len);
}

static void on_runner_over(void *arg, struct job_verdict *verdict)
{
    struct job *job = arg;

    runner_free(STEAL(job->runner));
    job->verdict = verdict;
    begin_store(job);
}

static void begin_store_later(void *arg)
{
    struct job *job = arg;

    job->retry = NULL;
    begin_store(job);
}

/* What a successor needs in order to give the lease back. */
static void hold(struct job *job)
{
    const struct supervisor_options *options = job->spec.options;

    if (!options->one_shot &&
        trace_write(job->lease, queue_pool(job->spec.queue), options->worker,
                    options->state_dir, runner_pid(job->runner)))
        job->held = true;
}

static void on_restarted(void *arg)
{
    hold(arg);
}

static void launch_runner(struct job *job, const char *refused)
{
    const struct supervisor_options *options = job->spec.options;
    struct runner_spec spec = {.loop = job->spec.loop,
                               .lease = job->lease,
                               .state_dir = options->state_dir,
                               .gateway = options->limits.gateway,
                               .secrets = job->secrets,
                               .warm = job->spec.warm,
                               .events = {.on_frame = on_frame,
                                          .on_restarted = on_restarted,
                                          .on_over = on_runner_over,
                                          .arg = job}};
    struct job_log_spec log = {.loop = job->spec.loop,
                               .lease = job->lease,
                               .state_dir = options->state_dir,
                               .archiver = job->spec.archiver,
                               .budget_bytes =
                                   &options->limits.log_budget_bytes,
                               .mask = job->mask,
                               .on_text = on_text,
                               .arg = job};
    const struct supervisor_events *events = job->spec.events;

    if (refused)
        job->verdict = spending_refusal(job->lease, refused);
    else
        runner_start(&spec, &job->runner, &job->verdict);
    /* No file in the spool without one by which a successor finds it. */
    if (job->runner)
        hold(job);
    job->log = job_log_new(&log);
    if (job->note.len)
        job_log_add(job->log, 0, LOG_NOTE, job->note.data, job->note.len);
    if (!job->runner) {
        job->retry = loop_add_timer(job->spec.loop, 0, begin_store_later, job);
        return;
    }
    if (events->on_started)
        events->on_started(events->arg, id_of(job));
}

static void reserve(void *arg);

static void on_reserved(void *arg, const char *refused, const struct err *err)
{
    struct job *job = arg;

    if (err && !job->gave_up) {
        job->retry = loop_add_timer(
            job->spec.loop, clock_mono_ms() + COMPLETE_RETRY_MS, reserve, job);
        return;
    }
    job->reserving = false;
    if (job->gave_up) {
        job->storing = true;
        over(job, NULL);
        return;
    }
    launch_runner(job, refused);
    arm_deadline(job);
    if (job->cancelled)
        job_cancel(job, job->cancelled);
}

static void reserve(void *arg)
{
    struct job *job = arg;

    job->retry = NULL;
    spending_begin(job->spending, on_reserved, job);
}

static void start_runner(struct job *job)
{
    const struct supervisor_options *options = job->spec.options;
    const char *payload = lease_payload(job->lease);
    json_t *models = models_gather(payload, options->limits.models);
    const struct spending_spec spending = {job->spec.queue, job->lease,
                                           options->limits.models, models,
                                           &job->note};

    job->secrets = secrets_gather(id_of(job), payload,
                                  job->given ? job->given : options->secrets,
                                  options->secret_store);
    if (models)
        json_object_set_new(job->secrets, "models", models);
    job->mask = secrets_mask(id_of(job), payload, job->secrets);
    job->spending = spending_new(&spending);
    job->reserving = true;
    reserve(job);
}

static void on_credential(void *arg, json_t *credential, const char *note)
{
    struct job *job = arg;

    job->given = credential;
    if (*note)
        strbuf_addf(&job->note, "no credential for the repository: %s\n", note);
    start_runner(job);
}

static void get_credential(struct job *job)
{
    struct credential_spec spec = credential_spec_of(job->spec.options);

    spec.loop = job->spec.loop;
    spec.queue = job->spec.queue;
    spec.lease = job->lease;
    credential_get(&spec, on_credential, job, &job->asking);
}

/* ---- what is done by somebody else --------------------------------------- */

static void on_executed(void *arg, const struct lease_result *result)
{
    struct job *job = arg;

    if (!job->executing)
        return;
    job->executing = false;
    job->storing = true;
    if (job->gave_up) {
        over(job, NULL);
        return;
    }
    job->state = xstrdup(result->state);
    job->reason = result->reason;
    job->json = xstrdup(result->json);
    store(job);
}

/* ---- starting ------------------------------------------------------------ */

struct job *job_new(const struct job_spec *spec, struct lease *lease)
{
    struct job *job = xcalloc(1, sizeof(*job));

    job->spec = *spec;
    job->lease = lease;
    job->note = (struct strbuf)STRBUF_INIT;
    return job;
}

void job_start(struct job *job)
{
    const struct supervisor_options *options = job->spec.options;
    const struct supervisor_events *events = job->spec.events;

    arm_deadline(job);
    if (!options->execute) {
        get_credential(job);
        return;
    }
    job->executing = true;
    if (events->on_started)
        events->on_started(events->arg, id_of(job));
    options->execute(options->execute_arg, job->lease, on_executed, job);
}

/* ---- closing down -------------------------------------------------------- */

void job_close(struct job *job)
{
    if (job->runner)
        runner_close(job->runner);
}

bool job_wait(struct job *job, int64_t until_ms)
{
    return job->runner && runner_wait(job->runner, until_ms);
}

void job_free(struct job *job)
{
    if (!job)
        return;
    if (job->sending)
        sender_forget(job->spec.sender, job);
    cache_store_forget(job->spec.caches, job);
    credential_free(job->asking);
    secrets_free(job->given);
    strbuf_clear(&job->note);
    runner_free(job->runner);
    loop_remove(job->deadline);
    loop_remove(job->retry);
    job_log_free(job->log);
    mask_free(job->mask);
    spending_free(job->spending);
    secrets_free(job->secrets);
    lease_free(job->lease);
    job_verdict_free(job->verdict);
    free(job->state);
    free(job->json);
    free(job);
}
