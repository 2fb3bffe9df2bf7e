/* tests/unit/cli/sink_test.c - output to slow and to vanished readers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sink.h"
#include "tests/lib/unit.h"

#include "base/clock.h"
#include "base/fd.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    int pipe[2];
    struct sink *sink;
    unsigned gone;
};

static void on_gone(void *arg)
{
    ((struct fixture *)arg)->gone++;
}

static int setup(void **state)
{
    static struct fixture f;
    struct err err = {0};

    memset(&f, 0, sizeof(f));
    (void)signal(SIGPIPE, SIG_IGN);
    if (loop_new(&f.loop, &err) < 0 || fd_pipe(f.pipe, &err) < 0)
        return -1;
    f.sink = sink_new(f.loop, f.pipe[1], on_gone, &f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sink_free(f->sink);
    fd_close(&f->pipe[0]);
    fd_close(&f->pipe[1]);
    loop_free(f->loop);
    return 0;
}

static void step(struct fixture *f)
{
    struct err err = {0};

    assert_int_equal(loop_step(f->loop, 10, &err), 0);
}

static void test_write(void **state)
{
    struct fixture *f = *state;
    char got[16] = "";

    sink_write(f->sink, "hello", 5);
    assert_true(sink_is_clear(f->sink));
    assert_int_equal(read(f->pipe[0], got, sizeof(got)), 5);
    assert_string_equal(got, "hello");
}

/* All that was written arrives, in order, when the reader goes on. */
static void test_slow_reader(void **state)
{
    struct fixture *f = *state;
    static char text[300000];
    static char got[sizeof(text)];
    int64_t before = clock_mono_ms();
    size_t done = 0;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 23);
    sink_write(f->sink, text, sizeof(text) - 5);
    assert_in_range(clock_mono_ms() - before, SINK_STALL_MS - 100,
                    SINK_STALL_MS + 1000);
    assert_false(sink_is_clear(f->sink));
    before = clock_mono_ms();
    sink_write(f->sink, text + sizeof(text) - 5, 5);
    assert_true(clock_mono_ms() - before < SINK_STALL_MS - 100);
    while (done < sizeof(text)) {
        ssize_t n = read(f->pipe[0], got + done, sizeof(got) - done);

        assert_true(n > 0);
        done += (size_t)n;
        step(f);
    }
    assert_memory_equal(got, text, sizeof(text));
    assert_true(sink_is_clear(f->sink));
    assert_int_equal(f->gone, 0);
}

/* What does not fit is counted, and the reader is told. */
static void test_dropped(void **state)
{
    struct fixture *f = *state;
    static char chunk[1 << 20];
    static char tail[4096];
    size_t total = 0;
    size_t kept = 0;

    memset(chunk, 'x', sizeof(chunk));
    for (unsigned i = 0; i < 8; i++)
        sink_write(f->sink, chunk, sizeof(chunk));
    for (;;) {
        ssize_t n;

        if (sink_is_clear(f->sink))
            fd_close(&f->pipe[1]);
        n = read(f->pipe[0], chunk, sizeof(chunk));
        if (n <= 0)
            break;
        total += (size_t)n;
        kept = (size_t)n < sizeof(tail) ? (size_t)n : sizeof(tail) - 1;
        memcpy(tail, chunk + (size_t)n - kept, kept);
        tail[kept] = '\0';
        step(f);
    }
    assert_true(total < SINK_QUEUE_MAX + ((size_t)1 << 20));
    assert_non_null(strstr(tail, "bytes of output are not shown"));
}

static void test_reader_gone(void **state)
{
    struct fixture *f = *state;

    fd_close(&f->pipe[0]);
    /* Noticed by the loop, although nothing is written. */
    step(f);
    assert_int_equal(f->gone, 1);
    sink_write(f->sink, "x", 1);
    step(f);
    assert_int_equal(f->gone, 1);
    assert_true(sink_is_clear(f->sink));
}

static void test_gone_at_write(void **state)
{
    struct fixture *f = *state;

    fd_close(&f->pipe[0]);
    sink_write(f->sink, "x", 1);
    assert_int_equal(f->gone, 1);
    step(f);
    assert_int_equal(f->gone, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_at_write, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
