/* tests/unit/base/channel_test.c - frames over descriptors. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/channel.h"
#include "base/clock.h"
#include "base/fd.h"
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* One side: what it received. */
struct side {
    struct channel *channel;
    struct strbuf bytes; /* of all payloads */
    unsigned frames;
    uint8_t type;
    uint32_t id;
    unsigned closed;
    enum err_kind closed_kind;
    bool pause_at_frame;
    bool free_at_frame;
    bool free_at_close;
};

struct fixture {
    struct loop *loop;
    struct side a, b;
    int raw; /* the other end of `a`, when there is no `b` */
};

static void on_frame(void *arg, const struct frame *frame)
{
    struct side *side = arg;

    side->frames++;
    side->type = frame->type;
    side->id = frame->id;
    strbuf_add(&side->bytes, frame->data, frame->len);
    if (side->pause_at_frame)
        channel_pause(side->channel, 1);
    if (side->free_at_frame) {
        channel_free(side->channel);
        side->channel = NULL;
    }
}

static void on_closed(void *arg, const struct err *err)
{
    struct side *side = arg;

    side->closed++;
    side->closed_kind = err ? err->kind : ERR_NONE;
    if (side->free_at_close) {
        channel_free(side->channel);
        side->channel = NULL;
    }
}

static void open_side(struct fixture *f, struct side *side, int fd)
{
    struct channel_spec spec = {.in_fd = fd,
                                .out_fd = fd,
                                .on_frame = on_frame,
                                .on_closed = on_closed,
                                .arg = side};
    struct err err = {0};

    side->bytes = (struct strbuf)STRBUF_INIT;
    assert_int_equal(channel_new(f->loop, &spec, &side->channel, &err), 0);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct err err = {0};

    *state = f;
    f->raw = -1;
    return loop_new(&f->loop, &err);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    channel_free(f->a.channel);
    channel_free(f->b.channel);
    channel_free(NULL);
    strbuf_clear(&f->a.bytes);
    strbuf_clear(&f->b.bytes);
    loop_free(f->loop);
    fd_close(&f->raw);
    mem_freep(state);
    return 0;
}

static void open_both(struct fixture *f)
{
    struct err err = {0};
    int pair[2];

    assert_int_equal(fd_socketpair(pair, &err), 0);
    open_side(f, &f->a, pair[0]);
    open_side(f, &f->b, pair[1]);
}

static void open_one(struct fixture *f)
{
    struct err err = {0};
    int pair[2];

    assert_int_equal(fd_socketpair(pair, &err), 0);
    open_side(f, &f->a, pair[0]);
    f->raw = pair[1];
}

/* Turn the loop until nothing is ready. */
static void settle(struct fixture *f)
{
    struct err err = {0};

    for (int i = 0; i < 500; i++)
        assert_int_equal(loop_step(f->loop, i % 50 ? 0 : 1, &err), 0);
}

static void send_text(struct side *side, const char *text)
{
    channel_send(side->channel, 1, 2, text, strlen(text));
}

static void frames_cross(void **state)
{
    struct fixture *f = *state;

    open_both(f);
    channel_send(f->a.channel, 5, 77, "ping", 4);
    channel_send(f->a.channel, 6, 78, NULL, 0);
    settle(f);
    assert_int_equal(f->b.frames, 2);
    assert_int_equal(f->b.type, 6);
    assert_int_equal(f->b.id, 78);
    assert_string_equal(f->b.bytes.data, "ping");
    send_text(&f->b, "pong");
    settle(f);
    assert_string_equal(f->a.bytes.data, "pong");
    assert_int_equal(f->a.id, 2);
}

static void somebody_else_takes_it(void **state)
{
    struct fixture *f = *state;
    struct side other = {.bytes = STRBUF_INIT};

    open_both(f);
    send_text(&f->a, "one");
    settle(f);
    send_text(&f->a, "two"); /* not delivered yet */
    channel_hand_over(f->b.channel, on_frame, on_closed, &other);
    settle(f);
    assert_string_equal(f->b.bytes.data, "one");
    assert_string_equal(other.bytes.data, "two");
    channel_free(STEAL(f->a.channel));
    settle(f);
    assert_int_equal(f->b.closed, 0);
    assert_int_equal(other.closed, 1);
    strbuf_clear(&other.bytes);
}

static void long_payloads_are_split(void **state)
{
    struct fixture *f = *state;
    size_t size = 3 * (size_t)FRAME_MAX_PAYLOAD + 5;
    CLEANUP(mem) char *data = xmalloc(size);

    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7 >> 3);
    open_both(f);
    channel_send(f->a.channel, 9, 1, data, size);
    assert_true(channel_pending(f->a.channel) > 0);
    settle(f);
    assert_int_equal(channel_pending(f->a.channel), 0);
    assert_int_equal(f->b.frames, 4);
    assert_int_equal(f->b.bytes.len, size);
    assert_memory_equal(f->b.bytes.data, data, size);
}

