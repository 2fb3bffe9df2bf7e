/* worker/job/attempt.c - one try of one step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/attempt.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/units.h"
#include "worker/job/events.h"
#include "worker/job/fetch.h"
#include "worker/job/install.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_POLL_MS 10

struct attempt {
    struct attempt_spec spec;
    struct fetch *fetch;     /* owned: a checkout under way, or NULL */
    struct install *install; /* owned: of STEP_INSTALL, or NULL */
    bool looking;            /* it looks in the cache */
    struct loop_source *timeout;
    struct loop_source *grace;
    struct loop_source *drain;
    struct loop_source *finish; /* the end, to be told from the loop */
    bool executing;             /* a command runs inside */
    unsigned oom_kills_before;
    enum reason stopped; /* why it was told to end, or REASON_NONE */
    char stopped_message[256];
    struct attempt_end end;
};

static const struct step *step_of(const struct attempt *attempt)
{
    return &attempt->spec.start->pipeline->steps[attempt->spec.index];
}

static void tell_end(void *arg)
{
    struct attempt *attempt = arg;

    attempt->finish = NULL;
    attempt->spec.on_end(attempt->spec.arg, &attempt->end);
}

static void stop_timers(struct attempt *attempt)
{
    loop_remove(attempt->timeout);
    loop_remove(attempt->grace);
    loop_remove(attempt->drain);
    attempt->timeout = attempt->grace = attempt->drain = NULL;
}

/* The end is told from the loop, never from inside a call. */
static void finish(struct attempt *attempt, enum reason reason, const char *fmt,
                   ...) PRINTF_LIKE(3, 4);

static void finish(struct attempt *attempt, enum reason reason, const char *fmt,
                   ...)
{
    va_list ap;

    if (attempt->finish)
        return;
    if (attempt->drain)
        machine_driver(attempt->spec.machine)
            ->pause_output(machine_sandbox(attempt->spec.machine), false);
    stop_timers(attempt);
    attempt->executing = false;
    attempt->end.reason = reason;
    va_start(ap, fmt);
    (void)vsnprintf(attempt->end.message, sizeof(attempt->end.message), fmt,
                    ap);
    va_end(ap);
    if (attempt->stopped != REASON_NONE && reason != REASON_SANDBOX_FAILED) {
        attempt->end.reason = attempt->stopped;
        memcpy(attempt->end.message, attempt->stopped_message,
               sizeof(attempt->end.message));
    }
    attempt->finish = loop_add_timer(attempt->spec.loop, 0, tell_end, attempt);
}

static void on_drained(void *arg)
{
    struct attempt *attempt = arg;

    attempt->drain = NULL;
    if (output_is_full(attempt->spec.output)) {
        attempt->drain =
            loop_add_timer(attempt->spec.loop, clock_mono_ms() + DRAIN_POLL_MS,
                           on_drained, attempt);
        return;
    }
    machine_driver(attempt->spec.machine)
        ->pause_output(machine_sandbox(attempt->spec.machine), false);
}

static void on_output(void *arg, enum sandbox_stream stream, const void *data,
                      size_t len)
{
    struct attempt *attempt = arg;

    output_add(attempt->spec.output,
               stream == SANDBOX_STDOUT ? JOB_FRAME_STDOUT : JOB_FRAME_STDERR,
               data, len);
    if (attempt->drain || !output_is_full(attempt->spec.output))
        return;
    machine_driver(attempt->spec.machine)
        ->pause_output(machine_sandbox(attempt->spec.machine), true);
    attempt->drain =
        loop_add_timer(attempt->spec.loop, clock_mono_ms() + DRAIN_POLL_MS,
                       on_drained, attempt);
}

/* Whether it ran out of memory; then that is its end. */
static bool finish_out_of_memory(struct attempt *attempt,
                                 const struct sandbox_usage *usage)
{
    const struct instance_type *type =
        attempt->spec.start->pipeline->instance_type;
    char size[SIZE_TEXT_SIZE];

    if (usage->oom_kills <= attempt->oom_kills_before)
        return false;
    finish(attempt, REASON_OUT_OF_MEMORY,
           "out of memory: a process was killed at the %s limit of "
           "instance_type %s; choose a larger one",
           size_format(type->memory_bytes, size), type->name);
    return true;
}

