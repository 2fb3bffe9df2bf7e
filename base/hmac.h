/* base/hmac.h - whether who holds a key wrote something. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HMAC_H
#define BASE_HMAC_H

#include "base/sha256.h"

#include <stdbool.h>

/** HMAC-SHA256 (RFC 2104) of one piece. */
void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_SIZE]);

/** Whether two are the same, in a time that does not tell where they differ. */
bool hmac_equal(const uint8_t a[SHA256_SIZE], const uint8_t b[SHA256_SIZE]);

/** All borrowed; NULL is none. */
struct hkdf_input {
    const void *secret;
    size_t secret_len;
    const void *salt;
    size_t salt_len;
    const void *info;
    size_t info_len; /* HKDF_MAX_INFO at most */
};
#define HKDF_MAX_INFO 128

/** HKDF-SHA256 (RFC 5869): `len` bytes, 255 * 32 at most. The caller wipes. */
void hkdf_sha256(const struct hkdf_input *input, uint8_t *out, size_t len);

#endif
