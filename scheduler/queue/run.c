/* scheduler/queue/run.c - runs of several jobs: what is to be done next. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/run.h"

#include "scheduler/queue/impl.h"
#include "scheduler/queue/job_args.h"
#include "scheduler/queue/run_decide.h"
#include "scheduler/queue/run_result.h"
#include "scheduler/queue/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHILDREN    50 /* begun by one call */
#define MAX_BATCH_BYTES ((size_t)8 << 20)
/* Decisions in a row: more than any run needs, unless others disturb it. */
#define MAX_TRIES 64

/* The fields of look.lua, in its order. */
enum {
    LOOK_STATE,
    LOOK_KIND,
    LOOK_PAYLOAD,
    LOOK_CANCEL,
    LOOK_TENANT,
    LOOK_PIPELINE,
    LOOK_PRIORITY,
    LOOK_ABOUT,
    LOOK_JOB_RETRIES,
    LOOK_INFRA_RETRIES,
    LOOK_STARTED,
    LOOK_COUNT
};

/* A run on its way; it belongs to the request that is under way. */
struct advance {
    struct queue *queue; /* borrowed */
    char id[QUEUE_MAX_ID + 1];
    run_advance_fn *fn;
    void *arg;
    unsigned tries;
    char *fields[LOOK_COUNT]; /* owned; as looked at last, never NULL then */
    char rev[24];
    json_t *payload;           /* owned, as the next */
    struct document *document; /* NULL: not yet, or it makes no sense */
    struct plan *plan;
    struct plan_facts facts; /* borrow from the payload */
    enum run_state states[DOCUMENT_MAX_ROWS];
    struct run_decision decision;
};

static void clear_look(struct advance *a)
{
    for (size_t i = 0; i < LOOK_COUNT; i++) {
        free(a->fields[i]);
        a->fields[i] = NULL;
    }
    plan_free(STEAL(a->plan));
    document_free(STEAL(a->document));
    json_decref(a->payload);
    a->payload = NULL;
    run_decision_clear(&a->decision);
}

static void advance_free(void *data)
{
    struct advance *a = data;

    clear_look(a);
    free(a);
}

static void finish(struct advance *a, bool ended, const struct err *err)
{
    run_advance_fn *fn = a->fn;
    void *arg = a->arg;

    advance_free(a);
    fn(arg, ended, err);
}

/* The next request takes `a`, whose owner the last one was. */
static void ask(struct advance *a, enum queue_script script,
                queue_answer_fn *on_answer, const struct queue_args *args)
{
    struct queue_request *request =
        queue_request(a->queue, on_answer, NULL, NULL);

    request->data = a;
    request->free_data = advance_free;
    queue_send(request, script, args);
}

static void look(struct advance *a);

/* ---- payloads --------------------------------------------------------------
 */

