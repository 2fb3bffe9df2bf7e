/* pipelines/findings/path.h - where in the workspace a tool's path leads. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_FINDINGS_PATH_H
#define PIPELINES_FINDINGS_PATH_H

#include "base/arena.h"
#include "pipelines/findings/findings.h"

/**
 * The path beneath the workspace, without `.`, `..` and doubled slashes, in
 * `arena`. Relative ones are those of the source's `dir`; absolute ones, and
 * file: addresses, have the workspace taken off. `is_uri`: escapes like %20 are
 * taken out of relative ones, too. NULL: it leads out of the workspace, is the
 * workspace itself, is no UTF-8, has control characters, or is longer than
 * FINDING_MAX_PATH.
 */
const char *finding_path(struct arena *arena,
                         const struct findings_source *source, const char *raw,
                         bool is_uri);

#endif
