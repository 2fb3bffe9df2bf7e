/* worker/job/judge.c - why a command failed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/judge.h"

#include "base/units.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

bool judge_memory(struct machine *machine, const struct job_start *start,
                  unsigned oom_kills_before, struct attempt_end *out)
{
    const struct instance_type *type = start->pipeline->instance_type;
    struct sandbox_usage usage = {0};
    char size[SIZE_TEXT_SIZE];

    machine_usage(machine, &usage);
    if (usage.oom_kills <= oom_kills_before)
        return false;
    out->reason = REASON_OUT_OF_MEMORY;
    (void)snprintf(out->message, sizeof(out->message),
                   "out of memory: a process was killed at the %s limit of "
                   "instance_type %s; choose a larger one",
                   size_format(type->memory_bytes, size), type->name);
    return true;
}

static void judge_failure(struct machine *machine,
                          const struct job_start *start,
                          const struct sandbox_exit *ended,
                          struct attempt_end *out)
{
    const struct instance_type *type = start->pipeline->instance_type;
    const char *name = sigabbrev_np(ended->signal);
    struct sandbox_usage usage = {0};
    char size[SIZE_TEXT_SIZE];

    machine_usage(machine, &usage);
    out->reason = usage.disk_full ? REASON_DISK_FULL : REASON_STEP_FAILED;
    if (usage.disk_full)
        (void)snprintf(out->message, sizeof(out->message),
                       "disk full: the %s disk of instance_type %s has no "
                       "space left; choose a larger one",
                       size_format(type->disk_bytes, size), type->name);
    else if (ended->signal)
        (void)snprintf(out->message, sizeof(out->message),
                       "killed by signal %d (SIG%s)", ended->signal,
                       name ? name : "?");
    else
        (void)snprintf(out->message, sizeof(out->message), "exit code %d",
                       ended->code);
}

void judge_exit(struct machine *machine, const struct job_start *start,
                unsigned oom_kills_before, const struct sandbox_exit *ended,
                struct attempt_end *out)
{
    out->reason = REASON_NONE;
    out->message[0] = '\0';
    out->exit_code = ended->code;
    out->signal = ended->signal;
    out->cpu_ms = ended->cpu_ms;
    out->peak_bytes = ended->peak_bytes;
    if (ended->code != 0 &&
        !judge_memory(machine, start, oom_kills_before, out))
        judge_failure(machine, start, ended, out);
}
