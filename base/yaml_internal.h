/* base/yaml_internal.h - shared by the files of yaml_tree, nobody else. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_YAML_INTERNAL_H
#define BASE_YAML_INTERNAL_H

#include "base/arena.h"
#include "base/yaml_tree.h"

#include <stdint.h>

struct yaml_tree {
    struct arena *arena; /* owned */
    const struct yaml_node *root;
    const char *text;      /* in the arena, without byte order mark */
    size_t len;            /* of text */
    const uint32_t *lines; /* offset of each line */
    size_t line_count;
    bool sound; /* nothing was reported */
};

/* One tree in the making. */
struct yaml_build {
    struct yaml_tree *tree; /* owned */
    yaml_error_fn *on_error;
    void *arg;
    size_t nodes; /* that were made: aliases are not */
    bool failed;
};

/* Report; the tree will not be sound. Returns -1. */
int yaml_fail(struct yaml_build *build, struct yaml_pos pos, const char *hint,
              const char *fmt, ...) PRINTF_LIKE(4, 5);

MUST_USE struct yaml_tree *yaml_tree_new(void);

/*
 * A scalar's kind and number from its text, by the core schema. False: it is
 * not what the tag says (`tag` is NULL without one).
 */
bool yaml_scalar_resolve(struct yaml_node *node, bool plain, const char *tag);

/* Count a node that is to be made. -1, having reported: it is too many. */
MUST_USE int yaml_count(struct yaml_build *build, struct yaml_pos pos);

/*
 * Add a child's weight to its parent's. -1, having reported at `pos`, when the
 * sum passes a limit.
 */
MUST_USE int yaml_weigh(struct yaml_build *build, struct yaml_node *parent,
                        const struct yaml_node *child, struct yaml_pos pos);

/* Put a document's text into the tree. -1, having reported, for bad bytes. */
MUST_USE int yaml_text_take(struct yaml_build *build, const char *text,
                            size_t len);

/* A line's offset and length (without its break); false past the last. */
bool yaml_text_line(const struct yaml_tree *tree, unsigned line,
                    size_t *out_start, size_t *out_len);

#endif
