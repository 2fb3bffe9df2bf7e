/* pipelines/expr_parse.h - reads and evaluates at once; for expr*.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_EXPR_PARSE_H
#define PIPELINES_EXPR_PARSE_H

#include "pipelines/expr.h"
#include "pipelines/expr_value.h"

/*
 * An expression is short and has no side effects, so it is evaluated while it
 * is read, both sides of && and || too, and there is no tree. Without a scope
 * it is only checked: every context is null.
 */
struct expr_reader {
    const char *text;  /* the whole condition or template */
    const char *start; /* of the expression being read */
    const char *p;     /* where the next token starts */
    const char *end;
    const struct expr_scope *scope; /* NULL: check only */
    const struct expr_rules *rules; /* names and complaints */
    struct arena *arena;            /* for values */
    size_t looked_up;  /* bytes of contexts' values, which are copied */
    bool names_status; /* a status function was called */
    bool failed;       /* something was reported */
};

/**
 * Read one expression from `r->p`, up to the end of the text or, in a
 * template, `}}`, which is passed over and must come. Returns -1 after an error
 * of syntax; then `r->p` is anywhere behind the error.
 */
MUST_USE int expr_read(struct expr_reader *r, bool in_template,
                       struct value *out);

#endif
