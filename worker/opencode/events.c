/* worker/opencode/events.c - what `opencode run --format json` tells. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/events.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

void events_init(struct events *e)
{
    *e = (struct events){.text = STRBUF_MAX(EVENTS_MAX_TEXT),
                         .line = STRBUF_MAX(EVENTS_MAX_LINE)};
}

void events_clear(struct events *e)
{
    strbuf_clear(&e->text);
    strbuf_clear(&e->line);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* What it took the relay counts. */
static void on_step_finish(struct events *e, const json_t *part)
{
    const char *reason = text_of(part, "reason");

    (void)snprintf(e->reason, sizeof(e->reason), "%s", reason ? reason : "");
}

static void on_error(struct events *e, const json_t *error)
{
    const json_t *data = json_object_get(error, "data");
    const char *name = text_of(error, "name");
    const char *message = text_of(data, "message");

    if (e->error.kind == ERR_NONE)
        (void)err_set(&e->error, ERR_USER, "%.60s: %.300s",
                      name ? name : "error", message ? message : "no message");
}

static void take_line(struct events *e)
{
    json_t *event = json_loadb(e->line.data, e->line.len, 0, NULL);
    const json_t *part = json_object_get(event, "part");
    const char *type = text_of(event, "type");

    if (!type) {
        json_decref(event);
        return;
    }
    if (!strcmp(type, "step_start")) {
        /* What it said before it used its tools is no answer. */
        strbuf_cut(&e->text, 0);
        e->reason[0] = '\0';
    } else if (!strcmp(type, "text")) {
        strbuf_adds(&e->text,
                    text_of(part, "text") ? text_of(part, "text") : "");
    } else if (!strcmp(type, "step_finish")) {
        on_step_finish(e, part);
    } else if (!strcmp(type, "error")) {
        on_error(e, json_object_get(event, "error"));
    }
    json_decref(event);
}

int events_feed(struct events *e, const void *data, size_t len, struct err *err)
{
    const char *at = data;

    e->bytes += len;
    while (len) {
        const char *lf = memchr(at, '\n', len);
        size_t n = lf ? (size_t)(lf - at) : len;

        strbuf_add(&e->line, at, n);
        if (lf) {
            if (!e->line.truncated)
                take_line(e);
            strbuf_cut(&e->line, 0);
            e->line.truncated = false;
            n++;
        }
        at += n;
        len -= n;
    }
    if (e->text.truncated || e->bytes > EVENTS_MAX_BYTES)
        return err_set(err, ERR_USER,
                       "the model's answer has more than %zu "
                       "bytes, or repeats itself",
                       EVENTS_MAX_TEXT);
    return 0;
}

int events_check(const struct events *e, int exit_code, struct err *err)
{
    if (e->error.kind != ERR_NONE)
        return err_set(err, ERR_USER, "%s", e->error.msg);
    if (exit_code != 0)
        return err_set(err, ERR_USER, "opencode ended with exit code %d",
                       exit_code);
    if (!strcmp(e->reason, "length"))
        return err_set(err, ERR_USER,
                       "the model's answer was cut off at its "
                       "limit of output");
    if (strcmp(e->reason, "stop") != 0)
        return err_set(err, ERR_USER, "the model did not finish: %s",
                       *e->reason ? e->reason : "it said nothing");
    if (!e->text.len)
        return err_set(err, ERR_USER, "the model's answer is empty");
    return 0;
}
