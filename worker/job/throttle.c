/* worker/job/throttle.c - how fast a job may print. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/throttle.h"

#include "base/clock.h"

#include <stdlib.h>

#define POLL_MS 10

struct throttle {
    struct loop *loop; /* borrowed, as the following */
    struct machine *machine;
    struct output *output;
    int64_t left_bytes; /* may come now; below 0: too much came */
    int64_t filled_ms;
    struct loop_source *timer; /* while output is held */
};

struct throttle *throttle_new(struct loop *loop, struct machine *machine,
                              struct output *output)
{
    struct throttle *throttle = xcalloc(1, sizeof(*throttle));

    throttle->loop = loop;
    throttle->machine = machine;
    throttle->output = output;
    throttle->left_bytes = THROTTLE_BURST_BYTES;
    throttle->filled_ms = clock_mono_ms();
    return throttle;
}

static void hold(const struct throttle *throttle, bool held)
{
    machine_driver(throttle->machine)
        ->pause_output(machine_sandbox(throttle->machine), held);
}

void throttle_free(struct throttle *throttle)
{
    if (!throttle)
        return;
    if (throttle->timer)
        hold(throttle, false);
    loop_remove(throttle->timer);
    free(throttle);
}

static bool must_hold(struct throttle *throttle)
{
    int64_t now = clock_mono_ms();

    throttle->left_bytes +=
        (now - throttle->filled_ms) * (THROTTLE_BYTES_A_SECOND / 1000);
    if (throttle->left_bytes > THROTTLE_BURST_BYTES)
        throttle->left_bytes = THROTTLE_BURST_BYTES;
    throttle->filled_ms = now;
    return throttle->left_bytes < 0 || output_is_full(throttle->output);
}

static void on_poll(void *arg)
{
    struct throttle *throttle = arg;

    throttle->timer = NULL;
    if (must_hold(throttle))
        throttle->timer = loop_add_timer(
            throttle->loop, clock_mono_ms() + POLL_MS, on_poll, throttle);
    else
        hold(throttle, false);
}

void throttle_count(struct throttle *throttle, size_t len)
{
    throttle->left_bytes -= (int64_t)len;
    if (throttle->timer || !must_hold(throttle))
        return;
    hold(throttle, true);
    throttle->timer = loop_add_timer(throttle->loop, clock_mono_ms() + POLL_MS,
                                     on_poll, throttle);
}
