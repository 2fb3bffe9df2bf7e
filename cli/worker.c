/* cli/worker.c - `berth worker`: takes jobs off the queue and runs them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/proc.h"
#include "cli/commands.h"
#include "cli/pool_at.h"
#include "cli/upkeep.h"
#include "worker/cache/far/program.h"
#include "worker/cache/settings.h"
#include "worker/secrets/checkout.h"
#include "worker/secrets/store.h"
#include "worker/secrets/worker_key.h"
#include "worker/supervisor/supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_FAILED   1
#define KILL_AFTER_MS 120000 /* from the cancellation of all to their kill */
#define MINUTE_MS     ((int64_t)60000)
#define HOUR_MS       ((int64_t)3600000)
/* Of the cache, a part is read again at a time: of a day one hour's. */
#define CHECK_TURNS 24
#define CHECK_BYTES ((uint64_t)4 << 30) /* a turn */
#define PUSH_MS     5000                /* between looks for new caches */
#define CHECK_MS    120000              /* the same, but for the last entry */

struct worker_options {
    struct pool_at_options at;
    const char *name;
};

static const struct option_def options[] = {
    {"name", 0, "NAME",
     "what it is called, and no other (default: worker.name\nof the "
     "configuration)",
     OPTION_STRING, offsetof(struct worker_options, name)},
    POOL_AT_OPTION_DEFS(struct worker_options, at),
};

const struct command command_worker = {
    .name = "worker",
    .operands = "",
    .summary = "Take jobs off the queue and run them, until told to end.",
    .details =
        "TERM: take no further job, let those that run end (for\n"
        "worker.drain_timeout at most), then end. A second TERM, or INT: "
        "cancel\n"
        "them. One more: kill them. HUP: read the configuration again.\n\n"
        "exit status: 0 it was told to end, 1 it could not go on, 2 wrong "
        "usage\n"
        "or settings, 3 no Redis is configured",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .main = cmd_worker,
};

enum stage { TAKING, DRAINING, CANCELLING, KILLING };

struct worker {
    const struct worker_options *options; /* borrowed */
    struct pool_at at;
    const char *name;                         /* borrowed from either */
    struct loop *loop;                        /* owned */
    struct notify *notify;                    /* owned; uses the loop */
    struct queue *queue;                      /* owned; uses the loop */
    struct log_store *logs;                   /* owned */
    struct secret_store *secrets;             /* owned */
    struct checkout_credentials *credentials; /* owned; NULL: none */
    struct seal_key key;
    bool has_key;                  /* schedulers may seal to it */
    struct supervisor *supervisor; /* owned; uses all three */
    struct upkeep *upkeep;         /* owned; uses the loop */
    struct loop_source *patience;  /* borrowed; of this stage */
    enum stage stage;
    bool connected;     /* Redis answered once */
    bool failed;        /* `failure` says why we cannot go on */
    struct err failure; /* of Redis */
    char status[160];   /* as the service manager was told */
};

/* ---- from the configuration ---------------------------------------------- */

/* ",a,b,", or "". Owned by the caller. */
static char *join_labels(const struct strv *labels)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    for (size_t i = 0; i < labels->count; i++)
        strbuf_addf(&out, "%s%s,", i ? "" : ",", labels->items[i]);
    return strbuf_take(&out);
}

/* All are borrowed. */
static struct supervisor_limits limits_of(const struct settings *settings,
                                          const char *labels, json_t *gateway,
                                          json_t *models)
{
    return (struct supervisor_limits){
        .capacity = (unsigned)settings->worker.capacity,
        .labels = labels,
        .poll_ms = (uint32_t)settings->worker.poll_ms,
        .min_disk_bytes = (uint64_t)settings->worker.min_disk_bytes,
        .min_memory_bytes = (uint64_t)settings->worker.min_memory_bytes,
        .log_budget_bytes = (uint64_t)settings->queue.log_budget_bytes,
        .warm_pool =
            strcmp(settings_drivers[settings->worker.driver], "oci") == 0
                ? &settings->worker.warm_pool
                : NULL,
        .gateway = gateway,
        .models = models,
    };
}

