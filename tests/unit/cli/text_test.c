/* tests/unit/cli/text_test.c - hostile output, made safe; widths. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#define FFFD "\xEF\xBF\xBD"

static void add_line(void *arg, const char *line, size_t len)
{
    struct strbuf *out = arg;

    strbuf_add(out, line, len);
    strbuf_addc(out, '|');
}

/* Clean `input` in pieces of `piece` bytes; lines end with '|'. */
static char *clean(const char *input, size_t len, size_t piece)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(text_cleaner)
    struct text_cleaner *cleaner = text_cleaner_new(add_line, &out);

    for (size_t at = 0; at < len; at += piece)
        text_cleaner_feed(cleaner, input + at,
                          len - at < piece ? len - at : piece);
    text_cleaner_end(cleaner);
    return strbuf_take(&out);
}

static const struct {
    const char *name;
    const char *input;
    const char *wanted;
} cases[] = {
    {"lines", "a\nb\n", "a|b|"},
    {"no newline at the end", "a\nb", "a|b|"},
    {"empty lines", "\n\n", "||"},
    {"colours", "\033[1;31mred\033[0m ok\n", "red ok|"},
    {"cursor and erase", "\033[2J\033[H\033[?25lx\033[10Ay\n", "xy|"},
    {"title by OSC and BEL", "\033]0;pwned\007x\n", "x|"},
    {"clipboard by OSC and ST", "\033]52;c;cHduZWQ=\033\\x\n", "x|"},
    {"an OSC that is never closed", "\033]0;eats\nall\n", "|all|"},
    {"DCS", "\033P1$r0m\033\\x\n", "x|"},
    {"APC, PM, SOS", "\033_a\033\\\033^b\033\\\033Xc\033\\x\n", "x|"},
    {"ESC within a string begins anew", "\033]0;a\033[31mb\007c\n", "c|"},
    {"two-byte sequences", "\033c\0337x\0338\033(By\n", "xy|"},
    {"CSI by C1",
     "\xC2\x9B"
     "31mx\n",
     "x|"},
    {"OSC by C1",
     "\xC2\x9D"
     "0;a\007x\n",
     "x|"},
    {"a raw C1 byte is no UTF-8",
     "\x9B"
     "31mx\n",
     FFFD "31mx|"},
    {"CAN ends a sequence", "\033[12\030x\n", "x|"},
    {"ESC within CSI", "\033[1\033[2mx\n", "x|"},
    {"controls", "a\001\002\007\013\014\016\017b\177\n", "ab|"},
    {"carriage return and newline", "a\r\nb\r\n", "a|b|"},
    {"progress", "10%\r50%\r100%\ndone\n", "100%|done|"},
    {"return at the end", "abc\r", "abc|"},
    {"backspace", "ab\bc\b\b\b\bd\n", "d|"},
    {"backspace over UTF-8", "a\xC3\xA9\bb\n", "ab|"},
    {"tabs", "a\tb\n\tc\n", "a       b|        c|"},
    {"UTF-8", "\xC3\xA9\xE2\x9C\x93\xF0\x9F\x8E\x89\n",
     "\xC3\xA9\xE2\x9C\x93\xF0\x9F\x8E\x89|"},
    {"a lone continuation",
     "a\x80"
     "b\n",
     "a" FFFD "b|"},
    {"a cut character", "a\xE2\x9C\n", "a" FFFD "|"},
    {"a cut character at the end", "a\xE2\x9C", "a" FFFD "|"},
    {"an overlong slash", "\xC0\xAF\n", FFFD FFFD "|"},
    {"an overlong of three", "\xE0\x80\xAF\n", FFFD "|"},
    {"a surrogate", "\xED\xA0\x80\n", FFFD "|"},
    {"beyond Unicode", "\xF4\x90\x80\x80\n", FFFD "|"},
    {"bidirectional override",
     "a\xE2\x80\xAE"
     "b\xE2\x81\xA6"
     "c\n",
     "abc|"},
};

static void test_cleaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t piece = 1; piece <= 5; piece++) {
            char *got = clean(cases[i].input, strlen(cases[i].input), piece);

            if (strcmp(got, cases[i].wanted) != 0)
                fail_msg("%s (pieces of %zu): got '%s', wanted '%s'",
                         cases[i].name, piece, got, cases[i].wanted);
            free(got);
        }
}

