/* tests/unit/pipelines/trigger_load_test.c - on, and triggers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/document.h"
#include "pipelines/trigger.h"
#include "tests/lib/unit.h"

#include <string.h>

static void on_error(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    strbuf_addf(arg, "%u:%u: %s%s%s\n", pos.line, pos.column, message,
                hint ? "; " : "", hint ? hint : "");
}

/* The list of a configuration; NULL: refused, and `errors` says why. */
static struct trigger_list *load(const char *text, struct strbuf *errors)
{
    CLEANUP(yaml_tree)
    struct yaml_tree *tree =
        yaml_tree_parse(text, strlen(text), on_error, errors);
    struct trigger_list *list = NULL;
    int rc;

    assert_non_null(tree);
    rc = trigger_list_load(tree, yaml_tree_root(tree), on_error, errors, &list);
    assert_int_equal(rc == 0, errors->len == 0);
    assert_int_equal(rc == 0, list != NULL);
    return list;
}

static struct trigger_list *load_good(const char *text)
{
    CLEANUP(strbuf) struct strbuf errors = STRBUF_INIT;
    struct trigger_list *list = load(text, &errors);

    if (!list)
        fail_msg("%s", errors.data);
    return list;
}

static void expect(const char *text, const char *wanted)
{
    CLEANUP(strbuf) struct strbuf errors = STRBUF_INIT;

    trigger_list_free(load(text, &errors));
    assert_string_equal(errors.data, wanted);
}

/* What a pipeline's text says; NULL as above. */
static struct trigger_list *load_on_text(const char *text,
                                         struct strbuf *errors)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct trigger_list *list = NULL;
    int rc = trigger_list_of_text("ci.yml", text, strlen(text), diags, &list);

    for (size_t i = 0; i < diag_list_count(diags); i++) {
        const struct diag *diag = diag_list_at(diags, i);
        struct yaml_pos pos = {diag->line, diag->column};

        on_error(errors, pos, diag->message, diag->hint);
    }
    assert_int_equal(rc == 0, errors->len == 0);
    assert_int_equal(rc == 0, list != NULL);
    return list;
}

static struct trigger_list *load_on_good(const char *text)
{
    CLEANUP(strbuf) struct strbuf errors = STRBUF_INIT;
    struct trigger_list *list = load_on_text(text, &errors);

    if (!list)
        fail_msg("%s: %s", text, errors.data);
    return list;
}

/* The same is said when all of the pipeline is loaded. */
static void expect_on(const char *on, const char *wanted)
{
    static const char *const rests[] = {
        "steps: [{run: ls}]\n",
        "jobs: {a: {steps: [{run: ls}]}}\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(rests); i++) {
        CLEANUP(mem) char *text = xasprintf("%s%s", on, rests[i]);
        CLEANUP(strbuf) struct strbuf errors = STRBUF_INIT;
        CLEANUP(strbuf) struct strbuf whole = STRBUF_INIT;
        CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
        CLEANUP(document) struct document *document = NULL;

        trigger_list_free(load_on_text(text, &errors));
        assert_string_equal(errors.data, wanted);
        assert_int_equal(
            document_load("ci.yml", text, strlen(text), diags, &document) < 0,
            *wanted != '\0');
        for (size_t k = 0; k < diag_list_count(diags); k++) {
            const struct diag *diag = diag_list_at(diags, k);
            struct yaml_pos pos = {diag->line, diag->column};

            on_error(&whole, pos, diag->message, diag->hint);
        }
        assert_string_equal(whole.data, wanted);
    }
}

static char *joined(const struct strv *list)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    for (size_t i = 0; i < list->count; i++)
        strbuf_addf(&out, "%s%s", i ? "|" : "", list->items[i]);
    return strbuf_take(&out);
}

static void assert_list(const struct strv *list, const char *wanted)
{
    CLEANUP(mem) char *got = joined(list);

    assert_string_equal(got, wanted);
}

/* ---- on ----------------------------------------------------------------- */

