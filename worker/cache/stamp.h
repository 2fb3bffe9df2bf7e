/* worker/cache/stamp.h - small files of ours in an entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_STAMP_H
#define WORKER_CACHE_STAMP_H

#include "base/err.h"

/*
 * They are written in place, so that the time of the entry's directory stays
 * that of its last use.
 */

/**
 * Open the file `name` of the entry or stage `path` to write it, made where it
 * is missing. -1: it cannot be. Owned by the caller.
 */
int stamp_open(const char *path, const char *name);
/** Have just `text` in it. ERR_TRANSIENT. */
MUST_USE int stamp_write(const char *path, const char *name, const char *text,
                         struct err *err);

#endif
