/* tests/unit/pipelines/schedule_test.c - lists of schedules. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "pipelines/schedule.h"
#include "tests/lib/unit.h"

#include <string.h>

static void on_error(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    strbuf_addf(arg, "%u:%u: %s%s%s\n", pos.line, pos.column, message,
                hint ? "; " : "", hint ? hint : "");
}

/* NULL: refused, and `errors` says why. */
static struct schedule_list *load(const char *text, struct strbuf *errors)
{
    CLEANUP(yaml_tree)
    struct yaml_tree *tree =
        yaml_tree_parse(text, strlen(text), on_error, errors);
    struct schedule_list *list = NULL;
    int rc;

    assert_non_null(tree);
    rc = schedule_load(tree, yaml_tree_root(tree), on_error, errors, &list);
    assert_int_equal(rc == 0, errors->len == 0);
    assert_int_equal(rc == 0, list != NULL);
    return list;
}

static void expect(const char *text, const char *wanted)
{
    CLEANUP(strbuf) struct strbuf errors = STRBUF_INIT;

    schedule_list_free(load(text, &errors));
    assert_string_equal(errors.data, wanted);
}

static void test_none(void **state)
{
    CLEANUP(schedule_list) struct schedule_list *list = NULL;

    (void)state;
    expect("[]\n", "");
    expect("# nothing\n", "");
    assert_int_equal(schedule_load(NULL, NULL, on_error, NULL, &list), 0);
    assert_int_equal(list->count, 0);
}

/* It does not borrow from the document. */
static void test_everything(void **state)
{
    CLEANUP(strbuf) struct strbuf errors = STRBUF_INIT;
    CLEANUP(schedule_list)
    struct schedule_list *list =
        load("- name: nightly-1\n"
             "  cron: 30 2 * * *\n"
             "  zone: Europe/Berlin\n"
             "  catch_up: all\n"
             "  jitter: 24h\n"
             "  job: {kind: test, repo: /srv/r, not_before: 5m, deadline: 1h}\n"
             "- {name: b, cron: '@daily', job: {pipeline: {steps: [{run: "
             "ls}]}}}\n",
             &errors);
    const struct schedule *s = list->items;
    int64_t due_ms;

    (void)state;
    assert_int_equal(list->count, 2);
    assert_string_equal(s->name, "nightly-1");
    assert_string_equal(s->zone_name, "Europe/Berlin");
    assert_int_equal(s->catch_up, CRON_ALL);
    assert_int_equal(s->jitter_ms, SCHEDULE_MAX_JITTER_MS);
    assert_int_equal(s->job->count, 1);
    assert_false(s->job->is_list);
    assert_null(s->job->items[0].id);
    assert_string_equal(s->job->items[0].repo, "/srv/r");
    /* From 2026-01-01T00:00:00Z: half past two in Berlin. */
    assert_true(cron_next(&s->cron, s->zone, INT64_C(1767225600000), &due_ms));
    assert_int_equal(due_ms, INT64_C(1767231000000));
    assert_string_equal(s[1].zone_name, "UTC");
    assert_true(
        cron_next(&s[1].cron, s[1].zone, INT64_C(1767225600000), &due_ms));
    assert_int_equal(due_ms, INT64_C(1767312000000));
    assert_int_equal(s[1].catch_up, CRON_SKIP);
    assert_int_equal(s[1].jitter_ms, 0);
    assert_int_equal(s[1].job->items[0].source, JOB_INLINE);
}

#define JOB "job: {kind: test, repo: /r}"

static void test_errors(void **state)
{
    (void)state;
    expect("{}\n", "1:1: schedules are a list of at most 1000 mappings\n");
    expect("- x\n", "1:3: a schedule is a mapping (KEY: VALUE), not a "
                    "string\n");
    expect("- {name: A, cron: '@daily', " JOB "}\n",
           "1:10: the name of a schedule has small letters, digits and -, the "
           "first none, at most 40\n");
    expect("- {name: a, cron: 0 25 * * *, " JOB "}\n",
           "1:21: '0 25 * * *': hour: '25': this must be from 0 to 23\n");
    expect("- {name: a, cron: 0 0 30 2 *, " JOB "}\n",
           "1:19: it is never due\n");
    expect("- {name: a, cron: '@daily', zone: Mars/Base, " JOB "}\n",
           "1:35: there is no time zone 'Mars/Base'\n");
    expect("- {name: a, cron: '@daily', catch_up: al, " JOB "}\n",
           "1:39: 'al' is not one of: skip, one, all; all\n");
    expect("- {name: a, cron: '@daily', jitter: 25h, " JOB "}\n",
           "1:37: a jitter is at most a day\n");
    expect("- {name: a, cron: '@daily', tz: UTC, " JOB "}\n",
           "1:29: unknown key 'tz' in a schedule: write zone\n");
}

static void test_errors_of_jobs(void **state)
{
    (void)state;
    expect("- name: a\n  cron: '@daily'\n  job:\n    kind: tset\n"
           "    repo: /r\n",
           "4:11: 'tset' is not one of: test, review, nightly, codegen, "
           "batch; test\n");
    expect("- {name: a, cron: '@daily', job: {id: x, kind: test, repo: /r}}\n",
           "1:39: a schedule's job has no id: each firing gets its own\n");
    expect("- {name: a, cron: '@daily', job: {kind: test, repo: /r, deadline: "
           "2030-01-01T00:00:00Z}}\n",
           "1:67: 'deadline' of a schedule's job is a delay (10m), no fixed "
           "moment\n");
    expect("- {name: a, cron: '@daily', job: [{kind: test, repo: /r}]}\n",
           "1:34: a job document is a mapping (KEY: VALUE), not a list\n");
}

/* All errors of all schedules, each once. */
static void test_all_are_listed(void **state)
{
    (void)state;
    expect("- {name: a, cron: x, " JOB "}\n"
           "- {name: a, cron: '@daily', zone: Mars/Base, " JOB "}\n",
           "1:19: 'x': minute: 'x': a number or * belongs here\n"
           "2:35: there is no time zone 'Mars/Base'\n"
           "2:10: the schedule 'a' is there twice\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_errors_of_jobs),
        cmocka_unit_test(test_all_are_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
