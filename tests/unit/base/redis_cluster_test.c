/* tests/unit/base/redis_cluster_test.c - one hash slot, wherever it goes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/redis_seen.h"

/* Three masters, and as many replicas. */
#define MASTERS 3
#define NODES   6
#define SLOT    "15495" /* of the key 'a' */
#define HOME    2       /* who has it at first: the last third is its */

static struct redis_server nodes[NODES];
static char urls[MASTERS][64]; /* with one seed each */
static char all_url[256];      /* with the dead one of a port first */

static const struct redis_script scripts[] = {
    {"incr", "return {KEYS[1], tostring(redis.call('INCR', KEYS[1]))}"},
};

WORDS(which, "CONFIG", "GET", "port");

/* ---- the servers -------------------------------------------------------- */

static void start_node(struct redis_server *node)
{
    redis_server_prepare(node, "hunter2");
    node->port = redis_free_port();
    strv_add(&node->more, "--masterauth");
    strv_add(&node->more, "hunter2");
    strv_add(&node->more, "--cluster-enabled");
    strv_add(&node->more, "yes");
    strv_add(&node->more, "--cluster-node-timeout");
    strv_add(&node->more, "1000");
    strv_add(&node->more, "--cluster-port");
    strv_addf(&node->more, "%d", redis_free_port());
    strv_add(&node->more, "--repl-diskless-sync-delay");
    strv_add(&node->more, "0");
    redis_server_start(node);
}

