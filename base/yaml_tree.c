/* base/yaml_tree.c - a YAML document as a tree that knows its places. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml_tree.h"

#include "base/utf8.h"
#include "base/yaml_internal.h"

#include <stdlib.h>
#include <string.h>

struct yaml_tree *yaml_tree_new(void)
{
    struct yaml_tree *tree = xcalloc(1, sizeof(*tree));

    tree->arena = arena_new();
    return tree;
}

void yaml_tree_free(struct yaml_tree *tree)
{
    if (!tree)
        return;
    arena_free(tree->arena);
    free(tree);
}

int yaml_fail(struct yaml_build *build, struct yaml_pos pos, const char *hint,
              const char *fmt, ...)
{
    CLEANUP(mem) char *message = NULL;
    va_list ap;

    va_start(ap, fmt);
    message = xvasprintf(fmt, ap);
    va_end(ap);
    build->failed = true;
    build->on_error(build->arg, pos, message, hint);
    return -1;
}

static int fail_nodes(struct yaml_build *build, struct yaml_pos pos,
                      const char *aliases)
{
    return yaml_fail(build, pos, NULL,
                     "the document has more than %d values and keys%s",
                     YAML_MAX_NODES, aliases);
}

int yaml_count(struct yaml_build *build, struct yaml_pos pos)
{
    return ++build->nodes > YAML_MAX_NODES ? fail_nodes(build, pos, "") : 0;
}

int yaml_weigh(struct yaml_build *build, struct yaml_node *parent,
               const struct yaml_node *child, struct yaml_pos pos)
{
    /* To blame in YAML: without them yaml_count() comes first, and the text is
     * hardly longer than the document. JSON has none. */
    const char *aliases =
        build->tree->text ? ", with its aliases written out" : "";

    parent->weight += child->weight;
    parent->weight_bytes += child->weight_bytes;
    if (parent->weight > YAML_MAX_NODES)
        return fail_nodes(build, pos, aliases);
    if (parent->weight_bytes > YAML_MAX_TEXT_BYTES)
        return yaml_fail(build, pos, NULL,
                         "the document holds more than 4 MiB of text%s",
                         aliases);
    return 0;
}

bool yaml_tree_is_sound(const struct yaml_tree *tree)
{
    return tree->sound;
}

const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree)
{
    return tree->root;
}

const struct yaml_node *yaml_node_get(const struct yaml_node *map,
                                      const char *key)
{
    for (size_t i = 0; map->kind == NODE_MAP && i < map->count; i++)
        if (!strcmp(map->entries[i].key->text, key))
            return map->entries[i].value;
    return NULL;
}

const char *yaml_kind_name(enum yaml_kind kind)
{
    static const char *const names[] = {
        [NODE_NULL] = "nothing",    [NODE_BOOL] = "true or false",
        [NODE_INT] = "a number",    [NODE_FLOAT] = "a number",
        [NODE_STRING] = "a string", [NODE_LIST] = "a list",
        [NODE_MAP] = "a mapping",
    };

    return names[kind];
}

/* ---- places inside a scalar ---------------------------------------------- */

/* On the line where the scalar starts, plain or behind one quote. */
static void locate_inline(const struct yaml_tree *tree,
                          const struct yaml_node *node, size_t offset,
                          struct yaml_pos *out)
{
    char first = tree->text[node->at];
    size_t quote = first == '\'' || first == '"';

    if (offset > tree->len - node->at - quote ||
        memcmp(tree->text + node->at + quote, node->text, offset) != 0)
        return;
    out->column +=
        (unsigned)(quote + utf8_count(tree->text + node->at + quote, offset));
}

/* A literal block: its lines follow, each behind the same indentation. */
static void locate_block(const struct yaml_tree *tree,
                         const struct yaml_node *node, size_t offset,
                         struct yaml_pos *out)
{
    size_t first = 0, line_len, start, len;
    unsigned down = 1;

    for (size_t i = 0; i < offset; i++)
        if (node->text[i] == '\n') {
            first = i + 1;
            down++;
        }
    line_len = strcspn(node->text + first, "\n");
    if (!yaml_text_line(tree, node->pos.line + down, &start, &len) ||
        line_len > len ||
        memcmp(tree->text + start + len - line_len, node->text + first,
               line_len) != 0)
        return;
    out->line = node->pos.line + down;
    out->column = (unsigned)utf8_count(tree->text + start,
                                       len - line_len + offset - first) +
                  1;
}

