/* tests/unit/base/redis_tls_test.c - TLS to a real Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "tests/lib/redis_seen.h"

#ifdef HAVE_REDIS_TLS

static struct redis_server server; /* its directory holds the certificates */
static int port;

static const struct redis_script scripts[] = {
    {"echo", "return {KEYS[1], ARGV[1]}"},
};

/* An authority, and a certificate of it each for server and client. */
static const char make_certificates[] =
    "set -e; cd \"$1\"\n"
    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority "
    "-keyout ca.key -out ca.pem\n"
    "for name in server client; do\n"
    "  openssl req -newkey rsa:2048 -nodes -subj /CN=$name "
    "-keyout $name.key -out $name.csr\n"
    "  echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' >$name.ext\n"
    "  openssl x509 -req -days 2 -in $name.csr -CA ca.pem -CAkey ca.key "
    "-CAcreateserial -extfile $name.ext -out $name.pem\n"
    "done\n";

static void add_file(const char *option, const char *name)
{
    strv_add(&server.more, option);
    strv_addf(&server.more, "%s/%s", server.dir, name);
}

static int start(void **state UNUSED)
{
    int status;
    pid_t pid;

    redis_server_prepare(&server, "hunter2");
    {
        const char *const argv[] = {"sh", "-c",       make_certificates,
                                    "sh", server.dir, NULL};
        const struct proc_spec spec = {
            .argv = argv, .in = PROC_NULL, .out = PROC_NULL, .err = PROC_NULL};

        assert_int_equal(proc_spawn(&spec, &pid, NULL), 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    port = redis_free_port();
    strv_add(&server.more, "--tls-port");
    strv_addf(&server.more, "%d", port);
    strv_add(&server.more, "--tls-auth-clients");
    strv_add(&server.more, "optional");
    add_file("--tls-cert-file", "server.pem");
    add_file("--tls-key-file", "server.key");
    add_file("--tls-ca-cert-file", "ca.pem");
    redis_server_start(&server);
    return 0;
}

static int stop(void **state UNUSED)
{
    redis_server_clear(&server);
    return 0;
}

/* `%s` in `options` is the directory. */
static void make_url(char *url, size_t size, const char *host,
                     const char *options)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    const char *at;

    while ((at = strstr(options, "%s"))) {
        strbuf_add(&text, options, (size_t)(at - options));
        strbuf_adds(&text, server.dir);
        options = at + 2;
    }
    strbuf_adds(&text, options);
    (void)snprintf(url, size, "rediss://default:hunter2@%s:%d/1%s", host, port,
                   text.data);
}

static int try(const char *host, const char *options, struct err *err)
{
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    char url[512];
    const struct redis_options o = {.url = url, .connect_timeout_ms = 3000};

    make_url(url, sizeof(url), host, options);
    return redis_sync_open(&o, &redis, err);
}

static void test_trust(void **state UNUSED)
{
    struct err err = {ERR_NONE, 0, ""};

    if (try("127.0.0.1", "?ca=%s/ca.pem", &err) < 0)
        fail_msg("%s", err.msg);
    if (try("localhost", "?ca=%s/ca.pem", &err) < 0)
        fail_msg("%s", err.msg);
    /* The system does not trust it. */
    assert_int_equal(try("127.0.0.1", "", &err), -1);
    assert_int_equal(try("127.0.0.1", "", &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "certificate"));
    /* Another name or address than those of the certificate. */
    assert_int_equal(try("127.0.0.2", "?ca=%s/ca.pem", &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "mismatch"));
    assert_int_equal(try("127.0.0.2", "?ca=%s/ca.pem&sni=localhost", &err), 0);
    assert_int_equal(try("127.0.0.1", "?ca=%s/ca.pem&sni=other.example", &err),
                     -1);
    assert_non_null(strstr(err.msg, "mismatch"));
    assert_int_equal(try("127.0.0.1", "?ca=%s/none.pem", &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "none.pem"));
}

static void test_own_certificate(void **state UNUSED)
{
    static const char ours[] =
        "?ca=%s/ca.pem&cert=%s/client.pem&key=%s/client.key";
    struct err err;
    char text[64];

    redis_server_say(&server, text, sizeof(text), "CONFIG", "SET",
                     "tls-auth-clients", "yes", NULL);
    assert_string_equal(text, "OK");
    assert_int_equal(try("127.0.0.1", "?ca=%s/ca.pem", &err), -1);
    if (try("127.0.0.1", ours, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(try("127.0.0.1",
                         "?ca=%s/ca.pem&cert=%s/client.pem&key=%s/server.key",
                         &err),
                     -1);
    assert_int_equal(err.kind, ERR_USER);
    redis_server_say(&server, text, sizeof(text), "CONFIG", "SET",
                     "tls-auth-clients", "optional", NULL);
}

static void test_traffic(void **state UNUSED)
{
    char url[512];
    const struct redis_options options = {
        .url = url, .scripts = scripts, .script_count = 1, .max_retry_ms = 100};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    struct seen seen = {0, 0, ERR_NONE, ""};
    WORDS(arg, "hello");
    WORDS(big, "EVAL", "return string.rep('x', 5000000)", "0");

    make_url(url, sizeof(url), "127.0.0.1", "?ca=%s/ca.pem");
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    for (int i = 0; i < 2000; i++)
        redis_eval(redis, 0, "k", &arg, seen_reply, &seen);
    run_until(loop, &seen.good, 2000);
    assert_string_equal(seen.text, "hello");
    for (int i = 0; i < 5; i++)
        redis_command(redis, &big, seen_reply, &seen);
    run_until(loop, &seen.good, 2005);
    redis_server_kill(&server);
    redis_eval(redis, 0, "k", &arg, seen_reply, &seen);
    run_for(loop, 50);
    redis_server_start(&server);
    run_until_good(loop, redis, 0, "k", &arg, &seen, 60000);
}

/* Many bytes from us at once do not fit into a socket's buffer. */
static void test_backpressure(void **state UNUSED)
{
    char url[512];
    const struct redis_options options = {.url = url};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    CLEANUP(mem) char *value = xcalloc(1, 4000000);
    const char *const words[] = {"SET", "k", value};
    const size_t lens[] = {3, 1, 4000000};
    const struct redis_words set = {words, lens, 3};
    struct seen seen = {0, 0, ERR_NONE, ""};

    make_url(url, sizeof(url), "127.0.0.1", "?ca=%s/ca.pem");
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    for (int i = 1; i <= 3; i++) { /* two: more may not wait */
        redis_command(redis, &set, seen_reply, &seen);
        redis_command(redis, &set, seen_reply, &seen);
        run_until(loop, &seen.good, 2 * i);
    }
    assert_int_equal(seen.bad, 0);
}

/* A sentinel that speaks TLS itself names a master that does. */
static void test_sentinel(void **state UNUSED)
{
    struct redis_server sentinel;
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    char path[96], url[256];
    const struct redis_options options = {
        .url = url, .scripts = scripts, .script_count = 1};
    redisReply *reply = NULL;
    struct err err;
    FILE *f;
    WORDS(arg, "hello");

    redis_server_prepare(&sentinel, "");
    sentinel.sentinel = true;
    sentinel.port = redis_free_port();
    (void)snprintf(path, sizeof(path), "%s/conf", sentinel.dir);
    (void)snprintf(sentinel.url, sizeof(sentinel.url),
                   "rediss://127.0.0.1:%d?ca=%s/ca.pem", sentinel.port,
                   server.dir);
    f = fopen(path, "we");
    assert_non_null(f);
    (void)fprintf(f,
                  "port 0\ntls-port %d\ndir %s\ntls-replication yes\n"
                  "tls-auth-clients no\ntls-ca-cert-file %s/ca.pem\n"
                  "tls-cert-file %s/server.pem\ntls-key-file %s/server.key\n"
                  "sentinel monitor m 127.0.0.1 %d 1\n"
                  "sentinel auth-pass m hunter2\n",
                  sentinel.port, sentinel.dir, server.dir, server.dir,
                  server.dir, port);
    assert_int_equal(fclose(f), 0);
    redis_server_start(&sentinel);
    (void)snprintf(url, sizeof(url),
                   "rediss+sentinel://:hunter2@127.0.0.1:%d/m?ca=%s/ca.pem",
                   sentinel.port, server.dir);
    if (redis_sync_open(&options, &redis, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(redis_sync_eval(redis, 0, "k", &arg, &reply, &err), 0);
    assert_string_equal(reply->element[1]->str, "hello");
    freeReplyObject(reply);
    redis_server_clear(&sentinel);
}

/* Somebody who takes the connection and says nothing costs no more time than
 * was given. */
static void test_mute(void **state UNUSED)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CLEANUP(loop) struct loop *loop = NULL;
    CLEANUP(redis) struct redis *redis = NULL;
    CLEANUP(redis_sync) struct redis_sync *sync = NULL;
    char url[64];
    const struct redis_options options = {.url = url,
                                          .connect_timeout_ms = 3000};
    int64_t begin = clock_mono_ms();
    struct err err;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof(address);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(url, sizeof(url), "rediss://127.0.0.1:%d",
                   ntohs(address.sin_port));
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, NULL), 0);
    assert_in_range(clock_mono_ms() - begin, 0, 2500);
    assert_int_equal(redis_sync_open(&options, &sync, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.msg, "in time"));
    (void)close(fd);
}

/* In the clear to a port of TLS: told at once. */
static void test_in_the_clear(void **state UNUSED)
{
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    char url[64];
    struct redis_options options = {.url = url, .connect_timeout_ms = 3000};
    struct err err;

    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
    assert_int_equal(redis_sync_open(&options, &redis, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_own_certificate),
        cmocka_unit_test(test_traffic),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_sentinel),
        cmocka_unit_test(test_mute),
        cmocka_unit_test(test_in_the_clear),
    };

    return cmocka_run_group_tests(tests, start, stop);
}

#else

static void test_refused(void **state UNUSED)
{
    const struct redis_options options = {.url = "rediss://h"};
    CLEANUP(loop) struct loop *loop = NULL;
    struct redis *redis = NULL;
    struct err err;

    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &options, &redis, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "hiredis_ssl"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
