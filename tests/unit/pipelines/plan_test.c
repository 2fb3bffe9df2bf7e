/* tests/unit/pipelines/plan_test.c - the jobs of a document, in order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "pipelines/diag.h"
#include "pipelines/plan.h"
#include "tests/lib/unit.h"

#include <string.h>

static const struct plan_facts main_branch = {.repo = "acme/app",
                                              .branch = "main"};

static struct document *load(const char *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct document *document = NULL;

    if (document_load("ci.yml", text, strlen(text), diags, &document) < 0)
        fail_msg("%u:%u: %s", diag_list_at(diags, 0)->line,
                 diag_list_at(diags, 0)->column,
                 diag_list_at(diags, 0)->message);
    return document;
}

static struct plan *make(const struct document *document,
                         const struct plan_facts *facts)
{
    struct plan *plan = NULL;
    struct err err = {0};

    if (plan_make(document, facts, &plan, &err) < 0)
        fail_msg("%s", err.msg);
    return plan;
}

static void test_single(void **state)
{
    CLEANUP(document) struct document *d = load("steps: [{run: ls}]");
    CLEANUP(plan) struct plan *plan = make(d, &main_branch);
    json_t *json = plan_pipeline_json(plan, 0);
    json_t *same = pipeline_to_json(d->jobs[0].pipeline);
    json_t *matrix = plan_matrix_json(plan, 0);

    (void)state;
    assert_int_equal(plan->job_count, 1);
    assert_int_equal(plan->group_count, 1);
    assert_string_equal(plan->jobs[0].name, "ci");
    assert_null(plan->jobs[0].matrix);
    assert_null(plan->concurrency_group);
    assert_true(json_equal(json, same));
    assert_int_equal(json_object_size(matrix), 0);
    json_decref(json);
    json_decref(same);
    json_decref(matrix);
}

static void test_fan_out(void **state)
{
    CLEANUP(document)
    struct document *d =
        load("sandbox: {network: full}\n"
             "jobs:\n"
             "  lint: {steps: [{run: ls}]}\n"
             "  test:\n"
             "    needs: lint\n"
             "    matrix: {node: [18, 20], os: [a, b], max-parallel: 2,\n"
             "             exclude: [{node: 18, os: b}], fail-fast: false}\n"
             "    sandbox: {image: \"/srv/${{ matrix.os }}\"}\n"
             "    labels: [\"node-${{ matrix.node }}\", \"${{ trust }}\"]\n"
             "    steps: [{run: ls}]\n");
    static const char *const names[] = {"lint", "test (node: 18, os: a)",
                                        "test (node: 20, os: a)",
                                        "test (node: 20, os: b)"};
    CLEANUP(plan) struct plan *plan = make(d, &main_branch);
    CLEANUP(pipeline) struct pipeline *p = NULL;
    json_t *json = plan_pipeline_json(plan, 3);
    json_t *matrix = plan_matrix_json(plan, 3);

    (void)state;
    assert_int_equal(plan->job_count, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_string_equal(plan->jobs[i].name, names[i]);
    assert_int_equal(plan->groups[1].first, 1);
    assert_int_equal(plan->groups[1].count, 3);
    assert_int_equal(plan->groups[1].max_parallel, 2);
    assert_false(plan->groups[1].fail_fast);
    assert_int_equal(plan->groups[1].need_count, 1);
    assert_int_equal(plan->groups[1].needs[0], 0);
    assert_string_equal(plan->jobs[3].labels.items[0], "node-20");
    assert_string_equal(plan->jobs[3].labels.items[1], "member");
    assert_int_equal(pipeline_from_json(json, &p, NULL), 0);
    assert_string_equal(p->image, "/srv/b");
    assert_string_equal(p->name, "ci");
    assert_string_equal(json_string_value(json_object_get(matrix, "node")),
                        "20");
    json_decref(json);
    json_decref(matrix);
}

static void test_long_names(void **state)
{
    CLEANUP(mem)
    char *text = xasprintf("matrix: {a: [\"%0199d\", \"%0199d\"], b: [grün]}\n"
                           "steps: [{run: ls}]",
                           1, 2);
    CLEANUP(document) struct document *d = load(text);
    CLEANUP(plan) struct plan *plan = make(d, &main_branch);

    (void)state;
    assert_true(utf8_count(plan->jobs[0].name, strlen(plan->jobs[0].name)) <=
                200);
    assert_non_null(strstr(plan->jobs[0].name, "… #1)"));
    assert_string_not_equal(plan->jobs[0].name, plan->jobs[1].name);
}

static void test_groups(void **state)
{
    json_t *inputs = json_pack("{s:s}", "env", "prod");
    const struct plan_facts facts = {
        .repo = "acme/app", .change = "7", .inputs = inputs};
    static const struct {
        const char *group, *expanded; /* NULL: none */
    } cases[] = {
        {"deploy", "deploy"},
        {"\"${{ repo }}-${{ change || branch }}\"", "acme/app-7"},
        {"\"${{ inputs.env }}\"", "prod"},
        {"\"${{ branch }}\"", NULL},
        {"\"${{ trust == 'member' && 'm' }}\"", "m"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem)
        char *text =
            xasprintf("concurrency: %s\nsteps: [{run: ls}]", cases[i].group);
        CLEANUP(document) struct document *d = load(text);
        CLEANUP(plan) struct plan *plan = make(d, &facts);

        if (!cases[i].expanded)
            assert_null(plan->concurrency_group);
        else
            assert_string_equal(plan->concurrency_group, cases[i].expanded);
    }
    json_decref(inputs);
}

