/* tests/unit/base/helper_test.c - programs beside a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/helper.h"
#include "tests/lib/unit.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>

struct seen {
    struct helper *helper; /* owned; freed by the callback */
    int calls, status;
    struct strbuf output; /* owned */
    struct err err;
};

static void on_end(void *arg, int status, struct strbuf *output,
                   const struct err *err)
{
    struct seen *seen = arg;

    seen->calls++;
    seen->status = status;
    strbuf_add(&seen->output, output->data, output->len);
    if (err)
        seen->err = *err;
    helper_free(STEAL(seen->helper));
}

static void start(struct loop *loop, const char *script, struct seen *seen)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct helper_spec spec = {
        .name = "sh",
        .proc = {.argv = argv, .in = PROC_NULL, .err = PROC_NULL},
        .max_output = 100000,
        .timeout_ms = 5000};
    struct err err;

    *seen = (struct seen){.output = STRBUF_INIT};
    assert_int_equal(
        helper_start(loop, &spec, on_end, seen, &seen->helper, &err), 0);
    assert_int_equal(seen->calls, 0);
}

static bool has_children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Whom it stopped the loop reaps. */
static void see_it_reaped(struct loop *loop)
{
    int64_t until = clock_mono_ms() + 30000;

    while (has_children() && clock_mono_ms() < until)
        assert_int_equal(loop_step(loop, 20, NULL), 0);
    assert_false(has_children());
}

static void run(const char *script, struct seen *seen)
{
    CLEANUP(loop) struct loop *loop = NULL;

    assert_int_equal(loop_new(&loop, NULL), 0);
    start(loop, script, seen);
    while (!seen->calls)
        assert_int_equal(loop_step(loop, 5000, NULL), 0);
    see_it_reaped(loop);
    assert_int_equal(seen->calls, 1);
}

static void tells_what_it_said(void **state UNUSED)
{
    struct seen seen;

    run("echo a; echo b; exit 3", &seen);
    assert_int_equal(seen.err.kind, ERR_NONE);
    assert_int_equal(seen.status, 3);
    assert_string_equal(seen.output.data, "a\nb\n");
    strbuf_clear(&seen.output);
    run("head -c 90000 /dev/zero", &seen);
    assert_int_equal(seen.status, 0);
    assert_int_equal(seen.output.len, 90000);
    strbuf_clear(&seen.output);
}

/* What it started may hold its stdout: nobody waits for that. */
static void does_not_wait_for_grandchildren(void **state UNUSED)
{
    struct seen seen;

    run("sleep 60 & echo $!; exit 0", &seen);
    assert_int_equal(seen.err.kind, ERR_NONE);
    assert_int_equal(kill((pid_t)strtol(seen.output.data, NULL, 10), SIGKILL),
                     0);
    strbuf_clear(&seen.output);
}

static void stops_what_goes_wrong(void **state UNUSED)
{
    static const struct {
        const char *script, *message;
        enum err_kind kind;
    } cases[] = {
        {"cat /dev/zero", "sh said far too much", ERR_BUG},
        {"exec sleep 60", "sh took too long and was stopped", ERR_TIMEOUT},
        {"kill -KILL $$", "sh died of signal 9", ERR_TRANSIENT},
        {"kill -SEGV $$", "sh died of signal 11", ERR_BUG},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seen seen;

        run(cases[i].script, &seen);
        assert_string_equal(seen.err.msg, cases[i].message);
        assert_int_equal(seen.err.kind, cases[i].kind);
        strbuf_clear(&seen.output);
    }
}

/* It dies at once, and the loop reaps it. */
static void free_does_not_wait(void **state UNUSED)
{
    CLEANUP(loop) struct loop *loop = NULL;
    struct seen seen;

    assert_int_equal(loop_new(&loop, NULL), 0);
    start(loop, "exec sleep 60", &seen);
    helper_free(STEAL(seen.helper));
    see_it_reaped(loop);
    assert_int_equal(seen.calls, 0);
}

static void says_what_is_missing(void **state UNUSED)
{
    CLEANUP(loop) struct loop *loop = NULL;
    const char *const argv[] = {"/nonexistent/program", NULL};
    const struct helper_spec spec = {.name = "p", .proc = {.argv = argv}};
    struct helper *helper = NULL;
    struct err err;

    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(helper_start(loop, &spec, on_end, NULL, &helper, &err),
                     -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_null(helper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_it_said),
        cmocka_unit_test(does_not_wait_for_grandchildren),
        cmocka_unit_test(stops_what_goes_wrong),
        cmocka_unit_test(free_does_not_wait),
        cmocka_unit_test(says_what_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
