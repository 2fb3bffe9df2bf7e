/* scheduler/intake/admit_job.c - from a resolved request to a queue's job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/admit_job.h"

#include "base/state.h"
#include "base/strbuf.h"
#include "scheduler/queue/run.h"

#include <stdlib.h>
#include <string.h>

#define RANDOM_DIGITS 10
#define MAX_STEM      (JOB_MAX_ID - RANDOM_DIGITS - 1)

void admit_job_clear(struct admit_job *job)
{
    free(job->id);
    free(job->payload);
    free(job->tenant);
    free(job->pipeline);
    free(job->report);
    free(job->about);
    strv_clear(&job->labels);
    free(job->concurrency.group);
    memset(job, 0, sizeof(*job));
}

/* ---- its names -------------------------------------------------------------
 */

/* What of a name an id can have: the file's base name, in small letters. */
static void add_stem(struct strbuf *id, const char *name)
{
    const char *slash = strrchr(name, '/');

    if (slash)
        name = slash + 1;
    for (; *name && id->len < MAX_STEM && strcmp(name, ".yml") != 0 &&
           strcmp(name, ".yaml") != 0;
         name++) {
        char c = *name >= 'A' && *name <= 'Z' ? (char)(*name + 32) : *name;
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (plain)
            strbuf_addc(id, c);
        else if (id->len && id->data[id->len - 1] != '-')
            strbuf_addc(id, '-');
    }
    while (id->len && id->data[id->len - 1] == '-')
        strbuf_cut(id, id->len - 1);
}

static char *make_id(const struct job_request *r,
                     const struct document *document)
{
    CLEANUP(strbuf) struct strbuf id = STRBUF_INIT;
    char digits[RANDOM_DIGITS + 1];

    if (r->id)
        return xstrdup(r->id);
    state_random_hex(digits, RANDOM_DIGITS);
    add_stem(&id, r->pipeline_name ? r->pipeline_name : document->name);
    if (!id.len)
        strbuf_adds(&id, "job");
    strbuf_addf(&id, "-%s", digits);
    return strbuf_take(&id);
}

/* "acme/app": the last two parts of the tenant. */
static const char *name_of(const char *tenant)
{
    const char *at = tenant + strlen(tenant);
    unsigned slashes = 0;

    while (at > tenant && (at[-1] != '/' || ++slashes < 2))
        at--;
    return at;
}

/* ---- what run-job is told --------------------------------------------------
 */

static json_t *env_json(const struct env_list *list)
{
    json_t *object = json_object();

    for (size_t i = 0; i < list->count; i++)
        json_object_set_new(object, list->items[i].name,
                            json_string(list->items[i].value));
    return object;
}

/* JOB_FRAME_START (worker/job/events.h), but for pipeline and matrix. */
static json_t *make_common(const struct job_request *r,
                           const struct resolved *resolved, const char *tenant)
{
    const struct {
        const char *key, *value;
    } strings[] = {
        {"repo", r->repo},     {"repo_name", r->repo ? name_of(tenant) : NULL},
        {"commit", r->commit}, {"ref", r->ref},
        {"branch", r->branch}, {"base", r->base},
        {"change", r->change}, {"trust", r->fork ? "fork" : "member"},
        {"runtime", NULL},
    };
    json_t *common = json_object();

    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        json_object_set_new(
            common, strings[i].key,
            json_string(strings[i].value ? strings[i].value : ""));
    if (r->title)
        json_object_set_new(common, "title", json_string(r->title));
    if (r->description)
        json_object_set_new(common, "description", json_string(r->description));
    if (r->previous)
        json_object_set_new(common, "previous", json_deep_copy(r->previous));
    json_object_set_new(common, "keep", json_false());
    json_object_set_new(common, "inputs", json_deep_copy(resolved->inputs));
    json_object_set_new(common, "env", env_json(&r->env));
    return common;
}

/* For people. Owned by the caller. */
static char *make_about(const struct job_request *r, const char *tenant,
                        const char *pipeline, const char *name)
{
    const struct {
        const char *key, *value;
    } strings[] = {
        {"repo", r->repo},     {"repo_name", r->repo ? name_of(tenant) : NULL},
        {"commit", r->commit}, {"branch", r->branch},
        {"change", r->change}, {"pipeline", pipeline},
        {"name", name},
    };
    json_t *about = json_object();
    char *text;

    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        if (strings[i].value)
            json_object_set_new(about, strings[i].key,
                                json_string(strings[i].value));
    text = json_dumps(about, JSON_COMPACT);
    json_decref(about);
    return text;
}

/* One job without a condition that would keep it from running. */
static int is_plain(const struct plan *plan, const struct plan_facts *facts,
                    bool *out, struct err *err)
{
    static const enum plan_outcome pending[] = {PLAN_PENDING};
    enum plan_decision decision = PLAN_SKIP;

    if (plan->job_count == 1 &&
        plan_decide(plan, 0, facts, pending, false, &decision, err) < 0)
        return -1;
    *out = decision == PLAN_START;
    return 0;
}

static void set_queueing(const struct job_request *r, int64_t now_ms,
                         const struct plan *plan, struct admit_job *out)
{
    struct queue_job *job = &out->job;

    job->id = out->id;
    job->payload = out->payload;
    job->tenant = out->tenant;
    job->pipeline = out->pipeline;
    job->priority = r->priority;
    job->labels = &out->labels;
    job->not_before_ms = job_moment_at(&r->not_before, now_ms);
    job->expires_at_ms = job_moment_at(&r->deadline, now_ms);
    job->dedupe_key = r->dedupe_key;
    job->dedupe_ms = r->dedupe_ms;
    if (plan->concurrency_group) {
        out->concurrency = plan->document->concurrency;
        out->concurrency.group = xstrdup(plan->concurrency_group);
        job->concurrency = &out->concurrency;
    }
    job->job_retries = r->retries;
    job->infra_retries = -1;
    job->report = out->report;
    job->about = out->about;
    job->as_of_ms = r->as_of_ms;
}

int admit_job_make(const struct job_request *r, const struct resolved *resolved,
                   int64_t now_ms, struct admit_job *out, struct err *err)
{
    CLEANUP(plan) struct plan *plan = NULL;
    json_t *common;
    bool plain;

    if (plan_make(resolved->document, &resolved->facts, &plan, err) < 0 ||
        is_plain(plan, &resolved->facts, &plain, err) < 0)
        return -1;
    out->id = make_id(r, resolved->document);
    out->tenant = queue_tenant(r->repo);
    out->pipeline = xstrdup(resolved->document->name);
    out->report = r->report ? json_dumps(r->report, JSON_COMPACT) : NULL;
    out->about = make_about(r, out->tenant, out->pipeline,
                            plain ? plan->jobs[0].name : out->pipeline);
    for (size_t i = 0; plain && i < plan->jobs[0].labels.count; i++)
        strv_add(&out->labels, plan->jobs[0].labels.items[i]);
    common = make_common(r, resolved, out->tenant);
    out->payload =
        plain ? run_job_payload(plan, 0, common)
              : run_payload(resolved->document, &resolved->facts, common);
    json_decref(common);
    out->job.run_jobs = plain ? 0 : plan->job_count;
    set_queueing(r, now_ms, plan, out);
    if (!out->payload)
        return err_set(err, ERR_BUG, "the job cannot be written as JSON");
    return queue_check_jobs(&out->job, 1, err);
}
