/* cli/credential.h - user and password of a repository's address. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CREDENTIAL_H
#define CLI_CREDENTIAL_H

#include "base/err.h"
#include "base/mem.h"

#include <jansson.h>

/**
 * Take the user and the password out of an http(s) address: `*out_url` is it
 * without them, `*out_secrets` {"username", "password"}, decoded, or NULL when
 * there are none. Both are owned by the caller. ERR_USER, quoting nothing of
 * it: a malformed one, or a password where none can be used (ssh).
 */
MUST_USE int credential_split(const char *url, char **out_url,
                              json_t **out_secrets, struct err *err);

#endif
