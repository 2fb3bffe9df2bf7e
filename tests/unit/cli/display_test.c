/* tests/unit/cli/display_test.c - what is shown while a job runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/display.h"
#include "tests/lib/unit.h"

#include "base/clock.h"
#include "base/fd.h"
#include "worker/job/events.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A display that writes into a file. */
struct fixture {
    struct loop *loop;
    int fd;
    struct display *display;
};

static void open_display(struct fixture *f, const struct display_options *like)
{
    char path[] = "/tmp/berth-display-XXXXXX";
    struct display_options options = *like;
    struct err err = {0};

    assert_int_equal(loop_new(&f->loop, &err), 0);
    f->fd = mkostemp(path, O_CLOEXEC);
    assert_true(f->fd >= 0);
    (void)unlink(path);
    options.fd = f->fd;
    f->display = display_new(f->loop, &options, NULL, NULL);
}

static void send(struct fixture *f, uint8_t type, uint32_t id, const char *data)
{
    struct frame frame = {.type = type,
                          .id = id,
                          .len = (uint32_t)strlen(data),
                          .data = (const uint8_t *)data};

    display_frame(f->display, &frame);
}

static void run_for(struct fixture *f, int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;
    struct err err = {0};

    while (clock_mono_ms() < until)
        assert_int_equal(loop_step(f->loop, 5, &err), 0);
}

/* All that was written. */
static char *close_display(struct fixture *f)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err err = {0};

    display_stop(f->display);
    assert_int_equal(lseek(f->fd, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(f->fd, &text, &err), 0);
    display_free(f->display);
    loop_free(f->loop);
    fd_close(&f->fd);
    return strbuf_take(&text);
}

#define START(name) "{\"name\":\"" name "\",\"kind\":\"run\",\"attempt\":1}"
#define PASSED(name)                                                           \
    "{\"name\":\"" name "\",\"outcome\":\"passed\",\"duration_ms\":1200,"      \
    "\"exit_code\":0,\"attempts\":1}"
#define FAILED(name)                                                           \
    "{\"name\":\"" name "\",\"outcome\":\"failed\",\"duration_ms\":50,"        \
    "\"reason\":\"step_failed\",\"exit_code\":7,\"attempts\":2}"

static void play(struct fixture *f)
{
    send(f, JOB_FRAME_STEP_START, 0, START("one"));
    send(f, JOB_FRAME_PROGRESS, 0, "receiving 10%");
    send(f, JOB_FRAME_STDOUT, 0, "hel");
    send(f, JOB_FRAME_STDERR, 0, "warn\n");
    send(f, JOB_FRAME_STDOUT, 0, "lo \033[31mred\033[0m\n+ passed\nlast");
    send(f, JOB_FRAME_NOTE, 0, "a note\n");
    send(f, JOB_FRAME_STEP_END, 0, PASSED("one"));
    send(f, JOB_FRAME_STEP_START, 1, START("t\\u001b[2Jwo"));
    send(f, JOB_FRAME_STDOUT, 1, "boom\n");
    send(f, JOB_FRAME_STEP_END, 1, FAILED("t\\u001b[2Jwo"));
    send(f, JOB_FRAME_STEP_END, 2,
         "{\"name\":\"three\",\"outcome\":\"skipped\",\"duration_ms\":0}");
}

static void check(enum display_detail detail, const char *wanted)
{
    struct fixture f;
    CLEANUP(mem) char *got = NULL;

    open_display(&f, &(struct display_options){.detail = detail,
                                               .style = {.ascii = true}});
    display_say(f.display, "said %s", "\033[2Jhere");
    play(&f);
    got = close_display(&f);
    assert_string_equal(got, wanted);
}

static void test_plain(void **state)
{
    (void)state;
    check(DISPLAY_NORMAL, "said here\n"
                          "> one\n"
                          "  | warn\n"
                          "  | hello red\n"
                          "  | + passed\n"
                          "  * a note\n"
                          "  | last\n"
                          "+ one  1.2 s\n"
                          "> two\n"
                          "  | boom\n"
                          "x two  50 ms  exit code 7, 2 attempts\n"
                          "- three  skipped\n");
}

static void test_verbose(void **state)
{
    (void)state;
    check(DISPLAY_VERBOSE, "said here\n"
                           "> one\n"
                           "  * receiving 10%\n"
                           "  | warn\n"
                           "  | hello red\n"
                           "  | + passed\n"
                           "  * a note\n"
                           "  | last\n"
                           "+ one  1.2 s\n"
                           "> two\n"
                           "  | boom\n"
                           "x two  50 ms  exit code 7, 2 attempts\n"
                           "- three  skipped\n");
}

static void test_quiet(void **state)
{
    (void)state;
    check(DISPLAY_QUIET, "said here\n");
}

