/* tests/unit/scheduler/intake/admit_test.c - documents into the queue. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/admit.h"

#include "base/fd.h"
#include "scheduler/queue/inspect.h"
#include "tests/unit/scheduler/queue/pool.h"

#include <sys/stat.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static char dir[64]; /* with a `launch` that answers as a test wants */

/* ---- one admission ---------------------------------------------------------
 */

struct result {
    bool done;
    struct err err;
    char complaint[4096];
    size_t count;
    struct queue_answer answers[4];
    bool is_run[4];
};

static void on_admitted(void *arg, const struct admit_outcome *outcome)
{
    struct result *r = arg;

    assert_false(r->done);
    r->done = true;
    r->err = outcome->err;
    (void)snprintf(r->complaint, sizeof(r->complaint), "%s",
                   outcome->complaint ? outcome->complaint : "");
    r->count = outcome->count;
    for (size_t i = 0; i < outcome->count && i < ARRAY_LEN(r->answers); i++) {
        r->answers[i] = outcome->answers[i];
        r->is_run[i] = outcome->jobs[i].run_jobs > 0;
    }
}

static struct result admit_known(struct pool *p, const char *text,
                                 int64_t at_ms, const char *scheduler,
                                 const struct admit_known *known)
{
    CLEANUP(repo_reader)
    struct repo_reader *reader = repo_reader_new(p->loop);
    const struct admit_options options = {.loop = p->loop,
                                          .queue = p->queue,
                                          .reader = reader,
                                          .state_dir = dir,
                                          .read_timeout_ms = 20000,
                                          .retries = 2,
                                          .retry_ms = 10};
    const struct admit_request request = {.file = "document",
                                          .text = text,
                                          .len = strlen(text),
                                          .scheduler = scheduler,
                                          .known = known,
                                          .now_ms = at_ms};
    struct result r = {.done = false};
    struct admission *admission = admit(&options, &request, on_admitted, &r);
    int64_t until = clock_mono_ms() + 60000;

    assert_false(r.done);
    while (!r.done && clock_mono_ms() < until)
        assert_int_equal(loop_step(p->loop, 100, NULL), 0);
    assert_true(r.done);
    admission_free(admission);
    return r;
}

static struct result admit_at(struct pool *p, const char *text, int64_t at_ms,
                              const char *scheduler)
{
    return admit_known(p, text, at_ms, scheduler, NULL);
}

static struct result admit_text(struct pool *p, const char *text)
{
    return admit_at(p, text, now_ms(p), NULL);
}

static struct result admit_good(struct pool *p, const char *text)
{
    struct result r = admit_text(p, text);

    if (r.err.kind)
        fail_msg("%s\n%s", r.err.msg, r.complaint);
    return r;
}

static void expect_complaint(struct pool *p, const char *text,
                             const char *wanted)
{
    struct result r = admit_text(p, text);

    assert_int_equal(r.err.kind, ERR_USER);
    assert_int_equal(r.count, 0);
    if (!strstr(r.complaint, wanted))
        fail_msg("'%s' is not in:\n%s", wanted, r.complaint);
    assert_int_equal(redis_num(p, "ZCARD", "%act:"), 0);
}

static json_t *payload_of(struct pool *p, const char *id)
{
    CLEANUP(queue_status) struct queue_status *status = NULL;
    json_t *payload;

    assert_int_equal(queue_status(p->queue, id, &status, NULL), 0);
    payload = json_loads(status->payload, 0, NULL);
    assert_non_null(payload);
    return payload;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "(none)";
}

/* ---- what needs no repository ----------------------------------------------
 */

static void test_inline(void **state)
{
    struct pool *p = *state;
    struct result r = admit_good(
        p, "pipeline: {name: Nightly Build, steps: [{run: ls}]}\n"
           "env: {LEVEL: 3}\ninputs: {deep: true}\nretry: 2\npriority: low\n"
           "labels: [gpu]\nreport: {forge: github}\n");
    json_t *payload = payload_of(p, r.answers[0].id);
    const char *id = r.answers[0].id;

    assert_int_equal(r.count, 1);
    assert_false(r.is_run[0]);
    assert_memory_equal(id, "nightly-build-", 14);
    assert_int_equal(strlen(id), 24);
    assert_string_equal(text_of(json_object_get(payload, "env"), "LEVEL"), "3");
    assert_string_equal(text_of(json_object_get(payload, "inputs"), "deep"),
                        "true");
    assert_string_equal(text_of(payload, "trust"), "member");
    assert_string_equal(text_of(payload, "commit"), "");
    assert_non_null(
        json_object_get(json_object_get(payload, "pipeline"), "steps"));
    json_decref(payload);
    expect(p, id, "class", "3");
    expect(p, id, "labels", "gpu");
    expect(p, id, "job_retries", "2");
    expect(p, id, "report", "{\"forge\":\"github\"}");
    expect(p, id, "tenant", "none");
}

