/* cli/up.c - berth up: a scheduler and a worker on this host, and a Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/notify.h"
#include "base/proc.h"
#include "cli/commands.h"
#include "cli/embedded.h"
#include "cli/settings.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct up_command {
    struct settings_options settings;
};

static const struct option_def option_defs[] = {
    SETTINGS_OPTION_DEFS(struct up_command, settings),
};

const struct command command_up = {
    .name = "up",
    .operands = "",
    .summary = "Run a scheduler and a worker here, with a Redis if need be.",
    .details =
        "Where no Redis is configured, a private one runs for as long as this\n"
        "does; its jobs are there again the next time. Signals are those of\n"
        "berth worker: TERM drains, INT cancels what runs, HUP reads the\n"
        "configuration again.\n\n"
        "exit status: 0 it was told to end, 1 it could not go on, 2 wrong\n"
        "usage or settings",
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .main = cmd_up,
};

enum { WORKER, SCHEDULER, CHILD_COUNT };
static const char *const names[CHILD_COUNT] = {"worker", "scheduler"};

struct up;
struct child {
    struct up *up;
    pid_t pid; /* -1: it does not run */
};

struct up {
    const struct settings_options *given; /* borrowed */
    struct settings *settings;            /* owned, as all that follows */
    struct embedded *embedded;            /* NULL: a Redis is configured */
    struct loop *loop;
    struct notify *notify;
    struct child children[CHILD_COUNT];
    bool stopping, failed;
};

/* ---- children --------------------------------------------------------------
 */

static void tell(struct up *up, size_t which, int signo)
{
    if (up->children[which].pid > 0)
        (void)kill(up->children[which].pid, signo);
}

/* The scheduler goes on until the worker's jobs have ended. */
static void stop(struct up *up, int signo)
{
    if (!up->stopping)
        notify_stopping(up->notify);
    up->stopping = true;
    if (up->children[WORKER].pid > 0)
        tell(up, WORKER, signo);
    else
        tell(up, SCHEDULER, SIGTERM);
}

static void on_child(void *arg, pid_t pid UNUSED, int status)
{
    struct child *child = arg;
    struct up *up = child->up;
    const char *name = names[child - up->children];

    child->pid = -1;
    if (!up->stopping)
        log_error("the %s ended by itself", name);
    up->failed |=
        !up->stopping || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    stop(up, SIGTERM);
    for (size_t i = 0; i < CHILD_COUNT; i++)
        if (up->children[i].pid > 0)
            return;
    loop_stop(up->loop);
}

static void on_signal(void *arg, int signo)
{
    struct up *up = arg;

    if (signo == SIGHUP) {
        for (size_t i = 0; i < CHILD_COUNT; i++)
            tell(up, i, SIGHUP);
        return;
    }
    stop(up, signo);
}

/* Of its own process group: what a terminal sends comes from us, in order. */
static int start_child(struct up *up, size_t which, struct err *err)
{
    struct child *child = &up->children[which];
    const char *argv[4 + 2 * OPTION_LIST_MAX + 1];
    struct proc_spec spec = {.argv = argv, .in = PROC_NULL, .new_group = true};
    char self[PATH_MAX] = "";
    struct loop_source *source;
    size_t count = 0;

    spec.out = spec.err = PROC_INHERIT;
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot find myself");
    argv[count++] = self;
    argv[count++] = names[which];
    if (up->given->file) {
        argv[count++] = "--config";
        argv[count++] = up->given->file;
    }
    for (size_t i = 0; i < up->given->sets.count; i++) {
        argv[count++] = "--set";
        argv[count++] = up->given->sets.items[i];
    }
    argv[count] = NULL;
    if (proc_spawn(&spec, &child->pid, err) < 0) {
        child->pid = -1;
        return err_wrap(err, "cannot start the %s", names[which]);
    }
    return loop_add_child(up->loop, child->pid, on_child, child, &source, err);
}

/* ---- life ------------------------------------------------------------------
 */

static bool is_interrupted(void)
{
    sigset_t set;

    return sigpending(&set) == 0 &&
           (sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1);
}

/* In the environment, where the children find it, and nobody else looks. */
static int start_redis(struct up *up, struct err *err)
{
    const char *state_dir = up->settings->state_dir;

    if (*up->settings->redis.url)
        return 0;
    if (settings_make_state_dir(up->settings, err) < 0 ||
        embedded_start(state_dir, is_interrupted, &up->embedded, err) < 0)
        return -1;
    if (setenv("BERTH_REDIS", embedded_url(up->embedded), 1) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set BERTH_REDIS");
    return 0;
}

static int start(struct up *up, struct err *err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    char number[24];

    if (loop_new(&up->loop, err) < 0 ||
        notify_new(up->loop, &up->notify, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (loop_add_signal(up->loop, signals[i], on_signal, up, err) < 0)
            return -1;
    (void)snprintf(number, sizeof(number), "%d", (int)getpid());
    if (setenv(PROC_PARENT_VARIABLE, number, 1) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set the environment");
    if (start_redis(up, err) < 0)
        return -1;
    for (size_t i = 0; i < CHILD_COUNT; i++)
        if (start_child(up, i, err) < 0)
            return -1;
    return 0;
}

/* A start that failed halfway leaves nothing behind. */
static void end_children(struct up *up)
{
    int status;

    for (size_t i = 0; i < CHILD_COUNT; i++) {
        if (up->children[i].pid <= 0)
            continue;
        (void)kill(up->children[i].pid, SIGKILL);
        (void)waitpid(up->children[i].pid, &status, 0);
    }
}

static int run(const struct settings_options *given)
{
    struct up up = {.given = given};
    struct err err = {0};
    int rc;

    for (size_t i = 0; i < CHILD_COUNT; i++)
        up.children[i] = (struct child){&up, -1};
    if (settings_get(given, NULL, &up.settings, &err) < 0) {
        log_error("%s", err.msg);
        return OPTIONS_USAGE;
    }
    rc = start(&up, &err);
    if (rc == 0) {
        notify_ready(up.notify);
        rc = loop_run(up.loop, &err);
    }
    if (rc < 0 && err.kind != ERR_CANCELLED) {
        log_error("%s", err.msg);
        up.failed = true;
    }
    end_children(&up);
    if (embedded_stop(up.embedded, &err) < 0)
        log_warn("%s", err.msg);
    notify_free(up.notify);
    loop_free(up.loop);
    settings_free(up.settings);
    return up.failed;
}

int cmd_up(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct up_command command = {0};
    struct err err = {0};
    int parsed =
        options_parse(&command_up, argc, argv, &command, &operands, &err);
    int status;

    if (parsed != 0)
        status = options_finish(&command_up, parsed, &err);
    else
        status = run(&command.settings);
    strv_clear(&command.settings.sets);
    return status;
}
