/* pipelines/load_opencode.c - steps that have opencode ask a model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>

const char *const opencode_tools[] = {"read", "grep", "glob",  "list",
                                      "bash", "edit", "write", NULL};

/* Of opencode's own; those of a repository are not loaded. */
static const char *const agents[] = {"build", "plan", NULL};
static const char *const dialects[] = {"auto", "run", "legacy", NULL};
static const char *const outputs[] = {"findings", "text", "file", NULL};
static const char *const severities[] = {"info", "warning", "error", NULL};

static struct step_opencode *of(void *target)
{
    return &((struct step *)target)->opencode;
}

/* It goes to the model, never through a shell. */
static void load_prompt(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    struct step *step = target;

    if (!load_is_string(l, value, LOAD_MAX_PROMPT))
        return;
    if (!value->text[strspn(value->text, " \t\r\n")]) {
        load_fail(l, value, NULL, "a prompt must not be blank");
        return;
    }
    load_template(l, PLACE_STEP, value);
    free(step->content);
    step->content = xstrdup(value->text);
}

static bool load_file_path(struct loader *l, const struct yaml_node *value,
                           const char *what, char **out)
{
    if (!load_is_path(l, value, what))
        return false;
    if (value->text[value->len - 1] == '/') {
        load_fail(l, value, NULL, "this is a directory, not a file");
        return false;
    }
    free(*out);
    *out = xstrdup(value->text);
    return true;
}

static void load_prompt_file(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    if (value->kind == NODE_STRING && strstr(value->text, "${{"))
        load_fail(l, value, NULL, "${{ }} is not expanded here");
    else
        (void)load_file_path(l, value, "the prompt's file",
                             &of(target)->prompt_file);
}

static void load_file(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    struct step *step = target;

    (void)load_file_path(l, value, "the file", &step->path);
}

static void load_step_budget(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    load_model_budget(l, value, &((struct step *)target)->model.budget);
}

static void load_agent(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    size_t i;

    if (load_word(l, value, agents, &i))
        of(target)->agent = agents[i];
}

static void load_dialect(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    size_t i;

    if (load_word(l, value, dialects, &i))
        of(target)->dialect = dialects[i];
}

static void load_output(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    size_t i;

    if (load_word(l, value, outputs, &i))
        of(target)->output = (enum opencode_output)i;
}

static void load_severity(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    size_t i;

    if (load_word(l, value, severities, &i))
        of(target)->min_severity = severities[i];
}

static void load_confidence(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    (void)load_amount(l, value, 1, &of(target)->min_confidence);
}

static void load_max_findings(struct loader *l, const struct yaml_node *value,
                              void *target)
{
    int count;

    if (load_whole(l, value, 1, LOAD_MAX_FINDINGS, &count))
        of(target)->max_findings = (unsigned)count;
}

static void load_paths(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    (void)load_each(l, value, LOAD_MAX_PATTERNS, "patterns", load_pattern,
                    &of(target)->paths);
}

static void load_tool(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    size_t i;

    if (load_word(l, value, opencode_tools, &i))
        of(target)->tools |= 1u << i;
}

static void load_tools(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    of(target)->tools = 0;
    (void)load_each(l, value, OPENCODE_TOOLS, "tools", load_tool, target);
}

static void load_verify(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    (void)load_bool(l, value, &of(target)->verify);
}

static void load_incremental(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    (void)load_bool(l, value, &of(target)->incremental);
}

static void load_whole_tree(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    (void)load_bool(l, value, &of(target)->whole);
}

static const struct key_rule opencode_keys[] = {
    {"prompt", load_prompt, false, 0},
    {"prompt_file", load_prompt_file, false, 0},
    {"model", load_model, false, 0},
    {"budget", load_step_budget, false, 0},
    {"agent", load_agent, false, 0},
    {"dialect", load_dialect, false, 0},
    {"tools", load_tools, false, 0},
    {"output", load_output, false, 0},
    {"file", load_file, false, 0},
    {"paths", load_paths, false, 0},
    {"max_findings", load_max_findings, false, 0},
    {"min_severity", load_severity, false, 0},
    {"min_confidence", load_confidence, false, 0},
    {"verify", load_verify, false, 0},
    {"incremental", load_incremental, false, 0},
    {"whole", load_whole_tree, false, 0},
};

