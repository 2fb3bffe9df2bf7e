/* tests/unit/cli/log_view_test.c - entries of a log as lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_view.h"

#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

/* A view that writes to memory. */
struct fixture {
    struct log_view *view;
    FILE *file;
    char *text;
    size_t size;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct log_view_options options = {.step = -1, .style = {.ascii = true}};

    options.out = f->file = open_memstream(&f->text, &f->size);
    f->view = log_view_new(&options);
    log_view_begin(f->view, "j", 1, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    log_view_free(f->view);
    (void)fclose(f->file);
    free(f->text);
    free(f);
    return 0;
}

static void say(struct fixture *f, uint64_t seq, const char *text)
{
    const struct log_entry entry = {
        .seq = seq, .stream = LOG_STDOUT, .data = text, .len = strlen(text)};

    log_view_entry(f->view, &entry);
}

static void lose(struct fixture *f, uint64_t seq, uint64_t bytes)
{
    const struct log_entry entry = {
        .seq = seq, .stream = LOG_GAP, .gap_bytes = bytes};

    log_view_entry(f->view, &entry);
}

static void shown(struct fixture *f, const char *wanted)
{
    struct err err;

    assert_int_equal(log_view_flush(f->view, &err), 0);
    assert_string_equal(f->text, wanted);
}

/* A reading that failed halfway is done again from where it was. */
static void test_again(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(log_view_resume(f->view), 1);
    say(f, 1, "one\n");
    say(f, 2, "two\n");
    assert_int_equal(log_view_resume(f->view), 3);
    say(f, 2, "two\n"); /* the block in which it was */
    say(f, 3, "three\n");
    log_view_reached(f->view, 4);
    log_view_reached(f->view, 2); /* never back */
    assert_int_equal(log_view_resume(f->view), 4);
    shown(f, "step 1\n  | one\n  | two\n  | three\n");
}

/* A gap is told once, when it is known how long it is. */
static void test_gap_grows(void **state)
{
    struct fixture *f = *state;

    say(f, 1, "one\n");
    lose(f, 2, 10);
    log_view_reached(f->view, 5);
    shown(f, "step 1\n  | one\n");
    assert_int_equal(log_view_resume(f->view), 2);
    lose(f, 2, 20);
    lose(f, 6, 1);
    say(f, 9, "nine\n");
    assert_int_equal(log_view_resume(f->view), 10);
    shown(f, "step 1\n  | one\n[... 21 B of output are not here ...]\n"
             "  | nine\n");
}

/* What was missing has turned up elsewhere. */
static void test_gap_filled(void **state)
{
    struct fixture *f = *state;

    lose(f, 1, 10);
    assert_int_equal(log_view_resume(f->view), 1);
    say(f, 1, "one\n");
    log_view_end(f->view);
    shown(f, "step 1\n  | one\n");
}

static void test_gap_unknown(void **state)
{
    struct fixture *f = *state;

    lose(f, 1, 10);
    lose(f, 3, 0);
    log_view_end(f->view);
    shown(f, "[... some output is not here ...]\n");
}

/* A new attempt begins anew, and its lines are its own. */
static void test_begin(void **state)
{
    struct fixture *f = *state;

    say(f, 1, "cut");
    log_view_end(f->view);
    log_view_begin(f->view, "j", 2, NULL);
    log_view_heading(f->view, "attempt %d", 2);
    assert_int_equal(log_view_resume(f->view), 1);
    say(f, 1, "new");
    log_view_end(f->view);
    shown(f, "step 1\n  | cut\nattempt 2\nstep 1\n  | new\n");
}

static void test_full_disk(void **state)
{
    struct log_view_options options = {.step = -1};
    struct err err = {0};

    (void)state;
    options.out = fopen("/dev/full", "we");
    assert_non_null(options.out);
    {
        struct fixture f = {.view = log_view_new(&options)};

        log_view_begin(f.view, "j", 1, NULL);
        say(&f, 1, "one\n");
        assert_int_equal(log_view_flush(f.view, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_non_null(strstr(err.msg, "No space left"));
        log_view_free(f.view);
    }
    (void)fclose(options.out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_again),       TEST(test_gap_grows), TEST(test_gap_filled),
        TEST(test_gap_unknown), TEST(test_begin),     TEST(test_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
