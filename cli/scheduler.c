/* cli/scheduler.c - berth scheduler: what keeps a pool going, as a daemon. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/daemon/scheduler.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/proc.h"
#include "cli/commands.h"
#include "cli/hosts.h"
#include "cli/mirror_uid.h"
#include "cli/pool_at.h"
#include "cli/secret_source.h"
#include "cli/webhooks.h"
#include "scheduler/queue/submit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define STOP_MS     3000

struct scheduler_command {
    struct pool_at_options at;
    const char *name;
};

#define FIELD(member) offsetof(struct scheduler_command, member)

static const struct option_def option_defs[] = {
    {"name", 0, "NAME",
     "what it is called: what a dead one of that name held\ncomes back at "
     "once (default: the host's name and the\nnumber of the process)",
     OPTION_STRING, FIELD(name)},
    POOL_AT_OPTION_DEFS(struct scheduler_command, at),
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
    struct pool_at at;
    struct queue_number *numbers[3]; /* owned; of the pool_conf */
    struct strv tenants;
    struct loop *loop; /* owned, as the next three */
    struct notify *notify;
    struct queue *queue;
    struct scheduler *scheduler;
    struct webhooks *webhooks;   /* owned */
    struct hosts *hosts;         /* owned */
    struct forge *forges[3];     /* borrowed from it */
    struct event_host events[3]; /* the same, as deliveries need them */
    size_t host_count;
    char *name; /* owned */
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
    const struct settings *s = d->at.settings;

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
        .hosts = d->events,
        .host_count = d->host_count,
        .triggers = s->triggers,
        .deliveries = {.keep_ms = s->webhooks.keep_ms,
                       .budget_bytes = (uint64_t)s->webhooks.budget_bytes},
        .reconcile_ms = s->webhooks.reconcile_ms,
        .report = {.max_comments = (unsigned)s->report.max_comments,
                   .max_rows = (unsigned)s->report.max_rows,
                   .request_changes = s->report.request_changes,
                   .url = s->report.url},
        .forges = d->forges,
        .forge_count = d->host_count,
        .workers = &s->scheduler.workers,
    };
}

/* ---- signals ---------------------------------------------------------------
 */

static void on_hup(void *arg, int signo UNUSED)
{
    struct daemon *d = arg;
    CLEANUP(settings) struct settings *before = NULL;
    struct settings *settings = NULL;
    struct scheduler_options options;
    struct err err;

    if (d->stopping)
        return;
    notify_reloading(d->notify);
    if (settings_get(&d->command->at.settings, d->at.settings, &settings,
                     &err) < 0) {
        log_error("the configuration stays as it was");
    } else {
        before = d->at.settings;
        d->at.settings = settings;
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

/* They are read once: neither addresses nor tokens are read again. */
static void find_hosts(struct daemon *d)
{
    static const enum forge_kind kinds[] = {FORGE_GITHUB, FORGE_GITLAB,
                                            FORGE_GITEA};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct forge *forge = hosts_get(d->hosts, kinds[i]);

        if (!forge)
            continue;
        d->forges[d->host_count] = forge;
        d->events[d->host_count++] = (struct event_host){
            .kind = kinds[i],
            .base_url = forge_base_url(forge),
            .forge = forge,
            .app_id = forge_is_app(forge)
                          ? strtoll(d->at.settings->github.app, NULL, 10)
                          : 0,
        };
    }
}

/* Who was given them has copies; the programs that we start need none. */
static void forget_secrets(const struct settings *s)
{
    const char *const single[] = {s->github.token, s->github.app_key,
                                  s->gitlab.token, s->gitea.token};
    const struct strv *const lists[] = {&s->webhooks.github_secrets,
                                        &s->webhooks.gitlab_secrets,
                                        &s->webhooks.gitea_secrets};

    for (size_t i = 0; i < ARRAY_LEN(single); i++)
        secret_source_forget(single[i]);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (size_t k = 0; k < lists[i]->count; k++) {
            const char *item = lists[i]->items[k];
            const char *at = strchr(item, '@');

            secret_source_forget(at ? at + 1 : item);
        }
}

static int open_all(struct daemon *d, struct err *err)
{
    const struct queue_options queue = pool_at_queue(&d->at);

    if (settings_make_state_dir(d->at.settings, err) < 0 ||
        loop_new(&d->loop, err) < 0 ||
        notify_new(d->loop, &d->notify, err) < 0 ||
        hosts_open(d->at.settings, d->loop, &d->hosts, err) < 0 ||
        queue_open(d->loop, &queue, &d->queue, err) < 0 ||
        webhooks_open(d->at.settings, d->loop, d->queue, &d->webhooks, err) < 0)
        return -1;
    if (loop_add_signal(d->loop, SIGTERM, on_end, d, err) < 0 ||
        loop_add_signal(d->loop, SIGINT, on_end, d, err) < 0)
        return -1;
    return loop_add_signal(d->loop, SIGHUP, on_hup, d, err);
}

static int run(struct daemon *d, int *out_status, struct err *err)
{
    struct scheduler_options options;

    if (pool_at_find(&d->at, &d->command->at, out_status, err) < 0)
        return -1;
    *out_status = OPTIONS_USAGE;
    d->name =
        d->command->name
            ? xstrdup(d->command->name)
            : xasprintf("%.50s-%d", d->at.settings->worker.name, (int)getpid());
    if (settings_check_name(d->name, err) < 0)
        return err_wrap(err, "--name '%.80s'", d->name);
    if (open_all(d, err) < 0) {
        /* A service manager does not try again what is wrong usage. */
        *out_status = err->kind == ERR_USER ? OPTIONS_USAGE : EXIT_FAILED;
        return -1;
    }
    forget_secrets(d->at.settings);
    find_hosts(d);
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
    webhooks_free(d->webhooks);
    hosts_free(d->hosts);
    notify_free(d->notify);
    loop_free(d->loop);
    clear_numbers(d);
    pool_at_clear(&d->at);
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
    strv_clear(&command.at.settings.sets);
    return status;
}
