/* worker/supervisor/faults.c - whether sandboxes work on this host at all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/faults.h"

#include "base/log.h"

#include <stdio.h>

void faults_failed(struct faults *f, const char *message, int64_t now_mono_ms)
{
    f->in_a_row++;
    /* Those that were there before the pause are no news. */
    if (f->in_a_row < FAULTS_IN_A_ROW || now_mono_ms < f->until_mono_ms)
        return;
    f->pause_ms = f->pause_ms ? 2 * f->pause_ms : FAULTS_PAUSE_MS;
    if (f->pause_ms > FAULTS_MAX_PAUSE_MS)
        f->pause_ms = FAULTS_MAX_PAUSE_MS;
    f->until_mono_ms = now_mono_ms + f->pause_ms;
    (void)snprintf(f->refuses, sizeof(f->refuses), "sandboxes fail here: %s",
                   message);
    log_warn("no job is taken for %lld s, then one: %u in a row got no "
             "sandbox: %s",
             (long long)(f->pause_ms / 1000), f->in_a_row, message);
}

void faults_worked(struct faults *f)
{
    if (*f->refuses)
        log_warn("sandboxes work again: jobs are taken");
    *f = (struct faults){0};
}

bool faults_allow(const struct faults *f, int64_t now_mono_ms)
{
    return !*f->refuses || (!f->trial && now_mono_ms >= f->until_mono_ms);
}

void faults_took(struct faults *f, const void *job)
{
    if (*f->refuses)
        f->trial = job;
}

void faults_over(struct faults *f, const void *job)
{
    if (f->trial == job)
        f->trial = NULL;
}
