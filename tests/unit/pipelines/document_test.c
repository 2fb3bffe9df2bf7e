/* tests/unit/pipelines/document_test.c - matrices, several jobs, labels. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"
#include "pipelines/document.h"
#include "tests/lib/unit.h"

#include <string.h>

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

/* A matrix as `a=1 b=2; a=1 b=3`. */
static char *rows_of(const struct matrix *matrix)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    for (size_t i = 0; i < matrix->count; i++) {
        const struct env_list *row = &matrix->rows[i];

        strbuf_adds(&out, i ? "; " : "");
        for (size_t k = 0; k < row->count; k++)
            strbuf_addf(&out, "%s%s=%s", k ? " " : "", row->items[k].name,
                        row->items[k].value);
    }
    return strbuf_take(&out);
}

static void test_single(void **state)
{
    CLEANUP(document)
    struct document *d = load("description: d\nsteps: [{run: ls}]");

    (void)state;
    assert_string_equal(d->name, "ci");
    assert_false(d->has_jobs);
    assert_int_equal(d->job_count, 1);
    assert_null(d->jobs[0].name);
    assert_int_equal(d->jobs[0].matrix.count, 0);
    assert_int_equal(d->jobs[0].labels.count, 0);
    assert_null(d->concurrency.group);
    assert_string_equal(d->jobs[0].pipeline->name, "ci");
    assert_string_equal(d->jobs[0].pipeline->description, "d");
    assert_false(document_needs_repo(d));
}

static void test_matrix(void **state)
{
    static const struct {
        const char *matrix, *rows;
    } cases[] = {
        {"{a: [1, 2]}", "a=1; a=2"},
        /* The last list changes fastest. */
        {"{b: [x, y], a: [1, 2, 3]}",
         "b=x a=1; b=x a=2; b=x a=3; b=y a=1; b=y a=2; b=y a=3"},
        {"{v: [1.10, True, \"x y\", 0x1F]}", "v=1.10; v=True; v=x y; v=0x1F"},
        {"{a: [1, 2], b: [1, 2], exclude: [{a: 1, b: 2}]}",
         "a=1 b=1; a=2 b=1; a=2 b=2"},
        {"{a: [1, 2], b: [1, 2], exclude: [{a: 1}, {b: 1, a: 2}]}", "a=2 b=2"},
        /* What two entries exclude is gone once. */
        {"{a: [1, 2, 3], exclude: [{a: 1}, {a: '1'}]}", "a=2; a=3"},
        {"{include: [{a: 1}, {a: 2, b: x}]}", "a=1; a=2 b=x"},
        {"{a: [1, 2], include: [{a: 2, b: x}]}", "a=1; a=2 b=x"},
        {"{a: [1, 2], include: [{a: 3, b: x}]}", "a=1; a=2; a=3 b=x"},
        {"{a: [1, 2], include: [{b: x}]}", "a=1 b=x; a=2 b=x"},
        /* GitHub's own example of the rules. */
        {"{fruit: [apple, pear], animal: [cat, dog], include: ["
         "{color: green}, {color: pink, animal: cat}, "
         "{fruit: apple, shape: circle}, {fruit: banana}, "
         "{fruit: banana, animal: cat}]}",
         "fruit=apple animal=cat color=pink shape=circle; "
         "fruit=apple animal=dog color=green shape=circle; "
         "fruit=pear animal=cat color=pink; fruit=pear animal=dog "
         "color=green; fruit=banana; fruit=banana animal=cat"},
        /* exclude comes first, so include can bring one back. */
        {"{a: [1, 2], exclude: [{a: 1}], include: [{a: 1, b: x}]}",
         "a=2; a=1 b=x"},
        {"{a: [1, 2], exclude: [{a: 1}, {a: 2}], include: [{a: 9}]}", "a=9"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem)
        char *text =
            xasprintf("matrix: %s\nsteps: [{run: ls}]", cases[i].matrix);
        CLEANUP(document) struct document *d = load(text);
        CLEANUP(mem) char *rows = rows_of(&d->jobs[0].matrix);

        assert_string_equal(rows, cases[i].rows);
        assert_true(d->jobs[0].matrix.fail_fast);
        assert_int_equal(d->jobs[0].matrix.max_parallel, 0);
    }
}

static void test_matrix_options(void **state)
{
    CLEANUP(document)
    struct document *d = load("matrix: {fail-fast: false, a: [1, 2], "
                              "max-parallel: 3}\nsteps: [{run: ls}]");

    (void)state;
    assert_int_equal(d->jobs[0].matrix.count, 2);
    assert_int_equal(d->jobs[0].matrix.max_parallel, 3);
    assert_false(d->jobs[0].matrix.fail_fast);
}

