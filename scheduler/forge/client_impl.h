/* scheduler/forge/client_impl.h - a `forge` program, from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_CLIENT_IMPL_H
#define SCHEDULER_FORGE_CLIENT_IMPL_H

#include "base/channel.h"
#include "scheduler/forge/client.h"

#include <stdbool.h>

/** One process, which takes one question at a time. */
struct forge_process;

/**
 * Both from the loop. The answer, borrowed, or NULL and why the process died
 * on the question.
 */
typedef void forge_process_answer_fn(void *arg, const json_t *answer,
                                     const char *why);
/** It can be asked (again). */
typedef void forge_process_ready_fn(void *arg);

struct forge_process_spec {
    struct loop *loop;   /* borrowed */
    const json_t *setup; /* borrowed; must outlive the process */
    forge_process_answer_fn *on_answer;
    forge_process_ready_fn *on_ready;
    void *arg;
};

/** Starts nothing yet. */
MUST_USE struct forge_process *
forge_process_new(const struct forge_process_spec *spec);
/** Kills it. NULL is fine. */
void forge_process_free(struct forge_process *process);
OWNER(forge_process)

/** False while it answers, or rests after it died; `on_ready` comes then. */
bool forge_process_is_ready(const struct forge_process *process);
/** It died several times, and answered nothing between. */
bool forge_process_is_failing(const struct forge_process *process);
/**
 * Ask: on_answer follows, but not from inside this. ERR_TRANSIENT: it cannot
 * be started, and rests.
 */
MUST_USE int forge_process_ask(struct forge_process *process,
                               const json_t *document, struct err *err);

#endif