/* With nodes in the order of `nodes`, so that the slots are known. */
static void create_cluster(void)
{
    CLEANUP(strv) struct strv argv = {NULL, 0};
    struct err err = {ERR_NONE, 0, ""};
    int status;
    pid_t pid;

    strv_add(&argv, "redis-cli");
    strv_add(&argv, "-a");
    strv_add(&argv, "hunter2");
    strv_add(&argv, "--no-auth-warning");
    strv_add(&argv, "--cluster");
    strv_add(&argv, "create");
    for (int i = 0; i < NODES; i++)
        strv_addf(&argv, "127.0.0.1:%d", nodes[i].port);
    strv_add(&argv, "--cluster-replicas");
    strv_add(&argv, "1");
    strv_add(&argv, "--cluster-yes");
    {
        const struct proc_spec spec = {.argv = (const char *const *)argv.items,
                                       .in = PROC_NULL,
                                       .out = PROC_NULL,
                                       .err = PROC_NULL};

        assert_int_equal(proc_spawn(&spec, &pid, &err), 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void wait_for(const char *what)
{
    for (int i = 0; i < NODES; i++) {
        char text[4096] = "";

        for (int tries = 0; tries < 1500 && !strstr(text, what); tries++) {
            redis_server_say(&nodes[i], text, sizeof(text), "CLUSTER", "INFO",
                             NULL);
            (void)poll(NULL, 0, 20);
        }
        assert_non_null(strstr(text, what));
    }
}

static int start(void **state UNUSED)
{
    for (int i = 0; i < NODES; i++)
        start_node(&nodes[i]);
    create_cluster();
    wait_for("cluster_state:ok");
    for (int i = 0; i < MASTERS; i++)
        (void)snprintf(urls[i], sizeof(urls[i]),
                       "redis+cluster://default:hunter2@127.0.0.1:%d",
                       nodes[i].port);
    (void)snprintf(all_url, sizeof(all_url),
                   "redis+cluster://:hunter2@127.0.0.1:1,127.0.0.1:%d,"
                   "127.0.0.1:%d,127.0.0.1:%d",
                   nodes[0].port, nodes[1].port, nodes[2].port);
    return 0;
}

static int stop(void **state UNUSED)
{
    for (int i = 0; i < NODES; i++)
        redis_server_clear(&nodes[i]);
    return 0;
}

/* ---- helpers ------------------------------------------------------------ */

struct client {
    struct loop *loop;
    struct redis *redis;
    struct seen seen;
};

static void open_client(struct client *c, const char *url)
{
    const struct redis_options options = {.url = url,
                                          .scripts = scripts,
                                          .script_count = 1,
                                          .command_timeout_ms = 5000,
                                          .max_retry_ms = 200};

    memset(c, 0, sizeof(*c));
    assert_int_equal(loop_new(&c->loop, NULL), 0);
    assert_int_equal(redis_open(c->loop, &options, &c->redis, NULL), 0);
}

static void close_client(struct client *c)
{
    redis_free(c->redis);
    loop_free(c->loop);
}

static void incr(struct client *c, const char *wanted)
{
    int good = c->seen.good;

    redis_eval(c->redis, 0, "a", NULL, seen_reply, &c->seen);
    run_until(c->loop, &c->seen.good, good + 1);
    assert_string_equal(c->seen.text, wanted);
}

/* Of the node that the client is connected to. */
static int port_of(struct client *c)
{
    int good = c->seen.good;

    redis_command(c->redis, &which, seen_reply, &c->seen);
    run_until(c->loop, &c->seen.good, good + 1);
    return atoi(c->seen.text);
}

static void say(int node, const char *expected, const char *const *words)
{
    char text[256];

    redis_server_say(&nodes[node], text, sizeof(text), words[0], words[1],
                     words[2], words[3], words[4], words[5], words[6], NULL);
    assert_string_equal(text, expected);
}

#define SAY(node, expected, ...)                                               \
    say(node, expected, (const char *const[7]){__VA_ARGS__})

/* ---- tests -------------------------------------------------------------- */

static void test_moved(void **state UNUSED)
{
    char text[32];

    for (int i = 0; i < MASTERS; i++) {
        struct client c;

        open_client(&c, urls[i]);
        /* Pipelined: each of them is answered by MOVED. */
        for (int k = 0; k < 10; k++)
            redis_eval(c.redis, 0, "a", NULL, seen_reply, &c.seen);
        run_until(c.loop, &c.seen.good, 10);
        (void)snprintf(text, sizeof(text), "%d", 10 * (i + 1));
        assert_string_equal(c.seen.text, text);
        assert_int_equal(port_of(&c), nodes[HOME].port);
        assert_int_equal(c.seen.bad, 0);
        close_client(&c);
    }
    SAY(HOME, "1", "DEL", "a");
}

static void test_sync(void **state UNUSED)
{
    struct redis_options options = {
        .url = all_url, .scripts = scripts, .script_count = 1};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    CLEANUP(redis_sync) struct redis_sync *single = NULL;
    redisReply *reply = NULL;
    struct err err;
    WORDS(get, "GET", "a");

    assert_int_equal(redis_sync_open(&options, &redis, &err), 0);
    assert_int_equal(redis_sync_eval(redis, 0, "a", NULL, &reply, &err), 0);
    assert_string_equal(reply->element[1]->str, "1");
    freeReplyObject(reply);
    assert_int_equal(redis_sync_command(redis, &get, &reply, &err), 0);
    assert_string_equal(reply->str, "1");
    freeReplyObject(reply);
    SAY(HOME, "1", "DEL", "a");

    /* A client that was not told of the cluster says so. */
    options.url = nodes[0].url;
    assert_int_equal(redis_sync_open(&options, &single, &err), 0);
    assert_int_equal(redis_sync_command(single, &get, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
    assert_non_null(strstr(err.msg, "redis+cluster://"));

    options.url = "redis+cluster://127.0.0.1:1,127.0.0.1:2";
    assert_int_equal(redis_sync_open(&options, &single, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

static void set_slot(int node, const char *what, const char *id)
{
    if (id)
        SAY(node, "OK", "CLUSTER", "SETSLOT", SLOT, what, id);
    else
        SAY(node, "OK", "CLUSTER", "SETSLOT", SLOT, what);
}

/* Nobody serves the slot: the command waits until somebody does. */
static void test_down(void **state UNUSED)
{
    struct client c;

    open_client(&c, all_url);
    incr(&c, "1");
    for (int i = 0; i < MASTERS; i++)
        SAY(i, "OK", "CLUSTER", "DELSLOTS", SLOT);
    redis_eval(c.redis, 0, "a", NULL, seen_reply, &c.seen);
    run_for(c.loop, 300);
    assert_int_equal(c.seen.good + c.seen.bad, 1);
    SAY(HOME, "OK", "CLUSTER", "ADDSLOTS", SLOT);
    run_until(c.loop, &c.seen.good, 2);
    assert_string_equal(c.seen.text, "2");
    assert_int_equal(c.seen.bad, 0);
    close_client(&c);
    wait_for("cluster_slots_ok:16384");
    wait_for("cluster_state:ok");
    SAY(HOME, "1", "DEL", "a");
}

/* Two nodes send us to each other: that has an end. */
static void test_astray(void **state UNUSED)
{
    struct client c;
    char to[64];
    WORDS(get, "GET", "{a}none");

    open_client(&c, all_url);
    redis_server_say(&nodes[0], to, sizeof(to), "CLUSTER", "MYID", NULL);
    set_slot(HOME, "MIGRATING", to);
    redis_command(c.redis, &get, seen_reply, &c.seen);
    run_until(c.loop, &c.seen.bad, 1);
    assert_int_equal(c.seen.kind, ERR_TRANSIENT);
    assert_non_null(strstr(c.seen.text, "elsewhere"));
    set_slot(HOME, "STABLE", NULL);
    redis_command(c.redis, &get, seen_reply, &c.seen);
    run_until(c.loop, &c.seen.good, 1);
    close_client(&c);
}

static void migrate(int from, int to, const char *key)
{
    char port[8], text[128];

    (void)snprintf(port, sizeof(port), "%d", nodes[to].port);
    redis_server_say(&nodes[from], text, sizeof(text), "MIGRATE", "127.0.0.1",
                     port, key, "0", "2000", "AUTH", "hunter2", NULL);
    assert_string_equal(text, "OK");
}

/* The slot of 'a' goes to the first node, by hand, with a client at it. */
static void test_migration(void **state UNUSED)
{
    struct client c;
    char from[64], to[64];
    int good;
    WORDS(both, "MGET", "{a}1", "{a}2");
    WORDS(count, "INCR", "a");
    WORDS(set, "MSET", "{a}1", "x", "{a}2", "y");

    open_client(&c, all_url);
    incr(&c, "1");
    redis_command(c.redis, &set, NULL, NULL);
    incr(&c, "2");
    redis_server_say(&nodes[HOME], from, sizeof(from), "CLUSTER", "MYID", NULL);
    redis_server_say(&nodes[0], to, sizeof(to), "CLUSTER", "MYID", NULL);
    set_slot(0, "IMPORTING", from);
    set_slot(HOME, "MIGRATING", to);
    incr(&c, "3"); /* it is still there */

    migrate(HOME, 0, "a");
    good = c.seen.good;
    for (int i = 0; i < 10; i++) /* ASK */
        redis_command(c.redis, &count, seen_reply, &c.seen);
    run_until(c.loop, &c.seen.good, good + 10);
    assert_int_equal(port_of(&c), nodes[HOME].port);

    migrate(HOME, 0, "{a}1");
    good = c.seen.good;
    redis_command(c.redis, &both, seen_reply, &c.seen);
    run_for(c.loop, 300); /* TRYAGAIN */
    assert_int_equal(c.seen.good, good);
    migrate(HOME, 0, "{a}2");
    run_until(c.loop, &c.seen.good, good + 1);
    assert_string_equal(c.seen.text, "y");

    /* A script waits until the slot is whole again. */
    good = c.seen.good;
    redis_eval(c.redis, 0, "a", NULL, seen_reply, &c.seen);
    run_for(c.loop, 300);
    assert_int_equal(c.seen.good, good);
    set_slot(0, "NODE", to);
    set_slot(HOME, "NODE", to);
    set_slot(1, "NODE", to);
    run_until(c.loop, &c.seen.good, good + 1);
    assert_string_equal(c.seen.text, "14");
    assert_int_equal(port_of(&c), nodes[0].port);
    assert_int_equal(c.seen.bad, 0);
    close_client(&c);
}

/* ASK leads to a node that is dead. */
static void test_ask_dead(void **state UNUSED)
{
    struct client c;
    char to[64];
    WORDS(get, "GET", "{a}none");

    open_client(&c, all_url);
    incr(&c, "15");
    redis_server_say(&nodes[1], to, sizeof(to), "CLUSTER", "MYID", NULL);
    set_slot(0, "MIGRATING", to);
    redis_server_kill(&nodes[1]);
    redis_command(c.redis, &get, seen_reply, &c.seen);
    run_until(c.loop, &c.seen.bad, 1);
    assert_true(c.seen.kind == ERR_TRANSIENT || c.seen.kind == ERR_TIMEOUT);
    set_slot(0, "STABLE", NULL);
    run_until_good(c.loop, c.redis, 0, "a", NULL, &c.seen, 15000);
    close_client(&c);
    redis_server_start(&nodes[1]);
    wait_for("cluster_state:ok");
}

/* The node of the slot dies; its replica takes over. */
static void test_failover(void **state UNUSED)
{
    struct client c;
    int port;

    open_client(&c, all_url);
    run_until_good(c.loop, c.redis, 0, "a", NULL, &c.seen, 5000);
    assert_int_equal(port_of(&c), nodes[0].port);
    redis_server_kill(&nodes[0]);
    run_until_good(c.loop, c.redis, 0, "a", NULL, &c.seen, 15000);
    port = port_of(&c);
    assert_true(port == nodes[3].port || port == nodes[4].port ||
                port == nodes[5].port);
    close_client(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moved),     cmocka_unit_test(test_sync),
        cmocka_unit_test(test_down),      cmocka_unit_test(test_astray),
        cmocka_unit_test(test_migration), cmocka_unit_test(test_ask_dead),
        cmocka_unit_test(test_failover),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
