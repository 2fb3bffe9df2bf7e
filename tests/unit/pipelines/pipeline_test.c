/* tests/unit/pipelines/pipeline_test.c - pipelines, loaded and normalised. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "pipelines/diag.h"
#include "pipelines/document.h"
#include "pipelines/expr.h"
#include "pipelines/findings/findings.h"
#include "pipelines/load.h"
#include "pipelines/pipeline.h"
#include "pipelines/reason.h"
#include "tests/lib/unit.h"

#include <dirent.h>
#include <string.h>

#define CORPUS "tests/corpus/pipelines"

static struct pipeline *load_as(const char *file, const char *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct pipeline *pipeline = NULL;

    if (pipeline_load(file, text, strlen(text), diags, &pipeline) < 0)
        fail_msg("%u:%u: %s", diag_list_at(diags, 0)->line,
                 diag_list_at(diags, 0)->column,
                 diag_list_at(diags, 0)->message);
    return pipeline;
}

static struct pipeline *load(const char *text)
{
    return load_as("dir/some.name.yml", text);
}

static void test_defaults(void **state)
{
    CLEANUP(pipeline) struct pipeline *p = load("steps: [{run: ls}]");
    const struct step *step = &p->steps[0];

    (void)state;
    assert_string_equal(p->name, "some.name");
    assert_null(p->description);
    assert_string_equal(p->image, "host");
    assert_string_equal(p->instance_type->name, "standard-1");
    assert_int_equal(p->network, NETWORK_NONE);
    assert_int_equal(p->timeout_ms, 60 * 60 * 1000);
    assert_int_equal(p->env.count + p->sandbox_env.count, 0);
    assert_int_equal(p->step_count, 1);
    assert_int_equal(step->kind, STEP_RUN);
    assert_string_equal(step->name, "ls");
    assert_null(step->condition);
    assert_string_equal(step->shell, "sh");
    assert_null(step->working_directory);
    assert_int_equal(step->timeout_ms, 0);
    assert_false(step->continue_on_error);
    assert_int_equal(step->retry.max, 0);
}

static void test_file_names(void **state)
{
    static const struct {
        const char *file, *name;
    } cases[] = {
        {"a/b/test.yml", "test"},  {"test", "test"},
        {".berth", ".berth"},      {"<stdin>", "pipeline"},
        {"a/", "pipeline"},        {"a\nb.yml", "pipeline"},
        {"a\xff.yml", "pipeline"}, {"${{ x }}.yml", "pipeline"},
        {"  .yml", "pipeline"},    {"grün.yml", "grün"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(pipeline)
        struct pipeline *p = load_as(cases[i].file, "steps: [{run: ls}]");

        assert_string_equal(p->name, cases[i].name);
    }
}

static void test_everything(void **state)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(pipeline) struct pipeline *p = NULL;
    const struct step *s;

    (void)state;
    assert_int_equal(
        file_read(CORPUS "/valid/everything.yml", 1 << 20, &text, NULL), 0);
    p = load(text.data);
    assert_string_equal(p->name, "everything");
    assert_string_equal(p->description, "All keys at once.\nTwo lines.\n");
    assert_string_equal(p->instance_type->name, "standard-2");
    assert_int_equal(p->network, NETWORK_FULL);
    assert_string_equal(p->sandbox_env.items[0].name, "A");
    assert_string_equal(p->env.items[0].value, "2");
    assert_int_equal(p->timeout_ms, 90 * 60 * 1000);
    s = &p->steps[0];
    assert_int_equal(s->kind, STEP_CHECKOUT);
    assert_true(s->submodules);
    assert_string_equal(s->condition, "always()");
    assert_true(s->continue_on_error);
    assert_int_equal(s->retry.max, 2);
    assert_int_equal(s->retry.when, 1u << REASON_CHECKOUT_FAILED);
    s = &p->steps[1];
    assert_int_equal(s->kind, STEP_INSTALL);
    assert_string_equal(s->install, "npm");
    assert_string_equal(s->working_directory, "app");
    assert_int_equal(s->retry.max, 1);
    assert_true(s->retry.when & 1u << REASON_STEP_FAILED);
    s = &p->steps[2];
    assert_int_equal(s->command_count, 2);
    assert_string_equal(s->commands[1], "npm run lint");
    assert_string_equal(s->env.items[0].value, "${{ branch }}");
    assert_string_equal(s->shell, "bash");
    assert_int_equal(s->timeout_ms, 90000);
    assert_int_equal(s->retry.when,
                     1u << REASON_STEP_FAILED | 1u << REASON_TIMED_OUT);
    assert_int_equal(s->retry.exit_code_count, 2);
    assert_int_equal(s->retry.exit_codes[1], 75);
}

static void test_instance_types(void **state)
{
    static const struct instance_type wanted[] = {
        {"lite", 63, UINT64_C(256) << 20, 2000000000, 256},
        {"basic", 250, UINT64_C(1) << 30, 4000000000, 512},
        {"standard-1", 500, UINT64_C(4) << 30, 8000000000, 1024},
        {"standard-2", 1000, UINT64_C(6) << 30, 12000000000, 2048},
        {"standard-3", 2000, UINT64_C(8) << 30, 16000000000, 4096},
        {"standard-4", 4000, UINT64_C(12) << 30, 20000000000, 4096},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const struct instance_type *t = instance_type_find(wanted[i].name);

        assert_non_null(t);
        assert_int_equal(t->cpu_millis, wanted[i].cpu_millis);
        assert_int_equal(t->memory_bytes, wanted[i].memory_bytes);
        assert_int_equal(t->disk_bytes, wanted[i].disk_bytes);
        assert_int_equal(t->pids, wanted[i].pids);
    }
    assert_null(instance_type_find("custom"));
}

static void test_custom_instance_type(void **state)
{
    CLEANUP(pipeline)
    struct pipeline *p =
        load("sandbox: {instance_type: {cpu: 0.333, memory: 512MiB}}\n"
             "steps: [{run: ls}]");

    (void)state;
    assert_ptr_equal(p->instance_type, &p->custom_type);
    assert_string_equal(p->instance_type->name, "custom");
    assert_int_equal(p->instance_type->cpu_millis, 333);
    assert_int_equal(p->instance_type->memory_bytes, UINT64_C(512) << 20);
    assert_int_equal(p->instance_type->disk_bytes, 8000000000);
    assert_int_equal(p->instance_type->pids, 1024);
}

static void test_step_names(void **state)
{
    CLEANUP(pipeline)
    struct pipeline *p =
        load("steps:\n"
             "  - checkout:\n"
             "  - install: npm\n"
             "  - run: \"\\n  a\\tb  \\nc\"\n"
             "  - run: a b\n"
             "  - {name: a b (2), run: x}\n"
             "  - run: \"\\e\"\n"
             "  - run: \"1234567890123456789012345678901234567890"
             "123456789012345678901234567890\"\n"
             "  - checkout:\n");
    static const char *const names[] = {
        "checkout",
        "install npm",
        "a b",
        "a b (3)",
        "a b (2)",
        "run",
        "123456789012345678901234567890123456789012345678901234567890…",
        "checkout (2)"};

    (void)state;
    assert_int_equal(p->step_count, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_string_equal(p->steps[i].name, names[i]);
}

static void test_conditions(void **state)
{
    static const struct {
        const char *written, *kept;
    } cases[] = {
        {"always()", "always()"},
        {"${{ always() }}", "always()"},
        {"'  ${{always()}} '", "always()"},
        {"TRUE", "true"},
        {"false", "false"},
        {">-\n   failure() &&\n   branch", "failure() && branch"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem)
        char *text =
            xasprintf("steps:\n- run: ls\n  if: %s\n", cases[i].written);
        CLEANUP(pipeline) struct pipeline *p = load(text);

        assert_string_equal(p->steps[0].condition, cases[i].kept);
    }
}

static void test_env_is_text(void **state)
{
    CLEANUP(pipeline)
    struct pipeline *p =
        load("env: {V: 1.10, T: True, N: ~, E: , X: 0x10, Y: yes}\n"
             "steps: [{run: ls}]");
    static const char *const values[] = {"1.10", "True", "", "", "0x10", "yes"};

    (void)state;
    assert_int_equal(p->env.count, ARRAY_LEN(values));
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        assert_string_equal(p->env.items[i].value, values[i]);
}

/* ---- errors ----------------------------------------------------------------
 */

