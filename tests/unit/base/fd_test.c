/* tests/unit/base/fd_test.c - descriptors, whole files, directories. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static char *in_dir(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static int make_dir(void **state UNUSED)
{
    (void)strcpy(dir, "/tmp/berth-fd-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state UNUSED)
{
    struct err err = {0};

    return tree_remove(dir, &err);
}

static bool is_cloexec(int fd)
{
    return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static void pipes_close_on_exec(void **state UNUSED)
{
    struct err err = {0};
    int pair[2];

    assert_int_equal(fd_pipe(pair, &err), 0);
    assert_true(is_cloexec(pair[0]) && is_cloexec(pair[1]));
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    assert_int_equal(pair[0], -1);
    assert_int_equal(fd_socketpair(pair, &err), 0);
    assert_true(is_cloexec(pair[0]) && is_cloexec(pair[1]));
    assert_int_equal(fd_set_nonblock(pair[0], &err), 0);
    assert_true(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    assert_int_equal(fd_set_nonblock(-1, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
}

static void cleanup_closes(void **state UNUSED)
{
    int number;

    {
        CLEANUP(fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        number = fd;
        assert_true(number >= 0);
        errno = EPERM;
    }
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(number, F_GETFD), -1);
}

static void files_come_back(void **state UNUSED)
{
    CLEANUP(mem) char *path = in_dir("file");
    CLEANUP(strbuf) struct strbuf buf = STRBUF_INIT;
    struct err err = {0};
    struct stat st;

    assert_int_equal(file_write(path, "a\0b", 3, 0640, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(file_write(path, "again", 5, 0600, &err), 0);
    strbuf_adds(&buf, ">");
    assert_int_equal(file_read(path, 5, &buf, &err), 0);
    assert_string_equal(buf.data, ">again");
}

static void too_large_is_refused(void **state UNUSED)
{
    CLEANUP(mem) char *path = in_dir("large");
    CLEANUP(strbuf) struct strbuf buf = STRBUF_INIT;
    struct err err = {0};

    assert_int_equal(file_write(path, "123456", 6, 0600, &err), 0);
    assert_int_equal(file_read(path, 5, &buf, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "larger than 5 bytes"));
    assert_int_equal(buf.len, 0);
}

static void what_cannot_be_read(void **state UNUSED)
{
    CLEANUP(mem) char *path = in_dir("missing");
    CLEANUP(strbuf) struct strbuf buf = STRBUF_INIT;
    struct err err = {0};

    assert_int_equal(file_read(path, 5, &buf, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(err.sys, ENOENT);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(file_read(dir, 5, &buf, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(err.sys, EISDIR);
}

static void a_failed_write_leaves_nothing(void **state UNUSED)
{
    CLEANUP(mem) char *missing = in_dir("no/file");
    CLEANUP(mem) char *taken = in_dir("taken");
    CLEANUP(mem) char *inner = in_dir("taken/inner");
    CLEANUP(mem) char *tmp = xasprintf("%s.tmp.%d", taken, (int)getpid());
    struct err err = {0};

    assert_int_equal(file_write(missing, "x", 1, 0600, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    /* A directory cannot be replaced by a file. */
    assert_int_equal(dir_make(inner, 0700, &err), 0);
    assert_int_equal(file_write(taken, "x", 1, 0600, &err), -1);
    assert_non_null(strstr(err.msg, "cannot write"));
    assert_int_equal(access(tmp, F_OK), -1);
}

static void write_all_says_when_it_cannot(void **state UNUSED)
{
    CLEANUP(fd) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CLEANUP(strbuf) struct strbuf buf = STRBUF_INIT;
    struct err err = {0};

    assert_int_equal(fd_write_all(full, "x", 1, &err), -1);
    assert_int_equal(err.sys, ENOSPC);
    assert_int_equal(fd_write_all(full, "", 0, &err), 0);
    assert_int_equal(fd_read_all(-1, &buf, &err), -1);
    assert_int_equal(err.sys, EBADF);
}

static void what_has_no_end_is_read_until_it_is_too_much(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf buf = STRBUF_INIT;
    struct err err = {0};

    (void)alarm(20); /* else it would hang */
    assert_int_equal(file_read("/dev/zero", 100000, &buf, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "larger than 100000 bytes"));
    (void)alarm(0);
}

/* More than a pipe holds, while a child reads it slowly. */
static void write_all_waits(void **state UNUSED)
{
    static char data[1 << 20];
    CLEANUP(mem) char *path = in_dir("fifo");
    CLEANUP(mem)
    char *command = xasprintf("sleep 0.1; exec wc -c <'%s'", path);
    CLEANUP(fd) int fd = -1;
    char line[32] = "";
    struct err err = {0};
    FILE *reader;

    assert_int_equal(mkfifo(path, 0600), 0);
    reader = popen(command, "re");
    assert_non_null(reader);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(fd_set_nonblock(fd, &err), 0);
    assert_int_equal(fd_write_all(fd, data, sizeof(data), &err), 0);
    fd_close(&fd);
    assert_non_null(fgets(line, sizeof(line), reader));
    assert_int_equal(strtol(line, NULL, 10), sizeof(data));
    assert_int_equal(pclose(reader), 0);
}

