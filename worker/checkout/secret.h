/* worker/checkout/secret.h - credentials: wiped, and told apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_SECRET_H
#define WORKER_CHECKOUT_SECRET_H

#include "base/err.h"

#define SECRET_DIGEST_SIZE 17 /* 16 hexadecimal digits and a NUL */

/** Wipe and free; NULL is fine. */
void secret_free(char *secret);

/**
 * What tells one credential from another without telling what it is: SipHash
 * keyed with <state>/mirror.key, which is made where it is missing. "" for no
 * credential, which needs no key. ERR_USER or ERR_TRANSIENT: no key.
 */
MUST_USE int secret_digest(const char *username, const char *password,
                           char out[SECRET_DIGEST_SIZE], struct err *err);

/**
 * The same for what stands for a credential ("whose" of a request): no
 * credential has such a digest.
 */
MUST_USE int secret_digest_whose(const char *whose,
                                 char out[SECRET_DIGEST_SIZE], struct err *err);

#endif
