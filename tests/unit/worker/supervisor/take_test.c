/* tests/unit/worker/supervisor/take_test.c - when jobs are asked for. */
/* SPDX-License-Identifier: Apache-2.0 */
/* long 25 */
#include "tests/unit/worker/supervisor/rig.h"

/* ---- an executor that does nothing --------------------------------------- */

struct idler {
    struct loop *loop; /* borrowed */
    unsigned running, most, done;
    int64_t takes_ms; /* 0: it is done at once, inside of the call */
    supervisor_done_fn *fn;
    void *jobs[8];
    const char *state;
};

static const struct lease_result passed = {
    .state = "passed", .reason = REASON_NONE, .json = "{}"};

static void on_time(void *arg)
{
    struct idler *idler = arg;

    for (unsigned i = 0; i < ARRAY_LEN(idler->jobs); i++)
        if (idler->jobs[i]) {
            void *job = STEAL(idler->jobs[i]);

            idler->running--;
            idler->done++;
            idler->fn(job, &passed);
            return;
        }
}

static void execute(void *arg, const struct lease *lease,
                    supervisor_done_fn *done, void *job)
{
    struct idler *idler = arg;

    assert_non_null(lease_payload(lease));
    if (++idler->running > idler->most)
        idler->most = idler->running;
    if (!idler->takes_ms) {
        idler->running--;
        idler->done++;
        done(job, &passed);
        return;
    }
    idler->fn = done;
    for (unsigned i = 0; i < ARRAY_LEN(idler->jobs); i++)
        if (!idler->jobs[i]) {
            idler->jobs[i] = job;
            loop_add_timer(idler->loop, clock_mono_ms() + idler->takes_ms,
                           on_time, idler);
            return;
        }
    fail_msg("more jobs than there is capacity");
}

static void start_idler(struct fixture *f, struct idler *idler,
                        unsigned capacity)
{
    struct supervisor_options options = usual(f, capacity, 4000);

    idler->loop = f->loop;
    options.renew_ms = 20000;
    options.limits.poll_ms = 60000; /* longer than a test waits */
    options.execute = execute;
    options.execute_arg = idler;
    start_with(f, &options);
}

static void submit_many(struct fixture *f, unsigned count)
{
    char id[16];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(id, sizeof(id), "j%u", i);
        submit_payload(f, id, "{}");
    }
}

/* One round trip ends a job and begins the next. */
static void test_fused(void **state)
{
    struct fixture *f = *state;
    struct idler idler = {0};

    submit_many(f, 50);
    forget_calls();
    start_idler(f, &idler, 1);
    run_until(f, &f->seen.ended, 50);
    assert_int_equal(f->seen.started, 50);
    assert_int_equal(idler.done, 50);
    /* The first lease, a renewal, 50 completions. */
    assert_int_equal(calls("evalsha"), 52);
    assert_in_range(calls("blpop"), 0, 1); /* Redis 8 counts it at its end */
}

/* However leases and results cross, no place is filled twice. */
static void test_capacity_is_used_once(void **state)
{
    struct fixture *f = *state;
    struct idler idler = {.takes_ms = 15};

    submit_many(f, 60);
    start_idler(f, &idler, 4);
    run_until(f, &f->seen.ended, 60);
    assert_int_equal(idler.most, 4);
    assert_int_equal(supervisor_running(f->supervisor), 0);
}

