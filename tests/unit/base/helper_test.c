/* tests/unit/base/helper_test.c - programs beside a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/helper.h"
#include "tests/lib/unit.h"

#include <stdbool.h>
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
        .timeout_ms = 2000};
    struct err err;

    *seen = (struct seen){.output = STRBUF_INIT};
    assert_int_equal(
        helper_start(loop, &spec, on_end, seen, &seen->helper, &err), 0);
    assert_int_equal(seen->calls, 0);
}

static void run(const char *script, struct seen *seen)
{
    CLEANUP(loop) struct loop *loop = NULL;

    assert_int_equal(loop_new(&loop, NULL), 0);
    start(loop, script, seen);
    while (!seen->calls)
        assert_int_equal(loop_step(loop, 5000, NULL), 0);
    assert_int_equal(loop_step(loop, 20, NULL), 0);
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
    int64_t began = clock_mono_ms();
    struct seen seen;

    run("echo a; sleep 2 & exit 0", &seen);
    assert_true(clock_mono_ms() - began < 1500);
    assert_string_equal(seen.output.data, "a\n");
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

static bool has_children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* It dies at once, and the loop reaps it. */
static void free_does_not_wait(void **state UNUSED)
{
    CLEANUP(loop) struct loop *loop = NULL;
    int64_t began = clock_mono_ms();
    struct seen seen;

    assert_int_equal(loop_new(&loop, NULL), 0);
    start(loop, "exec sleep 60", &seen);
    helper_free(STEAL(seen.helper));
    for (int i = 0; i < 50 && has_children(); i++)
        assert_int_equal(loop_step(loop, 20, NULL), 0);
    assert_false(has_children());
    assert_int_equal(seen.calls, 0);
    assert_true(clock_mono_ms() - began < 1500);
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
