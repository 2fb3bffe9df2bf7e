/* tests/unit/scheduler/queue/log_budget_test.c - when logs are too much. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/log_pool.h"

#define WRITER(name, id) CLEANUP(writer) struct writer name = writer_of(p, id)

/* A job with a log of so many blocks, which has ended. */
static uint64_t ended(struct pool *p, const char *id, unsigned blocks)
{
    WRITER(w, id);

    write_blocks(&w, blocks);
    pass(p, &w.given);
    return w.cost;
}

static bool has_log(struct pool *p, const char *id)
{
    CLEANUP(mem) char *name = xasprintf("%s:1", id);
    CLEANUP(mem) char *key = xasprintf("%%log:%s", name);
    CLEANUP(mem) char *head = xasprintf("%%log:%s:head", name);
    CLEANUP(mem) char *tail = xasprintf("%%log:%s:tail", name);
    bool ranked = *redis_word(p, "ZSCORE", "%logs", name);
    long long keys = redis_num(p, "EXISTS", key, head, tail);

    assert_int_equal(ranked, keys > 0);
    if (!ranked)
        assert_string_equal(redis_word(p, "HGET", "%log_sizes", name), "");
    return ranked;
}

/* Its last block came that long ago. */
static void make_old(struct pool *p, const char *id, int64_t ms)
{
    CLEANUP(mem) char *name = xasprintf("%s:1", id);
    CLEANUP(mem) char *moment = xasprintf("%" PRId64, now_ms(p) - ms);

    assert_string_equal(
        redis_word(p, "ZADD", "%logs", "XX", "CH", moment, name), "1");
}

/* The oldest logs of ended jobs first, and no more than must. */
static void test_ended_first(void **state)
{
    struct pool *p = *state;
    uint64_t cost = ended(p, "a", 2);
    uint64_t budget = 7 * cost;

    (void)ended(p, "b", 2);
    (void)ended(p, "c", 2);
    make_old(p, "b", 5000); /* older than a */
    WRITER(w, "w");
    w.budget = budget;
    write_blocks(&w, 1);
    assert_int_equal(expect_counted(p), budget);
    assert_true(has_log(p, "a") && has_log(p, "b") && has_log(p, "c"));
    write_blocks(&w, 1);
    assert_true(has_log(p, "a") && !has_log(p, "b") && has_log(p, "c"));
    assert_int_equal(expect_counted(p), 6 * cost);
    write_blocks(&w, 2);
    assert_true(!has_log(p, "a") && has_log(p, "c"));
    assert_int_equal(expect_counted(p), 6 * cost);
    assert_int_equal(read_log(p, "w").entries, 4 * PER_BLOCK);
    assert_int_equal(read_log(p, "w").gaps, 0);
    assert_int_equal(read_log(p, "a").next_seq, 1);
}

/* However old: of jobs that run none goes, nor their earlier attempts'. */
static void test_never_of_running(void **state)
{
    struct pool *p = *state;
    uint64_t budget = 2 * ended(p, "a", 1);
    WRITER(old, "old");
    WRITER(w, "w");

    write_blocks(&old, 1);
    make_old(p, "old", 100000);
    w.budget = budget;
    write_blocks(&w, 2);
    assert_true(has_log(p, "old"));
    assert_false(has_log(p, "a"));
    assert_int_equal(read_log(p, "old").entries, PER_BLOCK);
    assert_int_equal(read_log(p, "w").entries, PER_BLOCK);
    assert_int_equal(expect_counted(p), budget);
}

/* Many quiet jobs that run do not hide one that has ended. */
static void test_behind_many_running(void **state)
{
    struct pool *p = *state;
    struct writer many[40];
    uint64_t cost = ended(p, "a", 1);
    char id[16];

    for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
        (void)snprintf(id, sizeof(id), "r%u", i);
        many[i] = writer_of(p, id);
        add_entry(&many[i], 1);
        end_block(&many[i], false);
        send_batch(&many[i]);
        make_old(p, id, 100000 - i);
    }
    WRITER(w, "w");
    w.budget = (uint64_t)total_of(p) + 1;
    write_blocks(&w, 1);
    assert_false(has_log(p, "a"));
    assert_int_equal(read_log(p, "w").entries, PER_BLOCK);
    assert_int_equal(w.cost, cost);
    for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
        (void)snprintf(id, sizeof(id), "r%u", i);
        assert_true(has_log(p, id));
        writer_freep(&many[i]);
    }
    (void)expect_counted(p);
}

/* One large block may need more room than a hundred small logs take. */
static void test_many_small(void **state)
{
    struct pool *p = *state;
    char id[16];

    for (unsigned i = 0; i < 120; i++) {
        (void)snprintf(id, sizeof(id), "s%u", i);
        WRITER(small, id);
        add_entry(&small, 1);
        end_block(&small, false);
        send_batch(&small);
        pass(p, &small.given);
    }
    WRITER(w, "w");
    add_block(&w);
    w.budget = w.cost;
    assert_true((uint64_t)total_of(p) < w.budget);
    send_batch(&w);
    assert_int_equal(read_log(p, "w").entries, PER_BLOCK);
    assert_int_equal(expect_counted(p), w.cost);
}

