/* pipelines/job.c - what somebody asks the queue to do: a job document. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/job.h"

#include "base/calendar.h"
#include "base/clock.h"
#include "base/units.h"
#include "pipelines/diag.h"
#include "pipelines/job_load.h"

#include <stdlib.h>
#include <string.h>

static const char *const priorities[] = {
    [JOB_URGENT] = "urgent",
    [JOB_HIGH] = "high",
    [JOB_NORMAL] = "normal",
    [JOB_LOW] = "low",
    NULL,
};

const char *job_priority_name(enum job_priority priority)
{
    return priorities[priority];
}

static void request_clear(struct job_request *r)
{
    free(r->id);
    free(r->pipeline_name);
    document_free(r->document);
    free(r->repo);
    free(r->commit);
    free(r->ref);
    free(r->branch);
    free(r->base);
    free(r->change);
    free(r->title);
    free(r->description);
    json_decref(r->previous);
    env_list_clear(&r->inputs);
    env_list_clear(&r->env);
    free(r->dedupe_key);
    free(r->concurrency.group);
    strv_clear(&r->labels);
    json_decref(r->report);
}

void job_batch_free(struct job_batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->count; i++)
        request_clear(&batch->items[i]);
    free(batch->items);
    free(batch);
}

char *job_pipeline_path(const char *name)
{
    const char *dot = strrchr(name, '.');

    if (dot && (!strcmp(dot, ".yml") || !strcmp(dot, ".yaml")))
        return xstrdup(name);
    return xasprintf(".berth/%s.yml", name);
}

int64_t job_moment_at(const struct job_moment *moment, int64_t now_ms)
{
    if (moment->kind == JOB_NO_MOMENT)
        return 0;
    return moment->ms + (moment->kind == JOB_AFTER ? now_ms : 0);
}

/* ---- keys ------------------------------------------------------------------
 */

static void load_priority(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    struct job_request *r = target;
    size_t i;

    if (load_word(l, value, priorities, &i))
        r->priority = (enum job_priority)i;
}

static void load_trust(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    static const char *const words[] = {"member", "fork", NULL};
    size_t i;

    if (load_word(l, value, words, &i))
        ((struct job_request *)target)->fork = i == 1;
}

static void load_request_concurrency(struct loader *l,
                                     const struct yaml_node *value,
                                     void *target)
{
    load_concurrency(l, value, &((struct job_request *)target)->concurrency);
}

static void load_request_labels(struct loader *l, const struct yaml_node *value,
                                void *target)
{
    load_labels(l, value, &((struct job_request *)target)->labels);
}

static void load_moment(struct loader *l, const struct yaml_node *value,
                        struct job_moment *out)
{
    struct err err = {0};
    int64_t ms;
    bool at;

    if (!load_is_string(l, value, LOAD_MAX_NAME))
        return;
    at = strchr(value->text, '-') != NULL;
    if ((at ? stamp_parse(value->text, &ms, &err)
            : duration_parse(value->text, &ms, &err)) < 0)
        load_fail(l, value, NULL, "'%.60s': %s", value->text, err.msg);
    else if (!at && ms > JOB_MAX_WAIT_MS)
        load_fail(l, value, NULL, "longer than 365 days");
    else
        *out = (struct job_moment){at ? JOB_AT : JOB_AFTER, ms};
}

static void load_retry(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    int retries;

    if (load_whole(l, value, 0, JOB_MAX_RETRIES, &retries))
        ((struct job_request *)target)->retries = (unsigned)retries;
}

static void load_not_before(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    load_moment(l, value, &((struct job_request *)target)->not_before);
}

static void load_deadline(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    load_moment(l, value, &((struct job_request *)target)->deadline);
}

static const struct key_rule request_keys[] = {
    {"id", job_load_id, false, 0},
    {"kind", job_load_kind, false, 0},
    {"pipeline", job_load_pipeline, false, 0},
    {"repo", job_load_repo, false, 0},
    {"commit", job_load_commit, false, 0},
    {"ref", job_load_ref, false, 0},
    {"branch", job_load_branch, false, 0},
    {"base", job_load_base, false, 0},
    {"change", job_load_change, false, 0},
    {"title", job_load_title, false, 0},
    {"description", job_load_description, false, 0},
    {"previous", job_load_previous, false, 0},
    {"trust", load_trust, false, 0},
    {"inputs", job_load_inputs, false, 0},
    {"env", job_load_env, false, 0},
    {"priority", load_priority, false, 0},
    {"dedupe", job_load_dedupe, false, 0},
    {"concurrency", load_request_concurrency, false, 0},
    {"not_before", load_not_before, false, 0},
    {"deadline", load_deadline, false, 0},
    {"labels", load_request_labels, false, 0},
    {"retry", load_retry, false, 0},
    {"report", job_load_report, false, 0},
};

