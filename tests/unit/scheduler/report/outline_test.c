/* tests/unit/scheduler/report/outline_test.c - what is said, and how. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/json_texts.h"
#include "pipelines/findings/fingerprint.h"
#include "pipelines/findings/mark.h"
#include "scheduler/forge/api/write.h"
#include "scheduler/report/post/outline.h"
#include "scheduler/report/post/words.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char text[] = "--- a/a.js\n+++ b/a.js\n@@ -1,2 +1,5 @@\n one();\n"
                           "+two();\n+three();\n+four();\n five();\n";

#define PRINT(c) "0000000000000000000000000000000" c

/* Findings A to C inline, an error the second; D is outside. */
static const char json[] =
    "{\"schema\":1,\"findings\":["
    "{\"kind\":\"issue\",\"severity\":\"warning\",\"message\":\"first\","
    "\"path\":\"a.js\",\"line\":2,\"end_line\":2,\"fingerprint\":\"" PRINT(
        "a") "\"},"
             "{\"kind\":\"issue\",\"severity\":\"error\",\"message\":"
             "\"second\","
             "\"path\":\"a.js\",\"line\":3,\"end_line\":3,\"fingerprint\":"
             "\"" PRINT("b") "\"},"
                             "{\"kind\":\"issue\",\"severity\":\"info\","
                             "\"message\":\"third\","
                             "\"path\":\"a.js\",\"line\":4,\"end_line\":4,"
                             "\"fingerprint\":\"" PRINT(
                                 "c") "\"},"
                                      "{\"kind\":\"issue\",\"severity\":"
                                      "\"error\",\"message\":\"far\",\"tool\":"
                                      "\"eslint\",\"rule\":\"no-x\",\"why\":"
                                      "\"because\","
                                      "\"path\":\"b.js\",\"line\":7,\"end_"
                                      "line\":9,\"column\":3,"
                                      "\"fingerprint\":\"" PRINT(
                                          "d") "\"}],"
                                               "\"tests\":{\"passed\":0,"
                                               "\"failed\":0,\"skipped\":0}}";

struct world {
    struct findings *findings;
    struct diff *diff;
    struct outline *outline;
    struct forge_comments comments;
    struct outline_spec spec;
    json_t *posted;
};

static void world_start(struct world *world)
{
    const struct findings_source source = {0};
    struct err err = {0};

    *world = (struct world){0};
    world->findings = findings_new();
    if (findings_read(world->findings, FINDINGS_OWN, &source, json,
                      strlen(json), &err) < 0)
        fail_msg("%s", err.msg);
    world->diff = diff_parse(text, strlen(text), false);
    world->outline = outline_new(world->findings, world->diff);
    world->posted = json_object();
    world->spec = (struct outline_spec){
        .comments = &world->comments,
        .posted = world->posted,
        .style = {.suggestion = SUGGESTION_GITHUB, .max = 65536},
        .max_comments = 10};
}

static void world_freep(struct world *world)
{
    outline_free(world->outline);
    diff_free(world->diff);
    findings_free(world->findings);
    forge_comments_clear(&world->comments);
    json_decref(world->posted);
}

static void add(struct world *world, const char *print, const char *say,
                bool is_resolved)
{
    CLEANUP(strbuf) struct strbuf body = STRBUF_INIT;
    struct forge_comment comment = {
        .id = "1", .thread = "2", .is_resolved = is_resolved};

    mark_write(&body, "finding", print);
    strbuf_adds(&body, say);
    comment.body = body.data;
    comments_add(&world->comments, &comment);
}

static void decides(struct world *world, const char *wanted)
{
    static const char letters[] = {
        [OUTLINE_ROW] = 'r',  [OUTLINE_POST] = 'p',  [OUTLINE_EDIT] = 'e',
        [OUTLINE_KEEP] = 'k', [OUTLINE_RAISE] = 'a', [OUTLINE_SILENT] = 's'};
    char got[16] = "";

    outline_decide(world->outline, &world->spec);
    for (size_t i = 0; i < world->outline->count; i++)
        got[i] = letters[world->outline->items[i].kind];
    assert_string_equal(got, wanted);
}

static void test_first(void **state)
{
    CLEANUP(world) struct world world;

    (void)state;
    world_start(&world);
    decides(&world, "pppr");
    assert_int_equal(world.outline->stale_count, 0);
    assert_int_equal(world.outline->order[0], 1);
    assert_non_null(strstr(world.outline->items[0].body, "first"));
}

