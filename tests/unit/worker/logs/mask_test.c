/* tests/unit/worker/logs/mask_test.c - secrets in output become ***. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/mask.h"

#include "base/clock.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 200

static struct mask *mask_of(const char *const *values, size_t count)
{
    CLEANUP(needles) struct needles *needles = needles_new();

    for (size_t i = 0; i < count; i++)
        assert_true(needles_add(needles, values[i], strlen(values[i])));
    return mask_new(needles);
}

static void expect(const struct mask *mask, const char *text,
                   const char *masked)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    mask_string(mask, text, strlen(text), &out);
    assert_string_equal(out.data, masked);
}

static void masks(void **state UNUSED)
{
    static const char *const values[] = {"hunter22", "s3cr3t/value"};
    CLEANUP(mask) struct mask *mask = mask_of(values, ARRAY_LEN(values));

    expect(mask, "", "");
    expect(mask, "nothing here", "nothing here");
    expect(mask, "hunter22", "***");
    expect(mask, "my hunter22!", "my ***!");
    expect(mask, "hunter2 hunter", "hunter2 hunter");
    expect(mask, "hunter22hunter22", "***");
    expect(mask, "hunter22 hunter22", "*** ***");
    expect(mask, "hunterhunter22", "hunter***");
    expect(mask, "u=s3cr3t%2Fvalue&", "u=***&");
    expect(mask, "Authorization: Basic eHk6aHVudGVyMjI=",
           "Authorization: Basic eHk6***");
    expect(mask, "68756e7465723232", "***");
    expect(NULL, "hunter22", "hunter22");
}

static void overlapping_and_nested(void **state UNUSED)
{
    static const char *const values[] = {"abcdef", "defghi", "bcde", "xbcdy"};
    CLEANUP(mask) struct mask *mask = mask_of(values, ARRAY_LEN(values));

    expect(mask, ".abcdefghi.", ".***.");
    expect(mask, ".abcdeghi.", ".a***ghi.");
    expect(mask, ".bcdefghi.", ".***.");
    expect(mask, ".xbcdefghi.", ".x***.");
    expect(mask, ".xbcdy.", ".***.");
    expect(mask, ".abcdefxbcdydefghi", ".***");
}

static void any_byte_counts(void **state UNUSED)
{
    CLEANUP(needles) struct needles *needles = needles_new();
    CLEANUP(mask) struct mask *mask = NULL;
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    assert_true(needles_add(needles, "\0\xff\0\x01", 4));
    mask = mask_new(needles);
    mask_string(mask, "a\0\0\xff\0\x01\0b", 8, &out);
    assert_int_equal(out.len, 7);
    assert_memory_equal(out.data, "a\0***\0b", 7);
}

static void an_empty_mask_changes_nothing(void **state UNUSED)
{
    CLEANUP(mask) struct mask *mask = mask_of(NULL, 0);

    expect(mask, "anything at all, \xff***", "anything at all, \xff***");
}

/* Only what may be the start of a needle waits. */
static void holds_back_little(void **state UNUSED)
{
    static const char *const values[] = {"hunter22"};
    CLEANUP(mask) struct mask *mask = mask_of(values, 1);
    CLEANUP(mask_stream) struct mask_stream *stream = mask_stream_new(mask);
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    mask_stream_feed(stream, "password: ", 10, &out);
    assert_string_equal(out.data, "password: ");
    mask_stream_feed(stream, "hunte", 5, &out);
    assert_string_equal(out.data, "password: ");
    mask_stream_feed(stream, "d, hun", 6, &out);
    assert_string_equal(out.data, "password: hunted, ");
    mask_stream_feed(stream, "ter22", 5, &out);
    assert_string_equal(out.data, "password: hunted, ***");
    mask_stream_feed(stream, "hunter", 6, &out);
    mask_stream_flush(stream, &out);
    assert_string_equal(out.data, "password: hunted, ***hunter");
    /* and starts afresh */
    mask_stream_feed(stream, "22 ", 3, &out);
    assert_string_equal(out.data, "password: hunted, ***hunter22 ");
}

/* ---- the property -------------------------------------------------------- */

/* The same by looking everywhere for every needle. */
static void mask_slowly(const struct needles *needles, const char *text,
                        size_t len, struct strbuf *out)
{
    CLEANUP(mem) char *covered = xcalloc(len + 1, 1);

    for (size_t n = 0; n < needles_count(needles); n++) {
        size_t size;
        const char *needle = needles_get(needles, n, &size);

        for (size_t i = 0; i + size <= len; i++)
            if (memcmp(text + i, needle, size) == 0)
                memset(covered + i, 1, size);
    }
    for (size_t i = 0; i < len; i++)
        if (!covered[i])
            strbuf_addc(out, text[i]);
        else if (!i || !covered[i - 1])
            strbuf_adds(out, "***");
}

static void feed_in_parts(const struct mask *mask, const struct strbuf *text,
                          size_t first, size_t rest, struct strbuf *out)
{
    CLEANUP(mask_stream) struct mask_stream *stream = mask_stream_new(mask);
    size_t at = 0, size = first;

    for (; at < text->len; at += size, size = rest) {
        if (size > text->len - at)
            size = text->len - at;
        mask_stream_feed(stream, text->data + at, size, out);
    }
    mask_stream_flush(stream, out);
}

