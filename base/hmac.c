/* base/hmac.c - whether who holds a key wrote something. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hmac.h"

#include "base/mem.h"

#include <string.h>

#define BLOCK 64

static void half(const uint8_t key[BLOCK], uint8_t pad, const void *data,
                 size_t len, uint8_t out[SHA256_SIZE])
{
    uint8_t block[BLOCK];
    struct sha256 sum;

    for (size_t i = 0; i < BLOCK; i++)
        block[i] = key[i] ^ pad;
    sha256_init(&sum);
    sha256_add(&sum, block, sizeof(block));
    sha256_add(&sum, data, len);
    sha256_end(&sum, out);
    mem_wipe(block, sizeof(block));
}

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_SIZE])
{
    uint8_t block[BLOCK] = {0};
    uint8_t inner[SHA256_SIZE];
    struct sha256 sum;

    if (key_len > BLOCK) {
        sha256_init(&sum);
        sha256_add(&sum, key, key_len);
        sha256_end(&sum, block);
    } else if (key_len) {
        memcpy(block, key, key_len);
    }
    half(block, 0x36, data, len, inner);
    half(block, 0x5c, inner, sizeof(inner), out);
    mem_wipe(block, sizeof(block));
}

bool hmac_equal(const uint8_t a[SHA256_SIZE], const uint8_t b[SHA256_SIZE])
{
    unsigned differ = 0;

    for (size_t i = 0; i < SHA256_SIZE; i++)
        differ |= (unsigned)(a[i] ^ b[i]);
    return differ == 0;
}
