/* pipelines/plan.c - the jobs that come of a document, and in which order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/plan.h"

#include "base/strbuf.h"
#include "base/utf8.h"
#include "pipelines/expr.h"
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_CHARS 200

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->job_count; i++) {
        free(plan->jobs[i].name);
        strv_clear(&plan->jobs[i].labels);
    }
    free(plan->jobs);
    free(plan->groups);
    free(plan->concurrency_group);
    free(plan);
}

/* ---- expressions -----------------------------------------------------------
 */

/* What the expressions of a plan can see; all borrowed. */
struct view {
    const struct plan_facts *facts;
    const struct plan *plan;
    const struct plan_group *group;    /* for needs; or NULL */
    const struct env_list *matrix;     /* or NULL */
    const enum plan_outcome *outcomes; /* of groups; NULL without needs */
};

static const struct {
    const char *context;
    size_t offset;
} plain[] = {
    {"repo", offsetof(struct plan_facts, repo)},
    {"commit", offsetof(struct plan_facts, commit)},
    {"branch", offsetof(struct plan_facts, branch)},
    {"change", offsetof(struct plan_facts, change)},
    {"base", offsetof(struct plan_facts, base)},
    {"trust", offsetof(struct plan_facts, trust)},
};

static const char **fact_of(struct plan_facts *facts, size_t i)
{
    return (const char **)(void *)((char *)facts + plain[i].offset);
}

static const char *need_outcome(const struct view *view, const char *name)
{
    for (size_t i = 0; i < view->group->need_count; i++) {
        size_t need = view->group->needs[i];

        if (!strcmp(view->plan->groups[need].name, name))
            return plan_outcome_name(view->outcomes[need]);
    }
    return NULL;
}

static const char *lookup(void *arg, const char *context, const char *name)
{
    const struct view *view = arg;
    struct plan_facts facts = *view->facts;

    if (!facts.trust)
        facts.trust = "member";
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (!strcmp(context, plain[i].context))
            return *fact_of(&facts, i);
    if (!strcmp(context, "inputs"))
        return json_string_value(json_object_get(facts.inputs, name));
    if (!strcmp(context, "matrix"))
        return view->matrix ? env_list_get(view->matrix, name) : NULL;
    if (!strcmp(context, "needs") && view->outcomes)
        return need_outcome(view, name);
    return NULL;
}

/* ---- what a job is called, and where it may run ----------------------------
 */

/* `test (node: 20, os: a)`, cut where it is too long for anybody. */
static char *job_name(const struct plan *plan, const struct plan_group *group,
                      size_t sibling)
{
    const char *base = group->name ? group->name : plan->document->name;
    const struct matrix *matrix = &group->source->matrix;
    CLEANUP(strbuf) struct strbuf name = STRBUF_INIT;
    const struct env_list *row;
    size_t cut = 0, n;
    uint32_t c;

    strbuf_adds(&name, base);
    if (!matrix->count)
        return strbuf_take(&name);
    row = &matrix->rows[sibling];
    for (size_t i = 0; i < row->count; i++)
        strbuf_addf(&name, "%s%s: %s", i ? ", " : " (", row->items[i].name,
                    row->items[i].value);
    strbuf_addc(&name, ')');
    if (utf8_count(name.data, name.len) <= NAME_MAX_CHARS)
        return strbuf_take(&name);
    for (size_t chars = 0; chars < NAME_MAX_CHARS - 10; chars++, cut += n) {
        n = utf8_decode(name.data + cut, name.len - cut, &c);
        n = n ? n : 1;
    }
    strbuf_cut(&name, cut);
    strbuf_addf(&name, "… #%zu)", sibling + 1);
    return strbuf_take(&name);
}

static int expand_labels(const struct strv *labels,
                         const struct expr_scope *scope, struct strv *out,
                         struct err *err)
{
    for (size_t i = 0; i < labels->count; i++) {
        CLEANUP(mem) char *label = NULL;
        bool twice = false;

        if (template_expand(labels->items[i], scope, &label, err) < 0)
            return err_wrap(err, "labels");
        if (!label_ok(label))
            return err_set(err, ERR_USER,
                           "'%.100s', of the label '%.100s', is not a label",
                           label, labels->items[i]);
        for (size_t k = 0; k < out->count; k++)
            twice |= !strcmp(out->items[k], label);
        if (!twice)
            strv_add(out, label);
    }
    return 0;
}

