/* scheduler/intake/event_previous.c - what was reviewed before, and found. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/event_work_impl.h"

#include "pipelines/review/outcome.h"

#include <inttypes.h>
#include <stdlib.h>

/* Results came from workers: what cannot be read is none. */
static void on_reviewed(void *arg, const char *const *results, size_t count,
                        const struct err *err)
{
    struct event_work *w = arg;
    json_t *previous = NULL;

    for (size_t i = 0; i < count && !previous; i++) {
        json_t *result = json_loads(results[i], 0, NULL);

        previous = outcome_previous(result);
        json_decref(result);
    }
    w->asked.answered = true;
    if (err)
        w->asked.err = *err;
    json_array_append_new(w->previous, previous ? previous : json_null());
    event_work_step(w);
}

enum event_next event_stage_previous(struct event_work *w)
{
    CLEANUP(mem) char *number = xasprintf("%" PRId64, w->event->change);
    const struct queue_change change = {w->forge, w->event->repo.full_name,
                                        number};
    struct event_asked *asked = &w->asked;

    if (w->event->change <= 0)
        return EVENT_GO_ON;
    if (asked->waiting && !asked->answered)
        return EVENT_WAIT;
    if (asked->err.kind)
        return event_work_away(w, 0, asked->err.msg);
    event_asked_clear(asked);
    if (!w->previous)
        w->previous = json_array();
    if (json_array_size(w->previous) == w->pipelines.count)
        return EVENT_GO_ON;
    asked->waiting = true;
    queue_change_reviews(w->options->admit->queue, &change,
                         w->pipelines.items[json_array_size(w->previous)],
                         on_reviewed, w);
    return EVENT_WAIT;
}
