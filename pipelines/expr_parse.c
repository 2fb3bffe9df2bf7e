/* pipelines/expr_parse.c - reads and evaluates at once; for expr*.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/expr_parse.h"

#include "base/strbuf.h"
#include "base/suggest.h"
#include "pipelines/expr_lex.h"

#include <string.h>

#define QUOTED_MAX    60 /* bytes of a stranger's word in a message */
#define LOOKED_UP_MAX ((size_t)1 << 20)

struct parse {
    struct expr_reader *r;
    struct token token; /* the one to look at */
    unsigned depth;
    bool in_template;
};

enum context_kind { CONTEXT_PLAIN, CONTEXT_NAMED, CONTEXT_OUTCOME };

static const struct context {
    const char *name;
    enum context_kind kind;
} contexts[] = {
    {"repo", CONTEXT_PLAIN},    {"commit", CONTEXT_PLAIN},
    {"branch", CONTEXT_PLAIN},  {"change", CONTEXT_PLAIN},
    {"base", CONTEXT_PLAIN},    {"trust", CONTEXT_PLAIN},
    {"inputs", CONTEXT_NAMED},  {"env", CONTEXT_NAMED},
    {"matrix", CONTEXT_NAMED},  {"steps", CONTEXT_OUTCOME},
    {"needs", CONTEXT_OUTCOME},
};

enum function_kind { FN_ALWAYS, FN_SUCCESS, FN_FAILURE, FN_CANCELLED };

static const struct function {
    const char *name;
    enum function_kind kind;
} functions[] = {
    {"always", FN_ALWAYS},
    {"success", FN_SUCCESS},
    {"failure", FN_FAILURE},
    {"cancelled", FN_CANCELLED},
};

/* Loosest first; rows are levels of precedence. */
static const char *const levels[][5] = {
    {"||", NULL},
    {"&&", NULL},
    {"==", "!=", NULL},
    {"<", "<=", ">", ">=", NULL},
};

static int quoted(const struct token *token)
{
    return (int)(token->len < QUOTED_MAX ? token->len : QUOTED_MAX);
}

static int advance(struct parse *p)
{
    return expr_lex(p->r, p->in_template, &p->token);
}

static int unexpected(struct parse *p, const char *expected)
{
    const struct token *token = &p->token;

    if (token->kind == TOKEN_END)
        return expr_complain(p->r, token->start, NULL,
                             "the expression ends where %s should stand",
                             expected);
    if (token->kind == TOKEN_TEXT)
        return expr_complain(p->r, token->start, NULL,
                             "a text where %s should stand", expected);
    return expr_complain(p->r, token->start, NULL,
                         "'%.*s' where %s should stand", quoted(token),
                         token->start, expected);
}

static int expect(struct parse *p, const char *operator)
{
    char name[8] = {'\'', operator[0], '\'', '\0'};

    if (!token_is(&p->token, operator))
        return unexpected(p, name);
    return advance(p);
}

/* ---- functions and contexts ------------------------------------------------
 */

static int call_function(struct parse *p, const struct token *name,
                         struct value *out)
{
    enum expr_status status = p->r->scope ? p->r->scope->status : EXPR_SUCCESS;
    char word[SUGGEST_MAX + 1] = "";
    struct suggest close = SUGGEST_INIT(word);
    size_t i;

    if (advance(p) < 0)
        return -1;
    if (!token_is(&p->token, ")"))
        return unexpected(p, "')' (functions take nothing)");
    for (i = 0; i < ARRAY_LEN(functions); i++)
        if (token_is(name, functions[i].name))
            break;
    if (i < ARRAY_LEN(functions)) {
        enum function_kind kind = functions[i].kind;

        p->r->names_status = true;
        *out = value_bool(kind == FN_ALWAYS ||
                          (kind == FN_SUCCESS && status == EXPR_SUCCESS) ||
                          (kind == FN_FAILURE && status == EXPR_FAILURE) ||
                          (kind == FN_CANCELLED && status == EXPR_CANCELLED));
        return advance(p);
    }
    if (name->len <= SUGGEST_MAX)
        memcpy(word, name->start, name->len);
    for (i = 0; i < ARRAY_LEN(functions); i++)
        suggest_offer(&close, functions[i].name);
    (void)expr_complain(p->r, name->start, close.best,
                        "unknown function '%.*s'", quoted(name), name->start);
    return advance(p);
}

