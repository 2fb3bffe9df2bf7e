/* tests/unit/worker/supervisor/connections_test.c - lines of connections. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/connections.h"

#include "tests/lib/unit.h"
#include "worker/job/events.h"

#include <string.h>

#define ONE                                                                    \
    "{\"host\": \"a.example\", \"port\": 443, \"address\": \"192.0.2.1\", "    \
    "\"up\": 12, \"down\": 3456, \"ms\": 78, \"verdict\": \"allowed\"}"

static bool line(struct connections *connections, const char *text,
                 int64_t now_ms, struct strbuf *out)
{
    const struct frame frame = {JOB_FRAME_CONNECTION, 0, (uint32_t)strlen(text),
                                (const uint8_t *)text};

    strbuf_clear(out);
    return connections_line(connections, "j1", &frame, now_ms, out);
}

static void test_line(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    struct connections connections = {0};

    assert_true(line(&connections, ONE, 1000, &out));
    assert_string_equal(out.data,
                        "job j1: connection to a.example:443 (192.0.2.1): "
                        "allowed, 12 bytes sent, 3456 received, 78 ms");
    assert_true(line(&connections,
                     "{\"host\": \"\", \"port\": 0, \"address\": \"\", \"up\": "
                     "0, \"down\": 0, \"ms\": 1, \"verdict\": \"request\"}",
                     1000, &out));
    assert_string_equal(out.data, "job j1: connection to ?:0: request, 0 bytes "
                                  "sent, 0 received, 1 ms");
    assert_false(line(&connections, "{\"host\": \"a.example\"}", 1000, &out));
    assert_false(line(&connections, "[", 1000, &out));
}

static void test_bound(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    struct connections connections = {0};
    unsigned told = 0;

    for (unsigned i = 0; i < CONNECTIONS_BURST + 7; i++)
        told += line(&connections, ONE, 5000, &out);
    assert_int_equal(told, CONNECTIONS_BURST);
    assert_true(line(&connections, ONE, 5000 + 1000 / CONNECTIONS_RATE, &out));
    assert_non_null(strstr(out.data, "78 ms; 7 before it are not told"));
    assert_false(line(&connections, ONE, 5000 + 1000 / CONNECTIONS_RATE, &out));
    /* For long as many as the rate allows, and never more than at first. */
    told = 0;
    for (int64_t now = 6000; now < 8000; now++)
        told += line(&connections, ONE, now, &out);
    assert_in_range(told, 2 * CONNECTIONS_RATE, 3 * CONNECTIONS_RATE);
    told = 0;
    for (unsigned i = 0; i < 2 * CONNECTIONS_BURST; i++)
        told += line(&connections, ONE, 9000000, &out);
    assert_int_equal(told, CONNECTIONS_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
