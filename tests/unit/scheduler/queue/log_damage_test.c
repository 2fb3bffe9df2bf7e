/* tests/unit/scheduler/queue/log_damage_test.c - what Redis should not hold. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/log_pool.h"

/* A log of entries 1 to 6, in two blocks: the second is what a test puts in. */
#define TEXT  "some text"
#define BYTES (PER_BLOCK * strlen(TEXT))

/* XADD <key> <id> offset 0 bytes 0 block <data> */
static void put_raw(struct pool *p, const char *part, const char *id,
                    const void *data, size_t len)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *key = queue_key(p->queue, "log:a:1:%s", part);
    struct redis_words words;
    struct redis_sync *redis = NULL;
    redisReply *reply = NULL;

    queue_args_str(&args, "XADD");
    queue_args_str(&args, key);
    queue_args_str(&args, id);
    queue_args_str(&args, "offset");
    queue_args_str(&args, "0");
    queue_args_str(&args, "bytes");
    queue_args_str(&args, "0");
    queue_args_str(&args, "block");
    queue_args_mem(&args, data, len);
    words = queue_args_words(&args);
    assert_int_equal(queue_sync(p->queue, &redis, NULL), 0);
    assert_int_equal(redis_sync_command(redis, &words, &reply, NULL), 0);
    freeReplyObject(reply);
}

static void put_block(struct pool *p, const char *id,
                      const struct log_block *block)
{
    CLEANUP(strbuf) struct strbuf bytes = STRBUF_INIT;

    log_block_put(block, &bytes);
    put_raw(p, "head", id, bytes.data, bytes.len);
}

static void count_entry(void *arg, const struct log_entry *entry)
{
    assert_true(entry->seq > 0);
    ++*(unsigned *)arg;
}

/* An error that says so, and what is to go on with is as it was. */
static void expect_damage(struct pool *p, uint64_t from_seq, const char *words)
{
    struct err err = {ERR_NONE, 0, ""};
    uint64_t next_seq = 77;
    unsigned told = 0;

    assert_int_equal(queue_log(p->queue, "a", 1, from_seq, count_entry, &told,
                               &next_seq, &err),
                     -1);
    assert_int_equal(err.kind, ERR_USER);
    if (!strstr(err.msg, words))
        fail_msg("it says: %s", err.msg);
    assert_int_equal(next_seq, 77);
    assert_in_range(told, 0, PER_BLOCK);
}

/* Put in the first block and the counters of both. The second borrows. */
static struct log_builder *begin(struct pool *p, struct log_block *out_second)
{
    const struct log_entry entry = {
        .step = 3, .data = TEXT, .len = strlen(TEXT)};
    struct log_builder *builder = log_builder_new(1, 0);

    (void)redis_num(p, "DEL", "%log:a:1:head", "%log:a:1:tail");
    (void)redis_num(p, "HSET", "%log:a:1", "next_seq", "7", "offset", "54");
    for (int n = 0; n < 2; n++) {
        for (int i = 0; i < PER_BLOCK; i++)
            assert_true(log_builder_add(builder, &entry));
        assert_true(log_builder_finish(builder, out_second));
        if (n == 0)
            put_block(p, "1-0", out_second);
    }
    return builder;
}

static unsigned told_from(struct pool *p, uint64_t from_seq)
{
    unsigned told = 0;

    assert_int_equal(
        queue_log(p->queue, "a", 1, from_seq, count_entry, &told, NULL, NULL),
        0);
    return told;
}

/* The rest is about what differs from this. */
static void test_sound(void **state)
{
    struct pool *p = *state;
    struct log_block second;
    CLEANUP(log_builder) UNUSED struct log_builder *builder = begin(p, &second);

    put_block(p, "4-0", &second);
    assert_int_equal(told_from(p, 1), 6);
    assert_int_equal(told_from(p, 5), 2);
}

/* ---- what is no block ---------------------------------------------------- */