/* Nothing that a key could not hold; empty is no group. */
static int expand_group(struct plan *plan, const struct expr_scope *scope,
                        struct err *err)
{
    const char *text = plan->document->concurrency.group;
    CLEANUP(mem) char *group = NULL;
    size_t len, n;
    uint32_t c;

    if (!text)
        return 0;
    if (template_expand(text, scope, &group, err) < 0)
        return err_wrap(err, "concurrency");
    len = strlen(group);
    if (len > PLAN_MAX_GROUP_BYTES)
        return err_set(err, ERR_USER,
                       "the concurrency group is longer than %d bytes",
                       PLAN_MAX_GROUP_BYTES);
    for (size_t i = 0; i < len; i += n) {
        n = utf8_decode(group + i, len - i, &c);
        if (!n || utf8_is_control(c))
            return err_set(err, ERR_USER,
                           "the concurrency group holds a control character");
    }
    if (len)
        plan->concurrency_group = STEAL(group);
    return 0;
}

static int add_jobs(struct plan *plan, size_t index,
                    const struct plan_facts *facts, struct err *err)
{
    struct plan_group *group = &plan->groups[index];
    const struct matrix *matrix = &group->source->matrix;

    for (size_t i = 0; i < group->count; i++) {
        struct plan_job *job = &plan->jobs[plan->job_count++];
        struct view view = {.facts = facts, .plan = plan};
        struct expr_scope scope = {EXPR_SUCCESS, lookup, &view};

        job->name = job_name(plan, group, i);
        job->group = index;
        job->matrix = matrix->count ? &matrix->rows[i] : NULL;
        view.matrix = job->matrix;
        if (expand_labels(&group->source->labels, &scope, &job->labels, err) <
            0)
            return err_wrap(err, "job '%.100s'", job->name);
    }
    return 0;
}

static void add_groups(struct plan *plan)
{
    const struct document *document = plan->document;
    size_t total = 0;

    plan->group_count = document->job_count;
    plan->groups = xcalloc(plan->group_count, sizeof(*plan->groups));
    for (size_t i = 0; i < plan->group_count; i++) {
        const struct document_job *source = &document->jobs[i];

        plan->groups[i] = (struct plan_group){
            .source = source,
            .name = source->name,
            .first = total,
            .count = source->matrix.count ? source->matrix.count : 1,
            .max_parallel = source->matrix.max_parallel,
            .fail_fast = source->matrix.fail_fast,
            .needs = source->needs,
            .need_count = source->need_count,
        };
        total += plan->groups[i].count;
    }
    plan->jobs = xcalloc(total, sizeof(*plan->jobs));
}

int plan_make(const struct document *document, const struct plan_facts *facts,
              struct plan **out_plan, struct err *err)
{
    CLEANUP(plan) struct plan *plan = xcalloc(1, sizeof(*plan));
    struct view view = {.facts = facts, .plan = plan};
    struct expr_scope scope = {EXPR_SUCCESS, lookup, &view};

    plan->document = document;
    if (expand_group(plan, &scope, err) < 0)
        return -1;
    add_groups(plan);
    for (size_t i = 0; i < plan->group_count; i++)
        if (add_jobs(plan, i, facts, err) < 0)
            return -1;
    *out_plan = STEAL(plan);
    return 0;
}

/* ---- one job of it ---------------------------------------------------------
 */

json_t *plan_pipeline_json(const struct plan *plan, size_t job)
{
    const struct plan_job *j = &plan->jobs[job];
    const struct pipeline *p = plan->groups[j->group].source->pipeline;
    struct plan_facts facts = {0};
    struct view view = {.facts = &facts, .plan = plan, .matrix = j->matrix};
    struct expr_scope scope = {EXPR_SUCCESS, lookup, &view};
    json_t *json = pipeline_to_json(p);
    CLEANUP(mem) char *image = NULL;

    /* That it is an image for all siblings was checked with the document. */
    if (template_is(p->image) &&
        template_expand(p->image, &scope, &image, NULL) == 0)
        json_object_set_new(json_object_get(json, "sandbox"), "image",
                            json_string(image));
    return json;
}

