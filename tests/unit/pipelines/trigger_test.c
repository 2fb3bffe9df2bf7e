/* tests/unit/pipelines/trigger_test.c - which event fits a trigger. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/trigger.h"
#include "tests/lib/unit.h"

#include <string.h>

static void on_error(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    (void)hint;
    fail_msg("%s:%u:%u: %s", (const char *)arg, pos.line, pos.column, message);
}

static struct trigger_list *load_good(char *text)
{
    CLEANUP(yaml_tree)
    struct yaml_tree *tree =
        yaml_tree_parse(text, strlen(text), on_error, text);
    struct trigger_list *list = NULL;

    assert_int_equal(
        trigger_list_load(tree, yaml_tree_root(tree), on_error, text, &list),
        0);
    return list;
}

static const char *const labels[] = {"Review", "size/XL"};
static const char *const changed[] = {"src/a.c", "docs/b.md",
                                      ".github/workflows/x.yml"};

static struct trigger_facts facts_of(enum trigger_event event)
{
    return (struct trigger_facts){
        .event = event,
        .forge = "github",
        .repo = "acme/site",
        .branch = event == TRIGGER_TAG ? "" : "release/1.2",
        .tag = event == TRIGGER_TAG ? "v1.2" : "",
        .author = "Ann",
        .labels = labels,
        .label_count = ARRAY_LEN(labels),
        .paths = changed,
        .path_count = ARRAY_LEN(changed),
    };
}

/* "yes", "paths?", or why not. */
static const char *verdict(const char *keys, const struct trigger_facts *facts)
{
    CLEANUP(mem)
    char *text = xasprintf("- {pipeline: test, %s}\n", keys);
    CLEANUP(trigger_list) struct trigger_list *list = load_good(text);
    const char *why = "yes";

    switch (trigger_match(list->items, facts, &why)) {
    case TRIGGER_NEEDS_PATHS:
        assert_string_equal(why, "yes");
        return "paths?";
    case TRIGGER_YES:
        assert_string_equal(why, "yes");
        break;
    case TRIGGER_NO:
        assert_string_not_equal(why, "yes");
        assert_int_equal(trigger_match(list->items, facts, NULL), TRIGGER_NO);
        break;
    }
    return why;
}

static const struct {
    const char *keys;
    enum trigger_event event;
    const char *wanted;
} verdicts[] = {
    {"event: change", TRIGGER_OPENED, "yes"},
    {"event: change", TRIGGER_UPDATED, "yes"},
    {"event: change", TRIGGER_REOPENED, "yes"},
    {"event: change", TRIGGER_READY, "yes"},
    {"event: change", TRIGGER_MERGE_GROUP, "yes"},
    {"event: change", TRIGGER_LABELED, "another event"},
    {"event: change", TRIGGER_PUSH, "another event"},
    {"event: change", TRIGGER_TAG, "another event"},
    {"event: [change, tag], types: labeled", TRIGGER_LABELED, "yes"},
    {"event: [change, tag], types: labeled", TRIGGER_OPENED, "another event"},
    {"event: [change, tag], types: labeled", TRIGGER_MERGE_GROUP,
     "another event"},
    {"event: [change, tag], types: labeled", TRIGGER_TAG, "yes"},
    {"event: push", TRIGGER_PUSH, "yes"},
    {"event: tag", TRIGGER_TAG, "yes"},
    {"event: tag", TRIGGER_PUSH, "another event"},

    {"event: push, forge: github", TRIGGER_PUSH, "yes"},
    {"event: push, forge: gitlab", TRIGGER_PUSH, "another host"},
    {"event: push, repos: acme/site", TRIGGER_PUSH, "yes"},
    {"event: push, repos: 'acme/*'", TRIGGER_PUSH, "yes"},
    {"event: push, repos: '*'", TRIGGER_PUSH, "another repository"},
    {"event: push, repos: ['**', '!acme/site']", TRIGGER_PUSH,
     "another repository"},
    {"event: push, repos: ['**', '!acme/*', acme/site]", TRIGGER_PUSH, "yes"},

    {"event: change, branches: main", TRIGGER_OPENED, "another branch"},
    {"event: change, branches: [main, 'release/*']", TRIGGER_OPENED, "yes"},
    {"event: change, branches: 'rel*'", TRIGGER_OPENED, "another branch"},
    {"event: change, branches: ['**', '!release/**']", TRIGGER_MERGE_GROUP,
     "another branch"},
    {"event: push, branches: 'release/1.[0-4]'", TRIGGER_PUSH, "yes"},
    {"event: [push, tag], branches: main", TRIGGER_PUSH, "another branch"},
    {"event: [push, tag], branches: main", TRIGGER_TAG, "yes"},
    {"event: [push, tag], tags: x", TRIGGER_PUSH, "yes"},
    {"event: [push, tag], tags: x", TRIGGER_TAG, "another tag"},
    {"event: tag, tags: [v1, 'v1.*']", TRIGGER_TAG, "yes"},

    {"event: change, authors: ann", TRIGGER_OPENED, "yes"},
    {"event: change, authors: 'a*n*'", TRIGGER_OPENED, "yes"},
    {"event: change, authors: bob", TRIGGER_OPENED, "another author"},
    {"event: change, authors: ['*', '!ANN']", TRIGGER_OPENED, "another author"},
    {"event: change, authors: an", TRIGGER_OPENED, "another author"},
    {"event: change, authors: '[A]nn'", TRIGGER_OPENED, "another author"},
    {"event: change, authors: bob", TRIGGER_MERGE_GROUP, "yes"},
    {"event: [change, push], authors: bob", TRIGGER_PUSH, "yes"},
    {"event: change, labels: review", TRIGGER_OPENED, "yes"},
    {"event: change, labels: [x, 'size/*']", TRIGGER_OPENED, "yes"},
    {"event: change, labels: [x, 'size']", TRIGGER_OPENED, "no such label"},
    {"event: change, labels: [x]", TRIGGER_MERGE_GROUP, "yes"},

    {"event: change, paths: 'src/**'", TRIGGER_OPENED, "yes"},
    {"event: change, paths: '*'", TRIGGER_OPENED, "no such path"},
    {"event: change, paths: '.github/**'", TRIGGER_OPENED, "yes"},
    {"event: change, paths: '**/*.yml'", TRIGGER_OPENED, "yes"},
    {"event: change, paths: ['**', '!src/**']", TRIGGER_OPENED, "yes"},
    {"event: change, paths: ['**', '!src/**', '!**/*.md', '!.github/**']",
     TRIGGER_OPENED, "no such path"},
    {"event: change, paths: ['**', '!**', docs/b.md]", TRIGGER_OPENED, "yes"},
    {"event: push, paths: src", TRIGGER_PUSH, "no such path"},
    {"event: [push, tag], paths: src", TRIGGER_TAG, "yes"},
    {"event: change, paths: x", TRIGGER_MERGE_GROUP, "no such path"},
};

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        const struct trigger_facts facts = facts_of(verdicts[i].event);
        const char *got = verdict(verdicts[i].keys, &facts);

        if (strcmp(got, verdicts[i].wanted) != 0)
            fail_msg("%s: %s, not %s", verdicts[i].keys, got,
                     verdicts[i].wanted);
    }
}

