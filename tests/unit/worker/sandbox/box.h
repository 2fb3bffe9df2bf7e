/* tests/unit/worker/sandbox/box.h - real sandboxes for tests, step by step. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_WORKER_SANDBOX_BOX_H
#define TESTS_UNIT_WORKER_SANDBOX_BOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "worker/sandbox/hostenv.h"
#include "worker/sandbox/sandbox.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB          ((uint64_t)1 << 20)
#define BOX_LIMIT_MS 120000

/** One sandbox, its loop, and what its last command did. */
struct box {
    struct loop *loop;
    struct sandbox *sandbox;
    struct hostenv env;
    bool started, lost, over, filed;
    struct err err; /* of start, lost or a file */
    struct sandbox_exit end;
    struct strbuf out; /* stdout */
    struct strbuf both;
    uint64_t total; /* bytes of both streams */
    struct strbuf file;
};

/*
 * The suite is the same for every driver. Of the environment:
 *   BOX_DRIVER   oci (the default) or docker
 *   BOX_RUNTIME  crun, runc …; unset: as found
 *   BOX_IMAGE    unset: host
 *   BOX_SOCKET   of the Docker Engine
 */
static char box_state[PATH_MAX];
UNUSED static const struct sandbox_driver *box_driver = &sandbox_oci;

UNUSED static bool box_is_docker(void)
{
    const char *driver = getenv("BOX_DRIVER");

    return driver && strcmp(driver, "docker") == 0;
}

UNUSED static const char *box_runtime(void)
{
    const char *runtime = getenv("BOX_RUNTIME");

    return runtime ? runtime : "";
}

UNUSED static const char *box_image(void)
{
    const char *image = getenv("BOX_IMAGE");

    return image ? image : "host";
}

UNUSED static void box_started(void *arg, const struct err *err)
{
    struct box *b = arg;

    b->started = true;
    if (err)
        b->err = *err;
}

UNUSED static void box_lost(void *arg, const struct err *err)
{
    struct box *b = arg;

    b->lost = true;
    b->err = *err;
}

UNUSED static void box_output(void *arg, enum sandbox_stream stream,
                              const void *data, size_t len)
{
    struct box *b = arg;

    b->total += len;
    if (stream == SANDBOX_STDOUT)
        strbuf_add(&b->out, data, len);
    strbuf_add(&b->both, data, len);
}

UNUSED static void box_exit(void *arg, const struct sandbox_exit *end)
{
    struct box *b = arg;

    b->over = true;
    b->end = *end;
}

UNUSED static void box_filed(void *arg, const void *data, size_t len,
                             const struct err *err)
{
    struct box *b = arg;

    b->filed = true;
    b->err = err ? *err : (struct err){0};
    strbuf_cut(&b->file, 0);
    if (data)
        strbuf_add(&b->file, data, len);
}

/* Turn the loop until `*flag`, the sandbox is lost, or time is up. */
UNUSED static bool box_wait(struct box *b, const bool *flag, int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;
    struct err err;

    while (!*flag && !b->lost && clock_mono_ms() < until)
        assert_int_equal(loop_step(b->loop, 50, &err), 0);
    return *flag;
}

UNUSED static struct sandbox_spec box_spec(const char *id)
{
    return (struct sandbox_spec){
        .id = id,
        .state_dir = box_state,
        .image = box_image(),
        .runtime = getenv("BOX_RUNTIME"),
        .docker_socket = getenv("BOX_SOCKET"),
        .network = SANDBOX_NETWORK_NONE,
        .cpu_millis = 2000,
        .memory_bytes = 256 * MIB,
        .disk_bytes = 512 * MIB,
        .pids = 64,
    };
}

UNUSED static void box_create(struct box *b, const struct sandbox_spec *spec)
{
    struct err err = {0};

    memset(b, 0, sizeof(*b));
    b->out = (struct strbuf)STRBUF_MAX(1 * MIB);
    b->both = (struct strbuf)STRBUF_MAX(1 * MIB);
    b->file = (struct strbuf)STRBUF_MAX(32 * MIB);
    hostenv_fill(spec->image, spec->network, &b->env);
    assert_int_equal(loop_new(&b->loop, &err), 0);
    if (box_driver->create(spec, b->loop, &b->sandbox, &err) < 0)
        fail_msg("create: %s", err.msg);
}

UNUSED static void box_start(struct box *b)
{
    struct err err = {0};

    if (box_driver->start(b->sandbox, box_started, box_lost, b, &err) < 0)
        fail_msg("start: %s", err.msg);
    if (!box_wait(b, &b->started, BOX_LIMIT_MS) || b->err.kind != ERR_NONE)
        fail_msg("started: %s", b->err.msg);
}

UNUSED static void box_open(struct box *b, const struct sandbox_spec *spec)
{
    box_create(b, spec);
    box_start(b);
}

UNUSED static void box_close(struct box *b)
{
    struct err err = {0};

    if (box_driver->destroy(b->sandbox, &err) < 0)
        fail_msg("destroy: %s", err.msg);
    hostenv_clear(&b->env);
    strbuf_clear(&b->out);
    strbuf_clear(&b->both);
    strbuf_clear(&b->file);
    loop_free(b->loop);
}

