/* base/s3_keys.h - who we are to an S3 server. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_S3_KEYS_H
#define BASE_S3_KEYS_H

#include "base/err.h"

/** A file of them; it comes before the variables below. */
#define S3_CREDENTIALS_VARIABLE "BERTH_S3_CREDENTIALS"
/** Certificates of who signed the server's; else CURL_CA_BUNDLE. */
#define S3_CA_VARIABLE "BERTH_S3_CA"

struct s3_keys {
    char *id, *secret; /* owned */
    char *token;       /* owned; of a session; NULL: none */
};

/**
 * From the file that BERTH_S3_CREDENTIALS names, else AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the environment. The file has
 * lines NAME = VALUE with these names, upper or lower case, as Amazon's own
 * tools write them; of sections `[default]` alone is read, and it must not be
 * open to others. ERR_USER; no message quotes what is in it.
 */
MUST_USE int s3_keys_find(struct s3_keys *out_keys, struct err *err);
/** The same of a text. For tests. */
MUST_USE int s3_keys_parse(const char *text, struct s3_keys *out_keys,
                           struct err *err);
/** Overwrites and frees. */
void s3_keys_clear(struct s3_keys *keys);
UNUSED static inline void s3_keys_freep(struct s3_keys *keys)
{
    s3_keys_clear(keys);
}

#endif
