/* pipelines/trigger_load.c - `on` of a pipeline, `triggers` of a host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/glob.h"
#include "pipelines/job_load.h"
#include "pipelines/trigger.h"

#include <stdlib.h>
#include <string.h>

/* What somebody says an event is; of a change there are several. */
enum family { CHANGE = 1U << 0, PUSH = 1U << 1, TAG = 1U << 2 };

#define FAMILIES 3

static const char *const family_words[FAMILIES + 1] = {"change", "push", "tag",
                                                       NULL};
static const unsigned family_events[FAMILIES] = {TRIGGER_CHANGE, TRIGGER_PUSH,
                                                 TRIGGER_TAG};

/* One on its way: its keys come in any order. */
struct draft {
    struct trigger *trigger; /* borrowed */
    unsigned families;
    unsigned types; /* of a change; 0: not said */
};

/* ---- words -------------------------------------------------------------- */

static const struct foreign_word foreign_events[] = {
    {"pull_request", "write change"},
    {"pull_request_target", "write change"},
    {"merge_request", "write change"},
    {"merge_requests", "write change"},
    {"merge_group", "write change: it is one of its types"},
    {"branches", "write push: {branches: […]}"},
    {"tags", "write tag: {tags: […]}"},
    {"release", "write tag"},
    {"create", "write push, or tag"},
    {"schedule", "schedules are in the configuration of the scheduler"},
    {"workflow_dispatch", "every pipeline can be started by berth submit"},
    {"issue_comment", "what a comment asks for is not said in a pipeline"},
};

static const struct foreign_word foreign_types[] = {
    {"synchronize", "write updated"},
    {"synchronized", "write updated"},
    {"update", "write updated"},
    {"open", "write opened"},
    {"reopen", "write reopened"},
    {"ready_for_review", "write ready"},
    {"labelled", "write labeled"},
    {"closed", "nothing starts when a change is closed"},
};

/* As load_word(), with advice for the words of others. */
static bool load_own_word(struct loader *l, const struct yaml_node *node,
                          const char *const *words,
                          const struct foreign_word *foreign, size_t count,
                          size_t *out)
{
    for (size_t i = 0; node->kind == NODE_STRING && i < count; i++)
        if (!strcmp(foreign[i].word, node->text)) {
            load_fail(l, node, NULL, "'%s' is not known: %s", node->text,
                      foreign[i].advice);
            return false;
        }
    return load_word(l, node, words, out);
}

static void set_once(struct loader *l, const struct yaml_node *node,
                     unsigned bit, unsigned *bits)
{
    if (*bits & bit)
        load_fail(l, node, NULL, "'%.60s' is there twice", node->text);
    *bits |= bit;
}

static void load_event(struct loader *l, const struct yaml_node *node,
                       void *target)
{
    size_t i;

    if (load_own_word(l, node, family_words, foreign_events,
                      ARRAY_LEN(foreign_events), &i))
        set_once(l, node, 1U << i, target);
}

static void load_type(struct loader *l, const struct yaml_node *node,
                      void *target)
{
    static const char *const words[] = {"opened", "updated", "reopened",
                                        "ready",  "labeled", "merge_group",
                                        NULL};
    static const unsigned bits[] = {TRIGGER_OPENED,   TRIGGER_UPDATED,
                                    TRIGGER_REOPENED, TRIGGER_READY,
                                    TRIGGER_LABELED,  TRIGGER_MERGE_GROUP};
    size_t i;

    if (load_own_word(l, node, words, foreign_types, ARRAY_LEN(foreign_types),
                      &i))
        set_once(l, node, bits[i], target);
}

static void load_types(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    (void)load_each(l, value, 6, "types", load_type,
                    &((struct draft *)target)->types);
}

/* ---- patterns ----------------------------------------------------------- */

static void load_glob(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    const char *problem;

    if (!load_is_line(l, value, LOAD_MAX_PATH))
        return;
    problem = glob_problem(value->text + (*value->text == '!'));
    if (strstr(value->text, "${{"))
        problem = "${{ }} is not expanded here";
    if (problem)
        load_fail(l, value, NULL, "no pattern: %s", problem);
    else
        strv_add(target, value->text);
}

