/* tests/unit/base/redis_test.c - URLs, and both clients on a real Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_url.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct redis_server server;

static const struct redis_script scripts[] = {
    {"echo", "return {KEYS[1], ARGV[1]}"},
    {"bad", "return redis.error_reply('OOM no room')"},
};

/* ---- URLs --------------------------------------------------------------- */

static void test_url_valid(void **state UNUSED)
{
    static const struct {
        const char *text, *path, *host, *user, *password;
        int port, db;
    } cases[] = {
        {"redis://h", NULL, "h", NULL, NULL, 6379, 0},
        {"redis://h/", NULL, "h", NULL, NULL, 6379, 0},
        {"redis://h:1/3", NULL, "h", NULL, NULL, 1, 3},
        {"redis://:pw@h:7000", NULL, "h", NULL, "pw", 7000, 0},
        {"redis://u:p%40w%2f@h/1", NULL, "h", "u", "p@w/", 6379, 1},
        {"redis://u:a@b@h", NULL, "h", "u", "a@b", 6379, 0},
        {"redis://[::1]:7/2", NULL, "::1", NULL, NULL, 7, 2},
        {"redis://[::1]", NULL, "::1", NULL, NULL, 6379, 0},
        {"unix:///a/b", "/a/b", NULL, NULL, NULL, 0, 0},
        {"unix:/a/b?db=4", "/a/b", NULL, NULL, NULL, 0, 4},
        {"unix://u:p@/a%20b", "/a b", NULL, "u", "p", 0, 0},
        {"/a/b", "/a/b", NULL, NULL, NULL, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(redis_url) struct redis_url *url = NULL;
        struct err err;

        if (redis_url_parse(cases[i].text, &url, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.msg);
        assert_int_equal(!!cases[i].path, !!url->path);
        if (url->path)
            assert_string_equal(url->path, cases[i].path);
        assert_int_equal(url->host_count, cases[i].host ? 1 : 0);
        if (cases[i].host) {
            assert_string_equal(url->hosts[0].host, cases[i].host);
            assert_int_equal(url->hosts[0].port, cases[i].port);
        }
        assert_int_equal(!!cases[i].user, !!url->user);
        if (url->user)
            assert_string_equal(url->user, cases[i].user);
        assert_int_equal(!!cases[i].password, !!url->password);
        if (url->password) {
            assert_string_equal(url->password, cases[i].password);
            assert_null(strstr(url->name, cases[i].password));
        }
        assert_int_equal(url->db, cases[i].db);
    }
}

static void test_url_invalid(void **state UNUSED)
{
    static const char *const cases[] = {
        "",
        "h",
        "redis://",
        "redis://:0",
        "redis://h:0",
        "redis://h:x",
        "redis://h:65536",
        "redis://h/x",
        "redis://h/65536",
        "redis://[::1",
        "redis://h?db=1",
        "unix://a/b",
        "unix:",
        "unix:///a?x=1",
        "unix:///a%0",
        "unix:///a%00",
        "http://h",
        "redis://u:SECRET%zz@h",
        "redis://u:SECRET@",
    };
    char longer[300] = "/";
    struct redis_url *url = NULL;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (redis_url_parse(cases[i], &url, &err) == 0)
            fail_msg("'%s' was taken", cases[i]);
        assert_int_equal(err.kind, ERR_USER);
        assert_null(strstr(err.msg, "SECRET"));
    }
    memset(longer + 1, 'a', 200);
    assert_int_equal(redis_url_parse(longer, &url, &err), -1);
    assert_non_null(strstr(err.msg, "too long"));
    assert_int_equal(redis_url_parse("rediss://u:SECRET@h", &url, &err), -1);
    assert_non_null(strstr(err.msg, "hiredis_ssl"));
    assert_null(strstr(err.msg, "SECRET"));
}

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

static void say(struct redis_words *words, const char *const *list, size_t n)
{
    *words = (struct redis_words){list, NULL, n};
}

#define WORDS(name, ...)                                                       \
    static const char *const name##_list[] = {__VA_ARGS__};                    \
    struct redis_words name;                                                   \
    say(&name, name##_list, ARRAY_LEN(name##_list))

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
    assert_int_equal(redis_sync_eval(redis, 0, "k", &arg, &reply, &err), 0);
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

struct seen {
    int good, bad;
    enum err_kind kind;
    char text[256];
};

static void on_reply(void *arg, const struct redisReply *reply,
                     const struct err *err)
{
    struct seen *seen = arg;

    if (reply) {
        seen->good++;
        if (reply->type == REDIS_REPLY_ARRAY)
            reply = reply->element[1];
        (void)snprintf(seen->text, sizeof(seen->text), "%.100s",
                       reply->str ? reply->str : "");
    } else {
        seen->bad++;
        seen->kind = err->kind;
        (void)snprintf(seen->text, sizeof(seen->text), "%.200s", err->msg);
    }
}

static void run_until(struct loop *loop, const int *count, int wanted)
{
    int64_t until = clock_mono_ms() + 8000;

    while (*count < wanted && clock_mono_ms() < until)
        assert_int_equal(loop_step(loop, 100, NULL), 0);
    assert_int_equal(*count, wanted);
}

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
    redis_eval(redis, 0, "k", &arg, on_reply, &seen); /* waits for it */
    assert_int_equal(seen.good, 0);
    run_until(loop, &seen.good, 1);
    assert_string_equal(seen.text, "hello");
    assert_sockets_private();
    redis_command(redis, &flush, NULL, NULL);
    redis_eval(redis, 0, "k", &arg, on_reply, &seen);
    run_until(loop, &seen.good, 2);
    redis_command(redis, &wrong, on_reply, &seen);
    run_until(loop, &seen.bad, 1);
    assert_int_equal(seen.kind, ERR_BUG);
    redis_eval(redis, 1, "k", &arg, on_reply, &seen);
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
    redis_eval(redis, 0, "k", &arg, on_reply, &seen);
    run_until(loop, &seen.good, 1);
    for (int round = 0; round < 3; round++) {
        /* One that was sent fails; one given while away waits. */
        redis_command(redis, &sleep, on_reply, &sent);
        assert_int_equal(loop_step(loop, 50, NULL), 0);
        redis_server_kill(&server);
        run_until(loop, &sent.bad, round + 1);
        assert_int_equal(sent.kind, ERR_TRANSIENT);
        redis_eval(redis, 0, "k", &arg, on_reply, &seen);
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
    redis_command(redis, &ping, on_reply, &seen);
    run_until(loop, &seen.good, 1);
    begin = clock_mono_ms();
    redis_server_signal(&server, SIGSTOP);
    redis_command(redis, &ping, on_reply, &seen);
    run_until(loop, &seen.bad, 1); /* sent, and not answered */
    redis_command(redis, &ping, on_reply, &seen);
    run_until(loop, &seen.bad, 2); /* waited for a connection */
    assert_int_equal(seen.kind, ERR_TIMEOUT);
    assert_in_range(clock_mono_ms() - begin, 590, 2000);
    redis_server_signal(&server, SIGCONT);
    redis_command(redis, &ping, on_reply, &seen);
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
        redis_command(redis, &fits, on_reply, &seen);
    run_until(loop, &seen.good, 4);
    redis_command(redis, &big, on_reply, &seen);
    run_until(loop, &seen.bad, 1);
    assert_non_null(strstr(seen.text, "too large"));
    redis_command(redis, &fits, on_reply, &seen);
    run_until(loop, &seen.good, 5);
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

            redis_command(doomed, &ping, on_reply, &seen);
            redis_command(doomed, &waits, on_reply, &seen);
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
    redis_command(redis, &ping, on_reply, &seen);
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
        cmocka_unit_test(test_url_valid),
        cmocka_unit_test(test_url_invalid),
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_sync_bounds),
        cmocka_unit_test(test_sync_away),
        cmocka_unit_test(test_async),
        cmocka_unit_test(test_async_restart),
        cmocka_unit_test(test_async_time_limits),
        cmocka_unit_test(test_async_bounds),
        cmocka_unit_test(test_async_free),
        cmocka_unit_test(test_async_wrong_password),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
