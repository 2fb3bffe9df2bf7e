/* tests/unit/worker/artifacts/artifacts_test.c - what jobs leave. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "worker/artifacts/artifacts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64];

static int setup(void **state UNUSED)
{
    (void)snprintf(top, sizeof(top), "/tmp/berth-artifacts-XXXXXX");
    assert_non_null(mkdtemp(top));
    return setenv("BERTH_STATE_DIR", top, 1);
}

static int teardown(void **state UNUSED)
{
    struct err err;

    return tree_remove(top, &err);
}

/* A file of a step, as get_tree() puts it there. */
static void leave(const char *id, uint64_t epoch, unsigned step,
                  int64_t expires_at_ms, const char *path)
{
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *file = NULL;
    CLEANUP(mem) char *above = NULL;
    struct err err = {0};

    if (artifacts_make(id, epoch, step, expires_at_ms, &dir, &err) < 0)
        fail_msg("%s", err.msg);
    file = xasprintf("%s/%s", dir, path);
    above = xstrdup(file);
    *strrchr(above, '/') = '\0';
    assert_int_equal(dir_make(above, 0700, &err), 0);
    assert_int_equal(file_write(file, id, strlen(id), 0600, &err), 0);
}

static bool add(void *arg, const struct artifact_file *file)
{
    char *text = arg;

    (void)snprintf(text + strlen(text), 200 - strlen(text), "%s=%u ",
                   file->path, (unsigned)file->bytes);
    return true;
}

static void expect_list(const char *id, uint64_t epoch, const char *expected)
{
    char text[200] = "";
    struct err err = {0};

    assert_int_equal(artifacts_list(id, epoch, add, text, &err), 0);
    assert_string_equal(text, expected);
}

static void test_list_and_open(void **state UNUSED)
{
    CLEANUP(fd) int fd = -1;
    CLEANUP(mem) char *link = xasprintf("%s/artifacts/a-1/2/l", top);
    char text[8] = "";
    struct err err = {0};

    leave("a", 1, 10, 1000, "z/y");
    leave("a", 1, 2, 1000, "b");
    assert_int_equal(symlink("/etc/passwd", link), 0);
    expect_list("a", 1, "b=1 z/y=1 ");
    assert_int_equal(artifacts_open("a", 1, "z/y", &fd, &err), 0);
    assert_int_equal(read(fd, text, 7), 1);
    assert_string_equal(text, "a");
    fd_close(&fd);
    assert_int_equal(artifacts_open("a", 1, "l", &fd, &err), -1);
    assert_int_equal(artifacts_open("a", 1, "../expires", &fd, &err), -1);
    assert_int_equal(artifacts_open("a", 1, "/etc/passwd", &fd, &err), -1);
    assert_int_equal(artifacts_open("a", 1, "z", &fd, &err), -1);
    assert_int_equal(artifacts_open("a", 2, "b", &fd, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(artifacts_list("a", 2, add, text, &err), -1);
    assert_int_equal(unlink(link), 0);
    leave("e", 1, 0, 1000, "x");
    free(STEAL(link));
    link = xasprintf("%s/artifacts/e-1/0/x", top);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(artifacts_list("e", 1, add, text, &err), -1);
}

static void test_again(void **state UNUSED)
{
    leave("a", 1, 0, 1000, "first");
    leave("a", 1, 0, 1000, "second");
    expect_list("a", 1, "second=1 ");
}

/* Ids have digits and dashes, as what stands behind them. */
static void test_epochs(void **state UNUSED)
{
    uint64_t epoch = 77;
    struct err err = {0};

    assert_int_equal(artifacts_last_epoch("a", &epoch, &err), 0);
    assert_int_equal(epoch, 0);
    leave("a", 2, 0, 1000, "x");
    leave("a", 10, 0, 1000, "x");
    leave("a-11", 3, 0, 1000, "x");
    leave("ab", 12, 0, 1000, "x");
    assert_int_equal(artifacts_last_epoch("a", &epoch, &err), 0);
    assert_int_equal(epoch, 10);
    assert_int_equal(artifacts_last_epoch("a-11", &epoch, &err), 0);
    assert_int_equal(epoch, 3);
}

static void test_expiry(void **state UNUSED)
{
    unsigned removed = 0;
    struct err err = {0};
    char text[200] = "";

    leave("short", 1, 0, 1000, "x");
    leave("long", 1, 0, 5000, "x");
    leave("long", 1, 1, 1000, "y"); /* the latest counts */
    assert_int_equal(artifacts_expire(999, &removed, &err), 0);
    assert_int_equal(removed, 0);
    assert_int_equal(artifacts_expire(1000, &removed, &err), 0);
    assert_int_equal(removed, 1);
    assert_int_equal(artifacts_list("short", 1, add, text, &err), -1);
    expect_list("long", 1, "x=4 y=4 ");
    assert_int_equal(artifacts_expire(5000, &removed, &err), 0);
    assert_int_equal(removed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_list_and_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_epochs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
