/* tests/unit/scheduler/queue/log_test.c - head, ring, gaps and repeats. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/log_pool.h"

#define WRITER(name, id) CLEANUP(writer) struct writer name = writer_of(p, id)

static void test_small(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    struct seen seen = read_log(p, "a"); /* none is fine */

    assert_int_equal(seen.entries + seen.gaps, 0);
    assert_int_equal(seen.next_seq, 1);
    add_entry(&w, 5);
    add_entry(&w, 0);
    add_entry(&w, 7000);
    end_block(&w, false);
    add_entry(&w, 1);
    end_block(&w, false); /* two blocks in a batch */
    send_batch(&w);
    seen = read_log(p, "a");
    assert_int_equal(seen.entries, 4);
    assert_int_equal(seen.gaps, 0);
    assert_int_equal(seen.bytes, 7006);
    assert_int_equal(seen.next_seq, 5);
    assert_int_equal(redis_num(p, "EXISTS", "%log:a:1:tail"), 0);
    assert_true(redis_num(p, "PTTL", "%log:a:1") > 0);
    assert_true(redis_num(p, "PTTL", "%log:a:1:head") > 0);
    assert_int_equal(expect_counted(p), total_of(p));
}

/* More than the head takes, less than the ring. */
static void test_head_then_tail(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    struct seen seen;
    uint64_t head;

    write_blocks(&w, 12);
    seen = read_log(p, "a");
    assert_int_equal(seen.gaps, 0);
    assert_int_equal(seen.entries, 12 * PER_BLOCK);
    assert_int_equal(seen.bytes, 12 * BLOCK);
    assert_int_equal(seen.next_seq, 12 * PER_BLOCK + 1);
    head = HEAD_BYTES / w.cost;
    assert_int_equal(redis_num(p, "XLEN", "%log:a:1:head"), head);
    assert_int_equal(redis_num(p, "XLEN", "%log:a:1:tail"), 12 - head);
    assert_true(redis_num(p, "PTTL", "%log:a:1:tail") > 0);
    /* The head is closed: what would fit in it follows the tail. */
    add_entry(&w, 1);
    end_block(&w, false);
    send_batch(&w);
    assert_int_equal(redis_num(p, "XLEN", "%log:a:1:head"), head);
    assert_int_equal(read_log(p, "a").gaps, 0);
    (void)expect_counted(p);
}

static void test_ring(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    struct seen seen;
    uint64_t head, tail;

    write_blocks(&w, 40);
    head = HEAD_BYTES / w.cost;
    tail = TAIL_BYTES / w.cost;
    seen = read_log(p, "a");
    assert_int_equal(seen.gaps, 1);
    assert_int_equal(seen.gap[0].seq, head * PER_BLOCK + 1);
    assert_int_equal(seen.gap[0].bytes, (40 - head - tail) * BLOCK);
    assert_int_equal(seen.gap[0].next, (40 - tail) * PER_BLOCK + 1);
    assert_int_equal(seen.bytes, (head + tail) * BLOCK);
    assert_int_equal(seen.last, 40 * PER_BLOCK);
    assert_int_equal(expect_counted(p), (head + tail) * w.cost);
}

/* From everywhere: what is told is the rest of all, or of a gap. */
static void test_any_number(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    uint64_t end = 40 * PER_BLOCK + 1, gap, behind;

    write_blocks(&w, 40);
    gap = HEAD_BYTES / w.cost * PER_BLOCK + 1;
    behind = end - TAIL_BYTES / w.cost * PER_BLOCK;
    for (uint64_t from = 0; from < end + 3; from++) {
        struct seen seen = read_from(p, "a", from);
        uint64_t first = from ? from : 1;

        assert_int_equal(seen.next_seq, first > end ? first : end);
        assert_int_equal(seen.gaps, first < behind);
        assert_int_equal(seen.last, first < end ? end - 1 : 0);
        if (first < gap || first >= behind)
            assert_int_equal(seen.first, first < end ? first : 0);
        if (first < behind) {
            assert_int_equal(seen.gap[0].seq, first < gap ? gap : first);
            assert_int_equal(seen.gap[0].next, behind);
            /* In the midst of it nobody knows how much is missing. */
            assert_int_equal(seen.gap[0].bytes,
                             first <= gap ? (behind - gap) * ENTRY : 0);
        }
    }
    assert_int_equal(read_from(p, "a", UINT64_MAX).entries, 0);
}

