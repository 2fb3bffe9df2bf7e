/* cli/table.h - rows of words in columns, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/style.h"

struct table;

#define TABLE_MAX_COLUMNS 12

/**
 * `heads` are the columns' names, at least one, then NULL; borrowed for as long
 * as the table is there.
 */
MUST_USE struct table *table_new(const char *const *heads);
void table_free(struct table *table);
OWNER(table)

/** Add the next cell; a stranger's text is cleaned. NULL: "". */
void table_cell(struct table *table, const char *text);
/** The same in a colour. */
void table_tinted(struct table *table, enum tint tint, const char *text);
/** Fill the row with empty cells: the next one begins a new row. */
void table_end_row(struct table *table);

/** Whether no row was begun. */
bool table_is_empty(const struct table *table);

/** Add a line below the last whole row; cleaned, never cut. "": none. */
void table_note(struct table *table, const char *text);

/**
 * Add all of it, the heads first, of whole rows; columns that are empty in
 * every row are left out, and the widest are cut so that a line takes `columns`
 * at most.
 */
void table_add(const struct table *table, const struct style *style,
               size_t columns, struct strbuf *out);

/** How wide a table may be that is printed to `fd`. */
size_t table_columns(int fd);

#endif