/* Then one's own tail: a smaller ring. */
static void test_own_tail(void **state)
{
    struct pool *p = *state;
    WRITER(w, "w");
    uint64_t head;
    struct seen seen;

    write_blocks(&w, 8);
    head = HEAD_BYTES / w.cost;
    w.budget = 8 * w.cost + 10;
    write_blocks(&w, 10);
    seen = read_log(p, "w");
    assert_int_equal(seen.gaps, 1);
    assert_int_equal(seen.gap[0].seq, head * PER_BLOCK + 1);
    assert_int_equal(seen.gap[0].bytes, 10 * BLOCK);
    assert_int_equal(seen.last, 18 * PER_BLOCK);
    assert_int_equal(expect_counted(p), 8 * w.cost);
}

/* Then nothing more is taken, and what is there stays; later it goes on. */
static void test_refusal(void **state)
{
    struct pool *p = *state;
    WRITER(w, "w");
    WRITER(other, "other");
    struct seen seen;
    uint64_t sum;

    write_blocks(&other, 3);
    write_blocks(&w, 2);
    sum = expect_counted(p);
    w.budget = sum + 10;
    write_blocks(&w, 4);
    assert_int_equal(expect_counted(p), sum);
    seen = read_log(p, "w");
    assert_int_equal(seen.entries, 2 * PER_BLOCK);
    assert_int_equal(seen.gap[0].seq, 2 * PER_BLOCK + 1);
    assert_int_equal(seen.gap[0].bytes, 4 * BLOCK);
    assert_int_equal(seen.next_seq, 6 * PER_BLOCK + 1);
    pass(p, &other.given); /* which makes room */
    write_blocks(&w, 1);
    assert_false(has_log(p, "other"));
    seen = read_log(p, "w");
    assert_int_equal(seen.gaps, 1);
    assert_int_equal(seen.gap[0].next, 6 * PER_BLOCK + 1);
    assert_int_equal(seen.gap[0].bytes, 4 * BLOCK);
    assert_int_equal(seen.last, 7 * PER_BLOCK);
    (void)expect_counted(p);
}

/* A tail is not thrown away for what would have no room all the same. */
static void test_not_in_vain(void **state)
{
    struct pool *p = *state;
    WRITER(other, "other");
    WRITER(w, "w");
    struct seen seen;

    write_blocks(&other, 3);
    w.budget = 1; /* closes the head */
    write_blocks(&w, 1);
    w.budget = NO_BUDGET;
    add_entry(&w, 1000);
    end_block(&w, false);
    send_batch(&w);
    w.budget = (uint64_t)total_of(p) + 1;
    write_blocks(&w, 1);
    seen = read_log(p, "w");
    assert_int_equal(seen.gaps, 2);
    assert_int_equal(seen.entries, 1);
    assert_int_equal(seen.bytes, 1000);
    (void)expect_counted(p);
}

/* ---- trim.lua ------------------------------------------------------------ */

static void test_trim(void **state)
{
    struct pool *p = *state;
    uint64_t cost = ended(p, "a", 2);

    (void)redis_num(p, "ZADD", "%done", "XX", "1000", "a");
    (void)ended(p, "b", 8); /* with a tail */
    WRITER(w, "w");
    write_blocks(&w, 1);
    assert_string_equal(word_of(p, SCRIPT_TRIM, "100"), "1");
    assert_true(!has_log(p, "a") && has_log(p, "b") && has_log(p, "w"));
    assert_int_equal(expect_counted(p), 9 * cost);
    assert_string_equal(word_of(p, SCRIPT_TRIM, "0"), "1");
    assert_true(!has_log(p, "b") && has_log(p, "w"));
    assert_int_equal(expect_counted(p), cost);
}

/* All attempts' logs go with their job. */
static void test_trim_attempts(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    struct given second;

    write_blocks(&w, 1);
    (void)end(p, &w.given, "failed", "worker_lost", "1");
    (void)redis_num(p, "ZADD", "%delayed", "1", "a");
    promote(p, "1000");
    second = take(p);
    lease_free(w.lease);
    log_builder_free(w.builder);
    w.lease = lease_adopt(p->queue, "a", 2, second.nonce);
    w.builder = log_builder_new(1, 0);
    write_blocks(&w, 1);
    assert_int_equal(redis_num(p, "ZCARD", "%logs"), 2);
    pass(p, &second);
    assert_string_equal(word_of(p, SCRIPT_TRIM, "0"), "1");
    assert_int_equal(redis_num(p, "ZCARD", "%logs"), 0);
    assert_int_equal(expect_counted(p), 0);
}

/* Keys and jobs vanish by themselves at their time: nothing stays counted. */
static void test_lifetimes(void **state)
{
    struct pool *p = *state;
    const char *total;

    configure(p, "keep_ms", "100", "dead_keep_ms", "1000000", NULL);
    (void)ended(p, "a", 1);
    (void)word_of(p, SCRIPT_TRIM, "100"); /* logs, log_sizes: for longer */
    pause_ms(150);
    assert_int_equal(redis_num(p, "EXISTS", "%job:a", "%log:a:1"), 0);
    (void)word_of(p, SCRIPT_TRIM, "100");
    assert_false(has_log(p, "a"));
    total = redis_word(p, "HGET", "%log_sizes", "total");
    assert_string_equal(total, "0");
    expect_sound(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_ended_first),
        POOL_TEST(test_never_of_running),
        POOL_TEST(test_behind_many_running),
        POOL_TEST(test_many_small),
        POOL_TEST(test_own_tail),
        POOL_TEST(test_refusal),
        POOL_TEST(test_not_in_vain),
        POOL_TEST(test_trim),
        POOL_TEST(test_trim_attempts),
        POOL_TEST(test_lifetimes),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
