/* cli/list.h - what commands that list something of a pool have in common. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include "cli/pool.h"
#include "cli/table.h"

/** How many are listed where `--limit` does not say. */
#define LIST_LIMIT 50

/** Their `--limit`, a `const char *` of a command's struct; see pool_limit().
 */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define LIST_LIMIT_DEF(whole, member)                                          \
    {                                                                          \
        .name = "limit", .argument = "N",                                      \
        .help = "that many at most (default: 50; up to 1000)",                 \
        .type = OPTION_STRING, .offset = offsetof(whole, member)               \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

/** Add what a cell says of `row`; `member`: of its column. Need not be clean.
 */
typedef void list_cell_fn(const json_t *row, const char *member,
                          struct strbuf *out);

struct list_column {
    const char *head;
    const char *member;
    list_cell_fn *cell; /* NULL: the text, its first line */
};

list_cell_fn list_moment; /* milliseconds since 1970, in local time */
list_cell_fn list_bytes;

struct list {
    const char *name; /* in JSON */
    const struct list_column *columns;
    size_t count; /* TABLE_MAX_COLUMNS at most */
};

/** Print an array of objects: as {name: rows}, or for people. */
MUST_USE int list_print(const struct pool *pool, const struct list *list,
                        json_t *rows, struct err *err);
/** Print a table for people; of an empty one that there are none. */
MUST_USE int list_print_table(const struct pool *pool,
                              const struct table *table, struct err *err);

/**
 * Print what was done with one: {member: id, "result": word}, or "id: word"
 * with the first `digits` of it.
 */
MUST_USE int list_print_done(const struct pool *pool, const char *member,
                             const char *id, size_t digits, const char *word,
                             struct err *err);

#endif
