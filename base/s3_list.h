/* base/s3_list.h - what an S3 server says in XML. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_S3_LIST_H
#define BASE_S3_LIST_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define S3_KEY_MAX 1024 /* bytes of a key, by S3's own rule */

/** One object. */
struct s3_object {
    const char *key; /* borrowed */
    uint64_t bytes;
    int64_t modified_ms; /* since 1970 */
};

/** Return -1, and fill `err`, to go no further. */
typedef int s3_object_fn(void *arg, const struct s3_object *object,
                         struct err *err);

/**
 * Read one page of ListObjectsV2 (ListBucketResult) and tell of each object.
 * `*out_next`, owned by the caller, is the token of the next page, or NULL.
 * ERR_TRANSIENT: it is no such page, or has an object that cannot be one; what
 * came before it was told.
 */
MUST_USE int s3_list_read(const void *data, size_t len, s3_object_fn *fn,
                          void *arg, char **out_next, struct err *err);

/** What <Error> says; "" where it says nothing. Printable ASCII only. */
struct s3_error {
    char code[64];
};
/** Never fails: what is no such document says nothing. */
void s3_error_read(const void *data, size_t len, struct s3_error *out_error);

#endif
