/* tests/unit/worker/supervisor/warm_test.c - run-jobs that wait for jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
/* long 25 */
#include "tests/unit/worker/supervisor/rig.h"

#include "base/fd.h"
#include "worker/supervisor/impl.h"

#include <signal.h>

static char kind_name[] = "standard-1";
static struct config_number one_kind = {kind_name, 1};
static const struct config_numbers one = {&one_kind, 1};

static void start_warm(struct fixture *f, const struct config_numbers *kinds)
{
    struct supervisor_options options = usual(f, 4, 4000);

    options.limits.warm_pool = kinds;
    start_with(f, &options);
}

static unsigned ready(const struct fixture *f)
{
    return warm_pool_ready(f->supervisor->warm);
}

static void wait_ready(struct fixture *f, unsigned wanted)
{
    int64_t until = clock_mono_ms() + 30000;

    while (ready(f) != wanted && clock_mono_ms() < until)
        assert_int_equal(loop_step(f->loop, 50, NULL), 0);
    assert_int_equal(ready(f), wanted);
}

/* The last that waited. */
static pid_t last_warm(void)
{
    CLEANUP(mem) char *path = xasprintf("%s/warm-pids", libexec);
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    char *line;

    assert_int_equal(file_read(path, 100000, &text, NULL), 0);
    strbuf_cut(&text, text.len - 1);
    line = strrchr(text.data, '\n');
    return (pid_t)strtol(line ? line + 1 : text.data, NULL, 10);
}

/* Who ran a job with such a sandbox: "warm 123" or "cold 123". */
static const char *who(struct fixture *f, const char *sandbox, const char *more)
{
    static struct log_text log;
    static unsigned number;
    CLEANUP(mem) char *id = xasprintf("who-%u", number++);
    CLEANUP(mem)
    char *payload = xasprintf("{\"pipeline\":{\"name\":\"p\",\"sandbox\":{%s}},"
                              "\"inputs\":{\"fake\":\"who\"}%s}",
                              sandbox, more);
    unsigned ended = f->seen.ended;

    submit_payload(f, id, payload);
    run_until(f, &f->seen.ended, ended + 1);
    assert_string_equal(f->seen.state, "passed");
    read_log(f, id, &log);
    return log.text;
}

#define FITS                                                                   \
    "\"image\":\"host\",\"instance_type\":\"standard-1\",\"network\":\"none\""

#define FITTING                                                                \
    "{\"pipeline\":{\"name\":\"p\",\"sandbox\":{" FITS                         \
    "}},\"inputs\":{\"fake\":\"pass\"}}"

static void assert_runs(const char *log, const char *how, pid_t pid)
{
    CLEANUP(mem) char *wanted = xasprintf("%s %d\n", how, (int)pid);

    if (strncmp(log, wanted, strlen(wanted)) != 0)
        fail_msg("not %s: %s", wanted, log);
}

static void a_job_gets_it_once(void **state)
{
    struct fixture *f = *state;
    pid_t first, second;

    start_warm(f, &one);
    wait_ready(f, 1);
    first = last_warm();
    assert_runs(who(f, FITS, ""), "warm", first);
    wait_ready(f, 1);
    second = last_warm();
    assert_true(first != second);
    assert_runs(who(f, FITS, ""), "warm", second);
    /* Two at once: one of them. */
    wait_ready(f, 1);
    submit(f, "a", "hang");
    assert_runs(who(f, FITS, ""), "warm", last_warm());
    assert_int_equal(sweeps(f), 1); /* at the start */
}

/* Which hosts the job says, not the kind. */
static void any_list_of_hosts(void **state)
{
    static char name[] = "standard-1/hosts";
    static struct config_number kind = {name, 1};
    static const struct config_numbers hosts = {&kind, 1};
    struct fixture *f = *state;

    start_warm(f, &hosts);
    wait_ready(f, 1);
    assert_runs(who(f,
                    "\"image\":\"host\",\"instance_type\":\"standard-1\","
                    "\"network\":[\"a.example\"]",
                    ""),
                "warm", last_warm());
    wait_ready(f, 1);
    if (strncmp(who(f, FITS, ""), "cold", 4) != 0)
        fail_msg("one without network is none with");
}

static void only_a_job_that_fits(void **state)
{
    static const struct {
        const char *sandbox, *more;
    } others[] = {
        {"\"image\":\"host\",\"instance_type\":\"lite\",\"network\":\"none\"",
         ""},
        {"\"image\":\"host\",\"instance_type\":{\"cpu\":1},"
         "\"network\":\"none\"",
         ""},
        {"\"image\":\"host\",\"instance_type\":\"standard-1\","
         "\"network\":\"full\"",
         ""},
        {"\"image\":\"/x\",\"instance_type\":\"standard-1\","
         "\"network\":\"none\"",
         ""},
        {"\"image\":\"host\",\"instance_type\":\"standard-1\","
         "\"network\":[\"npm\"]",
         ""},
        {"\"image\":\"host\"", ""},
        {FITS, ",\"runtime\":\"runc\""},
    };
    struct fixture *f = *state;
    pid_t waits;

    start_warm(f, &one);
    wait_ready(f, 1);
    waits = last_warm();
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_int_equal(
            strncmp(who(f, others[i].sandbox, others[i].more), "cold ", 5), 0);
    assert_int_equal(last_warm(), waits);
    assert_runs(who(f, FITS, ",\"runtime\":\"\""), "warm", waits);
}

