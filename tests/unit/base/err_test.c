/* tests/unit/base/err_test.c - one error value. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/utf8.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

static void set_fills(void **state UNUSED)
{
    struct err err = {.sys = 5};

    assert_int_equal(err_set(&err, ERR_USER, "no '%s'", "x"), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.msg, "no 'x'");
}

static void sys_adds_errno(void **state UNUSED)
{
    struct err err = {0};

    errno = ENOENT;
    assert_int_equal(err_sys(&err, ERR_TRANSIENT, "cannot open '%s'", "f"), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.msg, "cannot open 'f': No such file or directory");
    errno = 99999;
    assert_int_equal(err_sys(&err, ERR_BUG, "odd"), -1);
    assert_string_equal(err.msg, "odd: error");
}

static void wrap_keeps_the_kind(void **state UNUSED)
{
    struct err err = {0};

    errno = EIO;
    (void)err_sys(&err, ERR_LOST, "inner");
    assert_int_equal(err_wrap(&err, "outer %d", 1), -1);
    assert_int_equal(err.kind, ERR_LOST);
    assert_int_equal(err.sys, EIO);
    assert_string_equal(err.msg, "outer 1: inner: Input/output error");
}

static void long_messages_are_cut(void **state UNUSED)
{
    struct err err = {0};
    char word[sizeof(err.msg) * 2];

    memset(word, 'a', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    (void)err_set(&err, ERR_USER, "%s", word);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    (void)err_wrap(&err, "why");
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    assert_memory_equal(err.msg, "why: aaa", 8);
    (void)err_wrap(&err, "%s", word);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    errno = EIO;
    (void)err_sys(&err, ERR_USER, "%s", word);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void null_is_fine(void **state UNUSED)
{
    assert_int_equal(err_set(NULL, ERR_USER, "x"), -1);
    assert_int_equal(err_sys(NULL, ERR_USER, "x"), -1);
    assert_int_equal(err_wrap(NULL, "x"), -1);
}

static void kinds_have_names(void **state UNUSED)
{
    assert_string_equal(err_kind_name(ERR_NONE), "none");
    for (int kind = ERR_NONE; kind <= ERR_BUG; kind++)
        assert_int_equal(err_kind_find(err_kind_name((enum err_kind)kind)),
                         kind);
    assert_int_equal(err_kind_find("unknown"), ERR_NONE);
    assert_string_equal(err_kind_name(ERR_USER), "user");
    assert_string_equal(err_kind_name(ERR_TRANSIENT), "transient");
    assert_string_equal(err_kind_name(ERR_LOST), "lost");
    assert_string_equal(err_kind_name(ERR_CANCELLED), "cancelled");
    assert_string_equal(err_kind_name(ERR_TIMEOUT), "timeout");
    assert_string_equal(err_kind_name(ERR_BUG), "bug");
    assert_string_equal(err_kind_name((enum err_kind)(ERR_BUG + 1)), "unknown");
}

static bool is_utf8(const char *s)
{
    uint32_t c;
    size_t n = 1;

    for (size_t left = strlen(s); left && n; s += n, left -= n)
        n = utf8_decode(s, left, &c);
    return n > 0;
}

/* What is told of it may be JSON. */
static void cut_between_characters(void **state UNUSED)
{
    struct err err = {0};
    char word[sizeof(err.msg) + 8];

    for (size_t odd = 0; odd < 2; odd++) {
        memset(word, 'a', odd);
        for (size_t i = odd; i + 2 < sizeof(word); i += 2)
            memcpy(word + i, "\xc3\xa4", 3);
        (void)err_set(&err, ERR_USER, "%s", word);
        assert_true(is_utf8(err.msg));
        assert_in_range(strlen(err.msg), sizeof(err.msg) - 2,
                        sizeof(err.msg) - 1);
        (void)err_wrap(&err, "why");
        assert_true(is_utf8(err.msg));
        (void)err_wrap(&err, "%s", word);
        assert_true(is_utf8(err.msg));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills),
        cmocka_unit_test(sys_adds_errno),
        cmocka_unit_test(wrap_keeps_the_kind),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(cut_between_characters),
        cmocka_unit_test(null_is_fine),
        cmocka_unit_test(kinds_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
