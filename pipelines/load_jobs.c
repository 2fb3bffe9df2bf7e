/* pipelines/load_jobs.c - several jobs in one document, and their order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "base/suggest.h"
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>

/* ---- needs -----------------------------------------------------------------
 */

static void unknown_need(struct loader *l, const struct yaml_node *node)
{
    struct suggest close = SUGGEST_INIT(node->text);

    for (size_t i = 0; i < l->jobs->count; i++)
        suggest_offer(&close, l->jobs->entries[i].key->text);
    load_fail(l, node, close.best, "there is no job '%.60s'", node->text);
}

static void load_need(struct loader *l, const struct yaml_node *node)
{
    struct document_job *job = l->job;
    size_t i;

    if (!load_is_line(l, node, LOAD_MAX_NAME))
        return;
    for (i = 0; i < l->jobs->count; i++)
        if (!strcmp(l->jobs->entries[i].key->text, node->text))
            break;
    if (i == l->jobs->count) {
        unknown_need(l, node);
        return;
    }
    if (!strcmp(job->name, node->text)) {
        load_fail(l, node, NULL, "a job cannot need itself");
        return;
    }
    for (size_t k = 0; k < job->need_count; k++)
        if (job->needs[k] == i) {
            load_fail(l, node, NULL, "the job '%.60s' is there twice",
                      node->text);
            return;
        }
    job->needs[job->need_count++] = i;
}

static void load_needs(struct loader *l, const struct yaml_node *value)
{
    bool list = value->kind == NODE_LIST;
    size_t count = list ? value->count : 1;

    if (count > DOCUMENT_MAX_JOBS) {
        load_fail(l, value, NULL, "more than %d jobs", DOCUMENT_MAX_JOBS);
        return;
    }
    l->job->needs = xcalloc(count + 1, sizeof(*l->job->needs));
    for (size_t i = 0; i < count; i++)
        load_need(l, list ? value->items[i] : value);
}

/* ---- keys of a job ---------------------------------------------------------
 */

static void load_if(struct loader *l, const struct yaml_node *value,
                    void *target)
{
    struct document_job *job = target;

    free(job->condition);
    job->condition = load_condition(l, PLACE_JOB, value);
}

static void load_own_labels(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    load_labels(l, value, &((struct document_job *)target)->labels);
}

static const struct key_rule job_keys[] = {
    {"needs", NULL, false, 0}, /* before the others, as is the matrix */
    {"matrix", NULL, false, 0},
    {"if", load_if, false, 0},
    {"sandbox", load_sandbox, false, 0},
    {"timeout", load_timeout, false, 0},
    {"env", load_job_env, false, 0},
    {"labels", load_own_labels, false, 0},
    {"secrets", load_job_secrets, false, 0},
    {"steps", load_steps, true, 0},
};

static const struct foreign_word job_foreign[] = {
    {"name", "a job is called as its key says"},
    {"depends_on", "write needs: [NAME]"},
    {"strategy", "write matrix: {…}, with max-parallel and fail-fast in it"},
    {"on", "it is the whole document's: write it at the top"},
    {"concurrency", "it is the whole document's: write it at the top"},
    {"runs-on", "write labels: […], or sandbox: {instance_type: standard-1}"},
    {"tags", "write labels: […]"},
    {"stage", "write needs: [NAME]"},
    {"image", "write sandbox: {image: …}"},
    {"instance_type", "write sandbox: {instance_type: …}"},
    {"network", "write sandbox: {network: …}"},
    {"environment", "write env"},
    {"variables", "write env"},
    {"timeout-minutes", "write timeout: 30m"},
    {"continue-on-error", "write it in the steps"},
    {"uses", "there are no pipelines in pipelines; write its steps"},
    {"script", "write steps: [{run: …}]"},
    {"run", "write steps: [{run: …}]"},
};

static const struct map_rules job_rules = {
    "a job", job_keys, ARRAY_LEN(job_keys), job_foreign, ARRAY_LEN(job_foreign),
};

