/* tests/unit/base/confine_test.c - what a process gives up. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine.h"

#include "base/confine_calls.h"
#include "base/mem.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a process of its own, which ends with what `body` returns. */
static int in_child(int (*body)(void))
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

static char *dir; /* with a/ and b/, and a file in each */

static int opens(const char *name, int flags)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    (void)close(fd);
    return 0;
}

static int setup(void **state UNUSED)
{
    static char template[4096];
    const char *tmp = getenv("TEST_TMP");

    (void)snprintf(template, sizeof(template), "%s/confine-XXXXXX",
                   tmp ? tmp : "/tmp");
    dir = mkdtemp(template);
    if (!dir)
        return -1;
    for (const char *name = "ab"; *name; name++) {
        CLEANUP(mem) char *sub = xasprintf("%s/%c", dir, *name);
        char file[] = {*name, '/', 'f', '\0'};

        if (mkdir(sub, 0700) < 0 || opens(file, O_WRONLY | O_CREAT))
            return -1;
    }
    return 0;
}

static int write_only_in_a(void)
{
    CLEANUP(strv) struct strv writes = {0};
    const struct confine_files files = {.writes = &writes};
    struct err err;

    strv_addf(&writes, "%s/a", dir);
    if (confine_process(getppid(), &err) < 0 || confine_files(&files, &err) < 0)
        return 1;
    if (opens("a/f", O_WRONLY) || opens("a/new", O_WRONLY | O_CREAT) ||
        opens("b/f", O_RDONLY))
        return 2;
    if (opens("b/f", O_WRONLY) != EACCES ||
        opens("b/new", O_WRONLY | O_CREAT) != EACCES)
        return 3;
    return execl("/bin/true", "true", NULL) < 0 && errno == EACCES ? 0 : 4;
}

static int read_only_b(void)
{
    CLEANUP(strv) struct strv reads = {0};
    const struct confine_files files = {.reads = &reads};
    struct err err;

    strv_addf(&reads, "%s/b/f", dir);
    strv_addf(&reads, "%s/missing", dir);
    if (confine_process(getppid(), &err) < 0 || confine_files(&files, &err) < 0)
        return 1;
    if (opens("b/f", O_RDONLY))
        return 2;
    if (opens("a/f", O_RDONLY) != EACCES || opens("b/f", O_WRONLY) != EACCES)
        return 3;
    return opens("b", O_RDONLY | O_DIRECTORY) == EACCES ? 0 : 4;
}

static int missing_write(void)
{
    CLEANUP(strv) struct strv writes = {0};
    const struct confine_files files = {.writes = &writes};
    struct err err = {0};

    strv_addf(&writes, "%s/missing", dir);
    return confine_files(&files, &err) < 0 && err.kind == ERR_TRANSIENT ? 0 : 1;
}

static void test_files(void **state UNUSED)
{
    if (!confine_has_files()) {
        print_message("this kernel has no Landlock\n");
        skip();
    }
    assert_int_equal(in_child(write_only_in_a), 0);
    assert_int_equal(in_child(read_only_b), 0);
    assert_int_equal(in_child(missing_write), 0);
}

static int limits(void)
{
    struct rlimit now;
    struct err err;

    if (confine_limit(RLIMIT_NOFILE, 64, &err) < 0 ||
        confine_limit(RLIMIT_NOFILE, 128, &err) < 0 ||
        getrlimit(RLIMIT_NOFILE, &now) < 0)
        return 1;
    return now.rlim_cur == 64 && now.rlim_max == 64 ? 0 : 2;
}

static int process(void)
{
    struct err err;

    if (confine_process(getppid(), &err) < 0)
        return 1;
    if (prctl(PR_GET_DUMPABLE) != 0 ||
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 2;
    return confine_process(1 << 23, &err) < 0 &&
                   strcmp(err.msg, "the parent is gone") == 0
               ? 0
               : 3;
}

static int user(void)
{
    struct err err;

    if (confine_user(0, &err) < 0 || confine_user(geteuid(), &err) < 0)
        return 1;
    if (geteuid() != 0)
        return confine_user(1234, &err) < 0 ? 0 : 2;
    if (confine_user(1234, &err) < 0 || getuid() != 1234 || getegid() != 1234)
        return 3;
    return getgroups(0, NULL) == 0 && setuid(0) < 0 ? 0 : 4;
}

static void test_process(void **state UNUSED)
{
    assert_int_equal(in_child(limits), 0);
    assert_int_equal(in_child(process), 0);
    assert_int_equal(in_child(user), 0);
}

static int calls(void)
{
    static const struct confine_call some[] = {
        {"dup2", 1, UINT32_MAX, 17},
        {"dup2", 1, UINT32_MAX, 18},
    };
    struct err err;

    /* What sanitizers do at the end, too. */
    if (confine_calls("getpid no_such_call exit_group exit sigaltstack gettid "
                      "munmap write",
                      some, ARRAY_LEN(some), &err) < 0)
        return 1;
    if (getpid() < 1 || dup2(0, 17) != 17 || dup2(0, 18) != 18)
        return 2;
    if (dup2(0, 19) != -1 || errno != EPERM)
        return 3;
    return getppid() == -1 && errno == EPERM ? 0 : 4;
}

static void test_calls(void **state UNUSED)
{
    assert_int_equal(in_child(calls), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_calls),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
