/* tests/unit/worker/opencode/run_test.c - what the real program says. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"

#include "base/fd.h"
#include "worker/opencode/run.h"

#include <string.h>
#include <unistd.h>

#define ANSWER_BYTES ((size_t)600 << 10)

/* As opencode does: it writes what there is room for, and ends. */
static int be_opencode(void)
{
    CLEANUP(strbuf) struct strbuf said = STRBUF_INIT;
    struct err err;

    strbuf_adds(&said, "{\"type\":\"text\",\"part\":{\"text\":\"");
    for (size_t i = 0; i < ANSWER_BYTES; i++)
        strbuf_addc(&said, 'x');
    strbuf_adds(&said, "\"}}\n{\"type\":\"step_finish\","
                       "\"part\":{\"reason\":\"stop\"}}\n");
    if (fd_set_nonblock(STDOUT_FILENO, &err) < 0)
        return 1;
    return write(STDOUT_FILENO, said.data, said.len) > 0 ? 0 : 1;
}

static void test_long_answer(void **state UNUSED)
{
    char self[] = "/proc/self/exe";
    const struct setup setup = {.program = self};
    const struct run_spec spec = {.prompt = "", .timeout_ms = 60000};
    struct events events;
    struct err err;
    int code = -1;

    events_init(&events);
    assert_int_equal(run_ask(&setup, &spec, &events, &code, &err), 0);
    assert_int_equal(events_check(&events, code, &err), 0);
    assert_int_equal(events.text.len, ANSWER_BYTES);
    events_clear(&events);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_long_answer)};

    if (argc > 1 && !strcmp(argv[1], "run"))
        return be_opencode();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
