/* pipelines/load_text.c - conditions, templates, environments. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"
#include "base/utf8.h"
#include "pipelines/expr.h"
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>

/* Where an expression came from, for expr_check(). */
struct origin {
    struct loader *l;
    enum load_place place;
    const struct yaml_node *node;
    size_t offset; /* of the expression in the node's text */
};

static void expr_error(void *arg, size_t offset, const char *message,
                       const char *hint)
{
    const struct origin *o = arg;

    load_fail_inside(o->l, o->node, o->offset + offset, hint, "%s", message);
}

/* Steps are loaded in order: those that are there are the earlier ones. */
static bool has_step(void *arg, const char *name, const char **out_close)
{
    const struct origin *o = arg;
    const struct pipeline *p = o->l->pipeline;
    struct suggest close = SUGGEST_INIT(name);

    for (size_t i = 0; i < p->step_count; i++) {
        if (!strcmp(p->steps[i].name, name))
            return true;
        if (!load_is_hopeless(o->l))
            suggest_offer(&close, p->steps[i].name);
    }
    *out_close = close.best;
    return false;
}

static bool has_cell(const struct origin *o, const char *name,
                     const char **out_close)
{
    const struct document_job *job = o->l->job;
    struct suggest close = SUGGEST_INIT(name);

    /* One of the jobs that a matrix made has none itself. */
    if (o->place == PLACE_STEP && (!job || !job->matrix.count))
        return true;
    if (job && !o->l->matrix_known)
        return true;
    for (size_t i = 0; job && i < job->matrix.count; i++) {
        const struct env_list *row = &job->matrix.rows[i];

        for (size_t k = 0; k < row->count; k++) {
            if (!strcmp(row->items[k].name, name))
                return true;
            if (!load_is_hopeless(o->l))
                suggest_offer(&close, row->items[k].name);
        }
    }
    *out_close = close.best;
    return false;
}

static bool has_need(const struct origin *o, const char *name,
                     const char **out_close)
{
    const struct document_job *job = o->l->job;
    struct suggest close = SUGGEST_INIT(name);

    for (size_t i = 0; job && i < job->need_count; i++) {
        const char *need = o->l->jobs->entries[job->needs[i]].key->text;

        if (!strcmp(need, name))
            return true;
        suggest_offer(&close, need);
    }
    *out_close = close.best;
    return false;
}

static bool has_name(void *arg, const char *context, const char *name,
                     const char **out_close)
{
    if (!strcmp(context, "matrix"))
        return has_cell(arg, name, out_close);
    return strcmp(context, "needs") != 0 || has_need(arg, name, out_close);
}

#define OF_THE_RUN                                                             \
    "repo", "commit", "branch", "change", "base", "trust", "inputs"

static const char *const contexts[][12] = {
    [PLACE_STEP] = {OF_THE_RUN, "env", "matrix", "steps", NULL},
    [PLACE_JOB] = {OF_THE_RUN, "matrix", "needs", NULL},
    [PLACE_GROUP] = {OF_THE_RUN, NULL},
    [PLACE_LABEL] = {"trust", "inputs", "matrix", NULL},
    [PLACE_IMAGE] = {"matrix", NULL},
};

static void check(struct origin *o, const char *text, enum expr_form form)
{
    const struct expr_rules rules = {
        .has_step = has_step,
        .has_name = has_name,
        .contexts = contexts[o->place],
        .on_error = expr_error,
        .arg = o,
    };

    if (expr_check(text, form, &rules) < 0)
        o->l->failed = true;
}

void load_template(struct loader *l, enum load_place place,
                   const struct yaml_node *node)
{
    struct origin o = {l, place, node, 0};

    if (!load_is_hopeless(l))
        check(&o, node->text, EXPR_TEMPLATE);
}

