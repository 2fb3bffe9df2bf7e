/* base/config.c - settings from one table: file, environment, options. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include "base/arena.h"
#include "base/config_value.h"
#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>

struct config {
    const struct config_table *table; /* borrowed */
    char *values;                     /* borrowed; what it owns is ours */
    struct config_origin *origins;    /* owned; one a key */
    struct arena *arena;              /* owned: the names of origins */
    struct yaml_tree *tree;           /* owned; NULL: no file */
};

/* A config on its way. Errors do not stop it, so that all are found. */
struct load {
    struct config *config;
    config_error_fn *on_error;
    void *arg;
    const char *file;
    bool failed;
};

static void *field_of(const struct config *config, size_t index)
{
    return config->values + config->table->keys[index].offset;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->table->count; i++)
        config_value_clear(&config->table->keys[i], field_of(config, i));
    free(config->origins);
    arena_free(config->arena);
    yaml_tree_free(config->tree);
    free(config);
}

char *config_origin_text(const struct config_origin *origin)
{
    switch (origin->from) {
    case CONFIG_FILE:
        if (!origin->pos.line)
            return xstrdup(origin->name);
        return xasprintf("%s:%u:%u", origin->name, origin->pos.line,
                         origin->pos.column);
    case CONFIG_ENV:
        return xasprintf("$%s", origin->name);
    case CONFIG_OPTION:
        return xstrdup(origin->name);
    default:
        return xstrdup("default");
    }
}

static void report(struct load *l, const struct config_origin *origin,
                   const char *hint, const char *message)
{
    l->failed = true;
    l->on_error(l->arg, origin, message, hint);
}

static void set_origin(struct config *config, size_t index,
                       const struct config_origin *origin)
{
    struct config_origin *own = &config->origins[index];

    *own = *origin;
    own->name = origin->name ? arena_strndup(config->arena, origin->name,
                                             strlen(origin->name))
                             : NULL;
}

/* Set a value from text. */
static void set_text(struct load *l, size_t index, const char *text,
                     const struct config_origin *origin)
{
    const struct config_key *key = &l->config->table->keys[index];
    struct err err = {0};

    if (config_value_parse(key, text, field_of(l->config, index), &err) < 0) {
        CLEANUP(mem) char *message = xasprintf("'%s': %s", key->name, err.msg);

        report(l, origin, NULL, message);
        return;
    }
    set_origin(l->config, index, origin);
}

/* ---- defaults ----------------------------------------------------------- */

static void set_defaults(struct load *l)
{
    const struct config_table *table = l->config->table;
    const struct config_origin origin = {.from = CONFIG_DEFAULT};

    for (size_t i = 0; i < table->count; i++)
        if (table->keys[i].type != CONFIG_TREE && !table->keys[i].derive)
            set_text(l, i, table->keys[i].initial, &origin);
}

/* What the host decides, where nobody else did. */
static void derive_defaults(struct load *l)
{
    const struct config_table *table = l->config->table;

    for (size_t i = 0; i < table->count; i++) {
        CLEANUP(mem) char *text = NULL;

        if (!table->keys[i].derive ||
            l->config->origins[i].from != CONFIG_DEFAULT)
            continue;
        text = table->keys[i].derive(l->config->values);
        set_text(l, i, text, &l->config->origins[i]);
    }
}

/* ---- the file ----------------------------------------------------------- */

static void on_yaml_error(void *arg, struct yaml_pos pos, const char *message,
                          const char *hint)
{
    struct load *l = arg;
    const struct config_origin origin = {CONFIG_FILE, l->file, pos};

    report(l, &origin, hint, message);
}

static void on_value_error(void *arg, const struct yaml_node *node,
                           const char *message, const char *hint)
{
    on_yaml_error(arg, node->pos, message, hint);
}

/* The rest of a key's name below `prefix` ("" or "lease."), or NULL. */
static const char *below(const char *name, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(name, prefix, len) == 0 ? name + len : NULL;
}

static bool is_group(const struct config_table *table, const char *prefix)
{
    for (size_t i = 0; i < table->count; i++)
        if (below(table->keys[i].name, prefix))
            return true;
    return false;
}

