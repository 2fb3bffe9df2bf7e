/* base/config_doc.c - what a table of settings says about itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"
#include "base/units.h"

#include <inttypes.h>
#include <string.h>

#define HELP_COLUMN 28 /* where the help texts start */
#define HELP_WIDTH  80

static void add_number(const struct config_key *key, int64_t value,
                       struct strbuf *out)
{
    char text[DURATION_TEXT_SIZE];

    if (key->type == CONFIG_DURATION)
        strbuf_adds(out, duration_format(value, text));
    else if (key->type == CONFIG_SIZE)
        strbuf_adds(out, size_format((uint64_t)value, text));
    else
        strbuf_addf(out, "%" PRId64, value);
}

static void add_range(const struct config_key *key, struct strbuf *out)
{
    if (key->max) {
        strbuf_adds(out, ", ");
        add_number(key, key->min, out);
        strbuf_adds(out, " to ");
        add_number(key, key->max, out);
    } else if (key->min) {
        strbuf_adds(out, ", at least ");
        add_number(key, key->min, out);
    }
}

char *config_type_text(const struct config_key *key)
{
    static const char *const names[] = {
        [CONFIG_STRING] = "string",
        [CONFIG_PATH] = "path",
        [CONFIG_BOOL] = "true or false",
        [CONFIG_INTEGER] = "whole number",
        [CONFIG_DURATION] = "duration",
        [CONFIG_SIZE] = "size",
        [CONFIG_WORD] = "one of",
        [CONFIG_LIST] = "list",
        [CONFIG_NUMBERS] = "mapping of names to whole numbers",
        [CONFIG_TREE] = "list of mappings",
    };
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    strbuf_adds(&out, names[key->type]);
    for (size_t i = 0; key->words && key->words[i]; i++)
        strbuf_addf(&out, "%s%s", i ? ", " : " ", key->words[i]);
    add_range(key, &out);
    return strbuf_take(&out);
}

static bool same_group(const char *a, const char *b)
{
    size_t len = strcspn(a, ".");

    return a[len] == '.' && strncmp(a, b, len + 1) == 0;
}

static void add_heading(const struct config_key *key, struct strbuf *out)
{
    size_t len = strcspn(key->name, ".");

    strbuf_addf(out, "\n## `%.*s`\n\n", (int)len, key->name);
    strbuf_adds(out, "| key | default | what |\n|---|---|---|\n");
}

/* Which parts use it, where not all do, and how it is treated. */
static void add_notes(const struct config_table *table,
                      const struct config_key *key, struct strbuf *out)
{
    for (size_t i = 0; key->parts && table->part_names[i]; i++)
        if (key->parts & (1U << i))
            strbuf_addf(out, "; %s", table->part_names[i]);
    if (key->flags & CONFIG_SECRET)
        strbuf_adds(out, "; never shown");
    if (!(key->flags & CONFIG_RELOADS))
        strbuf_adds(out, "; needs a restart");
}

void config_reference(const struct config_table *table, struct strbuf *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct config_key *key = &table->keys[i];
        CLEANUP(mem) char *type = config_type_text(key);
        const char *initial = key->initial ? key->initial : "";
        const char *quote = key->derive || !*initial ? "" : "`";

        if (!i || !same_group(key->name, table->keys[i - 1].name))
            add_heading(key, out);
        strbuf_addf(out, "| `%s` | %s%s%s | %s (%s", key->name, quote,
                    *initial ? initial : "none", quote, key->help, type);
        add_notes(table, key, out);
        strbuf_adds(out, ") |\n");
    }
}

/* Words of `text` in lines that start in HELP_COLUMN, but for the first. */
static void add_wrapped(const char *text, struct strbuf *out, size_t column)
{
    while (*text) {
        size_t len = strcspn(text, " ");

        if (column + len + 1 > HELP_WIDTH) {
            strbuf_addf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            strbuf_addc(out, ' ');
            column++;
        }
        for (size_t i = 0; i < len; i++)
            if (text[i] != '`') /* Markdown's */
                strbuf_addc(out, text[i]);
        column += len;
        text += len + strspn(text + len, " ");
    }
    strbuf_addc(out, '\n');
}

void config_help(const struct config_table *table, unsigned parts,
                 struct strbuf *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct config_key *key = &table->keys[i];
        const char *initial = key->initial ? key->initial : "";
        CLEANUP(mem)
        char *text = xasprintf("%s (default: %s)", key->help,
                               *initial ? initial : "none");
        size_t start = out->len;

        if (key->parts && !(key->parts & parts))
            continue;
        strbuf_addf(out, "  %-*s", HELP_COLUMN - 2, key->name);
        if (out->len - start > HELP_COLUMN)
            strbuf_addf(out, "\n%*s", HELP_COLUMN, "");
        add_wrapped(text, out, HELP_COLUMN);
    }
}