/* They stay as they were, but what holds them may have been read again. */
static void take_names(struct worker *worker)
{
    const struct worker_options *given = worker->options;

    worker->name = given->name ? given->name : worker->at.settings->worker.name;
    worker->at.pool =
        given->at.pool ? given->at.pool : worker->at.settings->pool.name;
}

static void reload(struct worker *worker)
{
    CLEANUP(settings) struct settings *before = NULL;
    CLEANUP(mem) char *labels = NULL;
    struct settings *settings = NULL;
    struct supervisor_limits limits;
    json_t *gateway, *models;
    struct err err = {0};

    notify_reloading(worker->notify);
    if (settings_get(&worker->options->at.settings, worker->at.settings,
                     &settings, &err) == 0) {
        before = worker->at.settings;
        worker->at.settings = settings;
        take_names(worker);
        labels = join_labels(&settings->worker.labels);
        gateway = settings_gateway(settings);
        models = model_list_to_json(settings->models);
        limits = limits_of(settings, labels, gateway, models);
        if (supervisor_set_limits(worker->supervisor, &limits, &err) < 0)
            log_warn("%s", err.msg);
        json_decref(gateway);
        json_decref(models);
        log_info("the configuration was read again");
    } else {
        log_warn("the configuration stays as it was");
    }
    notify_ready(worker->notify);
}

/* ---- how it ends --------------------------------------------------------- */

static void go_on_to(struct worker *worker, enum stage stage);

static void on_patience(void *arg)
{
    struct worker *worker = arg;

    worker->patience = NULL;
    go_on_to(worker, worker->stage + 1);
}

static void go_on_to(struct worker *worker, enum stage stage)
{
    int64_t patience_ms = stage == DRAINING
                              ? worker->at.settings->worker.drain_timeout_ms
                              : KILL_AFTER_MS;

    if (worker->stage == TAKING) {
        notify_stopping(worker->notify);
        supervisor_drain(worker->supervisor);
    }
    worker->stage = stage;
    loop_remove(worker->patience);
    worker->patience = NULL;
    if (stage == DRAINING)
        log_info("draining: %u running",
                 supervisor_running(worker->supervisor));
    if (stage == CANCELLING) {
        log_info("cancelling what runs");
        supervisor_cancel(worker->supervisor, "cancelled");
    }
    if (stage == KILLING)
        log_warn("killing what runs");
    else
        worker->patience = loop_add_timer(
            worker->loop, clock_mono_ms() + patience_ms, on_patience, worker);
}

static void on_signal(void *arg, int signo)
{
    struct worker *worker = arg;

    if (signo == SIGHUP && worker->stage == TAKING)
        reload(worker);
    else if (signo == SIGHUP)
        log_warn("the configuration is not read again: this is the end");
    else if (signo == SIGINT && worker->stage == TAKING)
        go_on_to(worker, CANCELLING);
    else if (worker->stage != KILLING)
        go_on_to(worker, worker->stage + 1);
}

/* ---- what the supervisor says -------------------------------------------- */

static void on_started(void *arg, const char *job_id)
{
    struct worker *worker = arg;

    log_info("job %s: started", job_id);
    if (worker->stage >= CANCELLING) /* it was on its way to us */
        supervisor_cancel(worker->supervisor, "cancelled");
}

static void on_ended(void *arg, const char *job_id, const char *state,
                     const char *result_json)
{
    (void)arg, (void)result_json;
    log_info("job %s: %s", job_id, state);
}

static void on_failed(void *arg, const char *job_id, const struct err *err)
{
    (void)arg;
    log_warn("job %s: given up: %s", job_id, err->msg);
}

/* A wrong password ends us at the start. Once it worked, it may do so again:
 * what runs is not given up. */
