/* cli/upkeep.h - programs that a daemon runs again and again beside it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_UPKEEP_H
#define CLI_UPKEEP_H

#include "base/loop.h"
#include "base/mem.h"

/*
 * Each task is a program of its own, with a turn of its own: the next begins
 * `every_ms` after the end of the last, however long others take. The last
 * line that it prints is for the log: as a warning where it failed.
 */
struct upkeep;

/** Copied; `arg` is borrowed. */
struct upkeep_task {
    const char *what; /* "old logs", for messages; static */
    /** Add what to run to `out_argv`; asked before each turn. */
    void (*argv)(void *arg, struct strv *out_argv);
    void *arg;
    int64_t first_ms;   /* from now to its first turn */
    int64_t every_ms;   /* from the end of a turn to the next */
    int64_t timeout_ms; /* then a turn is ended */
};

/** `loop` is borrowed. */
MUST_USE struct upkeep *upkeep_new(struct loop *loop);
/** Ends what runs, without waiting. NULL is fine. */
void upkeep_free(struct upkeep *upkeep);
OWNER(upkeep)

void upkeep_add(struct upkeep *upkeep, const struct upkeep_task *task);

#endif
