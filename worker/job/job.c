/* worker/job/job.c - one job from its start frame to its result. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/job_impl.h"

#include "base/clock.h"
#include "base/proc.h"
#include "base/units.h"
#include "worker/cache/settings.h"
#include "worker/job/attempt.h"
#include "worker/job/events.h"
#include "worker/job/expand.h"
#include "worker/job/scope.h"
#include "worker/job/tools.h"
#include "worker/job/warm.h"
#include "worker/sandbox/drivers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What `always()` steps get in all once a job is over its time or cancelled. */
#define CLEANUP_BUDGET_MS 120000
#define START_TIMEOUT_MS  30000
#define FLUSH_TIMEOUT_MS  30000

static void next_step(void *arg);

static struct step_result *current(struct job *job)
{
    return &job->result->steps[job->index];
}

static enum expr_status status_of(const struct job *job)
{
    if (job->result->reason == REASON_NONE)
        return EXPR_SUCCESS;
    return reason_is_cancel(job->result->reason) ? EXPR_CANCELLED
                                                 : EXPR_FAILURE;
}

static void send_json(struct job *job, uint8_t type, uint32_t id, json_t *doc)
{
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(6));

    channel_send(job->up, type, id, text, strlen(text));
    free(text);
    json_decref(doc);
}

static void send_step_start(struct job *job)
{
    const struct step_result *r = current(job);
    json_t *doc = step_result_json(job->result, job->start, job->index);
    json_t *frame = json_object();

    json_object_set(frame, "name", json_object_get(doc, "name"));
    json_object_set(frame, "kind", json_object_get(doc, "kind"));
    json_object_set_new(frame, "attempt", json_integer(r->attempts));
    json_object_set_new(frame, "started_at_ms", json_integer(r->started_at_ms));
    json_decref(doc);
    send_json(job, JOB_FRAME_STEP_START, (uint32_t)job->index, frame);
}

static void end_step(struct job *job, enum outcome outcome)
{
    current(job)->outcome = outcome;
    send_json(job, JOB_FRAME_STEP_END, (uint32_t)job->index,
              step_result_json(job->result, job->start, job->index));
    job->index++;
    (void)loop_add_timer(job->loop, 0, next_step, job);
}

/* A step that cannot even start: its expressions do not work out. */
static void refuse_step(struct job *job, const struct err *err)
{
    struct step_result *r = current(job);

    r->reason = REASON_STEP_FAILED;
    (void)snprintf(r->message, sizeof(r->message), "%.250s", err->msg);
    job_result_fail(job->result, REASON_STEP_FAILED, "step '%.100s': %s",
                    r->name, r->message);
    end_step(job, OUTCOME_FAILED);
}

static void begin_attempt(struct job *job);

static void on_attempt_end(void *arg, const struct attempt_end *ended)
{
    struct job *job = arg;
    const struct step *step = &job->start->pipeline->steps[job->index];
    struct step_result *r = current(job);
    struct attempt_end end = *ended;

    job_note_end(job, &end);
    attempt_free(STEAL(job->attempt));
    if (end.reason == REASON_NONE) {
        end_step(job, OUTCOME_PASSED);
        return;
    }
    if (job_may_retry(job, &end)) {
        output_note(job->output, "%s; trying again (%u of %u)", end.message,
                    r->attempts, step->retry.max);
        begin_attempt(job);
        return;
    }
    if (!step->continue_on_error || job->over ||
        reason_is_infrastructure(end.reason))
        job_result_fail(job->result, end.reason, "step '%.100s': %s", r->name,
                        end.message);
    end_step(job,
             reason_is_cancel(end.reason) ? OUTCOME_CANCELLED : OUTCOME_FAILED);
}

static void begin_attempt(struct job *job)
{
    const struct step *step = &job->start->pipeline->steps[job->index];
    struct attempt_spec spec = {
        .loop = job->loop,
        .machine = job->machine,
        .output = job->output,
        .throttle = job->throttle,
        .backgrounds = job->backgrounds,
        .caches = job->caches,
        .grants = job->grants,
        .models = job->models,
        .start = job->start,
        .result = job->result,
        .index = job->index,
        .env = &job->step.env,
        .cwd = job->step.cwd,
        .path = job->step.path,
        .content = job->step.content,
        .key = job->step.key,
        .restore_keys = &job->step.restore_keys,
        .timeout_ms = step->timeout_ms,
        .on_end = on_attempt_end,
        .arg = job,
    };

    current(job)->attempts++;
    output_begin(job->output, (uint32_t)job->index);
    send_step_start(job);
    job->attempt = attempt_start(&spec);
}

static void finish(struct job *job)
{
    loop_stop(job->loop);
}

