/* tests/unit/worker/logs/forms_test.c - the forms of a secret. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "tests/lib/unit.h"
#include "worker/logs/forms.h"

#include <string.h>

struct wanted {
    const char *form;
    unsigned found;
};

static void look(void *arg, const char *form, size_t len)
{
    struct wanted *wanted = arg;

    wanted->found +=
        strlen(wanted->form) == len && memcmp(wanted->form, form, len) == 0;
}

static bool has_form(const char *value, const char *form)
{
    struct wanted wanted = {form, 0};

    forms_of(value, strlen(value), look, &wanted);
    return wanted.found > 0;
}

#define E_ACUTE "\xc3\xa9"
#define GRIN    "\xf0\x9f\x98\x80"
#define SHARP_S "\xc3\x9f"
/* Slashes, quotes, spaces, lines, and characters of one to four bytes. */
#define VALUE "a/b c\"d\\" E_ACUTE GRIN "~(x)\nz" SHARP_S ">?"

/* What Python's json, urllib.parse and bytes.hex() make of VALUE. */
static void text_forms(void **state UNUSED)
{
    static const char *const forms[] = {
        VALUE,
        "a/b c\"d\\" E_ACUTE GRIN "~(x)\r\nz" SHARP_S ">?",
        "a/b c\"d\\" E_ACUTE GRIN "~(x)\\nz" SHARP_S ">?",
        "a/b c\\\"d\\\\" E_ACUTE GRIN "~(x)\\nz" SHARP_S ">?",
        "a/b c\\\"d\\\\\\u00e9\\ud83d\\ude00~(x)\\nz\\u00df>?",
        "a/b c\\\"d\\\\\\u00E9\\uD83D\\uDE00~(x)\\nz\\u00DF>?",
        "a\\/b c\\\"d\\\\" E_ACUTE GRIN "~(x)\\nz" SHARP_S ">?",
        "a\\/b c\\\"d\\\\\\u00e9\\ud83d\\ude00~(x)\\nz\\u00df>?",
        "a%2Fb%20c%22d%5C%C3%A9%F0%9F%98%80~%28x%29%0Az%C3%9F%3E%3F",
        "a%2Fb+c%22d%5C%C3%A9%F0%9F%98%80~%28x%29%0Az%C3%9F%3E%3F",
        "a%2fb%20c%22d%5c%c3%a9%f0%9f%98%80~%28x%29%0az%c3%9f%3e%3f",
        "a%2fb+c%22d%5c%c3%a9%f0%9f%98%80~%28x%29%0az%c3%9f%3e%3f",
        "a%2Fb%20c%22d%5C%C3%A9%F0%9F%98%80~(x)%0Az%C3%9F%3E%3F",
        "a/b%20c%22d%5C%C3%A9%F0%9F%98%80~%28x%29%0Az%C3%9F%3E%3F",
        "612f62206322645cc3a9f09f98807e2878290a7ac39f3e3f",
        "612F62206322645CC3A9F09F98807E2878290A7AC39F3E3F",
    };

    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (!has_form(VALUE, forms[i]))
            fail_msg("no form %s", forms[i]);
    assert_false(has_form(VALUE, ""));
}

static void carriage_returns_go(void **state UNUSED)
{
    assert_true(has_form("one\r\ntwo\rx", "one\ntwo\rx"));
    assert_true(has_form("one\r\ntwo\rx", "one\r\ntwo\rx"));
    assert_true(has_form("one\r\ntwo\rx", "one\\ntwo\rx"));
    assert_true(has_form("one\ntwo", "one\r\ntwo"));
    assert_true(has_form("\x1b\tq\x7f\x80", "\\u001b\\tq\x7f\x80"));
    assert_true(has_form("\x1b\tq\x7f\x80", "\\u001B\\tq\\u007F\x80"));
}

/*
 * Of "Zm9vYmFy…" each character has six bits; those wholly in the value's bytes
 * are in each of the forms, whatever stands around it.
 */
static void base64_forms(void **state UNUSED)
{
    /* RFC 4648's "foobar" with nothing, "x", "xy" before it */
    assert_true(has_form("foobar", "Zm9vYmFy"));
    assert_true(has_form("foobar", "Zvb2Jhc")); /* eG Zvb2Jhc g== */
    assert_true(has_form("foobar", "Zvb2Jhcg"));
    assert_true(has_form("foobar", "Zvb2Jhcg=="));
    assert_true(has_form("foobar", "mb29iYX")); /* eHl mb29iYX I= */
    assert_true(has_form("foobar", "mb29iYXI"));
    assert_true(has_form("foobar", "mb29iYXI="));
    assert_true(has_form("fooba", "Zm9vYm")); /* Zm9vYm E= */
    assert_true(has_form("fooba", "Zm9vYmE="));
    /* the two alphabets */
    assert_true(has_form(VALUE, "YS9iIGMiZFzDqfCfmIB+KHgpCnrDnz4/"));
    assert_true(has_form(VALUE, "YS9iIGMiZFzDqfCfmIB-KHgpCnrDnz4_"));
    assert_true(has_form(VALUE, "EvYiBjImRcw6nwn5iAfih4KQp6w58+P"));
    assert_true(has_form(VALUE, "EvYiBjImRcw6nwn5iAfih4KQp6w58-P"));
    assert_true(has_form(VALUE, "hL2IgYyJkXMOp8J+YgH4oeCkKesOfPj"));
    assert_true(has_form(VALUE, "hL2IgYyJkXMOp8J-YgH4oeCkKesOfPj8="));
}

static void collect(void *arg, const char *form, size_t len)
{
    strbuf_add(arg, form, len);
    strbuf_addc(arg, '\n');
}

static void wrapped_base64(void **state UNUSED)
{
    static const char value[] =
        "0123456789012345678901234567890123456789012345678901234567890";
    CLEANUP(strbuf) struct strbuf lines = STRBUF_INIT;

    forms_wrapped(value, 48, collect, &lines); /* 64 characters: one line */
    assert_string_equal(lines.data, "");
    forms_wrapped(value, 61, collect, &lines);
    assert_string_equal(
        lines.data,
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3\n"
        "ODkwMTIzNDU2Nzg5MA==\n"
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3"
        "ODkwMTIzNDU2\n"
        "Nzg5MA==\n");
}

static void lines_have_few(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf forms = STRBUF_INIT;

    forms_of_line("a\"/", 3, collect, &forms);
    assert_string_equal(forms.data, "a\"/\n"
                                    "a\\\"/\na\\\"\\/\na\\\"/\na\\\"\\/\n"
                                    "a\\\"/\na\\\"/\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_forms),     cmocka_unit_test(carriage_returns_go),
        cmocka_unit_test(base64_forms),   cmocka_unit_test(wrapped_base64),
        cmocka_unit_test(lines_have_few),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
