/* tests/unit/worker/sandbox/session_test.c - agents that lie. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/frame.h"
#include "worker/sandbox/agent/protocol.h"
#include "worker/sandbox/session.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct session *session;
static int agent; /* our end: we play the agent */
static bool ready, closed, filed, failed;
static int exits;
static struct err last;

static void on_ready(void *arg UNUSED)
{
    ready = true;
}

static void on_closed(void *arg UNUSED, const struct err *err)
{
    closed = true;
    last = *err;
}

static void on_exit_frame(void *arg UNUSED, const struct sandbox_exit *end)
{
    exits++;
    assert_int_equal(end->code, -1);
    assert_int_equal(end->signal, 9);
    assert_true(end->timed_out);
    assert_int_equal(end->cpu_ms, 5);
    assert_int_equal(end->peak_bytes, 6);
}

static void on_file(void *arg UNUSED, const void *data UNUSED,
                    size_t len UNUSED, const struct err *err)
{
    filed = true;
    failed = err;
    if (err)
        last = *err;
}

static void say(uint8_t type, uint32_t id, const void *data, size_t len)
{
    uint8_t header[FRAME_HEADER_SIZE];
    struct err err = {0};

    frame_put_header(header, type, id, (uint32_t)len);
    assert_int_equal(fd_write_all(agent, header, sizeof(header), &err), 0);
    assert_int_equal(fd_write_all(agent, data, len, &err), 0);
}

static void turn(void)
{
    struct err err = {0};

    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_step(loop, 0, &err), 0);
}

static int setup(void **state UNUSED)
{
    struct session_events events = {on_ready, on_closed, NULL};
    struct err err = {0};
    int up[2];

    ready = closed = filed = failed = false;
    exits = 0;
    assert_int_equal(loop_new(&loop, &err), 0);
    assert_int_equal(fd_socketpair(up, &err), 0);
    agent = up[1];
    assert_int_equal(
        session_new(loop, up[0], dup(up[0]), &events, &session, &err), 0);
    return 0;
}

static int teardown(void **state UNUSED)
{
    session_free(session);
    loop_free(loop);
    (void)close(agent);
    return 0;
}

static const uint8_t version[4] = {0, 0, 0, AGENT_VERSION};
static const uint8_t end_frame[AGENT_EXIT_SIZE] = {
    255, 255, 255, 255, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0,
    0,   0,   0,   0,   0, 5, 0, 0, 0, 0, 0, 0, 0, 6};

static uint32_t start_command(void)
{
    const char *argv[] = {"true", NULL};
    struct sandbox_exec exec = {
        .argv = argv, .env = argv + 1, .cwd = "/", .on_exit = on_exit_frame};
    struct err err = {0};
    uint32_t id;

    assert_int_equal(session_exec(session, &exec, &id, &err), 0);
    return id;
}

static void begin(void)
{
    say(AGENT_HELLO, 0, version, 4);
    turn();
    assert_true(ready);
}

static void test_honest(void **state UNUSED)
{
    uint32_t id;

    begin();
    id = start_command();
    say(AGENT_STDOUT, id, "x", 1);
    say(AGENT_EXIT, id, end_frame, sizeof(end_frame));
    turn();
    assert_int_equal(exits, 1);
    assert_false(closed);
    (void)close(agent);
    agent = -1;
    turn();
    assert_true(closed);
    assert_int_equal(last.kind, ERR_TRANSIENT);
}

static void test_wrong_version(void **state UNUSED)
{
    say(AGENT_HELLO, 0, "\0\0\0\11", 4);
    turn();
    assert_false(ready);
    assert_true(closed);
}

static void test_frame_before_hello(void **state UNUSED)
{
    uint32_t id = start_command();

    say(AGENT_EXIT, id, end_frame, sizeof(end_frame));
    turn();
    assert_true(closed);
    assert_int_equal(exits, 0);
}

static void test_unknown_id(void **state UNUSED)
{
    begin();
    say(AGENT_EXIT, 77, end_frame, sizeof(end_frame));
    turn();
    assert_true(closed);
}

static void test_exit_twice(void **state UNUSED)
{
    uint32_t id;

    begin();
    id = start_command();
    say(AGENT_EXIT, id, end_frame, sizeof(end_frame));
    say(AGENT_EXIT, id, end_frame, sizeof(end_frame));
    turn();
    assert_int_equal(exits, 1);
    assert_true(closed);
}

static void test_short_exit(void **state UNUSED)
{
    begin();
    say(AGENT_EXIT, start_command(), end_frame, 8);
    turn();
    assert_int_equal(exits, 0);
    assert_true(closed);
}

static void test_huge_frame(void **state UNUSED)
{
    uint8_t header[FRAME_HEADER_SIZE];
    struct err err = {0};

    begin();
    frame_put_header(header, AGENT_STDOUT, 1, FRAME_MAX_PAYLOAD + 1);
    assert_int_equal(fd_write_all(agent, header, sizeof(header), &err), 0);
    turn();
    assert_true(closed);
}

static void test_more_than_asked(void **state UNUSED)
{
    struct err err = {0};

    begin();
    assert_int_equal(session_get(session, "/x", 3, on_file, NULL, &err), 0);
    say(AGENT_GOT, 1, "123", 3);
    turn();
    assert_false(closed);
    say(AGENT_GOT, 1, "45", 2);
    turn();
    assert_true(closed);
    assert_false(filed);
}

