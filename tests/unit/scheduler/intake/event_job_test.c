/* tests/unit/scheduler/intake/event_job_test.c - events into documents. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/event_job.h"

#include "base/arena.h"
#include "pipelines/job.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "0123456789abcdef0123456789abcdef01234567"
#define BASE "https://git.example.com"

static struct event event_of(enum forge_kind forge, enum event_kind kind)
{
    return (struct event){
        .forge = forge,
        .kind = kind,
        .reason = "",
        .name = "x",
        .repo = {.full_name = "acme/app",
                 .clone_url = BASE "/acme/app.git",
                 .default_branch = "main"},
        .installation_id = 5,
        .change = kind == EVENT_PUSH || kind == EVENT_TAG ? 0 : 7,
        .head = {.ref = "topic", .sha = HEAD, .repo = ""},
        .base = {.ref = kind == EVENT_PUSH ? "" : "main",
                 .sha = "",
                 .repo = ""},
        .title = "${{ env.X }} $(id)",
        .description = "Two\n\tlines \\ \"${{ x }}\" \xf0\x9f\x90\xa7",
        .label = "",
        .author = {.login = "ann"},
        .actor = {.login = "mia"},
        .check = {.name = "", .external_id = "", .action = ""},
    };
}

/* The document of a job, as it is loaded again. */
static struct job_batch *load_with(const struct event *event,
                                   const char *pipeline, bool fork,
                                   const json_t *previous)
{
    const struct event_job job = {.event = event,
                                  .pipeline = pipeline,
                                  .key = "key",
                                  .fork = fork,
                                  .previous = previous};
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(mem) char *text = event_job_document(&job);
    struct job_batch *batch = NULL;

    assert_null(strstr(text, "ann"));
    assert_int_equal(job_load("t", text, strlen(text), diags, &batch), 0);
    return batch;
}

static struct job_batch *load(const struct event *event, const char *pipeline,
                              bool fork)
{
    return load_with(event, pipeline, fork, NULL);
}

static void test_change(void **state UNUSED)
{
    const struct event event = event_of(FORGE_GITHUB, EVENT_OPENED);
    CLEANUP(job_batch) struct job_batch *batch = load(&event, "test", true);
    const struct job_request *r = &batch->items[0];

    assert_string_equal(r->pipeline_name, "test");
    assert_string_equal(r->repo, BASE "/acme/app.git");
    assert_string_equal(r->commit, HEAD);
    assert_string_equal(r->ref, "refs/pull/7/head");
    assert_string_equal(r->branch, "topic");
    assert_string_equal(r->base, "main");
    assert_string_equal(r->change, "7");
    assert_true(r->fork);
    assert_string_equal(r->concurrency.group, "github/acme/app#7/test");
    assert_true(r->concurrency.cancel_in_progress);
    assert_int_equal(r->inputs.count + r->env.count, 0);
    assert_int_equal(
        json_integer_value(json_object_get(r->report, "installation")), 5);
    assert_true(json_is_true(json_object_get(r->report, "fork")));
    assert_string_equal(r->title, event.title);
    assert_string_equal(r->description, event.description);
    assert_null(r->previous);
}

static void test_previous(void **state UNUSED)
{
    const struct event event = event_of(FORGE_GITHUB, EVENT_UPDATED);
    json_t *previous = json_pack("{s:s, s:{s:i, s:[{s:s, s:s}]}}", "commit",
                                 HEAD, "findings", "schema", 1, "findings",
                                 "message", "\xe2\x86\x92 a\nb", "path", "a.c");
    CLEANUP(job_batch)
    struct job_batch *batch = load_with(&event, "review", false, previous);

    assert_true(json_equal(batch->items[0].previous, previous));
    json_decref(previous);
    job_batch_free(batch);
    batch = load_with(&event, "review", false, json_null());
    assert_null(batch->items[0].previous);
}

static void test_refs(void **state UNUSED)
{
    struct event event = event_of(FORGE_GITLAB, EVENT_UPDATED);
    struct job_batch *batch;

    batch = load(&event, "test", false);
    assert_string_equal(batch->items[0].ref, "refs/merge-requests/7/head");
    assert_false(batch->items[0].fork);
    job_batch_free(batch);
    event = event_of(FORGE_GITEA, EVENT_PUSH);
    batch = load(&event, "test", false);
    assert_string_equal(batch->items[0].ref, "refs/heads/topic");
    assert_string_equal(batch->items[0].branch, "topic");
    assert_null(batch->items[0].change);
    assert_null(batch->items[0].concurrency.group);
    job_batch_free(batch);
    event = event_of(FORGE_GITEA, EVENT_TAG);
    batch = load(&event, "test", false);
    assert_string_equal(batch->items[0].ref, "refs/tags/topic");
    assert_null(batch->items[0].branch);
    job_batch_free(batch);
}

