/* pipelines/load_matrix.c - the siblings that a matrix makes of a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"
#include "pipelines/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * GitHub's rules: the product of all lists, without what an entry of `exclude`
 * matches in all that it names. Then each entry of `include` is added to the
 * siblings whose values of the lists it does not contradict, and is one of
 * its own if there is none.
 */
struct builder {
    struct loader *l;
    struct matrix *matrix;
    const struct yaml_node *node;
    size_t dimensions; /* lists: the first cells of each row are theirs */
    size_t originals;  /* rows that came of lists */
    bool ok;
};

static void wrong(struct builder *b, const struct yaml_node *node,
                  const char *hint, const char *message)
{
    load_fail(b->l, node, hint, "%s", message);
    b->ok = false;
}

/* ---- keys and values -------------------------------------------------------
 */

static void load_max_parallel(struct loader *l, const struct yaml_node *value,
                              void *target)
{
    int max;

    if (load_whole(l, value, 1, MATRIX_MAX_ROWS, &max))
        ((struct matrix *)target)->max_parallel = (unsigned)max;
}

static void load_fail_fast(struct loader *l, const struct yaml_node *value,
                           void *target)
{
    (void)load_bool(l, value, &((struct matrix *)target)->fail_fast);
}

static const struct key_rule options[] = {
    {"include", NULL, false, 0},
    {"exclude", NULL, false, 0},
    {"max-parallel", load_max_parallel, false, 0},
    {"fail-fast", load_fail_fast, false, 0},
};

static bool is_option(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (!strcmp(options[i].key, key))
            return true;
    return false;
}

static void load_options(struct builder *b)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const struct yaml_node *value = yaml_node_get(b->node, options[i].key);

        if (value && options[i].load)
            options[i].load(b->l, value, b->matrix);
    }
}

static bool cell_ok(struct builder *b, const struct yaml_node *value)
{
    bool number = value->kind == NODE_INT || value->kind == NODE_FLOAT;

    if (value->kind == NODE_BOOL ||
        (number && isfinite(value->number) && value->len <= LOAD_MAX_CELL))
        return true;
    if (value->kind == NODE_STRING) {
        b->ok &= load_is_line(b->l, value, LOAD_MAX_CELL);
        return true;
    }
    wrong(b, value, NULL,
          "a value of a matrix is a text, a number, true or false");
    return false;
}

/* ---- the product -----------------------------------------------------------
 */

static void check_list(struct builder *b, const struct yaml_node *key,
                       const struct yaml_node *list)
{
    CLEANUP(mem) char *hint = NULL;

    if (list->kind != NODE_LIST) {
        if (list->kind == NODE_STRING || list->kind == NODE_INT)
            hint = xasprintf("[%.60s]", list->text);
        wrong(b, list, hint, "a matrix has a list of values behind each name");
        return;
    }
    if (!load_is_key(b->l, key, "the name of a list"))
        b->ok = false;
    if (!list->count || list->count > MATRIX_MAX_ROWS) {
        wrong(b, list, NULL, "a list of a matrix has 1 to 256 values");
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!cell_ok(b, list->items[i]))
            return;
        for (size_t k = 0; k < i; k++)
            if (!strcmp(list->items[k]->text, list->items[i]->text)) {
                load_fail(b->l, list->items[i], NULL, "'%.60s' is there twice",
                          list->items[i]->text);
                b->ok = false;
                break;
            }
    }
}

static bool check_lists(struct builder *b)
{
    size_t product = 1;

    for (size_t i = 0; i < b->node->count; i++) {
        const struct yaml_entry *entry = &b->node->entries[i];

        if (is_option(entry->key->text))
            continue;
        check_list(b, entry->key, entry->value);
        b->dimensions++;
        if (b->ok && product <= MATRIX_MAX_ROWS)
            product *= entry->value->count;
    }
    if (b->dimensions > MATRIX_MAX_CELLS)
        wrong(b, b->node, NULL, "a matrix has at most 16 lists");
    if (product > MATRIX_MAX_ROWS)
        wrong(b, b->node, NULL,
              "these lists make more than 256 jobs, before `exclude`");
    b->originals = b->dimensions ? product : 0;
    return b->ok;
}

static struct env_list *add_row(struct matrix *matrix)
{
    struct env_list *row;

    matrix->rows =
        xreallocarray(matrix->rows, matrix->count + 1, sizeof(*matrix->rows));
    row = &matrix->rows[matrix->count++];
    *row = (struct env_list){NULL, 0};
    return row;
}

/* The last list changes fastest. */
static void multiply(struct builder *b)
{
    for (size_t n = 0; n < b->originals; n++) {
        struct env_list *row = add_row(b->matrix);
        size_t rest = n, block = b->originals;

        for (size_t i = 0; i < b->node->count; i++) {
            const struct yaml_entry *entry = &b->node->entries[i];

            if (is_option(entry->key->text))
                continue;
            block /= entry->value->count;
            env_list_set(row, entry->key->text,
                         entry->value->items[rest / block]->text);
            rest %= block;
        }
    }
}

/* ---- exclude ---------------------------------------------------------------
 */

