/* worker/job/job_end.c - the end of a step, and of a job's parts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/job_impl.h"

#include "base/clock.h"

#include <stdio.h>

bool job_may_retry(const struct job *job, const struct attempt_end *end)
{
    const struct step_retry *retry =
        &job->start->pipeline->steps[job->index].retry;
    const struct step_result *r = &job->result->steps[job->index];

    if (job->over || job->lost || r->attempts > retry->max ||
        !(retry->when & 1u << end->reason))
        return false;
    if (!retry->exit_code_count)
        return true;
    for (size_t i = 0; i < retry->exit_code_count; i++)
        if (retry->exit_codes[i] == end->exit_code)
            return true;
    return false;
}

void job_note_end(struct job *job, const struct attempt_end *end)
{
    struct step_result *r = &job->result->steps[job->index];

    r->reason = end->reason;
    (void)snprintf(r->message, sizeof(r->message), "%s", end->message);
    r->exit_code = end->exit_code;
    r->signal = end->signal;
    if (end->cpu_ms >= 0)
        r->cpu_ms = (r->cpu_ms > 0 ? r->cpu_ms : 0) + end->cpu_ms;
    if (end->peak_bytes > r->peak_bytes)
        r->peak_bytes = end->peak_bytes;
    r->duration_ms = clock_mono_ms() - job->step_started_mono_ms;
    output_end(job->output);
    r->output_bytes = output_step_bytes(job->output);
}

static void keep_workspace(struct job *job)
{
    CLEANUP(mem) char *path = NULL;
    struct err err = {0};

    if (!job->start->keep || job->orphaned)
        return;
    /* What still runs inside could lead the copy out of the workspace. */
    if (job->killed || job->lost)
        output_note(job->output, "the workspace of a killed job is not kept");
    else if (machine_keep(job->machine, &path, &err) < 0)
        output_note(job->output, "warning: %s", err.msg);
    else
        output_note(job->output, "the workspace is kept at %s", path);
}

int job_tear_down(struct job *job, struct err *err)
{
    attempt_free(STEAL(job->attempt));
    loop_remove(job->last_grace);
    for (size_t i = 0; job->backgrounds && i < job->result->step_count; i++)
        if (job->start->pipeline->steps[i].background)
            job->result->steps[i].output_bytes =
                backgrounds_bytes(job->backgrounds, i);
    backgrounds_free(STEAL(job->backgrounds));
    throttle_free(STEAL(job->throttle));
    caches_free(STEAL(job->caches));
    grants_free(STEAL(job->grants));
    models_free(STEAL(job->models));
    if (!job->machine)
        return warm_end(STEAL(job->warm), err);
    machine_usage(job->machine, &job->result->usage);
    job->result->has_usage = true;
    if (!job->orphaned && !job->killed)
        machine_finish_saves(job->machine, job->output);
    keep_workspace(job);
    job->kept = machine_kept(job->machine);
    if (machine_destroy(STEAL(job->machine), err) == 0)
        return 0;
    output_note(job->output,
                "warning: not all of the sandbox could be removed: %s",
                err->msg);
    return err_wrap(err, "not all of the sandbox could be removed");
}

/* For who waited, none is an end like another. */
int job_missed(const struct job *job, struct err *err)
{
    if (job->why_lost.kind != ERR_NONE) {
        *err = job->why_lost;
        return err_wrap(err, "no sandbox waits for a job");
    }
    if (job->orphaned)
        return 0;
    return err_set(err, ERR_TRANSIENT, "no job came");
}

void job_release(struct job *job)
{
    output_free(job->output);
    job_result_free(job->result);
    job_start_free(job->start);
    expanded_clear(&job->step);
    channel_free(job->up);
    loop_free(job->loop);
}