static void check_id(const struct event_job *job, const char *other, bool same)
{
    CLEANUP(mem) char *id = event_job_id(job);

    assert_true(strlen(id) <= JOB_MAX_ID);
    assert_int_equal(!strcmp(id, other), same);
}

static void test_ids(void **state UNUSED)
{
    const struct event event = event_of(FORGE_GITHUB, EVENT_OPENED);
    struct event_job job = {
        .event = &event, .pipeline = ".berth/A_long.name.yml", .key = "key"};
    CLEANUP(mem) char *id = event_job_id(&job);

    assert_memory_equal(id, "a-long-", 7);
    check_id(&job, id, true);
    job.replays = 1;
    check_id(&job, id, false);
    job.replays = 0;
    job.key = "key2";
    check_id(&job, id, false);
    job.key = "key";
    job.fork = true;
    check_id(&job, id, false);
    job.fork = false;
    job.pipeline = "averyveryveryverylongname-of-a-pipeline";
    check_id(&job, id, false);
    job.pipeline = "___";
    check_id(&job, id, false);
}

static void check_name(const char *path, const char *want)
{
    CLEANUP(mem) char *name = event_pipeline_name(path);

    assert_string_equal(name, want);
}

static void test_names(void **state UNUSED)
{
    check_name(".berth/test.yml", "test");
    check_name(".berth/a_B-9.yml", "a_B-9");
    check_name(".berth/a.b.yml", ".berth/a.b.yml");
    check_name(".berth/-a.yml", ".berth/-a.yml");
    check_name(".berth/.yml", ".berth/.yml");
    check_name("ci/test.yml", "ci/test.yml");
}

/* ---- what a host tells of a change ------------------------------------------
 */

static struct event *found(const char *change, struct err *err)
{
    CLEANUP(mem)
    char *body = xasprintf("{\"repo\": \"acme/app\", \"change\": %s}", change);
    struct event *event = NULL;

    if (event_read_found(FORGE_GITHUB, body, strlen(body), BASE "/", &event,
                         err) < 0)
        assert_int_equal(err->kind, ERR_USER);
    return event;
}

/* clang-format off */
#define CHANGE(fork, ref, sha, url)                                           \
    "{\"number\": 7, \"state\": \"open\", \"draft\": true, \"fork\": " fork   \
    ", \"head\": {\"ref\": \"" ref "\", \"sha\": \"" sha                       \
    "\", \"repo\": \"eve/app\"}, \"base\": {\"ref\": \"main\", \"sha\": \""     \
    sha "\", \"repo\": \"acme/app\"}, \"author\": \"eve\", \"labels\": "        \
    "[\"x\", 3], \"clone_url\": \"" url "\", \"default_branch\": \"main\"}"
/* clang-format on */

static void test_found(void **state UNUSED)
{
    struct err err = {ERR_NONE, 0, ""};
    CLEANUP(event)
    struct event *event =
        found(CHANGE("true", "topic", HEAD, BASE "/acme/app.git"), &err);

    assert_non_null(event);
    assert_int_equal(event->kind, EVENT_UPDATED);
    assert_int_equal(event->change, 7);
    assert_int_equal(event->fork, EVENT_FORK_YES);
    assert_true(event->is_draft);
    assert_string_equal(event->head.sha, HEAD);
    assert_string_equal(event->repo.clone_url, BASE "/acme/app.git");
    assert_int_equal(event->labels.count, 1);
    assert_string_equal(event->author.login, "eve");
    assert_null(found(CHANGE("1", "topic", HEAD, ""), &err));
    assert_null(found(CHANGE("true", "-topic", HEAD, ""), &err));
    assert_null(found(CHANGE("true", "topic", "abc", ""), &err));
    assert_null(found(CHANGE("true", "topic", "", ""), &err));
    assert_null(
        found(CHANGE("true", "topic", HEAD, "https://evil/a/b.git"), &err));
    assert_null(found("null", &err));
}

static void test_found_keys(void **state UNUSED)
{
    char a[65], b[65];

    event_found_key(FORGE_GITHUB, "acme/app", 7, HEAD, a);
    event_found_key(FORGE_GITHUB, "acme/app", 7, HEAD, b);
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), 64);
    event_found_key(FORGE_GITEA, "acme/app", 7, HEAD, b);
    assert_string_not_equal(a, b);
    event_found_key(FORGE_GITHUB, "acme/app", 8, HEAD, b);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_change),   cmocka_unit_test(test_refs),
        cmocka_unit_test(test_ids),      cmocka_unit_test(test_names),
        cmocka_unit_test(test_found),    cmocka_unit_test(test_found_keys),
        cmocka_unit_test(test_previous),
    };

    return cmocka_run_group_tests_name("scheduler/intake/event_job", tests,
                                       NULL, NULL);
}
