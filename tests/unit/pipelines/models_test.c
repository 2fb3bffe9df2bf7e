/* tests/unit/pipelines/models_test.c - lists of models, and steps with one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/models.h"

#include "base/strbuf.h"
#include "pipelines/diag.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

static void on_error(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    strbuf_addf(arg, "%u:%u: %s%s%s\n", pos.line, pos.column, message,
                hint ? "; " : "", hint ? hint : "");
}

/* NULL: refused, and `errors` says why. */
static struct model_list *load(const char *text, struct strbuf *errors)
{
    CLEANUP(yaml_tree)
    struct yaml_tree *tree =
        yaml_tree_parse(text, strlen(text), on_error, errors);
    struct model_list *list = NULL;
    int rc;

    assert_non_null(tree);
    rc = model_list_load(tree, yaml_tree_root(tree), on_error, errors, &list);
    assert_int_equal(rc == 0, errors->len == 0);
    return list;
}

static void expect(const char *text, const char *wanted)
{
    CLEANUP(strbuf) struct strbuf errors = STRBUF_INIT;

    model_list_free(load(text, &errors));
    assert_string_equal(errors.data, wanted);
}

static void test_everything(void **state)
{
    CLEANUP(strbuf) struct strbuf errors = STRBUF_INIT;
    CLEANUP(model_list)
    struct model_list *list =
        load("- name: default\n"
             "  url: https://api.openai.com/v1\n"
             "  key: file:/etc/berth/key\n"
             "  model: gpt-5-mini\n"
             "  allow: [gpt-5]\n"
             "  context: 128000\n"
             "  output: 8192\n"
             "  price: {input: 0.25, output: 2.00, cached: 0.03}\n"
             "  fallback: other\n"
             "  ca: /etc/ca.pem\n"
             "  budget: {requests: 60, tokens: 400000, usd: 2, time: 15m}\n"
             "  fork_budget: {requests: 30, usd: 0.5}\n"
             "  repository_budget: {usd: 20}\n"
             "  day_budget: {usd: 200}\n"
             "- {name: other, url: 'http://127.0.0.1:1/v1', model: x, price: "
             "{input: 2, output: 0, written: 3}}\n",
             &errors);
    const struct model_config *model = list->items;

    (void)state;
    assert_int_equal(list->count, 2);
    assert_string_equal(model->dialect, "openai");
    assert_int_equal(model->price.input, 250000);
    assert_int_equal(model->price.cached, 30000);
    assert_int_equal(model->price.written, 312500); /* five fourths */
    assert_int_equal(list->items[1].price.written, 3000000);
    assert_int_equal(model->budget.micro_usd, 2000000);
    assert_int_equal(model->budget.time_ms, 900000);
    assert_int_equal(model->fork_budget.micro_usd, 500000);
    assert_int_equal(model->fork_budget.tokens, 0);
    assert_int_equal(list->items[1].budget.requests, 60);
    assert_ptr_equal(model_list_find(list, ""), model);
    assert_ptr_equal(model_list_find(list, "other"), &list->items[1]);
    assert_null(model_list_find(list, "none"));
}

#define MODEL "- {name: a, url: 'http://h/v1', model: m"

static void test_refused(void **state)
{
    (void)state;
    expect("{}\n", "1:1: models are a list of at most 50 mappings\n");
    expect("- {name: a}\n", "1:3: a model needs the key 'url'\n"
                            "1:3: a model needs the key 'model'\n");
    expect(
        MODEL ", key: sk-123}\n",
        "1:48: a key is never written here: say  file:/PATH  or  env:NAME\n");
    expect("- {name: a, url: 'http://u:p@h/v1', model: m}\n",
           "1:18: an address has no user, no query and no fragment: the key "
           "goes under key\n");
    expect("- {name: a, url: h, model: m}\n",
           "1:18: an address begins with https:// or http://\n");
    expect(MODEL "}\n" MODEL "}\n", "2:10: the model 'a' is there twice\n");
    expect(MODEL ", fallback: b}\n",
           "1:53: 'b' is no other model of this list\n");
    expect(MODEL ", fallback: b}\n"
                 "- {name: b, url: 'http://h', model: m, dialect: anthropic}\n",
           "1:53: 'b' speaks another dialect\n");
    expect(MODEL ", budget: {usd: 1}, day_budget: {tokens: 5}}\n",
           "1:73: day_budget limits tokens, so budget has to\n");
    expect(MODEL ", budget: {usd: 1}, fallback: b}\n"
                 "- {name: b, url: 'http://h', model: m, fallback: c}\n"
                 "- {name: c, url: 'http://h', model: m, fallback: a, "
                 "repository_budget: {usd: 1, requests: 2}}\n",
           "1:71: repository_budget of 'c' limits requests, so budget has "
           "to\n");
    expect(MODEL ", budget: {requests: 0.5}}\n",
           "1:62: a whole number from 1 on\n");
}

/* ---- steps --------------------------------------------------------------- */

static struct pipeline *pipeline(const char *model, struct diag_list *diags)
{
    CLEANUP(mem)
    char *text = xasprintf("steps:\n- run: x\n  model: %s\n", model);
    struct pipeline *p = NULL;

    (void)!pipeline_load("p.yml", text, strlen(text), diags, &p);
    return p;
}

/* As it is normalised, and read again from that. */
static void expect_step(const char *model, const char *wanted)
{
    struct diag_list *diags = diag_list_new();
    CLEANUP(pipeline) struct pipeline *p = pipeline(model, diags);
    CLEANUP(pipeline) struct pipeline *again = NULL;
    json_t *doc, *step;
    char *text;

    assert_non_null(p);
    doc = pipeline_to_json(p);
    step = json_array_get(json_object_get(doc, "steps"), 0);
    text = json_dumps(json_object_get(step, "model"),
                      JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    if (wanted)
        assert_string_equal(text, wanted);
    else
        assert_null(text);
    assert_int_equal(pipeline_from_json(doc, &again, NULL), 0);
    assert_int_equal(again->steps[0].model.budget.micro_usd,
                     p->steps[0].model.budget.micro_usd);
    free(text);
    json_decref(doc);
    diag_list_free(diags);
}

static void test_steps(void **state)
{
    (void)state;
    expect_step("true", "true");
    expect_step("false", NULL);
    expect_step("fast", "\"fast\"");
    expect_step("{name: fast}", "\"fast\"");
    expect_step("{id: gpt-5}", "{\"id\":\"gpt-5\"}");
    expect_step("{budget: {requests: 3, tokens: 9, usd: 0.25, time: 90s}}",
                "{\"budget\":{\"requests\":3,\"tokens\":9,\"usd\":0.25,"
                "\"time\":\"1m30s\"}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_steps),
    };

    return cmocka_run_group_tests_name("pipelines/models", tests, NULL, NULL);
}
