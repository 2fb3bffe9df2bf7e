/* tests/unit/base/log_test.c - lines on stderr. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/log.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <unistd.h>

static int saved = -1;
static int out = -1;

static int capture(void **state UNUSED)
{
    struct err err = {0};
    int fds[2];

    if (fd_pipe(fds, &err) < 0)
        return -1;
    saved = dup(2);
    (void)dup2(fds[1], 2);
    fd_close(&fds[1]);
    out = fds[0];
    return 0;
}

static void read_lines(struct strbuf *lines)
{
    struct err err = {0};

    (void)fflush(stderr);
    (void)dup2(saved, 2);
    assert_int_equal(fd_read_all(out, lines, &err), 0);
}

static int release(void **state UNUSED)
{
    (void)dup2(saved, 2);
    fd_close(&saved);
    fd_close(&out);
    return 0;
}

static void levels(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf lines = STRBUF_INIT;

    log_init("tester", LOG_WARN);
    log_error("a %d", 1);
    log_warn("b");
    log_info("hidden");
    log_init("other", LOG_ERROR);
    log_warn("hidden");
    log_error("c");
    log_init("third", LOG_INFO);
    log_info("d");
    read_lines(&lines);
    assert_string_equal(lines.data, "tester: a 1\ntester: warning: b\n"
                                    "other: c\nthird: d\n");
}

static void control_characters(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf lines = STRBUF_INIT;

    log_init("t", LOG_WARN);
    log_error("%s", "\x1b[31mred\r\x7f \xc3\xa4\tend");
    read_lines(&lines);
    assert_string_equal(lines.data, "t: ?[31mred?? \xc3\xa4\tend\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(levels, capture, release),
        cmocka_unit_test_setup_teardown(control_characters, capture, release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
