/* worker/supervisor/warm_pool.c - sandboxes that wait for their job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/warm_pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "pipelines/pipeline.h"
#include "worker/job/events.h"
#include "worker/supervisor/run_job.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS        1000
#define REFILL_MS      200 /* the job that took one is on its way by then */
#define START_MS       60000
#define END_MS         15000
#define PAUSE_MS       1000
#define MAX_PAUSE_MS   300000
#define TYPE_MAX_BYTES 32

struct kind {
    char *image; /* owned */
    char type[TYPE_MAX_BYTES];
    const char *network; /* static */
    unsigned count;
};

/*
 *   starting ──▶ ready ──▶ taken: no more ours
 *       └──────────┴──▶ ending ──▶ reaped
 */
struct standby {
    TAILQ_ENTRY(standby) link;
    struct warm_pool *pool;    /* borrowed */
    char *kind;                /* owned: the name */
    pid_t pid;                 /* our child */
    struct channel *channel;   /* owned; NULL: ending */
    struct loop_source *child; /* borrowed */
    bool ready;
    int64_t since_ms; /* monotonic: of its start; of its end, when it ends */
};

struct warm_pool {
    struct warm_pool_options options;
    struct config_numbers kinds; /* owned */
    TAILQ_HEAD(, standby) list;
    struct loop_source *look; /* borrowed; the next one */
    int64_t not_before_ms;    /* after failures; monotonic */
    int64_t pause_ms;         /* the last one; 0: none */
    unsigned started;         /* ever, for their names */
    bool sweep;               /* one was killed: what it left is to go */
    pid_t sweep_pid;          /* -1: none */
    struct loop_source *sweeper;
};

static void look_in(struct warm_pool *pool, int64_t wait_ms);

/* ---- kinds --------------------------------------------------------------- */

/* Of what stands behind the type; NULL: nothing that is known. */
static const char *network_of(const char *text, size_t len)
{
    static const char *const networks[] = {"hosts", "full"};

    if (!len)
        return "none";
    for (size_t i = 0; i < ARRAY_LEN(networks); i++)
        if (len == strlen(networks[i]) + 1 &&
            strncmp(text + 1, networks[i], len - 1) == 0)
            return networks[i];
    return NULL;
}

static int parse_kind(const char *name, struct kind *out, struct err *err)
{
    const char *at = strchr(name, '@');
    size_t len = at ? (size_t)(at - name) : strlen(name);
    size_t type_len = strcspn(name, "/@");

    if (type_len >= sizeof(out->type))
        return err_set(err, ERR_USER, "there is no such instance type");
    memcpy(out->type, name, type_len);
    out->type[type_len] = '\0';
    if (!instance_type_find(out->type))
        return err_set(err, ERR_USER, "there is no instance type '%s'",
                       out->type);
    out->network = network_of(name + type_len, len - type_len);
    if (!out->network)
        return err_set(err, ERR_USER,
                       "after an instance type there may be /hosts or /full, "
                       "then @ and an image");
    if (at && strcmp(at + 1, "host") != 0 && at[1] != '/')
        return err_set(err, ERR_USER, "an image is an absolute path, or host");
    out->image = xstrdup(at ? at + 1 : "host");
    return 0;
}

int warm_kind_check(const char *name, struct err *err)
{
    struct kind kind = {0};
    int rc = parse_kind(name, &kind, err);

    free(kind.image);
    return rc;
}

/* The list is the job's, and comes with it. */
static json_t *network_json(const struct kind *kind)
{
    return strcmp(kind->network, "hosts") == 0 ? json_pack("[s]", "npm")
                                               : json_string(kind->network);
}

static bool is_network(const json_t *network, const struct kind *kind)
{
    const char *word = json_string_value(network);

    return strcmp(kind->network, "hosts") == 0
               ? json_is_array(network)
               : word && strcmp(word, kind->network) == 0;
}

/* As a job's START; the step is never run. Owned by the caller. */
static char *prepare_message(const struct warm_pool *pool, const char *name)
{
    struct kind kind = {0};
    struct err err;
    json_t *doc;
    char *id, *text;

    if (parse_kind(name, &kind, &err) < 0)
        return NULL;
    id = xasprintf("warm-%d-%u", (int)getpid(), pool->started);
    doc = json_pack("{s:s, s:{s:s, s:{s:s, s:s, s:o}, s:[{s:s}]}}", "job_id",
                    id, "pipeline", "name", "warm", "sandbox", "image",
                    kind.image, "instance_type", kind.type, "network",
                    network_json(&kind), "steps", "run", "true");
    text = json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    free(id);
    free(kind.image);
    return text;
}

static bool is(const json_t *object, const char *key, const char *value)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s && strcmp(s, value) == 0;
}

