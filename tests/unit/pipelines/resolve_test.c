/* tests/unit/pipelines/resolve_test.c - from job document to what is run. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"
#include "pipelines/library.h"
#include "pipelines/resolve.h"
#include "tests/lib/unit.h"

#include <string.h>

#define REPO "repo: https://host/acme/app\n"
#define OID  "0123456789abcdef0123456789abcdef01234567"

static struct job_batch *load(const char *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct job_batch *batch = NULL;

    if (job_load("job.yml", text, strlen(text), diags, &batch) < 0)
        fail_msg("%s", diag_list_at(diags, 0)->message);
    return batch;
}

/* The first complaint about `job` with `text` (or none), or "". */
static char *finish(const struct job_batch *job, const char *text,
                    struct resolved *out)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct resolve_text found = {".berth/ci.yml", text,
                                 text ? strlen(text) : 0};
    CLEANUP(resolved) struct resolved ignored = {0};

    if (resolve_finish(&job->items[0], text ? &found : NULL, diags,
                       out ? out : &ignored) == 0) {
        assert_int_equal(diag_list_count(diags), 0);
        return xstrdup("");
    }
    assert_true(diag_list_count(diags) > 0);
    return xasprintf("%u: %s%s%s", diag_list_at(diags, 0)->line,
                     diag_list_at(diags, 0)->message,
                     diag_list_at(diags, 0)->hint ? "; " : "",
                     diag_list_at(diags, 0)->hint ? diag_list_at(diags, 0)->hint
                                                  : "");
}

static void assert_complains(const char *job_text, const char *text,
                             const char *says)
{
    CLEANUP(job_batch) struct job_batch *job = load(job_text);
    CLEANUP(mem) char *said = finish(job, text, NULL);

    if (!*said || !strstr(said, says))
        fail_msg("%s: %s", job_text, said);
}

static void assert_text(const char *got, const char *wanted)
{
    if (!wanted)
        assert_null(got);
    else
        assert_string_equal(got, wanted);
}

static void test_wants(void **state)
{
    static const struct {
        const char *job;
        const char *path, *commit, *ref, *branch;
    } cases[] = {
        {"kind: test", NULL, NULL, NULL, NULL},
        {"kind: test\n" REPO "trust: fork", NULL, NULL, NULL, NULL},
        {"pipeline: test", NULL, NULL, NULL, NULL},
        {"pipeline: {steps: [{run: ls}]}\n" REPO, NULL, NULL, NULL, NULL},
        {"pipeline: ci\n" REPO, ".berth/ci.yml", NULL, NULL, NULL},
        {"pipeline: ci/x.yml\n" REPO "ref: v1", "ci/x.yml", NULL, "v1", NULL},
        {"pipeline: ci\n" REPO "commit: " OID "\nbranch: x", ".berth/ci.yml",
         OID, NULL, "x"},
        {"pipeline: ci\n" REPO "commit: " OID "\nref: r\nbranch: x\n"
         "change: 5\nbase: main",
         ".berth/ci.yml", NULL, NULL, "main"},
        {"pipeline: ci\n" REPO "commit: " OID "\nchange: 5\nbase: main\n"
         "trust: member",
         ".berth/ci.yml", OID, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(job_batch) struct job_batch *job = load(cases[i].job);
        CLEANUP(resolve_source) struct resolve_source source = {0};
        struct err err = {0};

        assert_int_equal(resolve_wants(&job->items[0], &source, &err), 0);
        assert_text(source.path, cases[i].path);
        assert_text(source.commit, cases[i].commit);
        assert_text(source.ref, cases[i].ref);
        assert_text(source.branch, cases[i].branch);
    }
}

static void test_fork_without_base(void **state)
{
    CLEANUP(job_batch)
    struct job_batch *job = load("pipeline: ci\n" REPO "change: 5");
    CLEANUP(resolve_source) struct resolve_source source = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(resolve_wants(&job->items[0], &source, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "there is no `base`"));
    assert_null(source.path);
}

static void test_library(void **state)
{
    static const char *const jobs[] = {"kind: test\n" REPO,
                                       "pipeline: test\n" REPO};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        CLEANUP(job_batch) struct job_batch *job = load(jobs[i]);
        CLEANUP(resolved) struct resolved r = {0};
        CLEANUP(mem) char *said = finish(job, NULL, &r);

        assert_string_equal(said, "");
        assert_string_equal(r.document->name, "test");
        assert_non_null(r.document->description);
    }
}