static const struct foreign_word request_foreign[] = {
    {"steps", "write pipeline: {steps: […]}"},
    {"jobs", "write pipeline: {jobs: …}, or a list of job documents"},
    {"matrix", "write pipeline: {matrix: …, steps: […]}"},
    {"sandbox", "it belongs to the pipeline"},
    {"timeout", "it belongs to the pipeline"},
    {"name", "it belongs to the pipeline; a job has an id"},
    {"group", "write concurrency: GROUP"},
    {"delay", "write not_before: 10m"},
    {"run_at", "write not_before"},
    {"expires", "write deadline"},
    {"sha", "write commit"},
    {"url", "write repo"},
    {"repository", "write repo"},
    {"pr", "write change"},
    {"pull_request", "write change"},
    {"tags", "write labels"},
    {"runs-on", "write labels"},
    {"retries", "write retry"},
    {"parameters", "write inputs"},
    {"variables", "write env, or inputs"},
};

static const struct map_rules request_rules = {
    "a job document",           request_keys,
    ARRAY_LEN(request_keys),    request_foreign,
    ARRAY_LEN(request_foreign),
};

/* ---- a request -------------------------------------------------------------
 */

static void check_source(struct loader *l, const struct yaml_node *node)
{
    const struct yaml_node *kind = yaml_node_get(node, "kind");
    const struct yaml_node *pipeline = yaml_node_get(node, "pipeline");

    if (!kind && !pipeline)
        load_fail(l, node, NULL, "a job document needs `kind` or `pipeline`");
    if (kind && pipeline)
        load_fail(l, kind, NULL, "`kind` and `pipeline` exclude each other");
}