static void on_settled(void *arg)
{
    finish(arg);
}

static void on_saved(void *arg)
{
    struct job *job = arg;

    job->saving = false;
    machine_settle(job->machine, on_settled, job);
}

/* Nothing runs any more. */
static void end_well(struct job *job)
{
    if (job->result->reason != REASON_NONE || job->over || job->lost ||
        !job->caches) {
        machine_settle(job->machine, on_settled, job);
        return;
    }
    /* No limit may take back what has passed. */
    loop_remove(STEAL(job->timeout));
    job->saving = true;
    caches_save(job->caches, on_saved, job);
}

static void on_last_grace_over(void *arg)
{
    struct job *job = arg;

    job->last_grace = NULL;
    backgrounds_kill(job->backgrounds, SIZE_MAX, SIGKILL);
}

/* The last step is over: what runs beside it may tidy up, then so is all. */
static void wind_down(struct job *job)
{
    if (job->lost || !job->backgrounds || !backgrounds_any(job->backgrounds)) {
        end_well(job);
        return;
    }
    /* Nor here. */
    loop_remove(STEAL(job->timeout));
    backgrounds_kill(job->backgrounds, SIZE_MAX, SIGTERM);
    job->winding_down = true;
    job->last_grace = loop_add_timer(
        job->loop, clock_mono_ms() + ATTEMPT_GRACE_MS, on_last_grace_over, job);
}

/* A step that counted as passed has not held out. */
static void fail_background(struct job *job, size_t index,
                            const struct attempt_end *end)
{
    struct step_result *r = &job->result->steps[index];

    r->outcome = OUTCOME_FAILED;
    r->reason = end->reason;
    (void)snprintf(r->message, sizeof(r->message),
                   "ended while it was needed: %.200s", end->message);
    output_note(job->output, "step '%.100s' %s", r->name, r->message);
    if (!job->start->pipeline->steps[index].continue_on_error)
        job_result_fail(job->result, end->reason, "step '%.100s': %s", r->name,
                        r->message);
    send_json(job, JOB_FRAME_STEP_END, (uint32_t)index,
              step_result_json(job->result, job->start, index));
}

static void on_background_end(void *arg, size_t index,
                              const struct attempt_end *end)
{
    struct job *job = arg;
    struct step_result *r = &job->result->steps[index];

    r->cpu_ms = end->cpu_ms;
    r->peak_bytes = end->peak_bytes;
    grants_close(job->grants, index, NULL, NULL);
    /* One that we end, ends well whatever it says. */
    if (!job->winding_down && !job->over && !job->lost) {
        r->exit_code = end->exit_code;
        r->signal = end->signal;
        if (end->reason != REASON_NONE)
            fail_background(job, index, end);
    }
    if (job->winding_down && !backgrounds_any(job->backgrounds))
        end_well(job);
}

/* Steps are left, and nothing says that the job failed. */
static bool may_pass(const struct job *job)
{
    return job->result->reason == REASON_NONE &&
           job->index < job->result->step_count;
}

static void begin_prepared(struct job *job)
{
    models_env(job->start, job->index, &job->step.env);
    tools_env(job->start, job->index, &job->step.env);
    begin_attempt(job);
}

static void next_step(void *arg)
{
    struct job *job = arg;
    const struct step_scope scope = {
        job->start, job->result, job->result ? status_of(job) : EXPR_SUCCESS,
        &job->step.env};
    struct expr_scope expr = step_scope_expr(&scope);
    struct err err = {0};
    bool run = false;

    if (job->lost && may_pass(job))
        job_result_fail(job->result, REASON_SANDBOX_FAILED,
                        "the sandbox died between two steps: %.800s",
                        job->why_lost.msg);
    if (job->killed || job->lost) {
        finish(job);
        return;
    }
    if (job->index == job->result->step_count) {
        wind_down(job);
        return;
    }
    if (condition_eval(job->start->pipeline->steps[job->index].condition, &expr,
                       &run, &err) < 0) {
        refuse_step(job, &err);
        return;
    }
    if (!run) {
        end_step(job, OUTCOME_SKIPPED);
        return;
    }
    current(job)->started_at_ms = clock_wall_ms();
    job->step_started_mono_ms = clock_mono_ms();
    if (expand_step(job->start, job->result, job->index, status_of(job),
                    &job->step, &err) < 0 ||
        grants_env(job->start, job->index, &job->step.env, &err) < 0)
        refuse_step(job, &err);
    else
        begin_prepared(job);
}

static void kill_all(struct job *job)
{
    job->killed = true;
    finish(job);
}