static void refuse(const char *text, const char *value, const char *message)
{
    json_t *inputs = json_pack("{s:s}", "x", value);
    const struct plan_facts facts = {.inputs = inputs};
    CLEANUP(document) struct document *d = load(text);
    struct plan *plan = NULL;
    struct err err = {0};

    assert_int_equal(plan_make(d, &facts, &plan, &err), -1);
    json_decref(inputs);
    assert_null(plan);
    assert_int_equal(err.kind, ERR_USER);
    if (!strstr(err.msg, message))
        fail_msg("%s", err.msg);
}

static void test_what_cannot_be(void **state)
{
    CLEANUP(mem) char *lengthy = xasprintf("%0300d", 1);

    (void)state;
    refuse("labels: [\"${{ inputs.x }}\"]\nsteps: [{run: ls}]", "a b",
           "'a b', of the label");
    refuse("labels: [\"${{ inputs.x }}\"]\nsteps: [{run: ls}]", "",
           "is not a label");
    refuse("concurrency: \"${{ inputs.x }}\"\nsteps: [{run: ls}]", "a\nb",
           "control character");
    refuse("concurrency: \"${{ inputs.x }}\"\nsteps: [{run: ls}]", lengthy,
           "longer than 256 bytes");
}

/* ---- what is next ----------------------------------------------------------
 */

#define P PLAN_PENDING
#define S PLAN_SUCCESS
#define F PLAN_FAILURE
#define C PLAN_CANCELLED
#define K PLAN_SKIPPED

static void test_decide(void **state)
{
    static const struct {
        const char *condition; /* of a job that needs a and b */
        enum plan_outcome a, b;
        enum plan_decision decision;
    } cases[] = {
        {NULL, P, S, PLAN_WAIT},
        {NULL, F, P, PLAN_WAIT},
        {NULL, S, S, PLAN_START},
        {NULL, S, F, PLAN_SKIP},
        {NULL, S, C, PLAN_SKIP},
        {NULL, K, S, PLAN_SKIP},
        {"always()", P, S, PLAN_WAIT},
        {"always()", F, K, PLAN_START},
        {"failure()", S, F, PLAN_START},
        {"failure()", C, F, PLAN_START},
        {"failure()", S, S, PLAN_SKIP},
        {"failure()", S, K, PLAN_SKIP},
        {"cancelled()", S, C, PLAN_START},
        {"cancelled()", S, K, PLAN_SKIP},
        {"success()", S, K, PLAN_SKIP},
        {"branch == 'main'", S, S, PLAN_START},
        {"branch == 'main'", S, F, PLAN_SKIP},
        {"branch == 'other'", S, S, PLAN_SKIP},
        {"always() && needs.a.outcome == 'skipped'", K, F, PLAN_START},
        {"always() && needs.a.outcome == 'skipped'", S, F, PLAN_SKIP},
        {"always() && needs.b.outcome != 'failure' && matrix.n == 1", S, S,
         PLAN_START},
        {"false", S, S, PLAN_SKIP},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem)
        char *text = xasprintf("jobs:\n  c:\n    needs: [a, b]\n    %s%s\n"
                               "    matrix: {n: [1]}\n"
                               "    steps: [{run: ls}]\n"
                               "  a: {steps: [{run: ls}]}\n"
                               "  b: {steps: [{run: ls}]}\n",
                               cases[i].condition ? "if: " : "",
                               cases[i].condition ? cases[i].condition : "");
        CLEANUP(document) struct document *d = load(text);
        CLEANUP(plan) struct plan *plan = make(d, &main_branch);
        const enum plan_outcome outcomes[] = {P, cases[i].a, cases[i].b};
        enum plan_decision decision;
        struct err err = {0};

        assert_int_equal(plan_decide(plan, 0, &main_branch, outcomes, false,
                                     &decision, &err),
                         0);
        if (decision != cases[i].decision)
            fail_msg("case %zu: %d", i, decision);
        assert_int_equal(plan_decide(plan, 1, &main_branch, outcomes, false,
                                     &decision, &err),
                         0);
        assert_int_equal(decision, PLAN_START);
    }
}

