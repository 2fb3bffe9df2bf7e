/* cli/table.c - rows of words in columns, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "cli/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GAP            2  /* columns between two cells */
#define NARROWEST      8  /* no column is cut to less */
#define WIDEST         96 /* whatever a stranger named */
#define NO_TERMINAL    240
#define TERMINAL_LEAST 40

struct cell {
    char *text; /* owned; clean */
    char *note; /* owned; clean; of a row's last cell only; or NULL */
    int tint;   /* -1: none */
};

struct table {
    const char *const *heads; /* borrowed */
    size_t columns;
    struct cell *cells; /* owned; row by row */
    size_t count, cap;
};

struct table *table_new(const char *const *heads)
{
    struct table *table = xcalloc(1, sizeof(*table));

    table->heads = heads;
    table->columns = 1;
    while (table->columns < TABLE_MAX_COLUMNS && heads[table->columns])
        table->columns++;
    return table;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i].text);
        free(table->cells[i].note);
    }
    free(table->cells);
    free(table);
}

static void add(struct table *table, int tint, const char *text)
{
    CLEANUP(strbuf) struct strbuf clean = STRBUF_INIT;

    if (table->count == table->cap) {
        table->cap = table->cap ? 2 * table->cap : 64;
        table->cells =
            xreallocarray(table->cells, table->cap, sizeof(*table->cells));
    }
    text_add_clean(&clean, text ? text : "");
    table->cells[table->count++] =
        (struct cell){.text = strbuf_take(&clean), .tint = tint};
}

void table_cell(struct table *table, const char *text)
{
    add(table, -1, text);
}

void table_tinted(struct table *table, enum tint tint, const char *text)
{
    add(table, (int)tint, text);
}

void table_end_row(struct table *table)
{
    while (table->count % table->columns)
        add(table, -1, "");
}

bool table_is_empty(const struct table *table)
{
    return !table->count;
}

void table_note(struct table *table, const char *text)
{
    CLEANUP(strbuf) struct strbuf clean = STRBUF_INIT;

    if (!table->count || !*text)
        return;
    text_add_clean(&clean, text);
    free(table->cells[table->count - 1].note);
    table->cells[table->count - 1].note = strbuf_take(&clean);
}

/* ---- printing -------------------------------------------------------------
 */

static size_t columns_of(const char *text)
{
    return text_columns(text, strlen(text));
}

/* 0: nothing is in it. */
static void measure(const struct table *table, size_t *widths)
{
    for (size_t i = 0; i < table->count; i++) {
        size_t width = columns_of(table->cells[i].text);
        size_t *widest = &widths[i % table->columns];

        if (width > WIDEST)
            width = WIDEST;
        if (width > *widest)
            *widest = width;
    }
    for (size_t i = 0; i < table->columns; i++)
        if (widths[i] && columns_of(table->heads[i]) > widths[i])
            widths[i] = columns_of(table->heads[i]);
}

static size_t sum(const size_t *widths, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += widths[i] ? widths[i] + (total ? GAP : 0) : 0;
    return total;
}

static void narrow(size_t *widths, size_t count, size_t columns)
{
    while (sum(widths, count) > columns) {
        size_t widest = 0;

        for (size_t i = 1; i < count; i++)
            if (widths[i] > widths[widest])
                widest = i;
        if (widths[widest] <= NARROWEST)
            break;
        widths[widest]--;
    }
}

/* No spaces behind the last cell of a line. */
static void add_cell(const struct style *style, const struct cell *cell,
                     size_t width, size_t *pending, struct strbuf *out)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    size_t taken;

    if (!width)
        return;
    text_add_fit(&text, cell->text, strlen(cell->text), width, style->ascii);
    taken = text_columns(text.data, text.len);
    if (taken) {
        for (; *pending; --*pending)
            strbuf_addc(out, ' ');
        if (cell->tint >= 0)
            style_add(style, (enum tint)cell->tint, text.data, out);
        else
            strbuf_add(out, text.data, text.len);
    }
    *pending += width - taken + GAP;
}

void table_add(const struct table *table, const struct style *style,
               size_t columns, struct strbuf *out)
{
    size_t widths[TABLE_MAX_COLUMNS] = {0};
    size_t pending = 0;

    measure(table, widths);
    narrow(widths, table->columns, columns);
    for (size_t i = 0; i < table->columns; i++) {
        const struct cell head = {(char *)table->heads[i], NULL, TINT_BOLD};

        add_cell(style, &head, widths[i], &pending, out);
    }
    strbuf_addc(out, '\n');
    for (size_t row = 0; row < table->count; row += table->columns) {
        pending = 0;
        for (size_t i = 0; i < table->columns; i++)
            add_cell(style, &table->cells[row + i], widths[i], &pending, out);
        strbuf_addc(out, '\n');
        if (table->cells[row + table->columns - 1].note)
            strbuf_addf(out, "    %s\n",
                        table->cells[row + table->columns - 1].note);
    }
}

size_t table_columns(int fd)
{
    struct winsize size = {0};

    if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) < 0 || !size.ws_col)
        return NO_TERMINAL;
    return size.ws_col > TERMINAL_LEAST ? size.ws_col : TERMINAL_LEAST;
}
