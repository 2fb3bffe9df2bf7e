/* tests/unit/worker/gateway/relay_tally_test.c - budgets and what is left. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"
#include "worker/gateway/relay/setup.h"

#include <string.h>

static void test_cost(void **state)
{
    const struct model_price price = {250000, 2000000, 30000, 312500};
    const struct token_count tokens = {
        .input = 1000, .output = 100, .cached = 400};
    struct tally tally = {0};

    (void)state;
    tally_add(&tally, &tokens, &price);
    /* 600 * 0.25 + 400 * 0.03 + 100 * 2 */
    assert_int_equal(tally_micro_usd(&tally), 362);
    tally_add(&tally,
              &(const struct token_count){.input = 1, .estimated = true},
              &price);
    assert_int_equal(tally_micro_usd(&tally), 363); /* 362.25, rounded up */
    assert_int_equal(tally.input_tokens, 1001);
    assert_true(tally.estimated);
    /* More from the cache than there is. */
    tally = (struct tally){0};
    tally_add(&tally, &(const struct token_count){.input = 10, .cached = 99},
              &price);
    assert_int_equal(tally.cached_tokens, 10);
    assert_int_equal(tally_micro_usd(&tally), 1);
}

/* Of what is put into a cache, for an hour some of it. */
static void test_written(void **state)
{
    const struct model_price price = {1000000, 0, 100000, 1250000};
    struct token_count tokens = {
        .input = 100, .cached = 10, .written = 50, .hours = 20};
    struct tally tally = {0};

    (void)state;
    tally_add(&tally, &tokens, &price);
    /* 40 * 1 + 10 * 0.1 + 30 * 1.25 + 20 * 2 */
    assert_int_equal(tally.pico_usd, 118500000);
    /* More than there is. */
    tally = (struct tally){0};
    tokens.written = tokens.hours = 999;
    tally_add(&tally, &tokens, &price);
    assert_int_equal(tally.pico_usd, 181000000); /* 10 * 0.1 + 90 * 2 */
}

/* What nobody can pay does not wrap round. */
static void test_large(void **state)
{
    const struct model_price price = {10000000000, 10000000000, 10000000000,
                                      10000000000};
    const struct token_count tokens = {.input = TOKENS_MAX / 2,
                                       .output = TOKENS_MAX / 2};
    struct tally tally = {0};

    (void)state;
    tally_add(&tally, &tokens, &price);
    assert_int_equal(tally_micro_usd(&tally), UINT64_C(10000000000000));
    tally_add(&tally, &tokens, &price);
    assert_true(tally.pico_usd == UINT64_MAX);
    tally_add_usd(&tally, UINT64_MAX);
    assert_true(tally.pico_usd == UINT64_MAX);
    tally_plus(&tally, &tally);
    assert_true(tally.pico_usd == UINT64_MAX);
}

static void test_sum(void **state)
{
    const struct tally more = {.requests = 2,
                               .input_tokens = 30,
                               .output_tokens = 400,
                               .cached_tokens = 5,
                               .pico_usd = 6000};
    struct tally sum = {1, 1, 1, 1, 1, 1, false};

    (void)state;
    tally_plus(&sum, &more);
    assert_int_equal(sum.requests, 3);
    assert_int_equal(sum.input_tokens, 31);
    assert_int_equal(sum.output_tokens, 401);
    assert_int_equal(sum.cached_tokens, 6);
    assert_int_equal(sum.pico_usd, 6001);
    tally_minus(&sum, &more);
    assert_int_equal(sum.requests, 1);
    assert_int_equal(sum.input_tokens, 1);
    assert_int_equal(sum.output_tokens, 1);
    assert_int_equal(sum.cached_tokens, 1);
    assert_int_equal(sum.pico_usd, 1);
    assert_int_equal(sum.time_ms, 1);
}

static void test_room(void **state)
{
    const struct model_budget budget = {.tokens = 100, .micro_usd = 50};
    struct tally tally = {
        .input_tokens = 60, .output_tokens = 39, .pico_usd = 49000000};

    (void)state;
    assert_true(tally_has_room(&tally, &budget));
    tally.output_tokens++;
    assert_false(tally_has_room(&tally, &budget));
    tally.output_tokens--;
    tally.pico_usd++;
    assert_false(tally_has_room(&tally, &budget));
    assert_true(tally_has_room(&tally, &(const struct model_budget){0}));
}