UNUSED static struct sandbox_exec box_sh(struct box *b, const char **argv,
                                         const char *script)
{
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    argv[3] = NULL;
    return (struct sandbox_exec){
        .argv = argv,
        .env = (const char *const *)b->env.env.items,
        .cwd = SANDBOX_WORKSPACE,
        .on_output = box_output,
        .on_exit = box_exit,
        .arg = b,
    };
}

/* Start a command and return; b->over tells of its end. */
UNUSED static void box_begin(struct box *b, const struct sandbox_exec *exec)
{
    struct err err = {0};
    uint32_t id;

    b->over = false;
    b->total = 0;
    strbuf_cut(&b->out, 0);
    strbuf_cut(&b->both, 0);
    if (box_driver->exec(b->sandbox, exec, &id, &err) < 0)
        fail_msg("exec: %s", err.msg);
}

/* Run a shell script to its end; its exit code, or 1000 + signal. */
UNUSED static int box_run(struct box *b, const char *script)
{
    const char *argv[4];
    struct sandbox_exec exec = box_sh(b, argv, script);

    box_begin(b, &exec);
    if (!box_wait(b, &b->over, BOX_LIMIT_MS))
        fail_msg("no end: %s %s", script, b->err.msg);
    return b->end.signal ? 1000 + b->end.signal : b->end.code;
}

/* No process of that name is left. What was killed may take a moment to end;
 * one command looks until then, for its own end kills what is left. */
UNUSED static bool box_none(struct box *b, const char *name)
{
    CLEANUP(mem)
    char *script = xasprintf("for i in $(seq 600); do pgrep -x %s || exit 1; "
                             "sleep 0.05; done",
                             name);

    return box_run(b, script) == 1;
}

/* stdout of a script that must succeed, without the last newline. */
UNUSED static const char *box_says(struct box *b, const char *script)
{
    if (box_run(b, script) != 0)
        fail_msg("'%s' failed: %s", script, b->both.data);
    if (b->out.len && b->out.data[b->out.len - 1] == '\n')
        strbuf_cut(&b->out, b->out.len - 1);
    return b->out.data;
}

UNUSED static int box_done(struct box *b, int rc, struct err *err)
{
    b->filed = false;
    b->err = (struct err){0};
    if (rc < 0) {
        b->err = *err;
        return -1;
    }
    assert_true(box_wait(b, &b->filed, BOX_LIMIT_MS));
    return b->err.kind == ERR_NONE ? 0 : -1;
}

UNUSED static int box_write(struct box *b, const char *path, const char *text)
{
    struct err err = {0};

    return box_done(b,
                    box_driver->write_file(b->sandbox, path, text, strlen(text),
                                           0640, box_filed, b, &err),
                    &err);
}

UNUSED static int box_read(struct box *b, const char *path, size_t max)
{
    struct err err = {0};

    return box_done(
        b, box_driver->read_file(b->sandbox, path, max, box_filed, b, &err),
        &err);
}

/* Programs beside the tests; a state directory of our own; root. */
UNUSED static int box_setup(void **state UNUSED)
{
    char self[PATH_MAX] = "";
    char *libexec;
    const char *tmp = getenv("TEST_TMP");

    if (box_is_docker())
        box_driver = &sandbox_docker;
    if (!getenv("BERTH_LIBEXEC")) {
        assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
        *strstr(self, "/tests/unit/") = '\0';
        libexec = xasprintf("%s/libexec/berth", self);
        (void)setenv("BERTH_LIBEXEC", libexec, 1);
        free(libexec);
    }
    (void)snprintf(box_state, sizeof(box_state), "%s/berth-box-XXXXXX",
                   tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(box_state));
    assert_int_equal(chmod(box_state, 0711), 0);
    return 0;
}

UNUSED static int box_teardown(void **state UNUSED)
{
    /* Nothing of ours may be left: not even an empty directory. */
    if (rmdir(box_state) < 0)
        fail_msg("'%s' is not empty", box_state);
    return 0;
}

UNUSED static bool box_can(void)
{
    return geteuid() == 0 && (proc_in_path("crun") || proc_in_path("runc"));
}

/* What holds for one driver only, or needs what only image `host` has. */
#define ONLY(condition, why)                                                   \
    do {                                                                       \
        if (!(condition)) {                                                    \
            print_message("# %s\n", why);                                      \
            skip();                                                            \
        }                                                                      \
    } while (0)
#define ONLY_OCI() ONLY(!box_is_docker(), "this is about the driver oci")
#define ONLY_ROOTLESS()                                                        \
    ONLY(!box_is_docker() && strcmp(box_runtime(), "runc") != 0,               \
         "an ordinary user's sandboxes need crun")
#define ONLY_HOST() ONLY(!strcmp(box_image(), "host"), "needs image host")

#define NEED_ROOT()                                                            \
    do {                                                                       \
        if (!box_can()) {                                                      \
            print_message("# needs root and crun or runc\n");                  \
            skip();                                                            \
        }                                                                      \
    } while (0)

#endif
