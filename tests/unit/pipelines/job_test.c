/* tests/unit/pipelines/job_test.c - job documents, loaded and normalised. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/yaml_tree.h"
#include "pipelines/diag.h"
#include "pipelines/job.h"
#include "tests/lib/unit.h"

#include <dirent.h>
#include <string.h>

#define CORPUS "tests/corpus/jobs"

static struct job_batch *load(const char *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct job_batch *batch = NULL;

    if (job_load("job.yml", text, strlen(text), diags, &batch) < 0)
        fail_msg("%u:%u: %s", diag_list_at(diags, 0)->line,
                 diag_list_at(diags, 0)->column,
                 diag_list_at(diags, 0)->message);
    return batch;
}

static void test_defaults(void **state)
{
    CLEANUP(job_batch) struct job_batch *batch = load("kind: test");
    const struct job_request *r = &batch->items[0];

    (void)state;
    assert_false(batch->is_list);
    assert_int_equal(batch->count, 1);
    assert_null(r->id);
    assert_int_equal(r->source, JOB_KIND);
    assert_string_equal(r->pipeline_name, "test");
    assert_null(r->repo);
    assert_false(r->fork);
    assert_int_equal(r->priority, JOB_NORMAL);
    assert_null(r->dedupe_key);
    assert_null(r->concurrency.group);
    assert_int_equal(r->not_before.kind, JOB_NO_MOMENT);
    assert_int_equal(job_moment_at(&r->deadline, 1000), 0);
    assert_null(r->report);
}

static void test_everything(void **state)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(job_batch) struct job_batch *batch = NULL;
    const struct job_request *r;

    (void)state;
    assert_int_equal(
        file_read(CORPUS "/valid/everything.yml", 1 << 20, &text, NULL), 0);
    batch = load(text.data);
    r = &batch->items[0];
    assert_string_equal(r->id, "app-42");
    assert_string_equal(r->repo, "git@git.example.com:acme/app.git");
    assert_string_equal(r->commit, "0123456789abcdef0123456789abcdef01234567");
    assert_string_equal(r->ref, "refs/pull/42/head");
    assert_string_equal(r->branch, "feature/x");
    assert_string_equal(r->base, "main");
    assert_string_equal(r->change, "42");
    assert_true(r->fork);
    assert_int_equal(r->inputs.count, 4);
    assert_string_equal(r->inputs.items[0].value, "20");
    assert_string_equal(r->inputs.items[1].value, "true");
    assert_string_equal(r->inputs.items[2].value, "");
    assert_string_equal(r->inputs.items[3].value, "${{ not expanded }}");
    assert_string_equal(r->env.items[0].value, "3");
    assert_int_equal(r->priority, JOB_HIGH);
    assert_string_equal(r->dedupe_key, "app-42-head");
    assert_int_equal(r->dedupe_ms, 600000);
    assert_string_equal(r->concurrency.group, "${{ repo }}-${{ change }}");
    assert_true(r->concurrency.cancel_in_progress);
    assert_int_equal(job_moment_at(&r->not_before, 1000), 301000);
    assert_int_equal(job_moment_at(&r->deadline, 1000), 7201000);
    assert_int_equal(r->labels.count, 2);
    assert_int_equal(r->retries, 2);
    assert_string_equal(json_string_value(json_object_get(r->report, "forge")),
                        "github");
    assert_true(json_is_null(json_object_get(r->report, "nothing")));
}

static void test_moments(void **state)
{
    CLEANUP(job_batch)
    struct job_batch *batch =
        load("kind: test\nnot_before: 2026-11-23T22:00:00.250+01:00");

    (void)state;
    assert_int_equal(batch->items[0].not_before.kind, JOB_AT);
    assert_int_equal(job_moment_at(&batch->items[0].not_before, 5),
                     INT64_C(1795467600250));
}

/* A change is a stranger's unless somebody says it is not. */
static void test_trust(void **state)
{
    static const struct {
        const char *text;
        bool fork;
    } cases[] = {
        {"", false},
        {"change: 1", true},
        {"change: 1\ntrust: member", false},
        {"trust: fork", true},
        {"trust: fork\nchange: 1", true},
        {"ref: refs/pull/1/head", true},
        {"ref: pull/1/merge", true},
        {"ref: refs/merge-requests/1/head", true},
        {"ref: refs/changes/01/1/1\ntrust: member", false},
        {"ref: refs/heads/pull", false},
        {"ref: refs/tags/v1", false},
        {"ref: pull", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem)
        char *text = xasprintf("kind: test\nrepo: /r\n%s", cases[i].text);
        CLEANUP(job_batch) struct job_batch *batch = load(text);

        assert_int_equal(batch->items[0].fork, cases[i].fork);
    }
}

