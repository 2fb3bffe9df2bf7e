/* tests/unit/worker/logs/archiver_test.c - into a store, beside a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/archiver.h"

#include "base/clock.h"
#include "base/proc.h"
#include "tests/unit/worker/logs/logs.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

static char real[PATH_MAX]; /* the real programs */
static char fake[PATH_MAX]; /* a directory for others */
static char *far;           /* a directory of another file system, or NULL */

struct fixture {
    struct loop *loop;
    struct log_store *store;
    struct archiver *archiver;
    int calls, good;
    struct err err; /* of the last that failed */
    char name[64];  /* of the last that did not */
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    if (make_logs_dir(NULL) < 0 || setenv("BERTH_LIBEXEC", real, 1) < 0)
        return -1;
    f->store = open_store("store");
    assert_int_equal(loop_new(&f->loop, NULL), 0);
    f->archiver = archiver_new(f->loop, f->store, "");
    far = other_file_system();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    archiver_free(f->archiver);
    log_store_free(f->store);
    loop_free(f->loop);
    free(f);
    if (far)
        assert_int_equal(tree_remove(far, NULL), 0);
    free(STEAL(far));
    return remove_logs_dir(NULL);
}

#define NEEDS_FAR                                                              \
    if (!far) {                                                                \
        print_message("# there is no other file system\n");                    \
        skip();                                                                \
    }

/* From now on the program is this script; $REAL is the real one. */
static void use_script(const char *text)
{
    CLEANUP(mem) char *path = xasprintf("%s/log-store", fake);
    CLEANUP(mem)
    char *script =
        xasprintf("#!/bin/sh\nREAL='%s/log-store'\n%s\n", real, text);

    assert_int_equal(file_write(path, script, strlen(script), 0755, NULL), 0);
    assert_int_equal(setenv("BERTH_LIBEXEC", fake, 1), 0);
}

static void on_put(void *arg, const char *name, const struct err *err)
{
    struct fixture *f = arg;

    f->calls++;
    assert_true(!name == !!err);
    if (err) {
        f->err = *err;
        return;
    }
    f->good++;
    (void)snprintf(f->name, sizeof(f->name), "%s", name);
}

static void run_to(struct fixture *f, int calls)
{
    int64_t until = clock_mono_ms() + 20000;

    while (f->calls < calls && clock_mono_ms() < until)
        assert_int_equal(loop_step(f->loop, 100, NULL), 0);
    assert_int_equal(f->calls, calls);
}

static void moves_at_once(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *path = make_log(logs_dir, "near", "hello");

    use_script("exit 9");
    archiver_put(f->archiver, path, "near", 1, on_put, f);
    assert_int_equal(f->calls, 0);
    assert_int_equal(size_of(path), -1);
    run_to(f, 1);
    assert_string_equal(f->name, "dir:ne/near-1.log");
    assert_has(f->store, "near", "1:hello|");
    archiver_put(f->archiver, path, "other", 1, on_put, f);
    run_to(f, 2);
    assert_int_equal(f->good, 1);
    assert_int_equal(f->err.kind, ERR_USER);
}

static void copies_by_a_process(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *path = NULL;

    NEEDS_FAR
    path = make_log(far, "far", "hello");
    archiver_put(f->archiver, path, "far", 1, on_put, f);
    assert_true(size_of(path) > 0);
    /* The same log twice, as by a worker and its successor. */
    archiver_put(f->archiver, path, "far", 1, on_put, f);
    run_to(f, 2);
    assert_int_equal(f->good, 2);
    assert_string_equal(f->name, "dir:fa/far-1.log");
    assert_int_equal(size_of(path), -1);
    assert_has(f->store, "far", "1:hello|");
}

static int lines_of(const char *path)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    int lines = 0;

    if (file_read(path, 4096, &text, NULL) < 0)
        return 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    return lines;
}

/* A store that takes its time: the loop goes on, and there are never many. */
static void slow_ones_are_few(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *numbers = xasprintf("%s/log-store.n", fake);
    CLEANUP(mem) char *go = xasprintf("%s/log-store.go", fake);
    int64_t until = clock_mono_ms() + 30000;

    NEEDS_FAR
    use_script(
        "mkdir -p \"$0.d\"; : >\"$0.d/$$\"; ls \"$0.d\" | wc -l >>\"$0.n\"\n"
        "until [ -e \"$0.go\" ]; do sleep 0.05; done\n"
        "rm \"$0.d/$$\"; exec \"$REAL\" \"$@\"");
    for (int i = 0; i < 10; i++) {
        CLEANUP(mem) char *id = xasprintf("far%d", i);
        CLEANUP(mem) char *path = make_log(far, id, "hello");

        archiver_put(f->archiver, path, id, 1, on_put, f);
    }
    while (lines_of(numbers) < 4 && clock_mono_ms() < until)
        assert_int_equal(loop_step(f->loop, 10, NULL), 0);
    assert_int_equal(lines_of(numbers), 4);
    for (int i = 0; i < 20; i++) /* a fifth does not begin */
        assert_int_equal(loop_step(f->loop, 10, NULL), 0);
    assert_int_equal(lines_of(numbers), 4);
    assert_int_equal(f->calls, 0);
    assert_int_equal(file_write(go, "", 0, 0600, NULL), 0);
    run_to(f, 10);
    assert_int_equal(f->good, 10);
    assert_int_equal(lines_of(numbers), 10);
}

