/* tests/unit/worker/job/output_test.c - the budget of a job's output. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/channel.h"
#include "base/fd.h"
#include "worker/job/events.h"
#include "worker/job/output.h"

#include <string.h>

/* What came out at the other end of the channel. */
struct sink {
    struct loop *loop;
    struct channel *in;
    uint64_t bytes;
    unsigned notes;
    char last_note[256];
    char last[65];
    size_t last_len;
};

static void on_frame(void *arg, const struct frame *frame)
{
    struct sink *sink = arg;

    if (frame->type == JOB_FRAME_NOTE) {
        size_t len = frame->len < 255 ? frame->len : 255;

        memcpy(sink->last_note, frame->data, len);
        sink->last_note[len] = '\0';
        sink->notes++;
        return;
    }
    sink->bytes += frame->len;
    sink->last_len = frame->len < 64 ? frame->len : 64;
    memcpy(sink->last, frame->data + frame->len - sink->last_len,
           sink->last_len);
    sink->last[sink->last_len] = '\0';
}

static void on_closed(void *arg, const struct err *err)
{
    (void)arg;
    (void)err;
}

static struct channel *connect_sink(struct sink *sink)
{
    struct channel *up = NULL;
    struct err err = {0};
    int pair[2];

    assert_int_equal(loop_new(&sink->loop, &err), 0);
    assert_int_equal(fd_socketpair(pair, &err), 0);
    struct channel_spec in = {pair[0],   pair[0], on_frame,
                              on_closed, sink,    false};
    struct channel_spec out = {pair[1],   pair[1], on_frame,
                               on_closed, sink,    false};
    assert_int_equal(channel_new(sink->loop, &in, &sink->in, &err), 0);
    assert_int_equal(channel_new(sink->loop, &out, &up, &err), 0);
    return up;
}

static void drain(struct sink *sink, const struct channel *up)
{
    struct err err = {0};

    while (channel_pending(up))
        assert_int_equal(loop_step(sink->loop, 100, &err), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(loop_step(sink->loop, 1, &err), 0);
}

static void small_output_goes_up_as_it_is(void **state)
{
    struct sink sink = {0};
    struct channel *up = connect_sink(&sink);
    struct output *output = output_new(up);

    (void)state;
    output_begin(output, 3);
    output_add(output, JOB_FRAME_STDOUT, "hello", 5);
    output_add(output, JOB_FRAME_STDERR, " world", 6);
    output_end(output);
    drain(&sink, up);
    assert_int_equal(sink.bytes, 11);
    assert_int_equal(sink.notes, 0);
    assert_int_equal(output_step_bytes(output), 11);
    assert_int_equal(output_dropped_bytes(output), 0);
    output_free(output);
    channel_free(up);
    channel_free(sink.in);
    loop_free(sink.loop);
}

/* Whatever stands before and behind them. */
static void notes_are_lines(void **state)
{
    struct sink sink = {0};
    struct channel *up = connect_sink(&sink);
    struct output *output = output_new(up);

    (void)state;
    output_begin(output, 0);
    output_add(output, JOB_FRAME_STDOUT, "no newline", 10);
    output_note(output, "a %s", "note");
    drain(&sink, up);
    assert_string_equal(sink.last_note, "a note\n");
    output_note(output, "another");
    drain(&sink, up);
    assert_string_equal(sink.last_note, "another\n");
    assert_int_equal(sink.notes, 2);
    output_free(output);
    channel_free(up);
    channel_free(sink.in);
    loop_free(sink.loop);
}

/* 100 MiB and a last line: 64 MiB go up, a note, and the last 64 KiB. */
static void a_flood_keeps_head_and_tail(void **state)
{
    struct sink sink = {0};
    struct channel *up = connect_sink(&sink);
    struct output *output = output_new(up);
    static char mib[1 << 20];
    const uint64_t total = 100 * sizeof(mib) + 9;

    (void)state;
    memset(mib, 'x', sizeof(mib));
    output_begin(output, 0);
    for (int i = 0; i < 100; i++) {
        output_add(output, JOB_FRAME_STDOUT, mib, sizeof(mib));
        drain(&sink, up);
    }
    output_add(output, JOB_FRAME_STDOUT, "the end!\n", 9);
    assert_int_equal(sink.bytes, OUTPUT_MAX_BYTES);
    output_end(output);
    drain(&sink, up);
    assert_int_equal(sink.bytes, OUTPUT_MAX_BYTES + OUTPUT_TAIL_BYTES);
    assert_int_equal(sink.notes, 1);
    assert_non_null(strstr(sink.last_note, "bytes of output are left out"));
    assert_string_equal(sink.last + sink.last_len - 9, "the end!\n");
    assert_int_equal(output_total_bytes(output), total);
    assert_int_equal(output_dropped_bytes(output),
                     total - OUTPUT_MAX_BYTES - OUTPUT_TAIL_BYTES);

    /* A later step still has its end shown, with nothing left out. */
    output_begin(output, 1);
    output_add(output, JOB_FRAME_STDOUT, "later\n", 6);
    assert_int_equal(output_step_bytes(output), 6);
    output_end(output);
    drain(&sink, up);
    assert_string_equal(sink.last + sink.last_len - 6, "later\n");
    assert_int_equal(sink.notes, 1);
    output_free(output);
    channel_free(up);
    channel_free(sink.in);
    loop_free(sink.loop);
}

static void a_full_way_up_says_so(void **state)
{
    struct sink sink = {0};
    struct channel *up = connect_sink(&sink);
    struct output *output = output_new(up);
    static char mib[1 << 20];

    (void)state;
    output_begin(output, 0);
    assert_false(output_is_full(output));
    for (int i = 0; i < 6; i++)
        output_add(output, JOB_FRAME_STDOUT, mib, sizeof(mib));
    assert_true(output_is_full(output));
    drain(&sink, up);
    assert_false(output_is_full(output));
    output_free(output);
    channel_free(up);
    channel_free(sink.in);
    loop_free(sink.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_output_goes_up_as_it_is),
        cmocka_unit_test(notes_are_lines),
        cmocka_unit_test(a_flood_keeps_head_and_tail),
        cmocka_unit_test(a_full_way_up_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
