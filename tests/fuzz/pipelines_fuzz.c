/* tests/fuzz/pipelines_fuzz.c - pipelines and expressions of any bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"
#include "pipelines/expr.h"
#include "pipelines/plan.h"
#include "pipelines/trigger.h"
#include "tests/fuzz/fuzz.h"

#define EXPR_MAX_INPUT 8192

/* Refused: there are errors, in order, that both renderings can show. */
static void check_errors(const struct diag_list *diags)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    json_t *list = diag_list_to_json(diags);

    require(diag_list_count(diags) > 0);
    for (size_t i = 1; i < diag_list_count(diags); i++) {
        const struct diag *a = diag_list_at(diags, i - 1);
        const struct diag *b = diag_list_at(diags, i);

        require(a->line < b->line ||
                (a->line == b->line && a->column <= b->column));
    }
    diag_list_render(diags, &text);
    for (size_t i = 0; i < text.len; i++)
        require((unsigned char)text.data[i] >= ' ' || text.data[i] == '\n');
    require(json_array_size(list) == diag_list_count(diags));
    json_decref(list);
}

/* Accepted: the normalised document gives itself again. */
static void check_round_trip(const struct document *document)
{
    CLEANUP(document) struct document *again = NULL;
    json_t *first = document_to_json(document);
    struct err err = {0};
    json_t *second;

    require(document_from_json(first, &again, &err) == 0);
    second = document_to_json(again);
    require(json_equal(first, second));
    json_decref(first);
    json_decref(second);
}

/* All of it can be started, some time, and what is started is one job. */
static void check_plan(const struct document *document)
{
    const struct plan_facts facts = {.repo = "r", .branch = "b"};
    enum plan_outcome outcomes[DOCUMENT_MAX_JOBS] = {PLAN_PENDING};
    CLEANUP(plan) struct plan *plan = NULL;
    size_t left;

    if (plan_make(document, &facts, &plan, NULL) < 0)
        return;
    require(plan->job_count >= plan->group_count);
    left = plan->group_count;
    for (size_t n = 0; left && n < DOCUMENT_MAX_JOBS; n++)
        for (size_t i = 0; i < plan->group_count; i++) {
            enum plan_decision decision;
            struct err err = {0};

            if (outcomes[i] != PLAN_PENDING)
                continue;
            require(plan_decide(plan, plan->groups[i].first, &facts, outcomes,
                                false, &decision, &err) == 0);
            left -= decision != PLAN_WAIT;
            if (decision != PLAN_WAIT)
                outcomes[i] =
                    decision == PLAN_START ? PLAN_SUCCESS : PLAN_SKIPPED;
        }
    require(!left);
    for (size_t i = 0; i < plan->job_count; i += 97) {
        CLEANUP(pipeline) struct pipeline *pipeline = NULL;
        json_t *json = plan_pipeline_json(plan, i);

        require(pipeline_from_json(json, &pipeline, NULL) == 0);
        json_decref(json);
    }
}

/* A pipeline says when it starts, or that it does not, as it says by itself. */
static void fuzz_on(const char *text, size_t len, bool is_pipeline)
{
    static const char *const paths[] = {"a/b.c", ".d"};
    struct trigger_facts facts = {.event = TRIGGER_OPENED,
                                  .forge = "github",
                                  .repo = "a/b",
                                  .branch = "main",
                                  .tag = "v1",
                                  .author = "x[bot]",
                                  .labels = paths,
                                  .label_count = ARRAY_LEN(paths)};
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(trigger_list) struct trigger_list *list = NULL;

    if (trigger_list_of_text("fuzz.yml", text, len, diags, &list) < 0) {
        require(!is_pipeline);
        check_errors(diags);
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        const char *why = NULL;
        enum trigger_verdict verdict;

        require(list->items[i].events && !list->items[i].pipelines.count);
        facts.paths = NULL;
        verdict = trigger_match(&list->items[i], &facts, &why);
        require((verdict == TRIGGER_NO) == (why != NULL));
        facts.paths = paths;
        facts.path_count = ARRAY_LEN(paths);
        require(trigger_match(&list->items[i], &facts, &why) !=
                TRIGGER_NEEDS_PATHS);
    }
}

static void fuzz_pipeline(const char *text, size_t len)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(document) struct document *document = NULL;

    if (document_load("fuzz.yml", text, len, diags, &document) < 0) {
        check_errors(diags);
        fuzz_on(text, len, false);
        return;
    }
    fuzz_on(text, len, true);
    check_round_trip(document);
    check_plan(document);
}

static const char *lookup(void *arg, const char *context, const char *name)
{
    (void)arg;
    return name && strlen(name) % 2 ? name : context;
}

static bool has_step(void *arg, const char *name, const char **out_close)
{
    (void)arg;
    *out_close = name;
    return true;
}

static void on_error(void *arg, size_t offset, const char *message,
                     const char *hint)
{
    const char *text = arg;

    (void)hint;
    require(offset <= strlen(text) && *message);
}

/* What passes the check can be evaluated, and the other way round. */
static void fuzz_expression(char *text)
{
    const struct expr_rules rules = {
        .has_step = has_step, .on_error = on_error, .arg = text};
    const struct expr_scope scope = {EXPR_FAILURE, lookup, NULL};
    CLEANUP(mem) char *expanded = NULL;
    struct err err = {0};
    bool yes;

    require(expr_check(text, EXPR_CONDITION, &rules) ==
            condition_eval(text, &scope, &yes, &err));
    require(expr_check(text, EXPR_TEMPLATE, &rules) ==
            template_expand(text, &scope, &expanded, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(mem) char *text = fuzz_text(data, size);

    fuzz_pipeline(text, size);
    if (size <= EXPR_MAX_INPUT)
        fuzz_expression(text);
    return 0;
}
