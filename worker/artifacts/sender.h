/* worker/artifacts/sender.h - brings artifacts into a store, beside a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_ARTIFACTS_SENDER_H
#define WORKER_ARTIFACTS_SENDER_H

#include "base/loop.h"

#include <stdint.h>

/*
 * A process each (`artifact-store`) does it, two at a time. What is to be sent
 * is marked first, and goes from this host when the store has it: whoever is
 * killed on the way, it is sent again, by a successor if need be. While the
 * store takes nothing no job waits for it; it is tried again after a second,
 * and then up to each minute.
 */
struct sender;

/** For "s3://…", copied. Begins with what was left. `loop` is borrowed. */
struct sender *sender_new(struct loop *loop, const char *store);
/** What is under way is left to a successor. Nobody is told. NULL is fine. */
void sender_free(struct sender *sender);
OWNER(sender)

/** Called once: `err` NULL, the store has them; else they are still here. */
typedef void sender_fn(void *arg, const struct err *err);

/** Send what a job left; `fn` is called from the loop. */
void sender_put(struct sender *sender, const char *job_id, uint64_t epoch,
                sender_fn *fn, void *arg);
/** Nobody is told that was to be with `arg`; it goes on all the same. */
void sender_forget(struct sender *sender, const void *arg);

#endif
