/* worker/gateway/relay/wish.h - what a request may ask of a provider. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_WISH_H
#define WORKER_GATEWAY_RELAY_WISH_H

#include "base/err.h"

#include <jansson.h>

#define WISH_MAX_VALUES ((size_t)200000)

/**
 * Whether a body has few enough values to be parsed: each takes a hundred times
 * its bytes. ERR_USER.
 */
MUST_USE int wish_check_size(const char *data, size_t len, struct err *err);

/**
 * Whether a request keeps to what it is let through for: tokens of its model.
 * Not what a provider would do elsewhere for it (search, fetch, run, call, read
 * an address), nor with another model, at another price, or later, where nobody
 * counts. ERR_USER.
 */
MUST_USE int wish_check(const json_t *request, struct err *err);

#endif