static void test_nul(void **state)
{
    char *got = clean("a\0b\n", 4, 4);

    (void)state;
    assert_string_equal(got, "ab|");
    free(got);
}

/* All bytes in all orders of two: what comes out is harmless. */
static void test_nothing_gets_through(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            const char input[] = {(char)a, (char)b, '[', '2', 'J', '\n'};
            char *got = clean(input, sizeof(input), 6);

            for (const char *c = got; *c; c++) {
                assert_true((unsigned char)*c >= 0x20);
                assert_true(*c != 0x7f);
            }
            assert_null(strstr(got, "\xC2\x9B"));
            free(got);
        }
}

static void test_long_line(void **state)
{
    size_t len = (size_t)3 * TEXT_LINE_MAX;
    CLEANUP(mem) char *input = xmalloc(len + 1);
    char *got;

    (void)state;
    memset(input, 'x', len);
    input[len] = '\n';
    got = clean(input, len + 1, 1000);
    assert_int_equal(strspn(got, "x"), TEXT_LINE_MAX);
    assert_string_equal(got + TEXT_LINE_MAX, " [16384 bytes more]|");
    free(got);
    /* Tabs and other characters beyond the end are only counted, too. */
    memset(input, '\t', len);
    got = clean(input, len + 1, len + 1);
    assert_true(strlen(got) < TEXT_LINE_MAX + 100);
    assert_non_null(strstr(got, "bytes more]|"));
    free(got);
}

static void test_partial(void **state)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(text_cleaner)
    struct text_cleaner *cleaner = text_cleaner_new(add_line, &out);

    (void)state;
    text_cleaner_feed(cleaner, "one\ntwo\033[3", 11);
    assert_string_equal(out.data, "one|");
    assert_string_equal(text_cleaner_partial(cleaner), "two");
    text_cleaner_feed(cleaner, "1m...", 5);
    assert_string_equal(text_cleaner_partial(cleaner), "two...");
    text_cleaner_end(cleaner);
    assert_string_equal(text_cleaner_partial(cleaner), "");
    assert_string_equal(out.data, "one|two...|");
}

static void test_width(void **state)
{
    static const char wide[] = "a\xE4\xB8\xAD\xE6\x96\x87z"; /* 1 + 2 + 2 + 1 */
    static const char marks[] = "e\xCC\x81x";                /* e, accent, x */

    (void)state;
    assert_int_equal(text_columns("abc", 3), 3);
    assert_int_equal(text_columns(wide, strlen(wide)), 6);
    assert_int_equal(text_columns(marks, strlen(marks)), 2);
    assert_int_equal(text_fit(wide, strlen(wide), 0), 0);
    assert_int_equal(text_fit(wide, strlen(wide), 1), 1);
    assert_int_equal(text_fit(wide, strlen(wide), 2), 1);
    assert_int_equal(text_fit(wide, strlen(wide), 3), 4);
    assert_int_equal(text_fit(wide, strlen(wide), 99), strlen(wide));
    assert_int_equal(text_fit(marks, strlen(marks), 1), 3);
}

static void check_fit(const char *text, size_t columns, bool ascii,
                      const char *wanted)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    text_add_fit(&out, text, strlen(text), columns, ascii);
    assert_string_equal(out.data, wanted);
    assert_true(text_columns(out.data, out.len) <= columns);
}

static void test_fit(void **state)
{
    (void)state;
    check_fit("hello", 5, false, "hello");
    check_fit("hello", 4, false, "hel\xE2\x80\xA6");
    check_fit("hello", 4, true, "hel~");
    check_fit("hello", 1, true, "~");
    check_fit("hello", 0, false, "");
    check_fit("\xE4\xB8\xAD\xE6\x96\x87", 3, true, "\xE4\xB8\xAD~");
    check_fit("\xE4\xB8\xAD\xE6\x96\x87", 2, true, "~");
}

static void test_add_clean(void **state)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    strbuf_adds(&out, "x");
    text_add_clean(&out, "one\ntwo\033[31m three\r");
    assert_string_equal(out.data, "xone two three");
}

static void test_add_clean_lines(void **state)
{
    static const char lines[] = "one\n\n\033[31mtwo\0\r\nthree";
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    strbuf_adds(&out, "x");
    text_add_clean_lines(&out, lines, sizeof(lines) - 1);
    assert_string_equal(out.data, "xone\n\ntwo\nthree\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cleaning),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_nothing_gets_through),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_add_clean),
        cmocka_unit_test(test_add_clean_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
