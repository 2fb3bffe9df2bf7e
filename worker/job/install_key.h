/* worker/job/install_key.h - all that decides what an install makes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_INSTALL_KEY_H
#define WORKER_JOB_INSTALL_KEY_H

#include "base/sha256.h"
#include "base/strbuf.h"
#include "worker/job/attempt.h"

#define INSTALL_KEY_SIZE SHA256_HEX_SIZE

/*
 * Run by sh inside, where the step runs: says which node, npm and C library
 * there are. It starts none of them: node alone takes longer than all else.
 */
#define INSTALL_PROBE                                                          \
    "set -e; node=$(readlink -f \"$(command -v node)\");"                      \
    "npm=$(readlink -f \"$(command -v npm)\"); uname -sm;"                     \
    "echo \"$node $npm\"; set +e;"                                             \
    "stat -Lc '%n %i %s %Y' \"$node\" \"$npm\""                                \
    " \"${npm%/bin/*}/package.json\" /etc/os-release /lib*/*/libc.so.6"        \
    " /lib/ld-musl* 2>/dev/null; exit 0"

/**
 * Where the step's directory is in the workspace: relative, "" for itself.
 * ERR_USER when no install there can be kept: it is elsewhere, there is no lock
 * file, or there are node_modules already. Owned by the caller.
 */
MUST_USE int install_dir(const struct attempt_spec *spec, char **out_dir,
                         struct err *err);

/** ERR_USER: a file that matters cannot be read. */
MUST_USE int install_key(const struct attempt_spec *spec, const char *dir,
                         const struct strbuf *probe, char out[INSTALL_KEY_SIZE],
                         struct err *err);

#endif