static void assert_chunks_do_not_matter(const struct mask *mask,
                                        const struct strbuf *text,
                                        const struct strbuf *expected)
{
    for (size_t first = 0; first <= text->len; first++) {
        CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

        feed_in_parts(mask, text, first, text->len + 1, &out);
        assert_string_equal(out.data, expected->data);
    }
    for (size_t size = 1; size <= 7; size++) {
        CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

        feed_in_parts(mask, text, size, size, &out);
        assert_string_equal(out.data, expected->data);
    }
}

static void assert_none_survives(const struct needles *needles,
                                 const struct strbuf *out)
{
    for (size_t i = 0; i < needles_count(needles); i++) {
        size_t len;
        const char *needle = needles_get(needles, i, &len);

        assert_null(memmem(out->data, out->len, needle, len));
    }
}

static size_t below(size_t n)
{
    return (size_t)random() % n;
}

/* Few letters, so that needles overlap, repeat and nearly match. */
static void add_letters(struct strbuf *text, size_t count, size_t letters)
{
    static const char all[] = "ab/\"c d%+0\n-_xyz";

    for (size_t i = 0; i < count; i++)
        strbuf_addc(text, all[below(letters)]);
}

static void make_text(const struct needles *needles, size_t letters,
                      struct strbuf *text)
{
    while (text->len < TEXT_MAX / 2) {
        size_t len, from;
        const char *needle;

        add_letters(text, below(6), letters);
        if (!needles_count(needles))
            continue;
        needle = needles_get(needles, below(needles_count(needles)), &len);
        len = len < TEXT_MAX / 4 ? len : TEXT_MAX / 4;
        from = below(3) ? 0 : below(len);
        strbuf_add(text, needle + from,
                   below(3) ? len - from : below(len - from));
    }
}

static void chunks_do_not_matter(void **state UNUSED)
{
    for (unsigned round = 0; round < 300; round++) {
        CLEANUP(needles) struct needles *needles = needles_new();
        CLEANUP(mask) struct mask *mask = NULL;
        CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
        CLEANUP(strbuf) struct strbuf expected = STRBUF_INIT;
        CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
        size_t letters = 2 + below(15);

        srandom(round);
        for (size_t i = 1 + below(4); i > 0; i--) {
            CLEANUP(strbuf) struct strbuf value = STRBUF_INIT;

            add_letters(&value, 4 + below(24), letters);
            (void)!needles_add(needles, value.data, value.len);
        }
        mask = mask_new(needles);
        make_text(needles, letters, &text);
        mask_slowly(needles, text.data, text.len, &expected);
        mask_string(mask, text.data, text.len, &out);
        assert_string_equal(out.data, expected.data);
        assert_true(out.len <= text.len);
        assert_none_survives(needles, &out);
        assert_chunks_do_not_matter(mask, &text, &expected);
    }
}

/* ---- size and time ------------------------------------------------------- */

/* A secret of several needles across the slices in which a chunk is read. */
static void long_secrets_and_chunks(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf value = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(needles) struct needles *needles = needles_new();
    CLEANUP(mask) struct mask *mask = NULL;

    for (size_t i = 0; i < 10000; i++)
        strbuf_addc(&value, (char)('a' + below(26)));
    assert_true(needles_add(needles, value.data, value.len));
    mask = mask_new(needles);
    for (int i = 0; i < 20; i++) {
        strbuf_addf(&text, "%d:", i);
        strbuf_add(&text, value.data, value.len);
        strbuf_addc(&text, '\n');
    }
    feed_in_parts(mask, &text, text.len, 1, &out);
    assert_int_equal(strncmp(out.data, "0:***\n1:***\n2:***\n", 18), 0);
    assert_int_equal(out.len, 10 * 6 + 10 * 7);
    strbuf_clear(&out);
    feed_in_parts(mask, &text, 1, 4095, &out);
    assert_int_equal(out.len, 10 * 6 + 10 * 7);
}

/* What makes a naive search take a minute: 4000 nearly equal bytes a step. */
static void hostile_text_takes_no_longer(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf value = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX((size_t)64 << 20);
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(needles) struct needles *needles = needles_new();
    CLEANUP(mask) struct mask *mask = NULL;
    int64_t start_ms;

    for (size_t i = 0; i < 4000; i++)
        strbuf_addc(&value, 'a');
    strbuf_addc(&value, 'b');
    assert_true(needles_add(needles, value.data, value.len));
    mask = mask_new(needles);
    for (size_t i = 0; i < (size_t)4 << 20; i++)
        strbuf_addc(&text, i % 3990 ? 'a' : 'c');
    start_ms = clock_mono_ms();
    mask_string(mask, text.data, text.len, &out);
    assert_true(clock_mono_ms() - start_ms < 10000);
    assert_int_equal(out.len, text.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks),
        cmocka_unit_test(overlapping_and_nested),
        cmocka_unit_test(any_byte_counts),
        cmocka_unit_test(an_empty_mask_changes_nothing),
        cmocka_unit_test(holds_back_little),
        cmocka_unit_test(chunks_do_not_matter),
        cmocka_unit_test(long_secrets_and_chunks),
        cmocka_unit_test(hostile_text_takes_no_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
