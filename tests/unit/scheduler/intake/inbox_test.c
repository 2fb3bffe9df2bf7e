/* tests/unit/scheduler/intake/inbox_test.c - documents out of Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/inbox.h"

#include "base/fd.h"
#include "base/log.h"
#include "tests/unit/scheduler/queue/pool.h"

static const int64_t no_offset;

/* ---- a scheduler's inbox ---------------------------------------------------
 */

struct taker {
    struct queue *queue;
    struct inbox *inbox;
    struct repo_reader *reader;
};

static struct outage outage;

static struct taker taker_reading(struct pool *p, const char *name,
                                  int64_t read_timeout_ms)
{
    const struct queue_options queue = {
        .url = server.url, .pool = p->name, .max_instances = 1};
    struct inbox_options options = {
        .admit = {.loop = p->loop,
                  .state_dir = "/tmp",
                  .read_timeout_ms = read_timeout_ms},
        .scheduler = name,
        .max_bytes = 1 << 20,
        .offset_ms = &no_offset,
        .outage = &outage};
    struct taker taker = {NULL, NULL, repo_reader_new(p->loop)};

    assert_int_equal(queue_open(p->loop, &queue, &taker.queue, NULL), 0);
    options.admit.queue = taker.queue;
    options.admit.reader = taker.reader;
    taker.inbox = inbox_new(&options);
    return taker;
}

static struct taker taker_new(struct pool *p, const char *name)
{
    return taker_reading(p, name, 1000);
}

static void taker_free(struct taker *taker)
{
    queue_free(taker->queue);
    inbox_free(taker->inbox);
    repo_reader_free(taker->reader);
}

static void put(struct pool *p, const char *text)
{
    (void)redis_num(p, "LPUSH", "%inbox", text);
}

static void turn(struct pool *p, int ms)
{
    int64_t until = clock_mono_ms() + ms;

    do
        assert_int_equal(loop_step(p->loop, 10, NULL), 0);
    while (clock_mono_ms() < until);
}

/* Until a command answers with that number. */
#define wait_until(p, wanted, ...)                                             \
    do {                                                                       \
        int64_t until_ = clock_mono_ms() + 30000;                              \
        while (redis_num(p, __VA_ARGS__) != (wanted) &&                        \
               clock_mono_ms() < until_)                                       \
            turn(p, 10);                                                       \
        assert_int_equal(redis_num(p, __VA_ARGS__), wanted);                   \
    } while (0)

#define INLINE "pipeline: {steps: [{run: ls}]}\n"

static void expect_held(struct pool *p, const char *key, int count)
{
    assert_int_equal(redis_num(p, "LLEN", "%inbox"), 0);
    wait_until(p, count, "LLEN", key);
}

/* ---- tests -----------------------------------------------------------------
 */

static void test_admits(void **state)
{
    struct pool *p = *state;
    struct taker s = taker_new(p, "s");

    put(p, "id: a\n" INLINE);
    put(p, "[{id: b, "
           "pipeline: {steps: [{run: ls}]}}]");
    wait_until(p, 1, "EXISTS", "%job:a");
    wait_until(p, 1, "EXISTS", "%job:b");
    expect_held(p, "%inbox:s", 0);
    taker_free(&s);
}

static const char *rejected(struct pool *p, const char *field)
{
    static char id[64];
    CLEANUP(mem) char *key = NULL;

    (void)snprintf(id, sizeof(id), "%s",
                   redis_word(p, "ZRANGE", "%rejected", "0", "0"));
    key = xasprintf("%%rejected:%s", id);
    return redis_word(p, "HGET", key, field);
}

static void test_rejects(void **state)
{
    struct pool *p = *state;
    struct taker s = taker_new(p, "s");

    put(p, "- {id: good, "
           "pipeline: {steps: [{run: ls}]}}\n- {kind: tset}\n");
    wait_until(p, 1, "ZCARD", "%rejected");
    expect(p, "good", "state", "");
    assert_memory_equal(rejected(p, "reason"), "document:2:10: 'tset'", 21);
    assert_memory_equal(rejected(p, "document"), "- {id: good", 11);
    assert_string_equal(rejected(p, "scheduler"), "s");
    expect_held(p, "%inbox:s", 0);
    taker_free(&s);
}

/* It is well-formed, and Redis cannot take it: a run has that id. */
static void test_taken_id(void **state)
{
    struct pool *p = *state;
    struct taker s = taker_new(p, "s");

    put(p, "id: r\npipeline: {matrix: {n: [1, 2]}, steps: [{run: ls}]}\n");
    wait_until(p, 1, "EXISTS", "%job:r");
    put(p, "- id: a\n  " INLINE "- id: r-2\n  " INLINE);
    wait_until(p, 1, "ZCARD", "%rejected");
    assert_string_equal(rejected(p, "reason"),
                        "job r-2 and run r exclude each other: the jobs of a "
                        "run have its id and -1, -2 …; choose another id");
    assert_int_equal(redis_num(p, "EXISTS", "%job:a", "%job:r-2"), 0);
    put(p, "id: r-3\n" INLINE);
    wait_until(p, 1, "EXISTS", "%job:r-3");
    expect_held(p, "%inbox:s", 0);
    taker_free(&s);
}

