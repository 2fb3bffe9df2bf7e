/* tests/unit/base/mem_test.c - allocation, ownership, lists of strings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ASan would die of a refused allocation before we can. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

struct thing {
    int *freed;
};

static void thing_free(struct thing *thing)
{
    if (!thing)
        return;
    ++*thing->freed;
    free(thing);
}
OWNER(thing)

static struct thing *thing_new(int *freed)
{
    struct thing *thing = xcalloc(1, sizeof(*thing));

    thing->freed = freed;
    return thing;
}

static void cleanup_frees(void **state UNUSED)
{
    int freed = 0;

    {
        CLEANUP(thing) struct thing *thing = thing_new(&freed);
        CLEANUP(thing) struct thing *none = NULL;

        assert_non_null(thing);
        assert_null(none);
    }
    assert_int_equal(freed, 1);
}

static struct thing *give(int *freed)
{
    CLEANUP(thing) struct thing *thing = thing_new(freed);

    return STEAL(thing);
}

static void steal_gives_away(void **state UNUSED)
{
    int freed = 0;
    struct thing *thing = give(&freed);

    assert_int_equal(freed, 0);
    thing_free(thing);
    assert_int_equal(freed, 1);
}

static void allocators(void **state UNUSED)
{
    static const char zeros[16] = {0};
    CLEANUP(mem) char *none = xmalloc(0);
    CLEANUP(mem) char *zeroed = xcalloc(4, 4);
    CLEANUP(mem) char *empty = xcalloc(0, 0);
    CLEANUP(mem) char *copy = xstrdup("berth");
    CLEANUP(mem) char *cut = xstrndup("berth", 2);
    CLEANUP(mem) char *bytes = xmemdup("a\0b", 3);
    CLEANUP(mem) char *nothing = xmemdup(NULL, 0);
    CLEANUP(mem) char *text = xasprintf("%s-%d", "a", 7);

    assert_non_null(none);
    assert_non_null(empty);
    assert_non_null(nothing);
    assert_memory_equal(zeroed, zeros, sizeof(zeros));
    assert_string_equal(copy, "berth");
    assert_string_equal(cut, "be");
    assert_memory_equal(bytes, "a\0b", 3);
    assert_string_equal(text, "a-7");
    copy = xreallocarray(copy, 100, 1);
    assert_string_equal(copy, "berth");
}

static int status_of(void (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
        fn();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static volatile size_t huge = SIZE_MAX / 2;

static void use_too_much(void)
{
    free(xmalloc(huge));
}

static void multiply_too_much(void)
{
    free(xreallocarray(NULL, huge, 4));
}

static void running_out_aborts(void **state UNUSED)
{
    int status = status_of(use_too_much);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    status = status_of(multiply_too_much);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void wipe(void **state UNUSED)
{
    char secret[] = "hunter2";

    mem_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++)
        assert_int_equal(secret[i], 0);
    mem_wipe(NULL, 5);
}

static void strv_grows(void **state UNUSED)
{
    CLEANUP(strv) struct strv v = {0};

    for (int i = 0; i < 100; i++)
        strv_addf(&v, "item %d", i);
    strv_add(&v, "last");
    assert_int_equal(v.count, 101);
    assert_string_equal(v.items[42], "item 42");
    assert_string_equal(v.items[100], "last");
    assert_null(v.items[101]);
    strv_clear(&v);
    assert_int_equal(v.count, 0);
    assert_null(v.items);
    strv_clear(&v);
}

static void strv_environment(void **state UNUSED)
{
    CLEANUP(strv) struct strv v = {0};

    assert_null(strv_getenv(&v, "A"));
    strv_setenv(&v, "A", "1");
    strv_setenv(&v, "AB", "2");
    strv_setenv(&v, "A", "3=4");
    assert_int_equal(v.count, 2);
    assert_string_equal(strv_getenv(&v, "A"), "3=4");
    assert_string_equal(strv_getenv(&v, "AB"), "2");
    assert_null(strv_getenv(&v, "B"));
    strv_setenv(&v, "EMPTY", "");
    assert_string_equal(strv_getenv(&v, "EMPTY"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleanup_frees),
        cmocka_unit_test(steal_gives_away),
        cmocka_unit_test(allocators),
        cmocka_unit_test(running_out_aborts),
        cmocka_unit_test(wipe),
        cmocka_unit_test(strv_grows),
        cmocka_unit_test(strv_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
