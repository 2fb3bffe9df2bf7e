/* base/yaml_parse.c - libyaml's events into a tree. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "base/yaml_internal.h"

#include <string.h>
#include <yaml.h>

struct anchor {
    const char *name;
    const struct yaml_node *node; /* NULL while it is being built */
};

struct reader {
    struct yaml_build build;
    yaml_parser_t parser;
    struct anchor *anchors; /* in the arena */
    size_t anchor_count;
    unsigned depth;
    struct yaml_pos walked; /* where byte_of() was last */
    size_t walked_at;
};

static struct yaml_pos pos_of(const yaml_mark_t *mark)
{
    return (struct yaml_pos){(unsigned)mark->line + 1,
                             (unsigned)mark->column + 1};
}

/* ---- errors of syntax -----------------------------------------------------
 */

static bool tab_indents(const struct yaml_tree *tree, struct yaml_pos *pos)
{
    size_t start, len, blank;
    const char *tab;

    if (!yaml_text_line(tree, pos->line, &start, &len))
        return false;
    blank = strspn(tree->text + start, " \t");
    tab = memchr(tree->text + start, '\t', blank);
    if (!tab)
        return false;
    pos->column = (unsigned)(tab - (tree->text + start)) + 1;
    return true;
}

static int fail_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    struct yaml_pos pos = pos_of(&p->problem_mark);
    const char *problem = p->problem ? p->problem : "not YAML";

    if (tab_indents(r->build.tree, &pos))
        return yaml_fail(&r->build, pos, NULL,
                         "a tab indents this line; YAML wants spaces");
    if (!strcmp(problem, "mapping values are not allowed in this context"))
        return yaml_fail(&r->build, pos, NULL,
                         "a ': ' inside a text; put the text in quotes, or "
                         "check the indentation");
    if (!strcmp(problem, "found character that cannot start any token"))
        return yaml_fail(&r->build, pos, NULL,
                         "a text cannot start with this character; put it "
                         "in quotes");
    if (p->context && p->context_mark.line + 1 != pos.line)
        return yaml_fail(&r->build, pos, NULL, "%s %s that starts on line %u",
                         problem, p->context, pos_of(&p->context_mark).line);
    return yaml_fail(&r->build, pos, NULL, "%s%s%s", problem,
                     p->context ? " " : "", p->context ? p->context : "");
}

static int next_event(struct reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event))
        return 0;
    event->type = YAML_NO_EVENT;
    return fail_syntax(r);
}

/* ---- anchors --------------------------------------------------------------
 */

static struct anchor *anchor_find(struct reader *r, const char *name)
{
    for (size_t i = 0; i < r->anchor_count; i++)
        if (!strcmp(r->anchors[i].name, name))
            return &r->anchors[i];
    return NULL;
}

/* Returns the anchor's index, -1 without a name, -2 having reported. */
static int anchor_open(struct reader *r, const yaml_char_t *name,
                       struct yaml_pos pos)
{
    struct arena *arena = r->build.tree->arena;
    struct anchor *anchor;

    if (!name)
        return -1;
    anchor = anchor_find(r, (const char *)name);
    if (!anchor) {
        if (r->anchor_count == YAML_MAX_ANCHORS) {
            (void)yaml_fail(&r->build, pos, NULL, "more than %d anchors",
                            YAML_MAX_ANCHORS);
            return -2;
        }
        r->anchors =
            arena_grow(arena, r->anchors, r->anchor_count, sizeof(*r->anchors));
        anchor = &r->anchors[r->anchor_count++];
        anchor->name = arena_strndup(arena, (const char *)name,
                                     strlen((const char *)name));
    }
    anchor->node = NULL;
    return (int)(anchor - r->anchors);
}

static const struct yaml_node *alias(struct reader *r,
                                     const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct yaml_pos pos = pos_of(&event->start_mark);
    const struct anchor *anchor = anchor_find(r, name);

    if (anchor && anchor->node)
        return anchor->node;
    if (anchor)
        (void)yaml_fail(&r->build, pos, NULL,
                        "the alias '*%.60s' stands inside its own anchor",
                        name);
    else
        (void)yaml_fail(&r->build, pos, NULL,
                        "the alias '*%.60s' has no anchor before it", name);
    return NULL;
}

/* ---- nodes ----------------------------------------------------------------
 */

static const struct yaml_node *read_node(struct reader *r,
                                         const yaml_event_t *event);

static struct yaml_node *node_at(struct reader *r, const yaml_event_t *event)
{
    struct yaml_node *node =
        arena_alloc(r->build.tree->arena, sizeof(struct yaml_node));

