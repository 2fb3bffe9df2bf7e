/* pipelines/load.c - what the loaders of all mappings share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/load.h"

#include "base/strbuf.h"
#include "base/suggest.h"
#include "base/units.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool load_is_hopeless(const struct loader *l)
{
    return l->reports >= LOAD_MAX_REPORTS;
}

static void report(struct loader *l, struct yaml_pos pos, const char *hint,
                   const char *fmt, va_list ap) PRINTF_LIKE(4, 0);

static void report(struct loader *l, struct yaml_pos pos, const char *hint,
                   const char *fmt, va_list ap)
{
    CLEANUP(mem) char *message = xvasprintf(fmt, ap);

    l->reports++;
    l->on_error(l->arg, pos, message, hint);
}

void load_fail(struct loader *l, const struct yaml_node *node, const char *hint,
               const char *fmt, ...)
{
    va_list ap;

    l->failed = true;
    if (load_is_hopeless(l))
        return;
    va_start(ap, fmt);
    report(l, node->pos, hint, fmt, ap);
    va_end(ap);
}

void load_warn(struct loader *l, const struct yaml_node *node,
               const char *message)
{
    if (l->on_warning)
        l->on_warning(l->arg, node->pos, message, NULL);
}

void load_fail_inside(struct loader *l, const struct yaml_node *node,
                      size_t offset, const char *hint, const char *fmt, ...)
{
    va_list ap;

    l->failed = true;
    if (load_is_hopeless(l))
        return;
    va_start(ap, fmt);
    report(l, yaml_node_locate(l->tree, node, offset), hint, fmt, ap);
    va_end(ap);
}

/* ---- mappings --------------------------------------------------------------
 */

static const struct key_rule *rule_find(const struct map_rules *rules,
                                        const char *key)
{
    for (size_t i = 0; i < rules->key_count; i++)
        if (!strcmp(rules->keys[i].key, key))
            return &rules->keys[i];
    return NULL;
}

static void unknown_key(struct loader *l, const struct yaml_node *key,
                        const struct map_rules *rules)
{
    struct suggest close = SUGGEST_INIT(key->text);

    for (size_t i = 0; i < rules->foreign_count; i++)
        if (!strcmp(rules->foreign[i].word, key->text)) {
            load_fail(l, key, NULL, "unknown key '%s' in %s: %s", key->text,
                      rules->what, rules->foreign[i].advice);
            return;
        }
    for (size_t i = 0; i < rules->key_count && !load_is_hopeless(l); i++)
        suggest_offer(&close, rules->keys[i].key);
    load_fail(l, key, close.best, "unknown key '%.60s' in %s", key->text,
              rules->what);
}

static const char *kind_of(unsigned bit)
{
    int kind = 0;

    while (kind < STEP_KINDS - 1 && bit != 1u << kind)
        kind++;
    return step_kind_name((enum step_kind)kind);
}

static const char *article(const char *word)
{
    return strchr("aeiou", *word) ? "an" : "a";
}

void load_map(struct loader *l, const struct yaml_node *node,
              const struct map_rules *rules, unsigned kind, void *target)
{
    if (node->kind != NODE_MAP) {
        load_fail(l, node, NULL, "%s is a mapping (KEY: VALUE), not %s",
                  rules->what, yaml_kind_name(node->kind));
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *key = node->entries[i].key;
        const struct key_rule *rule = rule_find(rules, key->text);

        if (!rule)
            unknown_key(l, key, rules);
        else if (kind && rule->kinds && !(rule->kinds & kind))
            load_fail(l, key, NULL, "'%s' has no meaning in %s %s step",
                      rule->key, article(kind_of(kind)), kind_of(kind));
        else if (rule->load)
            rule->load(l, node->entries[i].value, target);
    }
    for (size_t i = 0; i < rules->key_count; i++)
        if (rules->keys[i].required && !yaml_node_get(node, rules->keys[i].key))
            load_fail(l, node, NULL, "%s needs the key '%s'", rules->what,
                      rules->keys[i].key);
}

/* ---- scalars ---------------------------------------------------------------
 */

bool load_is_string(struct loader *l, const struct yaml_node *node, size_t max)
{
    CLEANUP(mem) char *hint = NULL;

    if (node->kind != NODE_STRING) {
        if (node->kind == NODE_BOOL || node->kind == NODE_INT ||
            node->kind == NODE_FLOAT)
            hint = xasprintf("\"%.60s\"", node->text);
        load_fail(l, node, hint, "this must be a string, not %s",
                  yaml_kind_name(node->kind));
        return false;
    }
    if (!node->len) {
        load_fail(l, node, NULL, "this must not be empty");
        return false;
    }
    if (utf8_count(node->text, node->len) > max) {
        load_fail(l, node, NULL, "longer than %zu characters", max);
        return false;
    }
    return true;
}

