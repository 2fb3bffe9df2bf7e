/* tests/unit/scheduler/queue/change_test.c - jobs of changes and commits. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/change.h"

#include "tests/unit/scheduler/queue/report_pool.h"

/* ---- changes ---------------------------------------------------------------
 */

struct listed {
    unsigned calls;
    size_t count;
    char ids[64];
    char commit[48];
};

static void on_jobs(void *arg, const struct queue_change_job *jobs,
                    size_t count, const struct err *err)
{
    struct listed *listed = arg;

    assert_null(err);
    listed->calls++;
    listed->count = count;
    for (size_t i = 0; i < count && i < 3; i++)
        (void)snprintf(listed->ids + strlen(listed->ids),
                       sizeof(listed->ids) - strlen(listed->ids), "%s:%s ",
                       jobs[i].id, jobs[i].state);
    if (count)
        (void)snprintf(listed->commit, sizeof(listed->commit), "%s",
                       jobs[0].commit);
}

static struct listed list(struct pool *p, const char *repo, const char *number)
{
    const struct queue_change change = {"github", repo, number};
    struct listed listed = {0};

    queue_change_jobs(p->queue, &change, on_jobs, &listed);
    while (!listed.calls)
        assert_int_equal(loop_step(p->loop, 1000, NULL), 0);
    return listed;
}

static void test_change(void **state)
{
    struct pool *p = *state;
    struct listed listed;

    submit_one(p, "a", CHANGE);
    submit_one(p, "b", REPORT(",\"change\":7"));
    submit_one(p, "c", REPORT(",\"change\":\"8\""));
    submit_one(p, "d", REPORT(""));
    (void)submit(p, "e", JOB(.report = CHANGE, .pipeline = "review"));
    (void)take(p);
    listed = list(p, "a/b", "7");
    assert_string_equal(listed.ids, "e:ready b:ready a:running ");
    assert_string_equal(listed.commit, COMMIT);
    assert_int_equal(list(p, "a/b", "9").count, 0);
    assert_int_equal(list(p, "a/b", "x").count, 0);
    /* Those of a commit, whatever they are for. */
    listed = list(p, "a/b", COMMIT);
    assert_int_equal(listed.count, 5);
    assert_string_equal(listed.ids, "e:ready d:ready c:ready ");
    assert_int_equal(list(p, "a/c", COMMIT).count, 0);
    /* `a` is older than `b`; `e` is of another pipeline. */
    assert_int_equal(take_due(p, "n1").latest, 0);
    (void)tell(p, "n1", "done");
    assert_int_equal(take_due(p, "n1").latest, 1);
    (void)tell(p, "n1", "done");
}

/* A job that never was is told like any other. */
static void test_invalid(void **state)
{
    struct pool *p = *state;
    redisReply *reply;

    assert_string_equal(word_of(p, SCRIPT_INVALID, "x-1", "t", "ci", CHANGE,
                                "{}", "{\"message\":\"m\"}"),
                        "made");
    assert_string_equal(list(p, "a/b", "7").ids, "x-1:failed ");
    assert_true(is_there(p, "%done", "x-1"));
    assert_true(redis_num(p, "PTTL", "%job:x-1") > 0);
    assert_string_equal(word_of(p, SCRIPT_RETRY, "x-1"), "gone");
    expect_told(p, "x-1", "failed");
    expect_nothing(p);
    expect(p, "x-1", "reason", "pipeline_invalid");
    assert_string_equal(word_of(p, SCRIPT_INVALID, "x-1", "t", "ci", CHANGE,
                                "{}", "{\"message\":\"m\"}"),
                        "told");
    reply = script(p, SCRIPT_REPORT_TAKE, "s", "n1", "60000", "github", NULL);
    assert_string_equal(queue_reply_str(reply, 6), "{\"message\":\"m\"}");
    freeReplyObject(reply);
    assert_string_equal(tell(p, "n1", "done"), "done");
    expect_sound(p);
}

/* ---- what was reviewed -----------------------------------------------------
 */

static void on_reviews(void *arg, const char *const *results, size_t count,
                       const struct err *err)
{
    struct listed *listed = arg;

    assert_null(err);
    listed->calls++;
    listed->count = count;
    for (size_t i = 0; i < count; i++)
        (void)snprintf(listed->ids + strlen(listed->ids),
                       sizeof(listed->ids) - strlen(listed->ids), "%s ",
                       strchr(results[i], '#'));
}

static void end_with(struct pool *p, const char *id, const char *state,
                     const char *result)
{
    CLEANUP(mem) char *key = xasprintf("%%job:%s", id);

    freeReplyObject(
        redis(p, "HSET", key, "state", state, "result", result, NULL));
}

static void test_reviews(void **state)
{
    static const char *const ids[] = {"r1", "r2", "r3", "r4", "r5", "r6"};
    const struct queue_change change = {"github", "a/b", "7"};
    struct pool *p = *state;
    struct listed listed = {0};

    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        submit_one(p, ids[i], REPORT(",\"change\":7,\"name\":\"review\""));
    submit_one(p, "o", REPORT(",\"change\":7,\"name\":\"other\""));
    submit_one(p, "c", REPORT(",\"change\":8,\"name\":\"review\""));
    end_with(p, "r1", "passed", "{\"review\":{}}#r1");
    end_with(p, "r2", "failed", "{\"review\":{}}#r2");
    end_with(p, "r3", "cancelled", "{\"review\":{}}#r3");
    end_with(p, "r4", "passed", "{}#r4");
    end_with(p, "r5", "passed", "{\"review\":{}}#r5");
    end_with(p, "o", "passed", "{\"review\":{}}#o");
    end_with(p, "c", "passed", "{\"review\":{}}#c");
    queue_change_reviews(p->queue, &change, "review", on_reviews, &listed);
    while (!listed.calls)
        assert_int_equal(loop_step(p->loop, 1000, NULL), 0);
    assert_string_equal(listed.ids, "#r5 #r2 #r1 ");
}

static void test_change_bounds(void **state)
{
    struct pool *p = *state;
    char id[16];

    for (int i = 0; i < 105; i++) {
        (void)snprintf(id, sizeof(id), "j%d", i);
        submit_one(p, id, CHANGE);
    }
    assert_int_equal(list(p, "a/b", "7").count, 100);
    /* One that is not in the list any more is old all the same. */
    (void)redis_num(p, "ZADD", "%outbox:github", "1", "j0");
    assert_int_equal(take_due(p, "n1").latest, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_invalid),
        POOL_TEST(test_change),
        POOL_TEST(test_change_bounds),
        POOL_TEST(test_reviews),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