/* A queue that never runs empty must keep its order, and its bounds. */
static void a_slow_reader(void **state)
{
    struct fixture *f = *state;
    static char chunk[100000];
    size_t sent = 0;

    open_both(f);
    for (int i = 0; i < 200; i++) {
        struct err err = {0};

        memset(chunk, 'a' + i % 26, sizeof(chunk));
        channel_send(f->a.channel, 1, 1, chunk, sizeof(chunk));
        sent += sizeof(chunk);
        assert_int_equal(loop_step(f->loop, 0, &err), 0);
    }
    settle(f);
    settle(f);
    assert_int_equal(f->b.bytes.len, sent);
    for (size_t i = 0; i < sent; i += 1000)
        assert_int_equal(f->b.bytes.data[i], 'a' + (i / sizeof(chunk)) % 26);
}

static void bytes_one_by_one(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[FRAME_HEADER_SIZE + 3];
    struct err err = {0};

    open_one(f);
    frame_put_header(bytes, 4, 5, 3);
    memcpy(bytes + FRAME_HEADER_SIZE, "xyz", 3);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_int_equal(f->a.frames, 0);
        assert_int_equal(write(f->raw, bytes + i, 1), 1);
        assert_int_equal(loop_step(f->loop, 1000, &err), 0);
    }
    assert_int_equal(f->a.frames, 1);
    assert_string_equal(f->a.bytes.data, "xyz");
}

static void the_end_is_told_once(void **state)
{
    struct fixture *f = *state;

    open_both(f);
    send_text(&f->a, "last words");
    channel_free(STEAL(f->a.channel));
    settle(f);
    assert_string_equal(f->b.bytes.data, "last words");
    assert_int_equal(f->b.closed, 1);
    assert_int_equal(f->b.closed_kind, ERR_NONE);
    send_text(&f->b, "nobody hears");
    channel_pause(f->b.channel, 1);
    settle(f);
    assert_int_equal(channel_pending(f->b.channel), 0);
    assert_int_equal(f->b.closed, 1);
}

static void too_large_breaks_the_stream(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[FRAME_HEADER_SIZE];

    open_one(f);
    frame_put_header(bytes, 4, 5, FRAME_MAX_PAYLOAD + 1);
    assert_int_equal(write(f->raw, bytes, sizeof(bytes)), sizeof(bytes));
    f->a.free_at_close = true;
    settle(f);
    assert_int_equal(f->a.closed, 1);
    assert_int_equal(f->a.closed_kind, ERR_TRANSIENT);
    assert_int_equal(f->a.frames, 0);
}

static void freeing_inside_a_callback(void **state)
{
    struct fixture *f = *state;

    open_both(f);
    f->a.free_at_close = true;
    f->b.free_at_frame = true;
    send_text(&f->a, "one");
    send_text(&f->a, "two");
    settle(f);
    assert_int_equal(f->b.frames, 1);
    assert_int_equal(f->b.closed, 0);
    assert_int_equal(f->a.closed, 1);
    assert_null(f->a.channel);
}

static void a_pause_holds_frames_back(void **state)
{
    struct fixture *f = *state;

    open_both(f);
    f->b.pause_at_frame = true;
    for (int i = 0; i < 3; i++)
        send_text(&f->a, "x");
    settle(f);
    assert_int_equal(f->b.frames, 1);
    channel_pause(f->b.channel, 0);
    channel_pause(f->b.channel, 0);
    settle(f);
    assert_int_equal(f->b.frames, 2);
    f->b.pause_at_frame = false;
    channel_pause(f->b.channel, 0);
    settle(f);
    assert_int_equal(f->b.frames, 3);
}

/* The result is the last frame before the end: a pause must not lose it. */
static void a_pause_loses_nothing_at_the_end(void **state)
{
    struct fixture *f = *state;

    open_both(f);
    f->b.pause_at_frame = true;
    for (int i = 0; i < 3; i++)
        send_text(&f->a, "x");
    settle(f);
    assert_int_equal(f->b.frames, 1);
    channel_free(STEAL(f->a.channel));
    f->b.pause_at_frame = false;
    channel_pause(f->b.channel, 0);
    settle(f);
    assert_int_equal(f->b.frames, 3);
    assert_int_equal(f->b.closed, 1);
}

