/* scheduler/report/question.c - what a Git host is told of a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/question.h"

#include "base/json_texts.h"
#include "base/strbuf.h"
#include "pipelines/review/outcome.h"
#include "scheduler/queue/inspect.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAME 200

/* A number, or a text of digits; 0 for none. */
static json_int_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (json_is_integer(value))
        return json_integer_value(value);
    return strtoll(json_text_at(object, key), NULL, 10);
}

bool report_has_result(const struct queue_report *report)
{
    const json_t *epoch =
        json_object_get(json_object_get(report->result, "job"), "epoch");

    return report->result && queue_has_ended(report->state) &&
           (!epoch || (uint64_t)json_integer_value(epoch) == report->epoch);
}

static const char *state_of(const struct queue_report *report)
{
    bool waits = !queue_has_ended(report->state) &&
                 strcmp(report->state, "running") != 0;

    return waits ? "queued" : report->state;
}

static const char *name_of(const struct queue_report *report)
{
    return *report->pipeline ? report->pipeline : "berth";
}

static json_t *check_of(const struct queue_report *report,
                        const struct report_style *style)
{
    const char *name = json_text_at(report->report, "name");
    CLEANUP(mem) char *own = xasprintf("berth / %.180s", name_of(report));
    CLEANUP(mem) char *url = xstrdup("");
    bool ended = queue_has_ended(report->state);
    json_t *check = json_object();

    if (style->url && *style->url) {
        free(url);
        url = xasprintf("%s/jobs/%s", style->url, report->id);
    }
    json_object_set_new(check, "name",
                        *name && strlen(name) <= MAX_NAME ? json_string(name)
                                                          : json_string(own));
    json_object_set_new(check, "external_id", json_string(report->id));
    json_object_set_new(check, "state", json_string(state_of(report)));
    json_object_set_new(check, "reason",
                        json_string(ended ? report->reason : ""));
    json_object_set_new(
        check, "message",
        json_string(report_has_result(report)
                        ? json_text_at(report->result, "message")
                        : ""));
    json_object_set_new(check, "attempt",
                        json_integer((json_int_t)report->epoch));
    json_object_set_new(check, "started_at_ms",
                        json_integer(strcmp(state_of(report), "queued") == 0
                                         ? 0
                                         : report->started_at_ms));
    json_object_set_new(check, "ended_at_ms",
                        json_integer(ended ? report->ended_at_ms : 0));
    json_object_set_new(check, "url", json_string(url));
    json_object_set_new(
        check, "fork",
        json_boolean(json_is_true(json_object_get(report->report, "fork"))));
    return check;
}

/* What a review took, once there is one. */
static json_t *note_of(const struct queue_report *report)
{
    CLEANUP(strbuf) struct strbuf note = STRBUF_INIT;

    if (report_has_result(report))
        outcome_note(&note, report->result);
    return json_string(note.len ? note.data : "");
}

int report_question(const struct queue_report *report, json_t *findings,
                    const struct report_style *style, json_t **out_question,
                    struct err *err)
{
    const json_t *where = report->report;
    json_t *question, *check;

    if (!*json_text_at(where, "repo") || !*json_text_at(where, "commit")) {
        json_decref(findings);
        return err_set(err, ERR_USER, "its report names no %s",
                       *json_text_at(where, "repo") ? "commit" : "repo");
    }
    question = json_object();
    check = check_of(report, style);
    json_object_set_new(question, "repo",
                        json_string(json_text_at(where, "repo")));
    json_object_set_new(question, "installation",
                        json_integer(number_of(where, "installation")));
    json_object_set_new(question, "commit",
                        json_string(json_text_at(where, "commit")));
    json_object_set_new(question, "change",
                        json_integer(number_of(where, "change")));
    json_object_set_new(question, "latest", json_boolean(report->latest));
    json_object_set_new(question, "key", json_string(name_of(report)));
    json_object_set(question, "title", json_object_get(check, "name"));
    json_object_set_new(question, "check", check);
    json_object_set_new(question, "findings",
                        findings ? findings : json_null());
    json_object_set_new(question, "note", note_of(report));
    json_object_set(question, "posted", report->posted);
    json_object_set_new(question, "partial",
                        json_boolean(report_has_result(report) &&
                                     outcome_is_partial(report->result)));
    json_object_set_new(question, "max_comments",
                        json_integer(style->max_comments));
    json_object_set_new(question, "max_rows", json_integer(style->max_rows));
    json_object_set_new(question, "request_changes",
                        json_boolean(style->request_changes));
    *out_question = question;
    return 0;
}
