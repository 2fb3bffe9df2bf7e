/* cli/batch_list.c - what berth batch is to ask about. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/batch_list.h"

#include "base/sha256.h"
#include "base/yaml_tree.h"
#include "pipelines/library.h"
#include "pipelines/pipeline.h"

#include <stdlib.h>
#include <string.h>

#define ID_DIGITS 24 /* behind "batch-": 30 of 32 */

static const char *const list_keys[] = {"prompt",       "model", "max_findings",
                                        "min_severity", "jobs",  NULL};
static const char *const entry_keys[] = {"name",   "repo",  "commit", "ref",
                                         "branch", "paths", NULL};

struct loading {
    struct diag_list *diags; /* borrowed, as the next */
    const struct yaml_node *root;
    unsigned errors;
};

static void on_error(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    struct loading *l = arg;

    l->errors++;
    diag_list_add(l->diags, pos.line, pos.column, hint, "%s", message);
}

static void fail(struct loading *l, const struct yaml_node *at,
                 const char *message)
{
    on_error(l, at->pos, message, NULL);
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static void check_keys(struct loading *l, const struct yaml_node *map,
                       const char *const *keys)
{
    if (map->kind != NODE_MAP) {
        fail(l, map, "this must be a mapping");
        return;
    }
    for (size_t i = 0; i < map->count; i++)
        if (!is_one_of(map->entries[i].key->text, keys))
            fail(l, map->entries[i].key,
                 keys == list_keys
                     ? "unknown key: prompt, model, max_findings, "
                       "min_severity and jobs are known"
                     : "unknown key: name, repo, commit, ref, branch and paths "
                       "are known");
}

/* Numbers and texts as they are; the loader of jobs looks at them. */
static json_t *value_json(const struct yaml_node *node)
{
    if (node->kind == NODE_INT)
        return json_integer((json_int_t)node->number);
    if (node->kind == NODE_LIST) {
        json_t *list = json_array();

        for (size_t i = 0; i < node->count; i++)
            json_array_append_new(list, value_json(node->items[i]));
        return list;
    }
    return node->text && node->kind != NODE_MAP ? json_string(node->text)
                                                : json_null();
}

static void copy(json_t *to, const struct yaml_node *from, const char *key)
{
    const struct yaml_node *value = yaml_node_get(from, key);

    if (value)
        json_object_set_new(to, key, value_json(value));
}

/* The pipeline that ships, for these paths and with this model. */
static json_t *make_pipeline(const struct loading *l,
                             const struct yaml_node *entry)
{
    CLEANUP(diag_list) struct diag_list *ignored = diag_list_new();
    CLEANUP(pipeline) struct pipeline *shipped = NULL;
    const char *text = library_find("batch");
    json_t *made = NULL, *step, *opencode;
    size_t i;

    if (pipeline_load("batch.yml", text, strlen(text), ignored, &shipped) < 0)
        return json_null();
    made = pipeline_to_json(shipped);
    json_array_foreach(json_object_get(made, "steps"), i, step)
    {
        opencode = json_object_get(step, "opencode");
        if (!opencode)
            continue;
        copy(opencode, l->root, "model");
        copy(opencode, l->root, "max_findings");
        copy(opencode, l->root, "min_severity");
        copy(opencode, entry, "paths");
    }
    return made;
}

static void make_id(struct batch_entry *entry)
{
    CLEANUP(mem)
    char *text = json_dumps(entry->job, JSON_COMPACT | JSON_SORT_KEYS |
                                            JSON_REAL_PRECISION(6));
    char hex[SHA256_HEX_SIZE];
    struct sha256 hash;

    sha256_init(&hash);
    sha256_add(&hash, entry->name, strlen(entry->name) + 1);
    sha256_add(&hash, text ? text : "", text ? strlen(text) : 0);
    sha256_end_hex(&hash, hex);
    entry->id = xasprintf("batch-%.*s", ID_DIGITS, hex);
    json_object_set_new(entry->job, "id", json_string(entry->id));
}

static bool name_ok(const char *name)
{
    size_t len = strlen(name);

    return len && len <= BATCH_MAX_NAME && *name != '.' && *name != '-' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789._-") == len;
}

static void load_entry(struct loading *l, const struct yaml_node *node,
                       struct batch_list *list)
{
    const struct yaml_node *name = yaml_node_get(node, "name");
    const struct yaml_node *prompt = yaml_node_get(l->root, "prompt");
    struct batch_entry *entry = &list->items[list->count];

    check_keys(l, node, entry_keys);
    if (node->kind != NODE_MAP)
        return;
    if (!name || !name->text || !name_ok(name->text)) {
        fail(l, name ? name : node,
             "an entry needs a name, of letters, digits and ._-");
        return;
    }
    if (!yaml_node_get(node, "repo"))
        fail(l, node, "an entry needs a repo");
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name->text) == 0)
            fail(l, name, "two entries have this name");
    list->count++;
    entry->name = xstrdup(name->text);
    entry->job = json_object();
    json_object_set_new(entry->job, "pipeline", make_pipeline(l, node));
    for (size_t i = 1; entry_keys[i] && i < 5; i++)
        copy(entry->job, node, entry_keys[i]);
    if (prompt && prompt->text)
        json_object_set_new(entry->job, "inputs",
                            json_pack("{s:s}", "prompt", prompt->text));
    make_id(entry);
}

static void load_list(struct loading *l, struct batch_list *list)
{
    const struct yaml_node *jobs = yaml_node_get(l->root, "jobs");

    check_keys(l, l->root, list_keys);
    if (!jobs || jobs->kind != NODE_LIST || !jobs->count ||
        jobs->count > BATCH_MAX) {
        fail(l, jobs ? jobs : l->root, "jobs must be a list of 1 to 1000");
        return;
    }
    list->items = xcalloc(jobs->count, sizeof(*list->items));
    for (size_t i = 0; i < jobs->count; i++)
        load_entry(l, jobs->items[i], list);
}

int batch_list_load(const char *file, const char *text, size_t len,
                    struct diag_list *diags, struct batch_list **out_list)
{
    struct loading l = {.diags = diags};
    CLEANUP(batch_list) struct batch_list *list = xcalloc(1, sizeof(*list));
    CLEANUP(yaml_tree)
    struct yaml_tree *tree = NULL;

    diag_list_set_source(diags, file, text, len);
    tree = yaml_tree_parse(text, len, on_error, &l);

    if (tree && yaml_tree_is_sound(tree)) {
        l.root = yaml_tree_root(tree);
        load_list(&l, list);
    }
    if (l.errors)
        return -1;
    *out_list = STEAL(list);
    return 0;
}

void batch_list_free(struct batch_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
        free(list->items[i].id);
        json_decref(list->items[i].job);
    }
    free(list->items);
    free(list);
}