/* A name that was meant: here, or else somewhere. */
static void suggest_key(const struct config_table *table, const char *prefix,
                        const char *word, struct strbuf *out)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < table->count; i++) {
        const char *name = below(table->keys[i].name, prefix);
        CLEANUP(mem)
        char *part = name ? xstrndup(name, strcspn(name, ".")) : NULL;
        struct suggest meant = SUGGEST_INIT(word);

        if (part)
            suggest_offer(&meant, part);
        if (meant.best && meant.distance < best) {
            best = meant.distance;
            strbuf_cut(out, 0);
            strbuf_adds(out, part);
        }
    }
    for (size_t i = 0; best == SIZE_MAX && i < table->count; i++) {
        const char *leaf = strrchr(table->keys[i].name, '.');

        if (leaf && !strcmp(leaf + 1, word)) {
            strbuf_adds(out, table->keys[i].name);
            return;
        }
    }
}

static int find_exact(const struct config_table *table, const char *name,
                      size_t *out_index)
{
    for (size_t i = 0; i < table->count; i++)
        if (!strcmp(table->keys[i].name, name)) {
            *out_index = i;
            return 0;
        }
    return -1;
}

static void unknown_key(struct load *l, const struct yaml_node *key,
                        const char *prefix)
{
    const struct config_table *table = l->config->table;
    CLEANUP(strbuf) struct strbuf hint = STRBUF_MAX(256);
    CLEANUP(mem) char *message = NULL;
    size_t index;

    if (!*prefix && find_exact(table, key->text, &index) == 0) {
        message = xasprintf("'%s' is written as a mapping: %.*s: {%s: …}",
                            key->text, (int)strcspn(key->text, "."), key->text,
                            strrchr(key->text, '.') + 1);
    } else {
        suggest_key(table, prefix, key->text, &hint);
        message = xasprintf("unknown key '%s%.100s'", prefix, key->text);
    }
    on_yaml_error(l, key->pos, message, hint.len ? hint.data : NULL);
}

static void load_map(struct load *l, const struct yaml_node *map,
                     const char *prefix);

static void load_entry(struct load *l, const struct yaml_entry *entry,
                       const char *prefix)
{
    const struct config_table *table = l->config->table;
    const struct config_origin origin = {CONFIG_FILE, l->file,
                                         entry->value->pos};
    CLEANUP(mem) char *name = xasprintf("%s%s", prefix, entry->key->text);
    CLEANUP(mem) char *group = xasprintf("%s.", name);
    /* A dot in a key would lead past the mappings. */
    bool dotted = strchr(entry->key->text, '.') != NULL;
    size_t i;

    if (!dotted && find_exact(table, name, &i) == 0) {
        if (config_value_load(&table->keys[i], entry->value,
                              field_of(l->config, i), on_value_error, l) == 0)
            set_origin(l->config, i, &origin);
    } else if (!dotted && is_group(table, group)) {
        load_map(l, entry->value, group);
    } else {
        unknown_key(l, entry->key, prefix);
    }
}

static void load_map(struct load *l, const struct yaml_node *map,
                     const char *prefix)
{
    CLEANUP(mem) char *message = NULL;

    if (map->kind == NODE_NULL)
        return; /* all of it is commented out */
    if (map->kind == NODE_MAP) {
        for (size_t i = 0; i < map->count; i++)
            load_entry(l, &map->entries[i], prefix);
        return;
    }
    message = xasprintf("%s%.*s%s is a mapping of settings, not %s",
                        *prefix ? "'" : "",
                        *prefix ? (int)strlen(prefix) - 1 : 0, prefix,
                        *prefix ? "'" : "the file", yaml_kind_name(map->kind));
    on_yaml_error(l, map->pos, message, NULL);
}

static void load_file(struct load *l, const struct config_sources *sources)
{
    if (!sources->file)
        return;
    l->config->tree =
        yaml_tree_parse(sources->text, sources->len, on_yaml_error, l);
    if (l->config->tree)
        load_map(l, yaml_tree_root(l->config->tree), "");
}

/* ---- environment and options -------------------------------------------- */

static const char *lookup(char *const *env, const char *name)
{
    size_t len = strlen(name);

    for (; *env; env++)
        if (!strncmp(*env, name, len) && (*env)[len] == '=')
            return (*env)[len + 1] ? *env + len + 1 : NULL;
    return NULL;
}

static char *variable_of(const struct config_table *table, size_t index)
{
    char *name = xasprintf("%s%s", table->env_prefix, table->keys[index].name);

    for (char *c = name; *c; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        else if (*c == '.')
            *c = '_';
    }
    return name;
}