static void test_concurrency(void **state)
{
    static const struct {
        const char *text, *group;
        bool cancel;
        unsigned queue;
    } cases[] = {
        {"g", "g", false, 0},
        {"{group: \"${{ repo }}\"}", "${{ repo }}", false, 0},
        {"{group: g, cancel-in-progress: true}", "g", true, 0},
        {"{group: g, queue: single}", "g", false, 1},
        {"{queue: 7, group: g, cancel-in-progress: false}", "g", false, 7},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem)
        char *text =
            xasprintf("concurrency: %s\nsteps: [{run: ls}]", cases[i].text);
        CLEANUP(document) struct document *d = load(text);

        assert_string_equal(d->concurrency.group, cases[i].group);
        assert_int_equal(d->concurrency.cancel_in_progress, cases[i].cancel);
        assert_int_equal(d->concurrency.queue, cases[i].queue);
    }
}

static void test_jobs_inherit(void **state)
{
    CLEANUP(document)
    struct document *d =
        load("sandbox: {image: /srv/x, network: full, env: {A: 1, B: 2},\n"
             "  instance_type: {cpu: 2}}\n"
             "timeout: 5m\n"
             "env: {E: 1, F: 2}\n"
             "labels: [l]\n"
             "jobs:\n"
             "  a: {steps: [{run: ls}]}\n"
             "  b:\n"
             "    needs: [c, a]\n"
             "    if: ${{ failure() }}\n"
             "    sandbox: {image: host, env: {B: 3}, "
             "instance_type: lite}\n"
             "    timeout: 6m\n"
             "    env: {F: 3, G: 4}\n"
             "    labels: [m, n]\n"
             "    steps: [{checkout: }]\n"
             "  c: {labels: [], sandbox: {instance_type: {pids: 64}}, "
             "steps: [{run: ls}]}\n");
    const struct document_job *a = &d->jobs[0], *b = &d->jobs[1];
    const struct pipeline *p = a->pipeline;

    (void)state;
    assert_true(d->has_jobs);
    assert_int_equal(d->job_count, 3);
    assert_string_equal(a->name, "a");
    assert_string_equal(p->name, "ci");
    assert_string_equal(p->image, "/srv/x");
    assert_int_equal(p->network, NETWORK_FULL);
    assert_int_equal(p->timeout_ms, 300000);
    assert_ptr_equal(p->instance_type, &p->custom_type);
    assert_int_equal(p->custom_type.cpu_millis, 2000);
    assert_int_equal(p->env.count, 2);
    assert_int_equal(a->labels.count, 1);
    p = b->pipeline;
    assert_string_equal(p->image, "host");
    assert_int_equal(p->network, NETWORK_FULL);
    assert_int_equal(p->timeout_ms, 360000);
    assert_string_equal(p->instance_type->name, "lite");
    assert_string_equal(p->sandbox_env.items[1].value, "3");
    assert_int_equal(p->env.count, 3);
    assert_string_equal(p->env.items[1].value, "3");
    assert_string_equal(p->env.items[2].name, "G");
    assert_int_equal(b->labels.count, 2);
    assert_string_equal(b->condition, "failure()");
    assert_int_equal(b->need_count, 2);
    assert_int_equal(b->needs[0], 2);
    assert_int_equal(b->needs[1], 0);
    /* What a mapping leaves out is the default's, not standard-1's. */
    p = d->jobs[2].pipeline;
    assert_int_equal(p->custom_type.cpu_millis, 2000);
    assert_int_equal(p->custom_type.pids, 64);
    assert_int_equal(d->jobs[2].labels.count, 0);
    assert_true(document_needs_repo(d));
}

/* ---- errors ----------------------------------------------------------------
 */

#define STEPS "\nsteps: [{run: ls}]"