static bool fits(const char *name, const json_t *start)
{
    const json_t *sandbox =
        json_object_get(json_object_get(start, "pipeline"), "sandbox");
    const char *runtime = json_string_value(json_object_get(start, "runtime"));
    struct kind kind = {0};
    struct err err;
    bool fit = parse_kind(name, &kind, &err) == 0 && !(runtime && *runtime) &&
               is(sandbox, "image", kind.image) &&
               is(sandbox, "instance_type", kind.type) &&
               is_network(json_object_get(sandbox, "network"), &kind);

    free(kind.image);
    return fit;
}

/* ---- one ----------------------------------------------------------------- */

static void standby_free(struct standby *s)
{
    TAILQ_REMOVE(&s->pool->list, s, link);
    channel_free(s->channel);
    loop_remove(s->child);
    free(s->kind);
    free(s);
}

/* It destroys its sandbox at the end of file. */
static void end(struct standby *s)
{
    if (!s->channel)
        return;
    channel_free(STEAL(s->channel));
    s->ready = false;
    s->since_ms = clock_mono_ms();
}

static void note_failure(struct warm_pool *pool)
{
    pool->pause_ms = pool->pause_ms ? pool->pause_ms * 2 : PAUSE_MS;
    if (pool->pause_ms > MAX_PAUSE_MS)
        pool->pause_ms = MAX_PAUSE_MS;
    pool->not_before_ms = clock_mono_ms() + pool->pause_ms;
}

static void on_exit_of(void *arg, pid_t pid UNUSED, int status)
{
    struct standby *s = arg;
    struct warm_pool *pool = s->pool;

    s->child = NULL;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        pool->sweep = true;
    if (s->channel)
        note_failure(pool);
    standby_free(s);
    look_in(pool, 0);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct standby *s = arg;

    if (frame->type != JOB_FRAME_READY || s->ready)
        return;
    s->ready = true;
    look_in(s->pool, 0); /* the next one may start */
}

static void on_closed(void *arg, const struct err *err UNUSED)
{
    struct standby *s = arg;

    note_failure(s->pool);
    end(s);
}

static int start(struct warm_pool *pool, const char *kind, struct err *err)
{
    struct standby *s = xcalloc(1, sizeof(*s));
    struct channel_spec spec = {
        .on_frame = on_frame, .on_closed = on_closed, .arg = s};
    CLEANUP(mem) char *text = NULL;
    int fd;

    pool->started++;
    s->pool = pool;
    s->kind = xstrdup(kind);
    s->since_ms = clock_mono_ms();
    TAILQ_INSERT_TAIL(&pool->list, s, link);
    text = prepare_message(pool, kind);
    if (!text || run_job_spawn(&s->pid, &fd, err) < 0) {
        standby_free(s);
        return -1;
    }
    spec.in_fd = spec.out_fd = fd;
    if (channel_new(pool->options.loop, &spec, &s->channel, err) < 0 ||
        loop_add_child(pool->options.loop, s->pid, on_exit_of, s, &s->child,
                       err) < 0) {
        channel_free(STEAL(s->channel));
        (void)run_job_reap(s->pid, 0);
        standby_free(s);
        return -1;
    }
    channel_send(s->channel, JOB_FRAME_PREPARE, 0, text, strlen(text));
    return 0;
}

/* ---- the sweep of what a killed one left --------------------------------- */

static void on_swept(void *arg, pid_t pid UNUSED, int status)
{
    struct warm_pool *pool = arg;

    pool->sweeper = NULL;
    pool->sweep_pid = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        log_warn("a sandbox that waited could not be swept");
}

static void sweep(struct warm_pool *pool)
{
    struct err err;

    if (!pool->sweep || pool->sweep_pid > 0)
        return;
    pool->sweep = false;
    if (run_job_spawn_sweep(pool->options.state_dir, &pool->sweep_pid, &err) <
        0) {
        pool->sweep_pid = -1;
        return;
    }
    if (loop_add_child(pool->options.loop, pool->sweep_pid, on_swept, pool,
                       &pool->sweeper, &err) < 0) {
        (void)run_job_reap(pool->sweep_pid, END_MS);
        pool->sweep_pid = -1;
    }
}

/* ---- all ----------------------------------------------------------------- */

struct warm_pool *warm_pool_new(const struct warm_pool_options *options)
{
    struct warm_pool *pool = xcalloc(1, sizeof(*pool));

    pool->options = *options;
    if (!pool->options.max_age_ms)
        pool->options.max_age_ms = WARM_MAX_AGE_MS;
    pool->sweep_pid = -1;
    TAILQ_INIT(&pool->list);
    return pool;
}

static void clear_kinds(struct warm_pool *pool)
{
    for (size_t i = 0; i < pool->kinds.count; i++)
        free(pool->kinds.items[i].name);
    free(pool->kinds.items);
    pool->kinds = (struct config_numbers){0};
}

