/* scheduler/queue/outage.c - what a daemon's log is told of Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/outage.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

bool outage_has(const struct outage *outage, enum outage_call call)
{
    return outage->calls[call].failing;
}

static bool has_any(const struct outage *outage)
{
    for (size_t i = 0; i < OUTAGE_CALLS; i++)
        if (outage->calls[i].failing)
            return true;
    return false;
}

/* An answer shows that it is there; not that it allows everything. */
static void note_answer(struct outage *outage, enum outage_call call)
{
    bool was = has_any(outage);

    for (size_t i = 0; i < OUTAGE_CALLS; i++)
        if (i == call || !*outage->calls[i].refused)
            outage->calls[i].failing = false;
    outage->calls[call].refused[0] = '\0';
    if (was && !has_any(outage))
        log_warn("Redis is back");
}

void outage_note(struct outage *outage, const struct queue *queue,
                 enum outage_call call, const struct err *err)
{
    char refused[sizeof(outage->calls[0].refused)] = "";
    const char *why = err ? queue_refusal(queue, err) : NULL;
    bool known = false;

    if (!err) {
        note_answer(outage, call);
        return;
    }
    if (!why && (call == OUTAGE_WAIT || call == OUTAGE_INBOX))
        return;
    (void)snprintf(refused, sizeof(refused), "%s", why ? why : "");
    for (size_t i = 0; i < OUTAGE_CALLS; i++)
        known |= outage->calls[i].failing &&
                 strcmp(outage->calls[i].refused, refused) == 0;
    outage->calls[call].failing = true;
    memcpy(outage->calls[call].refused, refused, sizeof(refused));
    if (!known && why)
        log_warn("Redis refuses: %s", why);
    else if (!known)
        log_warn("Redis is away: %s; waiting for it", err->msg);
}
