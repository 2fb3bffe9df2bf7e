/* worker/logs/archiver.h - brings logs into a store, beside a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LOGS_ARCHIVER_H
#define WORKER_LOGS_ARCHIVER_H

#include "base/loop.h"
#include "worker/logs/store.h"

/*
 * What is a rename is done at once. What takes longer, a copy into another file
 * system, is done by a process each (`log-store`), some at a time. The file
 * stays in the spool until its copy is safe: whoever is killed on the way,
 * nothing is lost, and another may begin anew.
 */
struct archiver;

/** Both are borrowed. */
struct archiver *archiver_new(struct loop *loop, struct log_store *store);
/**
 * What waits, or is under way, is done before it returns: blocks. Its callbacks
 * come from inside of this. NULL is fine.
 */
void archiver_free(struct archiver *archiver);
OWNER(archiver)

/**
 * Called once: `name` (log_store_name, lent) of a log that the store has, or
 * NULL and `err` why it is still where it was.
 */
typedef void archiver_fn(void *arg, const char *name, const struct err *err);

/** log_store_put(); `fn` is called from the loop. The strings are copied. */
void archiver_put(struct archiver *archiver, const char *path, const char *id,
                  uint64_t epoch, archiver_fn *fn, void *arg);
/**
 * What was to be told to `arg` is told to `fn` and `new_arg`; it goes on all
 * the same. NULL: to nobody; what goes wrong is logged.
 */
void archiver_redirect(struct archiver *archiver, const void *arg,
                       archiver_fn *fn, void *new_arg);

#endif
