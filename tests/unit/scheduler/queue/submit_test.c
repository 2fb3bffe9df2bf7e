/* tests/unit/scheduler/queue/submit_test.c - jobs go in, each once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/job_args.h"
#include "tests/unit/scheduler/queue/pool.h"

static void test_ids(void **state)
{
    struct pool *p = *state;
    static const char *const bad[] = {
        "",
        "A",
        "a b",
        "a:b",
        "-a",
        "a}",
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg"};
    struct queue_answer answer;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct queue_job job = {.id = bad[i], .payload = "{}"};

        assert_int_equal(queue_submit(p->queue, &job, 1, &answer, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
    }
    assert_int_equal(submit(p, "0-a", NULL), QUEUE_QUEUED);
    assert_string_equal(last_answer.id, "0-a");
}

static void refuse(struct pool *p, const struct queue_job *jobs, size_t count)
{
    struct queue_answer answers[2];
    struct err err;

    assert_int_equal(queue_submit(p->queue, jobs, count, answers, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(redis_num(p, "EXISTS", "%job:a", "%job:b"), 0);
}

static void test_refused(void **state)
{
    struct pool *p = *state;
    struct queue_job jobs[2] = {{.id = "a", .payload = "{}"},
                                {.id = "b", .payload = "{}"}};
    struct strv labels = {NULL, 0};

    /* One bad job, and none of the batch goes in. */
    jobs[1].dedupe_key = "k";
    refuse(p, jobs, 2);
    jobs[1].dedupe_key = NULL;
    jobs[1].tenant = "a:b";
    refuse(p, jobs, 2);
    jobs[1].tenant = "";
    refuse(p, jobs, 2);
    jobs[1].tenant = NULL;
    jobs[1].labels = &labels;
    strv_add(&labels, "a,b");
    refuse(p, jobs, 2);
    strv_clear(&labels);
    refuse(p, jobs, 0);
}