static void says_what_goes_wrong(void **state)
{
    static const struct {
        const char *script, *message;
    } cases[] = {
        {"echo no space; exit 1", "log-store exited with 1: no space"},
        {"exit 7", "log-store exited with 7"},
        {"kill -KILL $$", "log-store died of signal 9"},
    };
    struct fixture *f = *state;
    CLEANUP(mem) char *path = NULL;

    NEEDS_FAR
    path = make_log(far, "far", "hello");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        use_script(cases[i].script);
        archiver_put(f->archiver, path, "far", 1, on_put, f);
        run_to(f, (int)i + 1);
        assert_string_equal(f->err.msg, cases[i].message);
        assert_int_equal(f->err.kind, ERR_TRANSIENT);
        assert_true(size_of(path) > 0);
    }
    assert_int_equal(setenv("BERTH_LIBEXEC", "/nonexistent", 1), 0);
    archiver_put(f->archiver, path, "far", 1, on_put, f);
    run_to(f, ARRAY_LEN(cases) + 1);
    assert_int_equal(f->good, 0);
    assert_true(size_of(path) > 0);
}

static void free_finishes(void **state)
{
    struct fixture *f = *state;
    int gone;

    NEEDS_FAR
    use_script("exec sleep 60");
    for (int i = 0; i < 6; i++) {
        CLEANUP(mem) char *id = xasprintf("far%d", i);
        CLEANUP(mem) char *path = make_log(far, id, "hello");

        archiver_put(f->archiver, path, id, 1, on_put,
                     i % 2 ? &gone : (void *)f);
    }
    archiver_redirect(f->archiver, &gone, NULL, NULL);
    archiver_free(STEAL(f->archiver));
    assert_int_equal(f->calls, 3);
    assert_int_equal(f->good, 3);
    for (int i = 0; i < 6; i++) {
        CLEANUP(mem) char *id = xasprintf("far%d", i);

        assert_has(f->store, id, "1:hello|");
    }
}

/* ---- killed on the way ----------------------------------------------------
 */

static char *make_large(const char *path, size_t size)
{
    char *data = xmalloc(size);

    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 2654435761U >> 13);
    assert_int_equal(file_write(path, data, size, 0600, NULL), 0);
    return data;
}

static pid_t copy(const char *address, const char *path)
{
    CLEANUP(mem) char *program = xasprintf("%s/log-store", real);
    const char *const argv[] = {program, "put", address, path,
                                "far",   "1",   NULL};
    const struct proc_spec spec = {
        .argv = argv, .in = PROC_NULL, .out = PROC_NULL, .err = PROC_INHERIT};
    pid_t pid = -1;

    assert_int_equal(proc_spawn(&spec, &pid, NULL), 0);
    return pid;
}

static void nothing_is_lost_by_a_kill(void **state)
{
    const size_t size = (size_t)48 << 20;
    struct fixture *f = *state;
    CLEANUP(mem) char *path = NULL;
    CLEANUP(mem) char *tmp = xasprintf("%s/store/fa/far-1.log.tmp", logs_dir);
    CLEANUP(mem) char *to = xasprintf("%s/store/fa/far-1.log", logs_dir);
    CLEANUP(mem) char *data = NULL;
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    int status, caught = 0;

    NEEDS_FAR
    path = xasprintf("%s/far-1.log", far);
    data = make_large(path, size);
    for (int tries = 0; tries < 20 && caught < 3; tries++) {
        pid_t pid = copy(log_store_address(f->store), path);

        while (size_of(tmp) < 1000 && size_of(path) >= 0)
            (void)usleep(100);
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (size_of(path) < 0) { /* it was quicker */
            free(data);
            data = make_large(path, size);
            assert_int_equal(unlink(to), 0);
            continue;
        }
        caught++;
        assert_int_equal(size_of(path), size);
        assert_int_equal(size_of(to), -1);
    }
    assert_true(caught > 0);
    /* What it left behind, and two that are at it, are in nobody's way. */
    {
        pid_t other = copy(log_store_address(f->store), path);

        archiver_put(f->archiver, path, "far", 1, on_put, f);
        run_to(f, 1);
        assert_int_equal(waitpid(other, &status, 0), other);
        assert_int_equal(status, 0);
    }
    assert_int_equal(f->good, 1);
    assert_int_equal(size_of(path), -1);
    assert_int_equal(size_of(tmp), -1);
    assert_int_equal(file_read(to, size, &got, NULL), 0);
    assert_int_equal(got.len, size);
    assert_memory_equal(got.data, data, size);
}

static int start(void **state UNUSED)
{
    const char *libexec = getenv("BERTH_LIBEXEC");

    if (!libexec)
        libexec = "build/debug/libexec/berth";
    (void)strcpy(fake, "/tmp/berth-archiver-XXXXXX");
    return realpath(libexec, real) && mkdtemp(fake) ? 0 : -1;
}

static int stop(void **state UNUSED)
{
    return tree_remove(fake, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(moves_at_once),     TEST(copies_by_a_process),
        TEST(slow_ones_are_few), TEST(says_what_goes_wrong),
        TEST(free_finishes),     TEST(nothing_is_lost_by_a_kill),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
