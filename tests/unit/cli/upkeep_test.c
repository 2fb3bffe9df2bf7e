/* tests/unit/cli/upkeep_test.c - programs run again and again beside a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/upkeep.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 30000

static char dir[] = "/tmp/berth-upkeep-XXXXXX";

/* A program that adds a line to a file of its own, then does `then`. */
struct script {
    const char *name;
    const char *then;
    unsigned asked;
};

static void argv_of(void *arg, struct strv *out_argv)
{
    struct script *script = arg;

    script->asked++;
    strv_add(out_argv, "sh");
    strv_add(out_argv, "-c");
    strv_addf(out_argv, "echo x >>%s/%s; %s", dir, script->name, script->then);
}

static size_t turns(const struct script *script)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, script->name);
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err ignored;

    return file_read(path, 1 << 20, &text, &ignored) < 0 ? 0 : text.len / 2;
}

static void add(struct upkeep *upkeep, struct script *script,
                int64_t timeout_ms)
{
    const struct upkeep_task task = {
        .what = script->name,
        .argv = argv_of,
        .arg = script,
        .first_ms = 0,
        .every_ms = 1,
        .timeout_ms = timeout_ms,
    };

    upkeep_add(upkeep, &task);
}

static void run_until(struct loop *loop, const struct script *script, size_t n)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;

    while (turns(script) < n && clock_mono_ms() < until)
        assert_int_equal(loop_step(loop, 50, NULL), 0);
    assert_true(turns(script) >= n);
}

static void each_has_its_turns(void **state UNUSED)
{
    struct script slow = {.name = "slow", .then = "exec sleep 1000"};
    struct script fails = {.name = "fails", .then = "echo no; exit 3"};
    struct script quick = {.name = "quick", .then = "true"};
    CLEANUP(loop) struct loop *loop = NULL;
    struct upkeep *upkeep;

    assert_int_equal(loop_new(&loop, NULL), 0);
    upkeep = upkeep_new(loop);
    add(upkeep, &slow, 1000000);
    add(upkeep, &fails, 30000);
    add(upkeep, &quick, 30000);
    run_until(loop, &quick, 3);
    run_until(loop, &fails, 3);
    assert_int_equal(turns(&slow), 1);
    assert_int_equal(slow.asked, 1);
    /* Asked anew each time: the settings may have changed. */
    assert_true(quick.asked >= 3);
    upkeep_free(upkeep);
    assert_int_equal(loop_step(loop, 0, NULL), 0);
}

static void what_hangs_is_ended(void **state UNUSED)
{
    struct script hangs = {.name = "hangs", .then = "sleep 1000; true"};
    CLEANUP(loop) struct loop *loop = NULL;
    struct upkeep *upkeep;

    assert_int_equal(loop_new(&loop, NULL), 0);
    upkeep = upkeep_new(loop);
    add(upkeep, &hangs, 100);
    run_until(loop, &hangs, 2);
    upkeep_free(upkeep);
}

static void none_is_fine(void **state UNUSED)
{
    upkeep_free(NULL);
}

static int start(void **state UNUSED)
{
    log_init("test", LOG_ERROR);
    return mkdtemp(dir) ? 0 : -1;
}

static int stop(void **state UNUSED)
{
    return tree_remove(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_turns),
        cmocka_unit_test(what_hangs_is_ended),
        cmocka_unit_test(none_is_fine),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
