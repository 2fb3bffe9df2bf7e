/* cli/scheduler.c - berth scheduler: what keeps a pool going, as a daemon. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/daemon/scheduler.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/proc.h"
#include "cli/commands.h"
#include "cli/embedded.h"
#include "cli/mirror_uid.h"
#include "cli/settings.h"
#include "scheduler/queue/submit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_FAILED         1
#define EXIT_INFRASTRUCTURE 3
#define STOP_MS             3000

struct scheduler_command {
    struct settings_options settings;
    const char *redis;
    const char *pool;
    const char *name;
};

#define FIELD(member) offsetof(struct scheduler_command, member)

static const struct option_def option_defs[] = {
    {"redis", 0, "URL",
     "the Redis of the pool (default: $BERTH_REDIS, else\nredis.url of the "
     "configuration, else the one of a\nberth that runs with this state "
     "directory)",
     OPTION_STRING, FIELD(redis)},
    {"pool", 0, "NAME", "the pool (default: pool.name of the configuration)",
     OPTION_STRING, FIELD(pool)},
    {"name", 0, "NAME",
     "what it is called: what a dead one of that name held\ncomes back at "
     "once (default: the host's name and the\nnumber of the process)",
     OPTION_STRING, FIELD(name)},
    SETTINGS_OPTION_DEFS(struct scheduler_command, settings),
};

const struct command command_scheduler = {
    .name = "scheduler",
    .operands = "",
    .summary = "Keep a pool going: inbox, schedules, runs, what expires.",
    .details =
        "Any number of them may run. TERM and INT end it; HUP makes it read\n"
        "its configuration again. It waits for a Redis that is away.\n\n"
        "exit status: 0 ended as asked, 1 it cannot go on, 2 wrong usage or\n"
        "settings, 3 no Redis is configured",
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .main = cmd_scheduler,
};

/* The process. */
struct daemon {
    const struct scheduler_command *command; /* borrowed */
    struct settings *settings;               /* owned */
    struct queue_number *numbers[3];         /* owned; of the pool_conf */
    struct strv tenants;
    struct loop *loop; /* owned, as the next three */
    struct notify *notify;
    struct queue *queue;
    struct scheduler *scheduler;
    char *name, *url; /* owned */
    bool stopping;
};

/* ---- settings --------------------------------------------------------------
 */

/* Repositories as the queue calls them, `tenants`; else the names as written.
 */
static struct queue_number *
numbers_of(struct daemon *d, const struct config_numbers *from, bool tenants)
{
    struct queue_number *out = xcalloc(from->count + 1, sizeof(*out));

    for (size_t i = 0; i < from->count; i++) {
        const char *name = from->items[i].name;

        out[i].name = name;
        out[i].value = (unsigned)from->items[i].value;
        if (tenants && strcmp(name, "*") != 0) {
            CLEANUP(mem) char *tenant = queue_tenant(name);

            strv_add(&d->tenants, tenant);
            out[i].name = d->tenants.items[d->tenants.count - 1];
        }
    }
    return out;
}

static void clear_numbers(struct daemon *d)
{
    for (size_t i = 0; i < ARRAY_LEN(d->numbers); i++) {
        free(d->numbers[i]);
        d->numbers[i] = NULL;
    }
    strv_clear(&d->tenants);
}

static struct scheduler_options options_of(struct daemon *d)
{
    const struct settings *s = d->settings;

    clear_numbers(d);
    d->numbers[0] = numbers_of(d, &s->weights, true);
    d->numbers[1] = numbers_of(d, &s->caps, true);
    d->numbers[2] = numbers_of(d, &s->pipeline_caps, false);
    return (struct scheduler_options){
        .name = d->name,
        .state_dir = s->state_dir,
        .uid = mirror_uid(),
        .tick_ms = (uint32_t)s->scheduler.tick_ms,
        .aging_ms = (uint32_t)s->queue.aging_ms,
        .keep_count = (unsigned)s->queue.keep_count,
        .max_bytes = (size_t)s->inbox.max_bytes,
        .pool = {.max_instances = (unsigned)s->pool.max_instances,
                 .keep_ms = s->queue.keep_ms,
                 .dead_keep_ms = s->queue.dead_keep_ms,
                 .infra_retries = (uint32_t)s->queue.infrastructure_retries,
                 .backoff_ms = (uint32_t)s->queue.backoff_ms,
                 .backoff_max_ms = (uint32_t)s->queue.backoff_max_ms,
                 .weights = d->numbers[0],
                 .weight_count = s->weights.count,
                 .caps = d->numbers[1],
                 .cap_count = s->caps.count,
                 .pipeline_caps = d->numbers[2],
                 .pipeline_cap_count = s->pipeline_caps.count},
        .schedules = s->schedules,
    };
}

static int load_settings(struct daemon *d, struct settings **out)
{
    CLEANUP(settings_errors)
    struct settings_errors *errors = settings_errors_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(strv) struct strv kept = {0};

    if (settings_reload_options(&d->command->settings, d->settings, &kept,
                                errors, out) < 0) {
        settings_errors_render(errors, &text);
        fputs(text.data, stderr);
        return -1;
    }
    for (size_t i = 0; i < kept.count; i++)
        log_warn("%s", kept.items[i]);
    return 0;
}

/* ---- signals ---------------------------------------------------------------
 */

