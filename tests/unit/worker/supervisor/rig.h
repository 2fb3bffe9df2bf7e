/* tests/unit/worker/supervisor/rig.h - a supervisor with a fake run-job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_WORKER_SUPERVISOR_RIG_H
#define TESTS_UNIT_WORKER_SUPERVISOR_RIG_H

#include "scheduler/queue/control.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/log.h"
#include "scheduler/queue/scripts.h"
#include "scheduler/queue/submit.h"

#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"
#include "worker/job/events.h"
#include "worker/supervisor/supervisor.h"

#include <fnmatch.h>
#include <jansson.h>
#include <limits.h>
#include <sys/stat.h>

static struct redis_server server;
static char libexec[64];
static char real_libexec[PATH_MAX];
static unsigned pool_number;

/* ---- one pool and one supervisor a test --------------------------------- */

struct seen {
    unsigned started, ended, failed, refused;
    unsigned frames[256];
    char state[16];
    char *result; /* owned */
    struct err err;
    struct supervisor *cancel_at_output; /* borrowed; NULL: no */
    struct strbuf *payloads; /* borrowed: of all frames; NULL: not kept */
};

struct fixture {
    struct loop *loop;
    struct queue *queue;
    struct supervisor *supervisor;
    json_t *secrets; /* owned */
    int retries;     /* of the jobs that are submitted */
    struct seen seen;
    char pool[32];
    char dir[64];
};

UNUSED static void on_started(void *arg, const char *job_id UNUSED)
{
    ((struct seen *)arg)->started++;
}

UNUSED static void on_frame(void *arg, const char *job_id UNUSED,
                            const struct frame *frame)
{
    struct seen *seen = arg;

    seen->frames[frame->type]++;
    if (seen->payloads)
        strbuf_add(seen->payloads, (const char *)frame->data, frame->len);
    if (frame->type == JOB_FRAME_STDOUT && seen->cancel_at_output)
        supervisor_cancel(seen->cancel_at_output, "cancelled");
}

UNUSED static void on_ended(void *arg, const char *job_id UNUSED,
                            const char *state, const char *result_json)
{
    struct seen *seen = arg;

    seen->ended++;
    (void)snprintf(seen->state, sizeof(seen->state), "%s", state);
    free(seen->result);
    seen->result = xstrdup(result_json);
}

UNUSED static void on_refused(void *arg, const struct err *err)
{
    struct seen *seen = arg;

    seen->refused++;
    seen->err = *err;
}

UNUSED static void on_failed(void *arg, const char *job_id UNUSED,
                             const struct err *err)
{
    struct seen *seen = arg;

    seen->failed++;
    seen->err = *err;
}

UNUSED static void start_with(struct fixture *f,
                              const struct supervisor_options *options)
{
    const struct supervisor_events events = {.on_started = on_started,
                                             .on_frame = on_frame,
                                             .on_ended = on_ended,
                                             .on_failed = on_failed,
                                             .on_refused = on_refused,
                                             .arg = &f->seen};
    struct err err = {ERR_NONE, 0, ""};

    if (supervisor_new(f->loop, f->queue, options, &events, &f->supervisor,
                       &err) < 0 ||
        supervisor_start(f->supervisor, &err) < 0)
        fail_msg("%s", err.msg);
}

UNUSED static struct supervisor_options
usual(struct fixture *f, unsigned capacity, uint32_t kill_ms)
{
    return (struct supervisor_options){.worker = "w1",
                                       .state_dir = f->dir,
                                       .limits = {.capacity = capacity},
                                       .renew_ms = 200,
                                       .kill_ms = kill_ms,
                                       .secrets = f->secrets};
}

UNUSED static void start_supervisor(struct fixture *f, unsigned capacity,
                                    uint32_t kill_ms)
{
    const struct supervisor_options options = usual(f, capacity, kill_ms);

    start_with(f, &options);
}

UNUSED static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct queue_options options = {.url = server.url,
                                    .pool = f->pool,
                                    .max_instances = 8,
                                    .lease_ms = 5000,
                                    .kill_grace_ms = 500};

    (void)snprintf(f->pool, sizeof(f->pool), "p%u", pool_number++);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/berth-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(loop_new(&f->loop, NULL), 0);
    assert_int_equal(queue_open(f->loop, &options, &f->queue, NULL), 0);
    *state = f;
    return 0;
}