static void on_refused(void *arg, const struct err *err)
{
    struct worker *worker = arg;

    if (worker->connected || worker->failed)
        return;
    worker->failed = true;
    worker->failure = *err;
}

/* A call would wait for a better answer until its time limit. */
static void look_for_refusal(struct worker *worker)
{
    const char *why = worker->connected || worker->failed
                          ? NULL
                          : queue_refusal(worker->queue, NULL);

    if (!why)
        return;
    worker->failed = true;
    (void)err_set(&worker->failure, ERR_USER, "%s", why);
}

static void tell_status(struct worker *worker)
{
    static const char *const stages[] = {
        [DRAINING] = "draining: ", [CANCELLING] = "cancelling: "};
    const char *stage = worker->stage == DRAINING || worker->stage == CANCELLING
                            ? stages[worker->stage]
                            : "";
    const char *refuses = supervisor_refuses(worker->supervisor);
    char status[sizeof(worker->status)];

    worker->connected |= supervisor_is_connected(worker->supervisor);
    if (!supervisor_is_connected(worker->supervisor))
        (void)snprintf(status, sizeof(status),
                       "%swaiting for Redis; %u jobs run", stage,
                       supervisor_running(worker->supervisor));
    else
        (void)snprintf(status, sizeof(status), "%s%u of %lld jobs run%s%s",
                       stage, supervisor_running(worker->supervisor),
                       (long long)worker->at.settings->worker.capacity,
                       *refuses ? "; " : "", refuses);
    if (strcmp(status, worker->status) == 0)
        return;
    (void)snprintf(worker->status, sizeof(worker->status), "%s", status);
    notify_status(worker->notify, status);
}

/* ---- its life ------------------------------------------------------------ */

static int open_queue(struct worker *worker, struct err *err)
{
    const struct queue_options queue = pool_at_queue(&worker->at);

    return queue_open(worker->loop, &queue, &worker->queue, err);
}

static struct secret_store *open_secrets(const struct settings *settings)
{
    const struct secret_store_options from = {
        .dir = settings->secrets.dir,
        .credentials_dir = getenv("CREDENTIALS_DIRECTORY"),
        .env_prefix = settings->secrets.env_prefix,
        .allow = &settings->secrets.allow,
    };

    return secret_store_new(&from);
}

static int make_supervisor(struct worker *worker, struct err *err)
{
    const struct settings *s = worker->at.settings;
    CLEANUP(mem) char *labels = join_labels(&s->worker.labels);
    json_t *gateway = settings_gateway(s);
    json_t *models = model_list_to_json(s->models);
    const struct supervisor_options supervisor = {
        .worker = worker->name,
        .state_dir = s->state_dir,
        .limits = limits_of(s, labels, gateway, models),
        .renew_ms = (uint32_t)s->lease.renew_ms,
        .kill_ms = (uint32_t)s->lease.kill_after_ms,
        .secret_store = worker->secrets,
        .credentials = worker->credentials,
        .key = worker->has_key ? &worker->key : NULL,
        .log_store = worker->logs,
        .artifact_store = *s->artifacts.store ? s->artifacts.store : NULL,
        .cache_store = *s->cache.store ? s->cache.store : NULL,
        .cache_key = s->cache.store_key,
    };
    const struct supervisor_events events = {.on_started = on_started,
                                             .on_ended = on_ended,
                                             .on_failed = on_failed,
                                             .on_refused = on_refused,
                                             .arg = worker};
    int rc;

    rc = supervisor_new(worker->loop, worker->queue, &supervisor, &events,
                        &worker->supervisor, err);

    json_decref(gateway);
    json_decref(models);
    return rc;
}

/* ---- what is done beside it ----------------------------------------------
 */

/* All processes of their own: there may be very many files. */
static void expire_artifacts(void *arg UNUSED, struct strv *out_argv)
{
    strv_add(out_argv, "/proc/self/exe");
    strv_add(out_argv, "artifacts");
    strv_add(out_argv, "--expire");
}

