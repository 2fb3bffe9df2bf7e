/* worker/opencode/run.h - one run of the real program. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_OPENCODE_RUN_H
#define WORKER_OPENCODE_RUN_H

#include "worker/opencode/events.h"
#include "worker/opencode/setup.h"

#include <stdbool.h>

struct run_spec {
    const char *prompt; /* on its stdin: any length, no quoting */
    size_t len;
    const char *cwd; /* where it reads */
    bool has_agent;  /* setup_make() was given a prompt for one */
    /* What `arguments` say themselves. */
    bool has_model, has_title;
    bool tee;           /* pass its events on to standard output as they come */
    int64_t timeout_ms; /* then it is killed; 0: never */
    const char *const *arguments; /* more for it; NULL: none */
};

/**
 * Ask once, and gather the events. 0 and the exit code, 128 and the signal of
 * one that was killed. ERR_TIMEOUT, or ERR_USER when it says too much: it was
 * killed. ERR_TRANSIENT: it did not start.
 */
MUST_USE int run_ask(const struct setup *setup, const struct run_spec *spec,
                     struct events *events, int *out_code, struct err *err);

#endif