UNUSED static int teardown(void **state)
{
    struct fixture *f = *state;

    supervisor_free(f->supervisor);
    json_decref(f->secrets);
    queue_free(f->queue);
    loop_free(f->loop);
    free(f->seen.result);
    assert_int_equal(tree_remove(f->dir, NULL), 0);
    free(f);
    return 0;
}

UNUSED static void submit_payload(struct fixture *f, const char *id,
                                  const char *payload)
{
    const struct queue_job job = {.id = id,
                                  .payload = payload,
                                  .priority = JOB_NORMAL,
                                  .infra_retries = f->retries};
    struct queue_answer answer;

    assert_int_equal(queue_submit(f->queue, &job, 1, &answer, NULL), 0);
    assert_int_equal(answer.what, QUEUE_QUEUED);
}

UNUSED static void submit(struct fixture *f, const char *id, const char *fake)
{
    CLEANUP(mem)
    char *payload = xasprintf(
        "{\"pipeline\":{\"name\":\"p\",\"sandbox\":{\"image\":\"host\"}},"
        "\"repo_name\":\"a/b\",\"commit\":\"\",\"inputs\":{\"fake\":\"%s\"}}",
        fake);

    submit_payload(f, id, payload);
}

UNUSED static void cancel(struct fixture *f, const char *id, const char *reason)
{
    enum queue_cancelled what;

    assert_int_equal(queue_cancel(f->queue, id, reason, &what, NULL), 0);
    assert_int_equal(what, QUEUE_CANCEL_ASKED);
}

/* Run the loop for a while. */
UNUSED static void run_for(struct fixture *f, int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;

    while (clock_mono_ms() < until)
        assert_int_equal(loop_step(f->loop, until - clock_mono_ms(), NULL), 0);
}

UNUSED static void run_to(struct fixture *f, const unsigned *count,
                          unsigned wanted)
{
    int64_t until = clock_mono_ms() + 30000;

    while (*count < wanted && clock_mono_ms() < until)
        assert_int_equal(loop_step(f->loop, 100, NULL), 0);
    assert_true(*count >= wanted);
}

/* The same, and no further. */
UNUSED static void run_until(struct fixture *f, const unsigned *count,
                             unsigned wanted)
{
    run_to(f, count, wanted);
    assert_int_equal(*count, wanted);
}

UNUSED static unsigned sweeps(const struct fixture *f)
{
    CLEANUP(mem) char *path = xasprintf("%s/sweeps", f->dir);
    struct stat st;

    return stat(path, &st) == 0 ? (unsigned)st.st_size : 0;
}

/* ---- what Redis was asked ------------------------------------------------ */

