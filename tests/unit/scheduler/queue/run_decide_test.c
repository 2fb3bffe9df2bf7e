/* tests/unit/scheduler/queue/run_decide_test.c - the next step of a run. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/run_decide.h"

#include "base/strbuf.h"
#include "pipelines/diag.h"
#include "tests/lib/unit.h"

#include <string.h>

#define STEPS "steps: [{run: ls}]"

static const struct plan_facts facts = {.repo = "acme/app", .branch = "main"};

/* A run in a test: its states, one letter a job, as in `letters`. */
struct fixture {
    struct document *document;
    struct plan *plan;
};

static const char letters[] = {
    [RUN_NOT_BEGUN] = '.', [RUN_ACTIVE] = 'a',    [RUN_PASSED] = 'p',
    [RUN_FAILED] = 'f',    [RUN_CANCELLED] = 'c', [RUN_SKIPPED] = 's'};

static void setup(struct fixture *f, const char *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct err err = {0};

    if (document_load("ci.yml", text, strlen(text), diags, &f->document) < 0)
        fail_msg("%s", diag_list_at(diags, 0)->message);
    if (plan_make(f->document, &facts, &f->plan, &err) < 0)
        fail_msg("%s", err.msg);
}

static void teardown(struct fixture *f)
{
    plan_free(f->plan);
    document_free(f->document);
}

static void read_states(const char *text, size_t count,
                        enum run_state states[DOCUMENT_MAX_ROWS])
{
    assert_int_equal(strlen(text), count);
    for (size_t i = 0; i < count; i++) {
        const char *at = memchr(letters, text[i], sizeof(letters));

        assert_non_null(at);
        states[i] = (enum run_state)(at - letters);
    }
}

static void add_list(struct strbuf *out, char mark, const size_t *list,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        strbuf_addf(out, "%c%zu ", mark, list[i]);
}

/* `+0 ` starts job 0, `s1 ` skips, `-2 ` cancels; then the outcome; `…`: more
 */
static void expect_some(const struct fixture *f, const char *states_text,
                        bool cancelled, size_t max_start, const char *wanted)
{
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    CLEANUP(run_decision) struct run_decision decision = {0};
    enum run_state states[DOCUMENT_MAX_ROWS];
    struct err err = {0};

    read_states(states_text, f->plan->job_count, states);
    if (run_decide(f->plan, &facts, states, cancelled, max_start, &decision,
                   &err) < 0)
        fail_msg("%s", err.msg);
    add_list(&got, '+', decision.start, decision.start_count);
    add_list(&got, 's', decision.skip, decision.skip_count);
    add_list(&got, '-', decision.cancel, decision.cancel_count);
    strbuf_addf(&got, "%s%s", plan_outcome_name(decision.outcome),
                decision.more ? "…" : "");
    assert_string_equal(got.data, wanted);
}

static void expect(const struct fixture *f, const char *states,
                   const char *wanted)
{
    expect_some(f, states, false, 50, wanted);
}

static void expect_cancelled(const struct fixture *f, const char *states,
                             const char *wanted)
{
    expect_some(f, states, true, 50, wanted);
}

static void test_needs(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "jobs:\n"
              "  a: {" STEPS "}\n"
              "  b: {needs: a, " STEPS "}\n"
              "  c: {needs: [a, b], " STEPS "}\n"
              "  d: {needs: b, if: failure(), " STEPS "}\n"
              "  e: {needs: [c, d], if: always(), " STEPS "}\n");
    expect(&f, ".....", "+0 pending");
    expect(&f, "a....", "pending");
    expect(&f, "p....", "+1 pending");
    expect(&f, "pp...", "+2 s3 pending");
    expect(&f, "pf...", "+3 s2 pending");
    expect(&f, "ppps.", "+4 pending");
    /* What is skipped decides those that need it, whatever their order. */
    expect(&f, "f....", "+4 s1 s2 s3 pending");
    expect(&f, "ppspp", "success");
    expect(&f, "pfspp", "failure");
    expect(&f, "pcssp", "cancelled");
    expect(&f, "sssss", "skipped");
    teardown(&f);
}

static void test_skipped_at_once(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "jobs:\n"
              "  c: {needs: b, " STEPS "}\n"
              "  b: {needs: a, " STEPS "}\n"
              "  a: {if: \"branch == 'other'\", " STEPS "}\n");
    expect(&f, "...", "s2 s1 s0 skipped");
    teardown(&f);
}

static void test_max_parallel(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "jobs:\n"
              "  m:\n"
              "    matrix: {n: [1, 2, 3, 4], max-parallel: 2,"
              " fail-fast: false}\n"
              "    " STEPS "\n"
              "  z: {needs: m, " STEPS "}\n");
    expect(&f, ".....", "+0 +1 pending");
    expect(&f, "aa...", "pending");
    expect(&f, "ap...", "+2 pending");
    expect(&f, "fp...", "+2 +3 pending");
    expect(&f, "pppa.", "pending");
    expect(&f, "fppp.", "s4 failure");
    expect(&f, "pppp.", "+4 pending");
    teardown(&f);
}

static void test_fail_fast(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "jobs:\n"
              "  m:\n"
              "    matrix: {n: [1, 2, 3, 4], max-parallel: 3}\n"
              "    " STEPS "\n"
              "  z: {needs: m, if: always(), " STEPS "}\n"
              "  y: {" STEPS "}\n");
    expect(&f, "apa..a", "+3 pending");
    /* The group ends first; another group goes on. */
    expect(&f, "afa..a", "s3 -0 -2 pending");
    expect(&f, "cfcs.a", "+4 pending");
    expect(&f, "cfcspp", "failure");
    /* A sibling that was cancelled is not one that failed. */
    expect(&f, "cpa..p", "+3 pending");
    teardown(&f);
}

static void test_room(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "jobs:\n"
              "  m:\n"
              "    matrix: {n: [1, 2, 3, 4, 5]}\n"
              "    " STEPS "\n");
    expect_some(&f, ".....", false, 2, "+0 +1 pending…");
    expect_some(&f, "aa...", false, 2, "+2 +3 pending…");
    expect_some(&f, "aaaa.", false, 2, "+4 pending");
    expect_some(&f, "aaaaa", false, 2, "pending");
    teardown(&f);
}

static void test_cancel(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "jobs:\n"
              "  a: {" STEPS "}\n"
              "  b: {needs: a, " STEPS "}\n"
              "  c: {needs: a, if: always(), " STEPS "}\n"
              "  d: {needs: b, if: cancelled(), " STEPS "}\n"
              "  e: {if: failure(), " STEPS "}\n");
    expect_cancelled(&f, "a....", "s4 pending");
    expect_cancelled(&f, "c....", "+2 +3 s1 s4 pending");
    /* One that passed nevertheless does not let others begin. */
    expect_cancelled(&f, "p...s", "+2 +3 s1 pending");
    expect_cancelled(&f, "csaas", "pending");
    expect_cancelled(&f, "cspps", "cancelled");
    expect_cancelled(&f, "ppsss", "success");
    teardown(&f);
}

static void test_single(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "matrix: {n: [1, 2]}\n" STEPS "\n");
    expect(&f, "..", "+0 +1 pending");
    expect(&f, "pp", "success");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_skipped_at_once),
        cmocka_unit_test(test_max_parallel),
        cmocka_unit_test(test_fail_fast),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_single),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