static void load_author(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    if (!load_is_line(l, value, LOAD_MAX_NAME))
        return;
    if (!strcmp(value->text, "!"))
        load_fail(l, value, NULL, "no pattern: it is empty");
    else
        strv_add(target, value->text);
}

static void load_label(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    if (!load_is_line(l, value, LOAD_MAX_NAME))
        return;
    if (*value->text == '!')
        load_fail(l, value, NULL, "labels say what must be there, without '!'");
    else
        strv_add(target, value->text);
}

/* A list, or one. Of what is taken away there must be something before. */
static void load_list(struct loader *l, const struct yaml_node *value,
                      load_fn *one, const char *all, struct strv *list)
{
    const struct yaml_node *first = value;

    if (value->kind == NODE_LIST && value->count)
        first = value->items[0];
    (void)load_each(l, value, TRIGGER_MAX_PATTERNS, "patterns", one, list);
    if (all && first->kind == NODE_STRING && *first->text == '!')
        load_fail(l, first, NULL,
                  "a pattern with '!' takes away from those before it: begin "
                  "with \"%s\"",
                  all);
}

static void load_repos(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    load_list(l, value, load_glob, "**",
              &((struct draft *)target)->trigger->repos);
}

static void load_branches(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    load_list(l, value, load_glob, "**",
              &((struct draft *)target)->trigger->branches);
}

static void load_tags(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    load_list(l, value, load_glob, "**",
              &((struct draft *)target)->trigger->tags);
}

static void load_paths(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    load_list(l, value, load_glob, "**",
              &((struct draft *)target)->trigger->paths);
}

static void load_trigger_labels(struct loader *l, const struct yaml_node *value,
                                void *target)
{
    load_list(l, value, load_label, NULL,
              &((struct draft *)target)->trigger->labels);
}

static void load_authors(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    load_list(l, value, load_author, "*",
              &((struct draft *)target)->trigger->authors);
}

static void load_drafts(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    (void)load_bool(l, value, &((struct draft *)target)->trigger->drafts);
}

static void load_forks(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    (void)load_bool(l, value, &((struct draft *)target)->trigger->forks);
}

/* ---- one trigger -------------------------------------------------------- */

static void begin(struct draft *draft, struct trigger *trigger)
{
    *draft = (struct draft){.trigger = trigger};
    trigger->forks = true;
}

static void finish(const struct draft *draft)
{
    unsigned *events = &draft->trigger->events;

    for (size_t i = 0; i < FAMILIES; i++)
        if (draft->families & 1U << i)
            *events |= family_events[i];
    if (draft->families & CHANGE && draft->types)
        *events = (*events & ~(unsigned)TRIGGER_CHANGE) | draft->types;
}

static const struct foreign_word foreign_keys[] = {
    {"branches-ignore", "write branches: [\"**\", \"!…\"]"},
    {"tags-ignore", "write tags: [\"**\", \"!…\"]"},
    {"paths-ignore", "write paths: [\"**\", \"!…\"]"},
    {"paths_ignore", "write paths: [\"**\", \"!…\"]"},
    {"changes", "write paths"},
    {"target", "write branches"},
    {"actions", "write types"},
    {"if", "steps have conditions, and jobs"},
};

#define ON_RULES(name, keys)                                                   \
    {                                                                          \
        name, keys, ARRAY_LEN(keys), foreign_keys, ARRAY_LEN(foreign_keys)     \
    }

static const struct key_rule change_keys[] = {
    {"types", load_types, false, 0},
    {"branches", load_branches, false, 0},
    {"paths", load_paths, false, 0},
    {"labels", load_trigger_labels, false, 0},
    {"drafts", load_drafts, false, 0},
    {"authors", load_authors, false, 0},
    {"forks", load_forks, false, 0},
};