static void load_environment(struct load *l, char *const *env)
{
    const struct config_table *table = l->config->table;

    for (size_t i = 0; env && i < table->count; i++) {
        CLEANUP(mem) char *name = variable_of(table, i);
        struct config_origin origin = {.from = CONFIG_ENV, .name = name};
        const char *value = lookup(env, name);

        if (!value && table->keys[i].env) {
            origin.name = table->keys[i].env;
            value = lookup(env, origin.name);
        }
        if (value)
            set_text(l, i, value, &origin);
    }
}

int config_find(const struct config_table *table, const char *name,
                size_t *out_index, struct err *err)
{
    struct suggest meant = SUGGEST_INIT(name);

    if (find_exact(table, name, out_index) == 0)
        return 0;
    for (size_t i = 0; i < table->count; i++)
        suggest_offer(&meant, table->keys[i].name);
    if (meant.best)
        return err_set(err, ERR_USER,
                       "unknown key '%.100s'; did you mean '%s'?", name,
                       meant.best);
    return err_set(err, ERR_USER, "unknown key '%.100s'", name);
}

static void load_option(struct load *l, const struct config_option *option)
{
    const struct config_origin origin = {.from = CONFIG_OPTION,
                                         .name = option->given};
    const char *equals = option->name ? NULL : strchr(option->value, '=');
    CLEANUP(mem) char *name = NULL;
    struct err err = {0};
    size_t i;

    if (!option->name && !equals) {
        report(l, &origin, NULL, "it takes NAME=VALUE");
        return;
    }
    name = option->name
               ? xstrdup(option->name)
               : xstrndup(option->value, (size_t)(equals - option->value));
    if (config_find(l->config->table, name, &i, &err) < 0)
        report(l, &origin, NULL, err.msg);
    else
        set_text(l, i, equals ? equals + 1 : option->value, &origin);
}

int config_load(const struct config_table *table,
                const struct config_sources *sources, void *values,
                config_error_fn *on_error, void *arg,
                struct config **out_config)
{
    struct config *config = xcalloc(1, sizeof(*config));
    struct load l = {config, on_error, arg, sources->file, false};

    config->table = table;
    config->values = values;
    config->origins = xcalloc(table->count, sizeof(*config->origins));
    config->arena = arena_new();
    set_defaults(&l);
    load_file(&l, sources);
    load_environment(&l, sources->environ);
    for (size_t i = 0; i < sources->option_count; i++)
        load_option(&l, &sources->options[i]);
    derive_defaults(&l);
    *out_config = config;
    return l.failed ? -1 : 0;
}

/* ---- afterwards --------------------------------------------------------- */

void config_keep(struct config *config, const struct config *before,
                 config_kept_fn *fn, void *arg)
{
    for (size_t i = 0; i < config->table->count; i++) {
        const struct config_key *key = &config->table->keys[i];
        CLEANUP(mem) char *old = config_value_text(key, field_of(before, i));
        CLEANUP(mem) char *new = config_value_text(key, field_of(config, i));
        CLEANUP(mem) char *kept = config_shown(before, i);
        CLEANUP(mem) char *wanted = config_shown(config, i);

        if ((key->flags & CONFIG_RELOADS) || !strcmp(old, new))
            continue;
        if (config_value_parse(key, old, field_of(config, i), NULL) < 0)
            abort(); /* it was accepted before */
        set_origin(config, i, &before->origins[i]);
        fn(arg, key, kept, wanted);
    }
}

const struct config_origin *config_origin(const struct config *config,
                                          size_t index)
{
    return &config->origins[index];
}

const struct yaml_tree *config_tree(const struct config *config)
{
    return config->tree;
}

char *config_shown(const struct config *config, size_t index)
{
    const struct config_key *key = &config->table->keys[index];
    char *text = config_value_text(key, field_of(config, index));

    if (!(key->flags & CONFIG_SECRET) || !*text)
        return text;
    mem_wipe(text, strlen(text));
    free(text);
    return xstrdup("(set)");
}

json_t *config_to_json(const struct config *config, size_t index)
{
    const struct config_key *key = &config->table->keys[index];
    CLEANUP(mem) char *shown = NULL;

    if (!(key->flags & CONFIG_SECRET))
        return config_value_json(key, field_of(config, index));
    shown = config_shown(config, index);
    return json_string(shown);
}
