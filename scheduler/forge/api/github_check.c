/* scheduler/forge/api/github_check.c - check runs, or statuses without App. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/json_texts.h"
#include "pipelines/findings/findings.h"
#include "scheduler/forge/api/write.h"

#include <stdio.h>
#include <string.h>

#define MAX_TEXT  65535 /* characters of a summary */
#define MAX_TITLE 255
#define BATCH     50 /* annotations of one request */
#define MAX_PAGES 10 /* of runs of one name and commit */

/* ---- which run ----------------------------------------------------------- */

/* Of another App's run we know no more than that it is not ours to change. */
static bool is_ours(const json_t *run, const struct forge_check *check,
                    const char *login)
{
    const char *slug = json_text_at(json_object_get(run, "app"), "slug");
    size_t len = strlen(slug);

    if (strcmp(json_text_at(run, "external_id"), check->external_id) != 0 ||
        strcmp(json_text_at(run, "name"), check->name) != 0)
        return false;
    return !len || (strncmp(login, slug, len) == 0 &&
                    strcmp(login + len, "[bot]") == 0);
}

/* `*out` is the caller's; NULL: there is none. */
static int run_find(struct api *api, const struct forge_target *target,
                    const struct forge_check *check, json_t **out,
                    struct err *err)
{
    CLEANUP(mem) char *name = api_encode(check->name);
    const char *login;

    if (api_self(api, &login, err) < 0)
        return -1;
    for (unsigned page = 1; page <= MAX_PAGES; page++) {
        CLEANUP(mem)
        char *path =
            write_path(api, target,
                       "/commits/%s/check-runs?check_name=%s&filter=all"
                       "&per_page=100&page=%u",
                       target->commit, name, page);
        json_t *answer = NULL, *runs, *run;
        size_t i;

        if (api_get(api, path, &answer, err) < 0)
            return -1;
        runs = json_object_get(answer, "check_runs");
        json_array_foreach(runs, i, run)
        {
            if (is_ours(run, check, login)) {
                *out = json_incref(run);
                break;
            }
        }
        i = json_array_size(runs);
        json_decref(answer);
        if (*out || i < 100)
            break;
    }
    return 0;
}

/* ---- what it says -------------------------------------------------------- */

static const char *run_status(enum check_state state)
{
    return state == CHECK_QUEUED    ? "queued"
           : state == CHECK_RUNNING ? "in_progress"
                                    : "completed";
}

static const char *run_conclusion(enum check_state state)
{
    static const char *const words[] = {[CHECK_PASSED] = "success",
                                        [CHECK_FAILED] = "failure",
                                        [CHECK_CANCELLED] = "cancelled",
                                        [CHECK_SKIPPED] = "skipped",
                                        [CHECK_TIMED_OUT] = "timed_out"};

    return check_rank(state) == 2 ? words[state] : "";
}

static int status_rank(const char *status)
{
    return strcmp(status, "completed") == 0     ? 2
           : strcmp(status, "in_progress") == 0 ? 1
                                                : 0;
}

static void set_stamp(json_t *body, const char *key, int64_t at_ms)
{
    char stamp[CLOCK_STAMP_SIZE];

    if (at_ms <= 0)
        return;
    clock_stamp(at_ms, stamp);
    /* Without the fraction, which GitHub does not document. */
    json_object_set_new(body, key, json_sprintf("%.19sZ", stamp));
}

static void add_action(json_t *actions, const char *identifier,
                       const char *label, const char *description)
{
    json_array_append_new(actions, json_pack("{s:s, s:s, s:s}", "identifier",
                                             identifier, "label", label,
                                             "description", description));
}

static json_t *run_actions(const struct forge_check *check)
{
    json_t *actions = json_array();

    if (check_rank(check->state) == 2)
        add_action(actions, "rerun", "Run again",
                   "Put this job into the queue again");
    if (check->offer_approve)
        add_action(actions, "approve", "Approve commit",
                   "Let the fork's commit run");
    return actions;
}

