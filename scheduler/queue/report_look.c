/* scheduler/queue/report_look.c - what became of reports, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/impl.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/reply_json.h"
#include "scheduler/queue/report.h"

#include <string.h>

/* The places of report_look.lua's answer. */
enum {
    LOOK_NOW,
    LOOK_STATE,
    LOOK_REPORT,
    LOOK_NEXT,
    LOOK_HELD,
    LOOK_PAUSED,
    LOOK_PAUSE,
    LOOK_REFUSED,
    LOOK_FIELDS
};

/* What Redis has was written by whoever submitted the job. */
static json_t *read_json(const redisReply *reply, size_t i)
{
    const char *text = queue_reply_str(reply, i);

    return text ? json_loadb(text, reply->element[i]->len, 0, NULL) : NULL;
}

static bool is_set(const redisReply *reply, size_t i)
{
    const char *text = queue_reply_str(reply, i);

    return text && *text;
}

static void add_fields(json_t *look, const redisReply *reply)
{
    static const char *const texts[] = {"error", "notes"};

    for (size_t i = LOOK_FIELDS; i + 1 < reply->elements; i += 2) {
        const char *name = queue_reply_str(reply, i);
        bool is_text = false;

        for (size_t k = 0; k < ARRAY_LEN(texts); k++)
            is_text = is_text || strcmp(name, texts[k]) == 0;
        if (is_text && !is_set(reply, i + 1))
            continue;
        json_object_set_new(look, strcmp(name, "rev") ? name : "revision",
                            is_text ? json_of_text(reply, i + 1)
                                    : json_of_number(reply, i + 1));
    }
}

static json_t *read_look(const redisReply *reply, json_t *report)
{
    json_t *look = json_object();
    const char *state = queue_reply_num(reply, LOOK_HELD) ? "posting"
                        : is_set(reply, LOOK_NEXT)        ? "waiting"
                        : is_set(reply, LOOK_REFUSED)     ? "refused"
                                                          : "told";

    json_object_set_new(look, "now_ms", json_of_number(reply, LOOK_NOW));
    json_object_set_new(look, "report", report);
    add_fields(look, reply);
    /* Of a job that came before reports were told, or whose time is over. */
    if (!json_object_get(look, "told") && strcmp(state, "told") == 0)
        state = "never";
    json_object_set_new(look, "state", json_string(state));
    if (is_set(reply, LOOK_NEXT))
        json_object_set_new(look, "next_at_ms",
                            json_of_number(reply, LOOK_NEXT));
    if (is_set(reply, LOOK_REFUSED))
        json_object_set_new(look, "refused_at_ms",
                            json_of_number(reply, LOOK_REFUSED));
    if (queue_reply_num(reply, LOOK_PAUSED)) {
        json_object_set_new(look, "paused_ms",
                            json_of_number(reply, LOOK_PAUSED));
        json_object_set_new(look, "pause", json_of_text(reply, LOOK_PAUSE));
    }
    return look;
}

int queue_report_look(struct queue *queue, const char *id, json_t **out_look,
                      struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;
    json_t *report;
    bool known;

    if (queue_check_id(id, err) < 0)
        return -1;
    queue_args_str(&args, id);
    if (queue_run(queue, SCRIPT_REPORT_LOOK, &args, &reply, err) < 0)
        return err_wrap(err, "cannot read the report of job %s", id);
    known = is_set(reply, LOOK_STATE);
    report = read_json(reply, LOOK_REPORT);
    if (known)
        *out_look = report ? read_look(reply, report) : NULL;
    else
        json_decref(report);
    freeReplyObject(reply);
    return known ? 0 : err_set(err, ERR_USER, "there is no job '%s'", id);
}

int queue_report_again(struct queue *queue, const char *id, struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;
    bool none, silent;

    if (queue_check_id(id, err) < 0)
        return -1;
    queue_args_str(&args, id);
    if (queue_run(queue, SCRIPT_REPORT_AGAIN, &args, &reply, err) < 0)
        return err_wrap(err, "cannot report job %s again", id);
    none = reply->type == REDIS_REPLY_STRING && !strcmp(reply->str, "none");
    silent = reply->type == REDIS_REPLY_STRING && !strcmp(reply->str, "silent");
    freeReplyObject(reply);
    if (none)
        return err_set(err, ERR_USER, "there is no job '%s'", id);
    if (silent)
        return err_set(err, ERR_USER, "job %s is reported to nobody", id);
    return 0;
}

int queue_unreported(struct queue *queue, unsigned limit, json_t **out_rows,
                     struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;

    queue_args_num(&args,
                   limit && limit < QUEUE_MAX_ROWS ? limit : QUEUE_MAX_ROWS);
    if (queue_run(queue, SCRIPT_UNREPORTED, &args, &reply, err) < 0)
        return err_wrap(err, "cannot list what was not reported");
    *out_rows = json_array();
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *row = reply->element[i];
        json_t *report = read_json(row, 2);

        json_array_append_new(
            *out_rows,
            json_pack(
                "{s:o, s:o, s:o, s:o, s:o, s:o}", "id", json_of_text(row, 0),
                "refused_at_ms", json_of_number(row, 1), "report",
                report ? report : json_null(), "pipeline", json_of_text(row, 3),
                "state", json_of_text(row, 4), "error", json_of_text(row, 5)));
    }
    freeReplyObject(reply);
    return 0;
}
