/* tests/unit/worker/sandbox/child.h - a sandbox driven by a child process. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_WORKER_SANDBOX_CHILD_H
#define TESTS_UNIT_WORKER_SANDBOX_CHILD_H

#include "box.h"

#include <sys/wait.h>

#define NOBODY 65534

/*
 * Each scenario is a child process: the first sandbox of a process decides
 * which user and mount namespace it lives in from then on. Asserts of cmocka
 * work in the parent only, so a child answers with its exit code.
 */
#define CHECK(what)                                                            \
    do {                                                                       \
        if (!(what)) {                                                         \
            (void)fprintf(stderr, "# %d: not %s: %s %s\n", __LINE__, #what,    \
                          child.both.data ? child.both.data : "",              \
                          child.err.msg);                                      \
            _exit(1);                                                          \
        }                                                                      \
    } while (0)

static struct box child;

UNUSED static void child_open(const struct sandbox_spec *spec)
{
    struct err err = {0};

    memset(&child, 0, sizeof(child));
    child.out = child.both = child.file = (struct strbuf)STRBUF_INIT;
    hostenv_fill(spec->image, spec->network, &child.env);
    CHECK(loop_new(&child.loop, &err) == 0);
    CHECK(box_driver->create(spec, child.loop, &child.sandbox, &child.err) ==
          0);
    CHECK(box_driver->start(child.sandbox, box_started, box_lost, &child,
                            &child.err) == 0);
    CHECK(box_wait(&child, &child.started, 30000));
    CHECK(child.err.kind == ERR_NONE);
}

UNUSED static int child_run(const char *script)
{
    const char *argv[4];
    struct sandbox_exec exec = box_sh(&child, argv, script);
    struct err err = {0};
    uint32_t id;

    child.over = false;
    strbuf_cut(&child.out, 0);
    strbuf_cut(&child.both, 0);
    CHECK(box_driver->exec(child.sandbox, &exec, &id, &err) == 0);
    CHECK(box_wait(&child, &child.over, 60000));
    return child.end.signal ? 1000 + child.end.signal : child.end.code;
}

UNUSED static void child_close(void)
{
    CHECK(box_driver->destroy(child.sandbox, &child.err) == 0);
    hostenv_clear(&child.env);
    strbuf_clear(&child.out);
    strbuf_clear(&child.both);
    strbuf_clear(&child.file);
    loop_free(child.loop);
    memset(&child, 0, sizeof(child));
}

UNUSED static int in_child(void (*scenario)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        scenario();
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#endif