json_t *plan_matrix_json(const struct plan *plan, size_t job)
{
    const struct env_list *matrix = plan->jobs[job].matrix;
    json_t *json = json_object();

    for (size_t i = 0; matrix && i < matrix->count; i++)
        json_object_set_new(json, matrix->items[i].name,
                            json_string(matrix->items[i].value));
    return json;
}

/* ---- what is next ----------------------------------------------------------
 */

/* How all that a group needs stands; false while something is pending. */
static bool status_of(const struct plan_group *group,
                      const enum plan_outcome *outcomes, enum expr_status *out)
{
    bool failure = false, cancelled = false, skipped = false;

    for (size_t i = 0; i < group->need_count; i++) {
        enum plan_outcome outcome = outcomes[group->needs[i]];

        if (outcome == PLAN_PENDING)
            return false;
        failure |= outcome == PLAN_FAILURE;
        cancelled |= outcome == PLAN_CANCELLED;
        skipped |= outcome == PLAN_SKIPPED;
    }
    *out = failure     ? EXPR_FAILURE
           : cancelled ? EXPR_CANCELLED
           : skipped   ? EXPR_SKIPPED
                       : EXPR_SUCCESS;
    return true;
}

int plan_decide(const struct plan *plan, size_t job,
                const struct plan_facts *facts,
                const enum plan_outcome *outcomes, bool cancelled,
                enum plan_decision *out, struct err *err)
{
    const struct plan_job *j = &plan->jobs[job];
    const struct plan_group *group = &plan->groups[j->group];
    struct view view = {facts, plan, group, j->matrix, outcomes};
    struct expr_scope scope = {EXPR_SUCCESS, lookup, &view};
    bool run;

    if (!status_of(group, outcomes, &scope.status)) {
        *out = PLAN_WAIT;
        return 0;
    }
    if (cancelled)
        scope.status = EXPR_CANCELLED;
    if (condition_eval(group->source->condition, &scope, &run, err) < 0)
        return err_wrap(err, "job '%.100s'", j->name);
    *out = run ? PLAN_START : PLAN_SKIP;
    return 0;
}

enum plan_outcome plan_aggregate(const enum plan_outcome *outcomes,
                                 size_t count)
{
    size_t seen[PLAN_OUTCOME_COUNT] = {0};

    for (size_t i = 0; i < count; i++)
        seen[outcomes[i]]++;
    if (seen[PLAN_PENDING])
        return PLAN_PENDING;
    if (seen[PLAN_FAILURE])
        return PLAN_FAILURE;
    if (seen[PLAN_CANCELLED])
        return PLAN_CANCELLED;
    return seen[PLAN_SUCCESS] ? PLAN_SUCCESS : PLAN_SKIPPED;
}

const char *plan_outcome_name(enum plan_outcome outcome)
{
    static const char *const names[] = {
        [PLAN_PENDING] = "pending", [PLAN_SUCCESS] = "success",
        [PLAN_FAILURE] = "failure", [PLAN_CANCELLED] = "cancelled",
        [PLAN_SKIPPED] = "skipped",
    };

    return names[outcome];
}

/* ---- facts -----------------------------------------------------------------
 */

json_t *plan_facts_to_json(const struct plan_facts *facts)
{
    struct plan_facts copy = *facts;
    json_t *json = json_object();

    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        const char *text = *fact_of(&copy, i);

        json_object_set_new(json, plain[i].context,
                            text ? json_string(text) : json_null());
    }
    json_object_set_new(json, "inputs",
                        facts->inputs ? json_deep_copy(facts->inputs)
                                      : json_object());
    return json;
}

struct plan_facts plan_facts_from_json(const json_t *json)
{
    struct plan_facts facts = {.inputs = json_object_get(json, "inputs")};

    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        *fact_of(&facts, i) =
            json_string_value(json_object_get(json, plain[i].context));
    return facts;
}
