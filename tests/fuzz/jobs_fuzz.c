/* tests/fuzz/jobs_fuzz.c - job documents of any bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"
#include "pipelines/job.h"
#include "pipelines/plan.h"
#include "tests/fuzz/fuzz.h"

#define CHECKED_MAX 20 /* requests of a batch that are looked at closely */

/* What is accepted gives itself again, through text as in the inbox. */
static void check_round_trip(const struct job_request *request)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(job_batch) struct job_batch *again = NULL;
    json_t *first = job_to_json(request), *second;
    CLEANUP(mem) char *text = json_dumps(first, JSON_COMPACT);

    require(text != NULL);
    /* An inline pipeline may be larger once its aliases are written out. */
    if (job_load("again", text, strlen(text), diags, &again) == 0) {
        second = job_to_json(&again->items[0]);
        require(json_equal(first, second));
        json_decref(second);
    } else {
        require(request->source == JOB_INLINE);
    }
    json_decref(first);
}

static void check_plan(const struct job_request *request)
{
    const struct plan_facts facts = {.repo = request->repo,
                                     .branch = request->branch,
                                     .change = request->change};
    CLEANUP(plan) struct plan *plan = NULL;

    if (request->document &&
        plan_make(request->document, &facts, &plan, NULL) == 0)
        require(plan->job_count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(job_batch) struct job_batch *batch = NULL;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    if (job_load("fuzz.yml", (const char *)data, size, diags, &batch) < 0) {
        require(diag_list_count(diags) > 0);
        diag_list_render(diags, &text);
        require(text.len > 0);
        return 0;
    }
    require(batch->count > 0 && batch->count <= JOB_MAX_BATCH);
    for (size_t i = 0; i < batch->count && i < CHECKED_MAX; i++) {
        require(!batch->items[i].document ==
                (batch->items[i].source != JOB_INLINE));
        check_round_trip(&batch->items[i]);
        check_plan(&batch->items[i]);
    }
    return 0;
}