static void test_capacity_changes(void **state)
{
    struct supervisor_limits limits = {.capacity = 6, .poll_ms = 30000};
    struct fixture *f = *state;
    struct idler idler = {.takes_ms = 300};
    struct err err;

    submit_many(f, 30);
    start_idler(f, &idler, 1);
    run_to(f, &f->seen.started, 2);
    assert_int_equal(idler.most, 1);
    assert_int_equal(supervisor_set_limits(f->supervisor, &limits, NULL), 0);
    run_to(f, &f->seen.started, 14);
    assert_int_equal(idler.most, 6);
    limits.capacity = 2;
    assert_int_equal(supervisor_set_limits(f->supervisor, &limits, NULL), 0);
    run_to(f, &f->seen.started, 20);
    idler.most = 0;
    run_to(f, &f->seen.ended, 30);
    assert_int_equal(idler.most, 2);
    limits.capacity = 0;
    assert_int_equal(supervisor_set_limits(f->supervisor, &limits, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
}

/* Jobs that an executor still has when all is over. */
static void test_free_while_executing(void **state)
{
    struct fixture *f = *state;
    struct idler idler = {.takes_ms = 60000};

    submit_many(f, 2);
    start_idler(f, &idler, 2);
    run_until(f, &f->seen.started, 2);
    supervisor_free(STEAL(f->supervisor));
    run_for(f, 100);
    assert_int_equal(f->seen.ended, 0);
}

/* ---- idle, and woken ----------------------------------------------------- */

static void start_slow(struct fixture *f, unsigned capacity)
{
    struct supervisor_options options = usual(f, capacity, 4000);

    options.renew_ms = 20000;
    options.limits.poll_ms = 30000;
    start_with(f, &options);
}

/* Until the worker said that it waits. */
static void wait_idle(struct fixture *f)
{
    CLEANUP(mem) char *key = xasprintf("berth:{%s}:idle", f->pool);
    bool idle = false;

    for (int i = 0; i < 1500 && !idle; i++) {
        redisReply *reply = ASK("EXISTS", key);

        idle = reply->integer == 1;
        freeReplyObject(reply);
        run_for(f, 20);
    }
    assert_true(idle);
}

static void test_idle_is_quiet(void **state)
{
    struct fixture *f = *state;
    struct supervisor_options options = usual(f, 4, 4000);
    uintmax_t most;
    int64_t began;

    options.renew_ms = 20000;
    options.limits.poll_ms = 500;
    start_with(f, &options);
    wait_idle(f);
    forget_calls();
    began = clock_mono_ms();
    run_for(f, 2600);
    most = (uintmax_t)(clock_mono_ms() - began) / 500 + 1;
    /* A lease and a BLPOP each half second, and no more. */
    assert_in_range(calls("evalsha"), 2, most);
    assert_in_range(calls("blpop"), 2, most);
}

static void test_bell(void **state)
{
    struct fixture *f = *state;
    int64_t begin;

    start_slow(f, 2);
    wait_idle(f);
    for (unsigned i = 1; i <= 2; i++) {
        begin = clock_mono_ms();
        submit(f, i == 1 ? "a" : "b", "hang");
        run_until(f, &f->seen.started, i);
        assert_in_range(clock_mono_ms() - begin, 0, 15000);
        if (i == 1)
            wait_idle(f); /* for its second place */
    }
}

/* However bells and answers cross: nobody waits for the next look. */
static void test_no_bell_is_lost(void **state)
{
    struct fixture *f = *state;
    struct idler idler = {0};
    char id[16];

    start_idler(f, &idler, 1);
    wait_idle(f);
    for (unsigned i = 0; i < 400; i++) {
        (void)snprintf(id, sizeof(id), "j%u", i);
        submit_payload(f, id, "{}");
        run_for(f, i % 4);
    }
    run_until(f, &f->seen.ended, 400);
}

/* A bell for who has just begun to drain is passed on to another. */
static void test_bell_is_passed_on(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *idle = xasprintf("berth:{%s}:idle", f->pool);
    CLEANUP(mem) char *ours = xasprintf("berth:{%s}:ctl:w1", f->pool);
    CLEANUP(mem) char *theirs = xasprintf("berth:{%s}:ctl:w2", f->pool);
    redisReply *reply = NULL;

    start_slow(f, 1);
    wait_idle(f);
    supervisor_drain(f->supervisor);
    run_for(f, 300);
    submit(f, "a", "pass");
    freeReplyObject(ASK("ZADD", idle, "9999999999999", "w2"));
    freeReplyObject(ASK("LPUSH", ours, "job"));
    for (int i = 0; i < 600; i++) {
        run_for(f, 50);
        reply = ASK("LRANGE", theirs, "0", "-1");
        if (reply->elements)
            break;
        freeReplyObject(reply);
        reply = NULL;
    }
    assert_non_null(reply);
    assert_int_equal(reply->elements, 1);
    assert_string_equal(reply->element[0]->str, "job");
    freeReplyObject(reply);
    assert_int_equal(f->seen.started, 0);
}

static void test_cancel_by_bell(void **state)
{
    struct fixture *f = *state;
    int64_t begin;

    start_slow(f, 1);
    submit(f, "a", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    begin = clock_mono_ms();
    cancel(f, "a", "superseded");
    run_until(f, &f->seen.ended, 1);
    assert_in_range(clock_mono_ms() - begin, 0, 15000);
    expect(f, "a", "cancelled", "superseded");
}

/* Two jobs are cancelled while their renewal is under way. */
static void test_cancel_several(void **state)
{
    struct fixture *f = *state;

    start_slow(f, 3);
    submit(f, "a", "hang");
    submit(f, "b", "hang");
    submit(f, "c", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 3);
    cancel(f, "a", "cancelled");
    cancel(f, "c", "superseded");
    run_until(f, &f->seen.ended, 2);
    run_for(f, 200);
    assert_int_equal(f->seen.ended, 2);
    expect(f, "a", "cancelled", "cancelled");
    expect(f, "c", "cancelled", "superseded");
}

/* ---- renewals ------------------------------------------------------------ */

static int64_t slot_expiry(struct fixture *f, const char *slot)
{
    CLEANUP(mem) char *key = xasprintf("berth:{%s}:slots", f->pool);
    redisReply *reply = ASK("ZSCORE", key, slot);
    int64_t at = reply->str ? (int64_t)strtod(reply->str, NULL) : 0;

    freeReplyObject(reply);
    return at;
}

static void test_one_renewal_for_all(void **state)
{
    struct fixture *f = *state;
    struct supervisor_options options = usual(f, 4, 4000);
    int64_t before[4], began;
    char slot[16];

    options.limits.poll_ms = 30000;
    start_with(f, &options);
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(slot, sizeof(slot), "j%u", i);
        submit(f, slot, "hang");
    }
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 4);
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(slot, sizeof(slot), "j%u:1:none:", i);
        before[i] = slot_expiry(f, slot);
        assert_true(before[i] > 0);
    }
    run_for(f, 300); /* the log is on its way */
    forget_calls();
    began = clock_mono_ms();
    run_for(f, 1100);
    /* Each 200 ms; one a job would make 20. */
    assert_in_range(calls("evalsha"), 2,
                    (uintmax_t)(clock_mono_ms() - began) / 200 + 3);
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(slot, sizeof(slot), "j%u:1:none:", i);
        for (int tries = 0; tries < 600; tries++) {
            if (slot_expiry(f, slot) >= before[i] + 400)
                break;
            run_for(f, 50);
        }
        assert_true(slot_expiry(f, slot) >= before[i] + 400);
    }
    await_fact(f, "running", "4");
}