/* Why a command that did not exit with 0 failed. */
static void judge(struct attempt *attempt, const struct sandbox_exit *ended)
{
    const struct instance_type *type =
        attempt->spec.start->pipeline->instance_type;
    char size[SIZE_TEXT_SIZE];
    struct sandbox_usage usage = {0};

    machine_usage(attempt->spec.machine, &usage);
    if (finish_out_of_memory(attempt, &usage))
        return;
    if (usage.disk_full)
        finish(attempt, REASON_DISK_FULL,
               "disk full: the %s disk of instance_type %s has no space "
               "left; choose a larger one",
               size_format(type->disk_bytes, size), type->name);
    else if (ended->signal)
        finish(attempt, REASON_STEP_FAILED, "killed by signal %d (SIG%s)",
               ended->signal,
               sigabbrev_np(ended->signal) ? sigabbrev_np(ended->signal) : "?");
    else
        finish(attempt, REASON_STEP_FAILED, "exit code %d", ended->code);
}

static void on_exit_inside(void *arg, const struct sandbox_exit *ended)
{
    struct attempt *attempt = arg;

    attempt->end.exit_code = ended->code;
    attempt->end.signal = ended->signal;
    attempt->end.cpu_ms = ended->cpu_ms;
    attempt->end.peak_bytes = ended->peak_bytes;
    if (ended->code == 0 && attempt->install)
        install_passed(attempt->install);
    if (ended->code == 0)
        finish(attempt, REASON_NONE, "%s", "");
    else
        judge(attempt, ended);
}

/* `npm ci` wants a lock file; without one, `npm install` makes do. */
static const char npm_script[] =
    "if [ ! -f package.json ]; then\n"
    "  echo \"install: npm: there is no package.json in $PWD\" >&2\n"
    "  exit 1\n"
    "fi\n"
    "if [ -f package-lock.json ] || [ -f npm-shrinkwrap.json ]; then\n"
    "  echo '$ npm ci'\n"
    "  exec npm ci --no-audit --no-fund --no-update-notifier\n"
    "fi\n"
    "echo '$ npm install   (no package-lock.json: versions may vary)'\n"
    "exec npm install --no-audit --no-fund --no-update-notifier\n";

/* How a shell takes a script, so that its first failure is its end. */
static const struct {
    const char *name;
    const char *flags[4];
} shells[] = {
    {"sh", {"-e", "-c"}},
    {"bash", {"-e", "-o", "pipefail", "-c"}},
    {"python3", {"-c"}},
    {"node", {"-e"}},
};

static void fill_argv(const char *shell, const char *script, struct strv *argv)
{
    strv_add(argv, shell);
    for (size_t i = 0; i < ARRAY_LEN(shells); i++)
        if (!strcmp(shells[i].name, shell))
            for (size_t j = 0;
                 j < ARRAY_LEN(shells[i].flags) && shells[i].flags[j]; j++)
                strv_add(argv, shells[i].flags[j]);
    if (argv->count == 1)
        strv_add(argv, "-c");
    strv_add(argv, script);
}

static char *script_of(const struct step *step)
{
    struct strbuf script = STRBUF_INIT;

    if (step->kind == STEP_INSTALL)
        return xstrdup(npm_script);
    for (size_t i = 0; i < step->command_count; i++)
        strbuf_addf(&script, "%s%s", i ? "\n" : "", step->commands[i]);
    return strbuf_take(&script);
}