static const struct {
    const char *text; /* above a valid list of steps, or with its own */
    unsigned line, column;
    const char *message, *hint;
} wrong[] = {
    {"tiemout: 1m", 1, 1, "unknown key 'tiemout'", "timeout"},
    {"Timeout: 1m", 1, 1, "unknown key 'Timeout'", "timeout"},
    {"jobs: {a: {steps: [{run: a}]}}", 1, 7, "several jobs, where one", NULL},
    {"matrix: {a: [1]}", 1, 9, "several jobs, where one", NULL},
    {"name: 1.0", 1, 7, "a string, not a number", "\"1.0\""},
    {"name: a ${{ b }}", 1, 9, "holds no ${{ }}", NULL},
    {"timeout: 30", 1, 10, "not a number", "30m"},
    {"sandbox: {network: []}", 1, 20, "list of hosts that is empty", "none"},
    {"sandbox: {network: [npn]}", 1, 21, "needs its port", "npm"},
    {"sandbox: {network: [npm, \"*.com\"]}", 1, 26, "two names", NULL},
    {"sandbox: {network: [10.0.0.1]}", 1, 21, "by name", NULL},
    {"sandbox: {network: [\"https://a.b/c\"]}", 1, 21, "stands alone", NULL},
    {"sandbox: {network: [[a.b]]}", 1, 21, "a string", NULL},
    {"sandbox: {image: hst}", 1, 18, "oci:DIRECTORY or docker://NAME", "host"},
    {"sandbox: {instance_type: standard_1}", 1, 26, "not one of", "standard-1"},
    {"env: {BERTH_X: y}", 1, 7, "set by berth", NULL},
    {"env: {A: \"x ${{ brnch }}\"}", 1, 17, "unknown context 'brnch'",
     "branch"},
    {"steps: [checkout]", 1, 9, "a key ends with a colon", "checkout:"},
    {"steps: [npm test]", 1, 9, "like  run: npm test", NULL},
    {"steps: [{runn: ls}]", 1, 9, "needs one of", NULL},
    {"steps: [{run: ls, script: x}]", 1, 19, "write run", NULL},
    {"steps: [{run: ls, install: npm}]", 1, 19, "one thing", NULL},
    {"steps: [{read_file: a, shell: sh}]", 1, 24, "in a read_file step", NULL},
    {"steps: [{checkout: , env: {}}]", 1, 22, "in a checkout step", NULL},
    {"steps: [{install: npm, shell: sh}]", 1, 24, "in an install step", NULL},
    {"steps: [{install: pnpm}]", 1, 19, "run: pnpm install", NULL},
    {"steps: [{run: ls, continue-on-error: off}]", 1, 38, "true or false",
     "false"},
    {"steps: [{run: ls, continue-on-error: \"False\"}]", 1, 38, "true or false",
     "false"},
    {"steps:\n- run: |\n    a\n    b ${{ inputs.pr-title }}\n", 4, 7,
     "as  PRTITLE: ${{ inputs.pr-title }}, and write \"$PRTITLE\"", NULL},
    {"steps: [{run: 'x ${{'}]", 1, 18, "VALUE: ${{ … }}", NULL},
    {"steps:\n- {run: ls, if: \"branch = 'x'\"}", 2, 25, "single '='", "=="},
    {"steps:\n- run: ls\n  if: ${{ branch = 'x' }}", 3, 18, "single '='", "=="},
    {"steps:\n- run: ls\n  if: ${{ a }} && ${{ b }}", 3, 19,
     "one ${{ }} must hold", NULL},
    {"steps:\n- {name: a, run: b}\n- {name: a, run: b}", 3, 10,
     "taken by an earlier step", NULL},
    {"steps:\n- {name: a-1, run: b}\n- {run: b, if: steps.a1.outcome}", 3, 22,
     "no earlier step", "a-1"},
    {"steps: [{run: ls, retry: {max: 1, when: worker_lost}}]", 1, 41,
     "retried unasked", NULL},
    {"steps: [{run: ls, working-directory: a/../b}]", 1, 40,
     "out of the workspace", NULL},
    {"steps: [{run: ls, results: tab}]", 1, 28, "'tab' is not one of", "tap"},
    {"steps: [{run: ls, results: [tap, sarif]}]", 1, 34, "is one report", NULL},
    {"steps: [{run: ls, results: {format: junit, file: a}}]", 1, 44,
     "write files", NULL},
    {"steps: [{run: ls, results: {files: a}}]", 1, 28, "needs the key 'format'",
     NULL},
    {"steps: [{run: ls, background: true, results: tap}]", 1, 46,
     "in the background has no results", NULL},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
        struct pipeline *pipeline = NULL;
        CLEANUP(mem)
        char *text = xasprintf(
            "%s\n%s", wrong[i].text,
            strstr(wrong[i].text, "steps:") ? "" : "steps: [{run: a}]");
        const struct diag *d;

        assert_int_equal(
            pipeline_load("f", text, strlen(text), diags, &pipeline), -1);
        assert_null(pipeline);
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
    static const char text[] = "name: 1\n"
                               "name: 2\n"
                               "tiemout: 30m\n"
                               "env: {BERTH: 1, A: !x y}\n"
                               "steps:\n"
                               "- {run: ls, if: brnch}\n"
                               "- {install: nmp, timeout: 5}\n";
    static const unsigned lines[] = {1, 2, 3, 4, 4, 6, 7, 7};
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct pipeline *pipeline = NULL;

    (void)state;
    assert_int_equal(pipeline_load("f", text, strlen(text), diags, &pipeline),
                     -1);
    assert_int_equal(diag_list_count(diags), ARRAY_LEN(lines));
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_int_equal(diag_list_at(diags, i)->line, lines[i]);
}

