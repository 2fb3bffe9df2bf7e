/* worker/sandbox/unpack.h - the agent's entries as files of the host. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_UNPACK_H
#define WORKER_SANDBOX_UNPACK_H

#include "worker/sandbox/sandbox.h"

/** A stream of AGENT_GOT (agent/protocol.h) on its way to a directory. */
struct unpack;

/**
 * Write to `tree->host_dir`, which must exist and should be empty, and is ours
 * alone. The agent is not trusted: what has another form than entries, leads
 * out of the directory, is there already or exceeds the limits ends it.
 * `tree` is borrowed for as long. ERR_TRANSIENT when it cannot be opened.
 */
MUST_USE int unpack_new(const struct sandbox_tree *tree,
                        struct unpack **out_unpack, struct err *err);
void unpack_free(struct unpack *unpack);
OWNER(unpack)

/** ERR_TRANSIENT for all that is wrong: the agent is, or the disk. */
MUST_USE int unpack_add(struct unpack *unpack, const void *data, size_t len,
                        struct err *err);
/** The stream is over: is it whole? */
MUST_USE int unpack_end(const struct unpack *unpack, struct err *err);

#endif