static void test_moments(void **state)
{
    struct pool *p = *state;
    int64_t now = now_ms(p);
    char text[64];
    struct result r = admit_at(p,
                               "id: later\npipeline: {steps: [{run: ls}]}\n"
                               "not_before: 10m\ndeadline: 1h\n",
                               now, NULL);

    assert_int_equal(r.count, 1);
    expect(p, "later", "state", "delayed");
    (void)snprintf(text, sizeof(text), "%" PRId64, now + 600000);
    expect(p, "later", "not_before_ms", text);
    (void)snprintf(text, sizeof(text), "%" PRId64, now + 3600000);
    expect(p, "later", "expires_at_ms", text);
}

static void test_run_and_group(void **state)
{
    struct pool *p = *state;
    struct result r = admit_good(
        p, "- id: one\n"
           "  pipeline:\n"
           "    concurrency: {group: \"g-${{ inputs.x }}\", queue: 3}\n"
           "    matrix: {n: [1, 2]}\n"
           "    steps: [{run: ls}]\n"
           "  inputs: {x: 7}\n"
           "- id: two\n"
           "  pipeline: {jobs: {a: {if: \"branch == 'x'\","
           " steps: [{run: ls}]}}}\n"
           "- id: three\n"
           "  pipeline: {jobs: {a: {labels: [big], steps: [{run: ls}]}}}\n");

    assert_int_equal(r.count, 3);
    assert_true(r.is_run[0]);
    expect(p, "one", "group", "g-7");
    expect(p, "one", "group_queue", "3");
    /* One job that is to be skipped is for a scheduler to skip. */
    assert_true(r.is_run[1]);
    assert_false(r.is_run[2]);
    expect(p, "three", "labels", "big");
}

static void test_same_again(void **state)
{
    struct pool *p = *state;
    const char *text = "id: x\ndedupe: k\npipeline: {steps: [{run: ls}]}\n";
    struct result r = admit_good(p, text);

    assert_int_equal(r.answers[0].what, QUEUE_QUEUED);
    r = admit_good(p, text);
    assert_int_equal(r.answers[0].what, QUEUE_EXISTS);
    r = admit_good(p, "id: y\ndedupe: k\npipeline: {steps: [{run: ls}]}\n");
    assert_int_equal(r.answers[0].what, QUEUE_DUPLICATE);
    assert_string_equal(r.answers[0].id, "x");
}

static void test_wrong(void **state)
{
    struct pool *p = *state;

    expect_complaint(p, "kind: tset\n", "document:1:7: 'tset'");
    expect_complaint(p, "pipeline: nowhere\n",
                     "there is no pipeline 'nowhere'");
    expect_complaint(p, "kind: test\n", "checks out, but there is no `repo`");
    expect_complaint(p, "kind: test\nrepo: https://u:p@h/a\n",
                     "document:2:7: the address holds a password");
    expect_complaint(p, "kind: test\nrepo: https://ghp_token@h/a\n",
                     "document:2:7: the address holds a password or a token");
    /* All of a list, or none; and all that is wrong is told. */
    expect_complaint(p,
                     "- {id: good, pipeline: {steps: [{run: ls}]}}\n"
                     "- {id: bad, pipeline: nowhere}\n"
                     "- {pipeline: neither}\n",
                     "job 2 (bad) of the list:\n");
    expect_complaint(p,
                     "- {id: good, pipeline: {steps: [{run: ls}]}}\n"
                     "- {id: bad, pipeline: nowhere}\n"
                     "- {pipeline: neither}\n",
                     "there is no pipeline 'neither'");
    expect(p, "good", "state", "");
    expect_complaint(p,
                     "pipeline: {labels: [\"${{ branch }}\"],"
                     " steps: [{run: ls}]}\n",
                     "document:");
}

/* What a scheduler holds goes with the admission; else it is another's. */
static void test_held(void **state)
{
    struct pool *p = *state;
    const char *text = "id: x\npipeline: {steps: [{run: ls}]}\n";
    struct result r = admit_at(p, text, now_ms(p), "s");

    assert_int_equal(r.err.kind, ERR_LOST);
    expect(p, "x", "state", "");
    assert_int_equal(redis_num(p, "LPUSH", "%inbox:s", text), 1);
    r = admit_at(p, text, now_ms(p), "s");
    assert_int_equal(r.count, 1);
    assert_int_equal(redis_num(p, "LLEN", "%inbox:s"), 0);
}

