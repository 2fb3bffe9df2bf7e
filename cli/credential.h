/* cli/credential.h - a repository URL's password, kept out of what we print. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CREDENTIAL_H
#define CLI_CREDENTIAL_H

#include "base/err.h"
#include "base/strbuf.h"

#include <jansson.h>

/*
 * https://user:password@host/… and https://token@host/…; ssh://git@host/… and
 * git@host:path name a user, which is no secret.
 */
struct credential;

/** What is secret in `url`; NULL when nothing is. */
MUST_USE struct credential *credential_of(const char *url);

/**
 * Take the user and the password out of an http(s) address: `*out_url` is it
 * without them, `*out_secrets` {"username", "password"}, decoded, or NULL when
 * there are none. Both are owned by the caller. ERR_USER, quoting nothing of
 * it: a malformed one, or a password where none can be used (ssh).
 */
MUST_USE int credential_split(const char *url, char **out_url,
                              json_t **out_secrets, struct err *err);
/** Wipes the secrets. NULL is fine. */
void credential_free(struct credential *credential);
OWNER(credential)

/** Add `text` with each secret in it replaced by "***". NULL: none. */
void credential_mask(const struct credential *credential, const char *text,
                     size_t len, struct strbuf *out);
/** The same for all strings in a document, in place. */
void credential_mask_json(const struct credential *credential, json_t *json);

#endif
