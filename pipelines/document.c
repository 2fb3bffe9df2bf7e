/* pipelines/document.c - a whole document of the language: one job or many. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/document.h"

#include "base/utf8.h"
#include "pipelines/diag.h"
#include "pipelines/expr.h"
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>

static void document_job_clear(struct document_job *job)
{
    for (size_t i = 0; i < job->matrix.count; i++)
        env_list_clear(&job->matrix.rows[i]);
    free(job->matrix.rows);
    free(job->name);
    free(job->condition);
    free(job->needs);
    strv_clear(&job->labels);
    pipeline_free(job->pipeline);
}

void document_free(struct document *document)
{
    if (!document)
        return;
    for (size_t i = 0; i < document->job_count; i++)
        document_job_clear(&document->jobs[i]);
    free(document->jobs);
    free(document->name);
    free(document->description);
    free(document->concurrency.group);
    free(document);
}

bool document_needs_repo(const struct document *document)
{
    for (size_t i = 0; i < document->job_count; i++) {
        const struct pipeline *p = document->jobs[i].pipeline;

        for (size_t k = 0; k < p->step_count; k++)
            if (p->steps[k].kind == STEP_CHECKOUT)
                return true;
    }
    return false;
}

/* ---- keys ------------------------------------------------------------------
 */

static void load_name(struct loader *l, const struct yaml_node *value,
                      void *target UNUSED)
{
    if (!load_is_line(l, value, LOAD_MAX_NAME))
        return;
    if (template_is(value->text)) {
        load_fail_inside(
            l, value, (size_t)(strstr(value->text, "${{") - value->text), NULL,
            "a pipeline's name is fixed, and holds no ${{ }}");
        return;
    }
    free(l->document->name);
    l->document->name = xstrdup(value->text);
}

static void load_description(struct loader *l, const struct yaml_node *value,
                             void *target UNUSED)
{
    size_t n;
    uint32_t c;

    if (!load_is_string(l, value, LOAD_MAX_DESCRIPTION))
        return;
    for (size_t i = 0; i < value->len; i += n) {
        n = utf8_decode(value->text + i, value->len - i, &c);
        if (n && (!utf8_is_control(c) || c == '\n' || c == '\t'))
            continue;
        load_fail_inside(l, value, i, NULL,
                         "a control character in the description");
        return;
    }
    free(l->document->description);
    l->document->description = xstrdup(value->text);
}

/* It says when to start: of no use to those who run it, and not kept. */
static void load_document_on(struct loader *l, const struct yaml_node *value,
                             void *target UNUSED)
{
    load_on(l, value, NULL);
}

static void load_document_concurrency(struct loader *l,
                                      const struct yaml_node *value,
                                      void *target UNUSED)
{
    load_concurrency(l, value, &l->document->concurrency);
}

static void load_job_labels(struct loader *l, const struct yaml_node *value,
                            void *target UNUSED)
{
    load_labels(l, value, &l->job->labels);
}

/* ---- a document of one job -------------------------------------------------
 */

static const struct key_rule single_keys[] = {
    {"name", load_name, false, 0},
    {"description", load_description, false, 0},
    {"on", load_document_on, false, 0},
    {"concurrency", load_document_concurrency, false, 0},
    {"sandbox", load_sandbox, false, 0},
    {"timeout", load_timeout, false, 0},
    {"env", load_job_env, false, 0},
    {"secrets", load_job_secrets, false, 0},
    {"labels", load_job_labels, false, 0},
    {"matrix", NULL, false, 0}, /* before the others: load_job_keys() */
    {"steps", load_steps, true, 0},
};

static const struct foreign_word single_foreign[] = {
    {"stages", "write jobs: {NAME: {steps: […]}}, with needs between them"},
    {"pipeline", "write the keys at the top: name, sandbox, steps"},
    {"triggers", "write on: {change: {…}}"},
    {"needs", "only a job under jobs needs others"},
    {"if", "only steps, and jobs under jobs, have a condition"},
    {"strategy", "write matrix: {…}, with max-parallel and fail-fast in it"},
    {"runs-on", "write labels: […], or sandbox: {instance_type: standard-1}"},
    {"tags", "write labels: […]"},
    {"image", "write sandbox: {image: …}"},
    {"instance_type", "write sandbox: {instance_type: …}"},
    {"network", "write sandbox: {network: …}"},
    {"environment", "write env"},
    {"variables", "write env"},
    {"timeout-minutes", "write timeout: 30m"},
    {"script", "write steps: [{run: …}]"},
    {"run", "write steps: [{run: …}]"},
};

