/* tests/unit/base/redis_name_test.c - a Redis that a host's name names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/redis_seen.h"

#include "base/resolve.h"

#include <errno.h>
#include <sys/stat.h>

/*
 * `getent` is a script of ours, first in PATH, that prints or does what a test
 * says; where a test says nothing, it is the host's own. Both servers have the
 * same port, of two addresses.
 */
#define FIRST  "127.0.0.2"
#define SECOND "127.0.0.3"
#define NOBODY "127.0.0.4"
#define MUTE   "127.0.0.5"

static struct redis_server servers[2];
static char url[64];
static char dir[] = "/tmp/berth-names-XXXXXX";

WORDS(which, "CONFIG", "GET", "bind");

static void write_script(const char *name, const char *text)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, name);
    CLEANUP(mem) char *script = xasprintf("#!/bin/sh\n%s\n", text);

    assert_int_equal(file_write(path, script, strlen(script), 0755, NULL), 0);
}

/* What it prints: of a name that begins with a dash, too. */
static void answer(const char *addresses)
{
    CLEANUP(mem)
    char *text = xasprintf("test \"$1$2\" = ahosts-- || exit 9\n"
                           "for a in %s; do\n"
                           "  printf '%%s STREAM name\\n%%s DGRAM\\n' $a $a\n"
                           "done",
                           addresses);

    write_script("getent", text);
}

static void start_server(struct redis_server *server, const char *address,
                         int port)
{
    redis_server_prepare(server, "");
    server->port = port;
    strv_add(&server->more, "--bind");
    strv_add(&server->more, address);
    redis_server_start(server);
}

static int start(void **state UNUSED)
{
    const char *old = getenv("PATH");
    CLEANUP(mem) char *path = NULL;
    int port = redis_free_port();

    if (!mkdtemp(dir))
        return -1;
    path = xasprintf("%s:%s", dir, old ? old : "/usr/bin:/bin");
    if (setenv("PATH", path, 1) < 0)
        return -1;
    start_server(&servers[0], FIRST, port);
    start_server(&servers[1], SECOND, port);
    (void)snprintf(url, sizeof(url), "redis://redis.test:%d", port);
    return 0;
}

static int stop(void **state UNUSED)
{
    redis_server_clear(&servers[0]);
    redis_server_clear(&servers[1]);
    return tree_remove(dir, NULL);
}

/* The address of the server that a client gets to, or why it does not. */
static const char *reach(const struct redis_options *options)
{
    static char text[1024];
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    redisReply *reply = NULL;
    struct err err;

    if (redis_sync_open(options, &redis, &err) < 0 ||
        redis_sync_command(redis, &which, &reply, &err) < 0) {
        assert_int_equal(err.kind, ERR_TRANSIENT);
        (void)snprintf(text, sizeof(text), "%s", err.msg);
        return text;
    }
    (void)snprintf(text, sizeof(text), "%s", reply->element[1]->str);
    freeReplyObject(reply);
    return text;
}

static void tries_each_address(void **state UNUSED)
{
    const struct redis_options options = {.url = url};
    const struct redis_options local = {.url = "redis://localhost:1"};
    const char *said;

    answer(SECOND);
    assert_string_equal(reach(&options), SECOND);
    answer(NOBODY " " FIRST " " SECOND);
    assert_string_equal(reach(&options), FIRST);
    answer(NOBODY " ::1 " SECOND);
    assert_string_equal(reach(&options), SECOND);
    answer(NOBODY);
    assert_non_null(strstr(reach(&options), NOBODY ": Connection refused"));
    write_script("getent", "exec /usr/bin/getent \"$@\"");
    said = reach(&local);
    assert_non_null(strstr(said, "redis://localhost:1/0: "));
    assert_true(strstr(said, "0: 127.0.0.1: ") || strstr(said, "0: ::1: "));
}

/* A listener whose queue is full drops what comes. */
static void fill(int port, int fds[4])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port)};

    assert_int_equal(inet_pton(AF_INET, MUTE, &address.sin_addr), 1);
    for (int i = 0; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fds[i] >= 0);
        if (i == 0) {
            assert_int_equal(
                bind(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
            assert_int_equal(listen(fds[i], 0), 0);
        } else {
            (void)connect(fds[i], (struct sockaddr *)&address, sizeof(address));
        }
    }
}