/* What was posted has the body that is made again. */
static void test_again(void **state)
{
    CLEANUP(world) struct world world;
    CLEANUP(world) struct world before;

    (void)state;
    world_start(&before);
    decides(&before, "pppr");
    world_start(&world);
    for (size_t i = 0; i < 3; i++) {
        struct forge_comment comment = {
            .id = "1", .thread = "2", .body = before.outline->items[i].body};

        comments_add(&world.comments, &comment);
    }
    decides(&world, "kkkr");
}

static void test_worst_first(void **state)
{
    CLEANUP(world) struct world world;

    (void)state;
    world_start(&world);
    world.spec.max_comments = 1;
    decides(&world, "rprr");
}

/* One that is there keeps its place, though others are worse. */
static void test_room(void **state)
{
    CLEANUP(world) struct world world;

    (void)state;
    world_start(&world);
    world.spec.max_comments = 2;
    add(&world, PRINT("c"), "old", false);
    decides(&world, "rper");
}

static void test_dismissed(void **state)
{
    CLEANUP(world) struct world world;

    (void)state;
    world_start(&world);
    add(&world, PRINT("a"), "old", true);
    json_object_set_new(world.posted, PRINT("b"), json_string("gone"));
    json_object_set_new(world.posted, PRINT("d"), json_string("resolved"));
    decides(&world, "ssps");
}

/* By us: it was fixed, and is back. */
static void test_raised(void **state)
{
    CLEANUP(world) struct world world;

    (void)state;
    world_start(&world);
    world.spec.can_raise = true;
    add(&world, PRINT("a"), "old", true);
    add(&world, PRINT("b"), "old", true);
    world.comments.items[1].is_outdated = true;
    json_object_set_new(world.posted, PRINT("a"), json_string("fixed"));
    json_object_set_new(world.posted, PRINT("b"), json_string("fixed"));
    json_object_set_new(world.posted, PRINT("c"), json_string("fixed"));
    decides(&world, "appr");
    assert_ptr_equal(world.outline->items[0].comment, &world.comments.items[0]);
    assert_null(world.outline->items[1].comment);
    assert_int_equal(world.outline->stale_count, 0);
}

/* What was dismissed after it was raised again stays away. */
static void test_who_resolved(void **state)
{
    CLEANUP(world) struct world world;
    json_t *known;

    (void)state;
    world_start(&world);
    add(&world, PRINT("a"), "old", true);
    add(&world, PRINT("a"), "new", true);
    add(&world, PRINT("b"), "old", true);
    add(&world, PRINT("c"), "old", true);
    world.comments.items[0].resolver = RESOLVER_US;
    world.comments.items[1].resolver = RESOLVER_OTHER;
    world.comments.items[2].resolver = RESOLVER_US;
    json_object_set_new(world.posted, PRINT("b"), json_string("open"));
    json_object_set_new(world.posted, PRINT("c"), json_string("fixed"));
    known = outline_posted(world.posted, &world.comments);
    assert_string_equal(json_string_value(json_object_get(known, PRINT("a"))),
                        "resolved");
    assert_string_equal(json_string_value(json_object_get(known, PRINT("b"))),
                        "fixed");
    assert_string_equal(json_string_value(json_object_get(known, PRINT("c"))),
                        "fixed");
    world.spec.posted = known;
    decides(&world, "sppr");
    json_decref(known);
}

static void test_stale(void **state)
{
    CLEANUP(world) struct world world;

    (void)state;
    world_start(&world);
    add(&world, PRINT("e"), "old", false);
    add(&world, PRINT("f"), "old", true);
    add(&world, PRINT("a"), "old", false);
    add(&world, PRINT("a"), "twice", false);
    decides(&world, "eppr");
    assert_int_equal(world.outline->stale_count, 2);
    assert_string_equal(world.outline->stale[0].comment->fingerprint,
                        PRINT("e"));
    assert_non_null(strstr(world.outline->stale[1].comment->body, "twice"));
}