char *run_payload(const struct document *document,
                  const struct plan_facts *facts, const json_t *common)
{
    json_t *root = json_object();
    char *text;

    json_object_set_new(root, "document", document_to_json(document));
    json_object_set_new(root, "facts", plan_facts_to_json(facts));
    json_object_set_new(root, "common", json_deep_copy(common));
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

char *run_job_payload(const struct plan *plan, size_t job, const json_t *common)
{
    json_t *root = json_copy((json_t *)(uintptr_t)common);
    char *text;

    json_object_set_new(root, "pipeline", plan_pipeline_json(plan, job));
    json_object_set_new(root, "matrix", plan_matrix_json(plan, job));
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

/* ---- what there is ---------------------------------------------------------
 */

static const char *const state_words[] = {
    [RUN_ACTIVE] = "active",   [RUN_PASSED] = "passed",
    [RUN_FAILED] = "failed",   [RUN_CANCELLED] = "cancelled",
    [RUN_SKIPPED] = "skipped",
};

static enum run_state state_find(const char *word)
{
    for (size_t i = RUN_ACTIVE; i < ARRAY_LEN(state_words); i++)
        if (!strcmp(word, state_words[i]))
            return (enum run_state)i;
    return RUN_NOT_BEGUN;
}

static void read_look(struct advance *a, const redisReply *reply)
{
    memset(a->states, 0, sizeof(a->states));
    (void)snprintf(a->rev, sizeof(a->rev), "0");
    for (size_t i = 0; i < LOOK_COUNT; i++) {
        const char *s = queue_reply_str(reply, i);

        a->fields[i] = xstrdup(s ? s : "");
    }
    for (size_t i = LOOK_COUNT; queue_reply_str(reply, i + 1); i += 2) {
        const char *name = queue_reply_str(reply, i);
        const char *value = queue_reply_str(reply, i + 1);
        char *end;
        unsigned long index = strtoul(name, &end, 10);

        if (!strcmp(name, "rev"))
            (void)snprintf(a->rev, sizeof(a->rev), "%s", value);
        else if (!*end && index < DOCUMENT_MAX_ROWS)
            a->states[index] = state_find(value);
    }
}

static int read_payload(struct advance *a, struct err *err)
{
    json_error_t where;

    a->payload = json_loads(a->fields[LOOK_PAYLOAD], 0, &where);
    if (!a->payload)
        return err_set(err, ERR_USER, "its payload is no JSON: %s", where.text);
    if (document_from_json(json_object_get(a->payload, "document"),
                           &a->document, err) < 0)
        return -1;
    a->facts = plan_facts_from_json(json_object_get(a->payload, "facts"));
    return plan_make(a->document, &a->facts, &a->plan, err);
}

/* ---- carrying it out -------------------------------------------------------
 */

static void on_advanced(struct queue_request *request,
                        const struct redisReply *reply, const struct err *err)
{
    struct advance *a = STEAL(request->data);
    const char *word =
        reply && reply->type == REDIS_REPLY_STRING ? reply->str : "";

    if (!reply)
        finish(a, false, err);
    else if (!strcmp(word, "lost"))
        finish(a, true, NULL);
    else if (!strcmp(word, "ok"))
        finish(a, a->decision.outcome != PLAN_PENDING, NULL);
    else if (++a->tries < MAX_TRIES)
        look(a);
    else
        finish(a, false, NULL); /* it is looked at again with the next tick */
}

static void add_indices(struct queue_args *args, const size_t *list,
                        size_t count)
{
    queue_args_num(args, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        queue_args_num(args, (int64_t)list[i]);
}

/* The run's own, and the name of the job. Owned by the caller. */
static char *child_about(const struct advance *a, size_t job)
{
    json_t *about = json_loads(a->fields[LOOK_ABOUT], 0, NULL);
    char *text;

    if (!json_is_object(about)) {
        json_decref(about);
        about = json_object();
    }
    json_object_set_new(about, "name", json_string(a->plan->jobs[job].name));
    text = json_dumps(about, JSON_COMPACT);
    json_decref(about);
    return text;
}

static void add_child(const struct advance *a, struct queue_args *args,
                      size_t job, const char *payload)
{
    CLEANUP(mem) char *id = xasprintf("%s-%zu", a->id, job + 1);
    CLEANUP(mem) char *about = child_about(a, job);
    const char *infra = a->fields[LOOK_INFRA_RETRIES];
    const struct queue_job child = {
        .id = arena_strndup(args->arena, id, strlen(id)),
        .payload = payload,
        .tenant = a->fields[LOOK_TENANT],
        .pipeline = a->fields[LOOK_PIPELINE],
        .priority =
            (enum job_priority)strtol(a->fields[LOOK_PRIORITY], NULL, 10),
        .labels = &a->plan->jobs[job].labels,
        .job_retries = (unsigned)strtoul(a->fields[LOOK_JOB_RETRIES], NULL, 10),
        .infra_retries = *infra ? (int)strtol(infra, NULL, 10) : -1,
        .about =
            about ? arena_strndup(args->arena, about, strlen(about)) : NULL,
    };

    queue_args_num(args, (int64_t)job);
    job_args_add(args, &child);
}

/* The children that are to begin, as far as they are not too much at once.
 * `payloads` keeps them until the arguments were sent. */
static int add_children(struct advance *a, struct queue_args *args,
                        struct strv *payloads, bool *out_more, struct err *err)
{
    const json_t *common = json_object_get(a->payload, "common");
    size_t bytes = 0;

    for (size_t i = 0; i < a->decision.start_count; i++) {
        size_t job = a->decision.start[i];
        CLEANUP(mem) char *payload = NULL;

        if (bytes > MAX_BATCH_BYTES) {
            *out_more = true;
            break;
        }
        if (json_is_object(common))
            payload = run_job_payload(a->plan, job, common);
        if (!payload || strlen(payload) > QUEUE_MAX_PAYLOAD)
            return err_set(err, ERR_USER, "job '%.100s' cannot be written",
                           a->plan->jobs[job].name);
        bytes += strlen(payload);
        strv_add(payloads, payload);
        add_child(a, args, job, payloads->items[payloads->count - 1]);
    }
    return 0;
}

static void send_end(struct advance *a, struct run_result *result)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *json = result->json;

    queue_args_str(&args, a->id);
    queue_args_str(&args, a->rev);
    queue_args_num(&args, 1);
    add_indices(&args, a->decision.skip, a->decision.skip_count);
    add_indices(&args, NULL, 0);
    queue_args_str(&args, result->state);
    queue_args_str(&args, result->reason);
    queue_args_str(&args, json);
    ask(a, SCRIPT_ADVANCE, on_advanced, &args);
}

/* Nobody can say what is to be done, so nothing will. */
static void send_invalid(struct advance *a, const struct err *err)
{
    struct run_result result = {0};

    run_result_invalid(a->id, err->msg,
                       strtoll(a->fields[LOOK_STARTED], NULL, 10), &result);
    run_decision_clear(&a->decision);
    a->decision.outcome = PLAN_FAILURE;
    send_end(a, &result);
}

static void send_decision(struct advance *a)
{
    CLEANUP(queue_args) struct queue_args children = QUEUE_ARGS;
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(strv) struct strv payloads = {0};
    const struct run_decision *d = &a->decision;
    bool more = d->more;
    struct err err = {0};

    children.arena = arena_new();
    if (add_children(a, &children, &payloads, &more, &err) < 0) {
        send_invalid(a, &err);
        return;
    }
    queue_args_str(&args, a->id);
    queue_args_str(&args, a->rev);
    queue_args_num(&args, !more);
    add_indices(&args, d->skip, d->skip_count);
    add_indices(&args, d->cancel, d->cancel_count);
    for (size_t i = 0; i < 3; i++)
        queue_args_str(&args, ""); /* it goes on */
    for (size_t i = 0; i < children.count; i++)
        queue_args_mem(&args, children.words[i], strlen(children.words[i]));
    ask(a, SCRIPT_ADVANCE, on_advanced, &args);
}

/* ---- the end ---------------------------------------------------------------
 */

/* ends.lua answers for those that were asked about, in their order. */
static void read_rows(const struct advance *a, const redisReply *reply,
                      struct run_row *rows)
{
    size_t at = 0;

    for (size_t i = 0; i < a->plan->job_count; i++) {
        const char *reason;

        if (a->states[i] == RUN_NOT_BEGUN)
            continue;
        (void)snprintf(rows[i].state, sizeof(rows[i].state), "%s",
                       state_words[a->states[i]]);
        reason = queue_reply_str(reply, at++);
        (void)snprintf(rows[i].reason, sizeof(rows[i].reason), "%s",
                       reason ? reason : "");
        rows[i].started_at_ms = queue_reply_num(reply, at++);
        rows[i].ended_at_ms = queue_reply_num(reply, at++);
    }
}

static void on_rows(struct queue_request *request,
                    const struct redisReply *reply, const struct err *err)
{
    struct advance *a = STEAL(request->data);
    CLEANUP(mem) struct run_row *rows = NULL;
    struct run_result result = {0};

    if (!reply || reply->type != REDIS_REPLY_ARRAY) {
        finish(a, false, err);
        return;
    }
    rows = xcalloc(a->plan->job_count, sizeof(*rows));
    read_rows(a, reply, rows);
    run_result_make(&(struct run_ended){.id = a->id,
                                        .plan = a->plan,
                                        .facts = &a->facts,
                                        .rows = rows,
                                        .outcome = a->decision.outcome,
                                        .cancel = a->fields[LOOK_CANCEL],
                                        .started_at_ms = strtoll(
                                            a->fields[LOOK_STARTED], NULL, 10)},
                    &result);
    send_end(a, &result);
}

/* How those that were begun, or skipped before, came out. */
static void ask_rows(struct advance *a)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, a->id);
    for (size_t i = 0; i < a->plan->job_count; i++)
        if (a->states[i] != RUN_NOT_BEGUN)
            queue_args_num(&args, (int64_t)i);
    ask(a, SCRIPT_ENDS, on_rows, &args);
}