static void on_cleanup_over(void *arg)
{
    struct job *job = arg;

    job->timeout = NULL;
    output_note(job->output, "the time for clean-up steps is over");
    kill_all(job);
}

/* From here on only steps run whose condition says so (always(), …). */
static void end_early(struct job *job, enum reason reason, const char *message)
{
    job->over = true;
    job_result_end(job->result, reason, "%s", message);
    loop_remove(job->timeout);
    job->timeout = loop_add_timer(
        job->loop, clock_mono_ms() + CLEANUP_BUDGET_MS, on_cleanup_over, job);
    if (job->attempt)
        attempt_stop(job->attempt, reason, message);
    if (job->saving)
        caches_stop(job->caches);
}

static void on_job_timeout(void *arg)
{
    struct job *job = arg;
    char text[DURATION_TEXT_SIZE];
    char message[256];

    job->timeout = NULL;
    (void)snprintf(message, sizeof(message), "timed out: the job's limit is %s",
                   duration_format(job->start->pipeline->timeout_ms, text));
    end_early(job, REASON_TIMED_OUT, message);
}

static void on_lost(void *arg, const struct err *err)
{
    struct job *job = arg;

    job->lost = true;
    job->why_lost = *err;
    if (job->grants)
        grants_lost(job->grants);
    if (job->attempt)
        attempt_lost(job->attempt, err);
    else if (job->winding_down || job->saving)
        finish(job);
}

static void on_deadline(void *arg)
{
    struct job *job = arg;

    job->deadline = NULL;
    job->orphaned = true;
    kill_all(job);
}

static void take_deadline(struct job *job, const struct frame *frame)
{
    json_t *doc = json_loadb((const char *)frame->data, frame->len, 0, NULL);
    int64_t at_ms = json_integer_value(json_object_get(doc, "mono_ms"));

    json_decref(doc);
    if (at_ms <= 0)
        return;
    loop_remove(job->deadline);
    job->deadline = loop_add_timer(job->loop, at_ms, on_deadline, job);
}

static void take_cancel(struct job *job, const struct frame *frame)
{
    json_t *doc = json_loadb((const char *)frame->data, frame->len, 0, NULL);
    int reason = reason_find(json_string_value(json_object_get(doc, "reason")));

    json_decref(doc);
    if (!job->result || job->cancelled)
        kill_all(job);
    else if (!job->over)
        end_early(job, reason > 0 ? (enum reason)reason : REASON_CANCELLED,
                  "cancelled");
    else if (job->attempt) /* out of time: only this clean-up step ends */
        attempt_stop(job->attempt, REASON_CANCELLED, "cancelled");
    job->cancelled = true;
}

static void on_model_over(void *arg, enum reason reason, const char *message)
{
    struct job *job = arg;

    if (job->attempt)
        attempt_stop(job->attempt, reason, message);
}

static void prepare_running(struct job *job)
{
    struct backgrounds_spec spec = {
        .loop = job->loop,
        .machine = job->machine,
        .output = job->output,
        .start = job->start,
        .on_end = on_background_end,
        .arg = job,
    };
    const struct caches_spec caches = {job->loop, job->machine, job->output,
                                       job->up};
    const struct models_spec models = {job->loop, job->start,    job->machine,
                                       job->up,   on_model_over, job};

    job->throttle = throttle_new(job->loop, job->machine, job->output);
    spec.throttle = job->throttle;
    job->backgrounds = backgrounds_new(&spec);
    job->caches = caches_new(&caches);
    job->grants = grants_new(job->loop, job->machine, job->start);
    job->models = models_new(&models);
}

static void on_note(void *arg, const char *text)
{
    struct job *job = arg;

    output_note(job->output, "%s", text);
}

static void on_connection(void *arg, const struct gateway_event *event)
{
    send_json(arg, JOB_FRAME_CONNECTION, 0,
              json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:s}", "host",
                        event->host, "port", (int)event->port, "address",
                        event->address, "up", (json_int_t)event->up_bytes,
                        "down", (json_int_t)event->down_bytes, "ms",
                        (json_int_t)event->ms, "verdict", event->verdict));
}

/* The document's fault, or else for that reason. */
static void fail_to_begin(struct job *job, enum reason reason,
                          const struct err *err)
{
    job_result_fail(job->result,
                    err->kind == ERR_USER ? REASON_PIPELINE_INVALID : reason,
                    "%s", err->msg);
    finish(job);
}