static void test_change_is_text(void **state)
{
    CLEANUP(job_batch)
    struct job_batch *batch =
        load("[{kind: test, repo: /r, change: 0x10}, "
             "{kind: test, repo: /r, change: MR-7}, "
             "{kind: test, repo: /r, change: 9007199254740991}]");

    (void)state;
    assert_true(batch->is_list);
    assert_string_equal(batch->items[0].change, "16");
    assert_string_equal(batch->items[1].change, "MR-7");
    assert_string_equal(batch->items[2].change, "9007199254740991");
}

static void test_sources(void **state)
{
    CLEANUP(job_batch)
    struct job_batch *batch = load(
        "- {pipeline: nightly}\n"
        "- {pipeline: .berth/x/y.yaml}\n"
        "- pipeline: {name: n, matrix: {a: [1, 2]}, steps: [{run: ls}]}\n");

    (void)state;
    assert_int_equal(batch->items[0].source, JOB_PIPELINE);
    assert_string_equal(batch->items[1].pipeline_name, ".berth/x/y.yaml");
    assert_null(batch->items[1].document);
    assert_int_equal(batch->items[2].source, JOB_INLINE);
    assert_null(batch->items[2].pipeline_name);
    assert_string_equal(batch->items[2].document->name, "n");
    assert_int_equal(batch->items[2].document->jobs[0].matrix.count, 2);
}

static void test_paths(void **state)
{
    static const struct {
        const char *name, *path;
    } cases[] = {
        {"nightly", ".berth/nightly.yml"},
        {"ci.yml", "ci.yml"},
        {".berth/a/b.yaml", ".berth/a/b.yaml"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem) char *path = job_pipeline_path(cases[i].name);

        assert_string_equal(path, cases[i].path);
    }
}

/* ---- errors ----------------------------------------------------------------
 */

static const struct {
    const char *text;
    unsigned line, column;
    const char *message, *hint;
} wrong[] = {
    {"repo: /r", 1, 1, "needs `kind` or `pipeline`", NULL},
    {"kind: test\npipeline: x", 1, 7, "exclude each other", NULL},
    {"kind: tset", 1, 7, "not one of: test, review, nightly", "test"},
    {"pipeline: a b", 1, 11, "neither the name", NULL},
    {"pipeline: [a]", 1, 11, "not a list", NULL},
    /* In an inline pipeline places are those of the document. */
    {"- kind: test\n- pipeline:\n    steps:\n      - {run: ls, tiemout: 1m}", 4,
     19, "unknown key 'tiemout' in a step", "timeout"},
    {"pipeline:\n  matrix: {n: [1]}\n  steps: [{run: ls, if: matrix.m}]", 3, 32,
     "the matrix has no 'm'", NULL},
    {"pipeline: {steps: [{checkout: }]}", 1, 1, "there is no `repo`", NULL},
    {"kind: test\nrepo: acme/app", 2, 7, "is no repository", NULL},
    {"kind: test\nchange: 1", 2, 9, "says nothing without `repo`", NULL},
    {"kind: test\nid: X", 2, 5, "an id has small letters", NULL},
    {"kind: test\nid: 7", 2, 5, "must be a string", "\"7\""},
    {"kind: test\npriorty: low", 2, 1, "unknown key 'priorty'", "priority"},
    {"kind: test\npriority: hihg", 2, 11, "not one of", "high"},
    {"kind: test\ndelay: 5m", 2, 1, "write not_before", NULL},
    {"kind: test\nnot_before: 5", 2, 13, "must be a string", "\"5\""},
    {"kind: test\nnot_before: 2026-02-30T00:00:00Z", 2, 13, "no such day",
     NULL},
    {"kind: test\nnot_before: 2h\ndeadline: 1h", 3, 11, "not after", NULL},
    {"kind: test\nlabels: [\"${{ trust }}\"]", 2, 10, "is not a label", NULL},
    {"kind: test\ninputs: {a: [1]}", 2, 13, "a value is a text", NULL},
    {"kind: test\nreport: {to: x}", 2, 9, "needs the key 'forge'", NULL},
    {"kind: test\nreport: {forge: x, repo: app}", 2, 26, "is owner/name", NULL},
    {"kind: test\nreport: {forge: x, repo: \"a/b:c\"}", 2, 26, "is owner/name",
     NULL},
    {"kind: test\nreport: {forge: x, commit: abc}", 2, 28, "hexadecimal", NULL},
    {"kind: test\nreport: {forge: x, change: -1}", 2, 28, "is its number",
     NULL},
    {"kind: test\nreport: {forge: x, change: [1]}", 2, 28, "is its number",
     NULL},
    {"kind: test\nreport: {forge: x, installation: \"1\"}", 2, 34,
     "is its number", NULL},
    {"kind: test\nreport: {forge: x, name: \"\"}", 2, 26, "a line of 1", NULL},
    {"kind: test\nreport: {forge: x, fork: 1}", 2, 26, "true or false", NULL},
    {"- {kind: test, id: a}\n- {kind: test, id: a}", 2, 20, "there twice",
     NULL},
    {"[]", 1, 1, "1 to 1000 jobs", NULL},
    {"", 1, 1, "is empty", NULL},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
        struct job_batch *batch = NULL;
        const struct diag *d;

        assert_int_equal(
            job_load("f", wrong[i].text, strlen(wrong[i].text), diags, &batch),
            -1);
        assert_null(batch);
        d = diag_list_at(diags, 0);
        if (!strstr(d->message, wrong[i].message) || d->line != wrong[i].line ||
            d->column != wrong[i].column ||
            strcmp(d->hint ? d->hint : "",
                   wrong[i].hint ? wrong[i].hint : "") != 0)
            fail_msg("%s: %u:%u: %s (%s)", wrong[i].text, d->line, d->column,
                     d->message, d->hint ? d->hint : "");
    }
}