static int unknown_word(struct parse *p, const struct token *name)
{
    char word[SUGGEST_MAX + 1] = "";
    struct suggest close = SUGGEST_INIT(word);

    if (token_is(name, "github"))
        return expr_complain(p->r, name->start, NULL,
                             "unknown context 'github'; repo, commit, branch, "
                             "change and base stand alone");
    if (token_is(name, "secrets"))
        return expr_complain(p->r, name->start, NULL,
                             "unknown context 'secrets': a step is given them "
                             "by  secrets: [NAME]");
    if (token_is(name, "not"))
        return expr_complain(p->r, name->start, "!", "unknown context 'not'");
    if (name->len <= SUGGEST_MAX)
        memcpy(word, name->start, name->len);
    for (size_t i = 0; i < ARRAY_LEN(contexts); i++)
        suggest_offer(&close, contexts[i].name);
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (!strncmp(word, functions[i].name, SUGGEST_MAX))
            return expr_complain(p->r, name->start, NULL,
                                 "'%s' is a function: write %s()", word, word);
    return expr_complain(p->r, name->start, close.best,
                         "unknown context '%.*s'; a text needs quotes",
                         quoted(name), name->start);
}

/* `.name` or `['name']`, the token at hand being what follows the context. */
static int read_name(struct parse *p, const struct token *context,
                     const char **out_name, struct token *out_token)
{
    bool brackets = token_is(&p->token, "[");

    if (!brackets && !token_is(&p->token, "."))
        return expr_complain(p->r, context->start, NULL,
                             "'%.*s' needs a name: %.*s.NAME", quoted(context),
                             context->start, quoted(context), context->start);
    if (advance(p) < 0)
        return -1;
    *out_token = p->token;
    if (p->token.kind != (brackets ? TOKEN_TEXT : TOKEN_WORD))
        return unexpected(p, brackets ? "a text in quotes" : "a name");
    *out_name = brackets
                    ? p->token.value.text
                    : arena_strndup(p->r->arena, p->token.start, p->token.len);
    if (advance(p) < 0)
        return -1;
    return brackets ? expect(p, "]") : 0;
}

/* Of what has a name: whether that is there. */
static void check_name(struct parse *p, const struct context *context,
                       const char *name, const struct token *name_token)
{
    const struct expr_rules *rules = p->r->rules;
    const char *close = NULL, *missing = "the matrix has no";
    bool there;

    if (p->r->scope)
        return;
    if (!strcmp(context->name, "steps")) {
        missing = "no earlier step is called";
        there = rules->has_step && rules->has_step(rules->arg, name, &close);
    } else {
        if (!strcmp(context->name, "needs"))
            missing = "this job does not need";
        there = !rules->has_name ||
                rules->has_name(rules->arg, context->name, name, &close);
    }
    if (!there)
        (void)expr_complain(p->r, name_token->start, close, "%s '%.*s'",
                            missing, QUOTED_MAX, name);
}

/* The `.outcome` behind a step, or a job that is needed. */
static int read_outcome(struct parse *p)
{
    if (expect(p, ".") < 0)
        return -1;
    if (!token_is(&p->token, "outcome"))
        return expr_complain(p->r, p->token.start, "outcome",
                             "all that is known of it is its outcome");
    return advance(p);
}

/* Not all contexts have a value everywhere. False: reported. */
static bool check_context(struct parse *p, const struct token *word)
{
    CLEANUP(strbuf) struct strbuf all = STRBUF_INIT;
    const char *const *known = p->r->rules->contexts;

    if (p->r->scope || !known)
        return true;
    for (size_t i = 0; known[i]; i++) {
        if (token_is(word, known[i]))
            return true;
        strbuf_addf(&all, "%s%s", i ? ", " : "", known[i]);
    }
    (void)expr_complain(p->r, word->start, NULL,
                        "'%.*s' has no value here; what has: %s", quoted(word),
                        word->start, all.data);
    return false;
}

static int read_context(struct parse *p, const struct token *word,
                        const struct context *context, struct value *out)
{
    const struct expr_scope *scope = p->r->scope;
    const char *name = NULL, *text = NULL;
    struct token name_token = {0};

    if (context->kind == CONTEXT_PLAIN &&
        (token_is(&p->token, ".") || token_is(&p->token, "[")))
        return expr_complain(p->r, p->token.start, NULL,
                             "'%s' is a plain value, with nothing inside",
                             context->name);
    if (context->kind != CONTEXT_PLAIN &&
        read_name(p, word, &name, &name_token) < 0)
        return -1;
    if (context->kind == CONTEXT_OUTCOME && read_outcome(p) < 0)
        return -1;
    if (check_context(p, word) && name)
        check_name(p, context, name, &name_token);
    if (scope && scope->lookup)
        text = scope->lookup(scope->arg, context->name, name);
    *out = (struct value){VALUE_NULL, 0, NULL};
    if (!text)
        return 0;
    p->r->looked_up += strlen(text);
    if (p->r->looked_up > LOOKED_UP_MAX)
        return expr_complain(p->r, word->start, NULL,
                             "the values used here are longer than 1 MiB");
    out->kind = VALUE_TEXT;
    out->text = arena_strndup(p->r->arena, text, strlen(text));
    return 0;
}

