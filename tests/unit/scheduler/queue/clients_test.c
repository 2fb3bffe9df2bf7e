/* tests/unit/scheduler/queue/clients_test.c - many workers, one limit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/impl.h"
#include "scheduler/queue/submit.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

enum { CLIENTS = 12, JOBS = 200, LIMIT = 3 };

static struct redis_server server;

struct client {
    struct pool *pool; /* borrowed */
    struct queue *queue;
    struct lease *lease;
    bool fused;
};

struct pool {
    struct loop *loop;
    struct client clients[CLIENTS];
    unsigned running, most, ended;
    unsigned runs[JOBS]; /* of each job */
    unsigned refused;    /* asked in vain: the limit was reached */
};

static const struct lease_wish wish = {.worker = "w", .labels = ""};

static void ask(void *arg);
static void on_leased(void *arg, struct lease *lease, const struct err *err);

static void on_completed(void *arg, struct lease *next, const struct err *err)
{
    struct client *client = arg;

    client->pool->ended++;
    lease_free(STEAL(client->lease));
    on_leased(client, next, err);
}

/* Here a job still runs; it does not as soon as complete is sent. */
static void complete(void *arg)
{
    static const struct lease_result passed = {"passed", REASON_NONE, "{}"};
    struct client *client = arg;

    client->pool->running--;
    /* Some take their next job with the answer. */
    lease_complete(client->lease, "w", &passed, client->fused ? &wish : NULL,
                   on_completed, client);
}

static void on_leased(void *arg, struct lease *lease, const struct err *err)
{
    struct client *client = arg;
    struct pool *pool = client->pool;
    int64_t now = clock_mono_ms();

    assert_null(err);
    if (!lease) {
        pool->refused++;
        (void)loop_add_timer(pool->loop, now + 2, ask, client);
        return;
    }
    client->lease = lease;
    pool->runs[atoi(lease_job_id(lease) + 1)]++;
    if (++pool->running > pool->most)
        pool->most = pool->running;
    (void)loop_add_timer(pool->loop, now + 1, complete, client);
}

static void ask(void *arg)
{
    struct client *client = arg;

    queue_lease(client->queue, &wish, on_leased, client);
}

static void test_limit(void **state UNUSED)
{
    const struct queue_options options = {
        .url = server.url, .pool = "many", .max_instances = LIMIT};
    struct pool pool = {.running = 0};
    int64_t until = clock_mono_ms() + 30000;

    assert_int_equal(loop_new(&pool.loop, NULL), 0);
    for (int i = 0; i < CLIENTS; i++) {
        pool.clients[i].pool = &pool;
        pool.clients[i].fused = i % 2;
        assert_int_equal(
            queue_open(pool.loop, &options, &pool.clients[i].queue, NULL), 0);
    }
    for (int i = 0; i < JOBS; i++) {
        char id[16];
        const struct queue_job job = {.id = id, .payload = "{}"};
        struct queue_answer answer;

        (void)snprintf(id, sizeof(id), "j%d", i);
        assert_int_equal(
            queue_submit(pool.clients[0].queue, &job, 1, &answer, NULL), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        ask(&pool.clients[i]);
    while (pool.ended < JOBS && clock_mono_ms() < until)
        assert_int_equal(loop_step(pool.loop, 100, NULL), 0);
    assert_int_equal(pool.ended, JOBS);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(pool.runs[i], 1);
    assert_int_equal(pool.most, LIMIT); /* reached, and never passed */
    assert_true(pool.refused > 0);
    for (int i = 0; i < CLIENTS; i++) {
        lease_free(pool.clients[i].lease);
        queue_free(pool.clients[i].queue);
    }
    loop_free(pool.loop);
}

static int start(void **state UNUSED)
{
    redis_server_init(&server, "");
    return 0;
}

static int stop(void **state UNUSED)
{
    redis_server_clear(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limit)};

    return cmocka_run_group_tests(tests, start, stop);
}