/* ---- what does -------------------------------------------------------------
 */

/* `launch` says, one after the other, what these lines of shell print. */
static void answers(const char *first, const char *second, const char *third)
{
    CLEANUP(mem) char *path = xasprintf("%s/launch", dir);
    CLEANUP(mem) char *log = xasprintf("%s/asked", dir);
    CLEANUP(mem)
    char *text = xasprintf("#!/bin/sh\n"
                           "cat >>'%s'\necho >>'%s'\n"
                           "case $(grep -c url '%s') in\n"
                           "1) %s ;;\n2) %s ;;\n*) %s ;;\nesac\n",
                           log, log, log, first, second, third);

    assert_int_equal(tree_remove(log, NULL), 0);
    assert_int_equal(file_write(path, text, strlen(text), 0755, NULL), 0);
}

static int asked_count(void)
{
    CLEANUP(mem) char *log = xasprintf("%s/asked", dir);
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    int count = 0;

    if (file_read(log, 1 << 20, &text, NULL) < 0)
        return 0;
    for (const char *at = text.data; (at = strstr(at, "\"url\"")); at++)
        count++;
    return count;
}

#define AWAY                                                                   \
    "echo '{\"error\": {\"kind\": \"transient\", \"message\": \"it is "        \
    "away\"}}'"
#define DONE(branch)                                                           \
    "echo '{\"done\": {\"commit\": \"" COMMIT "\", \"branch\": \"" branch      \
    "\", \"fetched\": true}}'"
#define PIPELINE "{steps: [{run: ls}]}"

static void test_pins(void **state)
{
    struct pool *p = *state;
    json_t *payload;

    answers(DONE("main"), "false", "false");
    (void)admit_good(p, "id: x\nrepo: https://h/acme/app.git\nkind: test\n");
    payload = payload_of(p, "x");
    assert_string_equal(text_of(payload, "commit"), COMMIT);
    assert_string_equal(text_of(payload, "branch"), "main");
    assert_string_equal(text_of(payload, "repo"), "https://h/acme/app.git");
    assert_string_equal(text_of(payload, "repo_name"), "acme/app");
    expect(p, "x", "tenant", "h/acme/app");
    json_decref(payload);
    /* A commit that is known is not asked for. */
    assert_int_equal(asked_count(), 1);
    (void)admit_good(p, "id: y\nrepo: https://h/a/b\nkind: test\n"
                        "commit: " COMMIT "\n");
    assert_int_equal(asked_count(), 1);
}

static void test_file(void **state)
{
    struct pool *p = *state;
    json_t *payload;

    answers("printf '{\"file\": {\"size\": 20}}\\n" PIPELINE "';" DONE("main"),
            "echo '{\"file\": {\"why\": \"is not there\"}}';" DONE("main"),
            "printf '{\"file\": {\"size\": 7}}\\nsteps: ';" DONE("main"));
    /* The same twice is read once. */
    (void)admit_good(p, "- {id: x, repo: https://h/a/b, pipeline: ci}\n"
                        "- {id: y, repo: https://h/a/b, pipeline: ci}\n");
    assert_int_equal(asked_count(), 1);
    payload = payload_of(p, "y");
    assert_string_equal(text_of(payload, "commit"), COMMIT);
    assert_string_equal(text_of(json_object_get(payload, "pipeline"), "name"),
                        "ci");
    json_decref(payload);
    assert_non_null(
        strstr(admit_text(p, "repo: https://h/a/b\npipeline: cj\n").complaint,
               "no file .berth/cj.yml"));
    assert_non_null(
        strstr(admit_text(p, "repo: https://h/a/b\npipeline: ck\n").complaint,
               ".berth/ck.yml:1:"));
}

/* A file that is there and cannot be read: not the one that ships instead. */
static void test_file_is_no_file(void **state)
{
    struct pool *p = *state;
    struct result r;

    answers(
        "echo '{\"file\": {\"why\": \"is a symbolic link\"}}';" DONE("main"),
        "echo '{\"file\": {\"why\": \"is not there\"}}';" DONE("main"),
        "false");
    r = admit_text(p, "repo: https://h/a/b\npipeline: test\n");
    assert_int_equal(r.err.kind, ERR_USER);
    assert_non_null(strstr(
        r.complaint, "the pipeline's file .berth/test.yml is a symbolic link"));
    (void)admit_good(p, "repo: https://h/a/b\npipeline: test\n");
}