static const struct foreign_word opencode_foreign[] = {
    {"instructions", "write prompt"},
    {"task", "write prompt"},
    {"format", "write output"},
    {"severity", "write min_severity"},
    {"confidence", "write min_confidence"},
    {"files", "write paths"},
    {"permissions", "write tools"},
    {"timeout", "it is a key of the step, beside opencode"},
    {"api_key", "the worker has the key: it is none of the pipeline's"},
    {"key", "the worker has the key: it is none of the pipeline's"},
};

static const struct map_rules opencode_rules = {
    "opencode",
    opencode_keys,
    ARRAY_LEN(opencode_keys),
    opencode_foreign,
    ARRAY_LEN(opencode_foreign),
};

/* ---- what keys say together ------------------------------------------------
 */

/* Keys of reviews, and keys of all else. */
static void check_keys(struct loader *l, const struct yaml_node *node,
                       bool is_review)
{
    static const char *const of_reviews[] = {
        "paths",  "max_findings", "min_severity", "min_confidence",
        "verify", "incremental",  "whole"};
    static const char *const of_others[] = {"agent", "file"};
    const char *const *keys = is_review ? of_others : of_reviews;
    size_t count = is_review ? ARRAY_LEN(of_others) : ARRAY_LEN(of_reviews);

    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *value = yaml_node_get(node, keys[i]);

        if (value && is_review)
            load_fail(l, value, NULL,
                      "output: findings has no %s: it is of text and file",
                      keys[i]);
        else if (value)
            load_fail(l, value, NULL, "only output: findings has %s", keys[i]);
    }
}

static void check(struct loader *l, const struct yaml_node *node,
                  const struct step *step)
{
    const struct step_opencode *o = &step->opencode;
    bool is_review = o->output == OPENCODE_FINDINGS;
    const struct yaml_node *tools = yaml_node_get(node, "tools");
    bool has_prompt =
        yaml_node_get(node, "prompt") || node->kind == NODE_STRING;

    if (has_prompt && yaml_node_get(node, "prompt_file"))
        load_fail(l, node, NULL, "prompt and prompt_file are two prompts");
    if (!is_review && !has_prompt && !yaml_node_get(node, "prompt_file"))
        load_fail(l, node, NULL,
                  "output: %s needs a prompt: only a review knows what to ask",
                  outputs[o->output]);
    if (o->output == OPENCODE_FILE && !yaml_node_get(node, "file"))
        load_fail(l, node, NULL, "output: file needs file: PATH");
    if (o->output == OPENCODE_TEXT && yaml_node_get(node, "file"))
        load_fail(l, yaml_node_get(node, "file"), NULL,
                  "output: text writes no file: it is output: file that does");
    if (is_review && o->dialect == dialects[2])
        load_fail(l, yaml_node_get(node, "dialect"), NULL,
                  "the older opencode does no reviews");
    if (is_review && tools && o->tools & ~OPENCODE_READ_ONLY)
        load_fail(l, tools, NULL,
                  "a review only reads: its tools are read, grep and glob");
    check_keys(l, node, is_review);
}

void load_opencode(struct loader *l, const struct yaml_node *value,
                   void *target)
{
    struct step *step = target;
    struct step_opencode *o = &step->opencode;

    if (step->model.name) /* a second opencode: reported already */
        return;
    *o = (struct step_opencode){.dialect = dialects[0],
                                .tools = OPENCODE_READ_ONLY,
                                .max_findings = 10,
                                .min_severity = "warning",
                                .min_confidence = 0.5,
                                .verify = true};
    if (yaml_node_get(value, "file"))
        o->output = OPENCODE_FILE;
    if (value->kind == NODE_STRING)
        load_prompt(l, value, step);
    else if (value->kind != NODE_NULL)
        load_map(l, value, &opencode_rules, 0, step);
    check(l, value, step);
    if (o->output == OPENCODE_FINDINGS) {
        step->reports = xcalloc(1, sizeof(*step->reports));
        step->reports[step->report_count++].format = "findings";
    }
    /* It has one, whatever `model` says. */
    if (!step->model.name)
        step->model.name = xstrdup("");
}