static const struct map_rules single_rules = {
    "a pipeline",
    single_keys,
    ARRAY_LEN(single_keys),
    single_foreign,
    ARRAY_LEN(single_foreign),
};

void load_job_keys(struct loader *l, const struct yaml_node *node,
                   const struct map_rules *rules)
{
    const struct yaml_node *matrix = yaml_node_get(node, "matrix");

    l->pipeline = l->job->pipeline;
    l->matrix_known = !matrix || load_matrix(l, matrix);
    load_map(l, node, rules, 0, l->job);
    load_finish_secrets(l, node);
}

/* ---- a document of several -------------------------------------------------
 */

static const struct key_rule many_keys[] = {
    {"name", load_name, false, 0},
    {"description", load_description, false, 0},
    {"on", load_document_on, false, 0},
    {"concurrency", load_document_concurrency, false, 0},
    {"sandbox", load_sandbox, false, 0},
    {"timeout", load_timeout, false, 0},
    {"env", load_job_env, false, 0},
    {"secrets", load_job_secrets, false, 0},
    {"labels", NULL, false, 0}, /* the target differs */
    {"jobs", NULL, true, 0},    /* after the others */
};

static const struct foreign_word many_foreign[] = {
    {"steps", "a pipeline has steps or jobs: put them into one of the jobs"},
    {"matrix", "a matrix belongs to a job: put it into one of the jobs"},
    {"strategy", "write matrix: {…} in a job"},
    {"needs", "put it into one of the jobs"},
    {"if", "put it into one of the jobs"},
    {"stages", "jobs are ordered by needs: [NAME]"},
    {"triggers", "write on: {change: {…}}"},
    {"runs-on", "write labels: […], or sandbox: {instance_type: standard-1}"},
    {"defaults", "write sandbox, timeout, env, secrets and labels at the top"},
    {"environment", "write env"},
    {"variables", "write env"},
    {"timeout-minutes", "write timeout: 30m"},
};

static const struct map_rules many_rules = {
    "a pipeline with jobs",  many_keys, ARRAY_LEN(many_keys), many_foreign,
    ARRAY_LEN(many_foreign),
};

/* What stands at the top goes for all jobs that do not say otherwise. */
static void load_many(struct loader *l, const struct yaml_node *node)
{
    const struct yaml_node *labels = yaml_node_get(node, "labels");
    struct document_job defaults = {.pipeline = pipeline_new()};

    l->document->has_jobs = true;
    l->pipeline = defaults.pipeline;
    load_map(l, node, &many_rules, 0, NULL);
    if (labels)
        load_labels(l, labels, &defaults.labels);
    load_jobs(l, yaml_node_get(node, "jobs"), &defaults);
    document_job_clear(&defaults);
}

/* ---- the whole -------------------------------------------------------------
 */

/* The file's base name without its ending, if that makes a name. */
static char *name_from_file(const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    const char *dot = strrchr(base, '.');
    size_t len = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    CLEANUP(mem) char *name = xstrndup(base, len);
    bool ok = name[strspn(name, " ")] && *name != '<' && /* not <stdin> */
              !template_is(name) && utf8_count(name, len) <= LOAD_MAX_NAME;

    for (size_t i = 0, n; ok && i < len; i += n) {
        uint32_t c;

        n = utf8_decode(name + i, len - i, &c);
        ok = n && !utf8_is_control(c);
    }
    return ok ? STEAL(name) : xstrdup("pipeline");
}

static void name_pipelines(struct document *document, const char *file)
{
    if (!document->name)
        document->name = file ? name_from_file(file) : xstrdup("pipeline");
    for (size_t i = 0; i < document->job_count; i++) {
        struct pipeline *p = document->jobs[i].pipeline;

        p->name = xstrdup(document->name);
        if (document->description)
            p->description = xstrdup(document->description);
    }
}