/* Two readings: the change's commit, the base branch's pipeline. */
static void test_fork(void **state)
{
    struct pool *p = *state;
    CLEANUP(mem) char *log = xasprintf("%s/asked", dir);
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    json_t *payload;

    answers(DONE(""),
            "printf '{\"file\": {\"size\": 20}}\\n" PIPELINE "';"
            "echo '{\"done\": {\"commit\":"
            " \"ffffffffffffffffffffffffffffffffffffffff\","
            " \"branch\": \"main\", \"fetched\": true}}'",
            "false");
    (void)admit_good(p, "id: x\nrepo: https://h/a/b\npipeline: ci\n"
                        "change: 7\nbase: main\nref: refs/pull/7/head\n");
    payload = payload_of(p, "x");
    assert_string_equal(text_of(payload, "commit"), COMMIT);
    assert_string_equal(text_of(payload, "trust"), "fork");
    json_decref(payload);
    assert_int_equal(file_read(log, 1 << 20, &text, NULL), 0);
    assert_non_null(strstr(text.data, "refs/pull/7/head"));
    assert_non_null(strstr(text.data, "refs/heads/main"));
}

/* What was read before is not read again, nor what then is not there. */
static void test_known(void **state)
{
    struct pool *p = *state;
    CLEANUP(strv) struct strv paths = {0}, texts = {0};
    struct admit_known known = {.repo = "https://h/a/b",
                                .commit = COMMIT,
                                .found = COMMIT,
                                .paths = &paths,
                                .texts = &texts,
                                .all = true};
    struct result r;

    strv_add(&paths, ".berth/ci.yml");
    strv_add(&texts, PIPELINE);
    answers("false", DONE("main"), "false");
    r = admit_known(p,
                    "[{id: k, repo: https://h/a/b, commit: " COMMIT
                    ", pipeline: ci}, {repo: https://h/a/b, commit: " COMMIT
                    ", pipeline: test}]",
                    now_ms(p), NULL, &known);
    assert_int_equal(r.err.kind, ERR_NONE);
    assert_int_equal(r.count, 2);
    assert_int_equal(asked_count(), 0);
    known.all = false;
    r = admit_known(p,
                    "{repo: https://h/a/b, commit: " COMMIT ", pipeline: test}",
                    now_ms(p), NULL, &known);
    assert_int_equal(asked_count(), 1);
    known.all = true;
    known.commit = "0000000000000000000000000000000000000000";
    r = admit_known(p,
                    "{repo: https://h/a/b, commit: " COMMIT ", pipeline: ci}",
                    now_ms(p), NULL, &known);
    assert_int_equal(asked_count(), 2);
    assert_int_equal(r.err.kind, ERR_USER);
}

static void test_host_is_away(void **state)
{
    struct pool *p = *state;
    struct result r;

    answers(AWAY, AWAY, DONE("main"));
    (void)admit_good(p, "repo: https://h/a/b\nkind: test\n");
    assert_int_equal(asked_count(), 3);
    answers(AWAY, AWAY, AWAY);
    r = admit_text(p, "repo: https://h/a/b\nkind: test\n");
    assert_int_equal(r.err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(r.complaint, "it is away"));
    assert_int_equal(asked_count(), 3);
    answers("echo '{\"error\": {\"kind\": \"user\","
            " \"message\": \"no such ref\"}}'",
            "false", "false");
    r = admit_text(p, "repo: https://h/a/b\nkind: test\n");
    assert_int_equal(r.err.kind, ERR_USER);
    assert_non_null(strstr(r.complaint, "no such ref"));
    assert_int_equal(asked_count(), 1);
}

static int suite_setup(void **state)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/berth-admit-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(setenv("BERTH_LIBEXEC", dir, 1), 0);
    return server_setup(state);
}

static int suite_teardown(void **state)
{
    assert_int_equal(tree_remove(dir, NULL), 0);
    return server_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_inline),        POOL_TEST(test_moments),
        POOL_TEST(test_run_and_group), POOL_TEST(test_same_again),
        POOL_TEST(test_wrong),         POOL_TEST(test_held),
        POOL_TEST(test_pins),          POOL_TEST(test_file),
        POOL_TEST(test_fork),          POOL_TEST(test_known),
        POOL_TEST(test_host_is_away),  POOL_TEST(test_file_is_no_file),
    };

    return cmocka_run_group_tests(tests, suite_setup, suite_teardown);
}
