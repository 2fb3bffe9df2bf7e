/* base/state.h - where berth keeps its state on this host. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STATE_H
#define BASE_STATE_H

#include "base/err.h"

/**
 * Where it is: BERTH_STATE_DIR, else /var/lib/berth for root, else
 * $XDG_STATE_HOME/berth or ~/.local/state/berth. Owned by the caller; NULL when
 * nothing says where.
 */
MUST_USE char *state_dir_default(void);

/**
 * The same, made (0711) where it is missing. Owned by the caller. ERR_USER when
 * there is none, or it cannot be made.
 */
MUST_USE int state_dir(char **out_path, struct err *err);

/** The same for a directory below it, made with `mode`. Owned by the caller. */
MUST_USE int state_subdir(const char *name, unsigned mode, char **out_path,
                          struct err *err);

/** `size` random hexadecimal digits and a NUL (getrandom). */
void state_random_hex(char *out, size_t size);

#endif