    node->pos = pos_of(&event->start_mark);
    node->text = "";
    node->weight = 1;
    return node;
}

/*
 * The byte at which a position stands. They come in the order of the document,
 * so that a long line is walked once.
 */
static size_t byte_of(struct reader *r, struct yaml_pos pos)
{
    const struct yaml_tree *tree = r->build.tree;
    size_t start, len;
    uint32_t c;

    if (!yaml_text_line(tree, pos.line, &start, &len))
        return tree->len;
    if (pos.line != r->walked.line || pos.column < r->walked.column) {
        r->walked = (struct yaml_pos){pos.line, 1};
        r->walked_at = start;
    }
    while (r->walked.column < pos.column && r->walked_at < start + len) {
        r->walked_at += utf8_decode(tree->text + r->walked_at,
                                    tree->len - r->walked_at, &c);
        r->walked.column++;
    }
    return r->walked_at;
}

/* Let a scalar start at its value, behind its anchor and tag. */
static void skip_properties(struct reader *r, struct yaml_node *node)
{
    const char *text = r->build.tree->text;

    node->at = byte_of(r, node->pos);
    while (text[node->at] == '&' || text[node->at] == '!') {
        size_t word = strcspn(text + node->at, " \t\r\n");
        size_t gap = strspn(text + node->at + word, " \t");
        size_t next = node->at + word + gap;

        if (!text[next] || text[next] == '\r' || text[next] == '\n')
            return;
        node->pos.column += (unsigned)utf8_count(text + node->at, word + gap);
        node->at = next;
    }
}

static const struct yaml_node *read_scalar(struct reader *r,
                                           const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    const char *tag = (const char *)event->data.scalar.tag;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct yaml_node *node = node_at(r, event);

    if (event->start_mark.index < event->end_mark.index)
        skip_properties(r, node);
    node->len = event->data.scalar.length;
    node->weight_bytes = node->len;
    if (node->len > YAML_MAX_SCALAR_BYTES) {
        (void)yaml_fail(&r->build, node->pos, NULL,
                        "a text of %zu bytes; 64 KiB is the most", node->len);
        node->len = YAML_MAX_SCALAR_BYTES;
        while (((unsigned char)text[node->len] & 0xc0) == 0x80)
            node->len--;
    }
    if (memchr(text, '\0', node->len)) {
        (void)yaml_fail(&r->build, node->pos, NULL,
                        "a text with a NUL character");
        node->len = strlen(text);
    }
    node->text = arena_strndup(r->build.tree->arena, text, node->len);
    if (!yaml_scalar_resolve(node, plain, tag))
        (void)yaml_fail(&r->build, node->pos, NULL,
                        "the tag '%.60s' is unknown, or does not fit the text",
                        tag);
    return node;
}

static void check_tag(struct reader *r, const yaml_char_t *tag,
                      const char *expected, struct yaml_pos pos)
{
    if (tag && strcmp((const char *)tag, expected) != 0 &&
        strcmp((const char *)tag, "!") != 0)
        (void)yaml_fail(&r->build, pos, NULL,
                        "the tag '%.60s' is unknown, or does not fit",
                        (const char *)tag);
}

static const struct yaml_node *read_list(struct reader *r,
                                         const yaml_event_t *start)
{
    struct yaml_node *list = node_at(r, start);

    list->kind = NODE_LIST;
    check_tag(r, start->data.sequence_start.tag, YAML_SEQ_TAG, list->pos);
    for (;;) {
        const struct yaml_node *item;
        yaml_event_t event;
        bool end;

        if (next_event(r, &event) < 0)
            return NULL;
        end = event.type == YAML_SEQUENCE_END_EVENT;
        item = end ? NULL : read_node(r, &event);
        yaml_event_delete(&event);
        if (end)
            return list;
        if (!item || yaml_weigh(&r->build, list, item, list->pos) < 0)
            return NULL;
        list->items = arena_grow(r->build.tree->arena, list->items, list->count,
                                 sizeof(const struct yaml_node *));
        list->items[list->count++] = item;
    }
}

struct map_build {
    struct yaml_node *map;
    struct yaml_entry *entries;
    uint16_t *order; /* the entries, in the order of their keys */
    const struct yaml_node *merge_key; /* `<<`, or NULL */
    const struct yaml_node *merge;     /* its value */
};

