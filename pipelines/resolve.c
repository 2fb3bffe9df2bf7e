/* pipelines/resolve.c - from a job document to the document that is run. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/resolve.h"

#include "base/suggest.h"
#include "pipelines/diag.h"
#include "pipelines/library.h"

#include <stdlib.h>
#include <string.h>

static bool is_in_repo(const struct job_request *r)
{
    return r->source == JOB_PIPELINE && r->repo;
}

int resolve_wants(const struct job_request *r,
                  struct resolve_source *out_source, struct err *err)
{
    struct resolve_source source = {0};

    if (is_in_repo(r) && r->fork && !r->base)
        return err_set(err, ERR_USER,
                       "the pipeline '%s' of a fork's job is read from the "
                       "base branch, but there is no `base`",
                       r->pipeline_name);
    if (is_in_repo(r)) {
        source.path = job_pipeline_path(r->pipeline_name);
        source.commit = r->fork ? NULL : r->commit;
        source.ref = r->fork ? NULL : r->ref;
        source.branch = r->fork ? r->base : r->branch;
    }
    *out_source = source;
    return 0;
}

void resolve_source_clear(struct resolve_source *source)
{
    free(source->path);
    memset(source, 0, sizeof(*source));
}

void resolved_clear(struct resolved *resolved)
{
    document_free(resolved->document);
    json_decref(resolved->inputs);
    memset(resolved, 0, sizeof(*resolved));
}

/* ---- where it comes from ---------------------------------------------------
 */

static void complain_missing(const struct job_request *r,
                             struct diag_list *diags)
{
    struct suggest suggest = SUGGEST_INIT(r->pipeline_name);
    CLEANUP(mem) char *path = job_pipeline_path(r->pipeline_name);
    const char *where = r->fork ? "base branch" : "commit";

    for (size_t i = 0; library_name(i); i++)
        suggest_offer(&suggest, library_name(i));
    if (is_in_repo(r))
        diag_list_add(diags, 0, 0, suggest.best,
                      "there is no pipeline '%s': no file %s at the %s of the "
                      "repository, and none of that name ships with berth",
                      r->pipeline_name, path, where);
    else
        diag_list_add(diags, 0, 0, suggest.best,
                      "there is no pipeline '%s': without `repo` there is no "
                      "file %s, and none of that name ships with berth",
                      r->pipeline_name, path);
}

static struct document *copy(const struct document *document,
                             struct diag_list *diags)
{
    json_t *json = document_to_json(document);
    struct document *out = NULL;
    struct err err = {0};

    if (document_from_json(json, &out, &err) < 0)
        diag_list_add(diags, 0, 0, NULL, "%s", err.msg);
    json_decref(json);
    return out;
}

/* Owned by the caller; NULL: reported. */
static struct document *find(const struct job_request *r,
                             const struct resolve_text *found,
                             struct diag_list *diags)
{
    struct document *document = NULL;
    const char *text;

    if (r->source == JOB_INLINE)
        return copy(r->document, diags);
    if (found && is_in_repo(r))
        return document_load(found->file, found->text, found->len, diags,
                             &document) < 0
                   ? NULL
                   : document;
    text = library_find(r->pipeline_name);
    if (!text)
        complain_missing(r, diags);
    else if (document_load(r->pipeline_name, text, strlen(text), diags,
                           &document) < 0)
        return NULL;
    return document;
}

/* ---- what the request says besides -----------------------------------------
 */

static bool has(const struct strv *list, const char *s)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], s))
            return true;
    return false;
}

static int add_labels(struct document *document, const struct strv *labels,
                      struct diag_list *diags)
{
    for (size_t i = 0; i < document->job_count; i++) {
        struct strv *own = &document->jobs[i].labels;

        for (size_t k = 0; k < labels->count; k++)
            if (!has(own, labels->items[k]))
                strv_add(own, labels->items[k]);
        if (own->count <= DOCUMENT_MAX_LABELS)
            continue;
        diag_list_add(diags, 0, 0, NULL,
                      "with those of the job document there are more than %d "
                      "labels",
                      DOCUMENT_MAX_LABELS);
        return -1;
    }
    return 0;
}

static void set_concurrency(struct document *document,
                            const struct job_request *r)
{
    const struct concurrency *concurrency = &r->concurrency;

    if (!concurrency->group ||
        (r->concurrency_yields && document->concurrency.group))
        return;
    free(document->concurrency.group);
    document->concurrency = *concurrency;
    document->concurrency.group = xstrdup(concurrency->group);
}

static void set_facts(const struct job_request *r, struct resolved *resolved)
{
    resolved->inputs = json_object();
    for (size_t i = 0; i < r->inputs.count; i++)
        (void)json_object_set_new(resolved->inputs, r->inputs.items[i].name,
                                  json_string(r->inputs.items[i].value));
    resolved->facts = (struct plan_facts){
        .repo = r->repo,
        .commit = r->commit,
        .branch = r->branch,
        .change = r->change,
        .base = r->base,
        .trust = r->fork ? "fork" : "member",
        .inputs = resolved->inputs,
    };
}

static int check(const struct job_request *r, const struct resolved *resolved,
                 struct diag_list *diags)
{
    CLEANUP(plan) struct plan *plan = NULL;
    struct err err = {0};
    int rc = 0;

    if (!r->repo && document_needs_repo(resolved->document)) {
        diag_list_add(diags, 0, 0, NULL,
                      "the pipeline checks out, but there is no `repo`");
        rc = -1;
    }
    if (plan_make(resolved->document, &resolved->facts, &plan, &err) < 0) {
        diag_list_add(diags, 0, 0, NULL, "%s", err.msg);
        rc = -1;
    }
    return rc;
}

int resolve_finish(const struct job_request *request,
                   const struct resolve_text *found, struct diag_list *diags,
                   struct resolved *out)
{
    CLEANUP(resolved) struct resolved resolved = {0};

    resolved.document = find(request, found, diags);
    if (!resolved.document ||
        add_labels(resolved.document, &request->labels, diags) < 0)
        return -1;
    set_concurrency(resolved.document, request);
    set_facts(request, &resolved);
    if (check(request, &resolved, diags) < 0)
        return -1;
    *out = resolved;
    memset(&resolved, 0, sizeof(resolved));
    return 0;
}