static void test_people(void **state)
{
    struct trigger_facts facts = facts_of(TRIGGER_UPDATED);

    (void)state;
    facts.is_draft = true;
    assert_string_equal(verdict("event: change", &facts), "a draft");
    assert_string_equal(verdict("event: change, drafts: true", &facts), "yes");
    facts.is_draft = false;
    facts.is_fork = true;
    assert_string_equal(verdict("event: change", &facts), "yes");
    assert_string_equal(verdict("event: change, forks: false", &facts),
                        "from a fork");
    facts.event = TRIGGER_MERGE_GROUP;
    facts.is_draft = true;
    assert_string_equal(verdict("event: change, forks: false", &facts), "yes");
    facts = facts_of(TRIGGER_OPENED);
    facts.labels = NULL;
    facts.label_count = 0;
    assert_string_equal(verdict("event: change", &facts), "yes");
    assert_string_equal(verdict("event: change, labels: '*'", &facts),
                        "no such label");
}

/* Asked for only where nothing else stands in the way. */
static void test_paths_unknown(void **state)
{
    struct trigger_facts facts = facts_of(TRIGGER_OPENED);

    (void)state;
    facts.paths = NULL;
    facts.path_count = 0;
    assert_string_equal(verdict("event: change, paths: x", &facts), "paths?");
    assert_string_equal(verdict("event: change", &facts), "yes");
    assert_string_equal(verdict("event: change, paths: x, branches: y", &facts),
                        "another branch");
    assert_string_equal(verdict("event: change, paths: x, authors: y", &facts),
                        "another author");
    facts.paths = changed;
    assert_string_equal(verdict("event: change, paths: '**'", &facts),
                        "no such path");
    facts = facts_of(TRIGGER_TAG);
    facts.paths = NULL;
    assert_string_equal(verdict("event: [push, tag], paths: x", &facts), "yes");
}

static void test_defaults(void **state)
{
    const struct trigger_list *list = trigger_defaults();
    struct trigger_facts facts = facts_of(TRIGGER_OPENED);
    const char *why = NULL;

    (void)state;
    assert_int_equal(list->count, 1);
    assert_int_equal(list->items[0].pipelines.count, 1);
    assert_string_equal(list->items[0].pipelines.items[0], "test");
    facts.is_fork = true;
    assert_int_equal(trigger_match(list->items, &facts, &why), TRIGGER_YES);
    facts.author = "renovate[bot]";
    assert_int_equal(trigger_match(list->items, &facts, &why), TRIGGER_NO);
    assert_string_equal(why, "another author");
    facts.author = "bot";
    assert_int_equal(trigger_match(list->items, &facts, &why), TRIGGER_YES);
    facts.is_draft = true;
    assert_int_equal(trigger_match(list->items, &facts, &why), TRIGGER_NO);
    assert_string_equal(why, "a draft");
    facts = facts_of(TRIGGER_PUSH);
    assert_int_equal(trigger_match(list->items, &facts, &why), TRIGGER_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_people),
        cmocka_unit_test(test_paths_unknown),
        cmocka_unit_test(test_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