bool load_is_line(struct loader *l, const struct yaml_node *node, size_t max)
{
    size_t n;
    uint32_t c;

    if (!load_is_string(l, node, max))
        return false;
    if (!node->text[strspn(node->text, " ")]) {
        load_fail(l, node, NULL, "this must not be blank");
        return false;
    }
    for (size_t i = 0; i < node->len; i += n) {
        n = utf8_decode(node->text + i, node->len - i, &c);
        if (n && !utf8_is_control(c))
            continue;
        load_fail_inside(l, node, i, NULL,
                         "this must be one line without control characters");
        return false;
    }
    return true;
}

bool load_bool(struct loader *l, const struct yaml_node *node, bool *out)
{
    static const struct {
        const char *word, *meant;
    } old[] = {
        {"yes", "true"}, {"on", "true"},   {"y", "true"},
        {"no", "false"}, {"off", "false"}, {"n", "false"},
    };
    const char *hint = NULL;

    if (node->kind == NODE_BOOL) {
        *out = node->number != 0;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(old); i++)
        if (node->kind == NODE_STRING &&
            !suggest_distance(node->text, old[i].word))
            hint = old[i].meant;
    if (node->kind == NODE_STRING && !suggest_distance(node->text, "true"))
        hint = "true";
    if (node->kind == NODE_STRING && !suggest_distance(node->text, "false"))
        hint = "false";
    load_fail(l, node, hint, "this must be true or false, not %s",
              yaml_kind_name(node->kind));
    return false;
}

bool load_whole(struct loader *l, const struct yaml_node *node, int min,
                int max, int *out)
{
    bool number = node->kind == NODE_INT || node->kind == NODE_FLOAT;

    if (!number) {
        load_fail(l, node, NULL, "this must be a whole number, not %s",
                  yaml_kind_name(node->kind));
        return false;
    }
    if (!(node->number >= min && node->number <= max) ||
        trunc(node->number) != node->number) {
        load_fail(l, node, NULL, "this must be a whole number from %d to %d",
                  min, max);
        return false;
    }
    *out = (int)node->number;
    return true;
}

bool load_word(struct loader *l, const struct yaml_node *node,
               const char *const *words, size_t *out)
{
    CLEANUP(strbuf) struct strbuf all = STRBUF_INIT;
    struct suggest close = SUGGEST_INIT(node->text);

    for (size_t i = 0; words[i]; i++) {
        if (node->kind == NODE_STRING && !strcmp(words[i], node->text)) {
            *out = i;
            return true;
        }
        suggest_offer(&close, words[i]);
        strbuf_addf(&all, "%s%s", i ? ", " : "", words[i]);
    }
    if (node->kind == NODE_STRING)
        load_fail(l, node, close.best, "'%.60s' is not one of: %s", node->text,
                  all.data);
    else
        load_fail(l, node, NULL, "%s where one of these should stand: %s",
                  yaml_kind_name(node->kind), all.data);
    return false;
}

#define DAY_MS ((int64_t)24 * 3600 * 1000)

bool load_duration(struct loader *l, const struct yaml_node *node,
                   int64_t *out_ms)
{
    return load_long_duration(l, node, LOAD_MAX_TIMEOUT_MS, out_ms);
}

bool load_long_duration(struct loader *l, const struct yaml_node *node,
                        int64_t max_ms, int64_t *out_ms)
{
    CLEANUP(mem) char *hint = NULL;
    struct err err = {0};
    int64_t ms;

    if (node->kind == NODE_INT || node->kind == NODE_FLOAT)
        hint = xasprintf("%.20sm", node->text);
    if (node->kind != NODE_STRING) {
        load_fail(l, node, hint,
                  "a duration is a text with its units, like 90s, 30m or "
                  "1h30m, not %s",
                  yaml_kind_name(node->kind));
        return false;
    }
    if (duration_parse(node->text, &ms, &err) < 0) {
        load_fail(l, node, NULL, "'%.60s': %s", node->text, err.msg);
        return false;
    }
    if (ms > max_ms) {
        load_fail(l, node, NULL, "longer than %lld days",
                  (long long)(max_ms / DAY_MS));
        return false;
    }
    *out_ms = ms;
    return true;
}
