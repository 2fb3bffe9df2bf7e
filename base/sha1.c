/* base/sha1.c - SHA-1, for formats that have it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha1.h"

#include <string.h>

#define BLOCK 64

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

/* Five words and the schedule; the caller turns the words round. */
#define ROUND(a, b, c, d, e, f, k, i)                                          \
    do {                                                                       \
        (e) += rotate((a), 5) + (f) + (k) + w[i];                              \
        (b) = rotate((b), 30);                                                 \
    } while (0)
#define FIVE(function, k, i)                                                   \
    do {                                                                       \
        ROUND(a, b, c, d, e, function(b, c, d), k, i);                         \
        ROUND(e, a, b, c, d, function(a, b, c), k, (i) + 1);                   \
        ROUND(d, e, a, b, c, function(e, a, b), k, (i) + 2);                   \
        ROUND(c, d, e, a, b, function(d, e, a), k, (i) + 3);                   \
        ROUND(b, c, d, e, a, function(c, d, e), k, (i) + 4);                   \
    } while (0)
#define CHOOSE(x, y, z)   ((z) ^ ((x) & ((y) ^ (z))))
#define PARITY(x, y, z)   ((x) ^ (y) ^ (z))
#define MAJORITY(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))

static void add_block(uint32_t h[5], const uint8_t *p)
{
    uint32_t w[80];
    uint32_t a = h[0];
    uint32_t b = h[1];
    uint32_t c = h[2];
    uint32_t d = h[3];
    uint32_t e = h[4];

    for (int i = 0; i < 16; i++, p += 4)
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
               (uint32_t)p[2] << 8 | p[3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 20; i += 5)
        FIVE(CHOOSE, 0x5a827999U, i);
    for (int i = 20; i < 40; i += 5)
        FIVE(PARITY, 0x6ed9eba1U, i);
    for (int i = 40; i < 60; i += 5)
        FIVE(MAJORITY, 0x8f1bbcdcU, i);
    for (int i = 60; i < 80; i += 5)
        FIVE(PARITY, 0xca62c1d6U, i);
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void sha1(const void *data, size_t len, uint8_t out[SHA1_SIZE])
{
    uint32_t h[5] = {0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U,
                     0xc3d2e1f0U};
    const uint8_t *p = data;
    uint8_t last[2 * BLOCK] = {0};
    size_t rest = len % BLOCK;
    size_t size = rest < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    uint64_t bits = (uint64_t)len * 8;

    for (size_t i = 0; i < len / BLOCK; i++, p += BLOCK)
        add_block(h, p);
    if (rest)
        memcpy(last, p, rest);
    last[rest] = 0x80;
    for (size_t i = 0; i < 8; i++)
        last[size - 1 - i] = (uint8_t)(bits >> (8 * i));
    for (size_t i = 0; i < size; i += BLOCK)
        add_block(h, last + i);
    for (size_t i = 0; i < SHA1_SIZE; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
