/* cli/upkeep.c - programs that a daemon runs again and again beside it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/upkeep.h"

#include "base/clock.h"
#include "base/helper.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define MAX_OUTPUT ((size_t)16 << 10)

struct job {
    SLIST_ENTRY(job) link;
    struct loop *loop; /* borrowed */
    struct upkeep_task task;
    struct loop_source *timer; /* borrowed; the next turn */
    struct helper *helper;     /* owned; NULL: it does not run */
};

struct upkeep {
    struct loop *loop; /* borrowed */
    SLIST_HEAD(, job) jobs;
};

struct upkeep *upkeep_new(struct loop *loop)
{
    struct upkeep *upkeep = xcalloc(1, sizeof(*upkeep));

    upkeep->loop = loop;
    SLIST_INIT(&upkeep->jobs);
    return upkeep;
}

void upkeep_free(struct upkeep *upkeep)
{
    struct job *job;

    if (!upkeep)
        return;
    while ((job = SLIST_FIRST(&upkeep->jobs))) {
        SLIST_REMOVE_HEAD(&upkeep->jobs, link);
        loop_remove(job->timer);
        helper_free(job->helper);
        free(job);
    }
    free(upkeep);
}

static void begin(void *arg);

static void wait_for(struct job *job, int64_t ms)
{
    job->timer = loop_add_timer(job->loop, clock_mono_ms() + ms, begin, job);
}

static const char *last_line(struct strbuf *output)
{
    const char *line;

    while (output->len && output->data[output->len - 1] == '\n')
        strbuf_cut(output, output->len - 1);
    line = strrchr(output->data, '\n');
    return line ? line + 1 : output->data;
}

static void on_ended(void *arg, int status, struct strbuf *output,
                     const struct err *err)
{
    struct job *job = arg;
    const char *line = last_line(output);

    if (err)
        log_warn("%s: %s", job->task.what, err->msg);
    else if (status != 0)
        log_warn("%s: it exited with %d%s%.800s", job->task.what, status,
                 *line ? ": " : "", line);
    else if (*line)
        log_info("%s: %.800s", job->task.what, line);
    helper_free(STEAL(job->helper));
    wait_for(job, job->task.every_ms);
}

static void begin(void *arg)
{
    struct job *job = arg;
    CLEANUP(strv) struct strv argv = {0};
    struct helper_spec spec = {
        .name = job->task.what,
        .proc = {.in = PROC_NULL, .err = PROC_INHERIT, .new_group = true},
        .max_output = MAX_OUTPUT,
        .timeout_ms = job->task.timeout_ms};
    struct err err;

    job->timer = NULL;
    job->task.argv(job->task.arg, &argv);
    spec.proc.argv = (const char *const *)argv.items;
    if (helper_start(job->loop, &spec, on_ended, job, &job->helper, &err) == 0)
        return;
    log_warn("%s: %s", job->task.what, err.msg);
    wait_for(job, job->task.every_ms);
}

void upkeep_add(struct upkeep *upkeep, const struct upkeep_task *task)
{
    struct job *job = xcalloc(1, sizeof(*job));

    job->loop = upkeep->loop;
    job->task = *task;
    SLIST_INSERT_HEAD(&upkeep->jobs, job, link);
    wait_for(job, task->first_ms);
}