static void test_events(void **state)
{
    static const struct {
        const char *text;
        unsigned events[3];
    } cases[] = {
        {"", {0}},
        {"on: change\n", {TRIGGER_CHANGE}},
        {"'on': push\n", {TRIGGER_PUSH}},
        {"\"on\": tag\n", {TRIGGER_TAG}},
        {"on: [tag, change]\n", {TRIGGER_CHANGE, TRIGGER_TAG}},
        {"on: [push]\n", {TRIGGER_PUSH}},
        {"{on: {push: , change: {}, tag: ~}, steps: 1}\n",
         {TRIGGER_PUSH, TRIGGER_CHANGE, TRIGGER_TAG}},
        {"on: {change: {types: opened}}\n", {TRIGGER_OPENED}},
        {"on: {change: {types: [opened, updated, reopened, ready, labeled,\n"
         "  merge_group]}}\n",
         {TRIGGER_CHANGE | TRIGGER_LABELED}},
        {"on: {change: {types: [labeled, merge_group]}, push: {}}\n",
         {TRIGGER_LABELED | TRIGGER_MERGE_GROUP, TRIGGER_PUSH}},
        /* The rest is no pipeline; who loads it says so. */
        {"nonsense: [1]\non: push\n", {TRIGGER_PUSH}},
        {"[on, push]\n", {0}},
        {"on\n", {0}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(trigger_list)
        struct trigger_list *list = load_on_good(cases[i].text);
        size_t count = 0;

        while (count < 3 && cases[i].events[count])
            count++;
        assert_int_equal(list->count, count);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(list->items[k].events, cases[i].events[k]);
            assert_false(list->items[k].drafts);
            assert_true(list->items[k].forks);
            assert_int_equal(list->items[k].pipelines.count, 0);
        }
    }
    assert_false(TRIGGER_CHANGE & TRIGGER_LABELED);
}

/* It does not borrow from the text. */
static void test_on_keys(void **state)
{
    CLEANUP(trigger_list)
    struct trigger_list *list =
        load_on_good("on:\n"
                     "  change:\n"
                     "    types: [labeled]\n"
                     "    branches: [main, 'release/*']\n"
                     "    paths: ['src/**', '!src/docs/**']\n"
                     "    labels: [review, 'Needs: CI']\n"
                     "    drafts: true\n"
                     "    authors: ['*', '!*[bot]']\n"
                     "    forks: false\n"
                     "  push: {branches: main, paths: ['*.c']}\n"
                     "  tag: {tags: 'v*'}\n");
    const struct trigger *t = list->items;

    (void)state;
    assert_int_equal(list->count, 3);
    assert_int_equal(t->events, TRIGGER_LABELED);
    assert_list(&t->branches, "main|release/*");
    assert_list(&t->paths, "src/**|!src/docs/**");
    assert_list(&t->labels, "review|Needs: CI");
    assert_list(&t->authors, "*|!*[bot]");
    assert_true(t->drafts);
    assert_false(t->forks);
    assert_null(t->forge);
    assert_list(&t[1].branches, "main");
    assert_list(&t[1].paths, "*.c");
    assert_list(&t[2].tags, "v*");
    assert_list(&t[2].branches, "");
}

