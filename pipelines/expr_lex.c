/* pipelines/expr_lex.c - the tokens of expressions; for expr*.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/expr_lex.h"

#include "base/utf8.h"

#include <string.h>

int expr_complain(struct expr_reader *r, const char *at, const char *hint,
                  const char *fmt, ...)
{
    CLEANUP(mem) char *message = NULL;
    va_list ap;

    va_start(ap, fmt);
    message = xvasprintf(fmt, ap);
    va_end(ap);
    r->failed = true;
    r->rules->on_error(r->rules->arg, (size_t)(at - r->text), message, hint);
    return -1;
}

bool token_is(const struct token *token, const char *text)
{
    return (token->kind == TOKEN_WORD || token->kind == TOKEN_OPERATOR) &&
           token->len == strlen(text) &&
           !memcmp(token->start, text, token->len);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* 'text' or "text"; the quote itself is written twice. */
static int lex_text(struct expr_reader *r, struct token *out)
{
    char quote = *r->p;
    const char *s = r->p + 1;
    size_t len = 0;
    char *text;

    while (s < r->end && (*s != quote || (s + 1 < r->end && s[1] == quote)))
        s += *s == quote ? 2 : 1;
    if (s >= r->end)
        return expr_complain(r, r->p, NULL, "this text has no closing %c",
                             quote);
    text = arena_alloc(r->arena, (size_t)(s - r->p));
    for (const char *c = r->p + 1; c < s; c += *c == quote ? 2 : 1)
        text[len++] = *c;
    out->kind = TOKEN_TEXT;
    out->len = (size_t)(s + 1 - r->p);
    out->value = (struct value){VALUE_TEXT, 0, text};
    return 0;
}

static int lex_number(struct expr_reader *r, struct token *out)
{
    const char *s = r->p + 1;

    while (s < r->end &&
           (is_digit(*s) || is_word_start(*s) || *s == '.' ||
            ((*s == '-' || *s == '+') && (s[-1] == 'e' || s[-1] == 'E'))))
        s++;
    out->kind = TOKEN_NUMBER;
    out->len = (size_t)(s - r->p);
    out->value.kind = VALUE_NUMBER;
    if (!value_number(r->p, out->len, &out->value.number))
        return expr_complain(r, r->p, NULL, "'%.*s' is not a number",
                             (int)(out->len < 60 ? out->len : 60), r->p);
    return 0;
}

static int lex_operator(struct expr_reader *r, struct token *out)
{
    static const char *const operators[] = {"==", "!=", "<=", ">=", "&&",
                                            "||", "!",  "<",  ">",  "(",
                                            ")",  "[",  "]",  "."};
    size_t left = (size_t)(r->end - r->p);
    uint32_t c = 0;

    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        size_t len = strlen(operators[i]);

        if (len <= left && !memcmp(r->p, operators[i], len)) {
            out->kind = TOKEN_OPERATOR;
            out->len = len;
            return 0;
        }
    }
    if (*r->p == '=' || *r->p == '&' || *r->p == '|') {
        const char hint[] = {*r->p, *r->p, '\0'};

        return expr_complain(r, r->p, hint, "a single '%c' means nothing here",
                             *r->p);
    }
    left = utf8_decode(r->p, left, &c);
    return expr_complain(r, r->p, NULL, "'%.*s' is not part of an expression",
                         (int)(left ? left : 1), r->p);
}

static void lex_word(struct expr_reader *r, struct token *out)
{
    const char *s = r->p;

    while (s < r->end && (is_word_start(*s) || is_digit(*s) || *s == '-'))
        s++;
    out->kind = TOKEN_WORD;
    out->len = (size_t)(s - r->p);
}

int expr_lex(struct expr_reader *r, bool in_template, struct token *out)
{
    int rc = 0;

    while (r->p < r->end && strchr(" \t\r\n", *r->p))
        r->p++;
    *out = (struct token){TOKEN_END, r->p, 0, {VALUE_NULL, 0, NULL}};
    if (r->p == r->end)
        return 0;
    if (r->p - r->start > EXPR_MAX_BYTES)
        return expr_complain(r, r->start, NULL,
                             "an expression longer than %d bytes",
                             EXPR_MAX_BYTES);
    if (in_template && r->end - r->p >= 2 && !memcmp(r->p, "}}", 2))
        out->len = 2;
    else if (*r->p == '\'' || *r->p == '"')
        rc = lex_text(r, out);
    else if (is_word_start(*r->p))
        lex_word(r, out);
    else if (is_digit(*r->p) ||
             (strchr("+-", *r->p) && r->p + 1 < r->end && is_digit(r->p[1])))
        rc = lex_number(r, out);
    else
        rc = lex_operator(r, out);
    r->p += out->len;
    return rc;
}