struct yaml_pos yaml_node_locate(const struct yaml_tree *tree,
                                 const struct yaml_node *node, size_t offset)
{
    struct yaml_pos pos = node->pos;

    if (!pos.line || !node->len || offset > node->len || node->at >= tree->len)
        return pos;
    if (tree->text[node->at] == '|')
        locate_block(tree, node, offset, &pos);
    else
        locate_inline(tree, node, offset, &pos);
    return pos;
}

/* ---- from JSON ------------------------------------------------------------
 */

static const struct yaml_pos nowhere = {0, 0};

static struct yaml_node *json_node(struct yaml_build *build, const json_t *json,
                                   unsigned depth);

static struct yaml_node *node_new(struct yaml_build *build, enum yaml_kind kind)
{
    struct yaml_node *node = arena_alloc(build->tree->arena, sizeof(*node));

    node->kind = kind;
    node->text = "";
    node->weight = 1;
    return node;
}

static struct yaml_node *scalar_node(struct yaml_build *build,
                                     enum yaml_kind kind, const char *text)
{
    struct yaml_node *node = node_new(build, kind);

    node->len = strlen(text);
    node->weight_bytes = node->len;
    if (node->len > YAML_MAX_SCALAR_BYTES)
        (void)yaml_fail(build, nowhere, NULL, "a text longer than 64 KiB");
    node->text = arena_strndup(build->tree->arena, text, node->len);
    return node;
}

static struct yaml_node *json_scalar(struct yaml_build *build,
                                     const json_t *json)
{
    CLEANUP(mem) char *text = NULL;
    struct yaml_node *node;

    switch (json_typeof(json)) {
    case JSON_STRING:
        return scalar_node(build, NODE_STRING, json_string_value(json));
    case JSON_TRUE:
    case JSON_FALSE:
        node = scalar_node(build, NODE_BOOL,
                           json_is_true(json) ? "true" : "false");
        node->number = json_is_true(json);
        return node;
    case JSON_INTEGER:
    case JSON_REAL:
        text = json_dumps(json, JSON_ENCODE_ANY);
        node = scalar_node(build, json_is_integer(json) ? NODE_INT : NODE_FLOAT,
                           text);
        node->number = json_number_value(json);
        return node;
    default:
        return scalar_node(build, NODE_NULL, "");
    }
}

static struct yaml_node *json_list(struct yaml_build *build, const json_t *json,
                                   unsigned depth)
{
    struct yaml_node *list = node_new(build, NODE_LIST);

    for (size_t i = 0; i < json_array_size(json); i++) {
        struct yaml_node *item =
            json_node(build, json_array_get(json, i), depth + 1);

        if (!item || yaml_weigh(build, list, item, nowhere) < 0)
            return NULL;
        list->items = arena_grow(build->tree->arena, list->items, i,
                                 sizeof(const struct yaml_node *));
        list->items[list->count++] = item;
    }
    return list;
}

static struct yaml_node *json_map(struct yaml_build *build, const json_t *json,
                                  unsigned depth)
{
    struct yaml_node *map = node_new(build, NODE_MAP);
    struct yaml_entry *entries = NULL;
    void *it = json_object_iter((json_t *)(uintptr_t)json);

    for (; it; it = json_object_iter_next((json_t *)(uintptr_t)json, it)) {
        struct yaml_node *key =
            scalar_node(build, NODE_STRING, json_object_iter_key(it));
        struct yaml_node *value =
            json_node(build, json_object_iter_value(it), depth + 1);

        if (!value || yaml_weigh(build, map, key, nowhere) < 0 ||
            yaml_weigh(build, map, value, nowhere) < 0)
            return NULL;
        entries = arena_grow(build->tree->arena, entries, map->count,
                             sizeof(*entries));
        entries[map->count++] = (struct yaml_entry){key, value};
    }
    map->entries = entries;
    return map;
}

static struct yaml_node *json_node(struct yaml_build *build, const json_t *json,
                                   unsigned depth)
{
    if (depth > YAML_MAX_DEPTH) {
        (void)yaml_fail(build, nowhere, NULL, "nested deeper than %d levels",
                        YAML_MAX_DEPTH);
        return NULL;
    }
    if (json_is_array(json))
        return json_list(build, json, depth);
    if (json_is_object(json))
        return json_map(build, json, depth);
    return json_scalar(build, json);
}

struct yaml_tree *yaml_tree_from_json(const json_t *json,
                                      yaml_error_fn *on_error, void *arg)
{
    CLEANUP(yaml_tree) struct yaml_tree *tree = yaml_tree_new();
    struct yaml_build build = {tree, on_error, arg, 0, false};

    tree->root = json_node(&build, json, 1);
    tree->sound = !build.failed;
    return tree->root ? STEAL(tree) : NULL;
}
