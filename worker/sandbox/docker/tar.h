/* worker/sandbox/docker/tar.h - one file out of a tar archive. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_DOCKER_TAR_H
#define WORKER_SANDBOX_DOCKER_TAR_H

#include "base/strbuf.h"

/**
 * The bytes of the first regular file of an archive in memory, added to `out`;
 * false when there is none, or the archive is cut short or none at all.
 * Extended headers (pax, GNU) before it are skipped.
 */
bool tar_first_file(const void *archive, size_t len, struct strbuf *out);

#endif
