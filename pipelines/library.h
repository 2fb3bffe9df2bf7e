/* pipelines/library.h - the pipelines that ship inside the program. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_LIBRARY_H
#define PIPELINES_LIBRARY_H

#include <stddef.h>

/**
 * The YAML text of a shipped pipeline, or NULL. `name` is `test`, or its path
 * as the source tree has it: `test.yml`, `library/test.yml`,
 * `pipelines/library/test.yml`, so that a documented command works where only
 * the program is installed. A file of that name, if there is one, is the
 * caller's to prefer. Static.
 */
const char *library_find(const char *name);

/** The i-th name ("test"), or NULL past the last. Static. */
const char *library_name(size_t i);

#endif
