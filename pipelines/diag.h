/* pipelines/diag.h - what is wrong with a document, and where. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_DIAG_H
#define PIPELINES_DIAG_H

#include "base/mem.h"
#include "base/strbuf.h"

#include <jansson.h>
#include <stdbool.h>

struct diag {
    unsigned line;   /* from 1; 0: the whole document */
    unsigned column; /* from 1, in characters */
    char *message;   /* owned */
    char *hint;      /* owned; what was meant instead, or NULL */
};

#define DIAG_MAX 100 /* errors kept of one document */

struct diag_list;

/** An empty list, owned by the caller. */
MUST_USE struct diag_list *diag_list_new(void);
void diag_list_free(struct diag_list *list);
OWNER(diag_list)

/**
 * Say which document the errors are of; both are copied. pipeline_load() does
 * it. The text may be anything at all; its first MiB is kept.
 */
void diag_list_set_source(struct diag_list *list, const char *file,
                          const char *text, size_t len);

/**
 * Add an error; `hint` may be NULL. The same message at the same place (of
 * a node that several aliases name) is kept once; past DIAG_MAX only the fact
 * that there are more.
 */
void diag_list_add(struct diag_list *list, unsigned line, unsigned column,
                   const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6);

/**
 * Add what is not wrong but should be known; it has no part in any of the
 * below but diag_list_warnings().
 */
void diag_list_warn(struct diag_list *list, unsigned line, unsigned column,
                    const char *message);
/**
 * The warnings, each "warning: …", as a list of the same document; NULL: there
 * are none. Borrowed until the next change.
 */
const struct diag_list *diag_list_warnings(const struct diag_list *list);

size_t diag_list_count(const struct diag_list *list);
/** Whether there were more than DIAG_MAX. */
bool diag_list_truncated(const struct diag_list *list);
/** In the order of their places; borrowed until the next change. */
const struct diag *diag_list_at(const struct diag_list *list, size_t i);

/**
 * For people, all errors in the order of their places, each
 *
 *   FILE:LINE:COLUMN: MESSAGE; did you mean 'HINT'?
 *     4 |     tiemout: 30m
 *       |     ^
 *
 * A long line is cut around the column; what could disturb a terminal
 * (control and invisible characters, invalid UTF-8) is replaced by '?'.
 */
void diag_list_render(const struct diag_list *list, struct strbuf *out);

/** [{"line","column","message","hint"}], owned by the caller (json_decref). */
MUST_USE json_t *diag_list_to_json(const struct diag_list *list);

#endif
