/* tests/unit/base/state_test.c - where berth keeps its state. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/state.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64];

static int set_up(void **state UNUSED)
{
    (void)strcpy(top, "/tmp/berth-state-XXXXXX");
    return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state UNUSED)
{
    struct err err = {0};

    return tree_remove(top, &err);
}

static void the_variable_wins(void **state UNUSED)
{
    CLEANUP(mem) char *wanted = xasprintf("%s/a/b", top);
    CLEANUP(mem) char *dir = NULL;
    struct err err = {0};
    struct stat st;

    assert_int_equal(setenv("BERTH_STATE_DIR", wanted, 1), 0);
    assert_int_equal(state_dir(&dir, &err), 0);
    assert_string_equal(dir, wanted);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0711);
}

static void relative_is_refused(void **state UNUSED)
{
    char *dir = NULL;
    struct err err = {0};

    assert_int_equal(setenv("BERTH_STATE_DIR", "state", 1), 0);
    assert_int_equal(state_dir(&dir, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "'state' must be an absolute path"));
    assert_int_equal(setenv("BERTH_STATE_DIR", "/dev/null/x", 1), 0);
    assert_int_equal(state_dir(&dir, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(state_subdir("a", 0700, &dir, &err), -1);
    assert_null(dir);
}

static void subdirectories(void **state UNUSED)
{
    CLEANUP(mem) char *wanted = xasprintf("%s/sub", top);
    CLEANUP(mem) char *file = xasprintf("%s/file", top);
    CLEANUP(mem) char *dir = NULL;
    char *none = NULL;
    struct err err = {0};
    struct stat st;

    assert_int_equal(setenv("BERTH_STATE_DIR", top, 1), 0);
    assert_int_equal(state_subdir("sub", 0700, &dir, &err), 0);
    assert_string_equal(dir, wanted);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(file_write(file, "", 0, 0600, &err), 0);
    assert_int_equal(state_subdir("file/x", 0700, &none, &err), -1);
    assert_null(none);
}

/* root, who has /var/lib/berth, plays somebody else. */
static void a_user_has_a_home(void **state UNUSED)
{
    CLEANUP(mem) char *wanted = xasprintf("%s/.local/state/berth", top);
    CLEANUP(mem) char *wanted_xdg = xasprintf("%s/xdg/berth", top);
    CLEANUP(mem) char *xdg = xasprintf("%s/xdg", top);
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *dir_xdg = NULL;
    char *none = NULL;
    struct err err = {0};
    uid_t uid = geteuid();

    assert_int_equal(chmod(top, 0777), 0);
    if (uid == 0)
        assert_int_equal(seteuid(65534), 0);
    assert_int_equal(setenv("BERTH_STATE_DIR", "", 1), 0);
    assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
    assert_int_equal(setenv("HOME", top, 1), 0);
    assert_int_equal(state_dir(&dir, &err), 0);
    assert_int_equal(setenv("XDG_STATE_HOME", xdg, 1), 0);
    assert_int_equal(state_dir(&dir_xdg, &err), 0);
    assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
    assert_int_equal(unsetenv("HOME"), 0);
    assert_int_equal(state_dir(&none, &err), -1);
    assert_int_equal(seteuid(uid), 0);
    assert_string_equal(dir, wanted);
    assert_string_equal(dir_xdg, wanted_xdg);
    assert_int_equal(err.kind, ERR_USER);
}

static void random_digits(void **state UNUSED)
{
    char a[130];
    char b[130];

    memset(a, 'x', sizeof(a));
    state_random_hex(a, 128);
    state_random_hex(b, 128);
    assert_int_equal(strlen(a), 128);
    assert_int_equal(strspn(a, "0123456789abcdef"), 128);
    assert_int_equal(a[129], 'x');
    assert_string_not_equal(a, b);
    state_random_hex(a, 0);
    assert_string_equal(a, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_variable_wins),
        cmocka_unit_test(relative_is_refused),
        cmocka_unit_test(subdirectories),
        cmocka_unit_test(a_user_has_a_home),
        cmocka_unit_test(random_digits),
    };

    (void)umask(0);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