/* `annotations` is taken over. */
static json_t *run_output(const struct forge_check *check, json_t *annotations)
{
    CLEANUP(mem) char *title = write_cut(check->title, MAX_TITLE);
    CLEANUP(mem) char *summary = write_cut(check->summary, MAX_TEXT);
    json_t *output = json_pack("{s:s, s:s}", "title", *title ? title : "berth",
                               "summary", summary);

    if (json_array_size(annotations))
        json_object_set(output, "annotations", annotations);
    json_decref(annotations);
    return output;
}

static json_t *run_body(const struct forge_target *target,
                        const struct forge_check *check, json_t *annotations)
{
    json_t *body = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o}", "name", check->name, "head_sha",
        target->commit, "external_id", check->external_id, "status",
        run_status(check->state), "output", run_output(check, annotations),
        "actions", run_actions(check));

    if (*check->url)
        json_object_set_new(body, "details_url", json_string(check->url));
    set_stamp(body, "started_at", check->started_at_ms);
    if (check_rank(check->state) == 2) {
        json_object_set_new(body, "conclusion",
                            json_string(run_conclusion(check->state)));
        set_stamp(body, "completed_at", check->ended_at_ms);
    }
    return body;
}

/* ---- annotations --------------------------------------------------------- */

static json_t *annotation(const struct check_annotation *from)
{
    static const char *const levels[] = {[FINDING_INFO] = "notice",
                                         [FINDING_WARNING] = "warning",
                                         [FINDING_ERROR] = "failure"};
    uint32_t line = from->line ? from->line : 1;
    uint32_t end = from->end_line > line ? from->end_line : line;
    CLEANUP(mem) char *title = write_cut(from->title, MAX_TITLE);
    json_t *made = json_pack("{s:s, s:I, s:I, s:s, s:s}", "path", from->path,
                             "start_line", (json_int_t)line, "end_line",
                             (json_int_t)end, "annotation_level",
                             levels[from->severity], "message", from->message);

    if (*title)
        json_object_set_new(made, "title", json_string(title));
    if (line == end && from->column) {
        uint32_t last =
            from->end_column > from->column ? from->end_column : from->column;

        json_object_set_new(made, "start_column", json_integer(from->column));
        json_object_set_new(made, "end_column", json_integer(last));
    }
    return made;
}

static bool same_annotation(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"path", "annotation_level", "message"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strcmp(json_text_at(a, keys[i]), json_text_at(b, keys[i])) != 0)
            return false;
    return json_equal(json_object_get(a, "start_line"),
                      json_object_get(b, "start_line"));
}

/* Take one that is there off the list of those that are wanted. */
static void take_off(json_t *wanted, const json_t *there)
{
    const json_t *item;
    size_t i;

    json_array_foreach(wanted, i, item)
    {
        if (same_annotation(item, there)) {
            json_array_remove(wanted, i);
            return;
        }
    }
}

/*
 * Changing a run adds annotations to those that it has: so those that an
 * earlier request brought there are left out.
 */
static int missing(struct api *api, const struct forge_target *target,
                   const struct forge_check *check, const json_t *run,
                   json_t **out, struct err *err)
{
    json_t *wanted = json_array(), *there = NULL, *item;
    const json_t *output = json_object_get(run, "output");
    CLEANUP(mem) char *id = write_id(run, "id");
    CLEANUP(mem)
    char *path =
        write_path(api, target, "/check-runs/%s/annotations?per_page=100", id);
    size_t i;

    for (i = 0; i < check->annotation_count; i++)
        json_array_append_new(wanted, annotation(&check->annotations[i]));
    *out = wanted;
    if (!json_array_size(wanted) ||
        json_integer_value(json_object_get(output, "annotations_count")) <= 0)
        return 0;
    if (api_list(api, path, &there, NULL, err) < 0) {
        json_decref(wanted);
        *out = NULL;
        return -1;
    }
    json_array_foreach(there, i, item) take_off(wanted, item);
    json_decref(there);
    return 0;
}