/* ---- beside which steps ----------------------------------------------------
 */

bool step_runs_code(const struct step *step)
{
    return step->kind == STEP_RUN || step->kind == STEP_INSTALL ||
           (step->kind == STEP_OPENCODE &&
            step->opencode.tools & ~OPENCODE_READ_ONLY);
}

bool step_reviews(const struct step *step)
{
    return step->kind == STEP_OPENCODE &&
           step->opencode.output == OPENCODE_FINDINGS;
}

/* What was found before is told without saying by which of them. */
static void check_incremental(struct loader *l, const struct yaml_node *steps)
{
    const struct pipeline *p = l->pipeline;
    size_t reviews = 0;

    for (size_t i = 0; i < p->step_count; i++)
        reviews += step_reviews(&p->steps[i]);
    for (size_t i = 0; i < p->step_count && reviews > 1; i++) {
        const struct yaml_node *opencode =
            yaml_node_get(steps->items[i], "opencode");

        if (p->steps[i].opencode.incremental)
            load_fail(l, yaml_node_get(opencode, "incremental"), NULL,
                      "a pipeline with such a review has no other one: put "
                      "each into a pipeline of its own");
    }
}

void load_opencode_steps(struct loader *l, const struct yaml_node *steps)
{
    const struct pipeline *p = l->pipeline;
    bool runs = false;

    if (p->step_count != steps->count)
        return; /* one is wrong, so they are not the same */
    check_incremental(l, steps);
    for (size_t i = 0; i < p->step_count; i++) {
        if (runs && step_reviews(&p->steps[i]))
            load_warn(l, yaml_node_get(steps->items[i], "opencode"),
                      "this review comes after a step that runs code of the "
                      "repository, which can change what it reads; of a fork "
                      "it is refused: put it first, or into a job of its own");
        runs |= step_runs_code(&p->steps[i]);
    }
}

/* ---- as JSON ---------------------------------------------------------------
 */

static json_t *texts(const struct strv *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

static void set_review(json_t *object, const struct step_opencode *o)
{
    if (o->paths.count)
        json_object_set_new(object, "paths", texts(&o->paths));
    json_object_set_new(object, "max_findings", json_integer(o->max_findings));
    json_object_set_new(object, "min_severity", json_string(o->min_severity));
    json_object_set_new(object, "min_confidence", json_real(o->min_confidence));
    json_object_set_new(object, "verify", json_boolean(o->verify));
    json_object_set_new(object, "incremental", json_boolean(o->incremental));
    json_object_set_new(object, "whole", json_boolean(o->whole));
}

json_t *step_opencode_to_json(const struct step *step)
{
    const struct step_opencode *o = &step->opencode;
    json_t *object = json_object();
    json_t *tools = json_array();

    if (step->content)
        json_object_set_new(object, "prompt", json_string(step->content));
    if (o->prompt_file)
        json_object_set_new(object, "prompt_file", json_string(o->prompt_file));
    json_object_set_new(object, "model", step_model_to_json(&step->model));
    if (o->agent)
        json_object_set_new(object, "agent", json_string(o->agent));
    json_object_set_new(object, "dialect", json_string(o->dialect));
    for (size_t i = 0; opencode_tools[i]; i++)
        if (o->tools & 1u << i)
            json_array_append_new(tools, json_string(opencode_tools[i]));
    json_object_set_new(object, "tools", tools);
    json_object_set_new(object, "output", json_string(outputs[o->output]));
    if (o->output == OPENCODE_FILE)
        json_object_set_new(object, "file", json_string(step->path));
    if (o->output == OPENCODE_FINDINGS)
        set_review(object, o);
    return object;
}