static void expire_logs(void *arg, struct strv *out_argv)
{
    const struct worker *worker = arg;
    const struct settings *settings = worker->at.settings;
    CLEANUP(mem) char *program = proc_libexec(worker->logs->driver->program);

    strv_add(out_argv, program);
    strv_add(out_argv, "expire");
    strv_add(out_argv, log_store_address(worker->logs));
    strv_addf(out_argv, "%lld", (long long)settings->log.keep_ms);
    strv_addf(out_argv, "%lld", (long long)settings->log.keep_bytes);
}

static void check_cache(void *arg, struct strv *out_argv)
{
    const struct worker *worker = arg;
    CLEANUP(mem) char *program = proc_libexec("cache");

    strv_add(out_argv, program);
    strv_add(out_argv, "check");
    strv_addf(out_argv, "%lld", (long long)worker->at.settings->cache.check_ms);
    strv_addf(out_argv, "%llu", (unsigned long long)CHECK_BYTES);
    strv_addf(out_argv, "%d", CHECK_MS);
}

static void push_cache(void *arg, struct strv *out_argv)
{
    const struct worker *worker = arg;
    CLEANUP(mem) char *program = proc_libexec(CACHE_PROGRAM);

    strv_add(out_argv, program);
    strv_add(out_argv, "push");
    strv_add(out_argv, worker->at.settings->cache.store);
    strv_add(out_argv, worker->at.settings->cache.store_key);
}

static void keep_up(struct worker *worker)
{
    int64_t check_ms = worker->at.settings->cache.check_ms / CHECK_TURNS;
    const struct upkeep_task tasks[] = {
        {"old artifacts", expire_artifacts, worker, MINUTE_MS, HOUR_MS,
         HOUR_MS},
        {"old logs", expire_logs, worker, 0, HOUR_MS, 10 * MINUTE_MS},
        {"cache", check_cache, worker,
         check_ms < MINUTE_MS ? check_ms : MINUTE_MS,
         check_ms < HOUR_MS ? check_ms : HOUR_MS, 10 * MINUTE_MS},
        {"the store of caches", push_cache, worker, PUSH_MS, PUSH_MS, HOUR_MS},
    };
    size_t count = ARRAY_LEN(tasks);

    if (!*worker->at.settings->cache.store || !worker->at.settings->cache.bytes)
        count--; /* the last of them */
    worker->upkeep = upkeep_new(worker->loop);
    for (size_t i = 0; i < count; i++)
        upkeep_add(worker->upkeep, &tasks[i]);
}

/* -------------------------------------------------------------------------- */

static int open_logs(struct worker *worker, struct err *err)
{
    CLEANUP(mem) char *address = settings_log_store(worker->at.settings);

    if (!address)
        return err_set(err, ERR_USER, "log.store is empty");
    return log_store_open(address, &worker->logs, err);
}

