/* cli/run_job.c - one job through Redis, a supervisor and run-job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_job.h"

#include "base/clock.h"
#include "base/state.h"
#include "cli/embedded.h"
#include "cli/report.h"
#include "scheduler/queue/control.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/submit.h"
#include "worker/supervisor/supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAME_SIGNAL_MS 500

static const int cancel_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

struct run {
    const struct run_request *request; /* borrowed */
    struct loop *loop;                 /* owned */
    struct display *display;           /* owned; uses the loop */
    struct embedded *embedded;         /* owned; NULL: somebody else's Redis */
    struct queue *queue;               /* owned */
    struct supervisor *supervisor;     /* owned; uses loop and queue */
    char *state_dir;                   /* owned */
    bool started;                      /* run-job has it */
    bool done;                         /* ended, failed or given up */
    unsigned cancels;                  /* how often we were asked to stop */
    int64_t signalled_at_ms;           /* by the last signal; monotonic */
    struct err failure;                /* why the supervisor gave up */
};

/* A job that nobody leased has no holder to end it: Redis does. */
static void cancel_queued(struct run *run)
{
    CLEANUP(queue_status) struct queue_status *status = NULL;
    const char *id = run->request->job_id;
    enum queue_cancelled what;
    struct err err = {0};

    supervisor_drain(run->supervisor);
    if (queue_cancel(run->queue, id, "cancelled", &what, &err) < 0 ||
        queue_status(run->queue, id, &status, &err) < 0) {
        run->failure = err;
        run->done = true;
    } else if (strcmp(status->state, "running") != 0) {
        run->done = true;
    }
}

static void cancel(struct run *run)
{
    run->cancels++;
    if (!run->supervisor || run->done)
        return;
    if (run->cancels > 2)
        run->done = true;
    else if (run->started)
        supervisor_cancel(run->supervisor, "cancelled");
    else
        cancel_queued(run);
}

/*
 * One Ctrl-C may come twice: from the terminal, and again from a parent that
 * hands it on (timeout, make, npm). Ctrl-\ need not be asked twice.
 */
static void on_signal(void *arg, int signo)
{
    struct run *run = arg;
    int64_t now = clock_mono_ms();

    if (run->cancels && now - run->signalled_at_ms < SAME_SIGNAL_MS)
        return;
    run->signalled_at_ms = now;
    if (signo == SIGQUIT && !run->cancels)
        cancel(run);
    if (!run->cancels)
        display_say(run->display, "cancelling (again to kill)");
    else if (run->cancels == 1)
        display_say(run->display, "killing");
    cancel(run);
}

static void on_gone(void *arg)
{
    struct run *run = arg;

    if (!run->cancels)
        cancel(run);
}

static void on_started(void *arg, const char *job_id)
{
    struct run *run = arg;

    (void)job_id;
    run->started = true;
    display_phase(run->display, "preparing the sandbox");
    if (run->cancels)
        supervisor_cancel(run->supervisor, "cancelled");
}

static void on_frame(void *arg, const char *job_id, const struct frame *frame)
{
    struct run *run = arg;

    (void)job_id;
    display_frame(run->display, frame);
}

static void on_ended(void *arg, const char *job_id, const char *state,
                     const char *result_json)
{
    struct run *run = arg;

    (void)job_id, (void)state, (void)result_json;
    run->done = true;
}

static void on_failed(void *arg, const char *job_id, const struct err *err)
{
    struct run *run = arg;

    (void)job_id;
    run->failure = *err;
    run->done = true;
}

static void on_refused(void *arg, const struct err *err)
{
    struct run *run = arg;

    if (!run->started) {
        run->failure = *err;
        run->done = true;
    }
}

/* Under nohup the terminal's end is to be ignored. */
static bool is_nohup(int signo)
{
    struct sigaction action;

    return signo == SIGHUP && sigaction(signo, NULL, &action) == 0 &&
           action.sa_handler == SIG_IGN;
}

static int watch_signals(struct run *run, struct err *err)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LEN(cancel_signals); i++)
        if (!is_nohup(cancel_signals[i]) &&
            loop_add_signal(run->loop, cancel_signals[i], on_signal, run, err) <
                0)
            return -1;
    return 0;
}

/* While nothing is in the loop's hands: what waits there to be read. */
static bool is_interrupted(void)
{
    sigset_t set;

    if (sigpending(&set) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(cancel_signals); i++)
        if (sigismember(&set, cancel_signals[i]) == 1)
            return true;
    return false;
}

/* It must not end us when signals are let through again. */
static void read_signals(struct run *run)
{
    struct err err = {0};

    if (loop_step(run->loop, 0, &err) < 0)
        display_say(run->display, "warning: %s", err.msg);
}

static int open_queue(struct run *run, struct err *err)
{
    struct queue_options options = {.url = run->request->redis_url,
                                    .pool = run->request->pool,
                                    .max_instances = 1};

    if (!options.url) {
        if (embedded_start(run->state_dir, is_interrupted, &run->embedded,
                           err) < 0)
            return -1;
        options.url = embedded_url(run->embedded);
    }
    return queue_open(run->loop, &options, &run->queue, err);
}

