/* tests/unit/base/redis_sentinel_test.c - the master, and the next one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/redis_seen.h"

#define SENTINELS 3

static struct redis_server servers[2]; /* the first is the first master */
static struct redis_server sentinels[SENTINELS];
static char url[256];

static const struct redis_script scripts[] = {
    {"incr", "return {KEYS[1], tostring(redis.call('INCR', KEYS[1]))}"},
};

WORDS(which, "CONFIG", "GET", "port");

static void write_conf(const struct redis_server *sentinel)
{
    char path[1024];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/conf", sentinel->dir);
    f = fopen(path, "we");
    assert_non_null(f);
    (void)fprintf(f,
                  "port %d\nbind 127.0.0.1\ndir %s\n"
                  "requirepass watcher\nsentinel sentinel-pass watcher\n"
                  "user client on >seen +@all ~* &*\n"
                  "sentinel monitor m 127.0.0.1 %d 2\n"
                  "sentinel auth-pass m hunter2\n"
                  "sentinel down-after-milliseconds m 1500\n"
                  "sentinel failover-timeout m 2000\n",
                  sentinel->port, sentinel->dir, servers[0].port);
    assert_int_equal(fclose(f), 0);
}

static void start_server(struct redis_server *server, int master_port)
{
    redis_server_prepare(server, "hunter2");
    server->port = redis_free_port();
    strv_add(&server->more, "--masterauth");
    strv_add(&server->more, "hunter2");
    strv_add(&server->more, "--repl-diskless-sync-delay");
    strv_add(&server->more, "0");
    if (master_port) {
        strv_add(&server->more, "--replicaof");
        strv_addf(&server->more, "127.0.0.1 %d", master_port);
    }
    redis_server_start(server);
}

static void start_sentinel(struct redis_server *sentinel)
{
    redis_server_prepare(sentinel, "watcher");
    sentinel->sentinel = true;
    sentinel->port = redis_free_port();
    (void)snprintf(sentinel->url, sizeof(sentinel->url),
                   "redis://:watcher@127.0.0.1:%d", sentinel->port);
    write_conf(sentinel);
    redis_server_start(sentinel);
}

/* Until every sentinel knows the others and the replica. */
static void wait_for_quorum(void)
{
    for (int i = 0; i < SENTINELS; i++) {
        char text[2048] = "";

        for (int tries = 0; tries < 3000; tries++) {
            redis_server_say(&sentinels[i], text, sizeof(text), "INFO",
                             "sentinel", NULL);
            if (strstr(text, "slaves=1,sentinels=3"))
                break;
            (void)poll(NULL, 0, 20);
        }
        assert_non_null(strstr(text, "status=ok"));
        assert_non_null(strstr(text, "slaves=1,sentinels=3"));
    }
}

/* The first address of the URL is of no sentinel: nobody listens there. */
static int start(void **state UNUSED)
{
    start_server(&servers[0], 0);
    start_server(&servers[1], servers[0].port);
    for (int i = 0; i < SENTINELS; i++)
        start_sentinel(&sentinels[i]);
    (void)snprintf(url, sizeof(url),
                   "redis+sentinel://default:hunter2@127.0.0.1:1,127.0.0.1:%d,"
                   "127.0.0.1:%d,127.0.0.1:%d/m?sentinel-user=client&"
                   "sentinel-password=seen",
                   sentinels[0].port, sentinels[1].port, sentinels[2].port);
    wait_for_quorum();
    return 0;
}

static int stop(void **state UNUSED)
{
    for (int i = 0; i < SENTINELS; i++)
        redis_server_clear(&sentinels[i]);
    for (size_t i = 0; i < ARRAY_LEN(servers); i++)
        redis_server_clear(&servers[i]);
    return 0;
}

/* Which of the servers the client is connected to. */
static int server_of(struct loop *loop, struct redis *redis, struct seen *seen)
{
    int good = seen->good;

    redis_command(redis, &which, seen_reply, seen);
    run_until(loop, &seen->good, good + 1);
    return atoi(seen->text) == servers[1].port ? 1 : 0;
}

