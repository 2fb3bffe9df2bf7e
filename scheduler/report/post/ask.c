/* scheduler/report/post/ask.c - what the op `report` is asked with. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/post/ask.h"

#include "base/json_texts.h"
#include "pipelines/findings/mark.h"

#include <string.h>

#define MAX_COUNT 1000 /* comments or rows */

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool flag_of(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static size_t count_of(const json_t *object, const char *key)
{
    int64_t count = number_of(object, key);

    return count < 0 ? 0 : count > MAX_COUNT ? MAX_COUNT : (size_t)count;
}

static const char *const states[] = {
    [CHECK_QUEUED] = "queued",       [CHECK_RUNNING] = "running",
    [CHECK_PASSED] = "passed",       [CHECK_FAILED] = "failed",
    [CHECK_CANCELLED] = "cancelled", [CHECK_SKIPPED] = "skipped"};

/* A job that took too long failed, which hosts have a word for. */
static int find_state(const char *word, const char *reason)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (strcmp(states[i], word) == 0)
            return i == CHECK_FAILED && strcmp(reason, "timed_out") == 0
                       ? CHECK_TIMED_OUT
                       : (int)i;
    return -1;
}

/* It becomes a part of paths. */
static bool is_commit(const char *text)
{
    size_t len = strspn(text, "0123456789abcdef");

    return !text[len] && (len == 40 || len == 64);
}

static int read_check(const json_t *check, struct report_ask *out,
                      struct err *err)
{
    int state;

    out->reason = json_text_at(check, "reason");
    out->message = json_text_at(check, "message");
    out->attempt = number_of(check, "attempt");
    state = find_state(json_text_at(check, "state"), out->reason);
    if (state < 0)
        return err_set(err, ERR_BUG, "a report on a check of no known state");
    out->check = (struct forge_check){
        .name = json_text_at(check, "name"),
        .external_id = json_text_at(check, "external_id"),
        .state = (enum check_state)state,
        .title = "",
        .summary = "",
        .url = json_text_at(check, "url"),
        .started_at_ms = number_of(check, "started_at_ms"),
        .ended_at_ms = number_of(check, "ended_at_ms"),
        .offer_approve = flag_of(check, "fork"),
    };
    if (!*out->check.name)
        return err_set(err, ERR_BUG, "a report on a check without a name");
    return 0;
}

int report_ask_read(const json_t *document, struct report_ask *out,
                    struct err *err)
{
    const json_t *findings = json_object_get(document, "findings");
    struct report_ask ask = {
        .target = {.repo = json_text_at(document, "repo"),
                   .installation = number_of(document, "installation"),
                   .change = number_of(document, "change"),
                   .commit = json_text_at(document, "commit"),
                   .ref = json_text_at(document, "ref")},
        .latest = flag_of(document, "latest"),
        .key = json_text_at(document, "key"),
        .title = json_text_at(document, "title"),
        .note = json_text_at(document, "note"),
        .findings = json_is_object(findings) ? findings : NULL,
        .partial = flag_of(document, "partial"),
        .posted = json_object_get(document, "posted"),
        .max_comments = count_of(document, "max_comments"),
        .max_rows = count_of(document, "max_rows"),
        .request_changes = flag_of(document, "request_changes"),
    };

    if (!*ask.target.repo || !is_commit(ask.target.commit) ||
        ask.target.change < 0)
        return err_set(err, ERR_BUG, "a report without repository or commit");
    /* A mark of half a key would not be found again. */
    if (ask.target.change &&
        (!*ask.key || !*ask.title || strlen(ask.key) > MARK_MAX_VALUE))
        return err_set(err, ERR_BUG, "a report on a change without its key");
    if (read_check(json_object_get(document, "check"), &ask, err) < 0)
        return -1;
    *out = ask;
    return 0;
}
