/* pipelines/trigger.h - which events of a Git host mean which pipeline. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_TRIGGER_H
#define PIPELINES_TRIGGER_H

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/yaml_tree.h"
#include "pipelines/diag.h"

#include <stdbool.h>

/*
 * A trigger is an item of the configuration's `triggers:`, which names a
 * pipeline, or what `on:` of a pipeline in .berth/ says of itself:
 *
 *   on: change                    # or push, tag; or a list of these
 *   on:
 *     change:
 *       types: [opened, updated, reopened, ready, merge_group]  # also labeled;
 *                                     # these if left out
 *       branches: [main, "v*"]     # that it goes into; any if left out
 *       paths: ["**", "!*.md"]     # one changed file must fit; the last
 *                                  # pattern that fits a file decides
 *       labels: [review]              # one of these is on it
 *       drafts: false                 # whether drafts count; false
 *       authors: ["*", "!*[bot]"]     # of the change
 *       forks: true                   # whether strangers' changes count; true
 *     push: {branches: [...], paths: [...]}
 *     tag: {tags: ["v*"]}
 *
 *   triggers:                         # of the configuration
 *     - event: change                 # or push, tag; or a list
 *       repos: ["**", "!acme/old"]    # any if left out
 *       forge: github                 # or gitlab, gitea; any if left out
 *       pipeline: test                # as in a job document; or a list
 *       ...                           # and the keys above
 *
 * Patterns of repositories, branches, tags and paths are those of base/glob.h,
 * with dots as any byte; in authors and labels `*` is any text, all else
 * itself, and case does not count. With `!` a pattern takes away from those
 * before it, so the first has none; `labels` have none at all. What is said of
 * the people behind a change (drafts, labels, authors, forks) does not count
 * for a merge_group: all that is in one was let in already.
 */
#define TRIGGER_MAX           1000 /* of a list */
#define TRIGGER_MAX_PIPELINES 10   /* of an item */
#define TRIGGER_MAX_PATTERNS  50   /* of a key */

enum trigger_event {
    TRIGGER_OPENED = 1U << 0,
    TRIGGER_UPDATED = 1U << 1,
    TRIGGER_REOPENED = 1U << 2,
    TRIGGER_READY = 1U << 3,
    TRIGGER_LABELED = 1U << 4,
    TRIGGER_PUSH = 1U << 5,
    TRIGGER_TAG = 1U << 6,
    TRIGGER_MERGE_GROUP = 1U << 7,
};
/** Of a change, unless it says which. */
#define TRIGGER_CHANGE                                                         \
    (TRIGGER_OPENED | TRIGGER_UPDATED | TRIGGER_REOPENED | TRIGGER_READY |     \
     TRIGGER_MERGE_GROUP)

struct trigger {
    unsigned events;       /* of enum trigger_event */
    bool drafts, forks;    /* whether these count: false, true if left out */
    char *forge;           /* owned; NULL: any */
    struct strv pipelines; /* of the configuration's: names, or paths */
    struct strv repos;     /* patterns, with their `!`; none: any, as with all
                              that follow */
    struct strv branches, tags, paths, labels, authors;
};

struct trigger_list {
    struct trigger *items; /* owned */
    size_t count;
};

/** What happened; all borrowed, strings never NULL. */
struct trigger_facts {
    enum trigger_event event;
    const char *forge;  /* "github" … */
    const char *repo;   /* owner/name */
    const char *branch; /* that the change goes into, or that was pushed */
    const char *tag;
    const char *author;
    bool is_draft, is_fork;
    const char *const *labels;
    size_t label_count;
    const char *const *paths; /* that changed; NULL: not known */
    size_t path_count;
};

enum trigger_verdict {
    TRIGGER_NO, /* `*out_why` says why: "a draft", "another branch" … */
    TRIGGER_YES,
    TRIGGER_NEEDS_PATHS, /* all else fits: ask which files changed */
};

/** `out_why` NULL is fine; what it gets is static. */
enum trigger_verdict trigger_match(const struct trigger *trigger,
                                   const struct trigger_facts *facts,
                                   const char **out_why);

/**
 * The configuration's list, a part of the document `tree`; node NULL, or
 * nothing: an empty one. Returns 0 and `*out`, owned by the caller; -1 after
 * all errors were reported.
 */
MUST_USE int trigger_list_load(const struct yaml_tree *tree,
                               const struct yaml_node *node,
                               yaml_error_fn *on_error, void *arg,
                               struct trigger_list **out);
/**
 * What the text of a pipeline says under `on:`, read on its own: that the rest
 * is a pipeline is not asked, only that it is YAML. An item an event, without
 * pipelines; an empty list: it has no `on:`. `file` names it in messages; -1
 * with every error in `diags`.
 */
MUST_USE int trigger_list_of_text(const char *file, const char *text,
                                  size_t len, struct diag_list *diags,
                                  struct trigger_list **out);
/**
 * What holds for a repository where no pipeline has `on:`, while the
 * configuration has no triggers: changes that are no drafts and of no bots, for
 * the pipeline `test`. Static.
 */
const struct trigger_list *trigger_defaults(void);

void trigger_list_free(struct trigger_list *list);
OWNER(trigger_list)

#endif