static void a_dead_one_is_replaced(void **state)
{
    struct fixture *f = *state;
    pid_t first;

    start_warm(f, &one);
    wait_ready(f, 1);
    first = last_warm();
    assert_int_equal(kill(first, SIGKILL), 0);
    /* Whether we have noticed or not. */
    assert_int_equal(strncmp(who(f, FITS, ""), "cold ", 5), 0);
    wait_ready(f, 1);
    assert_true(last_warm() != first);
    for (int i = 0; i < 600 && sweeps(f) < 2; i++)
        run_for(f, 50);
    assert_int_equal(sweeps(f), 2);
}

/* It stands still, and dies when it has the job. */
static void one_that_dies_at_once(void **state)
{
    struct fixture *f = *state;
    pid_t first;

    start_warm(f, &one);
    wait_ready(f, 1);
    first = last_warm();
    assert_int_equal(kill(first, SIGSTOP), 0);
    submit_payload(f, "a", FITTING);
    run_until(f, &f->seen.started, 1);
    assert_int_equal(kill(first, SIGKILL), 0);
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "passed", "");
    assert_int_equal(sweeps(f), 2);
    /* One that was cancelled meanwhile is not begun anew. */
    wait_ready(f, 1);
    first = last_warm();
    assert_int_equal(kill(first, SIGSTOP), 0);
    submit_payload(f, "b", FITTING);
    run_until(f, &f->seen.started, 2);
    supervisor_cancel(f->supervisor, "cancelled");
    assert_int_equal(kill(first, SIGKILL), 0);
    run_until(f, &f->seen.ended, 2);
    expect(f, "b", "cancelled", "cancelled");
}

static void pauses_grow(void **state)
{
    CLEANUP(mem) char *path = xasprintf("%s/warm-fails", libexec);
    struct fixture *f = *state;
    struct stat st;

    assert_int_equal(file_write(path, "", 0, 0600, NULL), 0);
    start_warm(f, &one);
    assert_int_equal(strncmp(who(f, FITS, ""), "cold ", 5), 0);
    run_for(f, 4500);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size >= 2 && st.st_size <= 4); /* at 0, 1 and 3 s */
    assert_int_equal(unlink(path), 0);
    wait_ready(f, 1);
}

static void it_gives_way(void **state)
{
    struct supervisor_limits limits = {.capacity = 4, .warm_pool = &one};
    struct fixture *f = *state;

    start_warm(f, &one);
    wait_ready(f, 1);
    supervisor_drain(f->supervisor);
    wait_ready(f, 0);
    supervisor_resume(f->supervisor);
    wait_ready(f, 1);
    limits.min_memory_bytes = (uint64_t)1 << 60;
    assert_int_equal(supervisor_set_limits(f->supervisor, &limits, NULL), 0);
    wait_ready(f, 0);
    limits.min_memory_bytes = 0;
    assert_int_equal(supervisor_set_limits(f->supervisor, &limits, NULL), 0);
    wait_ready(f, 1);
    limits.warm_pool = NULL;
    assert_int_equal(supervisor_set_limits(f->supervisor, &limits, NULL), 0);
    wait_ready(f, 0);
}

static bool always(void *arg UNUSED)
{
    return true;
}

static void an_old_one_is_replaced(void **state)
{
    struct fixture *f = *state;
    const struct warm_pool_options options = {.loop = f->loop,
                                              .state_dir = f->dir,
                                              .max_age_ms = 1500,
                                              .may = always};
    struct warm_pool *pool = warm_pool_new(&options);
    int64_t until = clock_mono_ms() + 60000;
    pid_t first;

    warm_pool_set(pool, &one);
    warm_pool_look(pool);
    while (!warm_pool_ready(pool) && clock_mono_ms() < until)
        assert_int_equal(loop_step(f->loop, 50, NULL), 0);
    first = last_warm();
    while (last_warm() == first && clock_mono_ms() < until)
        assert_int_equal(loop_step(f->loop, 50, NULL), 0);
    assert_true(last_warm() != first);
    warm_pool_close(pool);
    assert_false(warm_pool_wait(pool, clock_mono_ms() + 10000));
    warm_pool_free(pool);
    assert_int_equal(kill(first, 0), -1);
}

static void names_of_kinds(void **state UNUSED)
{
    static const char *const good[] = {
        "lite",        "standard-4",       "basic/full",
        "lite@host",   "lite@/srv/debian", "standard-1/full@/srv/debian",
        "basic/hosts", "lite/hosts@host"};
    static const char *const bad[] = {"",
                                      "large",
                                      "/full",
                                      "lite/",
                                      "lite/none",
                                      "lite/fullest",
                                      "lite/host",
                                      "lite-hosts",
                                      "lite/full/full",
                                      "lite@debian",
                                      "lite@",
                                      "custom",
                                      "an-instance-type-that-is-far-too-long"};
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(warm_kind_check(good[i], &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (warm_kind_check(bad[i], &err) == 0)
            fail_msg("'%s' is a kind", bad[i]);
        assert_int_equal(err.kind, ERR_USER);
    }
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(a_job_gets_it_once),     WITH_RIG(only_a_job_that_fits),
        WITH_RIG(any_list_of_hosts),      WITH_RIG(a_dead_one_is_replaced),
        WITH_RIG(one_that_dies_at_once),  WITH_RIG(pauses_grow),
        WITH_RIG(it_gives_way),           WITH_RIG(an_old_one_is_replaced),
        cmocka_unit_test(names_of_kinds),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