static void test_sizes(void **state)
{
    struct pool *p = *state;
    CLEANUP(mem) char *large = xcalloc(1, QUEUE_MAX_PAYLOAD + 2);
    struct queue_job jobs[66];
    struct queue_answer answers[66];
    struct err err;

    memset(large, 'x', QUEUE_MAX_PAYLOAD + 1);
    refuse(p, &(struct queue_job){.id = "a", .payload = large}, 1);
    large[QUEUE_MAX_PAYLOAD] = '\0';
    assert_int_equal(submit(p, "c", JOB(.payload = large)), QUEUE_QUEUED);
    assert_int_equal(redis_num(p, "HSTRLEN", "%job:c", "payload"),
                     QUEUE_MAX_PAYLOAD);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        jobs[i] = (struct queue_job){.id = "d", .payload = large};
    assert_int_equal(queue_check_jobs(jobs, 65, &err), 0);
    assert_int_equal(queue_submit(p->queue, jobs, 66, answers, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
}

/* A repeat is a no-op, in every state. */
static void test_exists(void **state)
{
    struct pool *p = *state;
    struct given given;

    assert_int_equal(submit(p, "a", NULL), QUEUE_QUEUED);
    assert_int_equal(submit(p, "a", JOB(.tenant = "t2")), QUEUE_EXISTS);
    assert_string_equal(last_answer.id, "a");
    given = take(p);
    assert_int_equal(submit(p, "a", NULL), QUEUE_EXISTS);
    expect_take(p, "");
    pass(p, &given);
    assert_int_equal(submit(p, "a", NULL), QUEUE_EXISTS);
    expect_take(p, "");
    expect(p, "a", "state", "passed");
    expect_sound(p);
}

static void test_dedupe(void **state)
{
    struct pool *p = *state;
    const struct queue_job *job = JOB(.dedupe_key = "k", .dedupe_ms = 60000);

    assert_int_equal(submit(p, "a", job), QUEUE_QUEUED);
    assert_int_equal(submit(p, "b", job), QUEUE_DUPLICATE);
    assert_string_equal(last_answer.id, "a");
    assert_int_equal(redis_num(p, "EXISTS", "%job:b"), 0);
    assert_int_equal(submit(p, "a", job), QUEUE_EXISTS);
    take_and_pass(p, "a");
    assert_in_range(redis_num(p, "PTTL", "%dedupe:k"), 1, 60000);
    assert_int_equal(redis_num(p, "DEL", "%dedupe:k"), 1); /* as time does */
    assert_int_equal(submit(p, "b", job), QUEUE_QUEUED);
}

/* The commit of change 7, and when its host was asked about it. */
static enum queue_admission submit_of(struct pool *p, const char *id,
                                      char commit, int64_t as_of_ms)
{
    char sha[41] = "";
    CLEANUP(mem) char *report = NULL;

    memset(sha, commit, 40);
    report = xasprintf("{\"forge\":\"github\",\"repo\":\"o/r\",\"change\":7,"
                       "\"commit\":\"%s\"}",
                       sha);
    return submit(p, id,
                  JOB(.report = report, .as_of_ms = as_of_ms, .dedupe_key = id,
                      .dedupe_ms = 60000));
}

/* Whoever is slower, what is younger stays. */
static void test_overtaken(void **state)
{
    struct pool *p = *state;

    assert_int_equal(submit_of(p, "old", 'a', 1000), QUEUE_QUEUED);
    assert_int_equal(submit_of(p, "young", 'b', 2000), QUEUE_QUEUED);
    expect(p, "young", "as_of_ms", "2000");
    assert_int_equal(submit_of(p, "late", 'a', 1500), QUEUE_OVERTAKEN);
    assert_string_equal(last_answer.id, "late");
    assert_int_equal(redis_num(p, "EXISTS", "%job:late", "%dedupe:late"), 0);
    assert_int_equal(submit_of(p, "old", 'a', 1500), QUEUE_EXISTS);
    assert_int_equal(submit_of(p, "same", 'b', 1500), QUEUE_QUEUED);
    assert_int_equal(submit_of(p, "back", 'a', 2001), QUEUE_QUEUED);
    assert_int_equal(submit_of(p, "unasked", 'c', 0), QUEUE_QUEUED);
    assert_int_equal(submit_of(p, "none", 'b', 2000), QUEUE_OVERTAKEN);
    take_and_pass(p, "old");
    take_and_pass(p, "young");
    take_and_pass(p, "same");
    take_and_pass(p, "back");
    assert_int_equal(submit_of(p, "ended", 'b', 2000), QUEUE_OVERTAKEN);
    expect_sound(p);
}

static void expect_taken(struct pool *p, const struct queue_job *jobs,
                         size_t count, const char *words)
{
    struct queue_answer answers[3];
    struct err err;

    assert_int_equal(queue_submit(p->queue, jobs, count, answers, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, words));
}

/* What a run's jobs are called, no other job is: whichever comes first. */
static void test_ids_of_runs(void **state)
{
    struct pool *p = *state;
    const struct queue_job other = {.id = "x", .payload = "{}"},
                           child = {.id = "r-2", .payload = "{}"},
                           run = {.id = "r", .payload = "{}", .run_jobs = 3};
    const struct queue_job both[] = {other, child, run};

    /* At once; and none of them goes in. */
    expect_taken(p, both, 3, "job r-2 and run r exclude each other");
    assert_int_equal(redis_num(p, "EXISTS", "%job:x", "%job:r"), 0);
    /* The job is first. */
    (void)submit(p, "r-2", NULL);
    (void)submit(p, "r-4", NULL);
    expect_taken(p, &run, 1, "job r-2 and run r exclude each other");
    assert_int_equal(submit(p, "r-2", NULL), QUEUE_EXISTS);
    (void)redis_num(p, "DEL", "%job:r-2");
    /* The run is: it has three, though none of them is there yet. */
    (void)submit(p, "r", JOB(.run_jobs = 3));
    expect_taken(p, &child, 1, "job r-2 and run r exclude each other");
    expect_taken(p, JOB(.id = "r-2", .payload = "{}", .run_jobs = 2), 1, "r-2");
    assert_int_equal(submit(p, "r-02", NULL), QUEUE_QUEUED);
    assert_int_equal(submit(p, "r-4", NULL), QUEUE_EXISTS);
    assert_int_equal(submit(p, "r-5", NULL), QUEUE_QUEUED);
    assert_int_equal(submit(p, "r", JOB(.run_jobs = 3)), QUEUE_EXISTS);
    /* Its job is there still, and the run is not. */
    (void)redis_num(p, "DEL", "%job:r");
    (void)redis_num(p, "HSET", "%job:r-2", "state", "passed", "parent", "r");
    expect_taken(p, &child, 1, "job r-2 and run r exclude each other");
    assert_int_equal(submit(p, "r", JOB(.run_jobs = 3)), QUEUE_QUEUED);
}

/* The document stays with its scheduler, who is to reject it. */
static void test_document_of_taken_id(void **state)
{
    struct pool *p = *state;
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    (void)submit(p, "r", JOB(.run_jobs = 1));
    assert_int_equal(redis_num(p, "LPUSH", "%inbox:s1", "doc"), 1);
    queue_args_str(&args, "s1");
    queue_args_str(&args, "doc");
    job_args_add(&args, &(struct queue_job){.id = "r-1", .payload = "{}"});
    assert_string_equal(first_word(run(p, SCRIPT_SUBMIT, &args)), "taken");
    assert_int_equal(redis_num(p, "LLEN", "%inbox:s1"), 1);
    assert_int_equal(redis_num(p, "EXISTS", "%job:r-1"), 0);
}

static void test_batch(void **state)
{
    struct pool *p = *state;
    static struct queue_job jobs[QUEUE_MAX_BATCH];
    static struct queue_answer answers[QUEUE_MAX_BATCH];
    static char ids[QUEUE_MAX_BATCH][16];
    struct err err;

    for (size_t i = 0; i < QUEUE_MAX_BATCH; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "j%zu", i);
        jobs[i] = (struct queue_job){.id = ids[i], .payload = "{}"};
    }
    jobs[7].id = "j6"; /* twice in one batch */
    assert_int_equal(
        queue_submit(p->queue, jobs, QUEUE_MAX_BATCH, answers, &err), 0);
    for (size_t i = 0; i < QUEUE_MAX_BATCH; i++)
        assert_int_equal(answers[i].what, i == 7 ? QUEUE_EXISTS : QUEUE_QUEUED);
    /* In the order written. */
    for (size_t i = 0; i < QUEUE_MAX_BATCH; i++)
        if (i != 7)
            take_and_pass(p, ids[i]);
    expect_take(p, "");
    expect_sound(p);
    assert_int_equal(queue_check_jobs(jobs, QUEUE_MAX_BATCH + 1, &err), -1);
}

/* A label, a group, a tenant may be called 0. */
static void test_named_zero(void **state)
{
    struct pool *p = *state;
    struct strv labels = {NULL, 0};
    char zero[] = "0";
    const struct concurrency group = {.group = zero};

    strv_add(&labels, "0");
    (void)submit(p, "a",
                 JOB(.labels = &labels, .concurrency = &group, .tenant = "0",
                     .pipeline = "0"));
    (void)submit(p, "b", JOB(.concurrency = &group));
    expect(p, "a", "labels", "0");
    expect(p, "b", "state", "blocked");
    expect_sound(p);
    assert_string_equal(word_of(p, SCRIPT_CANCEL, "a", "cancelled"),
                        "cancelled");
    expect_take(p, "b");
    expect_sound(p);
    strv_clear(&labels);
}

static void test_document(void **state)
{
    struct pool *p = *state;
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply;

    /* Only who holds the document puts its jobs in. */
    assert_string_equal(word_of(p, SCRIPT_SUBMIT, "s1", "doc"), "lost");
    assert_int_equal(redis_num(p, "LPUSH", "%inbox:s1", "doc"), 1);
    queue_args_str(&args, "s1");
    queue_args_str(&args, "doc");
    job_args_add(&args, &(struct queue_job){.id = "a", .payload = "{}"});
    reply = run(p, SCRIPT_SUBMIT, &args);
    assert_string_equal(queue_reply_str(reply->element[0], 1), "queued");
    freeReplyObject(reply);
    assert_int_equal(redis_num(p, "EXISTS", "%inbox:s1"), 0);
    assert_string_equal(first_word(run(p, SCRIPT_SUBMIT, &args)), "lost");
}

static void test_tenants(void **state UNUSED)
{
    static const struct {
        const char *repo, *tenant;
    } cases[] = {
        {NULL, "none"},
        {"", "none"},
        {"https://u:p@host/a/b.git", "host/a/b"},
        {"https://host:8443/a/b/", "host_8443/a/b"},
        {"git@host:a/b.git", "host_a/b"},
        {"/srv/x.git", "srv/x"},
        {"file:///srv/x", "srv/x"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem) char *tenant = queue_tenant(cases[i].repo);

        assert_string_equal(tenant, cases[i].tenant);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_ids),         POOL_TEST(test_refused),
        POOL_TEST(test_sizes),       POOL_TEST(test_exists),
        POOL_TEST(test_dedupe),      POOL_TEST(test_overtaken),
        POOL_TEST(test_batch),       POOL_TEST(test_named_zero),
        POOL_TEST(test_document),    POOL_TEST(test_tenants),
        POOL_TEST(test_ids_of_runs), POOL_TEST(test_document_of_taken_id),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