/* As many jobs as there may be, in the largest document: nothing else is in the
 * way. */
static void test_largest_batch(void **state)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(job_batch) struct job_batch *batch = NULL;

    (void)state;
    for (int i = 0; i < JOB_MAX_BATCH; i++) {
        strbuf_addf(&text, "- id: job-%d\n  pipeline:\n    steps:\n", i);
        for (int step = 0; step < 37; step++)
            strbuf_addf(&text, "    - { run: make %d }\n", 100000 + step);
    }
    assert_in_range(text.len, YAML_MAX_BYTES - 50000, YAML_MAX_BYTES);
    batch = load(text.data);
    assert_int_equal(batch->count, JOB_MAX_BATCH);
}

static void test_all_errors_are_listed(void **state)
{
    static const char text[] = "- kind: tset\n"
                               "  repo: x\n"
                               "- pipeline:\n"
                               "    steps: [{rnu: ls}]\n"
                               "    labels: [-]\n"
                               "  trust: none\n"
                               "- kind: test\n";
    static const unsigned lines[] = {1, 2, 4, 4, 5, 6};
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct job_batch *batch = NULL;

    (void)state;
    assert_int_equal(job_load("f", text, strlen(text), diags, &batch), -1);
    assert_int_equal(diag_list_count(diags), ARRAY_LEN(lines));
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_int_equal(diag_list_at(diags, i)->line, lines[i]);
}

/* ---- the corpus ------------------------------------------------------------
 */

static void check_round_trip(const char *file, const struct job_request *r)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(job_batch) struct job_batch *again = NULL;
    json_t *first = job_to_json(r), *second;
    CLEANUP(mem) char *text = json_dumps(first, JSON_COMPACT);

    assert_non_null(text);
    if (job_load(file, text, strlen(text), diags, &again) < 0)
        fail_msg("%s: %s: %s", file, text, diag_list_at(diags, 0)->message);
    second = job_to_json(&again->items[0]);
    if (!json_equal(first, second))
        fail_msg("%s: differs after a round trip", file);
    json_decref(first);
    json_decref(second);
}

static void check_valid(const char *file, const struct strbuf *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(job_batch) struct job_batch *batch = NULL;

    if (job_load(file, text->data, text->len, diags, &batch) < 0)
        fail_msg("%s: %s", file, diag_list_at(diags, 0)->message);
    for (size_t i = 0; i < batch->count && i < 20; i++)
        check_round_trip(file, &batch->items[i]);
}

static void check_invalid(const char *file, const struct strbuf *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct job_batch *batch = NULL;

    if (job_load(file, text->data, text->len, diags, &batch) == 0)
        fail_msg("%s is valid", file);
    assert_null(batch);
    assert_true(diag_list_count(diags) > 0);
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

static void test_corpus_valid(void **state)
{
    (void)state;
    each(CORPUS "/valid", 30, check_valid);
}

static void test_corpus_invalid(void **state)
{
    (void)state;
    each(CORPUS "/invalid", 100, check_invalid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_change_is_text),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_largest_batch),
        cmocka_unit_test(test_all_errors_are_listed),
        cmocka_unit_test(test_corpus_valid),
        cmocka_unit_test(test_corpus_invalid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
