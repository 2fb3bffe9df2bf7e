/* scheduler/queue/inspect_rows.c - jobs as rows for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/job.h"
#include "scheduler/queue/impl.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/reply_json.h"

#include <stdlib.h>
#include <string.h>

enum field_type {
    FIELD_TEXT,
    FIELD_NUMBER,
    FIELD_FLAG,     /* true, or left out */
    FIELD_PRIORITY, /* a number in Redis, a word for people */
    FIELD_JSON,     /* a document in a string */
};

/* `state` is the first, as list.lua wants it. */
static const struct {
    const char *name;
    enum field_type type;
} fields[] = {
    {"state", FIELD_TEXT},
    {"kind", FIELD_TEXT},
    {"priority", FIELD_PRIORITY},
    {"tenant", FIELD_TEXT},
    {"pipeline", FIELD_TEXT},
    {"labels", FIELD_TEXT},
    {"worker", FIELD_TEXT},
    {"epoch", FIELD_NUMBER},
    {"reason", FIELD_TEXT},
    {"exhausted", FIELD_FLAG},
    {"cancel", FIELD_TEXT},
    {"group", FIELD_TEXT},
    {"parent", FIELD_TEXT},
    {"about", FIELD_JSON},
    {"infra_failures", FIELD_NUMBER},
    {"job_failures", FIELD_NUMBER},
    {"submitted_at_ms", FIELD_NUMBER},
    {"not_before_ms", FIELD_NUMBER},
    {"expires_at_ms", FIELD_NUMBER},
    {"started_at_ms", FIELD_NUMBER},
    {"ended_at_ms", FIELD_NUMBER},
    {"result", FIELD_JSON}, /* only for one job: it is long */
};

#define ROW_FIELDS (ARRAY_LEN(fields) - 1)

static json_t *read_priority(const redisReply *row, size_t i)
{
    int64_t class = queue_reply_num(row, i);

    if (class < JOB_URGENT || class > JOB_LOW)
        return NULL;
    return json_string(job_priority_name((enum job_priority) class));
}

static json_t *read_field(const redisReply *row, size_t i, enum field_type type)
{
    switch (type) {
    case FIELD_NUMBER:
        return json_of_number(row, i);
    case FIELD_FLAG:
        return json_true();
    case FIELD_PRIORITY:
        return read_priority(row, i);
    case FIELD_JSON:
        return json_loadb(row->element[i]->str, row->element[i]->len, 0, NULL);
    case FIELD_TEXT:
        break;
    }
    return json_of_text(row, i);
}

/* What is there; malformed documents are left out. */
static json_t *read_row(const redisReply *row)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", json_of_text(row, 0));
    for (size_t i = 0; i < ARRAY_LEN(fields) && i + 1 < row->elements; i++) {
        const char *text = queue_reply_str(row, i + 1);

        if (text && *text)
            (void)json_object_set_new(object, fields[i].name,
                                      read_field(row, i + 1, fields[i].type));
    }
    return object;
}

static void add_fields(struct queue_args *args, size_t count)
{
    queue_args_num(args, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        queue_args_str(args, fields[i].name);
}

static json_t *read_rows(const redisReply *reply)
{
    json_t *object = json_object();
    json_t *jobs = json_array();

    json_object_set_new(object, "now_ms", json_of_number(reply, 0));
    for (size_t i = 1; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_ARRAY)
            json_array_append_new(jobs, read_row(reply->element[i]));
    json_object_set_new(object, "jobs", jobs);
    return object;
}

static int list(struct queue *queue, const char *which, unsigned limit,
                size_t field_count, const char *id, json_t **out,
                struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;

    if (id && queue_check_id(id, err) < 0)
        return -1;
    queue_args_str(&args, which);
    queue_args_num(&args, limit < QUEUE_MAX_ROWS ? limit : QUEUE_MAX_ROWS);
    add_fields(&args, field_count);
    if (id)
        queue_args_str(&args, id);
    if (queue_run(queue, SCRIPT_LIST, &args, &reply, err) < 0)
        return -1;
    *out = read_rows(reply);
    freeReplyObject(reply);
    return 0;
}

int queue_list(struct queue *queue, const char *which, unsigned limit,
               json_t **out_rows, struct err *err)
{
    if (!limit)
        limit = 1;
    if (list(queue, which, limit, ROW_FIELDS, NULL, out_rows, err) < 0)
        return err_wrap(err, "cannot list the jobs");
    return 0;
}

int queue_children(struct queue *queue, const char *run, json_t **out_rows,
                   struct err *err)
{
    if (list(queue, "run", QUEUE_MAX_ROWS, ROW_FIELDS, run, out_rows, err) < 0)
        return err_wrap(err, "cannot list the jobs of run %s", run);
    return 0;
}

int queue_job(struct queue *queue, const char *id, json_t **out_job,
              struct err *err)
{
    json_t *rows = NULL;
    json_t *job;

    if (list(queue, "id", 1, ARRAY_LEN(fields), id, &rows, err) < 0)
        return err_wrap(err, "cannot read job %s", id);
    job = json_array_get(json_object_get(rows, "jobs"), 0);
    if (!job) {
        json_decref(rows);
        return err_set(err, ERR_USER, "there is no job '%s'", id);
    }
    json_object_set(job, "now_ms", json_object_get(rows, "now_ms"));
    *out_job = json_incref(job);
    json_decref(rows);
    return 0;
}