static void test_many_errors(void **state)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct pipeline *pipeline = NULL;

    (void)state;
    for (int i = 0; i < 500; i++)
        strbuf_addf(&text, "k%d: v\n", i);
    assert_int_equal(pipeline_load("f", text.data, text.len, diags, &pipeline),
                     -1);
    assert_int_equal(diag_list_count(diags), DIAG_MAX);
    assert_true(diag_list_truncated(diags));
}

/* Found by a slow input: every error cost a walk along a long line. */
static void test_errors_without_end(void **state)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct pipeline *pipeline = NULL;

    (void)state;
    strbuf_adds(&text, "env: &e {A: b");
    for (int i = 0; i < 150; i++) {
        strbuf_addf(&text, ", V%d: \"", i);
        for (int k = 0; k < EXPR_MAX_PARTS; k++)
            strbuf_adds(&text, "${{ rpo }}");
        strbuf_adds(&text, "\"");
    }
    strbuf_adds(&text, "}\nunknown: 1\nsteps: [{run: ls, env: *e, typo: 1}]");
    assert_int_equal(pipeline_load("f", text.data, text.len, diags, &pipeline),
                     -1);
    assert_int_equal(diag_list_count(diags), DIAG_MAX);
    assert_true(diag_list_truncated(diags));
}