/* 1 MiB is a document; a byte more is none; nor is what is no text. */
static void test_large(void **state)
{
    struct pool *p = *state;
    const size_t max = 1 << 20;
    char *text = xcalloc(1, max + 2);
    struct taker s = taker_new(p, "s");

    memset(text, '#', max + 1);
    put(p, text);
    wait_until(p, 1, "ZCARD", "%rejected");
    assert_memory_equal(rejected(p, "reason"),
                        "document: it has 1048577 bytes, over 1048576", 44);
    expect_held(p, "%inbox:s", 0);
    memcpy(text, "id: a\n" INLINE, strlen("id: a\n" INLINE));
    text[max] = '\0';
    put(p, text);
    wait_until(p, 1, "EXISTS", "%job:a");
    put(p, "");
    put(p, "\xff\xfe\x01");
    wait_until(p, 3, "ZCARD", "%rejected");
    free(text);
    taker_free(&s);
}

/* So long that it cannot even be read: it must not stop the others. */
static void test_huge(void **state)
{
    struct pool *p = *state;
    const size_t size = 17 << 20;
    char *text = xcalloc(1, size + 1);
    struct taker s = taker_new(p, "s");

    memset(text, '#', size);
    put(p, text);
    free(text);
    put(p, "id: a\n" INLINE);
    wait_until(p, 1, "EXISTS", "%job:a");
    wait_until(p, 1, "ZCARD", "%rejected");
    assert_string_equal(rejected(p, "reason"),
                        "the document has 17825792 bytes");
    expect_held(p, "%inbox:s", 0);
    taker_free(&s);
}

/* What one of the same name held, or one that is dead, comes back. */
static void test_takes_over(void **state)
{
    struct pool *p = *state;
    struct taker s;

    (void)redis_num(p, "LPUSH", "%inbox:s", "id: a\n" INLINE);
    s = taker_new(p, "s");
    wait_until(p, 1, "EXISTS", "%job:a");
    (void)redis_num(p, "LPUSH", "%inbox:dead", "id: b\n" INLINE);
    (void)redis_num(p, "ZADD", "%schedulers", "1", "dead");
    freeReplyObject(script(p, SCRIPT_WATCH, "s", "1000", NULL));
    wait_until(p, 1, "EXISTS", "%job:b");
    assert_int_equal(redis_num(p, "LLEN", "%inbox:dead"), 0);
    taker_free(&s);
}

/* A document is taken by one, and ends as one job, however many there are. */
static void test_two(void **state)
{
    struct pool *p = *state;
    struct taker a = taker_new(p, "a");
    struct taker b = taker_new(p, "b");

    for (int i = 0; i < 40; i++)
        put(p, INLINE);
    wait_until(p, 40, "ZCARD", "%ready:2:none:");
    turn(p, 50);
    assert_int_equal(redis_num(p, "ZCARD", "%ready:2:none:"), 40);
    taker_free(&a);
    taker_free(&b);
}

/* Documents of a host that does not answer keep no others waiting. */
static void test_host_hangs(void **state)
{
    struct pool *p = *state;
    char dir[] = "/tmp/berth-inbox-XXXXXX";
    CLEANUP(mem) char *launch = NULL;
    CLEANUP(mem) char *started = NULL;
    CLEANUP(strbuf) struct strbuf script = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf asked = STRBUF_INIT;
    struct taker s;

    assert_non_null(mkdtemp(dir));
    launch = xasprintf("%s/launch", dir);
    started = xasprintf("%s/started", dir);
    strbuf_addf(&script, "#!/bin/sh\necho x >>%s\nexec sleep 60\n", started);
    assert_int_equal(file_write(launch, script.data, script.len, 0700, NULL),
                     0);
    assert_int_equal(setenv("BERTH_LIBEXEC", dir, 1), 0);
    s = taker_reading(p, "s", 60000);
    for (int i = 0; i < 2 * REPO_READER_MAX; i++) {
        CLEANUP(mem)
        char *text = xasprintf("repo: https://h/a/b%d\npipeline: ci\n", i);

        put(p, text);
    }
    put(p, "id: a\n" INLINE);
    wait_until(p, 1, "EXISTS", "%job:a");
    turn(p, 3 * 100); /* they would have tried again */
    assert_int_equal(file_read(started, 1 << 20, &asked, NULL), 0);
    assert_in_range(asked.len, 2, 2 * REPO_READER_MAX);
    taker_free(&s);
    assert_int_equal(tree_remove(dir, NULL), 0);
}

static void on_stopped(void *arg, const struct err *err)
{
    assert_null(err);
    *(bool *)arg = true;
}

static void test_stops(void **state)
{
    struct pool *p = *state;
    struct taker s = taker_new(p, "s");
    bool stopped = false;

    put(p, "id: a\n" INLINE);
    wait_until(p, 1, "EXISTS", "%job:a");
    inbox_stop(s.inbox, on_stopped, &stopped);
    while (!stopped)
        turn(p, 10);
    put(p, "id: b\n" INLINE);
    turn(p, 100);
    expect(p, "b", "state", "");
    assert_int_equal(redis_num(p, "LLEN", "%inbox"), 1);
    taker_free(&s);
}

static void test_smaller_maximum(void **state)
{
    struct pool *p = *state;
    struct taker s = taker_new(p, "s");

    inbox_set_max_bytes(s.inbox, 10);
    put(p, INLINE);
    wait_until(p, 1, "ZCARD", "%rejected");
    taker_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_admits),     POOL_TEST(test_rejects),
        POOL_TEST(test_large),      POOL_TEST(test_huge),
        POOL_TEST(test_takes_over), POOL_TEST(test_two),
        POOL_TEST(test_stops),      POOL_TEST(test_smaller_maximum),
        POOL_TEST(test_host_hangs), POOL_TEST(test_taken_id),
    };

    log_init("inbox_test", LOG_ERROR);
    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