/* Another pipeline's stand: it did not look for what this one looks for. */
static void test_others(void **state)
{
    CLEANUP(world) struct world other;
    CLEANUP(world) struct world world;
    struct forge_comment comment = {.id = "1", .thread = "2"};

    (void)state;
    world_start(&other);
    other.spec.style.pipeline = "review";
    decides(&other, "pppr");
    comment.body = other.outline->items[0].body;
    world_start(&world);
    world.spec.style.pipeline = "test";
    comments_add(&world.comments, &comment);
    assert_string_equal(world.comments.items[0].pipelines,
                        "<!-- berth:pipeline review -->\n");
    /* Found by both it is both's. */
    decides(&world, "eppr");
    assert_non_null(strstr(world.outline->items[0].body,
                           "<!-- berth:pipeline review -->\n"
                           "<!-- berth:pipeline test -->\n"));
    world.comments.items[0].fingerprint = PRINT("e");
    outline_free(world.outline);
    world.outline = outline_new(world.findings, world.diff);
    decides(&world, "pppr");
    assert_int_equal(world.outline->stale_count, 0);
    outline_free(world.outline);
    world.outline = outline_new(world.findings, world.diff);
    world.spec.style.pipeline = "review";
    decides(&world, "pppr");
    assert_int_equal(world.outline->stale_count, 1);
}

/* It stays open as long as any of those that found it finds it. */
static void test_shared(void **state)
{
    CLEANUP(world) struct world first;
    CLEANUP(world) struct world second;
    CLEANUP(world) struct world world;
    struct forge_comment comment = {.id = "1", .thread = "2"};

    (void)state;
    world_start(&first);
    first.spec.style.pipeline = "review";
    decides(&first, "pppr");
    comment.body = first.outline->items[0].body;
    world_start(&second);
    second.spec.style.pipeline = "test";
    comments_add(&second.comments, &comment);
    decides(&second, "eppr");
    comment.body = second.outline->items[0].body;
    world_start(&world);
    world.spec.style.pipeline = "review";
    comments_add(&world.comments, &comment);
    decides(&world, "kppr");
    /* `review` finds it no more. */
    world.comments.items[0].fingerprint = PRINT("e");
    outline_free(world.outline);
    world.outline = outline_new(world.findings, world.diff);
    decides(&world, "pppr");
    assert_int_equal(world.outline->stale_count, 1);
    assert_non_null(world.outline->stale[0].left);
    assert_null(strstr(world.outline->stale[0].left, "pipeline review"));
    assert_non_null(strstr(world.outline->stale[0].left, "first"));
    /* Then `test` does not, either. */
    comment.body = world.outline->stale[0].left;
    comments_add(&second.comments, &comment);
    second.comments.items[0] = second.comments.items[1];
    second.comments.items[0].fingerprint = PRINT("e");
    second.comments.count = 1;
    outline_free(second.outline);
    second.outline = outline_new(second.findings, second.diff);
    decides(&second, "pppr");
    assert_int_equal(second.outline->stale_count, 1);
    assert_null(second.outline->stale[0].left);
}

/* Somebody opened it again, or a comment of the same was resolved. */
static void test_open_wins(void **state)
{
    CLEANUP(world) struct world world;

    (void)state;
    world_start(&world);
    add(&world, PRINT("a"), "old", true);
    add(&world, PRINT("a"), "new", false);
    json_object_set_new(world.posted, PRINT("a"), json_string("resolved"));
    decides(&world, "eppr");
    assert_int_equal(world.outline->stale_count, 0);
}

static void test_partial(void **state)
{
    CLEANUP(world) struct world world;

    (void)state;
    world_start(&world);
    add(&world, PRINT("a"), "old", false);
    world.comments.is_partial = true;
    decides(&world, "errr");
}

static void test_posted(void **state)
{
    CLEANUP(world) struct world world;
    json_t *known;

    (void)state;
    world_start(&world);
    add(&world, PRINT("a"), "old", false);
    add(&world, PRINT("b"), "old", true);
    json_object_set_new(world.posted, PRINT("b"), json_string("open"));
    json_object_set_new(world.posted, PRINT("c"), json_string("open"));
    json_object_set_new(world.posted, PRINT("d"), json_string("resolved"));
    known = outline_posted(world.posted, &world.comments);
    assert_string_equal(json_text_at(known, PRINT("a")), "open");
    assert_string_equal(json_text_at(known, PRINT("b")), "resolved");
    assert_string_equal(json_text_at(known, PRINT("c")), "gone");
    assert_string_equal(json_text_at(known, PRINT("d")), "resolved");
    json_decref(known);
    world.comments.is_partial = true;
    known = outline_posted(world.posted, &world.comments);
    assert_string_equal(json_text_at(known, PRINT("c")), "open");
    json_decref(known);
}