static void load_job(struct loader *l, const struct yaml_entry *entry,
                     const struct document_job *defaults)
{
    struct document *document = l->document;
    struct document_job *job = &document->jobs[document->job_count++];
    const struct yaml_node *needs = yaml_node_get(entry->value, "needs");

    (void)load_is_key(l, entry->key, "the name of a job");
    job->name = xstrdup(entry->key->text);
    job->pipeline = pipeline_new();
    pipeline_inherit(job->pipeline, defaults->pipeline);
    for (size_t i = 0; i < defaults->labels.count; i++)
        strv_add(&job->labels, defaults->labels.items[i]);
    l->job = job;
    if (needs)
        load_needs(l, needs);
    load_job_keys(l, entry->value, &job_rules);
    l->job = NULL;
}

/* ---- order -----------------------------------------------------------------
 */

/* Whether all that a job needs is done. */
static bool is_free(const struct document_job *job, const bool *done)
{
    for (size_t i = 0; i < job->need_count; i++)
        if (!done[job->needs[i]])
            return false;
    return true;
}

/* From a job that is not done: one of its needs is not either. */
static size_t next_in_circle(const struct document_job *job, const bool *done)
{
    for (size_t i = 0; i < job->need_count; i++)
        if (!done[job->needs[i]])
            return job->needs[i];
    return 0;
}

static void report_circle(struct loader *l, const bool *done, size_t job)
{
    const struct document *document = l->document;
    CLEANUP(strbuf) struct strbuf path = STRBUF_MAX(300);
    bool seen[DOCUMENT_MAX_JOBS] = {false};
    size_t first;

    while (!seen[job]) { /* into the circle */
        seen[job] = true;
        job = next_in_circle(&document->jobs[job], done);
    }
    first = job;
    do {
        strbuf_addf(&path, "%s needs ", document->jobs[job].name);
        job = next_in_circle(&document->jobs[job], done);
    } while (job != first);
    load_fail(l, yaml_node_get(l->jobs->entries[first].value, "needs"), NULL,
              "these jobs wait for each other: %s%s", path.data,
              document->jobs[first].name);
}

static void check_order(struct loader *l)
{
    const struct document *document = l->document;
    bool done[DOCUMENT_MAX_JOBS] = {false};
    bool any = true;

    while (any) {
        any = false;
        for (size_t i = 0; i < document->job_count; i++)
            if (!done[i] && is_free(&document->jobs[i], done))
                done[i] = any = true;
    }
    for (size_t i = 0; i < document->job_count; i++)
        if (!done[i]) {
            report_circle(l, done, i);
            return;
        }
}

static void check_total(struct loader *l)
{
    const struct document *document = l->document;
    size_t total = 0;

    for (size_t i = 0; i < document->job_count; i++)
        total += document->jobs[i].matrix.count;
    if (total > DOCUMENT_MAX_ROWS)
        load_fail(l, l->jobs, NULL,
                  "the matrices of this document make %zu jobs, more than %d",
                  total, DOCUMENT_MAX_ROWS);
}

void load_jobs(struct loader *l, const struct yaml_node *value,
               const struct document_job *defaults)
{
    if (value->kind != NODE_MAP) {
        load_fail(l, value, NULL,
                  "jobs is a mapping of names and jobs (test: {steps: […]}), "
                  "not %s",
                  yaml_kind_name(value->kind));
        return;
    }
    if (!value->count || value->count > DOCUMENT_MAX_JOBS) {
        load_fail(l, value, NULL, "a pipeline has 1 to %d jobs, not %zu",
                  DOCUMENT_MAX_JOBS, value->count);
        return;
    }
    l->jobs = value;
    l->document->jobs = xcalloc(value->count, sizeof(*l->document->jobs));
    for (size_t i = 0; i < value->count; i++)
        load_job(l, &value->entries[i], defaults);
    check_order(l);
    check_total(l);
    l->jobs = NULL;
}