static void test_acknowledges_too_much(void **state UNUSED)
{
    struct err err = {0};

    begin();
    assert_int_equal(session_put(session, "/",
                                 feed_of_file("x", 0644, "data", 4), on_file,
                                 NULL, &err),
                     0);
    say(AGENT_ACK, 1, "\0\1\0\0", 4);
    turn();
    assert_true(closed);
}

static void test_file_fails(void **state UNUSED)
{
    struct err err = {0};

    begin();
    assert_int_equal(session_get(session, "/x", 3, on_file, NULL, &err), 0);
    say(AGENT_DONE, 1, "\0\0\0\2/x", 6);
    turn();
    assert_true(filed && failed && !closed);
    assert_int_equal(last.kind, ERR_USER);
    assert_int_equal(last.sys, ENOENT);
    assert_non_null(strstr(last.msg, "'/x'"));
}

static void test_limits(void **state UNUSED)
{
    struct err err = {0};

    begin();
    assert_int_equal(session_get(session, "x", 3, on_file, NULL, &err), -1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(session_get(session, "/x", 3, on_file, NULL, &err), 0);
    assert_int_equal(session_get(session, "/x", 3, on_file, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
}

static void on_list(void *arg UNUSED, const struct sandbox_entry *entries,
                    size_t count, const struct err *err)
{
    filed = true;
    failed = err;
    if (err)
        last = *err;
    for (size_t i = 0; i < count; i++)
        assert_null(strchr(entries[i].name, '/'));
}

/* One entry: type, mode, size, time, length of the name. */
#define HEAD(type, len)                                                        \
    type "\0\0\1\244\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" len

static void list(const void *data, size_t len)
{
    struct err err = {0};

    begin();
    assert_int_equal(session_list(session, "/d", on_list, NULL, &err), 0);
    say(AGENT_GOT, 1, data, len);
    say(AGENT_DONE, 1, "\0\0\0\0", 4);
    turn();
}

static void test_list(void **state UNUSED)
{
    list(HEAD("f", "\2") "ab" HEAD("d", "\1") "x", 2 * AGENT_ENTRY_SIZE + 3);
    assert_true(filed);
    assert_false(failed);
}

static void test_list_of_paths(void **state UNUSED)
{
    list(HEAD("f", "\5") "../ab", AGENT_ENTRY_SIZE + 5);
    assert_true(failed);
    assert_int_equal(last.kind, ERR_TRANSIENT);
}

static void test_list_cut_short(void **state UNUSED)
{
    list(HEAD("f", "\5") "ab", AGENT_ENTRY_SIZE + 2);
    assert_true(failed);
    assert_int_equal(last.kind, ERR_TRANSIENT);
}

static bool opened;
static size_t got, unsent;

static void on_open(void *arg UNUSED)
{
    opened = true;
}

static void on_data(void *arg UNUSED, const void *data UNUSED, size_t len)
{
    got += len;
}

static void on_sent(void *arg UNUSED, size_t left)
{
    unsent = left;
}

static void on_end(void *arg UNUSED, const struct err *err)
{
    filed = true;
    failed = err;
}

static void open_connection(void)
{
    struct sandbox_connection connection = {.port = 80,
                                            .on_open = on_open,
                                            .on_data = on_data,
                                            .on_sent = on_sent,
                                            .on_closed = on_end};
    struct err err = {0};
    uint32_t id;

    opened = false;
    got = unsent = 0;
    begin();
    assert_int_equal(session_connect(session, &connection, &id, &err), 0);
    assert_int_equal(id, 1);
    session_send(session, id, "hello", 5);
}

static void test_connection(void **state UNUSED)
{
    open_connection();
    say(AGENT_OPEN, 1, "", 0);
    turn();
    say(AGENT_GOT, 1, "abc", 3);
    say(AGENT_ACK, 1, "\0\0\0\4", 4);
    turn();
    assert_true(opened);
    assert_int_equal(got, 3);
    assert_int_equal(unsent, 1);
    say(AGENT_DONE, 1, "\0\0\0\157", 4);
    turn();
    assert_true(filed && failed);
    assert_false(closed);
    /* What is closed takes nothing more. */
    session_send(session, 1, "x", 1);
    session_taken(session, 1, 1);
    session_disconnect(session, 1);
}

static void test_data_before_it_is_open(void **state UNUSED)
{
    open_connection();
    say(AGENT_GOT, 1, "abc", 3);
    turn();
    assert_true(closed);
    assert_int_equal(got, 0);
}

static void test_ack_of_what_was_not_sent(void **state UNUSED)
{
    open_connection();
    say(AGENT_ACK, 1, "\0\0\0\1", 4);
    turn();
    assert_true(closed);
}

static void test_mute_after_disconnect(void **state UNUSED)
{
    open_connection();
    say(AGENT_OPEN, 1, "", 0);
    turn();
    session_disconnect(session, 1);
    say(AGENT_GOT, 1, "abc", 3);
    say(AGENT_DONE, 1, "\0\0\0\0", 4);
    turn();
    assert_int_equal(got, 0);
    assert_false(filed);
    assert_false(closed);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_honest),
        EACH(test_wrong_version),
        EACH(test_frame_before_hello),
        EACH(test_unknown_id),
        EACH(test_exit_twice),
        EACH(test_short_exit),
        EACH(test_huge_frame),
        EACH(test_more_than_asked),
        EACH(test_acknowledges_too_much),
        EACH(test_file_fails),
        EACH(test_limits),
        EACH(test_list),
        EACH(test_list_of_paths),
        EACH(test_list_cut_short),
        EACH(test_connection),
        EACH(test_data_before_it_is_open),
        EACH(test_ack_of_what_was_not_sent),
        EACH(test_mute_after_disconnect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
