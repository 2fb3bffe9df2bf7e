/* base/s3.h - objects of a bucket, for programs that do nothing else. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_S3_H
#define BASE_S3_H

#include "base/s3_list.h"
#include "base/sha256.h"

#include <stddef.h>

/*
 * Each call blocks until the server has answered: a daemon starts a program
 * that makes them. A server that is silent for the address' `timeout`, cuts the
 * connection, or answers with 408, 429 or 5xx (SlowDown) is asked again, four
 * times in all, with pauses of 0.2 s and more, for 30 s at most before the last
 * begins. All calls can be repeated. The messages have neither keys nor tokens.
 *
 * Keys are below the address' prefix, from 1 to 600 bytes of A-Z a-z 0-9 and
 * "-_.~/=", and no part of them is "." or "..".
 */
struct s3;

#define S3_PUT_MAX_BYTES                                                       \
    ((uint64_t)5 << 30) /* of an object put in one piece                       \
                         */

/**
 * For the bucket of an address (base/s3_url.h). ERR_USER: no address, no
 * credentials (base/s3_keys.h); ERR_TRANSIENT. Nothing is sent.
 */
MUST_USE int s3_open(const char *url, struct s3 **out_s3, struct err *err);
void s3_free(struct s3 *s3);
OWNER(s3)

/** Bytes of a file, from its beginning on. */
struct s3_blob {
    int fd;         /* borrowed; pread() and pwrite() work on it */
    uint64_t bytes; /* how many; of a get: at most */
    char sha256[SHA256_HEX_SIZE];
};

/**
 * Put an object; the server has it whole or not at all. It checks the digest,
 * which `blob` is given, too, and which goes with the object. ERR_TRANSIENT,
 * ERR_TIMEOUT.
 */
MUST_USE int s3_put(struct s3 *s3, const char *key, struct s3_blob *blob,
                    struct err *err);
/** The same of bytes in memory. */
MUST_USE int s3_put_bytes(struct s3 *s3, const char *key, const void *data,
                          size_t len, struct err *err);

/**
 * Get an object into the file, in place of what is there, and say how many
 * bytes it has, and their digest. ERR_USER: there is none; ERR_TRANSIENT: also
 * one that is larger than `blob->bytes`, or damaged by the digest that it was
 * put with.
 */
MUST_USE int s3_get(struct s3 *s3, const char *key, struct s3_blob *blob,
                    struct err *err);

/** How many bytes it has. ERR_USER: there is no such object. */
MUST_USE int s3_head(struct s3 *s3, const char *key, uint64_t *out_bytes,
                     struct err *err);

/**
 * Tell of all objects whose keys begin with `prefix`, which is a part of a key
 * or "", by their keys below the address' prefix; a million at most.
 * `fn` may use `s3`; what it returns -1 with ends the list, and is no ERR_USER.
 */
MUST_USE int s3_list(struct s3 *s3, const char *prefix, s3_object_fn *fn,
                     void *arg, struct err *err);

/** Remove an object. One that is not there is fine. */
MUST_USE int s3_delete(struct s3 *s3, const char *key, struct err *err);

#endif
