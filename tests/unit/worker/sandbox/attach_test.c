/* tests/unit/worker/sandbox/attach_test.c - the stream of a container. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"

#include "base/fd.h"
#include "worker/sandbox/docker/attach.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The pump is a child: its exit code is how it ended. */
struct pumped {
    pid_t pid;
    int engine;   /* our end of the container's stream */
    int to, from; /* of its stdin, and stdout */
    int words;    /* what came on stderr, at the end */
};

enum { ENDED_ASKED = 10, ENDED_STOPPED, ENDED_BROKEN };

static void pump_in_child(const struct attach_spec *spec, int words)
{
    struct err err = {0};
    enum attach_end end;
    int rc = attach_pump(spec, &end, &err);

    (void)!write(words, spec->stderr_->data, spec->stderr_->len);
    _exit(rc < 0                ? ENDED_BROKEN
          : end == ATTACH_ASKED ? ENDED_ASKED
                                : ENDED_STOPPED);
}

static int setup(void **state)
{
    struct pumped *p = xcalloc(1, sizeof(*p));
    struct strbuf text = STRBUF_MAX(100);
    int stream[2], in[2], out[2], words[2];

    assert_int_equal(fd_socketpair(stream, NULL), 0);
    assert_int_equal(fd_pipe(in, NULL), 0);
    assert_int_equal(fd_pipe(out, NULL), 0);
    assert_int_equal(fd_pipe(words, NULL), 0);
    p->pid = fork();
    if (p->pid == 0) {
        const struct attach_spec spec = {
            .fd = stream[1], .in = in[0], .out = out[1], .stderr_ = &text};

        fd_close(&stream[0]);
        fd_close(&in[1]);
        fd_close(&out[0]);
        pump_in_child(&spec, words[1]);
    }
    fd_close(&stream[1]);
    fd_close(&in[0]);
    fd_close(&out[1]);
    fd_close(&words[1]);
    p->engine = stream[0];
    p->to = in[1];
    p->from = out[0];
    p->words = words[0];
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pumped *p = *state;

    if (p->pid > 0) {
        (void)kill(p->pid, SIGKILL);
        (void)waitpid(p->pid, NULL, 0);
    }
    fd_close(&p->engine);
    fd_close(&p->to);
    fd_close(&p->from);
    fd_close(&p->words);
    free(p);
    return 0;
}

static int ended(struct pumped *p)
{
    int status;

    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    p->pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void say(struct pumped *p, uint8_t stream, const char *text)
{
    size_t len = strlen(text);
    char frame[8 + 256] = {(char)stream, 0, 0, 0, 0, 0, 0, (char)len};

    /* At once: who ends at the header reads no further. */
    assert_in_range(len, 0, 127);
    memcpy(frame + 8, text, len);
    assert_int_equal(fd_write_all(p->engine, frame, 8 + len, NULL), 0);
}

static void expect(int fd, const char *wanted)
{
    char got[4096];
    size_t len = 0;

    while (len < strlen(wanted)) {
        ssize_t n = read(fd, got + len, strlen(wanted) - len);

        if (n <= 0)
            fail_msg("only '%.*s' came of '%s'", (int)len, got, wanted);
        len += (size_t)n;
    }
    assert_memory_equal(got, wanted, len);
}

static void test_streams(void **state)
{
    struct pumped *p = *state;
    /* A header in single bytes, of an empty piece, and the next. */
    const uint8_t odd[] = {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 'x'};

    say(p, 1, "one ");
    say(p, 2, "never mind\n");
    say(p, 1, "two ");
    expect(p->from, "one two ");
    for (size_t i = 0; i < sizeof(odd); i++) {
        assert_int_equal(write(p->engine, odd + i, 1), 1);
        (void)poll(NULL, 0, 2);
    }
    assert_int_equal(write(p->engine, "y", 1), 1);
    expect(p->from, "xy");
    assert_int_equal(fd_write_all(p->to, "in", 2, NULL), 0);
    expect(p->engine, "in");
    say(p, 2, "last words");
    fd_close(&p->engine);
    assert_int_equal(ended(p), ENDED_STOPPED);
    expect(p->words, "never mind\nlast words");
}

static void test_asked(void **state)
{
    struct pumped *p = *state;

    assert_int_equal(fd_write_all(p->to, "x", 1, NULL), 0);
    expect(p->engine, "x");
    fd_close(&p->to);
    assert_int_equal(ended(p), ENDED_ASKED);
}

static void test_nobody_reads(void **state)
{
    struct pumped *p = *state;

    fd_close(&p->from);
    assert_int_equal(ended(p), ENDED_ASKED);
}

static void test_broken(void **state)
{
    struct pumped *p = *state;

    say(p, 1, "fine");
    expect(p->from, "fine");
    say(p, 7, "what?");
    assert_int_equal(ended(p), ENDED_BROKEN);
}

/* What is not taken is not read: 64 KiB, and what sockets hold. */
static void test_back_pressure(void **state)
{
    struct pumped *p = *state;
    char piece[8 + 4096] = {1, 0, 0, 0, 0, 0, 16, 0};
    size_t sent = 0, got = 0;

    assert_int_equal(fd_set_nonblock(p->engine, NULL), 0);
    for (int idle = 0; idle < 20;) {
        size_t at = sent % sizeof(piece);
        ssize_t n = write(p->engine, piece + at, sizeof(piece) - at);

        idle = n > 0 ? 0 : idle + 1;
        sent += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            (void)poll(NULL, 0, 10);
        assert_true(sent < (size_t)4 << 20);
    }
    assert_int_equal(fd_set_nonblock(p->from, NULL), 0);
    for (int idle = 0; idle < 20;) {
        char taken[65536];
        ssize_t n = read(p->from, taken, sizeof(taken));

        idle = n > 0 ? 0 : idle + 1;
        got += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            (void)poll(NULL, 0, 10);
    }
    /* All of it, without the headers. */
    assert_int_equal(
        got, sent / sizeof(piece) * 4096 +
                 (sent % sizeof(piece) > 8 ? sent % sizeof(piece) - 8 : 0));
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_streams),       EACH(test_asked),  EACH(test_nobody_reads),
        EACH(test_back_pressure), EACH(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