static int start(struct run *run, struct err *err)
{
    CLEANUP(mem) char *worker = NULL;
    char host[256] = "";
    struct supervisor_options options = {
        .limits = {.capacity = 1,
                   .gateway = run->request->gateway,
                   .models = run->request->models},
        .one_shot = true,
        .secrets = run->request->secrets};
    struct supervisor_events events = {.on_started = on_started,
                                       .on_frame = on_frame,
                                       .on_ended = on_ended,
                                       .on_failed = on_failed,
                                       .on_refused = on_refused,
                                       .arg = run};
    /* Whoever runs it is there to see it fail: no retries. */
    const struct queue_job job = {.id = run->request->job_id,
                                  .payload = run->request->payload,
                                  .priority = JOB_NORMAL};
    struct queue_answer answer;

    if (state_dir(&run->state_dir, err) < 0 || open_queue(run, err) < 0)
        return -1;
    if (queue_submit(run->queue, &job, 1, &answer, err) < 0)
        return -1;
    (void)gethostname(host, sizeof(host) - 1);
    worker = xasprintf("%.40s-%d", *host ? host : "run", (int)getpid());
    options.worker = worker;
    options.state_dir = run->state_dir;
    if (supervisor_new(run->loop, run->queue, &options, &events,
                       &run->supervisor, err) < 0)
        return -1;
    return supervisor_start(run->supervisor, err);
}

static int follow(struct run *run, struct err *err)
{
    if (run->cancels)
        cancel_queued(run);
    while (!run->done)
        if (loop_step(run->loop, -1, err) < 0)
            return -1;
    if (run->failure.kind == ERR_NONE)
        return 0;
    *err = run->failure;
    return err_wrap(err, "the job was given up");
}

/* What is completed in Redis, not what we heard on the way. */
static int read_back(struct run *run, struct queue_status **out_status,
                     struct err *err)
{
    if (run->cancels > 2)
        return err_set(err, ERR_CANCELLED, "killed");
    return queue_status(run->queue, run->request->job_id, out_status, err);
}

static void tear_down(struct run *run)
{
    struct err err = {0};
    sigset_t set;

    display_phase(run->display, "cleaning up");
    supervisor_free(STEAL(run->supervisor));
    queue_free(STEAL(run->queue));
    if (embedded_stop(STEAL(run->embedded), &err) < 0)
        display_say(run->display, "warning: %s", err.msg);
    display_stop(run->display);
    /* From here on a signal ends us as it ends any program. */
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(cancel_signals); i++)
        sigaddset(&set, cancel_signals[i]);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int print_json(json_t *result, struct err *err)
{
    CLEANUP(mem)
    char *text = json_dumps(result, JSON_INDENT(2) | JSON_REAL_PRECISION(6));

    if (!text || puts(text) < 0 || fflush(stdout) != 0)
        return err_sys(err, ERR_USER, "cannot write the result");
    return 0;
}

static int report(struct run *run, const struct queue_status *status,
                  int *out_status, struct err *err)
{
    const struct run_request *request = run->request;
    struct report_options options = {.style = request->display.style,
                                     .verbose = request->display.detail ==
                                                DISPLAY_VERBOSE,
                                     .display = run->display};
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    json_t *result =
        status->result ? json_loads(status->result, 0, NULL) : NULL;
    int rc = 0;

    *out_status = report_exit_status(status->state, status->reason);
    if (result && request->out_result) {
        *request->out_result = json_incref(result);
    } else if (result) {
        if (request->display.detail != DISPLAY_QUIET)
            strbuf_addc(&text, '\n');
        report_add(result, &options, &text);
        if (request->json)
            rc = print_json(result, err);
    } else {
        strbuf_addf(&text, "%s%s%s\n", status->state,
                    status->reason ? ": " : "",
                    status->reason ? status->reason : "");
    }
    json_decref(result);
    display_print(run->display, text.data, text.len);
    return rc;
}

int run_job(const struct run_request *request, int *out_status, struct err *err)
{
    CLEANUP(queue_status) struct queue_status *status = NULL;
    struct run run = {.request = request};
    int rc;

    if (loop_new(&run.loop, err) < 0)
        return -1;
    run.display = display_new(run.loop, &request->display, on_gone, &run);
    display_phase(run.display, "starting");
    if (request->display.detail != DISPLAY_QUIET)
        display_say(run.display, "%s", request->heading);
    rc = watch_signals(&run, err);
    if (!rc)
        rc = start(&run, err);
    if (!rc)
        rc = follow(&run, err);
    if (!rc)
        rc = read_back(&run, &status, err);
    else if (err->kind == ERR_CANCELLED)
        read_signals(&run);
    tear_down(&run);
    if (!rc && status)
        rc = report(&run, status, out_status, err);
    if (rc < 0 && run.cancels) {
        *out_status = 130;
        rc = 0;
    }
    display_free(run.display);
    loop_free(run.loop);
    free(run.state_dir);
    return rc;
}
