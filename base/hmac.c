/* base/hmac.c - whether who holds a key wrote something. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hmac.h"

#include "base/mem.h"

#include <stdlib.h>
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

void hkdf_sha256(const struct hkdf_input *input, uint8_t *out, size_t len)
{
    uint8_t block[SHA256_SIZE + HKDF_MAX_INFO + 1];
    uint8_t key[SHA256_SIZE], last[SHA256_SIZE] = {0};
    size_t had = 0, info = input->info_len;

    if (info > HKDF_MAX_INFO || len > (size_t)255 * SHA256_SIZE)
        abort();
    hmac_sha256(input->salt, input->salt_len, input->secret, input->secret_len,
                key);
    for (uint8_t count = 1; len; count++) {
        size_t some = len < SHA256_SIZE ? len : SHA256_SIZE;

        memcpy(block, last, had);
        if (info)
            memcpy(block + had, input->info, info);
        block[had + info] = count;
        hmac_sha256(key, sizeof(key), block, had + info + 1, last);
        had = SHA256_SIZE;
        memcpy(out, last, some);
        out += some;
        len -= some;
    }
    mem_wipe(block, sizeof(block));
    mem_wipe(key, sizeof(key));
    mem_wipe(last, sizeof(last));
}
