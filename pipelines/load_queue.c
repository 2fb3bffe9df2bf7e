/* pipelines/load_queue.c - labels and concurrency: what the queue needs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/expr.h"
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

bool load_is_key(struct loader *l, const struct yaml_node *node,
                 const char *what)
{
    const char *s = node->text;

    if (*s && !strchr("-" DIGITS, *s) && !s[strspn(s, LETTERS DIGITS "_-")] &&
        node->len <= LOAD_MAX_KEY)
        return true;
    load_fail(l, node, NULL,
              "'%.60s' cannot be %s: letters, digits, _ and -, the first a "
              "letter or _, at most %d",
              s, what, LOAD_MAX_KEY);
    return false;
}

/* ---- labels ----------------------------------------------------------------
 */

bool label_ok(const char *label)
{
    size_t len = strspn(label, LETTERS DIGITS "_.:/=-");

    return len && len <= LOAD_MAX_LABEL && !label[len] &&
           strchr(LETTERS DIGITS, *label);
}

static void load_label(struct loader *l, const struct yaml_node *value,
                       struct strv *labels)
{
    if (!load_is_line(l, value, LOAD_MAX_NAME))
        return;
    if (template_is(value->text) && l->document) {
        load_template(l, PLACE_LABEL, value);
    } else if (!label_ok(value->text)) {
        load_fail(l, value, NULL,
                  "'%.60s' is not a label: letters, digits and _.:/=-, the "
                  "first a letter or digit, at most %d",
                  value->text, LOAD_MAX_LABEL);
        return;
    }
    for (size_t i = 0; i < labels->count; i++)
        if (!strcmp(labels->items[i], value->text)) {
            load_fail(l, value, NULL, "the label '%.60s' is there twice",
                      value->text);
            return;
        }
    strv_add(labels, value->text);
}

void load_labels(struct loader *l, const struct yaml_node *value, void *target)
{
    struct strv *labels = target;

    strv_clear(labels);
    if (value->kind != NODE_LIST) {
        load_fail(l, value, NULL, "labels is a list ([gpu, x86]), not %s",
                  yaml_kind_name(value->kind));
        return;
    }
    if (value->count > DOCUMENT_MAX_LABELS) {
        load_fail(l, value, NULL, "more than %d labels", DOCUMENT_MAX_LABELS);
        return;
    }
    for (size_t i = 0; i < value->count; i++)
        load_label(l, value->items[i], labels);
}

/* ---- concurrency -----------------------------------------------------------
 */

static void load_group(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    struct concurrency *c = target;

    if (!load_is_line(l, value, LOAD_MAX_GROUP))
        return;
    load_template(l, PLACE_GROUP, value);
    free(c->group);
    c->group = xstrdup(value->text);
}

static void load_cancel(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    (void)load_bool(l, value,
                    &((struct concurrency *)target)->cancel_in_progress);
}

static void load_queue(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    static const char *const words[] = {"single", NULL};
    struct concurrency *c = target;
    int max = 1;
    size_t i;

    if (value->kind == NODE_STRING) {
        if (!load_word(l, value, words, &i))
            return;
    } else if (!load_whole(l, value, 1, LOAD_MAX_QUEUE, &max)) {
        return;
    }
    c->queue = (unsigned)max;
}

static const struct key_rule concurrency_keys[] = {
    {"group", load_group, true, 0},
    {"cancel-in-progress", load_cancel, false, 0},
    {"queue", load_queue, false, 0},
};

static const struct foreign_word concurrency_foreign[] = {
    {"limit", "one run of a group runs at a time; max-parallel of a matrix "
              "limits its jobs"},
    {"max", "one run of a group runs at a time; max-parallel of a matrix "
            "limits its jobs"},
    {"cancel", "write cancel-in-progress: true"},
    {"key", "write group"},
};

static const struct map_rules concurrency_rules = {
    "concurrency",
    concurrency_keys,
    ARRAY_LEN(concurrency_keys),
    concurrency_foreign,
    ARRAY_LEN(concurrency_foreign),
};

void load_concurrency(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    struct concurrency *c = target;

    if (value->kind != NODE_MAP) {
        load_group(l, value, c);
        return;
    }
    load_map(l, value, &concurrency_rules, 0, c);
    if (c->cancel_in_progress && yaml_node_get(value, "queue"))
        load_fail(l, yaml_node_get(value, "queue"), NULL,
                  "with cancel-in-progress nobody waits: leave one of them "
                  "out");
}