/* ---- normalised ------------------------------------------------------------
 */

static void check_round_trip(const struct document *document, const char *file)
{
    CLEANUP(document) struct document *again = NULL;
    CLEANUP(mem) char *text = NULL;
    json_t *first = document_to_json(document), *read, *second;
    struct err err = {0};

    /* Through text, as it goes through the queue. */
    text = json_dumps(first, JSON_COMPACT);
    assert_non_null(text);
    read = json_loads(text, 0, NULL);
    assert_non_null(read);
    if (document_from_json(read, &again, &err) < 0)
        fail_msg("%s: %s", file, err.msg);
    second = document_to_json(again);
    if (!json_equal(first, second))
        fail_msg("%s: differs after a round trip", file);
    json_decref(first);
    json_decref(read);
    json_decref(second);
}

/* Calls `fn` for each document of a corpus; at least `min` of them. */
static void each(const char *dir_name, unsigned min,
                 void (*fn)(const char *file, const struct strbuf *text))
{
    DIR *dir = opendir(dir_name);
    struct dirent *entry;
    unsigned count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
        CLEANUP(mem) char *path = xasprintf("%s/%s", dir_name, entry->d_name);

        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(file_read(path, 2 << 20, &text, NULL), 0);
        fn(path, &text);
        count++;
    }
    (void)closedir(dir);
    assert_true(count >= min);
}

static void check_valid(const char *file, const struct strbuf *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(document) struct document *document = NULL;

    if (document_load(file, text->data, text->len, diags, &document) < 0)
        fail_msg("%s: %s", file, diag_list_at(diags, 0)->message);
    assert_int_equal(diag_list_count(diags), 0);
    check_round_trip(document, file);
}

static void check_invalid(const char *file, const struct strbuf *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    struct document *document = NULL;

    if (document_load(file, text->data, text->len, diags, &document) == 0)
        fail_msg("%s is valid", file);
    assert_null(document);
    assert_true(diag_list_count(diags) > 0);
    diag_list_render(diags, &out);
    assert_non_null(strstr(out.data, file));
}

static void test_corpus_valid(void **state)
{
    (void)state;
    each(CORPUS "/valid", 90, check_valid);
}

static void test_corpus_invalid(void **state)
{
    (void)state;
    each(CORPUS "/invalid", 250, check_invalid);
}

