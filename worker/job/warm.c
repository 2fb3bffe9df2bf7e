/* worker/job/warm.c - a sandbox that runs and waits for its job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/warm.h"

#include "base/log.h"

#include <stdlib.h>

struct warm {
    struct job_start *start; /* owned; of no job */
    struct machine *machine; /* owned */
    warm_fn *fn;
    void *arg;
};

static void on_event(void *arg, const struct err *err)
{
    struct warm *warm = arg;

    warm->fn(warm->arg, err);
}

static void on_note(void *arg UNUSED, const char *text UNUSED)
{
}

static void on_connection(void *arg UNUSED,
                          const struct gateway_event *event UNUSED)
{
}

int warm_new(struct loop *loop, const void *data, size_t len, warm_fn *fn,
             void *arg, struct warm **out_warm, struct err *err)
{
    struct warm *warm = xcalloc(1, sizeof(*warm));
    const struct machine_events events = {on_event, on_note, on_connection,
                                          warm};
    struct err ignored;

    warm->fn = fn;
    warm->arg = arg;
    if (job_start_parse(data, len, &warm->start, err) < 0 ||
        machine_new(loop, warm->start, &events, &warm->machine, err) < 0) {
        (void)warm_end(warm, &ignored);
        return -1;
    }
    machine_warm(warm->machine, on_event, warm);
    *out_warm = warm;
    return 0;
}

int warm_give(struct warm *warm, struct loop *loop,
              const struct job_start *start,
              const struct machine_events *events, struct machine **out_machine,
              struct err *err)
{
    bool fits = warm && machine_adopt(warm->machine, start, events, err) == 0;
    struct err left;

    if (fits)
        *out_machine = STEAL(warm->machine);
    else if (warm)
        log_warn("the sandbox that waited is not used: %s", err->msg);
    if (warm_end(warm, &left) < 0)
        log_warn("not all of it could be removed: %s", left.msg);
    return fits ? 0 : machine_new(loop, start, events, out_machine, err);
}

int warm_end(struct warm *warm, struct err *err)
{
    int rc;

    if (!warm)
        return 0;
    rc = machine_destroy(warm->machine, err);
    job_start_free(warm->start);
    free(warm);
    return rc;
}
