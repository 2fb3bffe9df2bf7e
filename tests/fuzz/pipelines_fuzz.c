/* tests/fuzz/pipelines_fuzz.c - pipelines and expressions of any bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"
#include "pipelines/expr.h"
#include "pipelines/pipeline.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPR_MAX_INPUT 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Refused: there are errors, in order, that both renderings can show. */
static void check_errors(const struct diag_list *diags)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    json_t *list = diag_list_to_json(diags);

    require(diag_list_count(diags) > 0);
    for (size_t i = 1; i < diag_list_count(diags); i++) {
        const struct diag *a = diag_list_at(diags, i - 1);
        const struct diag *b = diag_list_at(diags, i);

        require(a->line < b->line ||
                (a->line == b->line && a->column <= b->column));
    }
    diag_list_render(diags, &text);
    for (size_t i = 0; i < text.len; i++)
        require((unsigned char)text.data[i] >= ' ' || text.data[i] == '\n');
    require(json_array_size(list) == diag_list_count(diags));
    json_decref(list);
}

/* Accepted: the normalised document gives itself again. */
static void check_round_trip(const struct pipeline *pipeline)
{
    CLEANUP(pipeline) struct pipeline *again = NULL;
    json_t *first = pipeline_to_json(pipeline);
    struct err err = {0};
    json_t *second;

    require(pipeline_from_json(first, &again, &err) == 0);
    second = pipeline_to_json(again);
    require(json_equal(first, second));
    json_decref(first);
    json_decref(second);
}

static void fuzz_pipeline(const char *text, size_t len)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(pipeline) struct pipeline *pipeline = NULL;

    if (pipeline_load("fuzz.yml", text, len, diags, &pipeline) == 0)
        check_round_trip(pipeline);
    else
        check_errors(diags);
}

static const char *lookup(void *arg, const char *context, const char *name)
{
    (void)arg;
    return name && strlen(name) % 2 ? name : context;
}

static bool has_step(void *arg, const char *name, const char **out_close)
{
    (void)arg;
    *out_close = name;
    return true;
}

static void on_error(void *arg, size_t offset, const char *message,
                     const char *hint)
{
    const char *text = arg;

    (void)hint;
    require(offset <= strlen(text) && *message);
}

/* What passes the check can be evaluated, and the other way round. */
static void fuzz_expression(char *text)
{
    const struct expr_rules rules = {has_step, on_error, text};
    const struct expr_scope scope = {EXPR_FAILURE, lookup, NULL};
    CLEANUP(mem) char *expanded = NULL;
    struct err err = {0};
    bool yes;

    require(expr_check(text, EXPR_CONDITION, &rules) ==
            condition_eval(text, &scope, &yes, &err));
    require(expr_check(text, EXPR_TEMPLATE, &rules) ==
            template_expand(text, &scope, &expanded, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(mem) char *text = xmalloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    fuzz_pipeline(text, size);
    if (size <= EXPR_MAX_INPUT)
        fuzz_expression(text);
    return 0;
}