/* The first place in the order whose key is not before this one. */
static size_t order_find(const struct map_build *m, const char *key)
{
    size_t low = 0, high = m->order ? m->map->count : 0;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(m->entries[m->order[middle]].key->text, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct yaml_node *entry_find(const struct map_build *m,
                                          const char *key)
{
    size_t place = order_find(m, key);
    const struct yaml_node *found;

    if (!m->order || place == m->map->count)
        return NULL;
    found = m->entries[m->order[place]].key;
    return strcmp(found->text, key) == 0 ? found : NULL;
}

static void order_add(struct arena *arena, struct map_build *m, const char *key)
{
    size_t place = order_find(m, key), count = m->map->count;

    m->order = arena_grow(arena, m->order, count, sizeof(*m->order));
    memmove(m->order + place + 1, m->order + place,
            (count - place) * sizeof(*m->order));
    m->order[place] = (uint16_t)count;
}

static int entry_add(struct reader *r, struct map_build *m,
                     const struct yaml_node *key, const struct yaml_node *value)
{
    struct yaml_node *map = m->map;
    struct arena *arena = r->build.tree->arena;

    if (map->count == YAML_MAX_ENTRIES)
        return yaml_fail(&r->build, key->pos, NULL,
                         "a mapping of more than %d entries", YAML_MAX_ENTRIES);
    if (yaml_weigh(&r->build, map, key, key->pos) < 0 ||
        yaml_weigh(&r->build, map, value, key->pos) < 0)
        return -1;
    order_add(arena, m, key->text);
    m->entries = arena_grow(arena, m->entries, map->count, sizeof(*m->entries));
    m->entries[map->count++] = (struct yaml_entry){key, value};
    map->entries = m->entries;
    return 0;
}

static int merge_one(struct reader *r, struct map_build *m,
                     const struct yaml_node *source)
{
    if (source->kind != NODE_MAP)
        return yaml_fail(&r->build, m->merge_key->pos, NULL,
                         "'<<' merges mappings; this is %s",
                         yaml_kind_name(source->kind));
    for (size_t i = 0; i < source->count; i++) {
        const struct yaml_entry *entry = &source->entries[i];

        if (!entry_find(m, entry->key->text) &&
            entry_add(r, m, entry->key, entry->value) < 0)
            return -1;
    }
    return 0;
}

static int merge_all(struct reader *r, struct map_build *m)
{
    if (!m->merge)
        return 0;
    if (yaml_weigh(&r->build, m->map, m->merge, m->merge_key->pos) < 0)
        return -1;
    if (m->merge->kind != NODE_LIST)
        return merge_one(r, m, m->merge);
    for (size_t i = 0; i < m->merge->count; i++)
        if (merge_one(r, m, m->merge->items[i]) < 0)
            return -1;
    return 0;
}

/* Keep what was read, once; a duplicate is reported and dropped. */
static int map_take(struct reader *r, struct map_build *m, bool plain,
                    const struct yaml_node *key, const struct yaml_node *value)
{
    bool merge = plain && !strcmp(key->text, "<<");
    const struct yaml_node *old =
        merge ? m->merge_key : entry_find(m, key->text);

    if (old) {
        (void)yaml_fail(&r->build, key->pos, NULL,
                        "the key '%.60s' is here already, on line %u",
                        key->text, old->pos.line);
        return 0;
    }
    if (!merge)
        return entry_add(r, m, key, value);
    m->merge_key = key;
    m->merge = value;
    return 0;
}

/* 1: the mapping's end; 0: `*out_key` is set; -1: reported. */
static int read_key(struct reader *r, const struct yaml_node **out_key,
                    bool *out_plain)
{
    yaml_event_t event;
    int rc = -1;

    if (next_event(r, &event) < 0)
        return -1;
    *out_plain = event.type == YAML_SCALAR_EVENT &&
                 event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (event.type == YAML_MAPPING_END_EVENT)
        rc = 1;
    else if (event.type == YAML_SCALAR_EVENT || event.type == YAML_ALIAS_EVENT)
        *out_key = read_node(r, &event);
    if (rc < 0 && *out_key && (*out_key)->kind < NODE_LIST)
        rc = 0;
    else if (rc < 0 && !r->build.failed)
        (void)yaml_fail(&r->build, pos_of(&event.start_mark), NULL,
                        "a key must be a plain word or a text");
    yaml_event_delete(&event);
    return rc;
}

static const struct yaml_node *read_map(struct reader *r,
                                        const yaml_event_t *start)
{
    struct map_build m = {.map = node_at(r, start)};

    m.map->kind = NODE_MAP;
    check_tag(r, start->data.mapping_start.tag, YAML_MAP_TAG, m.map->pos);
    for (;;) {
        const struct yaml_node *key = NULL, *value;
        yaml_event_t event;
        bool plain;
        int rc = read_key(r, &key, &plain);

        if (rc > 0)
            break;
        if (rc < 0 || next_event(r, &event) < 0)
            return NULL;
        value = read_node(r, &event);
        yaml_event_delete(&event);
        if (!value || map_take(r, &m, plain, key, value) < 0)
            return NULL;
    }
    return merge_all(r, &m) < 0 ? NULL : m.map;
}

static const struct yaml_node *read_collection(struct reader *r,
                                               const yaml_event_t *event)
{
    const struct yaml_node *node;

    if (r->depth == YAML_MAX_DEPTH) {
        (void)yaml_fail(&r->build, pos_of(&event->start_mark), NULL,
                        "nested deeper than %d levels", YAML_MAX_DEPTH);
        return NULL;
    }
    r->depth++;
    node = event->type == YAML_SEQUENCE_START_EVENT ? read_list(r, event)
                                                    : read_map(r, event);
    r->depth--;
    return node;
}

static const struct yaml_node *read_node(struct reader *r,
                                         const yaml_event_t *event)
{
    struct yaml_pos pos = pos_of(&event->start_mark);
    const yaml_char_t *name = NULL;
    const struct yaml_node *node;
    int anchor;

    if (event->type == YAML_ALIAS_EVENT)
        return alias(r, event);
    if (yaml_count(&r->build, pos) < 0)
        return NULL;
    if (event->type == YAML_SCALAR_EVENT)
        name = event->data.scalar.anchor;
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        name = event->data.sequence_start.anchor;
    else
        name = event->data.mapping_start.anchor;
    anchor = anchor_open(r, name, pos);
    if (anchor < -1)
        return NULL;
    node = event->type == YAML_SCALAR_EVENT ? read_scalar(r, event)
                                            : read_collection(r, event);
    if (anchor >= 0)
        r->anchors[anchor].node = node;
    return node;
}

/* ---- the document ---------------------------------------------------------
 */

static int check_start(struct reader *r, const yaml_event_t *event)
{
    const yaml_version_directive_t *version =
        event->data.document_start.version_directive;
    struct yaml_pos pos = pos_of(&event->start_mark);

    if (version && (version->major != 1 || version->minor != 2))
        return yaml_fail(&r->build, pos, NULL,
                         "this is read as YAML 1.2; drop the %%YAML line");
    if (event->data.document_start.tag_directives.start !=
        event->data.document_start.tag_directives.end)
        return yaml_fail(&r->build, pos, NULL, "%%TAG is not supported");
    return 0;
}

/* Reads the root, and that nothing follows. */
static int read_document(struct reader *r, const yaml_event_t *start)
{
    yaml_event_t event;
    int rc = 0;

    if (check_start(r, start) < 0 || next_event(r, &event) < 0)
        return -1;
    r->build.tree->root = read_node(r, &event);
    yaml_event_delete(&event);
    if (!r->build.tree->root || next_event(r, &event) < 0)
        return -1;
    yaml_event_delete(&event); /* the document's end */
    if (next_event(r, &event) < 0)
        return -1;
    if (event.type != YAML_STREAM_END_EVENT)
        rc = yaml_fail(&r->build, pos_of(&event.start_mark), NULL,
                       "a second document starts here; one file holds one");
    yaml_event_delete(&event);
    return rc;
}

static int read_stream(struct reader *r)
{
    struct yaml_node *empty;
    yaml_event_t event;
    int rc = 0;

    if (next_event(r, &event) < 0)
        return -1;
    yaml_event_delete(&event); /* the stream's start */
    if (next_event(r, &event) < 0)
        return -1;
    if (event.type == YAML_DOCUMENT_START_EVENT) {
        rc = read_document(r, &event);
    } else {
        empty = node_at(r, &event);
        empty->kind = NODE_NULL;
        r->build.tree->root = empty;
    }
    yaml_event_delete(&event);
    return rc;
}

struct yaml_tree *yaml_tree_parse(const char *text, size_t len,
                                  yaml_error_fn *on_error, void *arg)
{
    CLEANUP(yaml_tree) struct yaml_tree *tree = yaml_tree_new();
    struct reader r = {.build = {tree, on_error, arg, 0, false}};
    int rc;

    if (yaml_text_take(&r.build, text, len) < 0)
        return NULL;
    if (!yaml_parser_initialize(&r.parser))
        abort(); /* out of memory */
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)tree->text,
                                 tree->len);
    rc = read_stream(&r);
    yaml_parser_delete(&r.parser);
    tree->sound = !r.build.failed;
    return rc < 0 ? NULL : STEAL(tree);
}
