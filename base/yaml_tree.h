/* base/yaml_tree.h - a YAML document as a tree that knows its places. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_YAML_TREE_H
#define BASE_YAML_TREE_H

#include "base/mem.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * YAML 1.2 with its core schema: `yes`, `no`, `on` and `off` are text. Beyond
 * 1.2, a merge key `<<: *anchor` (or a list of them) is understood, since
 * people who use anchors expect it: keys of the mapping itself win, then the
 * earlier source. Refused: the limits below, duplicate keys, keys that are not
 * scalars, tags other than the core ones, directives, several documents,
 * control characters, line breaks other than LF, CR LF and CR.
 */
#define YAML_MAX_BYTES        ((size_t)1 << 20)  /* of a document */
#define YAML_MAX_SCALAR_BYTES ((size_t)64 << 10) /* of one scalar */
#define YAML_MAX_DEPTH        32
#define YAML_MAX_ENTRIES      1000 /* of one mapping */
#define YAML_MAX_ANCHORS      200
/* Values and keys: one for each 4 bytes of the largest document, so that 36 MiB
 * of memory are the most. With every alias written out there may be no more. */
#define YAML_MAX_NODES      (1 << 18)
#define YAML_MAX_TEXT_BYTES ((size_t)4 << 20)

struct yaml_pos {
    unsigned line;   /* from 1; 0 where there is no text (JSON) */
    unsigned column; /* from 1, in characters */
};

enum yaml_kind {
    NODE_NULL,
    NODE_BOOL,
    NODE_INT,
    NODE_FLOAT,
    NODE_STRING,
    NODE_LIST,
    NODE_MAP
};

struct yaml_entry {
    const struct yaml_node *key; /* a scalar */
    const struct yaml_node *value;
};

/** All of it belongs to the tree. What an alias names is shared. */
struct yaml_node {
    enum yaml_kind kind;
    struct yaml_pos pos; /* where it starts; for an alias, its anchor's */
    size_t at;           /* the same in bytes, for scalars */
    const char *text;    /* scalars: as written, no quotes; no NUL within */
    size_t len;          /* of text */
    double number;       /* NODE_INT, NODE_FLOAT; NODE_BOOL: 0 or 1 */
    const struct yaml_node **items;   /* NODE_LIST */
    const struct yaml_entry *entries; /* NODE_MAP */
    size_t count;                     /* of items or entries */
    size_t weight;                    /* nodes, aliases written out */
    size_t weight_bytes;              /* of text, aliases written out */
};

struct yaml_tree;

/** Told of each error, in no certain order; `hint` may be NULL. */
typedef void yaml_error_fn(void *arg, struct yaml_pos pos, const char *message,
                           const char *hint);

/**
 * Parse a document of `len` bytes at `text`, which may be anything at all and
 * is copied. Returns the tree, owned by the caller, also after errors that
 * leave a tree to look for more errors in: then yaml_tree_is_sound() is false
 * (of duplicate keys the first is there, texts are cut). Returns NULL after
 * others, such as wrong syntax. In both cases `on_error` was called.
 */
MUST_USE struct yaml_tree *yaml_tree_parse(const char *text, size_t len,
                                           yaml_error_fn *on_error, void *arg);

/**
 * The same tree from JSON, within the same limits; every position is 0:0. The
 * result does not borrow from `json`.
 */
MUST_USE struct yaml_tree *
yaml_tree_from_json(const json_t *json, yaml_error_fn *on_error, void *arg);

void yaml_tree_free(struct yaml_tree *tree);
OWNER(yaml_tree)

/** Whether nothing was reported. What is not sound must not be used. */
bool yaml_tree_is_sound(const struct yaml_tree *tree);

/** Never NULL; a document without content is NODE_NULL. */
const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree);

/** The value of a key of a mapping, or NULL. */
const struct yaml_node *yaml_node_get(const struct yaml_node *map,
                                      const char *key);

/** "a string", "a list" …: for messages. Static. */
const char *yaml_kind_name(enum yaml_kind kind);

/**
 * Where byte `offset` of a scalar's text stands in the document: exact when
 * the scalar is on one line and free of escapes up to there, or a literal
 * block (`|`); else where the scalar starts.
 */
struct yaml_pos yaml_node_locate(const struct yaml_tree *tree,
                                 const struct yaml_node *node, size_t offset);

#endif