static void test_facts(void **state)
{
    struct fixture *f = *state;
    struct supervisor_options options = usual(f, 3, 4000);
    static const struct {
        const char *name, *value; /* NULL: any, but none that is empty */
    } facts[] = {
        {"labels", ",big,gpu,"}, {"capacity", "3"},   {"running", "0"},
        {"refuses", ""},         {"state", "active"}, {"version", NULL},
        {"host", NULL},          {"pid", NULL},       {"started_at_ms", NULL},
        {"seen_at_ms", NULL},
    };

    options.limits.labels = ",big,gpu,";
    start_with(f, &options);
    wait_idle(f);
    for (unsigned i = 0; i < ARRAY_LEN(facts); i++) {
        CLEANUP(mem) char *value = fact(f, facts[i].name);

        if (facts[i].value)
            assert_string_equal(value, facts[i].value);
        else
            assert_true(*value);
    }
}

/* An answer to a renewal that is due when all is over does not come. */
static void test_free_while_renewing(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 2, 4000);
    submit(f, "a", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    redis_server_signal(&server, SIGSTOP);
    run_for(f, 500);
    supervisor_free(STEAL(f->supervisor));
    redis_server_signal(&server, SIGCONT);
    run_for(f, 500);
}

/* ---- not now ------------------------------------------------------------- */