/* ---- deciding --------------------------------------------------------------
 */

static int decide(struct advance *a, struct err *err)
{
    if (read_payload(a, err) < 0)
        return -1;
    return run_decide(a->plan, &a->facts, a->states,
                      *a->fields[LOOK_CANCEL] != '\0', MAX_CHILDREN,
                      &a->decision, err);
}

static void on_looked(struct queue_request *request,
                      const struct redisReply *reply, const struct err *err)
{
    struct advance *a = STEAL(request->data);
    struct err why = {0};
    bool runs;

    if (!reply) {
        finish(a, false, err);
        return;
    }
    read_look(a, reply);
    runs = !strcmp(a->fields[LOOK_STATE], "running") &&
           !strcmp(a->fields[LOOK_KIND], "run");
    if (runs && decide(a, &why) < 0)
        send_invalid(a, &why);
    else if (runs && a->decision.outcome != PLAN_PENDING)
        ask_rows(a);
    else
        send_decision(a); /* of one that is gone: nothing, which is `lost` */
}

static void look(struct advance *a)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    clear_look(a);
    queue_args_str(&args, a->id);
    ask(a, SCRIPT_LOOK, on_looked, &args);
}

void run_advance(struct queue *queue, const char *id, run_advance_fn *fn,
                 void *arg)
{
    struct advance *a = xcalloc(1, sizeof(*a));

    a->queue = queue;
    (void)snprintf(a->id, sizeof(a->id), "%s", id);
    a->fn = fn;
    a->arg = arg;
    look(a);
}
