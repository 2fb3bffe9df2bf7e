/* worker/job/attempt.c - one try of one step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/attempt.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/units.h"
#include "worker/job/command.h"
#include "worker/job/events.h"
#include "worker/job/fetch.h"
#include "worker/job/install.h"
#include "worker/job/opencode_step.h"
#include "worker/job/operation.h"
#include "worker/job/reports.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct attempt {
    struct attempt_spec spec;
    struct fetch *fetch;            /* owned: a checkout under way, or NULL */
    struct install *install;        /* owned: of STEP_INSTALL, or NULL */
    struct operation *operation;    /* owned: on files or a port, or NULL */
    struct reports *reports;        /* owned: of a step with results, or NULL */
    struct opencode_step *opencode; /* owned: of STEP_OPENCODE, or NULL */
    bool collecting;                /* its commands are gone, these are read */
    bool looking;                   /* in the cache, for an install */
    bool writing;                   /* a model's answer, into a file */
    struct loop_source *timeout;
    struct loop_source *grace;
    struct loop_source *finish; /* the end, to be told from the loop */
    bool finishing;             /* the end is known */
    bool opened;                /* it was granted secrets */
    bool asking;                /* it may use a model */
    bool executing;             /* a command runs inside */
    bool waiting;               /* one in the background is not ready */
    uint32_t command;           /* while executing */
    unsigned oom_kills_before;
    enum reason stopped; /* why it was told to end, or REASON_NONE */
    char stopped_message[256];
    struct attempt_end end;
};

static const struct step *step_of(const struct attempt *attempt)
{
    return &attempt->spec.start->pipeline->steps[attempt->spec.index];
}

/* A client may take what the relay refuses for an end like another. */
static void on_model_end(void *arg, const struct models_end *end)
{
    struct attempt *attempt = arg;
    struct step_result *r = &attempt->spec.result->steps[attempt->spec.index];

    attempt->asking = false;
    model_usage_add(&r->model, &end->usage);
    if (end->reason != REASON_NONE &&
        (attempt->end.reason == REASON_NONE ||
         attempt->end.reason == REASON_STEP_FAILED)) {
        attempt->end.reason = end->reason;
        (void)snprintf(attempt->end.message, sizeof(attempt->end.message),
                       "%.250s", end->message);
    }
    attempt->spec.on_end(attempt->spec.arg, &attempt->end);
}

static void tell_end(void *arg)
{
    struct attempt *attempt = arg;

    attempt->finish = NULL;
    if (attempt->asking)
        models_end(attempt->spec.models, on_model_end, attempt);
    else
        attempt->spec.on_end(attempt->spec.arg, &attempt->end);
}

static void on_closed(void *arg, const struct err *err)
{
    struct attempt *attempt = arg;

    attempt->opened = false;
    if (err) {
        attempt->end.reason = REASON_SANDBOX_FAILED;
        (void)snprintf(attempt->end.message, sizeof(attempt->end.message),
                       "%.250s", err->msg);
    }
    tell_end(attempt);
}

/* Its secrets first; those of one in the background stay until that ends. */
static void begin_end(void *arg)
{
    struct attempt *attempt = arg;
    bool goes_on =
        step_of(attempt)->background && attempt->end.reason == REASON_NONE;

    attempt->finish = NULL;
    if (attempt->opened && !goes_on) {
        grants_close(attempt->spec.grants, attempt->spec.index, on_closed,
                     attempt);
        return;
    }
    attempt->opened = false;
    tell_end(attempt);
}

static void stop_timers(struct attempt *attempt)
{
    loop_remove(attempt->timeout);
    loop_remove(attempt->grace);
    attempt->timeout = attempt->grace = NULL;
}

/* The end is told from the loop, never from inside a call. */
static void finish(struct attempt *attempt)
{
    if (attempt->finishing)
        return;
    attempt->finishing = true;
    stop_timers(attempt);
    attempt->executing = attempt->waiting = false;
    if (attempt->stopped != REASON_NONE &&
        attempt->end.reason != REASON_SANDBOX_FAILED) {
        attempt->end.reason = attempt->stopped;
        memcpy(attempt->end.message, attempt->stopped_message,
               sizeof(attempt->end.message));
    }
    attempt->finish = loop_add_timer(attempt->spec.loop, 0, begin_end, attempt);
}

static void finish_with(struct attempt *attempt, enum reason reason,
                        const char *message)
{
    if (attempt->finishing)
        return;
    attempt->end.reason = reason;
    (void)snprintf(attempt->end.message, sizeof(attempt->end.message), "%.250s",
                   message);
    finish(attempt);
}