static const struct {
    const char *text, *wanted;
} on_errors[] = {
    {"on:\n", "1:4: nothing where one of these should stand: change, push, "
              "tag\n"},
    {"on: {}\n", "1:5: on names an event: change, push or tag\n"},
    {"on: []\n", "1:5: 1 to 3 events, not 0\n"},
    {"on: [push, push]\n", "1:12: 'push' is there twice\n"},
    {"on: [push, tag, change, push]\n", "1:5: 1 to 3 events, not 4\n"},
    {"on: chnage\n", "1:5: 'chnage' is not one of: change, push, tag; "
                     "change\n"},
    {"on: true\n", "1:5: true or false where one of these should stand: "
                   "change, push, tag\n"},
    {"on: pull_request\n", "1:5: 'pull_request' is not known: write change\n"},
    {"on:\n  merge_request:\n",
     "2:3: unknown key 'merge_request' in on: write change\n"},
    {"on: {pusj: }\n", "1:6: unknown key 'pusj' in on; push\n"},
    {"on: [{push: }]\n", "1:6: a mapping where one of these should stand: "
                         "change, push, tag\n"},
    {"on: {change: push}\n",
     "1:14: on.change is a mapping (KEY: VALUE), not a string\n"},
    {"on: {tag: [v1]}\n",
     "1:11: on.tag is a mapping (KEY: VALUE), not a list\n"},
    {"on: {tag: {branches: main}}\n",
     "1:12: unknown key 'branches' in on.tag\n"},
    {"on: {push: {labels: x, forks: true}}\n",
     "1:13: unknown key 'labels' in on.push\n"
     "1:24: unknown key 'forks' in on.push\n"},
    {"on: {push: {paths-ignore: x}}\n",
     "1:13: unknown key 'paths-ignore' in on.push: write paths: [\"**\", "
     "\"!…\"]\n"},
    {"on: {change: {types: closed}}\n",
     "1:22: 'closed' is not known: nothing starts when a change is closed\n"},
    {"on: {change: {types: [opend, synchronize]}}\n",
     "1:23: 'opend' is not one of: opened, updated, reopened, ready, labeled, "
     "merge_group; opened\n"
     "1:30: 'synchronize' is not known: write updated\n"},
    {"on: {change: {types: []}}\n", "1:22: 1 to 6 types, not 0\n"},
    {"on: {change: {types: [ready, ready]}}\n",
     "1:30: 'ready' is there twice\n"},
    {"on: {change: {branches: [/a, a//b, a/../b, '!', '${{ x }}', 1, '']}}\n",
     "1:26: no pattern: it must be relative\n"
     "1:30: no pattern: it has an empty name\n"
     "1:36: no pattern: '.' and '..' are no names in it\n"
     "1:44: no pattern: it is empty\n"
     "1:49: no pattern: ${{ }} is not expanded here\n"
     "1:61: this must be a string, not a number; \"1\"\n"
     "1:64: this must not be empty\n"},
    {"on: {push: {paths: []}}\n", "1:20: 1 to 50 patterns, not 0\n"},
    {"on: {push: {paths: {}}}\n",
     "1:20: this must be a string, not a mapping\n"},
    {"on: {push: {paths: ['!docs/**', '**']}}\n",
     "1:21: a pattern with '!' takes away from those before it: begin with "
     "\"**\"\n"},
    {"on: {tag: {tags: '!v*'}}\n",
     "1:18: a pattern with '!' takes away from those before it: begin with "
     "\"**\"\n"},
    {"on: {change: {authors: ['!x', '!']}}\n",
     "1:25: a pattern with '!' takes away from those before it: begin with "
     "\"*\"\n"
     "1:31: no pattern: it is empty\n"},
    {"on: {change: {labels: [a, '!b', \" \"]}}\n",
     "1:27: labels say what must be there, without '!'\n"
     "1:33: this must not be blank\n"},
    {"on: {change: {drafts: yes, forks: 1}}\n",
     "1:23: this must be true or false, not a string; true\n"
     "1:35: this must be true or false, not a number\n"},
    {"on: {push: , push: }\n",
     "1:14: the key 'push' is here already, on line 1\n"},
};

static void test_on_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(on_errors); i++)
        expect_on(on_errors[i].text, on_errors[i].wanted);
    expect_on("on: {change: {branches: ['**', '!main']}, tag: }\n", "");
}

static void test_text_errors(void **state)
{
    CLEANUP(strbuf) struct strbuf syntax = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf twice = STRBUF_INIT;

    (void)state;
    assert_null(load_on_text("on: [push\n", &syntax));
    assert_null(load_on_text("on: push\na: 1\na: 2\n", &twice));
    assert_string_equal(twice.data,
                        "3:1: the key 'a' is here already, on line 2\n");
}

static void test_not_of_a_job(void **state)
{
    static const char text[] = "jobs:\n  a:\n    on: push\n"
                               "    steps: [{run: ls}]\n";
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct document *document = NULL;

    (void)state;
    assert_int_equal(
        document_load("ci.yml", text, strlen(text), diags, &document), -1);
    assert_string_equal(diag_list_at(diags, 0)->message,
                        "unknown key 'on' in a job: it is the whole "
                        "document's: write it at the top");
}

/* Workers do not get it. */
static void test_not_kept(void **state)
{
    static const char text[] = "on: {push: {branches: main}}\n"
                               "steps: [{run: ls}]\n";
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(document) struct document *document = NULL;
    json_t *json;

    (void)state;
    assert_int_equal(
        document_load("ci.yml", text, strlen(text), diags, &document), 0);
    json = document_to_json(document);
    assert_null(json_object_get(json, "on"));
    json_decref(json);
}

/* ---- triggers ----------------------------------------------------------- */

static void test_none(void **state)
{
    CLEANUP(trigger_list) struct trigger_list *list = NULL;

    (void)state;
    expect("[]\n", "");
    expect("# nothing\n", "");
    assert_int_equal(trigger_list_load(NULL, NULL, on_error, NULL, &list), 0);
    assert_int_equal(list->count, 0);
    trigger_list_free(NULL);
}