/* Of a cancelled run only what says so goes on. */
static void test_cancelled(void **state)
{
    CLEANUP(document)
    struct document *d = load("jobs:\n"
                              "  a: {steps: [{run: ls}]}\n"
                              "  b: {if: always(), steps: [{run: ls}]}\n"
                              "  c: {if: cancelled(), steps: [{run: ls}]}\n"
                              "  d: {if: failure(), steps: [{run: ls}]}\n"
                              "  e: {needs: a, if: always(),"
                              " steps: [{run: ls}]}\n");
    static const enum plan_decision wanted[] = {
        PLAN_SKIP, PLAN_START, PLAN_START, PLAN_SKIP, PLAN_WAIT};
    static const enum plan_outcome outcomes[5] = {P, P, P, P, P};
    CLEANUP(plan) struct plan *plan = make(d, &main_branch);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        enum plan_decision decision;

        assert_int_equal(
            plan_decide(plan, i, &main_branch, outcomes, true, &decision, NULL),
            0);
        assert_int_equal(decision, wanted[i]);
    }
}

/* To the end, whatever fails: everything is decided, in an order that holds. */
static void test_runs_to_its_end(void **state)
{
    CLEANUP(document)
    struct document *d =
        load("jobs:\n"
             "  e: {needs: [d], if: always(), steps: [{run: ls}]}\n"
             "  d: {needs: [b, c], steps: [{run: ls}]}\n"
             "  c: {needs: a, steps: [{run: ls}]}\n"
             "  b: {needs: a, if: failure(), steps: [{run: ls}]}\n"
             "  a: {steps: [{run: ls}]}\n");
    static const enum plan_outcome of_a[] = {S, F, C};
    static const enum plan_outcome ends[][5] = {
        /* e, d, c, b, a */
        {S, K, S, K, S},
        {S, K, K, S, F},
        {S, K, K, K, C},
    };
    CLEANUP(plan) struct plan *plan = make(d, &main_branch);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(of_a); i++) {
        enum plan_outcome outcomes[5] = {P, P, P, P, P};

        for (size_t n = 0; n < 5 * 5; n++) {
            enum plan_decision decision;
            size_t job = n % 5;

            if (outcomes[job] != P)
                continue;
            assert_int_equal(plan_decide(plan, job, &main_branch, outcomes,
                                         false, &decision, NULL),
                             0);
            if (decision == PLAN_SKIP)
                outcomes[job] = K;
            else if (decision == PLAN_START)
                outcomes[job] = job == 4 ? of_a[i] : S;
        }
        assert_memory_equal(outcomes, ends[i], sizeof(outcomes));
    }
}

static void test_aggregate(void **state)
{
    static const struct {
        enum plan_outcome in[3], out;
    } cases[] = {
        {{S, S, S}, S}, {{S, K, S}, S}, {{K, K, K}, K}, {{S, C, S}, C},
        {{C, F, S}, F}, {{F, P, S}, P}, {{K, C, K}, C},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(plan_aggregate(cases[i].in, 3), cases[i].out);
    assert_int_equal(plan_aggregate(NULL, 0), K);
    assert_string_equal(plan_outcome_name(C), "cancelled");
}

static void test_facts(void **state)
{
    json_t *inputs = json_pack("{s:s}", "a", "b");
    const struct plan_facts facts = {
        .repo = "r", .base = "main", .trust = "fork", .inputs = inputs};
    json_t *json = plan_facts_to_json(&facts);
    struct plan_facts back = plan_facts_from_json(json);

    (void)state;
    assert_string_equal(back.repo, "r");
    assert_string_equal(back.base, "main");
    assert_string_equal(back.trust, "fork");
    assert_null(back.commit);
    assert_string_equal(json_string_value(json_object_get(back.inputs, "a")),
                        "b");
    json_decref(json);
    json_decref(inputs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_fan_out),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_what_cannot_be),
        cmocka_unit_test(test_decide),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_runs_to_its_end),
        cmocka_unit_test(test_aggregate),
        cmocka_unit_test(test_facts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
