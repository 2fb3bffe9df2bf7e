/* worker/checkout/index_patch.h - the index of a tree, made from another's. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_INDEX_PATCH_H
#define WORKER_CHECKOUT_INDEX_PATCH_H

#include "base/err.h"
#include "base/strbuf.h"
#include "worker/checkout/changes.h"

/**
 * Add to `out` the index file (gitformat-index(5), version 2) that `index` is
 * with `changes`, which are sorted, applied: entries get their stat data from
 * `written`, with `owner` as uid and gid. Extensions are left out.
 *
 * ERR_TRANSIENT when the index is of another version or malformed, or is not
 * that of the tree that was before: each change must find there what it says
 * was before, and nothing where nothing was.
 */
MUST_USE int index_patch(const struct strbuf *index,
                         const struct changes *changes, unsigned owner,
                         struct strbuf *out, unsigned *out_entries,
                         struct err *err);

#endif
