/* tests/unit/worker/supervisor/private_test.c - jobs that wait for a token. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/redis_sync.h"
#include "base/seal.h"
#include "base/state.h"
#include "worker/secrets/checkout.h"

#include "tests/unit/worker/supervisor/rig.h"

/* A scheduler was seen that answers nothing. */
static void start_asking(struct fixture *f, const struct seal_key *key)
{
    CLEANUP(mem) char *prefix = xasprintf("berth:{%s}:", f->pool);
    struct supervisor_options options = usual(f, 1, 4000);

    freeReplyObject(ASK("EVAL", queue_scripts[SCRIPT_WATCH].source, "1", prefix,
                        "s1", "1000"));
    options.key = key;
    start_with(f, &options);
}

static void submit_private(struct fixture *f, const char *fake)
{
    CLEANUP(mem)
    char *payload = xasprintf(
        "{\"pipeline\":{\"name\":\"p\",\"sandbox\":{\"image\":\"host\"}},"
        "\"repo\":\"https://git.example/a/b\",\"repo_name\":\"a/b\","
        "\"commit\":\"\",\"inputs\":{\"fake\":\"%s\"}}",
        fake);

    submit_payload(f, "a", payload);
}

static void wait_for_ask(struct fixture *f)
{
    CLEANUP(mem) char *key = xasprintf("berth:{%s}:asks", f->pool);

    for (bool there = false; !there;) {
        redisReply *reply = ASK("LLEN", key);

        there = reply->integer > 0;
        freeReplyObject(reply);
        assert_int_equal(loop_step(f->loop, 20, NULL), 0);
    }
}

/* Its own: told to run-job, and masked. */
static void test_local(void **state)
{
    struct fixture *f = *state;
    struct supervisor_options options = usual(f, 1, 4000);
    CLEANUP(strv) struct strv items = {0};
    CLEANUP(checkout_credentials) struct checkout_credentials *local = NULL;
    CLEANUP(strbuf) struct strbuf payloads = STRBUF_INIT;
    struct log_text log;

    assert_int_equal(setenv("TEST_READ", "hunter22:wordpass", 1), 0);
    strv_add(&items, "git.example/a/*=env:TEST_READ");
    local = checkout_credentials_new(&items);
    options.credentials = local;
    f->seen.payloads = &payloads;
    start_with(f, &options);
    submit_private(f, "credential");
    run_until(f, &f->seen.ended, 1);
    read_log(f, "a", &log);
    assert_non_null(strstr(log.text, "hunter22 *** ssapdrow"));
    assert_null(strstr(log.text, "wordpass"));
    assert_non_null(strstr(payloads.data, "*** ssapdrow"));
    assert_null(strstr(payloads.data, "wordpass"));
    f->seen.payloads = NULL;
    supervisor_free(STEAL(f->supervisor));
}

static void test_cancelled(void **state)
{
    struct fixture *f = *state;
    struct seal_key key;
    int64_t begin = clock_mono_ms();

    assert_int_equal(seal_key_new(&key, NULL), 0);
    start_asking(f, &key);
    submit_private(f, "hang");
    wait_for_ask(f);
    assert_int_equal(f->seen.started, 0);
    cancel(f, "a", "superseded");
    run_until(f, &f->seen.ended, 1);
    assert_string_equal(f->seen.state, "cancelled");
    assert_true(clock_mono_ms() - begin < 15000);
}

static void test_lost(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *job = xasprintf("berth:{%s}:job:a", f->pool);
    struct seal_key key;

    assert_int_equal(seal_key_new(&key, NULL), 0);
    start_asking(f, &key);
    submit_private(f, "hang");
    wait_for_ask(f);
    freeReplyObject(ASK("HSET", job, "nonce", "another"));
    run_until(f, &f->seen.failed, 1);
    assert_int_equal(f->seen.err.kind, ERR_LOST);
    assert_int_equal(f->seen.started, 0);
    assert_int_equal(supervisor_running(f->supervisor), 0);
}

static void test_freed(void **state)
{
    struct fixture *f = *state;
    struct seal_key key;

    assert_int_equal(seal_key_new(&key, NULL), 0);
    start_asking(f, &key);
    submit_private(f, "hang");
    wait_for_ask(f);
    supervisor_free(STEAL(f->supervisor));
    assert_int_equal(f->seen.started, 0);
    assert_int_equal(f->seen.ended, 0);
}

/* Why there is none is in the log, and the job goes on. */
static void test_refused(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *answer = xasprintf("berth:{%s}:answer:a:1", f->pool);
    struct seal_key key;
    struct log_text log;

    assert_int_equal(seal_key_new(&key, NULL), 0);
    start_asking(f, &key);
    submit_private(f, "pass");
    wait_for_ask(f);
    freeReplyObject(ASK("RPUSH", answer, "-token"));
    run_until(f, &f->seen.ended, 1);
    assert_string_equal(f->seen.state, "passed");
    read_log(f, "a", &log);
    assert_non_null(strstr(log.text, "no credential for the repository: no "
                                     "token for this host"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_local), TEST(test_cancelled), TEST(test_lost),
        TEST(test_freed), TEST(test_refused),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