static void a_mute_address_has_its_share(void **state UNUSED)
{
    const struct redis_options options = {.url = url,
                                          .connect_timeout_ms = 3000};
    int64_t began = clock_mono_ms();
    int64_t took;
    int fds[4];

    fill(servers[0].port, fds);
    answer(MUTE " " FIRST);
    assert_string_equal(reach(&options), FIRST);
    took = clock_mono_ms() - began;
    assert_true(took >= 1450 && took < 2900);
    answer(MUTE);
    assert_non_null(strstr(reach(&options), MUTE ": cannot connect in time"));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fd_close(&fds[i]);
}

static void says_what_does_not_resolve(void **state UNUSED)
{
    const struct redis_options options = {.url = url};

    write_script("getent", "exit 2");
    assert_non_null(strstr(reach(&options),
                           "the name 'redis.test' does not resolve (try: "
                           "getent ahosts redis.test)"));
    answer("nonsense");
    assert_non_null(strstr(reach(&options), "does not resolve"));
    write_script("getent", "kill -SEGV $$");
    assert_non_null(strstr(reach(&options), "cannot resolve 'redis.test': "
                                            "getent died of signal 11"));
    write_script("getent", "exec cat /dev/zero");
    assert_non_null(strstr(reach(&options), "getent said far too much"));
}

/* Nothing is kept: the name leads elsewhere when the server is gone. */
static void follows_the_name(void **state UNUSED)
{
    const struct redis_options options = {.url = url};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    struct seen seen = {0};

    assert_int_equal(loop_new(&loop, NULL), 0);
    answer(FIRST);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    redis_command(redis, &which, seen_reply, &seen);
    run_until(loop, &seen.good, 1);
    assert_string_equal(seen.text, FIRST);
    answer(SECOND);
    redis_server_kill(&servers[0]);
    run_for(loop, 50);
    redis_command(redis, &which, seen_reply, &seen);
    run_until(loop, &seen.good, 2);
    assert_string_equal(seen.text, SECOND);
    redis_server_start(&servers[0]);
}

/* ---- a name server that does not answer -----------------------------------
 */

struct ticks {
    struct loop *loop;
    int64_t due_ms, worst_ms; /* how late the latest of them was */
    int count;
};

static void tick(void *arg)
{
    struct ticks *t = arg;
    int64_t now = clock_mono_ms();

    if (t->due_ms && now - t->due_ms > t->worst_ms)
        t->worst_ms = now - t->due_ms;
    t->count++;
    t->due_ms = now + 10;
    loop_add_timer(t->loop, t->due_ms, tick, t);
}

static void a_mute_resolver_blocks_nothing(void **state UNUSED)
{
    const char *const urls[] = {url,
                                "redis+sentinel://one.test,two.test/master",
                                "redis+cluster://one.test,two.test"};
    CLEANUP(loop) struct loop *loop = NULL;
    struct ticks ticks = {0};

    write_script("getent", "exec sleep 60");
    assert_int_equal(loop_new(&loop, NULL), 0);
    ticks.loop = loop;
    tick(&ticks);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        const struct redis_options options = {.url = urls[i],
                                              .command_timeout_ms = 500};
        CLEANUP(redis) struct redis *redis = NULL;
        struct seen seen = {0};

        assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
        redis_command(redis, &which, seen_reply, &seen);
        run_until(loop, &seen.bad, 1);
        assert_int_equal(seen.kind, ERR_TIMEOUT);
    }
    /* Of 10 s, until who asks gives up. */
    assert_true(ticks.count > 30);
    assert_true(ticks.worst_ms < 1000);
}

static void waiting_has_an_end(void **state UNUSED)
{
    const struct redis_options options = {.url = url};
    int64_t began = clock_mono_ms();
    int64_t took;

    write_script("getent", "exec sleep 60");
    assert_non_null(strstr(reach(&options),
                           "the name 'redis.test' was not resolved in 10 s"));
    took = clock_mono_ms() - began;
    assert_true(took >= 9900 && took < 12000);
}

static void knows_addresses(void **state UNUSED)
{
    static const char *const addresses[] = {"127.0.0.1", "::1", "fe80::1%lo",
                                            "::ffff:1.2.3.4"};
    static const char *const names[] = {"localhost", "redis.test", "-x",
                                        "",          "[::1]",      "1.2.3.4.5"};

    for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
        assert_true(resolve_is_address(addresses[i]));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_false(resolve_is_address(names[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_each_address),
        cmocka_unit_test(a_mute_address_has_its_share),
        cmocka_unit_test(says_what_does_not_resolve),
        cmocka_unit_test(follows_the_name),
        cmocka_unit_test(a_mute_resolver_blocks_nothing),
        cmocka_unit_test(waiting_has_an_end),
        cmocka_unit_test(knows_addresses),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