/* A list of mappings; NULL when there is none, or none that is well formed. */
static const struct yaml_node *entries_of(struct builder *b, const char *key)
{
    const struct yaml_node *list = yaml_node_get(b->node, key);

    if (!list)
        return NULL;
    if (list->kind != NODE_LIST || !list->count ||
        list->count > MATRIX_MAX_ROWS) {
        load_fail(b->l, list, NULL, "%s is a list of 1 to 256 mappings", key);
        b->ok = false;
        return NULL;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct yaml_node *entry = list->items[i];

        if (entry->kind != NODE_MAP || !entry->count ||
            entry->count > MATRIX_MAX_CELLS) {
            load_fail(b->l, entry, NULL,
                      "an entry of %s is a mapping of 1 to 16 values", key);
            b->ok = false;
            continue;
        }
        for (size_t k = 0; k < entry->count; k++)
            (void)cell_ok(b, entry->entries[k].value);
    }
    return b->ok ? list : NULL;
}

static bool row_matches(const struct env_list *row,
                        const struct yaml_node *entry)
{
    for (size_t i = 0; i < entry->count; i++) {
        const char *value = env_list_get(row, entry->entries[i].key->text);

        if (!value || strcmp(value, entry->entries[i].value->text) != 0)
            return false;
    }
    return true;
}

static void check_excluded_key(struct builder *b, const struct yaml_node *key)
{
    struct suggest close = SUGGEST_INIT(key->text);

    if (!is_option(key->text) && yaml_node_get(b->node, key->text))
        return;
    for (size_t i = 0; i < b->node->count; i++)
        if (!is_option(b->node->entries[i].key->text))
            suggest_offer(&close, b->node->entries[i].key->text);
    load_fail(b->l, key, close.best, "the matrix has no list '%.60s'",
              key->text);
    b->ok = false;
}

static void exclude(struct builder *b)
{
    const struct yaml_node *list = entries_of(b, "exclude");
    struct matrix *matrix = b->matrix;
    bool gone[MATRIX_MAX_ROWS] = {false};
    size_t kept = 0;

    for (size_t i = 0; list && i < list->count; i++) {
        const struct yaml_node *entry = list->items[i];
        bool any = false;

        for (size_t k = 0; k < entry->count; k++)
            check_excluded_key(b, entry->entries[k].key);
        for (size_t n = 0; b->ok && n < matrix->count; n++)
            if (row_matches(&matrix->rows[n], entry))
                gone[n] = any = true;
        if (b->ok && !any)
            wrong(b, entry, NULL, "this matches nothing of the matrix");
    }
    for (size_t n = 0; n < matrix->count; n++) {
        if (gone[n])
            env_list_clear(&matrix->rows[n]);
        else
            matrix->rows[kept++] = matrix->rows[n];
    }
    b->originals = matrix->count = kept;
}

/* ---- include ---------------------------------------------------------------
 */

static bool contradicts(const struct builder *b, const struct env_list *row,
                        const struct yaml_node *entry)
{
    for (size_t i = 0; i < b->dimensions; i++) {
        const struct yaml_node *value =
            yaml_node_get(entry, row->items[i].name);

        if (value && strcmp(value->text, row->items[i].value) != 0)
            return true;
    }
    return false;
}

static void add_cells(struct builder *b, struct env_list *row,
                      const struct yaml_node *entry)
{
    for (size_t i = 0; i < entry->count; i++)
        env_list_set(row, entry->entries[i].key->text,
                     entry->entries[i].value->text);
    if (row->count > MATRIX_MAX_CELLS && b->ok)
        wrong(b, entry, NULL, "this makes more than 16 values for one job");
}

static void include_entry(struct builder *b, const struct yaml_node *entry)
{
    bool any = false;

    for (size_t i = 0; i < entry->count; i++) {
        const struct yaml_node *key = entry->entries[i].key;

        if (!load_is_key(b->l, key, "the name of a value"))
            b->ok = false;
        else if (is_option(key->text))
            wrong(b, key, NULL, "this is a word of the matrix itself");
    }
    for (size_t i = 0; b->ok && i < b->originals; i++)
        if (!contradicts(b, &b->matrix->rows[i], entry)) {
            add_cells(b, &b->matrix->rows[i], entry);
            any = true;
        }
    if (!b->ok || any)
        return;
    if (b->matrix->count == MATRIX_MAX_ROWS)
        wrong(b, entry, NULL, "a matrix makes at most 256 jobs");
    else
        add_cells(b, add_row(b->matrix), entry);
}

static void include(struct builder *b)
{
    const struct yaml_node *list = entries_of(b, "include");

    for (size_t i = 0; list && b->ok && i < list->count; i++)
        include_entry(b, list->items[i]);
}

/* ---- the whole -------------------------------------------------------------
 */

static bool same_rows(const struct env_list *a, const struct env_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const char *value = env_list_get(b, a->items[i].name);

        if (!value || strcmp(value, a->items[i].value) != 0)
            return false;
    }
    return true;
}

static void check_rows(struct builder *b)
{
    const struct matrix *matrix = b->matrix;

    if (!matrix->count)
        wrong(b, b->node, NULL, "this matrix makes no job at all");
    for (size_t i = 0; b->ok && i < matrix->count; i++)
        for (size_t k = 0; b->ok && k < i; k++)
            if (same_rows(&matrix->rows[i], &matrix->rows[k]))
                wrong(b, b->node, NULL,
                      "two jobs of this matrix have the same values");
}

bool load_matrix(struct loader *l, const struct yaml_node *value)
{
    struct builder b = {
        .l = l, .matrix = &l->job->matrix, .node = value, .ok = true};

    if (value->kind != NODE_MAP) {
        wrong(&b, value, NULL,
              "matrix is a mapping of names and lists (node: [18, 20])");
        return false;
    }
    b.matrix->fail_fast = true;
    load_options(&b);
    if (check_lists(&b))
        multiply(&b);
    exclude(&b);
    if (b.ok)
        include(&b);
    if (b.ok)
        check_rows(&b);
    return b.ok;
}