static void on_output(void *arg, enum sandbox_stream stream, const void *data,
                      size_t len)
{
    struct attempt *attempt = arg;

    throttle_count(attempt->spec.throttle, len);
    if (attempt->opencode && !opencode_step_output(attempt->opencode, stream,
                                                   data, len, attempt->reports))
        return;
    output_add(attempt->spec.output,
               stream == SANDBOX_STDOUT ? JOB_FRAME_STDOUT : JOB_FRAME_STDERR,
               data, len);
    if (attempt->reports && !attempt->opencode && stream == SANDBOX_STDOUT)
        reports_output(attempt->reports, data, len);
}

static void on_collected(void *arg)
{
    struct attempt *attempt = arg;

    attempt->collecting = false;
    finish(attempt);
}

/* Whether it passed or not; its own time is over. Who cancels waits. A reviewer
 * that was stopped has said nothing. */
static void collect(struct attempt *attempt)
{
    if (!attempt->reports || reason_is_cancel(attempt->stopped) ||
        (attempt->opencode && attempt->stopped != REASON_NONE)) {
        finish(attempt);
        return;
    }
    stop_timers(attempt);
    attempt->executing = false;
    attempt->collecting = true;
    reports_collect(attempt->reports, on_collected, attempt);
}

static enum reason operation_reason(struct attempt *attempt,
                                    const struct err *err);

static void on_answer_written(void *arg, const void *data UNUSED,
                              size_t len UNUSED, const struct err *err)
{
    struct attempt *attempt = arg;

    attempt->writing = false;
    if (attempt->finishing)
        return;
    if (err)
        finish_with(attempt, operation_reason(attempt, err), err->msg);
    else
        finish(attempt);
}

/* Its commands are gone: the answer goes where it is to be. */
static void take_answer(struct attempt *attempt)
{
    struct err err = {0};

    opencode_step_judge(attempt->opencode, &attempt->end);
    if (attempt->end.reason != REASON_NONE || attempt->stopped != REASON_NONE ||
        !opencode_step_writes(attempt->opencode)) {
        collect(attempt);
        return;
    }
    attempt->executing = false;
    attempt->writing = true;
    if (opencode_step_write(attempt->opencode, on_answer_written, attempt,
                            &err) < 0)
        on_answer_written(attempt, NULL, 0, &err);
}

static void on_exit_inside(void *arg, const struct sandbox_exit *ended)
{
    struct attempt *attempt = arg;

    if (attempt->finishing)
        return;
    if (ended->code == 0 && attempt->install)
        install_passed(attempt->install);
    judge_exit(attempt->spec.machine, attempt->spec.start,
               attempt->oom_kills_before, ended, &attempt->end);
    if (attempt->opencode)
        take_answer(attempt);
    else
        collect(attempt);
}

static void on_background_ready(void *arg, const struct attempt_end *end)
{
    struct attempt *attempt = arg;

    if (attempt->finishing)
        return;
    attempt->end = end ? *end : (struct attempt_end){.exit_code = -1};
    if (!end)
        attempt->end.cpu_ms = -1;
    finish(attempt);
}

static int start_command(struct attempt *attempt, struct sandbox_exec *exec,
                         struct err *err)
{
    struct machine *machine = attempt->spec.machine;
    struct sandbox_usage usage = {0};

    if (step_of(attempt)->background) {
        attempt->waiting = true;
        return backgrounds_start(attempt->spec.backgrounds, attempt->spec.index,
                                 exec, on_background_ready, attempt, err);
    }
    machine_usage(machine, &usage);
    attempt->oom_kills_before = usage.oom_kills;
    exec->on_output = on_output;
    exec->on_exit = on_exit_inside;
    exec->arg = attempt;
    attempt->executing = true;
    return machine_driver(machine)->exec(machine_sandbox(machine), exec,
                                         &attempt->command, err);
}

static int start_shell(struct attempt *attempt, struct sandbox_exec *exec,
                       struct err *err)
{
    CLEANUP(strv) struct strv argv = {0};

    command_argv(step_of(attempt), &argv);
    exec->argv = (const char *const *)argv.items;
    return start_command(attempt, exec, err);
}

static int start_opencode(struct attempt *attempt, struct sandbox_exec *exec,
                          struct err *err)
{
    if (opencode_step_new(&attempt->spec, &attempt->opencode, err) < 0)
        return -1;
    opencode_step_exec(attempt->opencode, exec);
    return start_command(attempt, exec, err);
}