static void test_wrong(void **state UNUSED)
{
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    char other[300];
    struct redis_options options = {.url = other};
    struct err err;

    (void)snprintf(other, sizeof(other),
                   "redis+sentinel://:hunter2@127.0.0.1:%d/other"
                   "?sentinel-password=watcher",
                   sentinels[0].port);
    assert_int_equal(redis_sync_open(&options, &redis, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.msg, "knows no master 'other'"));
    (void)snprintf(other, sizeof(other),
                   "redis+sentinel://:hunter2@127.0.0.1:%d/m"
                   "?sentinel-password=SECRET",
                   sentinels[0].port);
    assert_int_equal(redis_sync_open(&options, &redis, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "cannot log in"));
    assert_null(strstr(err.msg, "SECRET"));
    options.url = "redis+sentinel://127.0.0.1:1/m";
    assert_int_equal(redis_sync_open(&options, &redis, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

/* The master becomes a replica under us: its READONLY sends us to look for
 * another, and ROLE keeps us from it as long as the sentinels name it. */
static void test_readonly(void **state UNUSED)
{
    const struct redis_options options = {
        .url = url, .scripts = scripts, .script_count = 1, .max_retry_ms = 100};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    struct seen seen = {0, 0, ERR_NONE, ""};
    char text[64];

    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    redis_eval(redis, 0, "r", NULL, seen_reply, &seen);
    run_until(loop, &seen.good, 1);
    redis_server_say(&servers[0], text, sizeof(text), "REPLICAOF", "127.0.0.1",
                     "1", NULL);
    redis_eval(redis, 0, "r", NULL, seen_reply, &seen);
    run_until(loop, &seen.bad, 1);
    assert_int_equal(seen.kind, ERR_TRANSIENT);
    assert_non_null(strstr(seen.text, "READONLY"));
    redis_eval(redis, 0, "r", NULL, seen_reply, &seen);
    run_for(loop, 200);
    assert_int_equal(seen.good + seen.bad, 2);
    redis_server_say(&servers[0], text, sizeof(text), "REPLICAOF", "NO", "ONE",
                     NULL);
    run_until(loop, &seen.good, 2);
    assert_string_equal(seen.text, "2");
    assert_int_equal(server_of(loop, redis, &seen), 0);
}

static void test_failover(void **state UNUSED)
{
    const struct redis_options options = {.url = url,
                                          .scripts = scripts,
                                          .script_count = 1,
                                          .command_timeout_ms = 3000,
                                          .max_retry_ms = 200};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    CLEANUP(redis_sync) struct redis_sync *sync = NULL;
    struct seen seen = {0, 0, ERR_NONE, ""}, sent = {0, 0, ERR_NONE, ""};
    redisReply *reply = NULL;
    int64_t until;
    struct err err;
    WORDS(waits, "BLPOP", "nothing", "0");

    wait_for_quorum();
    assert_int_equal(redis_sync_open(&options, &sync, &err), 0);
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    redis_eval(redis, 0, "f", NULL, seen_reply, &seen);
    run_until(loop, &seen.good, 1);
    assert_int_equal(server_of(loop, redis, &seen), 0);
    redis_command(redis, &waits, seen_reply, &sent);
    run_for(loop, 50);

    redis_server_kill(&servers[0]);
    run_until(loop, &sent.bad, 1);
    assert_int_equal(sent.kind, ERR_TRANSIENT);
    run_until_good(loop, redis, 0, "f", NULL, &seen, 60000);
    assert_int_equal(server_of(loop, redis, &seen), 1);

    until = clock_mono_ms() + 30000;
    while (redis_sync_eval(sync, 0, "f", NULL, &reply, &err) < 0) {
        assert_int_equal(err.kind, ERR_TRANSIENT);
        assert_true(clock_mono_ms() < until);
    }
    freeReplyObject(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_readonly),
        cmocka_unit_test(test_failover),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