/* run-job finds the cache as we have it (worker/cache/settings.h). */
static int make_cache(const struct settings *settings, struct err *err)
{
    CLEANUP(mem)
    char *bytes = xasprintf("%lldB", (long long)settings->cache.bytes);
    CLEANUP(mem)
    char *keep =
        xasprintf("%llds", (long long)(settings->cache.keep_ms / 1000));
    CLEANUP(mem)
    char *entry = xasprintf("%lldB", (long long)settings->cache.entry_bytes);

    if (setenv(CACHE_DIR_VARIABLE, settings->cache.dir, 1) < 0 ||
        setenv(CACHE_BYTES_VARIABLE, bytes, 1) < 0 ||
        setenv(CACHE_KEEP_VARIABLE, keep, 1) < 0 ||
        setenv(CACHE_ENTRY_VARIABLE, entry, 1) < 0 ||
        setenv(CACHE_FAR_VARIABLE, *settings->cache.store ? "1" : "", 1) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set " CACHE_DIR_VARIABLE);
    return 0;
}

/* run-job finds the state where we have it, and uses what we are to use. */
static int make_state(const struct settings *settings, struct err *err)
{
    if (settings_make_state_dir(settings, err) < 0 ||
        settings_export_state_dir(settings, err) < 0 ||
        settings_export_sandboxes(settings, err) < 0 ||
        settings_export_s3(settings, err) < 0 ||
        settings_export_artifacts(settings, err) < 0)
        return -1;
    return make_cache(settings, err);
}

static int start(struct worker *worker, struct err *err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (notify_new(worker->loop, &worker->notify, err) < 0 ||
        open_logs(worker, err) < 0 || make_supervisor(worker, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (loop_add_signal(worker->loop, signals[i], on_signal, worker, err) <
            0)
            return -1;
    keep_up(worker);
    return supervisor_start(worker->supervisor, err);
}

static int live(struct worker *worker, struct err *err)
{
    const struct settings *s = worker->at.settings;

    log_info("worker %s: pool %s, %lld jobs at a time", worker->name,
             worker->at.pool, (long long)s->worker.capacity);
    notify_ready(worker->notify);
    while (worker->stage != KILLING &&
           !supervisor_is_drained(worker->supervisor)) {
        tell_status(worker);
        if (loop_step(worker->loop, -1, err) < 0)
            return -1;
        look_for_refusal(worker);
        if (worker->failed) {
            *err = worker->failure;
            return err_wrap(err, "Redis refuses this worker");
        }
    }
    return 0;
}

static int start_and_live(struct worker *worker, int *out_status,
                          struct err *err)
{
    if (pool_at_find(&worker->at, &worker->options->at, out_status, err) < 0)
        return -1;
    /* Before anything is started that would have our environment. */
    worker->secrets = open_secrets(worker->at.settings);
    worker->credentials =
        checkout_credentials_new(&worker->at.settings->checkout.credentials);
    *out_status = OPTIONS_USAGE;
    take_names(worker);
    if (settings_check_name(worker->name, err) < 0)
        return err_wrap(err, "--name '%.80s'", worker->name);
    if (make_state(worker->at.settings, err) < 0 ||
        worker_key_load(worker->at.settings->state_dir, &worker->key,
                        &worker->has_key, err) < 0 ||
        loop_new(&worker->loop, err) < 0 || open_queue(worker, err) < 0) {
        /* A service manager does not try again what is wrong usage. */
        if (err->kind != ERR_USER)
            *out_status = EXIT_FAILED;
        return -1;
    }
    *out_status = EXIT_FAILED;
    if (start(worker, err) < 0 || live(worker, err) < 0)
        return -1;
    log_info("worker %s: ended", worker->name);
    *out_status = 0;
    return 0;
}

static int run(const struct worker_options *given)
{
    struct worker worker = {.options = given};
    struct err err = {0};
    int status;

    if (start_and_live(&worker, &status, &err) < 0)
        log_error("%s", err.msg);
    upkeep_free(worker.upkeep);
    supervisor_free(worker.supervisor);
    log_store_free(worker.logs);
    secret_store_free(worker.secrets);
    checkout_credentials_free(worker.credentials);
    seal_key_wipe(&worker.key);
    queue_free(worker.queue);
    notify_free(worker.notify);
    loop_free(worker.loop);
    pool_at_clear(&worker.at);
    return status;
}

int cmd_worker(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct worker_options opts = {0};
    struct err err = {0};
    int parsed =
        options_parse(&command_worker, argc, argv, &opts, &operands, &err);
    int status;

    log_init("berth", LOG_INFO);
    if (parsed != 0)
        status = options_finish(&command_worker, parsed, &err);
    else if (!proc_end_with_parent())
        status = EXIT_FAILED;
    else
        status = run(&opts);
    strv_clear(&opts.at.settings.sets);
    return status;
}