static void on_hup(void *arg, int signo UNUSED)
{
    struct daemon *d = arg;
    CLEANUP(settings) struct settings *before = NULL;
    struct settings *settings = NULL;
    struct scheduler_options options;

    if (d->stopping)
        return;
    notify_reloading(d->notify);
    if (load_settings(d, &settings) < 0) {
        log_error("the configuration stays as it was");
    } else {
        before = d->settings;
        d->settings = settings;
        options = options_of(d);
        scheduler_configure(d->scheduler, &options);
        log_info("the configuration was read again");
    }
    notify_ready(d->notify);
}

static void on_too_late(void *arg)
{
    struct daemon *d = arg;

    loop_stop(d->loop);
}

static void on_stopped(void *arg, const struct err *err UNUSED)
{
    struct daemon *d = arg;

    loop_stop(d->loop);
}

static void on_end(void *arg, int signo UNUSED)
{
    struct daemon *d = arg;

    if (d->stopping) {
        loop_stop(d->loop);
        return;
    }
    d->stopping = true;
    notify_stopping(d->notify);
    (void)loop_add_timer(d->loop, clock_mono_ms() + STOP_MS, on_too_late, d);
    scheduler_stop(d->scheduler, on_stopped, d);
}

/* ---- life ------------------------------------------------------------------
 */

static int find_redis(struct daemon *d, struct err *err)
{
    if (d->command->redis)
        d->url = xstrdup(d->command->redis);
    else if (*d->settings->redis.url)
        d->url = xstrdup(d->settings->redis.url);
    else
        d->url = embedded_find(d->settings->state_dir);
    if (d->url)
        return 0;
    return err_set(err, ERR_TRANSIENT,
                   "no Redis is configured, and no berth runs one in '%s': "
                   "name it with --redis URL or BERTH_REDIS",
                   d->settings->state_dir);
}

static int check_name(const char *name, struct err *err)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    if (!len || name[len] || len > 64)
        return err_set(err, ERR_USER,
                       "the name '%.80s' is not 1 to 64 of A-Z, a-z, 0-9, "
                       "'_', '.' and '-'",
                       name);
    return 0;
}

static int open_all(struct daemon *d, struct err *err)
{
    const struct settings *s = d->settings;
    const struct queue_options queue = {
        .url = d->url,
        .pool = d->command->pool ? d->command->pool : s->pool.name,
        .max_instances = (unsigned)s->pool.max_instances,
        .lease_ms = (uint32_t)s->lease.duration_ms,
        .kill_grace_ms = (uint32_t)s->lease.kill_grace_ms,
        .wait_replicas = (uint32_t)s->redis.wait_replicas,
        .wait_ms = (uint32_t)s->redis.wait_timeout_ms};

    if (!*s->state_dir)
        return err_set(err, ERR_USER, "there is no state directory");
    if (dir_make(s->state_dir, 0711, err) < 0 || loop_new(&d->loop, err) < 0 ||
        notify_new(d->loop, &d->notify, err) < 0 ||
        queue_open(d->loop, &queue, &d->queue, err) < 0)
        return -1;
    if (loop_add_signal(d->loop, SIGTERM, on_end, d, err) < 0 ||
        loop_add_signal(d->loop, SIGINT, on_end, d, err) < 0)
        return -1;
    return loop_add_signal(d->loop, SIGHUP, on_hup, d, err);
}

static int run(struct daemon *d, int *out_status, struct err *err)
{
    struct scheduler_options options;

    *out_status = OPTIONS_USAGE;
    if (load_settings(d, &d->settings) < 0)
        return err_set(err, ERR_USER, "the configuration is invalid");
    d->name = d->command->name ? xstrdup(d->command->name)
                               : xasprintf("%.50s-%d", d->settings->worker.name,
                                           (int)getpid());
    if (check_name(d->name, err) < 0)
        return -1;
    *out_status = EXIT_INFRASTRUCTURE;
    if (find_redis(d, err) < 0)
        return -1;
    if (open_all(d, err) < 0) {
        /* A service manager does not try again what is wrong usage. */
        *out_status = err->kind == ERR_USER ? OPTIONS_USAGE : EXIT_FAILED;
        return -1;
    }
    options = options_of(d);
    d->scheduler = scheduler_new(d->loop, d->queue, &options);
    log_info("scheduler %s keeps the pool '%s'", d->name, queue_pool(d->queue));
    notify_ready(d->notify);
    *out_status = EXIT_FAILED;
    if (loop_run(d->loop, err) < 0)
        return -1;
    *out_status = 0;
    return 0;
}

static void close_all(struct daemon *d)
{
    queue_free(d->queue);
    scheduler_free(d->scheduler);
    notify_free(d->notify);
    loop_free(d->loop);
    clear_numbers(d);
    settings_free(d->settings);
    if (d->url)
        mem_wipe(d->url, strlen(d->url));
    free(d->url);
    free(d->name);
}

int cmd_scheduler(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct scheduler_command command = {0};
    struct daemon daemon = {.command = &command};
    struct err err = {0};
    int parsed = options_parse(&command_scheduler, argc, argv, &command,
                               &operands, &err);
    int status = 0;

    log_init("berth", LOG_INFO);
    if (parsed != 0)
        status = options_finish(&command_scheduler, parsed, &err);
    else if (!proc_end_with_parent())
        status = EXIT_FAILED;
    else if (run(&daemon, &status, &err) < 0)
        log_error("%s", err.msg);
    close_all(&daemon);
    strv_clear(&command.settings.sets);
    return status;
}