static void test_colour_and_marks(void **state)
{
    struct fixture f;
    CLEANUP(mem) char *got = NULL;

    (void)state;
    open_display(&f, &(struct display_options){.detail = DISPLAY_NORMAL,
                                               .style = {.colour = true}});
    send(&f, JOB_FRAME_STEP_END, 0, PASSED("one"));
    got = close_display(&f);
    assert_string_equal(
        got, "\033[32m\xE2\x9C\x93\033[0m one  \033[2m1.2 s\033[0m\n");
}

static void test_excerpts(void **state)
{
    struct fixture f;
    CLEANUP(strbuf) struct strbuf kept = STRBUF_INIT;
    CLEANUP(mem) char *got = NULL;

    (void)state;
    open_display(&f, &(struct display_options){.detail = DISPLAY_QUIET});
    play(&f);
    assert_null(display_excerpt(f.display, 0));
    assert_null(display_excerpt(f.display, 2));
    assert_null(display_excerpt(f.display, 1000000));
    assert_non_null(display_excerpt(f.display, 1));
    excerpt_print(display_excerpt(f.display, 1), "", &kept);
    assert_string_equal(kept.data, "boom\n");
    got = close_display(&f);
    assert_string_equal(got, "");
}

/* Broken documents and frames of any step must not crash it. */
static void test_strange_frames(void **state)
{
    struct fixture f;
    CLEANUP(mem) char *got = NULL;

    (void)state;
    open_display(&f, &(struct display_options){.detail = DISPLAY_NORMAL});
    send(&f, JOB_FRAME_STDOUT, 9, "early\n");
    send(&f, JOB_FRAME_STEP_END, 4000000000u, FAILED("x"));
    send(&f, JOB_FRAME_STEP_START, 4000000000u, "{\"name\":");
    send(&f, JOB_FRAME_STDOUT, 4000000000u, "text\n");
    send(&f, JOB_FRAME_STEP_END, 4000000000u, "[]");
    send(&f, JOB_FRAME_STEP_END, 0, "");
    send(&f, 255, 0, "?");
    send(&f, JOB_FRAME_NOTE, 0, "");
    got = close_display(&f);
    assert_non_null(strstr(got, "early"));
    assert_non_null(strstr(got, "text"));
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    for (text = strstr(text, part); text; text = strstr(text + 1, part))
        n++;
    return n;
}

static void test_live(void **state)
{
    struct fixture f;
    CLEANUP(mem) char *got = NULL;

    (void)state;
    open_display(&f, &(struct display_options){.detail = DISPLAY_NORMAL,
                                               .live = true,
                                               .style = {.ascii = true}});
    display_phase(f.display, "starting");
    run_for(&f, 120);
    send(&f, JOB_FRAME_STEP_START, 0, START("one"));
    send(&f, JOB_FRAME_STDOUT, 0, "line 1\nline 2\npart");
    run_for(&f, 400);
    send(&f, JOB_FRAME_STEP_END, 0, PASSED("one"));
    got = close_display(&f);
    assert_non_null(strstr(got, "starting"));
    assert_non_null(strstr(got, "  | line 1\r\n  | line 2\r\n  | part"));
    assert_non_null(strstr(got, "+ one  1.2 s\n"));
    /* The cursor is hidden once, and comes back last; wrapping, too. */
    assert_int_equal(count(got, "\033[?25l"), 1);
    assert_string_equal(got + strlen(got) - 6, "\033[?25h");
    assert_int_equal(count(got, "\033[?7l"), count(got, "\033[?7h"));
    /* Pictures: bounded, however often the loop turns. */
    assert_in_range(count(got, "line 2"), 1, 8);
}

/* 20 MB of output: some pictures, and no memory to speak of. */
static void test_much_output(void **state)
{
    static char chunk[100000];
    struct fixture f;
    CLEANUP(mem) char *got = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(chunk) - 1; i++)
        chunk[i] = i % 80 == 79 ? '\n' : 'x';
    open_display(&f, &(struct display_options){.detail = DISPLAY_NORMAL,
                                               .live = true,
                                               .style = {.ascii = true}});
    send(&f, JOB_FRAME_STEP_START, 0, START("one"));
    for (unsigned i = 0; i < 200; i++) {
        send(&f, JOB_FRAME_STDOUT, 0, chunk);
        run_for(&f, 1);
    }
    send(&f, JOB_FRAME_STEP_END, 0, PASSED("one"));
    got = close_display(&f);
    assert_true(strlen(got) < 500000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_verbose),
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_colour_and_marks),
        cmocka_unit_test(test_excerpts),
        cmocka_unit_test(test_strange_frames),
        cmocka_unit_test(test_live),
        cmocka_unit_test(test_much_output),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