static void test_resume(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    uint64_t next = 1, told = 0;

    for (unsigned i = 1; i < 60; i++) {
        struct seen seen;

        add_entry(&w, ENTRY);
        if (i % 3 == 0)
            add_entry(&w, 10);
        end_block(&w, false);
        send_batch(&w);
        seen = read_from(p, "a", next);
        assert_int_equal(seen.gaps, 0);
        assert_int_equal(seen.first, next);
        told += seen.entries;
        next = seen.next_seq;
        assert_int_equal(next, told + 1);
        seen = read_from(p, "a", next);
        assert_int_equal(seen.entries + seen.gaps, 0);
        assert_int_equal(seen.next_seq, next);
    }
    assert_int_equal(told, 59 + 19);
}

/* ---- gaps ---------------------------------------------------------------- */

static void lose_block(struct writer *w)
{
    for (int i = 0; i < PER_BLOCK; i++)
        add_entry(w, 1000);
    end_block(w, true);
}

/* Blocks that never came: in the midst, at the beginning, at the end. */
static void test_lost_blocks(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    struct seen seen;

    lose_block(&w);
    add_block(&w);
    lose_block(&w);
    lose_block(&w);
    add_block(&w);
    send_batch(&w);
    seen = read_log(p, "a");
    assert_int_equal(seen.gaps, 2);
    assert_int_equal(seen.gap[0].seq, 1);
    assert_int_equal(seen.gap[0].bytes, 3000);
    assert_int_equal(seen.gap[0].next, 4);
    assert_int_equal(seen.gap[1].seq, 7);
    assert_int_equal(seen.gap[1].bytes, 6000);
    assert_int_equal(seen.gap[1].next, 13);
    assert_int_equal(seen.next_seq, 16);
    /* Right behind the first block: that is where its end is known from. */
    assert_int_equal(read_from(p, "a", 7).gap[0].bytes, 6000);
    assert_int_equal(read_from(p, "a", 8).gap[0].bytes, 0);
}

/* A spool that lost blocks says so itself, once, and numbers are missing. */
static void test_gap_of_the_worker(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    const struct log_entry gap = {.stream = LOG_GAP, .gap_bytes = 2 * BLOCK};
    struct seen seen;

    add_block(&w);
    assert_true(log_builder_add(w.builder, &gap));
    end_block(&w, false);
    log_builder_free(w.builder);
    w.builder = log_builder_new(10, 3 * BLOCK);
    add_block(&w);
    send_batch(&w);
    seen = read_log(p, "a");
    assert_int_equal(seen.gaps, 1);
    assert_int_equal(seen.gap[0].seq, 4);
    assert_int_equal(seen.gap[0].bytes, 2 * BLOCK);
    assert_int_equal(seen.gap[0].next, 10);
    assert_int_equal(seen.next_seq, 13);
}

/* The head of what is written while it is read is not taken for missing. */
static void test_told_to_the_end(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    struct seen seen;

    write_blocks(&w, 8);
    /* As it was when the reader began; the rest came since. */
    (void)redis_num(p, "HSET", "%log:a:1", "next_seq", "7", "offset", "96000");
    seen = read_log(p, "a");
    assert_int_equal(seen.entries, 6);
    assert_int_equal(seen.gaps, 0);
    assert_int_equal(seen.next_seq, 7);
}

/* ---- repeats ------------------------------------------------------------- */

