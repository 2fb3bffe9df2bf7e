/* worker/supervisor/runner.c - one run-job process, from start to verdict. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/runner.h"

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/job/events.h"
#include "worker/supervisor/run_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define KILL_AFTER_MS   15000 /* from end of file to SIGKILL */
#define RESULT_GRACE_MS 30000 /* from the result to the end of run-job */
#define SWEEP_MS        60000
#define DRAIN_MS        2000 /* what run-job wrote last is still in the socket */

/*
 *   running ──▶ ending ──▶ (sweeping) ──▶ over
 *
 * running: run-job has the job. ending: its result came, or its socket was
 * closed by either side; it gets some time to exit, then SIGKILL. sweeping:
 * it did not end well by itself, so what is left of its sandbox is destroyed by
 * another process. One of the warm pool that ended before it had begun, as it
 * died while it waited, is followed by a new one: back to running.
 */
enum phase { RUNNING, ENDING, SWEEPING };

struct runner {
    struct runner_spec spec;
    json_t *start;              /* owned; what run-job was told */
    struct channel *channel;    /* owned; NULL: closed */
    pid_t pid;                  /* -1: ended */
    struct loop_source *child;  /* borrowed; of run-job or the sweeper */
    struct loop_source *killer; /* borrowed */
    enum phase phase;
    int status; /* of run-job, as waitpid() fills it */
    unsigned cancels;
    enum reason cancel_reason;   /* of the first */
    bool warm;                   /* run-job waited for us */
    bool heard;                  /* it sent something: it has begun */
    int64_t deadline_ms;         /* as it was told; 0: not yet */
    bool result_too_large;       /* run-job sent one, in pieces */
    bool abandoned;              /* no verdict is wanted */
    struct job_verdict *verdict; /* owned; NULL: none yet */
    int64_t started_at_ms;       /* wall clock */
};

static void begin_end(struct runner *runner, int64_t limit_ms);
static void maybe_ended(struct runner *runner);

static const char *id_of(const struct runner *runner)
{
    return lease_job_id(runner->spec.lease);
}

static struct job_verdict *make_up(const struct runner *runner,
                                   enum reason reason, const char *message)
{
    const struct job_verdict_spec spec = {
        .job_id = id_of(runner),
        .epoch = lease_epoch(runner->spec.lease),
        .start = runner->start,
        .reason = reason,
        .message = message,
        .started_at_ms = runner->started_at_ms,
        .ended_at_ms = clock_wall_ms(),
    };

    return job_verdict_make(&spec);
}

/* ---- what run-job is told ------------------------------------------------ */

pid_t runner_pid(const struct runner *runner)
{
    return runner->pid;
}

void runner_set_deadline(struct runner *runner, int64_t at_mono_ms)
{
    char json[64];
    int len =
        snprintf(json, sizeof(json), "{\"mono_ms\":%" PRId64 "}", at_mono_ms);

    runner->deadline_ms = at_mono_ms;
    if (runner->channel)
        channel_send(runner->channel, JOB_FRAME_DEADLINE, 0, json, (size_t)len);
}

void runner_answer(struct runner *runner, uint32_t id, const char *json)
{
    if (runner->channel)
        channel_send(runner->channel, JOB_FRAME_CACHE_ANSWER, id, json,
                     strlen(json));
}

void runner_cancel(struct runner *runner, const char *reason)
{
    int found = reason_find(reason);
    json_t *body;
    char *json;

    if (!runner->cancels)
        runner->cancel_reason =
            found == REASON_SUPERSEDED ? REASON_SUPERSEDED : REASON_CANCELLED;
    runner->cancels++;
    if (!runner->channel || runner->phase != RUNNING)
        return;
    body = json_pack("{s:s}", "reason", reason_name(runner->cancel_reason));
    json = json_dumps(body, JSON_COMPACT);
    channel_send(runner->channel, JOB_FRAME_CANCEL, 0, json, strlen(json));
    free(json);
    json_decref(body);
    /* The second asks run-job to kill at once: it has that long to do so. */
    if (runner->cancels == 2)
        begin_end(runner, KILL_AFTER_MS);
}

void runner_abandon(struct runner *runner)
{
    if (runner->abandoned)
        return;
    runner->abandoned = true;
    if (runner->phase == SWEEPING)
        return;
    channel_free(STEAL(runner->channel));
    begin_end(runner, KILL_AFTER_MS);
    maybe_ended(runner);
}

/* ---- what run-job says --------------------------------------------------- */

static bool is_json_object(const struct frame *frame)
{
    json_t *root = json_loadb((const char *)frame->data, frame->len,
                              JSON_REJECT_DUPLICATES, NULL);
    bool is_object = json_is_object(root);

    json_decref(root);
    return is_object;
}

