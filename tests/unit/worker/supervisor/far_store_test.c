/* tests/unit/worker/supervisor/far_store_test.c - a log store that is slow. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/supervisor/rig.h"

#include "worker/logs/store.h"

#include <errno.h>

/*
 * The store is on another file system, and what brings logs there takes longer
 * than a lease.
 */
#define SLOW_S "6"

static struct log_store *store;
static char far[64];

static int open_far(void **state)
{
    CLEANUP(mem) char *address = NULL;
    CLEANUP(mem) char *path = xasprintf("%s/log-store", libexec);
    CLEANUP(mem)
    char *script = xasprintf("#!/bin/sh\nsleep " SLOW_S "\n"
                             "exec '%s/log-store' \"$@\"\n",
                             real_libexec);

    (void)strcpy(far, "/dev/shm/berth-far-XXXXXX");
    if (setup(state) < 0 || !mkdtemp(far) ||
        (unlink(path) < 0 && errno != ENOENT) ||
        file_write(path, script, strlen(script), 0755, NULL) < 0)
        return -1;
    address = xasprintf("dir:%s", far);
    return log_store_open(address, &store, NULL);
}

static int close_far(void **state)
{
    int rc = teardown(state);

    log_store_free(STEAL(store));
    return tree_remove(far, NULL) < 0 ? -1 : rc;
}

static bool is_far(const struct fixture *f)
{
    struct stat here, there;

    if (stat(f->dir, &here) == 0 && stat(far, &there) == 0 &&
        here.st_dev != there.st_dev)
        return true;
    print_message("# there is no other file system\n");
    return false;
}

static void start_storing(struct fixture *f)
{
    struct supervisor_options options = usual(f, 1, 4500);

    options.log_store = store;
    start_with(f, &options);
}

static bool exists(const char *dir, const char *name)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, name);

    return access(path, F_OK) == 0;
}

/* The lease is kept, and no turn of the loop takes long. */
static void test_a_job_waits_for_it(void **state)
{
    struct fixture *f = *state;
    int64_t began = clock_mono_ms();
    int64_t worst_ms = 0;

    if (!is_far(f))
        skip();
    start_storing(f);
    submit(f, "abc", "pass");
    while (!f->seen.ended && clock_mono_ms() - began < 60000) {
        int64_t turn = clock_mono_ms();

        assert_int_equal(loop_step(f->loop, 10, NULL), 0);
        if (clock_mono_ms() - turn > worst_ms)
            worst_ms = clock_mono_ms() - turn;
    }
    expect(f, "abc", "passed", "");
    assert_true(clock_mono_ms() - began > 6000);
    assert_true(worst_ms < 4000);
    assert_non_null(strstr(f->seen.result, "\"stored\":\"dir:ab/abc-1.log\""));
    assert_true(exists(far, "ab/abc-1.log"));
    assert_false(exists(f->dir, "spool/abc-1.log"));
}

/* Nobody waits for the log of a job that is not ours any more; until it is in
 * the store a successor would find it. */
static void test_a_lost_job_does_not(void **state)
{
    struct fixture *f = *state;
    int64_t until = clock_mono_ms() + 60000;

    if (!is_far(f))
        skip();
    start_storing(f);
    submit(f, "abc", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    run_for(f, 300);
    {
        CLEANUP(mem) char *key = xasprintf("berth:{%s}:job:abc", f->pool);

        freeReplyObject(ASK("HSET", key, "epoch", "99"));
    }
    run_until(f, &f->seen.failed, 1);
    run_for(f, 1000);
    assert_int_equal(supervisor_running(f->supervisor), 0);
    assert_true(exists(f->dir, "spool/abc-1.log"));
    assert_true(exists(f->dir, "leases/abc-1"));
    while (exists(f->dir, "leases/abc-1") && clock_mono_ms() < until)
        run_for(f, 50);
    assert_true(exists(far, "ab/abc-1.log"));
    assert_false(exists(f->dir, "spool/abc-1.log"));
    assert_false(exists(f->dir, "leases/abc-1"));
}

/* A worker that ends does not leave it behind. */
static void test_freed_on_the_way(void **state)
{
    struct fixture *f = *state;

    if (!is_far(f))
        skip();
    start_storing(f);
    submit(f, "abc", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    run_for(f, 300);
    supervisor_free(STEAL(f->supervisor));
    assert_true(exists(far, "ab/abc-1.log"));
    assert_false(exists(f->dir, "spool/abc-1.log"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_far, close_far)
    const struct CMUnitTest tests[] = {
        TEST(test_a_job_waits_for_it),
        TEST(test_a_lost_job_does_not),
        TEST(test_freed_on_the_way),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
