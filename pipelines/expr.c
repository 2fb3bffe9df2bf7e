/* pipelines/expr.c - conditions (`if`) and templates (`${{ }}`). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/expr.h"

#include "base/strbuf.h"
#include "pipelines/expr_parse.h"

#include <string.h>

static struct expr_reader reader(const char *text,
                                 const struct expr_scope *scope,
                                 const struct expr_rules *rules,
                                 struct arena *arena)
{
    return (struct expr_reader){.text = text,
                                .start = text,
                                .p = text,
                                .end = text + strlen(text),
                                .scope = scope,
                                .rules = rules,
                                .arena = arena};
}

bool template_is(const char *text)
{
    return strstr(text, "${{") != NULL;
}

/* What is done with the text between expressions, and with their values. */
typedef void piece_fn(void *arg, const char *text, size_t len);

/* Read a template's expressions in turn; `fn` (may be NULL) gets the result. */
static void read_template(struct expr_reader *r, piece_fn *fn, void *arg)
{
    unsigned parts = 0;
    const char *open;

    while ((open = strstr(r->p, "${{"))) {
        struct value value;
        const char *text;

        if (++parts > EXPR_MAX_PARTS) {
            r->failed = true;
            r->rules->on_error(r->rules->arg, (size_t)(open - r->text),
                               "more than 100 ${{ }} in one text", NULL);
            return;
        }
        if (fn)
            fn(arg, r->p, (size_t)(open - r->p));
        r->p = open + 3;
        if (expr_read(r, true, &value) < 0 || !fn)
            continue;
        text = value_text(value, r->arena);
        fn(arg, text, strlen(text));
    }
    if (fn)
        fn(arg, r->p, (size_t)(r->end - r->p));
}

int expr_check(const char *text, enum expr_form form,
               const struct expr_rules *rules)
{
    CLEANUP(arena) struct arena *arena = arena_new();
    struct expr_reader r = reader(text, NULL, rules, arena);
    struct value value;

    if (form == EXPR_TEMPLATE)
        read_template(&r, NULL, NULL);
    else if (expr_read(&r, false, &value) < 0)
        return -1;
    return r.failed ? -1 : 0;
}

/* ---- evaluating ------------------------------------------------------------
 */

/* The first complaint is the one to tell. */
static void keep_error(void *arg, size_t offset, const char *message,
                       const char *hint)
{
    struct err *err = arg;

    (void)hint;
    if (!err->kind)
        (void)err_set(err, ERR_USER, "at character %zu: %.300s", offset + 1,
                      message);
}

int condition_eval(const char *condition, const struct expr_scope *scope,
                   bool *out, struct err *err)
{
    CLEANUP(arena) struct arena *arena = NULL;
    struct err problem = {0};
    const struct expr_rules rules = {.on_error = keep_error, .arg = &problem};
    struct expr_reader r;
    struct value value;

    if (!condition) {
        *out = scope->status == EXPR_SUCCESS;
        return 0;
    }
    arena = arena_new();
    r = reader(condition, scope, &rules, arena);
    if (expr_read(&r, false, &value) < 0 || r.failed)
        return err_set(err, ERR_USER, "condition '%.200s': %s", condition,
                       problem.msg);
    *out =
        value_true(value) && (r.names_status || scope->status == EXPR_SUCCESS);
    return 0;
}

static void add_piece(void *arg, const char *text, size_t len)
{
    strbuf_add(arg, text, len);
}

int template_expand(const char *text, const struct expr_scope *scope,
                    char **out, struct err *err)
{
    CLEANUP(arena) struct arena *arena = arena_new();
    CLEANUP(strbuf) struct strbuf buf = STRBUF_MAX(EXPR_MAX_EXPANDED);
    struct err problem = {0};
    const struct expr_rules rules = {.on_error = keep_error, .arg = &problem};
    struct expr_reader r = reader(text, scope, &rules, arena);

    read_template(&r, add_piece, &buf);
    if (r.failed)
        return err_set(err, ERR_USER, "template '%.200s': %s", text,
                       problem.msg);
    if (buf.truncated)
        return err_set(err, ERR_USER,
                       "template '%.200s': longer than %zu KiB once expanded",
                       text, EXPR_MAX_EXPANDED / 1024);
    *out = strbuf_take(&buf);
    return 0;
}
