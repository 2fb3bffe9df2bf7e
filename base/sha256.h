/* base/sha256.h - SHA-256, of a stream. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE 65 /* with its NUL */

struct sha256 {
    uint32_t h[8];
    uint64_t len; /* bytes so far */
    uint8_t block[64];
};

/** FIPS 180-4. */
void sha256_init(struct sha256 *state);
void sha256_add(struct sha256 *state, const void *data, size_t len);
/** The digest of all that was added; `state` is used up. */
void sha256_end(struct sha256 *state, uint8_t out[SHA256_SIZE]);
/** The same in lower-case hexadecimal digits. */
void sha256_end_hex(struct sha256 *state, char out[SHA256_HEX_SIZE]);

#endif
