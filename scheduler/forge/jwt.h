/* scheduler/forge/jwt.h - how a GitHub App says who it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_JWT_H
#define SCHEDULER_FORGE_JWT_H

#include "base/err.h"

#include <stdint.h>

/** GitHub takes no token that is good for longer, counted from its own clock.
 */
#define JWT_MAX_SECONDS 600

/**
 * A token of `app_id` (its number, or its client id), signed by RS256 with the
 * private key in `pem` (`pem_len` bytes, PKCS#1 or PKCS#8, no password): given
 * out a minute before `now_s`, in case our clock is ahead, and good until nine
 * minutes after it. Owned by the caller, who wipes it.
 *
 * -1 and ERR_USER for an id or a key that is none; the message holds nothing of
 * either, nor does what libcrypto would say.
 */
MUST_USE int jwt_make(const char *app_id, const char *pem, size_t pem_len,
                      int64_t now_s, char **out_token, struct err *err);

#endif