static void dirs_are_made(void **state UNUSED)
{
    CLEANUP(mem) char *path = in_dir("a/b//c/");
    CLEANUP(mem) char *file = in_dir("a/file");
    CLEANUP(mem) char *below = in_dir("a/file/below");
    CLEANUP(mem) char *link = in_dir("a/link");
    struct err err = {0};
    struct stat st;
    mode_t before = umask(077);

    assert_int_equal(dir_make(path, 0751, &err), 0);
    (void)umask(before);
    assert_int_equal(dir_make(path, 0700, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0751);
    assert_int_equal(symlink("b", link), 0);
    assert_int_equal(dir_make(link, 0700, &err), 0);
    assert_int_equal(file_write(file, "", 0, 0600, &err), 0);
    assert_int_equal(dir_make(file, 0700, &err), -1);
    assert_int_equal(err.sys, ENOTDIR);
    assert_int_equal(dir_make(below, 0700, &err), -1);
    assert_int_equal(err.sys, ENOTDIR);
}

static void trees_are_removed(void **state UNUSED)
{
    CLEANUP(mem) char *top = in_dir("tree");
    CLEANUP(mem) char *deep = in_dir("tree/1/2/3/4/5");
    CLEANUP(mem) char *file = in_dir("tree/1/2/file");
    CLEANUP(mem) char *kept = in_dir("kept");
    CLEANUP(mem) char *inside = in_dir("kept/inside");
    CLEANUP(mem) char *link = in_dir("tree/1/link");
    struct err err = {0};

    assert_int_equal(dir_make(deep, 0700, &err), 0);
    assert_int_equal(dir_make(inside, 0700, &err), 0);
    assert_int_equal(file_write(file, "x", 1, 0000, &err), 0);
    assert_int_equal(symlink(kept, link), 0);
    assert_int_equal(tree_remove(top, &err), 0);
    assert_int_equal(access(top, F_OK), -1);
    assert_int_equal(access(inside, F_OK), 0);
    assert_int_equal(tree_remove(top, &err), 0);
    assert_int_equal(tree_remove(kept, &err), 0);
    assert_int_equal(access(kept, F_OK), -1);
}

static void trees_are_emptied(void **state UNUSED)
{
    CLEANUP(mem) char *top = in_dir("full");
    CLEANUP(mem) char *deep = in_dir("full/a/b");
    CLEANUP(mem) char *link = in_dir("full/link");
    struct stat before, after;
    struct err err = {0};

    assert_int_equal(dir_make(deep, 0755, &err), 0);
    assert_int_equal(symlink("/etc", link), 0);
    assert_int_equal(stat(top, &before), 0);
    assert_int_equal(tree_empty(top, &err), 0);
    assert_int_equal(stat(top, &after), 0);
    assert_true(before.st_ino == after.st_ino && after.st_nlink == 2);
    assert_int_equal(symlink("/etc", link), 0);
    assert_int_equal(tree_empty(link, &err), -1);
    assert_int_equal(tree_remove(top, &err), 0);
    assert_int_equal(tree_empty(top, &err), -1);
}

static void tree_remove_says_what_stayed(void **state UNUSED)
{
    struct err err = {0};

    assert_int_equal(tree_remove("/proc/self/status", &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.msg, "status"));
}

static void locks_exclude(void **state UNUSED)
{
    CLEANUP(mem) char *path = in_dir("lock");
    CLEANUP(mem) char *missing = in_dir("no/lock");
    struct err err = {0};
    int64_t before;
    int first = -1;
    int second = -1;

    assert_int_equal(file_lock(path, 0, &first, &err), 0);
    assert_true(is_cloexec(first));
    before = clock_mono_ms();
    assert_int_equal(file_lock(path, 150, &second, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_int_equal(second, -1);
    assert_in_range(clock_mono_ms() - before, 150, 10000);
    fd_close(&first);
    assert_int_equal(file_lock(path, 0, &second, &err), 0);
    fd_close(&second);
    assert_int_equal(file_lock(missing, 0, &second, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipes_close_on_exec),
        cmocka_unit_test(cleanup_closes),
        cmocka_unit_test(files_come_back),
        cmocka_unit_test(too_large_is_refused),
        cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(a_failed_write_leaves_nothing),
        cmocka_unit_test(write_all_says_when_it_cannot),
        cmocka_unit_test(what_has_no_end_is_read_until_it_is_too_much),
        cmocka_unit_test(write_all_waits),
        cmocka_unit_test(dirs_are_made),
        cmocka_unit_test(trees_are_removed),
        cmocka_unit_test(trees_are_emptied),
        cmocka_unit_test(tree_remove_says_what_stayed),
        cmocka_unit_test(locks_exclude),
    };

    (void)umask(0);
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
