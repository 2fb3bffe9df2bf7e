/* tests/unit/base/redis_wait_test.c - scripts that wait for a replica. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/redis_seen.h"

static struct redis_server master, replica;

static const struct redis_script scripts[] = {
    {"incr", "return {KEYS[1], tostring(redis.call('INCR', KEYS[1]))}"},
    {"bad", "return redis.error_reply('OOM no room')"},
};

static void wait_for_replica(void)
{
    char text[4096] = "";

    for (int i = 0; i < 1500 && !strstr(text, "state=online"); i++) {
        redis_server_say(&master, text, sizeof(text), "INFO", "replication",
                         NULL);
        (void)poll(NULL, 0, 20);
    }
    assert_non_null(strstr(text, "state=online"));
}

static void test_durable(void **state UNUSED)
{
    const struct redis_options options = {.url = master.url,
                                          .scripts = scripts,
                                          .script_count = 2,
                                          .wait_replicas = 1,
                                          .wait_ms = 1500};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    struct seen seen = {0, 0, ERR_NONE, ""};
    struct seen other = {0, 0, ERR_NONE, ""};
    char text[64];
    WORDS(flush, "SCRIPT", "FLUSH");

    wait_for_replica();
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    for (int i = 0; i < 5; i++) /* pipelined */
        redis_eval_durable(redis, 0, "n", NULL, seen_reply, &seen);
    run_until(loop, &seen.good, 5);
    assert_int_equal(seen.bad, 0);
    assert_string_equal(seen.text, "5");
    redis_server_say(&replica, text, sizeof(text), "GET", "n", NULL);
    assert_string_equal(text, "5");

    /* The server has forgotten the script: both are sent again. */
    redis_command(redis, &flush, NULL, NULL);
    redis_eval_durable(redis, 0, "n", NULL, seen_reply, &seen);
    run_until(loop, &seen.good, 6);
    assert_string_equal(seen.text, "6");

    /* What the script says counts before what the replicas have. */
    redis_eval_durable(redis, 1, "n", NULL, seen_reply, &seen);
    run_until(loop, &seen.bad, 1);
    assert_non_null(strstr(seen.text, "OOM no room"));

    redis_server_signal(&replica, SIGSTOP);
    redis_eval_durable(redis, 0, "n", NULL, seen_reply, &seen);
    redis_eval(redis, 0, "other", NULL, seen_reply, &other);
    run_until(loop, &seen.bad, 2);
    assert_int_equal(seen.kind, ERR_TRANSIENT);
    assert_non_null(strstr(seen.text, "only 0 of 1 replicas have it"));
    run_until(loop, &other.good, 1);
    redis_server_say(&master, text, sizeof(text), "GET", "n", NULL);
    assert_string_equal(text, "7");
    redis_server_signal(&replica, SIGCONT);
    wait_for_replica();
    redis_eval_durable(redis, 0, "n", NULL, seen_reply, &seen);
    run_until(loop, &seen.good, 7);
    assert_string_equal(seen.text, "8");
}

/* The connection ends between the answer and that of WAIT, or the client does.
 */
static void test_cut_off(void **state UNUSED)
{
    const struct redis_options options = {.url = master.url,
                                          .scripts = scripts,
                                          .script_count = 2,
                                          .command_timeout_ms = 3000,
                                          .wait_replicas = 2,
                                          .wait_ms = 2900};
    CLEANUP(loop) struct loop *loop = NULL;
    struct redis *redis;
    struct seen seen = {0, 0, ERR_NONE, ""};
    char text[64];

    assert_int_equal(loop_new(&loop, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
        redis_eval_durable(redis, 0, "cut", NULL, seen_reply, &seen);
        run_for(loop, 300);
        assert_int_equal(seen.good + seen.bad, 0);
        if (i == 1) {
            redis_server_say(&master, text, sizeof(text), "CLIENT", "KILL",
                             "TYPE", "normal", "SKIPME", "yes", NULL);
            run_until(loop, &seen.bad, 1);
            assert_int_equal(seen.kind, ERR_TRANSIENT);
        }
        redis_free(redis);
    }
    redis_server_say(&master, text, sizeof(text), "GET", "cut", NULL);
    assert_string_equal(text, "2");
}

static void test_sync(void **state UNUSED)
{
    struct redis_options options = {.url = master.url,
                                    .scripts = scripts,
                                    .script_count = 2,
                                    .wait_replicas = 1,
                                    .wait_ms = 2000};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    struct redis_sync *more = NULL;
    redisReply *reply = NULL;
    struct err err;

    assert_int_equal(redis_sync_open(&options, &redis, &err), 0);
    assert_int_equal(redis_sync_eval_durable(redis, 0, "s", NULL, &reply, &err),
                     0);
    assert_string_equal(reply->element[1]->str, "1");
    freeReplyObject(reply);

    options.wait_replicas = 2;
    options.wait_ms = 100;
    assert_int_equal(redis_sync_open(&options, &more, &err), 0);
    assert_int_equal(redis_sync_eval_durable(more, 0, "s", NULL, &reply, &err),
                     -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.msg, "only 1 of 2 replicas"));
    redis_sync_free(STEAL(more));

    options.wait_ms = options.command_timeout_ms = 100;
    assert_int_equal(redis_sync_open(&options, &more, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
}

static int start(void **state UNUSED)
{
    redis_server_prepare(&master, "hunter2");
    master.port = redis_free_port();
    strv_add(&master.more, "--repl-diskless-sync-delay");
    strv_add(&master.more, "0");
    redis_server_start(&master);
    redis_server_prepare(&replica, "hunter2");
    strv_add(&replica.more, "--replicaof");
    strv_addf(&replica.more, "127.0.0.1 %d", master.port);
    /* It would be busy with that when it has just begun to follow. */
    strv_add(&replica.more, "--appendonly");
    strv_add(&replica.more, "no");
    strv_add(&replica.more, "--masterauth");
    strv_add(&replica.more, "hunter2");
    redis_server_start(&replica);
    return 0;
}

static int stop(void **state UNUSED)
{
    redis_server_clear(&replica);
    redis_server_clear(&master);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durable),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_sync),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