/* The first BATCH of the list, which it then has no more. New. */
static json_t *take_batch(json_t *list)
{
    json_t *batch = json_array();

    while (json_array_size(list) && json_array_size(batch) < BATCH) {
        json_array_append(batch, json_array_get(list, 0));
        json_array_remove(list, 0);
    }
    return batch;
}

/* ---- writing ------------------------------------------------------------- */

static bool run_stands(const json_t *run, const struct forge_check *check)
{
    const json_t *output = json_object_get(run, "output");
    CLEANUP(mem) char *title = write_cut(check->title, MAX_TITLE);
    CLEANUP(mem) char *summary = write_cut(check->summary, MAX_TEXT);

    return strcmp(json_text_at(run, "status"), run_status(check->state)) == 0 &&
           strcmp(json_text_at(run, "conclusion"),
                  run_conclusion(check->state)) == 0 &&
           (!*check->url ||
            strcmp(json_text_at(run, "details_url"), check->url) == 0) &&
           write_same(json_text_at(output, "title"), title) &&
           write_same(json_text_at(output, "summary"), summary);
}

/* The batches that the run's first request had no room for. */
static int send_rest(struct api *api, const char *path,
                     const struct forge_check *check, json_t *rest,
                     struct err *err)
{
    while (json_array_size(rest)) {
        json_t *body =
            json_pack("{s:o}", "output", run_output(check, take_batch(rest)));

        if (write_send(api, "PATCH", path, body, NULL, err) < 0)
            return -1;
    }
    return 0;
}

static int run_create(struct api *api, const struct forge_target *target,
                      const struct forge_check *check, json_t *rest,
                      struct err *err)
{
    CLEANUP(mem) char *path = write_path(api, target, "/check-runs");
    CLEANUP(mem) char *id = NULL;
    CLEANUP(mem) char *one = NULL;
    json_t *made = NULL;

    if (write_send(api, "POST", path, run_body(target, check, take_batch(rest)),
                   &made, err) < 0)
        return -1;
    id = write_id(made, "id");
    json_decref(made);
    one = write_path(api, target, "/check-runs/%s", id);
    return send_rest(api, one, check, rest, err);
}

static int run_change(struct api *api, const struct forge_target *target,
                      const struct forge_check *check, const json_t *run,
                      json_t *rest, struct err *err)
{
    CLEANUP(mem) char *id = write_id(run, "id");
    CLEANUP(mem) char *path = write_path(api, target, "/check-runs/%s", id);
    json_t *body;

    if (!run_stands(run, check)) {
        body = run_body(target, check, take_batch(rest));
        json_object_del(body, "head_sha");
        if (write_send(api, "PATCH", path, body, NULL, err) < 0)
            return -1;
    }
    return send_rest(api, path, check, rest, err);
}

static int run_put(struct api *api, const struct forge_target *target,
                   const struct forge_check *check, struct err *err)
{
    json_t *run = NULL, *rest = NULL;
    int rc = run_find(api, target, check, &run, err);

    if (rc == 0 && run &&
        status_rank(json_text_at(run, "status")) > check_rank(check->state)) {
        json_decref(run);
        return 0;
    }
    if (rc == 0)
        rc = missing(api, target, check, run, &rest, err);
    if (rc == 0)
        rc = run ? run_change(api, target, check, run, rest, err)
                 : run_create(api, target, check, rest, err);
    json_decref(run);
    json_decref(rest);
    return rc;
}

int github_check(struct api *api, const struct forge_target *target,
                 const struct forge_check *check, struct err *err)
{
    CLEANUP(mem) char *list = NULL;
    CLEANUP(mem) char *post = NULL;

    if (api_is_app(api))
        return run_put(api, target, check, err);
    list = write_path(api, target, "/commits/%s/statuses?per_page=100",
                      target->commit);
    post = write_path(api, target, "/statuses/%s", target->commit);
    return status_put(api, check, list, post, forge_github.max_description,
                      err);
}