static void test_garbage(void **state)
{
    static const char *const garbage[] = {
        "", "garbage", "BLG1", "BLG1 and forty bytes, or even more than that"};
    struct pool *p = *state;
    struct log_block second;

    for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
        CLEANUP(log_builder)
        UNUSED struct log_builder *builder = begin(p, &second);

        put_raw(p, "head", "4-0", garbage[i], strlen(garbage[i]));
        expect_damage(p, 1, "damaged");
        expect_damage(p, 5, "damaged"); /* where it begins to look */
    }
}

/* Each byte changed, each length but the right one. */
static void test_bytes(void **state)
{
    struct pool *p = *state;
    CLEANUP(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct log_block second;
    size_t len;

    log_builder_free(begin(p, &second));
    for (size_t i = 0; i == 0 || i < 2 * len; i++) {
        CLEANUP(log_builder)
        UNUSED struct log_builder *builder = begin(p, &second);

        strbuf_cut(&bytes, 0);
        log_block_put(&second, &bytes);
        len = bytes.len;
        strbuf_addc(&bytes, 'x');
        if (i < len)
            bytes.data[i] = (char)(bytes.data[i] ^ 0x10);
        put_raw(p, "head", "4-0", bytes.data, i < len ? len : i - len);
        expect_damage(p, 1, "damaged");
    }
    assert_true(len > LOG_BLOCK_HEADER_SIZE);
    log_builder_free(begin(p, &second));
    put_raw(p, "head", "4-0", bytes.data, len + 1);
    expect_damage(p, 1, "damaged");
}

/* Keys and entries of another kind, as another program may leave them. */
static void test_strangers(void **state)
{
    struct pool *p = *state;
    struct log_block second;
    struct err err = {ERR_NONE, 0, ""};
    unsigned told = 0;

    log_builder_free(begin(p, &second));
    (void)redis_word(p, "XADD", "%log:a:1:head", "4-0", "block", "x");
    expect_damage(p, 1, "damaged");
    (void)redis_num(p, "DEL", "%log:a:1:head");
    (void)redis_word(p, "SET", "%log:a:1:head", "x");
    assert_int_equal(
        queue_log(p->queue, "a", 1, 1, count_entry, &told, NULL, &err), -1);
    (void)redis_word(p, "SET", "%log:a:1", "x");
    assert_int_equal(
        queue_log(p->queue, "a", 1, 1, count_entry, &told, NULL, &err), -1);
    assert_int_equal(
        queue_log(p->queue, "a/b", 1, 1, count_entry, &told, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(told, 0);
}

static void test_counters(void **state)
{
    static const char *const bad[] = {"-1", "-9223372036854775808",
                                      "9223372036854775807",
                                      "99999999999999999999999"};
    struct pool *p = *state;
    struct log_block second;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(log_builder)
        UNUSED struct log_builder *builder = begin(p, &second);

        (void)redis_num(p, "HSET", "%log:a:1", "next_seq", bad[i]);
        expect_damage(p, 1, "counters");
        (void)redis_num(p, "HSET", "%log:a:1", "next_seq", "7", "offset",
                        bad[i]);
        expect_damage(p, 1, "counters");
    }
    /* Less output than the first block has. */
    log_builder_free(begin(p, &second));
    (void)redis_num(p, "HSET", "%log:a:1", "offset", "5");
    expect_damage(p, 1, "counters");
    (void)redis_num(p, "HSET", "%log:a:1", "next_seq", "x", "offset", "x");
    assert_int_equal(told_from(p, 1), 0);
}

/* ---- blocks whose check sum is right --------------------------------------
 */

/* A frame that says it holds an exbibyte, and is cut off there. */
static const uint8_t bomb[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0,
                               0,    0,    0,    0,    0x10, 1, 0, 0};

static void test_false_claims(void **state)
{
    static const struct {
        const char *id, *words;
        uint64_t first_seq, offset, bytes;
        uint32_t count;
        bool is_bomb;
    } cases[] = {
        {"4-0", "out of place", 4, 26, 27, 3, false},
        {"4-0", "out of place", 4, 28, 27, 3, false},
        {"4-0", "out of place", 4, 0, 27, 3, false},
        {"4-0", "out of place", 4, UINT64_C(1) << 60, 27, 3, false},
        {"5-0", "out of place", 5, 26, 27, 3, false}, /* less than before */
        {"3-0", "out of place", 3, 27, 27, 3, false}, /* one twice */
        {"5-0", "damaged", 4, 27, 27, 3, false},
        {"4-0", "damaged", 5, 27, 27, 3, false},
        {"4-0", "damaged", 0, 27, 27, 3, false},
        {"4-0", "damaged", UINT64_MAX, 27, 27, 3, false},
        {"4-0", "damaged", 4, UINT64_MAX, 27, 3, false},
        {"4-0", "damaged", 4, 27, 28, 3, false},
        {"4-0", "damaged", 4, 27, UINT64_C(1) << 60, 3, false},
        {"4-0", "damaged", 4, 27, UINT64_MAX, 3, false},
        {"4-0", "damaged", 4, 27, 27, 2, false},
        {"4-0", "damaged", 4, 27, 27, 0, false},
        {"4-0", "damaged", 4, 27, 27, LOG_BLOCK_MAX_ENTRIES, false},
        {"4-0", "damaged", 4, 27, 27, UINT32_MAX, false},
        {"4-0", "damaged", 4, 27, 27, 3, true},
    };
    struct pool *p = *state;
    struct log_block block;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(log_builder)
        UNUSED struct log_builder *builder = begin(p, &block);

        block.first_seq = cases[i].first_seq;
        block.offset = cases[i].offset;
        block.bytes = cases[i].bytes;
        block.count = cases[i].count;
        if (cases[i].is_bomb) {
            block.data = bomb;
            block.len = sizeof(bomb);
        }
        put_block(p, cases[i].id, &block);
        expect_damage(p, 1, cases[i].words);
    }
}

/* Nothing is told of a damaged block, not even that others are missing. */
static void test_no_gap_before_damage(void **state)
{
    struct pool *p = *state;
    struct log_block block;
    CLEANUP(log_builder) UNUSED struct log_builder *builder = begin(p, &block);

    block.first_seq = 5;
    block.offset = 30;
    block.count = 2;
    put_block(p, "5-0", &block);
    expect_damage(p, 1, "damaged");
}

/* A tail of something else does not keep its worker from writing on. */
static void test_strange_tail(void **state)
{
    struct pool *p = *state;
    CLEANUP(writer) struct writer w = writer_of(p, "a");

    write_blocks(&w, 1);
    (void)redis_word(p, "XADD", "%log:a:1:tail", "1-0", "block", "x");
    write_blocks(&w, 39);
    assert_int_equal(redis_num(p, "XLEN", "%log:a:1:head"),
                     HEAD_BYTES / w.cost);
    assert_int_equal(read_log(p, "a").last, 40 * PER_BLOCK);
}

/* Counters that are gone, whyever: it begins anew, and nothing counts twice. */
static void test_lost_counters(void **state)
{
    struct pool *p = *state;
    CLEANUP(writer) struct writer w = writer_of(p, "a");

    write_blocks(&w, 10);
    add_block(&w);
    assert_int_equal(redis_num(p, "DEL", "%log:a:1"), 1);
    assert_int_equal(told_from(p, 1), 0);
    send_batch(&w);
    assert_int_equal(read_log(p, "a").gap[0].bytes, 10 * BLOCK);
    assert_int_equal(read_log(p, "a").last, 11 * PER_BLOCK);
    add_block(&w);
    assert_int_equal(send_again(&w), ERR_NONE);
    assert_int_equal(redis_num(p, "DEL", "%log:a:1"), 1);
    assert_int_equal(send_again(&w), ERR_NONE); /* numbers it has already */
    assert_int_equal(expect_counted(p), w.cost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_sound),
        POOL_TEST(test_garbage),
        POOL_TEST(test_bytes),
        POOL_TEST(test_strangers),
        POOL_TEST(test_counters),
        POOL_TEST(test_false_claims),
        POOL_TEST(test_lost_counters),
        POOL_TEST(test_strange_tail),
        POOL_TEST(test_no_gap_before_damage),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