static void take_result(struct runner *runner, const struct frame *frame)
{
    struct err err;

    /* A channel cuts what is over one frame: no piece is a result. */
    if (runner->result_too_large || frame->len == FRAME_MAX_PAYLOAD) {
        runner->result_too_large = true;
        return;
    }
    if (job_verdict_read(id_of(runner), frame->data, frame->len,
                         &runner->verdict, &err) < 0) {
        log_warn("job %s: %s", id_of(runner), err.msg);
        return;
    }
    begin_end(runner, RESULT_GRACE_MS);
}

/* Returns false for what is not to be passed on. */
static bool take_frame(struct runner *runner, const struct frame *frame)
{
    switch ((enum job_frame)frame->type) {
    case JOB_FRAME_STDOUT:
    case JOB_FRAME_STDERR:
    case JOB_FRAME_NOTE:
    case JOB_FRAME_PROGRESS:
        return true;
    case JOB_FRAME_STEP_START:
    case JOB_FRAME_STEP_END:
    case JOB_FRAME_CONNECTION:
    case JOB_FRAME_CACHE_WANTED:
    case JOB_FRAME_SPENT:
        return is_json_object(frame);
    case JOB_FRAME_RESULT:
        take_result(runner, frame);
        return runner->verdict != NULL;
    case JOB_FRAME_START:
    case JOB_FRAME_DEADLINE:
    case JOB_FRAME_CANCEL:
    case JOB_FRAME_PREPARE:
    case JOB_FRAME_CACHE_ANSWER:
    case JOB_FRAME_READY:
        break;
    }
    return false;
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct runner *runner = arg;

    if (runner->verdict) /* it was the last frame */
        return;
    runner->heard = true;
    if (take_frame(runner, frame))
        runner->spec.events.on_frame(runner->spec.events.arg, frame);
}

static void on_closed(void *arg, const struct err *err UNUSED)
{
    struct runner *runner = arg;

    channel_free(STEAL(runner->channel));
    begin_end(runner, KILL_AFTER_MS);
    maybe_ended(runner);
}

/* ---- the end of run-job -------------------------------------------------- */

static void on_kill(void *arg)
{
    struct runner *runner = arg;

    runner->killer = NULL;
    run_job_kill(runner->pid);
    channel_free(STEAL(runner->channel));
    maybe_ended(runner);
}

static void kill_in(struct runner *runner, int64_t limit_ms)
{
    loop_remove(runner->killer);
    runner->killer = loop_add_timer(
        runner->spec.loop, clock_mono_ms() + limit_ms, on_kill, runner);
}

static void begin_end(struct runner *runner, int64_t limit_ms)
{
    if (runner->phase != RUNNING)
        return;
    /* A cancel may still bring a result: frames are taken until the end. */
    if (runner->verdict || !runner->channel)
        runner->phase = ENDING;
    kill_in(runner, limit_ms);
}

static void on_job_exit(void *arg, pid_t pid UNUSED, int status)
{
    struct runner *runner = arg;

    runner->child = NULL;
    runner->pid = -1;
    runner->status = status;
    /* A grandchild that holds its end of the socket must not keep the job. */
    if (runner->channel)
        kill_in(runner, DRAIN_MS);
    maybe_ended(runner);
}

static struct job_verdict *judge_end(const struct runner *runner)
{
    char message[128];

    if (runner->result_too_large)
        (void)snprintf(message, sizeof(message),
                       "run-job's result is over %u bytes",
                       FRAME_MAX_PAYLOAD - 1);
    else if (WIFSIGNALED(runner->status))
        (void)snprintf(message, sizeof(message),
                       "run-job was killed by signal %d before it gave a "
                       "result",
                       WTERMSIG(runner->status));
    else
        (void)snprintf(message, sizeof(message),
                       "run-job exited with %d and gave no valid result",
                       WEXITSTATUS(runner->status));
    return make_up(
        runner, runner->cancels ? runner->cancel_reason : REASON_SANDBOX_FAILED,
        message);
}

static int send_start(struct runner *runner, const char *json, struct err *err);

/* Nothing of the job was begun, and nobody wants its end. */
static bool begin_anew(struct runner *runner)
{
    CLEANUP(mem) char *json = NULL;
    struct err err;

    if (!runner->warm || runner->heard || runner->cancels || runner->abandoned)
        return false;
    json_decref(STEAL(runner->start));
    runner->warm = false;
    runner->spec.warm = NULL;
    runner->phase = RUNNING;
    if (run_job_message(runner->spec.lease, runner->spec.gateway,
                        runner->spec.secrets, &runner->start, &json,
                        &err) < 0 ||
        send_start(runner, json, &err) < 0) {
        log_warn("job %s: %s", id_of(runner), err.msg);
        return false;
    }
    mem_wipe(json, strlen(json));
    if (runner->deadline_ms)
        runner_set_deadline(runner, runner->deadline_ms);
    if (runner->spec.events.on_restarted)
        runner->spec.events.on_restarted(runner->spec.events.arg);
    return true;
}

