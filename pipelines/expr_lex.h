/* pipelines/expr_lex.h - the tokens of expressions; for expr*.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_EXPR_LEX_H
#define PIPELINES_EXPR_LEX_H

#include "pipelines/expr_parse.h"

enum token_kind {
    TOKEN_END, /* of the text; in a template also }} */
    TOKEN_WORD,
    TOKEN_TEXT,
    TOKEN_NUMBER,
    TOKEN_OPERATOR, /* also ( ) [ ] . */
};

struct token {
    enum token_kind kind;
    const char *start; /* in the text */
    size_t len;
    struct value value; /* TOKEN_TEXT, TOKEN_NUMBER */
};

/* Report an error at `at`, which points into the text. Returns -1. */
int expr_complain(struct expr_reader *r, const char *at, const char *hint,
                  const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Read the token at `r->p` and pass over it. -1: reported. */
MUST_USE int expr_lex(struct expr_reader *r, bool in_template,
                      struct token *out);

/* Whether it is this operator or word. */
bool token_is(const struct token *token, const char *text);

#endif
