/* scheduler/forge/url.h - which part of an address says whose it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_URL_H
#define SCHEDULER_FORGE_URL_H

#include <stddef.h>

/**
 * How many bytes the scheme, host and port of an http(s) address take, a user
 * in front of the host among them; 0 when it is none.
 */
size_t url_origin_len(const char *url);

#endif