static void test_results(void **state)
{
    CLEANUP(pipeline)
    struct pipeline *p =
        load("steps: [{run: ls, results: [tap, {format: junit, files: a*}]}]");
    const struct step *step = &p->steps[0];
    json_t *got = pipeline_to_json(p);
    json_t *wanted =
        json_loads("[{\"format\": \"tap\"},"
                   " {\"format\": \"junit\", \"files\": [\"a*\"]}]",
                   0, NULL);

    (void)state;
    assert_int_equal(step->report_count, 2);
    assert_int_equal(step->reports[0].files.count, 0);
    assert_string_equal(step->reports[1].format, "junit");
    assert_string_equal(step->reports[1].files.items[0], "a*");
    assert_true(json_equal(
        json_object_get(json_array_get(json_object_get(got, "steps"), 0),
                        "results"),
        wanted));
    json_decref(got);
    json_decref(wanted);
}

/* What the loader lets through the reader has to know. */
static void test_formats(void **state)
{
    size_t count = 0;

    (void)state;
    for (; load_formats[count]; count++)
        assert_true(findings_format_find(load_formats[count]) >= 0);
    /* Not a model's answer, nor our own. */
    assert_int_equal(count, FINDINGS_FORMAT_COUNT - 2);
}

static void test_normalised(void **state)
{
    CLEANUP(pipeline)
    struct pipeline *p =
        load("name: n\nsteps: [{checkout: }, {run: ls, retry: 1}]");
    json_t *got = pipeline_to_json(p);
    json_t *wanted = json_loads(
        "{\"name\": \"n\", \"timeout\": \"1h\", \"env\": {},"
        " \"sandbox\": {\"image\": \"host\", \"instance_type\": \"standard-1\","
        " \"network\": \"none\", \"env\": {}},"
        " \"steps\": [{\"name\": \"checkout\","
        " \"checkout\": {\"submodules\": false},"
        " \"continue-on-error\": false},"
        " {\"name\": \"ls\", \"run\": [\"ls\"], \"shell\": \"sh\","
        " \"env\": {}, \"continue-on-error\": false,"
        " \"retry\": {\"max\": 1, \"when\": [\"step_failed\", \"timed_out\","
        " \"out_of_memory\", \"disk_full\", \"checkout_failed\"]}}]}",
        0, NULL);

    (void)state;
    assert_non_null(wanted);
    assert_true(json_equal(got, wanted));
    json_decref(got);
    json_decref(wanted);
}

static void refuse_json(json_t *json, const char *message)
{
    struct pipeline *p = NULL;
    struct err err = {0};

    assert_non_null(json);
    assert_int_equal(pipeline_from_json(json, &p, &err), -1);
    json_decref(json);
    assert_null(p);
    assert_int_equal(err.kind, ERR_USER);
    if (!strstr(err.msg, message))
        fail_msg("%s", err.msg);
}

static void test_from_json(void **state)
{
    json_t *deep = json_array();
    json_t *bare = json_pack("{s:[{s:s}]}", "steps", "run", "ls");
    CLEANUP(pipeline) struct pipeline *p = NULL;

    (void)state;
    assert_int_equal(pipeline_from_json(bare, &p, NULL), 0);
    assert_string_equal(p->name, "pipeline");
    json_decref(bare);
    refuse_json(
        json_pack("{s:{s:{s:[{s:s}]}}}", "jobs", "a", "steps", "run", "ls"),
        "several jobs, where one is wanted");
    refuse_json(json_pack("{s:{s:[i]}, s:[{s:s}]}", "matrix", "a", 1, "steps",
                          "run", "ls"),
                "several jobs, where one is wanted");
    refuse_json(json_object(), "needs the key 'steps'");
    refuse_json(json_null(), "is empty");
    refuse_json(json_array(), "a pipeline is a mapping");
    refuse_json(json_pack("{s:[{s:s}], s:s}", "steps", "run", "ls", "nam", "x"),
                "unknown key 'nam' in a pipeline; did you mean 'name'?");
    for (int i = 0; i < 40; i++)
        deep = json_pack("[o]", deep);
    refuse_json(deep, "nested deeper");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_file_names),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_instance_types),
        cmocka_unit_test(test_custom_instance_type),
        cmocka_unit_test(test_step_names),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_env_is_text),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_all_errors_are_listed),
        cmocka_unit_test(test_many_errors),
        cmocka_unit_test(test_errors_without_end),
        cmocka_unit_test(test_corpus_valid),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_corpus_invalid),
        cmocka_unit_test(test_normalised),
        cmocka_unit_test(test_from_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
