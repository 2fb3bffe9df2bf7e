/* base/config.h - settings from one table: file, environment, options. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/err.h"
#include "base/strbuf.h"
#include "base/yaml_tree.h"

#include <stdint.h>

/*
 * A caller's table of keys makes the loader, the help and the reference page.
 * A value comes from the last of these that has it: the default, a YAML file
 * with nested mappings, the environment, options. Each remembers which.
 */

enum config_type {
    CONFIG_STRING,   /* char *: never NULL */
    CONFIG_PATH,     /* char *: absolute, or "" */
    CONFIG_BOOL,     /* bool */
    CONFIG_INTEGER,  /* int64_t */
    CONFIG_DURATION, /* int64_t: milliseconds */
    CONFIG_SIZE,     /* int64_t: bytes */
    CONFIG_WORD,     /* size_t: index into the key's words */
    CONFIG_LIST,     /* struct strv */
    CONFIG_NUMBERS,  /* struct config_numbers */
    CONFIG_TREE,     /* const struct yaml_node *: the file's, or NULL */
};

#define CONFIG_MAX_TEXT  4096 /* bytes of a string, a path, an item */
#define CONFIG_MAX_ITEMS 1000 /* of a list or a mapping */

/** A mapping of names to whole numbers, in the order it was written. */
struct config_numbers {
    struct config_number {
        char *name; /* owned */
        int64_t value;
    } * items; /* owned */
    size_t count;
};

/** The number of a name, or `fallback`. */
int64_t config_numbers_get(const struct config_numbers *numbers,
                           const char *name, int64_t fallback);

#define CONFIG_RELOADS 1U /* config_keep() lets it change */
#define CONFIG_SECRET  2U /* never shown, nor quoted in messages */
#define CONFIG_NUMERIC 4U /* a string that may stand as a number in a file */
#define CONFIG_PAIRS   8U /* a list whose items may have equals signs */

/** One row of the table. All of it is static. */
struct config_key {
    const char *name; /* "lease.renew": mappings, then the key */
    enum config_type type;
    unsigned flags;
    unsigned parts;      /* bit i: part_names[i] uses it; 0: all parts do */
    size_t offset;       /* of the field, in the caller's struct */
    const char *initial; /* the default, as text; not for CONFIG_TREE */
    /* The default where the host decides; `initial` then says in words what
     * it is. Owned by the caller. `values` has the rows above this one. */
    char *(*derive)(const void *values);
    int64_t min, max; /* of numbers, durations (ms), sizes; max 0: no limit */
    const char *const *words; /* CONFIG_WORD: the words, then NULL */
    /* Strings, paths, items and names: what more must be true. ERR_USER. */
    int (*check)(const char *text, struct err *err);
    const char *env;  /* another variable that sets it, or NULL */
    const char *help; /* a sentence or more */
};

struct config_table {
    const struct config_key *keys;
    size_t count;
    const char *env_prefix; /* "BERTH_": lease.renew is $BERTH_LEASE_RENEW */
    const char *const *part_names; /* then NULL; NULL: there are no parts */
};

/** Where a value comes from. Belongs to the struct config. */
struct config_origin {
    enum { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENV, CONFIG_OPTION } from;
    const char *name; /* of the file, the variable or the option */
    struct yaml_pos pos;
};

/** "default", "FILE:3:5", "$NAME" or "--set". Owned by the caller. */
MUST_USE char *config_origin_text(const struct config_origin *origin);

/** A value from the command line. */
struct config_option {
    const char *given; /* the option as it was typed: "--redis" */
    const char *name;  /* the key; NULL: `value` is NAME=VALUE */
    const char *value;
};

/** What there is besides the defaults; all borrowed during the call. */
struct config_sources {
    const char *file; /* name of `text` in messages; NULL: no file */
    const char *text; /* YAML: any bytes */
    size_t len;
    char *const *environ; /* NULL: none. Empty variables are not set. */
    const struct config_option *options;
    size_t option_count;
};

/** Told of each error, in no certain order; `hint` may be NULL. */
typedef void config_error_fn(void *arg, const struct config_origin *origin,
                             const char *message, const char *hint);

/** The origins of a caller's struct, and what it owns. */
struct config;

/**
 * Fill the struct at `values`, which starts zeroed, must outlive the config,
 * and is cleared by config_free(). `*out_config` is owned by the caller.
 * Returns -1 after all errors were reported: then `values` has defaults in
 * place of what is wrong, and is good for no more than to find more errors.
 */
MUST_USE int config_load(const struct config_table *table,
                         const struct config_sources *sources, void *values,
                         config_error_fn *on_error, void *arg,
                         struct config **out_config);
void config_free(struct config *config);
OWNER(config)

/** Told of a value that stays as it was; both texts as config_shown(). */
typedef void config_kept_fn(void *arg, const struct config_key *key,
                            const char *kept, const char *wanted);

/**
 * After a reload: values of keys without CONFIG_RELOADS that differ from those
 * of `before` (of the same table) become what they were; `fn` is told. A
 * CONFIG_TREE has to have CONFIG_RELOADS.
 */
void config_keep(struct config *config, const struct config *before,
                 config_kept_fn *fn, void *arg);

/** The index of a key. ERR_USER, with what was meant, when there is none. */
MUST_USE int config_find(const struct config_table *table, const char *name,
                         size_t *out_index, struct err *err);
/** Borrowed until the config goes. */
const struct config_origin *config_origin(const struct config *config,
                                          size_t index);
/** Tree of the file that a CONFIG_TREE is a part of; NULL: no file. */
const struct yaml_tree *config_tree(const struct config *config);
/**
 * A value as it would be written for the environment; "(set)" or "" for a
 * secret. Owned by the caller.
 */
MUST_USE char *config_shown(const struct config *config, size_t index);
/** The same as JSON: numbers, lists, objects; owned (json_decref). */
MUST_USE json_t *config_to_json(const struct config *config, size_t index);

/** Add a Markdown section for each group of keys. */
void config_reference(const struct config_table *table, struct strbuf *out);
/**
 * Add a line or more for each key that any of `parts` (bits; ~0U: all) uses, as
 * `--help` shows them.
 */
void config_help(const struct config_table *table, unsigned parts,
                 struct strbuf *out);
/** "duration", "whole number, 1 to 10" …: what a key takes. Owned. */
MUST_USE char *config_type_text(const struct config_key *key);

#endif