UNUSED static redisReply *ask(const char *const *list, size_t count)
{
    const struct redis_words words = {list, NULL, count};
    const struct redis_options options = {.url = server.url};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    redisReply *reply = NULL;

    assert_int_equal(redis_sync_open(&options, &redis, NULL), 0);
    assert_int_equal(redis_sync_command(redis, &words, &reply, NULL), 0);
    return reply;
}
#define ASK(...)                                                               \
    ask((const char *const[]){__VA_ARGS__},                                    \
        ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

UNUSED static void forget_calls(void)
{
    freeReplyObject(ASK("CONFIG", "RESETSTAT"));
}

/* How often `command` was sent since. */
UNUSED static unsigned calls(const char *command)
{
    redisReply *reply = ASK("INFO", "commandstats");
    CLEANUP(mem) char *line = xasprintf("cmdstat_%s:calls=", command);
    const char *found = strstr(reply->str, line);
    unsigned count =
        found ? (unsigned)strtoul(found + strlen(line), NULL, 10) : 0;

    freeReplyObject(reply);
    return count;
}

/* What the worker said of itself at its last renewal; owned by the caller. */
UNUSED static char *fact(struct fixture *f, const char *name)
{
    CLEANUP(mem) char *key = xasprintf("berth:{%s}:worker:w1", f->pool);
    redisReply *reply = ASK("HGET", key, name);
    char *value = xstrdup(reply->str ? reply->str : "");

    freeReplyObject(reply);
    return value;
}

/* Until it says so; `wanted` is a glob. */
UNUSED static void await_fact(struct fixture *f, const char *name,
                              const char *wanted)
{
    int64_t until = clock_mono_ms() + 30000;

    for (;;) {
        CLEANUP(mem) char *value = fact(f, name);

        if (!fnmatch(wanted, value, 0))
            return;
        if (clock_mono_ms() >= until)
            fail_msg("%s is '%s', not '%s'", name, value, wanted);
        run_for(f, 50);
    }
}

/* The clock's part, which a scheduler does: what is due begins. */
UNUSED static void promote(struct fixture *f)
{
    CLEANUP(mem) char *prefix = xasprintf("berth:{%s}:", f->pool);

    freeReplyObject(ASK("EVAL", queue_scripts[SCRIPT_PROMOTE].source, "1",
                        prefix, "600000", "0.5"));
}

/* ---- what is in Redis afterwards ---------------------------------------- */

struct log_text {
    char text[4096];
    size_t len;
    uint64_t bytes, gap_bytes;
    unsigned entries;
};

UNUSED static void on_entry(void *arg, const struct log_entry *e)
{
    struct log_text *log = arg;

    log->entries++;
    log->bytes += e->len;
    log->gap_bytes += e->gap_bytes;
    if (log->len + e->len < sizeof(log->text)) {
        memcpy(log->text + log->len, e->data, e->len);
        log->len += e->len;
        log->text[log->len] = '\0';
    }
}

UNUSED static void read_log(struct fixture *f, const char *id,
                            struct log_text *log)
{
    memset(log, 0, sizeof(*log));
    assert_int_equal(queue_log(f->queue, id, 1, 1, on_entry, log, NULL, NULL),
                     0);
}

/* Every object has exactly the members that the schema asks for. */
UNUSED static void check_members(const json_t *schema, const json_t *value)
{
    const json_t *required = json_object_get(schema, "required");
    const json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *member;
    const json_t *name;
    size_t i;

    json_array_foreach(required, i, name)
    {
        if (!json_object_get(value, json_string_value(name)))
            fail_msg("no member %s", json_string_value(name));
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const json_t *inner = json_object_get(properties, key);

        if (!inner)
            fail_msg("a member %s too many", key);
        if (json_is_object(member))
            check_members(inner, member);
    }
}

UNUSED static void expect(struct fixture *f, const char *id, const char *state,
                          const char *reason)
{
    CLEANUP(queue_status) struct queue_status *s = NULL;
    json_t *schema = json_load_file("schemas/result.schema.json", 0, NULL);
    json_t *result;

    assert_int_equal(queue_status(f->queue, id, &s, NULL), 0);
    assert_string_equal(s->state, state);
    assert_string_equal(s->reason ? s->reason : "", reason);
    assert_non_null(s->result);
    result = json_loads(s->result, 0, NULL);
    assert_non_null(schema);
    assert_non_null(result);
    check_members(schema, result);
    assert_string_equal(json_string_value(json_object_get(result, "state")),
                        state);
    assert_non_null(strstr(s->result, f->pool)); /* log.stream */
    json_decref(schema);
    json_decref(result);
}

/* ---- one Redis and one run-job a program ------------------------------- */

UNUSED static int start(void **state UNUSED)
{
    char fake[PATH_MAX];
    CLEANUP(mem) char *link = NULL;
    CLEANUP(mem) char *store = NULL;
    const char *real = getenv("BERTH_LIBEXEC");

    (void)snprintf(real_libexec, sizeof(real_libexec), "%s", real ? real : "");
    redis_server_init(&server, "");
    (void)snprintf(libexec, sizeof(libexec), "/tmp/berth-test-XXXXXX");
    if (!mkdtemp(libexec) || !realpath("tests/fakes/run-job.js", fake))
        return -1;
    link = xasprintf("%s/run-job", libexec);
    if (symlink(fake, link) < 0)
        return -1;
    free(link);
    link = xasprintf("%s/log-store", libexec);
    store = xasprintf("%s/log-store", real_libexec);
    return symlink(store, link) == 0 ? setenv("BERTH_LIBEXEC", libexec, 1) : -1;
}

UNUSED static int stop(void **state UNUSED)
{
    redis_server_clear(&server);
    return tree_remove(libexec, NULL);
}

#endif