static const struct key_rule push_keys[] = {
    {"branches", load_branches, false, 0},
    {"paths", load_paths, false, 0},
};

static const struct key_rule tag_keys[] = {
    {"tags", load_tags, false, 0},
};

static const struct map_rules family_rules[FAMILIES] = {
    ON_RULES("on.change", change_keys),
    ON_RULES("on.push", push_keys),
    ON_RULES("on.tag", tag_keys),
};

/* ---- on ----------------------------------------------------------------- */

/* `value` NULL, or nothing: without any condition. */
static void load_family(struct loader *l, size_t family,
                        const struct yaml_node *value,
                        struct trigger_list *list)
{
    struct draft draft;

    begin(&draft, &list->items[list->count++]);
    draft.families = 1U << family;
    if (value && value->kind != NODE_NULL)
        load_map(l, value, &family_rules[family], 0, &draft);
    finish(&draft);
}

static void load_on_change(struct loader *l, const struct yaml_node *value,
                           void *target)
{
    load_family(l, 0, value, target);
}

static void load_on_push(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    load_family(l, 1, value, target);
}

static void load_on_tag(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    load_family(l, 2, value, target);
}

static const struct key_rule on_keys[] = {
    {"change", load_on_change, false, 0},
    {"push", load_on_push, false, 0},
    {"tag", load_on_tag, false, 0},
};

static const struct map_rules on_rules = {
    "on",
    on_keys,
    ARRAY_LEN(on_keys),
    foreign_events,
    ARRAY_LEN(foreign_events),
};

/* A word, or a list of them. */
static void load_on_words(struct loader *l, const struct yaml_node *value,
                          struct trigger_list *list)
{
    unsigned families = 0;

    (void)load_each(l, value, FAMILIES, "events", load_event, &families);
    for (size_t i = 0; i < FAMILIES; i++)
        if (families & 1U << i)
            load_family(l, i, NULL, list);
}

void load_on(struct loader *l, const struct yaml_node *value, void *target)
{
    CLEANUP(trigger_list) struct trigger_list *own = xcalloc(1, sizeof(*own));
    struct trigger_list *list = target ? target : own;

    /* Each at most once: keys are unique, and words told apart. */
    list->items = xcalloc(FAMILIES, sizeof(*list->items));
    if (value->kind != NODE_MAP)
        load_on_words(l, value, list);
    else if (!value->count)
        load_fail(l, value, NULL, "on names an event: change, push or tag");
    else
        load_map(l, value, &on_rules, 0, list);
}

static void add_diag(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    diag_list_add(arg, pos.line, pos.column, hint, "%s", message);
}

int trigger_list_of_text(const char *file, const char *text, size_t len,
                         struct diag_list *diags, struct trigger_list **out)
{
    CLEANUP(trigger_list) struct trigger_list *list = xcalloc(1, sizeof(*list));
    CLEANUP(yaml_tree) struct yaml_tree *tree = NULL;
    struct loader l = {.on_error = add_diag, .arg = diags};
    const struct yaml_node *on;

    diag_list_set_source(diags, file, text, len);
    tree = yaml_tree_parse(text, len, add_diag, diags);
    if (!tree)
        return -1;
    l.tree = tree;
    on = yaml_node_get(yaml_tree_root(tree), "on");
    if (on)
        load_on(&l, on, list);
    if (l.failed || !yaml_tree_is_sound(tree))
        return -1;
    *out = STEAL(list);
    return 0;
}

/* ---- triggers ----------------------------------------------------------- */

static void load_events(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    (void)load_each(l, value, FAMILIES, "events", load_event,
                    &((struct draft *)target)->families);
}

static void load_forge(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    static const char *const words[] = {"github", "gitlab", "gitea", NULL};
    static const struct foreign_word foreign[] = {{"forgejo", "write gitea"}};
    struct trigger *trigger = ((struct draft *)target)->trigger;
    size_t i;

    if (!load_own_word(l, value, words, foreign, ARRAY_LEN(foreign), &i))
        return;
    free(trigger->forge);
    trigger->forge = xstrdup(words[i]);
}