/* ---- words --------------------------------------------------------------- */

static struct report_ask asked(enum check_state state, const char *reason,
                               const char *message)
{
    return (struct report_ask){.check = {.state = state, .name = "berth"},
                               .reason = reason,
                               .message = message,
                               .key = "k",
                               .title = "Review",
                               .note = "",
                               .max_rows = 50};
}

static void says(struct report_ask ask, const struct findings *findings,
                 const char *wanted)
{
    CLEANUP(mem) char *title = words_title(&ask, findings);

    assert_string_equal(title, wanted);
}

static void test_titles(void **state)
{
    CLEANUP(world) struct world world;
    CLEANUP(findings) struct findings *none = findings_new();
    struct report_ask again = asked(CHECK_RUNNING, "", "");

    (void)state;
    world_start(&world);
    again.attempt = 2;
    says(asked(CHECK_QUEUED, "", ""), NULL, "Queued");
    says(again, NULL, "Running, attempt 2");
    says(asked(CHECK_PASSED, "", ""), NULL, "Passed");
    says(asked(CHECK_PASSED, "", ""), none, "no findings");
    says(asked(CHECK_PASSED, "", ""), world.findings,
         "2 errors, 1 warning, 1 note");
    says(asked(CHECK_FAILED, "step_failed", "npm test exited 1\nmore"), none,
         "Failed: npm test exited 1");
    says(asked(CHECK_FAILED, "step_failed", "x"), world.findings,
         "2 errors, 1 warning, 1 note");
    says(asked(CHECK_FAILED, "out_of_memory", ""), NULL, "Out of memory");
    says(asked(CHECK_TIMED_OUT, "timed_out", "after 5 min"), NULL,
         "Timed out: after 5 min");
    says(asked(CHECK_CANCELLED, "superseded", ""), NULL, "Superseded");
}

static void test_bodies(void **state)
{
    CLEANUP(world) struct world world;
    struct report_ask ask = asked(CHECK_FAILED, "", "it <b>broke</b>");
    CLEANUP(mem) char *summary = NULL;
    CLEANUP(mem) char *check = NULL;
    CLEANUP(strbuf) struct strbuf key = STRBUF_INIT;

    (void)state;
    world_start(&world);
    ask.note = "_foot_";
    decides(&world, "pppr");
    summary = words_summary(&ask, world.outline, 65536);
    assert_true(mark_read(summary, "summary", &key));
    assert_string_equal(key.data, "k");
    assert_non_null(strstr(summary, "b.js"));
    assert_null(strstr(summary, "a.js"));
    assert_non_null(strstr(summary, "_foot_"));
    check = words_check(&ask, "t", world.findings);
    assert_null(strstr(check, "<!--"));
    assert_null(strstr(check, "<b>"));
    assert_non_null(strstr(check, "a.js"));
}

static void test_annotations(void **state)
{
    CLEANUP(world) struct world world;
    CLEANUP(arena) struct arena *arena = arena_new();
    struct check_annotation *made;
    size_t count, left;

    (void)state;
    world_start(&world);
    made = words_annotations(arena, world.outline, false, &count, &left);
    assert_int_equal(count, 1);
    assert_int_equal(left, 0);
    assert_string_equal(made->path, "b.js");
    assert_int_equal(made->line, 7);
    assert_int_equal(made->end_line, 9);
    assert_string_equal(made->title, "eslint: no-x");
    assert_string_equal(made->message, "far\n\nbecause");
    made = words_annotations(arena, world.outline, true, &count, &left);
    assert_int_equal(count, 4);
    assert_string_equal(made[0].message, "second");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),       cmocka_unit_test(test_again),
        cmocka_unit_test(test_worst_first), cmocka_unit_test(test_room),
        cmocka_unit_test(test_dismissed),   cmocka_unit_test(test_stale),
        cmocka_unit_test(test_open_wins),   cmocka_unit_test(test_partial),
        cmocka_unit_test(test_raised),      cmocka_unit_test(test_who_resolved),
        cmocka_unit_test(test_posted),      cmocka_unit_test(test_titles),
        cmocka_unit_test(test_bodies),      cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_others),      cmocka_unit_test(test_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