static void execute(struct attempt *attempt)
{
    const struct step *step = step_of(attempt);
    struct sandbox_exec exec = {
        .env = (const char *const *)attempt->spec.env->items,
        .cwd = attempt->spec.cwd,
    };
    struct err err = {0};

    if (step->report_count && !step->background)
        attempt->reports = reports_new(&attempt->spec);
    if ((step->kind == STEP_OPENCODE ? start_opencode
                                     : start_shell)(attempt, &exec, &err) < 0)
        finish_with(attempt,
                    err.kind == ERR_USER ? REASON_STEP_FAILED
                                         : REASON_SANDBOX_FAILED,
                    err.msg);
}

/* The user's, or that of the infrastructure; a full disk is the job's own. */
static enum reason operation_reason(struct attempt *attempt,
                                    const struct err *err)
{
    struct sandbox_usage usage = {0};

    machine_usage(attempt->spec.machine, &usage);
    if (err->kind == ERR_USER && err->sys == ENOSPC && usage.disk_full)
        return REASON_DISK_FULL;
    return err->kind == ERR_USER ? REASON_STEP_FAILED : REASON_SANDBOX_FAILED;
}

static void on_operation_end(void *arg, const struct err *err)
{
    struct attempt *attempt = arg;

    if (err)
        finish_with(attempt, operation_reason(attempt, err), err->msg);
    else
        finish_with(attempt, REASON_NONE, "");
}

static void on_looked(void *arg, bool found)
{
    struct attempt *attempt = arg;

    attempt->looking = false;
    if (attempt->finishing)
        return;
    if (attempt->stopped != REASON_NONE)
        finish_with(attempt, attempt->stopped, "");
    else if (found)
        finish_with(attempt, REASON_NONE, "");
    else
        execute(attempt);
}

/* Layers go over a workspace that nobody uses: not beside what runs in the
 * background. */
static void begin(struct attempt *attempt)
{
    const struct step *step = step_of(attempt);

    if (step->kind == STEP_INSTALL && !step->background &&
        !backgrounds_any(attempt->spec.backgrounds))
        attempt->install = install_start(&attempt->spec, on_looked, attempt);
    attempt->looking = attempt->install;
    if (!attempt->install)
        execute(attempt);
}

static void on_model_ready(void *arg, const struct err *err)
{
    struct attempt *attempt = arg;

    if (attempt->finishing)
        return;
    if (err)
        finish_with(attempt, REASON_MODEL_FAILED, err->msg);
    else if (attempt->stopped != REASON_NONE)
        finish_with(attempt, attempt->stopped, "");
    else
        begin(attempt);
}

static void open_model(struct attempt *attempt)
{
    if (!step_of(attempt)->model.name || !attempt->spec.models) {
        begin(attempt);
        return;
    }
    attempt->asking = true;
    models_begin(attempt->spec.models, attempt->spec.index, on_model_ready,
                 attempt);
}

static void on_opened(void *arg, const struct err *err)
{
    struct attempt *attempt = arg;

    if (attempt->finishing)
        return;
    if (err)
        finish_with(attempt,
                    err->kind == ERR_USER ? REASON_STEP_FAILED
                                          : REASON_SANDBOX_FAILED,
                    err->msg);
    else if (attempt->stopped != REASON_NONE)
        finish_with(attempt, attempt->stopped, "");
    else
        open_model(attempt);
}

static void open_grants(struct attempt *attempt)
{
    struct grants *grants = attempt->spec.grants;

    if (!grants_wanted(grants, attempt->spec.index)) {
        open_model(attempt);
        return;
    }
    attempt->opened = true;
    grants_open(grants, attempt->spec.index, on_opened, attempt);
}

static void on_booted(void *arg, const struct err *err)
{
    struct attempt *attempt = arg;

    if (attempt->finishing)
        return;
    if (err)
        finish_with(attempt, REASON_SANDBOX_FAILED, err->msg);
    else if (attempt->stopped != REASON_NONE)
        finish_with(attempt, attempt->stopped, "");
    else if (operation_is(step_of(attempt)->kind))
        attempt->operation =
            operation_start(&attempt->spec, on_operation_end, attempt);
    else
        open_grants(attempt);
}

/* No such commit, a tree we refuse: trying again would not help. */
static enum reason fetch_reason(const struct err *err)
{
    return err->kind == ERR_USER ? REASON_STEP_FAILED : REASON_CHECKOUT_FAILED;
}

static void on_fetched(void *arg, const struct err *err)
{
    struct attempt *attempt = arg;

    fetch_free(STEAL(attempt->fetch));
    if (err)
        finish_with(attempt, fetch_reason(err), err->msg);
    else
        finish_with(attempt, REASON_NONE, "");
}

