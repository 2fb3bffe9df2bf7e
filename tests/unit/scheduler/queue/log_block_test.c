/* tests/unit/scheduler/queue/log_block_test.c - blocks of a log. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/log_block.h"
#include "tests/lib/unit.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define WALL_MS INT64_C(1790000000000)

static const struct log_entry samples[] = {
    {.at_ms = WALL_MS, .step = 0, .stream = LOG_NOTE, .data = "hi", .len = 2},
    {.at_ms = WALL_MS + 5,
     .step = 1,
     .stream = LOG_STDOUT,
     .data = "",
     .len = 0},
    {.at_ms = WALL_MS - 70000, .step = 700, .data = "a\0b\xff\n", .len = 5},
    {.at_ms = 0, .stream = LOG_STDERR, .data = "x", .len = 1},
    {.at_ms = INT64_MAX,
     .step = UINT32_MAX,
     .stream = LOG_GAP,
     .gap_bytes = LOG_GAP_MAX_BYTES},
    {.at_ms = INT64_MIN, .stream = LOG_GAP, .gap_bytes = 1},
};
#define SAMPLE_BYTES (2 + 5 + 1 + LOG_GAP_MAX_BYTES + 1)

static void assert_entry(const struct log_entry *entry,
                         const struct log_entry *expected, uint64_t seq)
{
    assert_int_equal(entry->seq, seq);
    assert_true(entry->at_ms == expected->at_ms);
    assert_int_equal(entry->step, expected->step);
    assert_int_equal(entry->stream, expected->stream);
    assert_int_equal(entry->gap_bytes, expected->gap_bytes);
    assert_int_equal(entry->len, expected->len);
    assert_memory_equal(entry->data, expected->data ? expected->data : "",
                        expected->len);
}

static void make_samples(struct log_builder *builder, struct log_block *block)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        assert_true(log_builder_add(builder, &samples[i]));
    assert_true(log_builder_finish(builder, block));
}

static void comes_back_as_it_was(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(7, 100);
    CLEANUP(log_decoder) struct log_decoder *decoder = log_decoder_new();
    CLEANUP(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct log_block made, block;
    struct log_entry entry;

    assert_int_equal(log_builder_pending(builder), 0);
    make_samples(builder, &made);
    assert_int_equal(made.first_seq, 7);
    assert_int_equal(made.count, ARRAY_LEN(samples));
    assert_int_equal(log_block_last_seq(&made), 6 + ARRAY_LEN(samples));
    assert_int_equal(made.offset, 100);
    assert_int_equal(made.bytes, SAMPLE_BYTES);
    log_block_put(&made, &bytes);
    assert_int_equal(log_block_parse(bytes.data, bytes.len, &block), bytes.len);
    assert_int_equal(log_decoder_open(decoder, &block, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        assert_true(log_decoder_next(decoder, &entry));
        assert_entry(&entry, &samples[i], 7 + i);
    }
    assert_false(log_decoder_next(decoder, &entry));
    assert_false(log_decoder_next(decoder, &entry));
}

static void one_builder_makes_many(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(log_decoder) struct log_decoder *decoder = log_decoder_new();
    struct log_block block;
    struct log_entry entry;

    for (uint64_t round = 0; round < 3; round++) {
        assert_int_equal(log_builder_next_seq(builder),
                         1 + round * ARRAY_LEN(samples));
        make_samples(builder, &block);
        assert_int_equal(block.first_seq, 1 + round * ARRAY_LEN(samples));
        assert_int_equal(block.offset, round * SAMPLE_BYTES);
        assert_int_equal(log_decoder_open(decoder, &block, NULL), 0);
        assert_true(log_decoder_next(decoder, &entry));
        assert_entry(&entry, &samples[0], block.first_seq);
        assert_false(log_builder_finish(builder, &block));
    }
}

static char *noise(size_t len)
{
    char *data = xmalloc(len);

    for (size_t i = 0; i < len; i++)
        data[i] = (char)random();
    return data;
}

/* What does not compress, up to the brim. */
static void a_full_builder_says_so(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(log_decoder) struct log_decoder *decoder = log_decoder_new();
    CLEANUP(mem) char *data = noise(LOG_ENTRY_MAX_DATA);
    struct log_entry entry = {
        .at_ms = WALL_MS, .data = data, .len = LOG_ENTRY_MAX_DATA};
    struct log_block block;
    unsigned count = 0;

    while (log_builder_add(builder, &entry))
        count++;
    assert_int_equal(count, 3);
    entry.len = 1;
    while (log_builder_add(builder, &entry))
        count++;
    assert_true(log_builder_pending(builder) > LOG_BLOCK_MAX_RAW - 100);
    assert_true(log_builder_pending(builder) <= LOG_BLOCK_MAX_RAW);
    assert_true(log_builder_finish(builder, &block));
    assert_int_equal(block.count, count);
    assert_true(block.len <= LOG_BLOCK_MAX_LEN);
    assert_int_equal(log_decoder_open(decoder, &block, NULL), 0);
    assert_true(log_decoder_next(decoder, &entry));
    assert_memory_equal(entry.data, data, LOG_ENTRY_MAX_DATA);
}