static void test_drained_through_redis(void **state)
{
    struct fixture *f = *state;

    start_slow(f, 2);
    submit(f, "a", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    assert_int_equal(queue_drain(f->queue, "w1", true, NULL), 0);
    await_fact(f, "state", "draining");
    submit(f, "b", "pass");
    run_for(f, 500);
    assert_int_equal(f->seen.started, 1);
    cancel(f, "a", "cancelled");
    run_until(f, &f->seen.ended, 1); /* and takes no other with it */
    run_for(f, 300);
    assert_int_equal(f->seen.started, 1);
    assert_false(supervisor_is_drained(f->supervisor)); /* not by us */
    assert_int_equal(queue_drain(f->queue, "w1", false, NULL), 0);
    run_until(f, &f->seen.ended, 2);
    expect(f, "b", "passed", "");
    await_fact(f, "state", "active");
}

/* Drained, ended, started again: what it was told holds from the first. */
static void test_drained_before(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *key = xasprintf("berth:{%s}:worker:w1", f->pool);

    freeReplyObject(ASK("HSET", key, "drain", "1"));
    submit(f, "a", "pass");
    start_slow(f, 1);
    run_for(f, 700);
    assert_int_equal(f->seen.started, 0);
    assert_int_equal(queue_drain(f->queue, "w1", false, NULL), 0);
    run_until(f, &f->seen.ended, 1);
}

static void test_drain_and_resume(void **state)
{
    struct fixture *f = *state;

    start_slow(f, 1);
    submit(f, "a", "sleep");
    run_until(f, &f->seen.started, 1);
    submit(f, "b", "pass");
    supervisor_drain(f->supervisor);
    assert_false(supervisor_is_drained(f->supervisor));
    run_until(f, &f->seen.ended, 1);
    assert_true(supervisor_is_drained(f->supervisor));
    run_for(f, 300);
    assert_int_equal(f->seen.started, 1);
    supervisor_resume(f->supervisor);
    run_until(f, &f->seen.ended, 2);
    expect(f, "b", "passed", "");
}

static void test_no_room(void **state)
{
    struct fixture *f = *state;
    struct supervisor_options options = usual(f, 1, 4000);
    struct supervisor_limits roomy = {.capacity = 1};

    options.limits.min_disk_bytes = (uint64_t)1 << 60;
    start_with(f, &options);
    submit(f, "a", "pass");
    run_for(f, 700);
    assert_int_equal(f->seen.started, 0);
    await_fact(f, "refuses", "low disk*");
    assert_int_equal(strncmp(supervisor_refuses(f->supervisor), "low disk", 8),
                     0);
    assert_int_equal(supervisor_set_limits(f->supervisor, &roomy, NULL), 0);
    run_until(f, &f->seen.ended, 1);
    await_fact(f, "refuses", "");
}

/* The place runs out while a job runs: its result brings no other. */
static void test_room_runs_out(void **state)
{
    struct fixture *f = *state;
    struct supervisor_limits tight = {.capacity = 1,
                                      .min_memory_bytes = (uint64_t)1 << 60};

    start_slow(f, 1);
    submit(f, "a", "sleep");
    run_until(f, &f->seen.started, 1);
    submit(f, "b", "pass");
    assert_int_equal(supervisor_set_limits(f->supervisor, &tight, NULL), 0);
    run_until(f, &f->seen.ended, 1);
    run_for(f, 500);
    assert_int_equal(f->seen.started, 1);
}

static void test_labels(void **state)
{
    static const char payload[] =
        "{\"pipeline\":{\"name\":\"p\"},\"inputs\":{\"fake\":\"pass\"}}";
    struct fixture *f = *state;
    struct supervisor_limits limits = {.capacity = 1, .labels = ",gpu,"};
    CLEANUP(strv) struct strv labels = {0};
    struct queue_job job = {
        .id = "a", .payload = payload, .priority = JOB_NORMAL};
    struct queue_answer answer;

    strv_add(&labels, "gpu");
    job.labels = &labels;
    start_slow(f, 1);
    wait_idle(f);
    assert_int_equal(queue_submit(f->queue, &job, 1, &answer, NULL), 0);
    run_for(f, 400);
    assert_int_equal(f->seen.started, 0);
    assert_int_equal(supervisor_set_limits(f->supervisor, &limits, NULL), 0);
    run_until(f, &f->seen.ended, 1);
}

/* ---- Redis says no ------------------------------------------------------- */

static void test_refused(void **state)
{
    struct fixture *f = *state;

    freeReplyObject(ASK("ACL", "SETUSER", "default", "-evalsha", "-eval"));
    start_supervisor(f, 1, 4000);
    run_to(f, &f->seen.refused, 1);
    assert_int_equal(f->seen.err.kind, ERR_BUG);
    assert_false(supervisor_is_connected(f->supervisor));
    freeReplyObject(ASK("ACL", "SETUSER", "default", "+@all"));
    submit(f, "a", "pass");
    run_until(f, &f->seen.ended, 1); /* it was asked again */
    assert_true(supervisor_is_connected(f->supervisor));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fused),
        TEST(test_capacity_is_used_once),
        TEST(test_capacity_changes),
        TEST(test_free_while_executing),
        TEST(test_idle_is_quiet),
        TEST(test_bell),
        TEST(test_no_bell_is_lost),
        TEST(test_bell_is_passed_on),
        TEST(test_cancel_by_bell),
        TEST(test_cancel_several),
        TEST(test_one_renewal_for_all),
        TEST(test_facts),
        TEST(test_free_while_renewing),
        TEST(test_drained_through_redis),
        TEST(test_drained_before),
        TEST(test_drain_and_resume),
        TEST(test_no_room),
        TEST(test_room_runs_out),
        TEST(test_labels),
        TEST(test_refused),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