static void begin(struct job *job)
{
    const struct machine_events events = {on_lost, on_note, on_connection, job};
    struct err err = {0};

    job->result = job_result_new(job->start);
    job->output = output_new(job->up);
    job->timeout = loop_add_timer(
        job->loop, clock_mono_ms() + job->start->pipeline->timeout_ms,
        on_job_timeout, job);
    if (warm_give(STEAL(job->warm), job->loop, job->start, &events,
                  &job->machine, &err) < 0) {
        fail_to_begin(job, REASON_SANDBOX_FAILED, &err);
        return;
    }
    if (models_check(job->start, machine_driver(job->machine), &err) < 0) {
        fail_to_begin(job, REASON_MODEL_FAILED, &err);
        return;
    }
    if (job->start->secret_count || job->start->models)
        proc_hide();
    prepare_running(job);
    job->result->unenforced =
        xstrdup(machine_driver(job->machine)
                    ->unenforced(machine_sandbox(job->machine)));
    if (*job->result->unenforced)
        output_note(job->output,
                    "warning: these limits are not enforced here: %s",
                    job->result->unenforced);
    (void)loop_add_timer(job->loop, 0, next_step, job);
}

static void on_warm(void *arg, const struct err *err)
{
    struct job *job = arg;

    if (!err) {
        channel_send(job->up, JOB_FRAME_READY, 0, NULL, 0);
        return;
    }
    job->why_lost = *err;
    finish(job);
}

/* As long as it takes: end-of-file from above is the end of it. */
static void prepare(struct job *job, const struct frame *frame)
{
    loop_remove(job->timeout);
    job->timeout = NULL;
    if (warm_new(job->loop, frame->data, frame->len, on_warm, job, &job->warm,
                 &job->why_lost) < 0)
        finish(job);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct job *job = arg;
    struct err err = {0};

    if (frame->type == JOB_FRAME_DEADLINE) {
        take_deadline(job, frame);
    } else if (frame->type == JOB_FRAME_CANCEL) {
        take_cancel(job, frame);
    } else if (frame->type == JOB_FRAME_START && !job->start) {
        if (job_start_parse(frame->data, frame->len, &job->start, &err) < 0) {
            CLEANUP(mem) char *line = xasprintf("%s\n", err.msg);

            channel_send(job->up, JOB_FRAME_NOTE, 0, line, strlen(line));
            finish(job);
            return;
        }
        loop_remove(job->timeout);
        begin(job);
    } else if (frame->type == JOB_FRAME_PREPARE && !job->start && !job->warm) {
        prepare(job, frame);
    } else if (frame->type == JOB_FRAME_CACHE_ANSWER) {
        caches_answer(job->caches, frame);
    }
}

static void on_closed(void *arg, const struct err *err UNUSED)
{
    struct job *job = arg;

    job->orphaned = true;
    kill_all(job);
}

static void on_no_start(void *arg)
{
    struct job *job = arg;

    job->timeout = NULL;
    finish(job);
}

static int deliver(struct job *job, struct err *err)
{
    const struct sandbox_driver *driver = &sandbox_oci;

    if (!job->start)
        return job_missed(job, err);
    (void)!driver_chosen(&driver, NULL); /* else the result says so */
    if (may_pass(job))
        job_result_fail(job->result, REASON_SANDBOX_FAILED,
                        "the job ended before its last step");
    for (; job->index < job->result->step_count; job->index++)
        if (current(job)->outcome == OUTCOME_PENDING)
            current(job)->outcome =
                current(job)->attempts ? OUTCOME_CANCELLED : OUTCOME_SKIPPED;
    if (job->orphaned)
        return err_set(err, ERR_LOST, "nobody waits for the result");
    job->result->output_bytes = output_total_bytes(job->output);
    job->result->dropped_bytes = output_dropped_bytes(job->output);
    send_json(job, JOB_FRAME_RESULT, 0,
              job_result_json(job->result, job->start, driver->name));
    return channel_flush(job->up, FLUSH_TIMEOUT_MS, err);
}

int job_run(int fd, struct err *err)
{
    struct job job = {0};
    struct channel_spec spec = {
        .in_fd = fd,
        .out_fd = fd,
        .on_frame = on_frame,
        .on_closed = on_closed,
        .arg = &job,
    };
    struct err left;
    int rc = -1;
    int gone;

    if (loop_new(&job.loop, err) < 0 ||
        channel_new(job.loop, &spec, &job.up, err) < 0)
        goto out;
    job.timeout = loop_add_timer(job.loop, clock_mono_ms() + START_TIMEOUT_MS,
                                 on_no_start, &job);
    rc = loop_run(job.loop, err);
    gone = job_tear_down(&job, &left);
    if (rc == 0)
        rc = deliver(&job, err);
    if (rc == 0 && gone < 0) {
        *err = left;
        rc = -1;
    }
out:
    job_release(&job);
    if (job.kept)
        cache_tidy(); /* nobody waits for us any more */
    return rc;
}