static void counts_entries_too(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(log_decoder) struct log_decoder *decoder = log_decoder_new();
    struct log_entry entry = {.at_ms = WALL_MS, .data = "", .len = 0};
    struct log_block block;
    unsigned count = 0;

    while (log_builder_add(builder, &entry))
        count++;
    assert_int_equal(count, LOG_BLOCK_MAX_ENTRIES);
    assert_true(log_builder_finish(builder, &block));
    assert_int_equal(log_decoder_open(decoder, &block, NULL), 0);
    for (count = 0; log_decoder_next(decoder, &entry); count++)
        assert_int_equal(entry.seq, count + 1);
    assert_int_equal(count, LOG_BLOCK_MAX_ENTRIES);
}

static void cuts_what_is_too_long(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(log_decoder) struct log_decoder *decoder = log_decoder_new();
    CLEANUP(mem) char *data = noise(LOG_ENTRY_MAX_DATA + 1);
    struct log_entry entry = {.data = data, .len = LOG_ENTRY_MAX_DATA + 1};
    struct log_entry gap = {.stream = LOG_GAP, .gap_bytes = UINT64_MAX};
    struct log_block block;

    assert_true(log_builder_add(builder, &entry));
    assert_true(log_builder_add(builder, &gap));
    assert_true(log_builder_finish(builder, &block));
    assert_int_equal(log_decoder_open(decoder, &block, NULL), 0);
    assert_true(log_decoder_next(decoder, &entry));
    assert_int_equal(entry.len, LOG_ENTRY_MAX_DATA);
    assert_true(log_decoder_next(decoder, &gap));
    assert_true(gap.gap_bytes == LOG_GAP_MAX_BYTES);
}

static void knows_what_is_not_whole(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct log_block block;

    make_samples(builder, &block);
    log_block_put(&block, &bytes);
    strbuf_adds(&bytes, "more");
    for (size_t len = 0; len < bytes.len - 4; len++)
        assert_int_equal(log_block_parse(bytes.data, len, &block), 0);
    assert_int_equal(log_block_parse(bytes.data, bytes.len, &block),
                     bytes.len - 4);
}

/* Any byte changed is found: by the header's rules or by the sum. */
static void finds_damage(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct log_block block;

    make_samples(builder, &block);
    log_block_put(&block, &bytes);
    for (size_t i = 0; i < bytes.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
            /* A longer length than there are bytes is "not whole". */
            assert_true(log_block_parse(bytes.data, bytes.len, &block) <= 0);
            bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
        }
}