/* Last thing done with a runner: on_over may free it. */
static void over(struct runner *runner)
{
    struct job_verdict *verdict;

    if (begin_anew(runner))
        return;
    verdict = STEAL(runner->verdict);
    if (runner->abandoned) {
        job_verdict_free(verdict);
        verdict = NULL;
    } else if (!verdict) {
        verdict = judge_end(runner);
    }
    runner->spec.events.on_over(runner->spec.events.arg, verdict);
}

static void on_swept(void *arg, pid_t pid UNUSED, int status)
{
    struct runner *runner = arg;

    runner->child = NULL;
    runner->pid = -1;
    loop_remove(runner->killer);
    runner->killer = NULL;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        log_warn("job %s: its sandbox could not be swept", id_of(runner));
    over(runner);
}

static void begin_sweep(struct runner *runner)
{
    struct err err;

    runner->phase = SWEEPING;
    if (run_job_spawn_sweep(runner->spec.state_dir, &runner->pid, &err) < 0 ||
        loop_add_child(runner->spec.loop, runner->pid, on_swept, runner,
                       &runner->child, &err) < 0) {
        log_warn("job %s: cannot sweep: %s", id_of(runner), err.msg);
        over(runner);
        return;
    }
    kill_in(runner, SWEEP_MS);
}

/* Both must be over: the process, and what it wrote before. */
static void maybe_ended(struct runner *runner)
{
    if (runner->pid > 0 || runner->channel || runner->phase >= SWEEPING)
        return;
    loop_remove(runner->killer);
    runner->killer = NULL;
    if (!WIFEXITED(runner->status) || WEXITSTATUS(runner->status) != 0 ||
        !runner->verdict)
        begin_sweep(runner);
    else
        over(runner);
}

/* ---- starting ------------------------------------------------------------ */

static int get_run_job(struct runner *runner, struct err *err)
{
    struct channel_spec channel = {
        .on_frame = on_frame, .on_closed = on_closed, .arg = runner};
    int fd;

    if (runner->spec.warm && warm_pool_take(runner->spec.warm, runner->start,
                                            &runner->pid, &runner->channel)) {
        channel_hand_over(runner->channel, on_frame, on_closed, runner);
        runner->warm = true;
        return 0;
    }
    if (run_job_spawn(&runner->pid, &fd, err) < 0)
        return -1;
    channel.in_fd = channel.out_fd = fd;
    return channel_new(runner->spec.loop, &channel, &runner->channel, err);
}

static int send_start(struct runner *runner, const char *json, struct err *err)
{
    if (get_run_job(runner, err) < 0 ||
        loop_add_child(runner->spec.loop, runner->pid, on_job_exit, runner,
                       &runner->child, err) < 0) {
        channel_free(STEAL(runner->channel));
        if (runner->pid > 0)
            (void)run_job_reap(runner->pid, 0);
        runner->pid = -1;
        return -1;
    }
    channel_send(runner->channel, JOB_FRAME_START, 0, json, strlen(json));
    return 0;
}

static int start(struct runner *runner, struct err *err)
{
    CLEANUP(mem) char *json = NULL;
    int rc;

    if (run_job_message(runner->spec.lease, runner->spec.gateway,
                        runner->spec.secrets, &runner->start, &json, err) < 0)
        return -1;
    rc = send_start(runner, json, err);
    mem_wipe(json, strlen(json));
    return rc;
}

void runner_start(const struct runner_spec *spec, struct runner **out_runner,
                  struct job_verdict **out_verdict)
{
    CLEANUP(runner) struct runner *runner = xcalloc(1, sizeof(*runner));
    struct err err;

    runner->spec = *spec;
    runner->spec.gateway = json_incref(spec->gateway);
    runner->started_at_ms = clock_wall_ms();
    runner->pid = -1;
    *out_runner = NULL;
    *out_verdict = NULL;
    if (start(runner, &err) < 0)
        *out_verdict = make_up(runner,
                               runner->start ? REASON_SANDBOX_FAILED
                                             : REASON_PIPELINE_INVALID,
                               err.msg);
    else
        *out_runner = STEAL(runner);
}

/* ---- closing down -------------------------------------------------------- */

void runner_close(struct runner *runner)
{
    channel_free(STEAL(runner->channel));
    loop_remove(runner->child);
    runner->child = NULL;
}

bool runner_wait(struct runner *runner, int64_t until_ms)
{
    pid_t pid = runner->pid;

    runner->pid = -1;
    return pid > 0 && run_job_reap(pid, until_ms - clock_mono_ms());
}

void runner_free(struct runner *runner)
{
    if (!runner)
        return;
    channel_free(runner->channel);
    loop_remove(runner->child);
    loop_remove(runner->killer);
    job_verdict_free(runner->verdict);
    json_decref(runner->start);
    json_decref(runner->spec.gateway);
    free(runner);
}
