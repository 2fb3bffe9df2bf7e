/* pipelines/findings/findings.h - what tools and reviewers found, one form. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_FINDINGS_FINDINGS_H
#define PIPELINES_FINDINGS_FINDINGS_H

#include "base/err.h"
#include "pipelines/diff/diff.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define FINDINGS_MAX       10000u /* kept in a list; more are counted */
#define FINDINGS_MAX_BYTES ((size_t)16 << 20) /* of a document */

/* Bytes of the texts of one; longer ones are cut at a character. */
#define FINDING_MAX_NAME 256u /* of a tool, a rule */
#define FINDING_MAX_PATH 1024u
#define FINDING_MAX_TEXT ((size_t)8 << 10)
#define FINDING_MAX_FIX  ((size_t)16 << 10) /* a longer one is left out */
#define FINDING_MAX_LINE 100000000u

enum finding_severity { FINDING_INFO, FINDING_WARNING, FINDING_ERROR };

enum finding_kind {
    FINDING_ISSUE, /* in the code */
    FINDING_TEST,  /* a test that failed; `rule` is its name */
};

/** What columns count. */
enum finding_unit { FINDING_BYTES, FINDING_UTF16, FINDING_CHARACTERS };

/** Replace a range of the new side by a text. */
struct finding_fix {
    const char *text; /* NULL: there is none */
    uint32_t line, end_line;
    uint32_t column;     /* from 1; 0: the begin of the line */
    uint32_t end_column; /* of what stays; 0: the end of the line */
    enum finding_unit unit;
};

#define FINGERPRINT_SIZE 33 /* hexadecimal digits and a NUL */

/** All texts are in the list's arena, UTF-8, and "" where there is none. */
struct finding {
    enum finding_kind kind;
    enum finding_severity severity;
    enum diff_side side;
    const char *tool;
    const char *rule; /* or the category of a review */
    const char *path; /* beneath the workspace, normalised; "": no place */
    uint32_t line, end_line;     /* from 1; 0: the whole file */
    uint32_t column, end_column; /* from 1; 0: not said */
    const char *message;
    const char *why;
    const char *quote; /* the code that is meant */
    const char *url;   /* of the rule's page, http(s) */
    double confidence; /* 0 to 1; negative: not said */
    struct finding_fix fix;
    char fingerprint[FINGERPRINT_SIZE]; /* fingerprint.h; "": none yet */
};

/** A list, in the order in which they were read. */
struct findings {
    struct arena *arena; /* owned */
    struct finding *items;
    size_t count;
    uint64_t overflow; /* beyond FINDINGS_MAX */
    uint64_t strayed;  /* kept, with a path that led out of the workspace */
    uint64_t refused;  /* entries that were none */
    const char *note;  /* why the first of these was; "": none was */
    uint64_t passed, failed, skipped; /* tests */
};

MUST_USE struct findings *findings_new(void);
void findings_free(struct findings *findings);
OWNER(findings)

/** How a document came to be; all borrowed during the call. */
struct findings_source {
    const char *tool;      /* where the document names none; NULL: "" */
    const char *workspace; /* its absolute path; NULL: "/workspace" */
    const char *dir;       /* below it, where the tool ran; NULL: itself */
};

enum findings_format {
    FINDINGS_TAP,        /* 13 and 14, https://testanything.org */
    FINDINGS_JUNIT,      /* XML of JUnit, as test runners write it */
    FINDINGS_SARIF,      /* 2.1, JSON */
    FINDINGS_RDJSON,     /* Reviewdog's, JSON */
    FINDINGS_RDJSONL,    /* the same, a line a diagnostic */
    FINDINGS_CHECKSTYLE, /* XML */
    FINDINGS_ESLINT,     /* JSON */
    FINDINGS_REVIEW,     /* a model's answer, JSON */
    FINDINGS_OWN,        /* schemas/findings.schema.json */
    FINDINGS_FORMAT_COUNT
};

/** "tap", "junit" …; static. */
const char *findings_format_name(enum findings_format format);
/** The inverse; -1: there is none of this name. */
int findings_format_find(const char *name);

const char *finding_severity_name(enum finding_severity severity);

/**
 * Add what a document says to the list. It may be any bytes. ERR_USER: it is
 * not of that format, with the place; what stood before the place was added.
 * Single entries that are wrong are passed over, and counted.
 */
MUST_USE int findings_read(struct findings *findings,
                           enum findings_format format,
                           const struct findings_source *source,
                           const void *text, size_t len, struct err *err);

/** schemas/findings.schema.json; owned by the caller. */
MUST_USE json_t *findings_to_json(const struct findings *findings);
/** The same as text (JSON_REAL_PRECISION(6), compact); owned (free). */
MUST_USE char *findings_dump(const struct findings *findings);

#endif