static void execute(struct attempt *attempt)
{
    const struct step *step = step_of(attempt);
    struct machine *machine = attempt->spec.machine;
    CLEANUP(mem) char *script = script_of(step);
    CLEANUP(strv) struct strv argv = {0};
    struct sandbox_usage usage = {0};
    struct sandbox_exec exec = {
        .env = (const char *const *)attempt->spec.env->items,
        .cwd = attempt->spec.cwd,
        .on_output = on_output,
        .on_exit = on_exit_inside,
        .arg = attempt,
    };
    struct err err = {0};
    uint32_t id;

    fill_argv(step->kind == STEP_INSTALL ? "sh" : step->shell, script, &argv);
    exec.argv = (const char *const *)argv.items;
    machine_usage(machine, &usage);
    attempt->oom_kills_before = usage.oom_kills;
    if (machine_driver(machine)->exec(machine_sandbox(machine), &exec, &id,
                                      &err) < 0)
        finish(attempt,
               err.kind == ERR_USER ? REASON_STEP_FAILED
                                    : REASON_SANDBOX_FAILED,
               "%.250s", err.msg);
    else
        attempt->executing = true;
}

static void on_looked(void *arg, bool found)
{
    struct attempt *attempt = arg;

    attempt->looking = false;
    if (attempt->finish)
        return;
    if (attempt->stopped != REASON_NONE)
        finish(attempt, attempt->stopped, "%s", "");
    else if (found)
        finish(attempt, REASON_NONE, "%s", "");
    else
        execute(attempt);
}

static void begin(struct attempt *attempt)
{
    if (step_of(attempt)->kind == STEP_INSTALL)
        attempt->install = install_start(&attempt->spec, on_looked, attempt);
    attempt->looking = attempt->install;
    if (!attempt->install)
        execute(attempt);
}

static void on_booted(void *arg, const struct err *err)
{
    struct attempt *attempt = arg;

    if (attempt->finish)
        return;
    if (err)
        finish(attempt, REASON_SANDBOX_FAILED, "%.250s", err->msg);
    else if (attempt->stopped != REASON_NONE)
        finish(attempt, attempt->stopped, "%s", "");
    else
        begin(attempt);
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
        finish(attempt, fetch_reason(err), "%.250s", err->msg);
    else
        finish(attempt, REASON_NONE, "%s", "");
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
        finish(attempt, fetch_reason(&err), "%.250s", err.msg);
    return attempt;
}

static void on_grace_over(void *arg)
{
    struct attempt *attempt = arg;

    attempt->grace = NULL;
    machine_driver(attempt->spec.machine)
        ->kill_all(machine_sandbox(attempt->spec.machine), SIGKILL);
}

void attempt_stop(struct attempt *attempt, enum reason reason,
                  const char *message)
{
    struct machine *machine = attempt->spec.machine;
    bool again = attempt->stopped != REASON_NONE;

    if (attempt->finish)
        return;
    if (!again) {
        attempt->stopped = reason;
        (void)snprintf(attempt->stopped_message,
                       sizeof(attempt->stopped_message), "%s", message);
    }
    /* A checkout has nothing of a stranger's to tidy up: it is killed. */
    if (attempt->fetch && !fetch_is_inside(attempt->fetch)) {
        fetch_free(STEAL(attempt->fetch));
        finish(attempt, reason, "%s", message);
    } else if (attempt->executing || attempt->fetch || attempt->looking) {
        machine_driver(machine)->kill_all(machine_sandbox(machine),
                                          again ? SIGKILL : SIGTERM);
        if (!attempt->grace && !again)
            attempt->grace = loop_add_timer(attempt->spec.loop,
                                            clock_mono_ms() + ATTEMPT_GRACE_MS,
                                            on_grace_over, attempt);
    }
}

void attempt_lost(struct attempt *attempt, const struct err *err)
{
    struct sandbox_usage usage = {0};

    /* A step can take the sandbox's own processes along. */
    machine_usage(attempt->spec.machine, &usage);
    if (!attempt->executing || !finish_out_of_memory(attempt, &usage))
        finish(attempt, REASON_SANDBOX_FAILED, "the sandbox died: %.200s",
               err->msg);
}

void attempt_free(struct attempt *attempt)
{
    if (!attempt)
        return;
    stop_timers(attempt);
    loop_remove(attempt->finish);
    fetch_free(attempt->fetch);
    install_free(attempt->install);
    free(attempt);
}