/* What the repository has goes first; a kind is not the repository's. */
static void test_file(void **state)
{
    static const char text[] = "name: own\nsteps: [{run: ls}]";
    CLEANUP(job_batch) struct job_batch *job = load("pipeline: test\n" REPO);
    CLEANUP(job_batch) struct job_batch *kind = load("kind: test\n" REPO);
    CLEANUP(resolved) struct resolved own = {0};
    CLEANUP(resolved) struct resolved named = {0};
    CLEANUP(resolved) struct resolved shipped = {0};
    CLEANUP(mem) char *one = finish(job, text, &own);
    CLEANUP(mem) char *two = finish(job, "steps: [{run: ls}]", &named);
    CLEANUP(mem) char *three = finish(kind, text, &shipped);

    (void)state;
    assert_string_equal(one, "");
    assert_string_equal(own.document->name, "own");
    assert_string_equal(two, "");
    assert_string_equal(named.document->name, "ci");
    assert_string_equal(three, "");
    assert_string_equal(shipped.document->name, "test");
}

static void test_inline(void **state)
{
    CLEANUP(job_batch)
    struct job_batch *job =
        load("pipeline: {name: mine, matrix: {n: [1, 2]}, steps: [{run: ls}]}");
    CLEANUP(resolved) struct resolved r = {0};
    CLEANUP(mem) char *said = finish(job, NULL, &r);
    json_t *a, *b;

    (void)state;
    assert_string_equal(said, "");
    assert_ptr_not_equal(r.document, job->items[0].document);
    a = document_to_json(r.document);
    b = document_to_json(job->items[0].document);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
}

static void test_missing(void **state)
{
    (void)state;
    assert_complains("pipeline: tset", NULL, "without `repo`");
    assert_complains("pipeline: tests", NULL, "; test");
    assert_complains("pipeline: ci\n" REPO, NULL,
                     "no file .berth/ci.yml at the commit");
    assert_complains("pipeline: ci.yml\n" REPO "change: 5\nbase: main", NULL,
                     "no file ci.yml at the base branch");
}

static void test_facts(void **state)
{
    CLEANUP(job_batch)
    struct job_batch *job =
        load("pipeline: ci\n" REPO "commit: " OID "\nbranch: x\nchange: 5\n"
             "base: main\ninputs: {node: 20}\nenv: {A: '${{ no }}'}\n"
             "labels: [arm, gpu]\nconcurrency: c-${{ change }}");
    CLEANUP(resolved) struct resolved r = {0};
    CLEANUP(mem)
    char *said = finish(job,
                        "labels: [gpu, 'n${{ inputs.node }}']\n"
                        "concurrency: theirs\nenv: {B: b}\n"
                        "steps: [{run: ls}]",
                        &r);
    CLEANUP(plan) struct plan *plan = NULL;
    struct err err = {0};

    (void)state;
    assert_string_equal(said, "");
    assert_string_equal(r.facts.repo, "https://host/acme/app");
    assert_string_equal(r.facts.commit, OID);
    assert_string_equal(r.facts.branch, "x");
    assert_string_equal(r.facts.change, "5");
    assert_string_equal(r.facts.base, "main");
    assert_string_equal(r.facts.trust, "fork");
    assert_int_equal(r.document->jobs[0].pipeline->env.count, 1);
    assert_int_equal(plan_make(r.document, &r.facts, &plan, &err), 0);
    assert_string_equal(plan->concurrency_group, "c-5");
    assert_int_equal(plan->jobs[0].labels.count, 3);
    assert_string_equal(plan->jobs[0].labels.items[0], "gpu");
    assert_string_equal(plan->jobs[0].labels.items[1], "n20");
    assert_string_equal(plan->jobs[0].labels.items[2], "arm");
}

static void test_checks(void **state)
{
    CLEANUP(strbuf) struct strbuf labels = STRBUF_INIT;

    (void)state;
    assert_complains("pipeline: ci\n" REPO, "steps: [{rnu: ls}]", "1: ");
    assert_complains("pipeline: ci\n" REPO, "", "empty");
    assert_complains("kind: test", NULL, "there is no `repo`");
    assert_complains("pipeline: ci\n" REPO "inputs: {os: 'a b'}",
                     "labels: ['${{ inputs.os }}']\nsteps: [{run: ls}]",
                     "is not a label");
    /* Without the input the label is empty. */
    assert_complains("pipeline: ci\n" REPO,
                     "labels: ['${{ inputs.os }}']\nsteps: [{run: ls}]",
                     "is not a label");
    strbuf_adds(&labels, "pipeline: ci\n" REPO "labels: [");
    for (int i = 0; i < DOCUMENT_MAX_LABELS; i++)
        strbuf_addf(&labels, "l%d, ", i);
    strbuf_adds(&labels, "]");
    assert_complains(labels.data, "labels: [x]\nsteps: [{run: ls}]",
                     "more than 20 labels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wants),
        cmocka_unit_test(test_fork_without_base),
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_inline),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_checks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
