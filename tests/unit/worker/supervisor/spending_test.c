/* tests/unit/worker/supervisor/spending_test.c - what jobs spend on models. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/supervisor/rig.h"

#define BUDGET(kind, usd)                                                      \
    "\"" kind "\":{\"requests\":9,\"tokens\":900,\"micro_usd\":" usd "}"
#define NO_BUDGET(kind)                                                        \
    "\"" kind "\":{\"requests\":0,\"tokens\":0,\"micro_usd\":0}"

/* `a` falls back on `b`, which has a budget of the day. */
static void start_with_models(struct fixture *f, const char *day_budget)
{
    CLEANUP(mem)
    char *text = xasprintf(
        "[{\"name\":\"a\",\"fallback\":\"b\"," BUDGET("budget", "3000") "," NO_BUDGET("repository_budget") "," NO_BUDGET(
            "day_budget") "},"
                          "{\"name\":\"b\"," BUDGET(
                              "budget", "3000") "," NO_BUDGET("repository_"
                                                              "budget") ",\"day"
                                                                        "_budge"
                                                                        "t\":{"
                                                                        "\"requ"
                                                                        "ests\""
                                                                        ":0,"
                                                                        "\"toke"
                                                                        "ns\":"
                                                                        "0,"
                                                                        "\"micr"
                                                                        "o_"
                                                                        "usd\":"
                                                                        "%s}}]",
        day_budget);
    struct supervisor_options options = usual(f, 1, 4000);

    options.limits.models = json_loads(text, 0, NULL);
    assert_non_null(options.limits.models);
    start_with(f, &options);
    json_decref(options.limits.models);
}

static void submit_asking(struct fixture *f, const char *id)
{
    submit_payload(
        f, id,
        "{\"pipeline\":{\"name\":\"p\",\"sandbox\":{\"image\":\"host\"},"
        "\"steps\":[{\"run\":\"x\",\"model\":\"a\"}]},\"repo_name\":\"a/b\","
        "\"commit\":\"\",\"inputs\":{\"fake\":\"spends\"}}");
}

static void expect_log(struct fixture *f, const char *id, uint64_t epoch,
                       const char *wanted)
{
    struct log_text log = {.len = 0};

    assert_int_equal(
        queue_log(f->queue, id, epoch, 1, on_entry, &log, NULL, NULL), 0);
    assert_non_null(strstr(log.text, wanted));
}

static void run_again(struct fixture *f, unsigned ended)
{
    int64_t until = clock_mono_ms() + 30000;

    while (f->seen.ended < ended && clock_mono_ms() < until) {
        promote(f);
        run_for(f, 20);
    }
    assert_int_equal(f->seen.ended, ended);
}

/* What an attempt spent, the next has less: whether it said how it ended, or
 * died. */
static void test_earlier_attempts(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *conf = xasprintf("berth:{%s}:conf", f->pool);

    freeReplyObject(ASK("HSET", conf, "backoff_ms", "1"));
    f->retries = 3;
    start_with_models(f, "0");
    submit_asking(f, "j");
    run_again(f, 3);
    expect(f, "j", "passed", "");
    expect_log(f, "j", 1, "[[\"a\",\"b\",{}],[\"b\",\"\",{}]]");
    expect_log(f, "j", 2,
               "[[\"a\",\"b\",{\"requests\":2,\"tokens\":100,\"micro_usd\":"
               "3000,\"time_ms\":40}],");
    expect_log(f, "j", 3,
               "[[\"a\",\"b\",{\"requests\":4,\"tokens\":200,\"micro_usd\":"
               "6000,\"time_ms\":80}],");
}

static long long spent(struct fixture *f, const char *field)
{
    CLEANUP(mem) char *pattern = xasprintf("berth:{%s}:spend:*", f->pool);
    redisReply *keys = ASK("KEYS", pattern);
    redisReply *value;
    long long number;

    assert_int_equal(keys->elements, 1);
    value = ASK("HGET", keys->element[0]->str, field);
    number = value->str ? atoll(value->str) : -1;
    freeReplyObject(value);
    freeReplyObject(keys);
    return number;
}

/* A fallback's shared budget is asked for, and told what was spent of it. */
static void test_fallback(void **state)
{
    struct fixture *f = *state;

    start_with_models(f, "4000");
    submit_asking(f, "first");
    run_until(f, &f->seen.ended, 1);
    expect_log(f, "first", 1, "[\"a\",\"b\",{}]");
    run_for(f, 50);
    assert_int_equal(spent(f, "day:b:micro_usd"), 2000);
    assert_int_equal(spent(f, "day:b:requests"), 1);
    /* What the next may need of it is not there: it goes without. */
    submit_asking(f, "second");
    run_until(f, &f->seen.ended, 2);
    expect_log(f, "second", 1, "[\"a\",\"\",{}]");
    expect_log(f, "second", 1,
               "no fallback to the model 'b': 0.00 of 0.00 USD of all jobs of "
               "today are spent or reserved, and this one may need 0.00\n");
    assert_int_equal(spent(f, "day:b:micro_usd"), 2000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_earlier_attempts),
        TEST(test_fallback),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
