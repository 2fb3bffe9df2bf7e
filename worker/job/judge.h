/* worker/job/judge.h - why a command failed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_JUDGE_H
#define WORKER_JOB_JUDGE_H

#include "pipelines/reason.h"
#include "worker/job/machine.h"

/** How a step went; `reason` is REASON_NONE when it passed. */
struct attempt_end {
    enum reason reason;
    char message[256];
    int exit_code;       /* -1: none */
    int signal;          /* 0: none */
    int64_t cpu_ms;      /* -1: not known */
    uint64_t peak_bytes; /* 0: not known */
};

/**
 * Whether the sandbox ran out of memory since it had `oom_kills_before`; then
 * that is the end.
 */
bool judge_memory(struct machine *machine, const struct job_start *start,
                  unsigned oom_kills_before, struct attempt_end *out_end);
/** What an exit means, code 0 included. */
void judge_exit(struct machine *machine, const struct job_start *start,
                unsigned oom_kills_before, const struct sandbox_exit *ended,
                struct attempt_end *out_end);

#endif
