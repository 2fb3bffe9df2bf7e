/* tests/unit/base/redis_test.c - both clients on a real Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/redis_seen.h"

#include "base/redis_impl.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct redis_server server;

static const struct redis_script scripts[] = {
    {"echo", "return {KEYS[1], ARGV[1]}"},
    {"bad", "return redis.error_reply('OOM no room')"},
};

/* Every socket of this process stays here when a program is started. */
static void assert_sockets_private(void)
{
    unsigned sockets = 0;

    for (int fd = 0; fd < 256; fd++) {
        struct stat st;

        if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) || fd <= 2)
            continue;
        sockets++;
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    assert_int_equal(sockets, 1);
}

/* ---- the blocking client ------------------------------------------------ */

static void test_sync(void **state UNUSED)
{
    const struct redis_options options = {
        .url = server.url, .scripts = scripts, .script_count = 2};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    redisReply *reply = NULL;
    struct err err;
    WORDS(arg, "x y");
    WORDS(flush, "SCRIPT", "FLUSH");
    WORDS(wrong, "GET");

    assert_int_equal(redis_sync_open(&options, &redis, &err), 0);
    assert_sockets_private();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(redis_sync_eval(redis, 0, "k", &arg, &reply, &err), 0);
        assert_string_equal(reply->element[0]->str, "k");
        assert_string_equal(reply->element[1]->str, "x y");
        freeReplyObject(reply);
        /* The second time the server does not know the script any more. */
        assert_int_equal(redis_sync_command(redis, &flush, &reply, &err), 0);
        freeReplyObject(reply);
    }
    assert_int_equal(redis_sync_eval(redis, 1, "k", &arg, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(redis_sync_command(redis, &wrong, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
    /* A restarted server is found again without the caller's doing. */
    redis_server_kill(&server);
    redis_server_start(&server);
    if (redis_sync_eval(redis, 0, "k", &arg, &reply, &err) < 0)
        fail_msg("%s", err.msg);
    freeReplyObject(reply);
}

static void test_sync_bounds(void **state UNUSED)
{
    const struct redis_options options = {.url = server.url,
                                          .command_timeout_ms = 200,
                                          .max_reply_bytes = 100000};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    redisReply *reply = NULL;
    struct err err;
    WORDS(big, "EVAL", "return string.rep('x', 200000)", "0");
    WORDS(many, "EVAL",
          "local t = {} for i = 1, 20000 do t[i] = 'abcdefgh' end return t",
          "0");
    WORDS(fits, "EVAL", "return string.rep('x', 90000)", "0");
    WORDS(ping, "PING");

    assert_int_equal(redis_sync_open(&options, &redis, &err), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(redis_sync_command(redis, &fits, &reply, &err), 0);
        freeReplyObject(reply);
    }
    assert_int_equal(redis_sync_command(redis, &big, &reply, &err), -1);
    assert_non_null(strstr(err.msg, "too large"));
    assert_int_equal(redis_sync_command(redis, &many, &reply, &err), -1);
    assert_non_null(strstr(err.msg, "too large"));
    assert_int_equal(redis_sync_command(redis, &ping, &reply, &err), 0);
    freeReplyObject(reply);
    redis_server_signal(&server, SIGSTOP);
    assert_int_equal(redis_sync_command(redis, &ping, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    redis_server_signal(&server, SIGCONT);
}

/* A user of the access list, who may do less than the default one. */
static void test_acl(void **state UNUSED)
{
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    char url[128], text[64];
    const struct redis_options options = {
        .url = url, .scripts = scripts, .script_count = 2};
    redisReply *reply = NULL;
    struct err err;
    WORDS(who, "ACL", "WHOAMI");
    WORDS(flush, "FLUSHALL");

    redis_server_say(&server, text, sizeof(text), "ACL", "SETUSER", "w@1", "on",
                     ">p:w", "~*", "+@all", "-flushall", NULL);
    assert_string_equal(text, "OK");
    (void)snprintf(url, sizeof(url), "unix://w%%401:p%%3Aw@%s/s?db=3",
                   server.dir);
    assert_int_equal(redis_sync_open(&options, &redis, &err), 0);
    assert_int_equal(redis_sync_command(redis, &who, &reply, &err), 0);
    assert_string_equal(reply->str, "w@1");
    freeReplyObject(reply);
    assert_int_equal(redis_sync_command(redis, &flush, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
    assert_non_null(strstr(err.msg, "NOPERM"));
    assert_int_equal(redis_sync_eval(redis, 0, "k", NULL, &reply, &err), 0);
    freeReplyObject(reply);
}

/* A server that is full is no wrong password, after which daemons end. */
static void test_kinds_of_refusal(void **state UNUSED)
{
    static const struct {
        const char *reply;
        enum err_kind kind;
    } cases[] = {{"ERR max number of clients reached", ERR_TRANSIENT},
                 {"LOADING Redis is loading", ERR_TRANSIENT},
                 {"WRONGPASS invalid", ERR_BUG},
                 {"ERR syntax error", ERR_BUG}};
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(redis_reply_failed(cases[i].reply, "s", &err), -1);
        assert_int_equal(err.kind, cases[i].kind);
    }
}

/* Nobody there is told at once, of each call, until somebody is. */
static void test_sync_comes_back(void **state UNUSED)
{
    const struct redis_options options = {
        .url = server.url, .scripts = scripts, .script_count = 2};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    redisReply *reply = NULL;
    int64_t begin;
    struct err err;
    WORDS(ping, "PING");

    assert_int_equal(redis_sync_open(&options, &redis, &err), 0);
    redis_server_kill(&server);
    begin = clock_mono_ms();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(redis_sync_command(redis, &ping, &reply, &err), -1);
        assert_int_equal(err.kind, ERR_TRANSIENT);
    }
    assert_in_range(clock_mono_ms() - begin, 0, 1500);
    redis_server_start(&server);
    assert_int_equal(redis_sync_command(redis, &ping, &reply, &err), 0);
    freeReplyObject(reply);
}

static void test_sync_away(void **state UNUSED)
{
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    char url[128];
    struct err err;

    (void)snprintf(url, sizeof(url), "unix://:SECRET@%s/s", server.dir);
    assert_int_equal(
        redis_sync_open(&(struct redis_options){.url = url}, &redis, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_null(strstr(err.msg, "SECRET"));
    assert_int_equal(
        redis_sync_open(&(struct redis_options){.url = "unix:///no/such"},
                        &redis, &err),
        -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

/* ---- the asynchronous client -------------------------------------------- */

static void test_async(void **state UNUSED)
{
    const struct redis_options options = {
        .url = server.url, .scripts = scripts, .script_count = 2};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    struct seen seen = {0, 0, ERR_NONE, ""};
    WORDS(arg, "hello");
    WORDS(flush, "SCRIPT", "FLUSH");
    WORDS(wrong, "GET");

    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    redis_eval(redis, 0, "k", &arg, seen_reply, &seen); /* waits for it */
    assert_int_equal(seen.good, 0);
    run_until(loop, &seen.good, 1);
    assert_string_equal(seen.text, "hello");
    assert_sockets_private();
    redis_command(redis, &flush, NULL, NULL);
    redis_eval(redis, 0, "k", &arg, seen_reply, &seen);
    run_until(loop, &seen.good, 2);
    redis_command(redis, &wrong, seen_reply, &seen);
    run_until(loop, &seen.bad, 1);
    assert_int_equal(seen.kind, ERR_BUG);
    redis_eval(redis, 1, "k", &arg, seen_reply, &seen);
    run_until(loop, &seen.bad, 2);
    assert_int_equal(seen.kind, ERR_TRANSIENT);
}

static void test_async_restart(void **state UNUSED)
{
    const struct redis_options options = {.url = server.url,
                                          .scripts = scripts,
                                          .script_count = 2,
                                          .max_retry_ms = 200};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    struct seen seen = {0, 0, ERR_NONE, ""};
    struct seen sent = {0, 0, ERR_NONE, ""};
    WORDS(arg, "hello");
    WORDS(sleep, "BLPOP", "nothing", "0");

    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    redis_eval(redis, 0, "k", &arg, seen_reply, &seen);
    run_until(loop, &seen.good, 1);
    for (int round = 0; round < 3; round++) {
        /* One that was sent fails; one given while away waits. */
        redis_command(redis, &sleep, seen_reply, &sent);
        assert_int_equal(loop_step(loop, 50, NULL), 0);
        redis_server_kill(&server);
        run_until(loop, &sent.bad, round + 1);
        assert_int_equal(sent.kind, ERR_TRANSIENT);
        redis_eval(redis, 0, "k", &arg, seen_reply, &seen);
        for (int i = 0; i < 5; i++)
            assert_int_equal(loop_step(loop, 50, NULL), 0);
        assert_int_equal(seen.good, round + 1);
        redis_server_start(&server);
        run_until(loop, &seen.good, round + 2);
    }
    assert_int_equal(seen.bad, 0);
}

static void test_async_time_limits(void **state UNUSED)
{
    const struct redis_options options = {
        .url = server.url, .command_timeout_ms = 300, .max_retry_ms = 100};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    struct seen seen = {0, 0, ERR_NONE, ""};
    int64_t begin;
    WORDS(ping, "PING");

    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    redis_command(redis, &ping, seen_reply, &seen);
    run_until(loop, &seen.good, 1);
    begin = clock_mono_ms();
    redis_server_signal(&server, SIGSTOP);
    redis_command(redis, &ping, seen_reply, &seen);
    run_until(loop, &seen.bad, 1); /* sent, and not answered */
    redis_command(redis, &ping, seen_reply, &seen);
    run_until(loop, &seen.bad, 2); /* waited for a connection */
    assert_int_equal(seen.kind, ERR_TIMEOUT);
    assert_in_range(clock_mono_ms() - begin, 590, 2000);
    redis_server_signal(&server, SIGCONT);
    redis_command(redis, &ping, seen_reply, &seen);
    run_until(loop, &seen.good, 2);
}

static void test_async_bounds(void **state UNUSED)
{
    const struct redis_options options = {.url = server.url,
                                          .max_reply_bytes = 100000};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    struct seen seen = {0, 0, ERR_NONE, ""};
    WORDS(big, "EVAL", "return string.rep('x', 200000)", "0");
    WORDS(fits, "EVAL", "return string.rep('x', 60000)", "0");

    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    for (int i = 0; i < 4; i++)
        redis_command(redis, &fits, seen_reply, &seen);
    run_until(loop, &seen.good, 4);
    redis_command(redis, &big, seen_reply, &seen);
    run_until(loop, &seen.bad, 1);
    assert_non_null(strstr(seen.text, "too large"));
    redis_command(redis, &fits, seen_reply, &seen);
    run_until(loop, &seen.good, 5);
}

/* However many large commands there are, small ones go through. */
static void test_large_leave_room(void **state UNUSED)
{
    const struct redis_options options = {.url = server.url};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    CLEANUP(mem) char *text = xcalloc(1, 256 << 10);
    const char *const large[] = {"SET", "large", text};
    const struct redis_words words = {large, NULL, ARRAY_LEN(large)};
    struct seen seen = {0, 0, ERR_NONE, ""};
    struct seen small = {0, 0, ERR_NONE, ""};
    WORDS(ping, "PING");

    memset(text, 'x', (256 << 10) - 1);
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    redis_command(redis, &ping, seen_reply, &small);
    run_until(loop, &small.good, 1);
    for (int i = 0; i < 300; i++)
        redis_command(redis, &words, seen_reply, &seen);
    redis_command(redis, &ping, seen_reply, &small);
    run_until(loop, &small.good, 2);
    assert_int_equal(small.bad, 0);
    assert_int_equal(seen.good + seen.bad, 300);
    assert_in_range(seen.good, 8, 64); /* those before it: not all of them */
}

/* The client may go at any moment, also inside its own callbacks. */
static struct redis *doomed;

static void on_reply_free(void *arg, const struct redisReply *reply UNUSED,
                          const struct err *err UNUSED)
{
    ++*(int *)arg;
    redis_free(STEAL(doomed));
}

static void test_async_free(void **state UNUSED)
{
    const struct redis_options options = {.url = server.url,
                                          .command_timeout_ms = 200};
    CLEANUP(loop) struct loop *loop = NULL;
    int count = 0;
    WORDS(ping, "PING");
    WORDS(waits, "BLPOP", "nothing", "0");

    assert_int_equal(loop_new(&loop, NULL), 0);
    for (int way = 0; way < 4; way++) {
        count = 0;
        assert_int_equal(redis_open(loop, &options, &doomed, NULL), 0);
        for (int i = 0; i < 3 && way != 3; i++)
            redis_command(doomed, &ping, on_reply_free, &count);
        if (way == 0) { /* before it is connected */
            redis_free(STEAL(doomed));
            continue;
        }
        if (way == 2)
            redis_server_signal(&server, SIGSTOP); /* in a failure's */
        if (way == 3) { /* while a command is under way */
            struct seen seen = {0, 0, ERR_NONE, ""};

            redis_command(doomed, &ping, seen_reply, &seen);
            redis_command(doomed, &waits, seen_reply, &seen);
            run_until(loop, &seen.good, 1);
            redis_free(STEAL(doomed));
            assert_int_equal(loop_step(loop, 10, NULL), 0);
            assert_int_equal(seen.good + seen.bad, 1);
            continue;
        }
        run_until(loop, &count, 1);
        if (way == 2)
            redis_server_signal(&server, SIGCONT);
        assert_null(doomed);
        assert_int_equal(loop_step(loop, 10, NULL), 0);
        assert_int_equal(count, 1);
    }
}

static void test_async_wrong_password(void **state UNUSED)
{
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    struct seen seen = {0, 0, ERR_NONE, ""};
    char url[128];
    struct redis_options options = {.url = url, .command_timeout_ms = 400};
    WORDS(ping, "PING");

    (void)snprintf(url, sizeof(url), "unix://:SECRET@%s/s", server.dir);
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    redis_command(redis, &ping, seen_reply, &seen);
    run_until(loop, &seen.bad, 1);
    assert_int_equal(seen.kind, ERR_TIMEOUT);
    assert_non_null(strstr(seen.text, "cannot log in"));
    assert_null(strstr(seen.text, "SECRET"));
}

static int start(void **state UNUSED)
{
    redis_server_init(&server, "hunter2");
    return 0;
}

static int stop(void **state UNUSED)
{
    redis_server_clear(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_sync_bounds),
        cmocka_unit_test(test_acl),
        cmocka_unit_test(test_kinds_of_refusal),
        cmocka_unit_test(test_sync_comes_back),
        cmocka_unit_test(test_sync_away),
        cmocka_unit_test(test_async),
        cmocka_unit_test(test_async_restart),
        cmocka_unit_test(test_async_time_limits),
        cmocka_unit_test(test_async_bounds),
        cmocka_unit_test(test_large_leave_room),
        cmocka_unit_test(test_async_free),
        cmocka_unit_test(test_async_wrong_password),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
