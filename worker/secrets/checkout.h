/* worker/secrets/checkout.h - what reads repositories, as a worker has it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SECRETS_CHECKOUT_H
#define WORKER_SECRETS_CHECKOUT_H

#include "base/err.h"

#include <stdbool.h>

/*
 * For hosts whose tokens cannot be made for one repository: a user and a token
 * that may read what a pattern names, from a file or a variable. It is read
 * anew each time, but for the environment.
 */
struct checkout_credentials;

/** ERR_USER unless it is PATTERN=file:/PATH or PATTERN=env:NAME. */
MUST_USE int checkout_credential_check(const char *text, struct err *err);

/**
 * Of such items; the first whose pattern fits counts. Variables are taken out
 * of this process' environment. NULL: there are none. Owned by the caller.
 */
MUST_USE struct checkout_credentials *
checkout_credentials_new(const struct strv *items);
/** Wipes what it has. NULL is fine. */
void checkout_credentials_free(struct checkout_credentials *credentials);
OWNER(checkout_credentials)

/**
 * What there is for an address: "user:token" of the file or variable, or a
 * token alone, whose user is "x-access-token" (what GitHub wants, and the
 * others do not mind). Both NULL: it is no http(s) address, or no pattern fits;
 * else the caller's, who wipes them (secret_free_value). ERR_USER: a pattern
 * fits, and there is nothing of use. `credentials` may be NULL.
 */
MUST_USE int
checkout_credentials_find(const struct checkout_credentials *credentials,
                          const char *address, char **out_username,
                          char **out_password, struct err *err);

#endif