static void on_timeout(void *arg)
{
    struct attempt *attempt = arg;
    char text[DURATION_TEXT_SIZE];
    char message[256];

    attempt->timeout = NULL;
    (void)snprintf(message, sizeof(message),
                   "timed out: the step's limit is %s",
                   duration_format(attempt->spec.timeout_ms, text));
    attempt_stop(attempt, REASON_TIMED_OUT, message);
}

struct attempt *attempt_start(const struct attempt_spec *spec)
{
    struct attempt *attempt = xcalloc(1, sizeof(*attempt));
    struct err err = {0};

    attempt->spec = *spec;
    attempt->end.exit_code = -1;
    attempt->end.cpu_ms = -1;
    if (spec->timeout_ms > 0)
        attempt->timeout =
            loop_add_timer(spec->loop, clock_mono_ms() + spec->timeout_ms,
                           on_timeout, attempt);
    if (step_of(attempt)->kind != STEP_CHECKOUT)
        machine_boot(spec->machine, on_booted, attempt);
    else if (fetch_start(spec, on_fetched, attempt, &attempt->fetch, &err) < 0)
        finish_with(attempt, fetch_reason(&err), err.msg);
    return attempt;
}

/* Beside others it is this command, and what descends from it, that ends. */
static void signal_commands(struct attempt *attempt, int signo)
{
    struct machine *machine = attempt->spec.machine;
    struct sandbox *sandbox = machine_sandbox(machine);

    if (attempt->waiting)
        backgrounds_kill(attempt->spec.backgrounds, attempt->spec.index, signo);
    else if (attempt->executing && backgrounds_any(attempt->spec.backgrounds))
        machine_driver(machine)->kill(sandbox, attempt->command, signo);
    else
        machine_driver(machine)->kill_all(sandbox, signo);
}

static void on_grace_over(void *arg)
{
    struct attempt *attempt = arg;

    attempt->grace = NULL;
    signal_commands(attempt, SIGKILL);
}

void attempt_stop(struct attempt *attempt, enum reason reason,
                  const char *message)
{
    bool again = attempt->stopped != REASON_NONE;

    if (attempt->finishing)
        return;
    if (attempt->collecting) { /* how it ended is known */
        reports_stop(attempt->reports);
        return;
    }
    if (!again) {
        attempt->stopped = reason;
        (void)snprintf(attempt->stopped_message,
                       sizeof(attempt->stopped_message), "%s", message);
    }
    /* A checkout has nothing of a stranger's to tidy up: it is killed. */
    if (attempt->fetch && !fetch_is_inside(attempt->fetch)) {
        fetch_free(STEAL(attempt->fetch));
        finish_with(attempt, reason, message);
    } else if (attempt->writing) {
        machine_driver(attempt->spec.machine)
            ->stop_files(machine_sandbox(attempt->spec.machine));
    } else if (attempt->operation) {
        operation_stop(attempt->operation);
    } else if (attempt->executing || attempt->waiting || attempt->fetch ||
               attempt->looking) {
        signal_commands(attempt, again ? SIGKILL : SIGTERM);
        if (!attempt->grace && !again)
            attempt->grace = loop_add_timer(attempt->spec.loop,
                                            clock_mono_ms() + ATTEMPT_GRACE_MS,
                                            on_grace_over, attempt);
    }
}

void attempt_lost(struct attempt *attempt, const struct err *err)
{
    char message[256];

    if (attempt->finishing)
        return;
    /* A step can take the sandbox's own processes along. */
    if (attempt->executing &&
        judge_memory(attempt->spec.machine, attempt->spec.start,
                     attempt->oom_kills_before, &attempt->end)) {
        finish(attempt);
        return;
    }
    (void)snprintf(message, sizeof(message), "the sandbox died: %.200s",
                   err->msg);
    finish_with(attempt, REASON_SANDBOX_FAILED, message);
}

void attempt_free(struct attempt *attempt)
{
    if (!attempt)
        return;
    stop_timers(attempt);
    if (step_of(attempt)->background)
        backgrounds_forget(attempt->spec.backgrounds, attempt->spec.index);
    loop_remove(attempt->finish);
    if (attempt->opened)
        grants_forget(attempt->spec.grants);
    if (attempt->asking)
        models_forget(attempt->spec.models);
    fetch_free(attempt->fetch);
    operation_free(attempt->operation);
    install_free(attempt->install);
    reports_free(attempt->reports);
    opencode_step_free(attempt->opencode);
    free(attempt);
}
