/* worker/logs/archiver.h - brings logs into a store, beside a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LOGS_ARCHIVER_H
#define WORKER_LOGS_ARCHIVER_H

#include "base/loop.h"
#include "worker/logs/store.h"

/*
 * What is a rename is done at once. What takes longer, a copy into another file
 * system or over the network, is done by a process each (the driver's
 * `program`), some at a time. The file stays in the spool until its copy is
 * safe: whoever is killed on the way, nothing is lost, and another may begin
 * anew.
 *
 * What a far store does not take is set aside, in `aside_dir`, and sent again
 * after a second and then up to a minute, and as fast as it is taken, for a
 * week; by a successor, too. Until one of them was taken no job waits for that
 * store: its log is set aside at once.
 */
struct archiver;

/** All are borrowed; `aside_dir` is on the file system of the spool. */
struct archiver *archiver_new(struct loop *loop, struct log_store *store,
                              const char *aside_dir);
/**
 * What waits, or is under way, is done before it returns: blocks; for a far
 * store it is set aside. Its callbacks come from inside of this. NULL is fine.
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