static void check_repo(struct loader *l, const struct yaml_node *node,
                       const struct job_request *r)
{
    static const char *const of_repo[] = {"commit", "ref", "branch", "base",
                                          "change"};

    if (yaml_node_get(node, "repo"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(of_repo); i++)
        if (yaml_node_get(node, of_repo[i]))
            load_fail(l, yaml_node_get(node, of_repo[i]), NULL,
                      "'%s' says nothing without `repo`", of_repo[i]);
    if (r->document && document_needs_repo(r->document))
        load_fail(l, node, NULL,
                  "the pipeline checks out, but there is no `repo`");
}

static void check_moments(struct loader *l, const struct yaml_node *node,
                          const struct job_request *r)
{
    if (r->deadline.kind && r->deadline.kind == r->not_before.kind &&
        r->deadline.ms <= r->not_before.ms)
        load_fail(l, yaml_node_get(node, "deadline"), NULL,
                  "the deadline is not after `not_before`");
}

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Where hosts keep what anybody may have pushed: not a branch, not a tag. */
static bool is_of_a_change(const char *ref)
{
    if (starts_with(ref, "refs/"))
        return !starts_with(ref, "refs/heads/") &&
               !starts_with(ref, "refs/tags/");
    return starts_with(ref, "pull/") || starts_with(ref, "pull-requests/") ||
           starts_with(ref, "merge-requests/") || starts_with(ref, "changes/");
}

static void load_request(struct loader *l, const struct yaml_node *node,
                         struct job_request *r)
{
    r->priority = JOB_NORMAL;
    if (node->kind == NODE_MAP)
        check_source(l, node);
    load_map(l, node, &request_rules, 0, r);
    if (!yaml_node_get(node, "trust"))
        r->fork = r->change || (r->ref && is_of_a_change(r->ref));
    check_repo(l, node, r);
    check_moments(l, node, r);
}

struct job_batch *job_load_one(struct loader *l, const struct yaml_node *node)
{
    struct job_batch *batch = xcalloc(1, sizeof(*batch));

    batch->count = 1;
    batch->items = xcalloc(1, sizeof(*batch->items));
    load_request(l, node, batch->items);
    return batch;
}

static void check_ids(struct loader *l, const struct yaml_node *list,
                      const struct job_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        for (size_t k = 0; batch->items[i].id && k < i; k++)
            if (batch->items[k].id &&
                !strcmp(batch->items[k].id, batch->items[i].id)) {
                load_fail(l, yaml_node_get(list->items[i], "id"), NULL,
                          "the id '%s' is there twice", batch->items[i].id);
                break;
            }
}

static void load_batch(struct loader *l, const struct yaml_node *root,
                       struct job_batch *batch)
{
    batch->is_list = root->kind == NODE_LIST;
    if (root->kind == NODE_NULL) {
        load_fail(l, root, NULL, "the document is empty");
        return;
    }
    if (batch->is_list && (!root->count || root->count > JOB_MAX_BATCH)) {
        load_fail(l, root, NULL, "a batch has 1 to %d jobs, not %zu",
                  JOB_MAX_BATCH, root->count);
        return;
    }
    batch->count = batch->is_list ? root->count : 1;
    batch->items = xcalloc(batch->count, sizeof(*batch->items));
    for (size_t i = 0; i < batch->count; i++)
        load_request(l, batch->is_list ? root->items[i] : root,
                     &batch->items[i]);
    if (batch->is_list)
        check_ids(l, root, batch);
}

static void add_diag(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    diag_list_add(arg, pos.line, pos.column, hint, "%s", message);
}

static void add_warning(void *arg, struct yaml_pos pos, const char *message,
                        const char *hint)
{
    (void)hint;
    diag_list_warn(arg, pos.line, pos.column, message);
}

int job_load(const char *file, const char *text, size_t len,
             struct diag_list *diags, struct job_batch **out_batch)
{
    CLEANUP(job_batch) struct job_batch *batch = NULL;
    CLEANUP(yaml_tree) struct yaml_tree *tree = NULL;
    struct loader l = {
        .on_error = add_diag, .on_warning = add_warning, .arg = diags};

    diag_list_set_source(diags, file, text, len);
    tree = yaml_tree_parse(text, len, add_diag, diags);
    if (!tree)
        return -1;
    batch = xcalloc(1, sizeof(*batch));
    l.tree = tree;
    load_batch(&l, yaml_tree_root(tree), batch);
    if (l.failed || !yaml_tree_is_sound(tree))
        return -1;
    *out_batch = STEAL(batch);
    return 0;
}

/* ---- normalised ------------------------------------------------------------
 */

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static void set_values(json_t *object, const char *key,
                       const struct env_list *list)
{
    json_t *values;

    if (!list->count)
        return;
    values = json_object();
    for (size_t i = 0; i < list->count; i++)
        set_text(values, list->items[i].name, list->items[i].value);
    json_object_set_new(object, key, values);
}

static void set_moment(json_t *object, const char *key,
                       const struct job_moment *moment)
{
    char stamp[CLOCK_STAMP_SIZE], delay[DURATION_TEXT_SIZE];

    if (moment->kind == JOB_AT)
        set_text(object, key, clock_stamp(moment->ms, stamp));
    else if (moment->kind == JOB_AFTER)
        set_text(object, key, duration_format(moment->ms, delay));
}

static void set_queueing(json_t *object, const struct job_request *r)
{
    char ttl[DURATION_TEXT_SIZE];
    json_t *labels;

    set_text(object, "priority", job_priority_name(r->priority));
    if (r->dedupe_key)
        json_object_set_new(object, "dedupe",
                            json_pack("{s:s, s:s}", "key", r->dedupe_key, "ttl",
                                      duration_format(r->dedupe_ms, ttl)));
    if (r->concurrency.group)
        json_object_set_new(object, "concurrency",
                            concurrency_to_json(&r->concurrency));
    set_moment(object, "not_before", &r->not_before);
    set_moment(object, "deadline", &r->deadline);
    if (r->retries)
        json_object_set_new(object, "retry", json_integer(r->retries));
    if (!r->labels.count)
        return;
    labels = json_array();
    for (size_t i = 0; i < r->labels.count; i++)
        json_array_append_new(labels, json_string(r->labels.items[i]));
    json_object_set_new(object, "labels", labels);
}

json_t *job_to_json(const struct job_request *r)
{
    json_t *object = json_object();

    set_text(object, "id", r->id);
    if (r->document)
        json_object_set_new(object, "pipeline", document_to_json(r->document));
    else
        set_text(object, r->source == JOB_KIND ? "kind" : "pipeline",
                 r->pipeline_name);
    set_text(object, "repo", r->repo);
    set_text(object, "commit", r->commit);
    set_text(object, "ref", r->ref);
    set_text(object, "branch", r->branch);
    set_text(object, "base", r->base);
    set_text(object, "change", r->change);
    set_text(object, "title", r->title);
    set_text(object, "description", r->description);
    if (r->previous)
        json_object_set_new(object, "previous", json_deep_copy(r->previous));
    set_text(object, "trust", r->fork ? "fork" : "member");
    set_values(object, "inputs", &r->inputs);
    set_values(object, "env", &r->env);
    set_queueing(object, r);
    if (r->report)
        json_object_set_new(object, "report", json_deep_copy(r->report));
    return object;
}