void warm_pool_set(struct warm_pool *pool, const struct config_numbers *kinds)
{
    clear_kinds(pool);
    if (!kinds || !kinds->count)
        return;
    pool->kinds.items = xcalloc(kinds->count, sizeof(*kinds->items));
    for (size_t i = 0; i < kinds->count; i++) {
        pool->kinds.items[i].name = xstrdup(kinds->items[i].name);
        pool->kinds.items[i].value = kinds->items[i].value;
    }
    pool->kinds.count = kinds->count;
}

static int64_t count_of(const struct warm_pool *pool, const char *kind)
{
    const struct standby *s;
    int64_t count = 0;

    TAILQ_FOREACH (s, &pool->list, link)
        count += s->channel && strcmp(s->kind, kind) == 0;
    return count;
}

static bool is_starting(const struct warm_pool *pool)
{
    const struct standby *s;

    TAILQ_FOREACH (s, &pool->list, link)
        if (s->channel && !s->ready)
            return true;
    return false;
}

/* Those of which there are too many; of the old ones one at a time, so that
 * never all have to be replaced. */
static void end_surplus(struct warm_pool *pool, bool may, int64_t now)
{
    bool replacing = is_starting(pool);
    struct standby *s;

    TAILQ_FOREACH (s, &pool->list, link) {
        int64_t age_ms = now - s->since_ms;
        int64_t wanted = may ? config_numbers_get(&pool->kinds, s->kind, 0) : 0;
        bool old = s->ready ? !replacing && age_ms > pool->options.max_age_ms
                            : age_ms > START_MS;

        if (!s->channel && age_ms > END_MS)
            run_job_kill(s->pid);
        else if (s->channel && (old || count_of(pool, s->kind) > wanted))
            end(s);
        replacing |= old;
    }
}

static void start_one(struct warm_pool *pool)
{
    struct err err = {0};

    for (size_t i = 0; i < pool->kinds.count; i++) {
        const struct config_number *kind = &pool->kinds.items[i];

        if (count_of(pool, kind->name) >= kind->value)
            continue;
        if (start(pool, kind->name, &err) < 0) {
            log_warn("no sandbox waits for a job: %s", err.msg);
            note_failure(pool);
        }
        return;
    }
}

static void on_look(void *arg)
{
    struct warm_pool *pool = arg;

    pool->look = NULL;
    warm_pool_look(pool);
}

static void look_in(struct warm_pool *pool, int64_t wait_ms)
{
    loop_remove(pool->look);
    pool->look = loop_add_timer(pool->options.loop, clock_mono_ms() + wait_ms,
                                on_look, pool);
}

void warm_pool_look(struct warm_pool *pool)
{
    int64_t now = clock_mono_ms();
    bool may = pool->kinds.count && pool->options.may(pool->options.arg);

    end_surplus(pool, may, now);
    if (may && now >= pool->not_before_ms && !is_starting(pool))
        start_one(pool);
    sweep(pool);
    if (pool->kinds.count || !TAILQ_EMPTY(&pool->list))
        look_in(pool, LOOK_MS);
}

/* What died has not always been noticed by now. */
static bool lives(const struct standby *s)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
               0 &&
           !info.si_pid;
}

bool warm_pool_take(struct warm_pool *pool, const json_t *start, pid_t *out_pid,
                    struct channel **out_channel)
{
    struct standby *s;

    TAILQ_FOREACH (s, &pool->list, link)
        if (s->ready && fits(s->kind, start) && lives(s))
            break;
    if (!s)
        return false;
    *out_pid = s->pid;
    *out_channel = STEAL(s->channel);
    standby_free(s);
    pool->pause_ms = 0;
    look_in(pool, REFILL_MS);
    return true;
}

unsigned warm_pool_ready(const struct warm_pool *pool)
{
    const struct standby *s;
    unsigned count = 0;

    TAILQ_FOREACH (s, &pool->list, link)
        count += s->ready;
    return count;
}

/* ---- the end ------------------------------------------------------------- */

void warm_pool_close(struct warm_pool *pool)
{
    struct standby *s;

    loop_remove(pool->look);
    pool->look = NULL;
    loop_remove(pool->sweeper);
    pool->sweeper = NULL;
    TAILQ_FOREACH (s, &pool->list, link) {
        end(s);
        loop_remove(s->child);
        s->child = NULL;
    }
}

bool warm_pool_wait(struct warm_pool *pool, int64_t until_ms)
{
    bool killed = pool->sweep;
    struct standby *s;

    if (pool->sweep_pid > 0)
        killed |= run_job_reap(pool->sweep_pid, until_ms - clock_mono_ms());
    pool->sweep_pid = -1;
    while ((s = TAILQ_FIRST(&pool->list))) {
        killed |= run_job_reap(s->pid, until_ms - clock_mono_ms());
        standby_free(s);
    }
    return killed;
}

void warm_pool_free(struct warm_pool *pool)
{
    if (!pool)
        return;
    while (!TAILQ_EMPTY(&pool->list))
        standby_free(TAILQ_FIRST(&pool->list));
    loop_remove(pool->look);
    loop_remove(pool->sweeper);
    clear_kinds(pool);
    free(pool);
}