struct document *load_document(struct loader *l, const struct yaml_node *node,
                               const char *file)
{
    CLEANUP(document) struct document *document = xcalloc(1, sizeof(*document));
    bool failed = l->failed;

    l->failed = false;
    l->document = document;
    if (node->kind == NODE_NULL) {
        load_fail(l, node, NULL, "the document is empty");
    } else if (yaml_node_get(node, "jobs")) {
        load_many(l, node);
    } else {
        document->jobs = xcalloc(1, sizeof(*document->jobs));
        document->job_count = 1;
        l->job = &document->jobs[0];
        l->job->pipeline = pipeline_new();
        load_job_keys(l, node, &single_rules);
    }
    l->document = NULL;
    l->job = NULL;
    l->pipeline = NULL;
    if (l->failed)
        return NULL;
    l->failed = failed;
    name_pipelines(document, file);
    return STEAL(document);
}

/* ---- from text -------------------------------------------------------------
 */

static void add_diag(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    diag_list_add(arg, pos.line, pos.column, hint, "%s", message);
}

static void add_warning(void *arg, struct yaml_pos pos, const char *message,
                        const char *hint)
{
    (void)hint;
    diag_list_warn(arg, pos.line, pos.column, message);
}

static const struct yaml_node *of_many(const struct yaml_node *root)
{
    const struct yaml_node *jobs = yaml_node_get(root, "jobs");

    return jobs ? jobs : yaml_node_get(root, "matrix");
}

static int load_text(const char *file, const char *text, size_t len,
                     struct diag_list *diags, bool only_one,
                     struct document **out_document)
{
    CLEANUP(document) struct document *document = NULL;
    CLEANUP(yaml_tree) struct yaml_tree *tree = NULL;
    struct loader l = {
        .on_error = add_diag, .on_warning = add_warning, .arg = diags};
    const struct yaml_node *root;

    diag_list_set_source(diags, file, text, len);
    tree = yaml_tree_parse(text, len, add_diag, diags);
    if (!tree)
        return -1;
    l.tree = tree;
    root = yaml_tree_root(tree);
    document = load_document(&l, root, file);
    if (!document || !yaml_tree_is_sound(tree))
        return -1;
    if (only_one && of_many(root)) {
        load_fail(&l, of_many(root), NULL,
                  "this makes several jobs, where one is wanted");
        return -1;
    }
    *out_document = STEAL(document);
    return 0;
}

int document_load(const char *file, const char *text, size_t len,
                  struct diag_list *diags, struct document **out_document)
{
    return load_text(file, text, len, diags, false, out_document);
}

int pipeline_load(const char *file, const char *text, size_t len,
                  struct diag_list *diags, struct pipeline **out_pipeline)
{
    CLEANUP(document) struct document *document = NULL;

    if (load_text(file, text, len, diags, true, &document) < 0)
        return -1;
    *out_pipeline = STEAL(document->jobs[0].pipeline);
    return 0;
}

/* ---- from JSON -------------------------------------------------------------
 */

/* The first error is the one to tell. */
static void keep_error(void *arg, struct yaml_pos pos, const char *message,
                       const char *hint)
{
    struct err *problem = arg;

    (void)pos;
    if (!problem->kind)
        (void)err_set(problem, ERR_USER, "%.600s%s%.100s%s", message,
                      hint ? "; did you mean '" : "", hint ? hint : "",
                      hint ? "'?" : "");
}

int document_from_json(const json_t *json, struct document **out_document,
                       struct err *err)
{
    CLEANUP(document) struct document *document = NULL;
    CLEANUP(yaml_tree) struct yaml_tree *tree = NULL;
    struct err problem = {0};
    struct loader l = {.on_error = keep_error, .arg = &problem};

    if (!json)
        return err_set(err, ERR_USER, "pipeline document: there is none");
    tree = yaml_tree_from_json(json, keep_error, &problem);
    l.tree = tree;
    if (tree)
        document = load_document(&l, yaml_tree_root(tree), NULL);
    if (!document || !yaml_tree_is_sound(tree))
        return err_set(err, ERR_USER, "pipeline document: %s", problem.msg);
    *out_document = STEAL(document);
    return 0;
}

int pipeline_from_json(const json_t *json, struct pipeline **out_pipeline,
                       struct err *err)
{
    CLEANUP(document) struct document *document = NULL;

    if (document_from_json(json, &document, err) < 0)
        return -1;
    if (document->has_jobs || document->jobs[0].matrix.count)
        return err_set(err, ERR_USER,
                       "pipeline document: this makes several jobs, where one "
                       "is wanted");
    *out_pipeline = STEAL(document->jobs[0].pipeline);
    return 0;
}