char *load_condition(struct loader *l, enum load_place place,
                     const struct yaml_node *node)
{
    struct origin o = {l, place, node, 0};
    CLEANUP(mem) char *text = NULL;
    size_t start = 0, end = node->len;

    if (node->kind != NODE_STRING && node->kind != NODE_BOOL) {
        load_fail(l, node, NULL, "a condition is an expression, not %s",
                  yaml_kind_name(node->kind));
        return NULL;
    }
    if (node->kind == NODE_BOOL)
        return xstrdup(node->number != 0 ? "true" : "false");
    start = strspn(node->text, " \t\r\n");
    while (end > start && strchr(" \t\r\n", node->text[end - 1]))
        end--;
    if (end - start >= 5 && !strncmp(node->text + start, "${{", 3) &&
        !strncmp(node->text + end - 2, "}}", 2)) {
        start += 3;
        end -= 2;
        start += strspn(node->text + start, " \t\r\n");
        while (end > start && strchr(" \t\r\n", node->text[end - 1]))
            end--;
    }
    text = xstrndup(node->text + start, end - start);
    if (template_is(text)) {
        load_fail_inside(
            l, node, start + (size_t)(strstr(text, "${{") - text), NULL,
            "one ${{ }} must hold the whole condition; or leave it out");
        return NULL;
    }
    o.offset = start;
    check(&o, text, EXPR_CONDITION);
    return STEAL(text);
}

/* ---- environments ----------------------------------------------------------
 */

bool load_is_variable(struct loader *l, const struct yaml_node *key)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const char *s = key->text;

    if (!*s || strchr("0123456789", *s) || s[strspn(s, letters)]) {
        load_fail(l, key, NULL,
                  "'%.60s' is not the name of a variable: letters, digits "
                  "and _, and no digit first",
                  s);
        return false;
    }
    if (key->len > LOAD_MAX_NAME) {
        load_fail(l, key, NULL, "a name longer than %d characters",
                  LOAD_MAX_NAME);
        return false;
    }
    if (!strcmp(s, "BERTH") || !strncmp(s, "BERTH_", 6)) {
        load_fail(l, key, NULL,
                  "'%.60s': names that start with BERTH are set by berth", s);
        return false;
    }
    return true;
}

static bool env_value_ok(struct loader *l, const struct yaml_node *value)
{
    if (value->kind == NODE_LIST || value->kind == NODE_MAP) {
        load_fail(l, value, NULL, "the value of a variable is a text, not %s",
                  yaml_kind_name(value->kind));
        return false;
    }
    if (utf8_count(value->text, value->len) > LOAD_MAX_VALUE) {
        load_fail(l, value, NULL, "longer than %d characters", LOAD_MAX_VALUE);
        return false;
    }
    if (value->kind == NODE_STRING)
        load_template(l, PLACE_STEP, value);
    return true;
}

void env_list_set(struct env_list *env, const char *name, const char *value)
{
    struct env_entry *entry = NULL;

    for (size_t i = 0; i < env->count && !entry; i++)
        if (!strcmp(env->items[i].name, name))
            entry = &env->items[i];
    if (!entry) {
        env->items =
            xreallocarray(env->items, env->count + 1, sizeof(*env->items));
        entry = &env->items[env->count++];
        entry->name = xstrdup(name);
        entry->value = NULL;
    }
    free(entry->value);
    entry->value = xstrdup(value);
}

const char *env_list_get(const struct env_list *env, const char *name)
{
    for (size_t i = 0; i < env->count; i++)
        if (!strcmp(env->items[i].name, name))
            return env->items[i].value;
    return NULL;
}

void load_env(struct loader *l, const struct yaml_node *node,
              struct env_list *out)
{
    if (node->kind == NODE_NULL)
        return;
    if (node->kind != NODE_MAP) {
        load_fail(l, node, NULL,
                  "env is a mapping of names and values (NAME: value), not %s",
                  yaml_kind_name(node->kind));
        return;
    }
    if (node->count > LOAD_MAX_ENV) {
        load_fail(l, node, NULL, "more than %d variables", LOAD_MAX_ENV);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *key = node->entries[i].key;
        const struct yaml_node *value = node->entries[i].value;

        if (load_is_variable(l, key) && env_value_ok(l, value))
            env_list_set(out, key->text,
                         value->kind == NODE_NULL ? "" : value->text);
    }
}

void env_list_clear(struct env_list *env)
{
    for (size_t i = 0; i < env->count; i++) {
        free(env->items[i].name);
        free(env->items[i].value);
    }
    free(env->items);
    *env = (struct env_list){NULL, 0};
}