static void expect(const struct tally *tally, const struct model_budget *budget,
                   const char *wanted)
{
    char why[160] = "";

    assert_int_equal(tally_allows(tally, budget, why, sizeof(why)), !*wanted);
    assert_string_equal(why, wanted);
}

static void test_budget(void **state)
{
    const struct model_budget none = {0};
    const struct model_budget all = {3, 100, 5000, 60000};
    struct tally tally = {.requests = 2,
                          .input_tokens = 50,
                          .output_tokens = 49,
                          .pico_usd = 4999000000,
                          .time_ms = 59999};

    (void)state;
    expect(&tally, &none, "");
    expect(&tally, &all, "");
    tally.time_ms = 60000;
    expect(&tally, &all, "all of the time, 1m, used");
    tally.pico_usd++;
    expect(&tally, &all, "0.0050 of 0.01 USD used");
    tally.output_tokens++;
    expect(&tally, &all, "100 of 100 tokens used");
    tally.requests++;
    expect(&tally, &all, "3 of 3 requests used");
    expect(&tally, &none, "");
}

/* ---- what it is told ---------------------------------------------------- */

static void expect_setup(const char *text, const char *wanted)
{
    CLEANUP(relay_setup) struct relay_setup *setup = NULL;
    struct err err = {0};

    assert_int_equal(relay_setup_parse(text, strlen(text), &setup, &err),
                     *wanted ? -1 : 0);
    assert_string_equal(err.msg, wanted);
}

#define MODEL(name, more)                                                      \
    "{\"name\":\"" name "\",\"url\":\"http://h/v1\",\"key\":\"k\",\"model\":"  \
    "\"m\",\"dialect\":\"openai\"" more "}"

static void test_setup(void **state)
{
    (void)state;
    expect_setup("{\"models\":[" MODEL("a", "") "]}", "");
    expect_setup("[]", "the relay's setup is no JSON object");
    expect_setup("{}", "the relay's setup has no good 'models'");
    expect_setup("{\"models\":[{}]}", "the relay's setup has no good 'name'");
    expect_setup("{\"models\":[" MODEL("a", ",\"budget\":{\"tokens\":-1}") "]}",
                 "the relay's setup has no good 'tokens'");
    expect_setup("{\"models\":[" MODEL("a", ",\"fallback\":\"b\"") "]}",
                 "the relay's setup has no good 'fallback'");
    expect_setup("{\"models\":[{\"name\":\"a\",\"url\":\"u\",\"key\":\"k\\nX: "
                 "1\"}]}",
                 "the relay's setup has no good 'key'");
    expect_setup("{\"models\":[" MODEL("a", ",\"spent\":{\"tokens\":1.5}") "]}",
                 "the relay's setup has no good 'tokens'");
    expect_setup("{\"stall_ms\":\"1\",\"models\":[" MODEL("a", "") "]}",
                 "the relay's setup has no good 'stall_ms'");
}

static void test_step(void **state)
{
    static const char text[] = "{\"models\":[" MODEL(
        "a", ",\"allow\":[\"n\"]") "," MODEL("b", "") "]}";
    static const char begin[] = "{\"model\":\"b\",\"budget\":{\"requests\":7}}";
    CLEANUP(relay_setup) struct relay_setup *setup = NULL;
    struct relay_step step;
    struct err err;

    (void)state;
    assert_int_equal(relay_setup_parse(text, strlen(text), &setup, &err), 0);
    assert_int_equal(relay_step_parse(setup, begin, strlen(begin), &step, &err),
                     0);
    assert_string_equal(step.model->name, "b");
    assert_int_equal(step.budget.requests, 7);
    assert_true(relay_step_allows(&step, "m"));
    assert_false(relay_step_allows(&step, "n"));
    assert_int_equal(relay_step_parse(setup, "{}", 2, &step, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cost),  cmocka_unit_test(test_written),
        cmocka_unit_test(test_sum),   cmocka_unit_test(test_room),
        cmocka_unit_test(test_large), cmocka_unit_test(test_budget),
        cmocka_unit_test(test_setup), cmocka_unit_test(test_step),
    };

    return cmocka_run_group_tests_name("worker/gateway/relay_tally", tests,
                                       NULL, NULL);
}
