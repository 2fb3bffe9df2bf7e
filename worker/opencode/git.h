/* worker/opencode/git.h - git, of a repository that is a stranger's. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_OPENCODE_GIT_H
#define WORKER_OPENCODE_GIT_H

#include "base/err.h"
#include "base/strbuf.h"

/**
 * Run git in `dir` with `words`, which end with NULL, with no settings but the
 * repository's own, no hooks and no replaced objects. Returns 0 when it ended
 * with 0, 1 when with something else; -1 and ERR_USER or ERR_TRANSIENT when it
 * did not run. `output` may be NULL.
 */
MUST_USE int git_ask(const char *dir, const char *const *words,
                     struct strbuf *output, struct err *err);

/** A commit's name in full, owned by the caller; NULL: it is not there. */
MUST_USE char *git_commit(const char *dir, const char *name);

/**
 * The commit of the branch, or of the commit, that a change goes to; "": that
 * before HEAD. Owned by the caller; NULL: it is not there.
 */
MUST_USE char *git_base(const char *dir, const char *base);

#endif
