/* base/s3_url.h - where a bucket is: s3://bucket/prefix?… */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_S3_URL_H
#define BASE_S3_URL_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

#define S3_SCHEME "s3:"

/**
 *   s3://bucket[/prefix][?parameter=value[&…]]
 *
 *   region      us-east-1 if it is missing
 *   endpoint    http://host[:port] or https://…; Amazon's for the region if it
 *               is missing
 *   path_style  1: the bucket stands in the path, 0: before the host; 1 with
 *               an endpoint, else 0
 *   timeout     how long a server may be silent: 1s to 10m; 20s
 *
 * Values may have %XX. It holds nothing that is secret.
 */
struct s3_url {
    char *bucket; /* all owned */
    char *prefix; /* "" or "a/b/", not encoded */
    char *region;
    char *endpoint; /* "https://host:port", nothing behind it */
    bool path_style;
    int64_t timeout_ms;
};

/** ERR_USER says what is wrong. `*out_url`: s3_url_clear(). */
MUST_USE int s3_url_parse(const char *text, struct s3_url *out_url,
                          struct err *err);
void s3_url_clear(struct s3_url *url);
UNUSED static inline void s3_url_freep(struct s3_url *url)
{
    s3_url_clear(url);
}

/** Does it begin as such an address does? */
bool s3_url_is(const char *text);

/**
 * Add `text` with all bytes but A-Z a-z 0-9 - _ . ~ as %XX, as SigV4 has it;
 * with `slashes` '/' stays, too.
 */
void s3_encode(struct strbuf *out, const char *text, bool slashes);
/** Undo it: bytes (no NUL) from %XX. ERR_USER. Owned by the caller. */
MUST_USE int s3_decode(const char *text, char **out, struct err *err);

#endif
