/* cli/list.c - what commands that list something of a pool have in common. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/list.h"

#include "base/clock.h"
#include "cli/format.h"
#include "cli/job_text.h"

#include <string.h>

void list_moment(const json_t *row, const char *member, struct strbuf *out)
{
    char moment[FORMAT_SIZE];

    strbuf_adds(
        out, format_moment(job_number(row, member), clock_wall_ms(), moment));
}

void list_bytes(const json_t *row, const char *member, struct strbuf *out)
{
    char size[FORMAT_SIZE];

    strbuf_adds(out, format_bytes((uint64_t)job_number(row, member), size));
}

static void first_line(const json_t *row, const char *member,
                       struct strbuf *out)
{
    const char *text = job_string(row, member);

    strbuf_add(out, text, strcspn(text, "\n"));
}

static void add_row(struct table *table, const struct list *list,
                    const json_t *row)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct list_column *column = &list->columns[i];
        CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

        (column->cell ? column->cell : first_line)(row, column->member, &text);
        table_cell(table, text.data);
    }
}

int list_print(const struct pool *pool, const struct list *list, json_t *rows,
               struct err *err)
{
    const char *heads[TABLE_MAX_COLUMNS + 1] = {NULL};
    CLEANUP(table) struct table *table = NULL;
    const json_t *row;
    size_t i;

    if (pool->json)
        return pool_print_json(json_pack("{s:O}", list->name, rows), err);
    for (i = 0; i < list->count; i++)
        heads[i] = list->columns[i].head;
    table = table_new(heads);
    json_array_foreach(rows, i, row) add_row(table, list, row);
    return list_print_table(pool, table, err);
}

int list_print_table(const struct pool *pool, const struct table *table,
                     struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    if (table_is_empty(table))
        strbuf_adds(&text, "there are none\n");
    else
        table_add(table, &pool->style, pool->columns, &text);
    return pool_print(&text, err);
}

int list_print_done(const struct pool *pool, const char *member, const char *id,
                    size_t digits, const char *word, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    if (pool->json)
        return pool_print_json(
            json_pack("{s:s, s:s}", member, id, "result", word), err);
    strbuf_addf(&text, "%.*s: %s\n", (int)digits, id, word);
    return pool_print(&text, err);
}