static const struct {
    const char *text;
    unsigned line, column;
    const char *message, *hint;
} wrong[] = {
    {"matrix: {node: 18}" STEPS, 1, 16, "a list of values", "[18]"},
    {"matrix: {node: [1, 1]}" STEPS, 1, 20, "'1' is there twice", NULL},
    {"matrix: {n: [1], exclude: [{m: 1}]}" STEPS, 1, 29, "has no list 'm'",
     NULL},
    {"matrix: {node: [1], exclude: [{nodes: 1}]}" STEPS, 1, 32,
     "has no list 'nodes'", "node"},
    {"matrix: {n: [1], exclude: [{n: 2}]}" STEPS, 1, 28, "matches nothing",
     NULL},
    {"matrix: {n: [1], exclude: [{n: 1}]}" STEPS, 1, 9, "no job at all", NULL},
    {"matrix: {include: [{a: 1}, {a: 1}]}" STEPS, 1, 9, "same values", NULL},
    {"matrix: {n: [1], max-paralel: 2}" STEPS, 1, 31, "a list of values",
     "[2]"},
    {"matrix: {node: [1]}\nenv: {A: \"x ${{ matrix.nod }}\"}" STEPS, 2, 24,
     "the matrix has no 'nod'", "node"},
    {"matrix: {node: [a, ..]}\nsandbox: {image: \"/x/${{ matrix.node "
     "}}\"}" STEPS,
     2, 18, "'/x/..': an image's path", NULL},
    {"sandbox: {image: \"/x/${{ branch }}\"}" STEPS, 1, 26,
     "'branch' has no value here; what has: matrix", NULL},
    {"labels: [a b]" STEPS, 1, 10, "'a b' is not a label", NULL},
    {"labels: [\"${{ branch }}\"]" STEPS, 1, 15, "'branch' has no value here",
     NULL},
    {"labels: [a, a]" STEPS, 1, 13, "there twice", NULL},
    {"labels: gpu" STEPS, 1, 9, "labels is a list", NULL},
    {"concurrency: {group: g, queue: signle}" STEPS, 1, 32, "not one of",
     "single"},
    {"concurrency: {group: g, cancel-in-progress: true, queue: 1}" STEPS, 1, 58,
     "nobody waits", NULL},
    {"concurrency: \"${{ matrix.a }}\"" STEPS, 1, 19, "'matrix' has no value",
     NULL},
    {"needs: a" STEPS, 1, 1, "only a job under jobs", NULL},
    {"jobs: {a: {steps: [{run: ls}]}}" STEPS, 2, 1, "steps or jobs", NULL},
    {"jobs: []", 1, 7, "jobs is a mapping", NULL},
    {"jobs: {a b: {steps: [{run: ls}]}}", 1, 8, "the name of a job", NULL},
    {"jobs: {a: {}}", 1, 11, "a job needs the key 'steps'", NULL},
    {"jobs: {a: {depends_on: b, steps: [{run: ls}]}}", 1, 12, "write needs",
     NULL},
    {"jobs:\n  build: {steps: [{run: ls}]}\n  b: {needs: biuld, "
     "steps: [{run: ls}]}",
     3, 14, "there is no job 'biuld'", "build"},
    {"jobs:\n  a: {needs: [b, a], steps: [{run: ls}]}\n"
     "  b: {steps: [{run: ls}]}",
     2, 18, "cannot need itself", NULL},
    {"jobs:\n  a: {needs: [b], steps: [{run: ls}]}\n"
     "  b: {needs: c, steps: [{run: ls}]}\n  c: {needs: b, steps: [{run: ls}]}",
     3, 14, "wait for each other: b needs c needs b", NULL},
    {"jobs:\n  a: {steps: [{run: ls}]}\n  b: {needs: a, if: needs.c.outcome, "
     "steps: [{run: ls}]}",
     3, 27, "does not need 'c'", NULL},
    {"jobs:\n  a: {if: steps.x.outcome, steps: [{run: ls}]}", 2, 11,
     "'steps' has no value here", NULL},
    {"jobs: {a: {steps: [{run: ls, if: needs.a.outcome}]}}", 1, 34,
     "'needs' has no value here", NULL},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
        struct document *document = NULL;
        const struct diag *d;

        assert_int_equal(document_load("f", wrong[i].text,
                                       strlen(wrong[i].text), diags, &document),
                         -1);
        assert_null(document);
        d = diag_list_at(diags, 0);
        if (!strstr(d->message, wrong[i].message) || d->line != wrong[i].line ||
            d->column != wrong[i].column ||
            strcmp(d->hint ? d->hint : "",
                   wrong[i].hint ? wrong[i].hint : "") != 0)
            fail_msg("%s: %u:%u: %s (%s)", wrong[i].text, d->line, d->column,
                     d->message, d->hint ? d->hint : "");
    }
}

static void test_all_errors_are_listed(void **state)
{
    static const char text[] = "concurency: g\n"
                               "jobs:\n"
                               "  a: {needs: x, steps: [{run: ls, if: a}]}\n"
                               "  b:\n"
                               "    matrix: {n: []}\n"
                               "    labels: [-]\n"
                               "    steps: []\n";
    static const unsigned lines[] = {1, 3, 3, 5, 6, 7};
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct document *document = NULL;

    (void)state;
    assert_int_equal(document_load("f", text, strlen(text), diags, &document),
                     -1);
    assert_int_equal(diag_list_count(diags), ARRAY_LEN(lines));
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_int_equal(diag_list_at(diags, i)->line, lines[i]);
}

static void test_normalised(void **state)
{
    CLEANUP(document)
    struct document *d =
        load("concurrency: g\nlabels: [l]\nenv: {A: 1}\njobs:\n"
             "  a: {matrix: {n: [1, 2], fail-fast: false}, "
             "steps: [{run: ls}]}\n"
             "  b: {needs: a, if: always(), steps: [{run: ls}]}\n");
    json_t *got = document_to_json(d);
    json_t *jobs = json_object_get(got, "jobs");
    json_t *matrix = json_loads("{\"include\": [{\"n\": \"1\"}, {\"n\": "
                                "\"2\"}], \"fail-fast\": false}",
                                0, NULL);

    (void)state;
    assert_true(json_equal(
        json_object_get(json_object_get(jobs, "a"), "matrix"), matrix));
    assert_null(json_object_get(got, "env"));
    assert_string_equal(
        json_string_value(json_object_get(
            json_object_get(json_object_get(jobs, "b"), "env"), "A")),
        "1");
    assert_string_equal(
        json_string_value(json_array_get(
            json_object_get(json_object_get(jobs, "b"), "needs"), 0)),
        "a");
    json_decref(got);
    json_decref(matrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_matrix_options),
        cmocka_unit_test(test_concurrency),
        cmocka_unit_test(test_jobs_inherit),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_all_errors_are_listed),
        cmocka_unit_test(test_normalised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