static void refuse(struct log_decoder *decoder, const struct log_block *block)
{
    struct err err = {0};
    struct log_entry entry;

    assert_int_equal(log_decoder_open(decoder, block, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_false(log_decoder_next(decoder, &entry));
}

static void holds_the_header_to_the_frame(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(log_decoder) struct log_decoder *decoder = log_decoder_new();
    struct log_block good, block;

    make_samples(builder, &good);
    block = good;
    block.count--;
    refuse(decoder, &block);
    block.count += 2;
    refuse(decoder, &block);
    block.count = 0;
    refuse(decoder, &block);
    block = good;
    block.bytes++;
    refuse(decoder, &block);
    block = good;
    block.len--;
    refuse(decoder, &block);
    block.len = 0;
    refuse(decoder, &block);
    block = good;
    block.first_seq = UINT64_MAX;
    refuse(decoder, &block);
    assert_int_equal(log_decoder_open(decoder, &good, NULL), 0);
}

/* Compress `raw` as it is and say that it is `count` entries. */
static void refuse_raw(struct log_decoder *decoder, const void *raw, size_t len,
                       uint32_t count, uint64_t bytes)
{
    size_t bound = ZSTD_compressBound(len);
    CLEANUP(mem) char *frame = xmalloc(bound);
    struct log_block block = {
        .first_seq = 1, .count = count, .bytes = bytes, .data = frame};

    block.len = ZSTD_compress(frame, bound, raw, len, 1);
    assert_false(ZSTD_isError(block.len));
    refuse(decoder, &block);
}

static void refuses_what_a_frame_may_not_hold(void **state UNUSED)
{
    CLEANUP(log_decoder) struct log_decoder *decoder = log_decoder_new();
    size_t bomb_size = (size_t)64 << 20;
    CLEANUP(mem) char *bomb = xcalloc(1, bomb_size);

    refuse_raw(decoder, bomb, bomb_size, 1, 0);
    refuse_raw(decoder, bomb, LOG_BLOCK_MAX_RAW + 3, 1, 0);
    refuse_raw(decoder, "", 0, 1, 0);
    /* an endless number, one over 64 bits, data that is not there */
    refuse_raw(decoder, "\xff\xff\xff", 3, 1, 0);
    refuse_raw(decoder, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12,
               1, 0);
    refuse_raw(decoder,
               "\0\0\x05"
               "abc",
               6, 1, 5);
    refuse_raw(decoder, "\0\0\x81\x80\x01", 5, 1, 16385);
    /* a gap over the maximum; a step over 32 bits; bytes behind the last */
    refuse_raw(decoder, "\0\x03\xff\xff\xff\xff\xff\xff\xff\x7f", 10, 1,
               (UINT64_C(1) << 56) - 1);
    refuse_raw(decoder, "\0\x80\x80\x80\x80\x80\x01\0", 8, 1, 0);
    refuse_raw(decoder, "\0\0\0x", 4, 1, 0);
    refuse_raw(decoder, "\0\0\0\0\0\0", 6, 1, 0);
}

static void refuses_frames_without_a_size(void **state UNUSED)
{
    CLEANUP(log_decoder) struct log_decoder *decoder = log_decoder_new();
    char frame[256];
    struct log_block block = {.first_seq = 1, .count = 1, .data = frame};
    ZSTD_CCtx *zstd = ZSTD_createCCtx();

    (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0);
    block.len = ZSTD_compress2(zstd, frame, sizeof(frame), "\0\0\0", 3);
    refuse(decoder, &block);
    (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 1);
    block.len = ZSTD_compress2(zstd, frame, sizeof(frame), "\0\0\0", 3);
    assert_int_equal(log_decoder_open(decoder, &block, NULL), 0);
    (void)ZSTD_freeCCtx(zstd);
}

/* ASan has an allocator of its own, for which libc has no figures. */
extern size_t __sanitizer_get_current_allocated_bytes(void)
    __attribute__((weak));

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return __sanitizer_get_current_allocated_bytes
               ? __sanitizer_get_current_allocated_bytes()
               : info.uordblks + info.hblkhd;
}

static void a_builder_is_small(void **state UNUSED)
{
    CLEANUP(mem) char *data = noise(LOG_ENTRY_MAX_DATA);
    CLEANUP(log_builder) struct log_builder *builder = NULL;
    struct log_entry entry = {.data = data, .len = LOG_ENTRY_MAX_DATA};
    size_t before = allocated();
    struct log_block block;

    builder = log_builder_new(1, 0);
    while (log_builder_add(builder, &entry))
        ;
    assert_true(log_builder_finish(builder, &block));
    assert_in_range(allocated() - before, 1, 512 << 10);
}

static void a_decoder_is_small(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(log_decoder) struct log_decoder *decoder = NULL;
    struct log_block block;
    size_t before;

    make_samples(builder, &block);
    before = allocated();
    decoder = log_decoder_new();
    assert_int_equal(log_decoder_open(decoder, &block, NULL), 0);
    assert_in_range(allocated() - before, 1, 256 << 10);
}

static void streams_have_names(void **state UNUSED)
{
    assert_string_equal(log_stream_name(LOG_STDOUT), "stdout");
    assert_string_equal(log_stream_name(LOG_STDERR), "stderr");
    assert_string_equal(log_stream_name(LOG_NOTE), "note");
    assert_string_equal(log_stream_name(LOG_GAP), "gap");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(one_builder_makes_many),
        cmocka_unit_test(a_full_builder_says_so),
        cmocka_unit_test(counts_entries_too),
        cmocka_unit_test(cuts_what_is_too_long),
        cmocka_unit_test(knows_what_is_not_whole),
        cmocka_unit_test(finds_damage),
        cmocka_unit_test(holds_the_header_to_the_frame),
        cmocka_unit_test(refuses_what_a_frame_may_not_hold),
        cmocka_unit_test(refuses_frames_without_a_size),
        cmocka_unit_test(a_builder_is_small),
        cmocka_unit_test(a_decoder_is_small),
        cmocka_unit_test(streams_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
