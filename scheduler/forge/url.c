/* scheduler/forge/url.c - which part of an address says whose it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/url.h"

#include <string.h>
#include <strings.h>

size_t url_origin_len(const char *url)
{
    size_t scheme, host;

    if (!strncasecmp(url, "https://", 8))
        scheme = 8;
    else if (!strncasecmp(url, "http://", 7))
        scheme = 7;
    else
        return 0;
    host = strcspn(url + scheme, "/?#");
    return host ? scheme + host : 0;
}
