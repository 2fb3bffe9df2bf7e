/* scheduler/forge/link.h - the next page of a list, by RFC 8288. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_LINK_H
#define SCHEDULER_FORGE_LINK_H

#include "base/err.h"

#define LINK_MAX_BYTES 8192 /* of a Link header, and of an address in it */

/**
 * Find the link with rel=next in the Link headers of an answer to `url`
 * (https://host…). 0 and `*out_next`, owned by the caller, NULL where there is
 * none: that was the last page. Only the first counts of several.
 *
 * -1 and ERR_USER when a header is malformed or too long, and when the link
 * leads to another scheme, host or port than `url` does: our token goes there.
 * A link that is only a path is taken to be of the same host.
 */
MUST_USE int link_next(const struct strv *headers, const char *url,
                       char **out_next, struct err *err);

#endif