static void test_triggers(void **state)
{
    CLEANUP(trigger_list)
    struct trigger_list *list = load_good("- {event: change, pipeline: test}\n"
                                          "- types: [opened]\n"
                                          "  repos: ['acme/*', '!acme/old']\n"
                                          "  forge: gitea\n"
                                          "  event: [tag, change, push]\n"
                                          "  pipeline: [test, ci/lint.yml]\n"
                                          "  branches: main\n"
                                          "  tags: 'v*'\n"
                                          "  paths: '**'\n"
                                          "  labels: a\n"
                                          "  drafts: true\n"
                                          "  authors: b\n"
                                          "  forks: false\n");
    const struct trigger *t = &list->items[1];

    (void)state;
    assert_int_equal(list->count, 2);
    assert_int_equal(list->items[0].events, TRIGGER_CHANGE);
    assert_true(list->items[0].forks);
    assert_list(&list->items[0].pipelines, "test");
    assert_int_equal(t->events, TRIGGER_OPENED | TRIGGER_PUSH | TRIGGER_TAG);
    assert_list(&t->pipelines, "test|ci/lint.yml");
    assert_list(&t->repos, "acme/*|!acme/old");
    assert_string_equal(t->forge, "gitea");
    assert_list(&t->branches, "main");
    assert_list(&t->tags, "v*");
    assert_list(&t->paths, "**");
    assert_list(&t->labels, "a");
    assert_list(&t->authors, "b");
    assert_true(t->drafts);
    assert_false(t->forks);
}

static void test_trigger_errors(void **state)
{
    CLEANUP(strbuf) struct strbuf many = STRBUF_INIT;

    (void)state;
    expect("{event: push}\n",
           "1:1: triggers are a list of at most 1000 mappings\n");
    expect("[push]\n",
           "1:2: a trigger is a mapping (KEY: VALUE), not a string\n");
    expect("- {}\n", "1:3: a trigger needs the key 'event'\n"
                     "1:3: a trigger needs the key 'pipeline'\n");
    expect("- {event: push, pipeline: a b}\n",
           "1:27: 'a b' is neither the name of a pipeline (letters, digits, _ "
           "and -) nor the path of a .yml file in the repository\n");
    expect("- {event: push, pipeline: {steps: []}}\n",
           "1:27: this must be a string, not a mapping\n");
    expect("- {event: push, pipeline: []}\n",
           "1:27: 1 to 10 pipelines, not 0\n");
    expect("- {event: push, pipeline: [a, b, a]}\n",
           "1:34: 'a' is there twice\n");
    expect("- {event: [], pipeline: a}\n", "1:11: 1 to 3 events, not 0\n");
    expect("- {event: pr, pipeline: a, tags: x}\n",
           "1:11: 'pr' is not one of: change, push, tag\n");
    expect("- {event: push, pipeline: a, forge: forgejo}\n",
           "1:37: 'forgejo' is not known: write gitea\n");
    expect("- {event: push, pipeline: a, forge: githib}\n",
           "1:37: 'githib' is not one of: github, gitlab, gitea; github\n");
    expect("- {on: push, kind: test, repo: a/b}\n",
           "1:4: unknown key 'on' in a trigger: write event\n"
           "1:14: unknown key 'kind' in a trigger: write pipeline\n"
           "1:26: unknown key 'repo' in a trigger: write repos\n"
           "1:3: a trigger needs the key 'event'\n"
           "1:3: a trigger needs the key 'pipeline'\n");
    expect("- {tags: x, event: [change, push], pipeline: a}\n",
           "1:4: 'tags' has no meaning for any event of this trigger\n");
    expect("- {types: opened, forks: true, event: push, pipeline: a}\n"
           "- {event: tag, paths: x, branches: y, pipeline: b}\n",
           "1:4: 'types' has no meaning for any event of this trigger\n"
           "1:19: 'forks' has no meaning for any event of this trigger\n"
           "2:16: 'paths' has no meaning for any event of this trigger\n"
           "2:26: 'branches' has no meaning for any event of this trigger\n");
    expect("- {event: push, pipeline: a, repos: ['!a/b']}\n",
           "1:38: a pattern with '!' takes away from those before it: begin "
           "with \"**\"\n");
    for (int i = 0; i <= TRIGGER_MAX; i++)
        strbuf_adds(&many, "- {event: tag, pipeline: a}\n");
    expect(many.data, "1:1: triggers are a list of at most 1000 mappings\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_on_keys),
        cmocka_unit_test(test_on_errors),
        cmocka_unit_test(test_text_errors),
        cmocka_unit_test(test_not_of_a_job),
        cmocka_unit_test(test_not_kept),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_triggers),
        cmocka_unit_test(test_trigger_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