static void load_pipeline(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    struct strv *names = target;

    if (!job_is_pipeline_name(l, value))
        return;
    for (size_t i = 0; i < names->count; i++)
        if (!strcmp(names->items[i], value->text)) {
            load_fail(l, value, NULL, "'%.60s' is there twice", value->text);
            return;
        }
    strv_add(names, value->text);
}

static void load_pipelines(struct loader *l, const struct yaml_node *value,
                           void *target)
{
    (void)load_each(l, value, TRIGGER_MAX_PIPELINES, "pipelines", load_pipeline,
                    &((struct draft *)target)->trigger->pipelines);
}

static const struct key_rule trigger_keys[] = {
    {"event", load_events, true, 0},
    {"pipeline", load_pipelines, true, 0},
    {"repos", load_repos, false, 0},
    {"forge", load_forge, false, 0},
    {"types", load_types, false, 0},
    {"branches", load_branches, false, 0},
    {"tags", load_tags, false, 0},
    {"paths", load_paths, false, 0},
    {"labels", load_trigger_labels, false, 0},
    {"drafts", load_drafts, false, 0},
    {"authors", load_authors, false, 0},
    {"forks", load_forks, false, 0},
};

static const struct foreign_word trigger_foreign[] = {
    {"on", "write event"},
    {"events", "write event"},
    {"repo", "write repos"},
    {"repository", "write repos"},
    {"host", "write forge"},
    {"pipelines", "write pipeline"},
    {"kind", "write pipeline"},
    {"job", "write pipeline"},
    {"paths-ignore", "write paths: [\"**\", \"!…\"]"},
    {"branches-ignore", "write branches: [\"**\", \"!…\"]"},
};

static const struct map_rules trigger_rules = {
    "a trigger",
    trigger_keys,
    ARRAY_LEN(trigger_keys),
    trigger_foreign,
    ARRAY_LEN(trigger_foreign),
};

static bool family_has(size_t family, const char *key)
{
    const struct map_rules *rules = &family_rules[family];

    for (size_t i = 0; i < rules->key_count; i++)
        if (!strcmp(rules->keys[i].key, key))
            return true;
    return false;
}

/* A key that no event of the trigger looks at. */
static void check_keys(struct loader *l, const struct yaml_node *node,
                       unsigned families)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *key = node->entries[i].key;
        bool known = false, used = false;

        for (size_t f = 0; f < FAMILIES; f++)
            if (family_has(f, key->text)) {
                known = true;
                used |= families & 1U << f;
            }
        if (known && !used)
            load_fail(l, key, NULL,
                      "'%s' has no meaning for any event of this trigger",
                      key->text);
    }
}

static void load_trigger(struct loader *l, const struct yaml_node *node,
                         struct trigger *trigger)
{
    struct draft draft;

    begin(&draft, trigger);
    load_map(l, node, &trigger_rules, 0, &draft);
    if (draft.families && node->kind == NODE_MAP)
        check_keys(l, node, draft.families);
    finish(&draft);
}

int trigger_list_load(const struct yaml_tree *tree,
                      const struct yaml_node *node, yaml_error_fn *on_error,
                      void *arg, struct trigger_list **out)
{
    CLEANUP(trigger_list) struct trigger_list *list = xcalloc(1, sizeof(*list));
    struct loader l = {.tree = tree, .on_error = on_error, .arg = arg};

    if (node && node->kind == NODE_LIST && node->count <= TRIGGER_MAX) {
        list->items = xcalloc(node->count + 1, sizeof(*list->items));
        list->count = node->count;
        for (size_t i = 0; i < node->count; i++)
            load_trigger(&l, node->items[i], &list->items[i]);
    } else if (node && node->kind != NODE_NULL) {
        load_fail(&l, node, NULL, "triggers are a list of at most %d mappings",
                  TRIGGER_MAX);
    }
    if (l.failed)
        return -1;
    *out = STEAL(list);
    return 0;
}
