/* scheduler/forge/body.h - JSON of a host, read within bounds. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_BODY_H
#define SCHEDULER_FORGE_BODY_H

#include "base/err.h"

#include <jansson.h>

#define BODY_MAX_BYTES  ((size_t)25 << 20) /* what GitHub and GitLab send */
#define BODY_MAX_DEPTH  64
#define BODY_MAX_VALUES ((size_t)1000000) /* each costs memory, `[` too */

/**
 * Parse an object of JSON, checking first that it has no more bytes, levels and
 * values than the above. Strings may hold NUL. Returns it, owned by the caller
 * (json_decref); NULL and ERR_USER when it is too much, no JSON, or no object.
 */
MUST_USE json_t *body_parse(const char *text, size_t len, struct err *err);
/** The same for any value, as answers of APIs are: an array, null … */
MUST_USE json_t *body_parse_any(const char *text, size_t len, struct err *err);

/**
 * From now on all that jansson frees is wiped first, in this process: tokens
 * are among it, and its parser keeps copies of what it reads.
 */
void body_wipe_freed(void);

#endif