static void freeing_after_a_pause(void **state)
{
    struct fixture *f = *state;

    open_both(f);
    channel_pause(f->b.channel, 1);
    channel_pause(f->b.channel, 0);
    channel_free(STEAL(f->b.channel));
    settle(f);
    assert_int_equal(f->b.frames, 0);
}

/* Who stops reading can still have said something. */
static void a_closed_reader_is_still_heard(void **state)
{
    struct fixture *f = *state;
    size_t size = 4 * (size_t)FRAME_MAX_PAYLOAD;
    CLEANUP(mem) char *data = xcalloc(1, size);
    uint8_t bytes[FRAME_HEADER_SIZE];
    struct err err = {0};

    open_one(f);
    channel_pause(f->a.channel, 1);
    channel_send(f->a.channel, 1, 1, data, size);
    frame_put_header(bytes, 4, 5, 0);
    assert_int_equal(write(f->raw, bytes, sizeof(bytes)), sizeof(bytes));
    fd_close(&f->raw);
    assert_int_equal(loop_step(f->loop, 0, &err), 0);
    channel_send(f->a.channel, 1, 1, data, 1);
    channel_pause(f->a.channel, 0);
    settle(f);
    assert_int_equal(f->a.closed, 1);
}

static void flushing(void **state)
{
    struct fixture *f = *state;
    size_t size = 4 * (size_t)FRAME_MAX_PAYLOAD;
    CLEANUP(mem) char *data = xcalloc(1, size);
    struct err err = {0};
    int64_t before = clock_mono_ms();

    open_one(f);
    assert_int_equal(channel_flush(f->a.channel, 1000, &err), 0);
    channel_send(f->a.channel, 1, 1, data, size);
    assert_int_equal(channel_flush(f->a.channel, 50, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_in_range(clock_mono_ms() - before, 50, 20000);
    fd_close(&f->raw);
    assert_int_equal(channel_flush(f->a.channel, 1000, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

static void flushing_writes_it_all(void **state)
{
    struct fixture *f = *state;

    open_both(f);
    send_text(&f->a, "now");
    assert_int_equal(channel_flush(f->a.channel, 1000, NULL), 0);
    assert_int_equal(channel_pending(f->a.channel), 0);
    settle(f);
    assert_string_equal(f->b.bytes.data, "now");
}

/* The other side may live, and wait for what was lost: it must see an end. */
static void what_cannot_be_written_ends_it(void **state)
{
    struct fixture *f = *state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct channel_spec spec = {.out_fd = full,
                                .on_frame = on_frame,
                                .on_closed = on_closed,
                                .arg = &f->a};
    struct err err = {0};
    int pair[2];

    assert_int_equal(fd_socketpair(pair, &err), 0);
    spec.in_fd = pair[0];
    f->a.bytes = (struct strbuf)STRBUF_INIT;
    assert_int_equal(channel_new(f->loop, &spec, &f->a.channel, &err), 0);
    open_side(f, &f->b, pair[1]);
    send_text(&f->a, "lost");
    assert_int_equal(fcntl(full, F_GETFD), -1);
    assert_int_equal(channel_pending(f->a.channel), 0);
    send_text(&f->a, "lost, too");
    assert_int_equal(channel_pending(f->a.channel), 0);
    send_text(&f->b, "heard");
    settle(f);
    assert_string_equal(f->a.bytes.data, "heard");
}

static void descriptors_close_on_exec(void **state)
{
    struct fixture *f = *state;
    bool before[64];

    for (int fd = 0; fd < 64; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    open_both(f);
    for (int fd = 0; fd < 64; fd++)
        if (!before[fd] && fcntl(fd, F_GETFD) >= 0)
            assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void what_is_no_descriptor(void **state)
{
    struct fixture *f = *state;
    struct channel_spec spec = {.in_fd = -1,
                                .out_fd = -1,
                                .on_frame = on_frame,
                                .on_closed = on_closed};
    struct err err = {0};

    assert_int_equal(channel_new(f->loop, &spec, &f->a.channel, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
    assert_null(f->a.channel);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_cross),
        TEST(somebody_else_takes_it),
        TEST(long_payloads_are_split),
        TEST(a_slow_reader),
        TEST(bytes_one_by_one),
        TEST(the_end_is_told_once),
        TEST(too_large_breaks_the_stream),
        TEST(freeing_inside_a_callback),
        TEST(a_pause_holds_frames_back),
        TEST(a_pause_loses_nothing_at_the_end),
        TEST(freeing_after_a_pause),
        TEST(a_closed_reader_is_still_heard),
        TEST(flushing),
        TEST(flushing_writes_it_all),
        TEST(what_cannot_be_written_ends_it),
        TEST(descriptors_close_on_exec),
        TEST(what_is_no_descriptor),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
