/* pipelines/findings/reader.h - what the readers of the formats share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_FINDINGS_READER_H
#define PIPELINES_FINDINGS_READER_H

#include "base/arena.h"
#include "pipelines/findings/findings.h"

struct reader {
    struct findings *out;
    const struct findings_source *source;
};

typedef int reader_fn(struct reader *reader, const char *text, size_t len,
                      struct err *err);

reader_fn read_tap, read_junit, read_sarif, read_rdjson, read_rdjsonl,
    read_checkstyle, read_eslint, read_review, read_own;

/**
 * Add a copy of `draft`, whose texts are borrowed and may be NULL, of any
 * length and bytes; numbers are put right. `path` is as the tool wrote it: NULL
 * or
 * "": none; `is_uri`: with escapes like %20.
 */
void reader_add(struct reader *reader, const struct finding *draft,
                const char *path, bool is_uri);

/** Count an entry that is none; the first reason is kept. */
void reader_refuse(struct reader *reader, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/** A draft with nothing said. */
#define FINDING_DRAFT                                                          \
    {                                                                          \
        .severity = FINDING_WARNING, .confidence = -1                          \
    }

/** By word, any case, as tools name it; `otherwise` for NULL and unknown. */
enum finding_severity reader_severity(const char *word,
                                      enum finding_severity otherwise);

/**
 * Copy text into the arena as UTF-8: no control characters but line feeds and
 * tabs, no escape sequences of terminals, no white space at the end; what is
 * over `max` bytes is cut, with an ellipsis.
 */
const char *reader_text(struct arena *arena, const char *s, size_t len,
                        size_t max);

/**
 * Where the workspace's own code first is in a stack trace or message: Node's
 * `at f (/workspace/a.js:3:5)`, Python's `File "a.py", line 3`, `a.c:3:5:`.
 * Sets path (owned by the arena, as it is written), line and column.
 */
bool reader_locate(struct reader *reader, const char *text,
                   const char **out_path, uint32_t *out_line,
                   uint32_t *out_column);

/* ---- JSON ---- */

/**
 * Read JSON, bounded in depth and in the number of values before it takes
 * memory. `*out_root` is owned by the caller (json_decref).
 */
MUST_USE int reader_json(const char *text, size_t len, json_t **out_root,
                         struct err *err);
/** Take the fence off: models put one around JSON, whatever they are told. */
void reader_unfence(const char **text, size_t *len);
/** The string of a key, or NULL. */
const char *json_text(const json_t *object, const char *key);
/** The number of a key in 1 to FINDING_MAX_LINE, else 0. */
uint32_t json_line(const json_t *object, const char *key);

#endif