static void test_repeat(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    uint64_t sum;

    add_block(&w);
    add_block(&w);
    assert_int_equal(send_again(&w), ERR_NONE);
    sum = expect_counted(p);
    assert_int_equal(sum, 2 * w.cost);
    assert_int_equal(send_again(&w), ERR_NONE);
    assert_int_equal(expect_counted(p), sum);
    add_block(&w); /* of this batch, two are there already */
    assert_int_equal(send_again(&w), ERR_NONE);
    assert_int_equal(send_again(&w), ERR_NONE);
    assert_int_equal(expect_counted(p), 3 * w.cost);
    assert_int_equal(read_log(p, "a").entries, 3 * PER_BLOCK);
    assert_int_equal(read_log(p, "a").gaps, 0);
}

/* What the ring has dropped does not come back, nor what had no room. */
static void test_late_repeat(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    WRITER(poor, "b");
    CLEANUP(strbuf) struct strbuf first = STRBUF_INIT;
    uint64_t sum;

    write_blocks(&w, HEAD_BYTES / BLOCK);
    add_block(&w);
    strbuf_add(&first, w.batch.data, w.batch.len);
    send_batch(&w);
    write_blocks(&w, 30);
    sum = expect_counted(p);
    strbuf_add(&w.batch, first.data, first.len);
    send_batch(&w);
    assert_int_equal(expect_counted(p), sum);
    poor.budget = 1;
    add_block(&poor);
    assert_int_equal(send_again(&poor), ERR_NONE);
    poor.budget = NO_BUDGET;
    assert_int_equal(send_again(&poor), ERR_NONE);
    assert_int_equal(read_log(p, "b").entries, 0);
    assert_int_equal(read_log(p, "b").gap[0].bytes, BLOCK);
}

/* ---- lost leases --------------------------------------------------------- */

static void expect_lost(struct writer *w)
{
    strbuf_cut(&w->batch, 0);
    add_block(w);
    assert_int_equal(send_again(w), ERR_LOST);
}

static void test_lost_lease(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    struct lease *mine = w.lease;
    uint64_t sum;

    write_blocks(&w, 1);
    sum = expect_counted(p);
    w.lease = lease_adopt(p->queue, "a", 2, w.given.nonce);
    expect_lost(&w);
    lease_free(w.lease);
    w.lease = lease_adopt(p->queue, "a", 1, "another");
    expect_lost(&w);
    lease_free(w.lease);
    w.lease = lease_adopt(p->queue, "nobody", 1, w.given.nonce);
    expect_lost(&w);
    lease_free(w.lease);
    w.lease = mine;
    pass(p, &w.given);
    expect_lost(&w);
    assert_int_equal(expect_counted(p), sum);
    assert_int_equal(redis_num(p, "EXISTS", "%log:a:2", "%log:nobody:1"), 0);
    assert_int_equal(read_log(p, "a").entries, PER_BLOCK);
}

/* Taken back: the next attempt has a log of its own. */
static void test_next_attempt(void **state)
{
    struct pool *p = *state;
    WRITER(w, "a");
    struct given second;

    write_blocks(&w, 1);
    configure(p, "backoff_ms", "0", NULL);
    (void)end(p, &w.given, "failed", "worker_lost", "1");
    expect_lost(&w);
    (void)redis_num(p, "ZADD", "%delayed", "1", "a");
    promote(p, "1000");
    second = take(p);
    assert_string_equal(second.epoch, "2");
    expect_lost(&w);
    lease_free(w.lease);
    log_builder_free(w.builder);
    strbuf_cut(&w.batch, 0);
    w.lease = lease_adopt(p->queue, "a", 2, second.nonce);
    w.builder = log_builder_new(1, 0);
    write_blocks(&w, 2);
    assert_int_equal(read_log(p, "a").entries, PER_BLOCK);
    assert_int_equal(redis_num(p, "XLEN", "%log:a:2:head"), 2);
    (void)expect_counted(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_small),
        POOL_TEST(test_head_then_tail),
        POOL_TEST(test_ring),
        POOL_TEST(test_any_number),
        POOL_TEST(test_resume),
        POOL_TEST(test_lost_blocks),
        POOL_TEST(test_gap_of_the_worker),
        POOL_TEST(test_told_to_the_end),
        POOL_TEST(test_repeat),
        POOL_TEST(test_late_repeat),
        POOL_TEST(test_lost_lease),
        POOL_TEST(test_next_attempt),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