static int read_word(struct parse *p, struct value *out)
{
    struct token word = p->token;

    if (advance(p) < 0)
        return -1;
    if (token_is(&p->token, "("))
        return call_function(p, &word, out);
    *out = value_bool(token_is(&word, "true"));
    if (token_is(&word, "true") || token_is(&word, "false"))
        return 0;
    *out = (struct value){VALUE_NULL, 0, NULL};
    if (token_is(&word, "null"))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(contexts); i++)
        if (token_is(&word, contexts[i].name))
            return read_context(p, &word, &contexts[i], out);
    return unknown_word(p, &word);
}

/* ---- operators -------------------------------------------------------------
 */

static int read_binary(struct parse *p, size_t level, struct value *out);

static int read_operand(struct parse *p, struct value *out)
{
    int rc;

    if (p->token.kind == TOKEN_WORD)
        return read_word(p, out);
    if (p->token.kind == TOKEN_TEXT || p->token.kind == TOKEN_NUMBER) {
        *out = p->token.value;
        return advance(p);
    }
    if (!token_is(&p->token, "("))
        return unexpected(p, "a value");
    if (p->depth == EXPR_MAX_DEPTH)
        return expr_complain(p->r, p->token.start, NULL,
                             "parentheses nested deeper than %d",
                             EXPR_MAX_DEPTH);
    p->depth++;
    rc = advance(p) < 0 || read_binary(p, 0, out) < 0 ? -1 : expect(p, ")");
    p->depth--;
    return rc;
}

static int read_unary(struct parse *p, struct value *out)
{
    bool negated = false, any = false;

    while (token_is(&p->token, "!")) {
        any = true;
        negated = !negated;
        if (advance(p) < 0)
            return -1;
    }
    if (read_operand(p, out) < 0)
        return -1;
    if (any)
        *out = value_bool(value_true(*out) != negated);
    return 0;
}

static struct value apply(const char *operator, struct value a, struct value b)
{
    enum value_order order;

    if (operator[0] == '|')
        return value_true(a) ? a : b;
    if (operator[0] == '&')
        return value_true(a) ? b : a;
    order = value_compare(a, b);
    if (operator[0] == '=')
        return value_bool(order == ORDER_EQUAL);
    if (operator[0] == '!')
        return value_bool(order != ORDER_EQUAL);
    if (operator[1] == '=' && order == ORDER_EQUAL)
        return value_bool(true);
    return value_bool(order == (operator[0] == '<' ? ORDER_LESS : ORDER_MORE));
}

static const char *operator_at(const struct parse *p, size_t level)
{
    for (const char *const *op = levels[level]; *op; op++)
        if (token_is(&p->token, *op))
            return *op;
    return NULL;
}

static int read_binary(struct parse *p, size_t level, struct value *out)
{
    const char *operator;
    struct value right;

    if (level == ARRAY_LEN(levels))
        return read_unary(p, out);
    if (read_binary(p, level + 1, out) < 0)
        return -1;
    while ((operator= operator_at(p, level))) {
        if (advance(p) < 0 || read_binary(p, level + 1, &right) < 0)
            return -1;
        *out = apply(operator, * out, right);
    }
    return 0;
}

/* Something stands behind a whole expression. */
static int trailing(struct parse *p)
{
    const struct token *token = &p->token;
    const char *hint = NULL;

    if (token_is(token, "and"))
        hint = "&&";
    else if (token_is(token, "or"))
        hint = "||";
    else if (token_is(token, "is"))
        hint = "==";
    return expr_complain(p->r, token->start, hint,
                         "'%.*s' where an operator or the end should stand",
                         quoted(token), token->start);
}

int expr_read(struct expr_reader *r, bool in_template, struct value *out)
{
    struct parse p = {.r = r, .in_template = in_template};

    r->start = r->p;
    if (advance(&p) < 0)
        return -1;
    if (p.token.kind == TOKEN_END && (p.token.len || !in_template))
        return expr_complain(r, r->start, NULL, "an expression is missing");
    if (p.token.kind != TOKEN_END && read_binary(&p, 0, out) < 0)
        return -1;
    if (p.token.kind != TOKEN_END)
        return trailing(&p);
    if (in_template && !p.token.len)
        return expr_complain(r, r->start, NULL, "this ${{ has no }}");
    return 0;
}
