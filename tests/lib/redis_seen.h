/* tests/lib/redis_seen.h - what a Redis client's callbacks were told. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_REDIS_SEEN_H
#define TESTS_LIB_REDIS_SEEN_H

#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

/** Start with all zeros; the `arg` of seen_reply(). */
struct seen {
    int good, bad;
    enum err_kind kind; /* of the last bad one */
    char text[256];     /* of the last, its second word if it has more */
};

/** Declare `struct redis_words name`. */
#define WORDS(name, ...)                                                       \
    static const char *const name##_list[] = {__VA_ARGS__};                    \
    const struct redis_words name = {name##_list, NULL, ARRAY_LEN(name##_list)}

UNUSED static void seen_reply(void *arg, const struct redisReply *reply,
                              const struct err *err)
{
    struct seen *seen = arg;

    if (reply) {
        seen->good++;
        if (reply->type == REDIS_REPLY_ARRAY)
            reply = reply->element[1];
        (void)snprintf(seen->text, sizeof(seen->text), "%.100s",
                       reply->str ? reply->str : "");
    } else {
        seen->bad++;
        seen->kind = err->kind;
        (void)snprintf(seen->text, sizeof(seen->text), "%.200s", err->msg);
    }
}

UNUSED static void run_for(struct loop *loop, int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;

    while (clock_mono_ms() < until)
        assert_int_equal(loop_step(loop, 10, NULL), 0);
}

UNUSED static void run_until(struct loop *loop, const int *count, int wanted)
{
    int64_t until = clock_mono_ms() + 30000;

    while (*count < wanted && clock_mono_ms() < until)
        assert_int_equal(loop_step(loop, 100, NULL), 0);
    assert_int_equal(*count, wanted);
}

/** Repeat a script, as its owners do, while it fails in passing. */
UNUSED static void run_until_good(struct loop *loop, struct redis *redis,
                                  size_t script, const char *key,
                                  const struct redis_words *args,
                                  struct seen *seen, int64_t limit_ms)
{
    int64_t until = clock_mono_ms() + limit_ms;
    int good = seen->good;

    while (seen->good == good) {
        int bad = seen->bad;

        assert_true(clock_mono_ms() < until);
        redis_eval(redis, script, key, args, seen_reply, seen);
        while (seen->good == good && seen->bad == bad)
            assert_int_equal(loop_step(loop, 100, NULL), 0);
        if (seen->bad != bad)
            assert_true(seen->kind == ERR_TRANSIENT ||
                        seen->kind == ERR_TIMEOUT);
    }
}

#endif
