/* tests/unit/worker/supervisor/job_log_test.c - bounds, gaps, the end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/job_log.h"

#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

static struct redis_server server;
static struct loop *loop;
static struct queue *queue;

static void on_lease(void *arg, struct lease *lease, const struct err *err)
{
    assert_null(err);
    *(struct lease **)arg = lease;
}

static struct lease *take(const char *id)
{
    struct lease *lease = NULL;

    assert_int_equal(queue_submit(queue, id, "{}", NULL), 0);
    queue_lease(queue, "w", on_lease, &lease);
    while (!lease)
        assert_int_equal(loop_step(loop, 1000, NULL), 0);
    return lease;
}

static void on_finish(void *arg)
{
    ++*(unsigned *)arg;
}

static void finish(struct job_log *log, int64_t limit_ms)
{
    int64_t until = clock_mono_ms() + 20000;
    unsigned finished = 0;

    job_log_finish(log, limit_ms, on_finish, &finished);
    assert_int_equal(finished, 0);
    while (!finished && clock_mono_ms() < until)
        assert_int_equal(loop_step(loop, 100, NULL), 0);
    assert_int_equal(finished, 1);
}

struct seen {
    uint64_t bytes, gap_bytes;
    unsigned entries;
};

static void on_entry(void *arg, const struct queue_log_entry *e)
{
    struct seen *seen = arg;

    seen->entries++;
    seen->bytes += e->len;
    seen->gap_bytes += e->gap_bytes;
}

static struct seen read_log(const char *id)
{
    struct seen seen = {0, 0, 0};

    assert_int_equal(queue_log(queue, id, 1, on_entry, &seen, NULL), 0);
    return seen;
}

static void test_gathers(void **state UNUSED)
{
    CLEANUP(lease) struct lease *lease = take("gather");
    CLEANUP(job_log) struct job_log *log = job_log_new(loop, lease);

    for (int i = 0; i < 1000; i++)
        job_log_add(log, 1, "stdout", "0123456789", 10);
    job_log_add(log, 1, "stderr", "x", 1);
    job_log_add(log, 2, "stderr", "x", 1);
    finish(log, 5000);
    assert_int_equal(read_log("gather").bytes, 10002);
    assert_int_equal(read_log("gather").entries, 3);
    assert_int_equal(job_log_dropped(log), 0);
}

static void test_nothing(void **state UNUSED)
{
    CLEANUP(lease) struct lease *lease = take("nothing");
    CLEANUP(job_log) struct job_log *log = job_log_new(loop, lease);

    finish(log, 5000);
    assert_int_equal(read_log("nothing").entries, 0);
}

/* Redis stands still: what waits is bounded, the rest is counted. */
static void test_slow(void **state UNUSED)
{
    CLEANUP(lease) struct lease *lease = take("slow");
    CLEANUP(job_log) struct job_log *log = job_log_new(loop, lease);
    CLEANUP(mem) char *chunk = xcalloc(1, 10000);
    struct seen seen;

    redis_server_signal(&server, SIGSTOP);
    for (int i = 0; i < 300; i++) {
        job_log_add(log, 1, "stdout", chunk, 10000);
        if (i % 50 == 0)
            assert_int_equal(loop_step(loop, 30, NULL), 0);
    }
    /* What neither waits nor was dropped is on its way: one batch. */
    assert_in_range(3000000 - job_log_dropped(log), 0,
                    JOB_LOG_MAX_PENDING + LEASE_LOG_MAX_BYTES);
    redis_server_signal(&server, SIGCONT);
    finish(log, 15000);
    seen = read_log("slow");
    assert_int_equal(seen.gap_bytes, job_log_dropped(log));
    assert_int_equal(seen.bytes + seen.gap_bytes, 3000000);
}

/* It does not come back in time: the rest is given up, and counted. */
static void test_given_up(void **state UNUSED)
{
    CLEANUP(lease) struct lease *lease = take("up");
    CLEANUP(job_log) struct job_log *log = job_log_new(loop, lease);
    CLEANUP(mem) char *chunk = xcalloc(1, 10000);
    int64_t begin = clock_mono_ms();

    redis_server_signal(&server, SIGSTOP);
    for (int i = 0; i < 50; i++)
        job_log_add(log, 1, "stdout", chunk, 10000);
    finish(log, 300);
    assert_in_range(clock_mono_ms() - begin, 290, 2000);
    assert_true(job_log_dropped(log) > 200000);
    redis_server_signal(&server, SIGCONT);
}

static int start(void **state UNUSED)
{
    struct queue_options options = {
        .url = server.url, .pool = "logs", .max_instances = 100};

    redis_server_init(&server, "");
    assert_int_equal(loop_new(&loop, NULL), 0);
    return queue_open(loop, &options, &queue, NULL);
}

static int stop(void **state UNUSED)
{
    queue_free(queue);
    loop_free(loop);
    redis_server_clear(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gathers),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_given_up),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
