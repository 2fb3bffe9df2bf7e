/* worker/checkout/transport.h - the process behind a path or an ssh address. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_TRANSPORT_H
#define WORKER_CHECKOUT_TRANSPORT_H

#include "worker/checkout/url.h"

#include <sys/types.h>

/**
 * Start what serves `url`'s objects in git's protocol 0 on `fd`, its stdin and
 * stdout: for URL_LOCAL `git upload-pack`, for URL_SSH the invoking user's
 * ssh, or GIT_SSH_COMMAND, running git-upload-pack over there, never asking
 * for a password. Its stderr goes to `diag`; it leads a process group, and
 * dies with us.
 *
 * Local: nothing that the repository's own configuration says is run (hooks
 * and packObjectsHook come from protected configuration only, which is empty
 * here). As root, a repository that belongs to somebody else is read as its
 * owner, who cannot borrow what only root may read; where the owner cannot
 * reach it, as root.
 *
 * ERR_USER: there is no such repository, it is a shallow clone, or git or ssh
 * is not installed; ERR_TRANSIENT: no process could be made.
 */
MUST_USE int transport_spawn(const struct url *url, int fd, int diag,
                             pid_t *out_pid, struct err *err);

/**
 * Make an error of what a transport said on stderr before it failed: `said`
 * is its output. Leaves `*err` alone, and returns false, when that says
 * nothing. ERR_USER: no such repository, authentication; else ERR_TRANSIENT.
 */
bool transport_explain(const struct url *url, const char *said,
                       struct err *err);

#endif
