/* base/base64.c - bytes as text (RFC 4648, 4). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t len, struct strbuf *out)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i += 3) {
        size_t some = len - i < 3 ? len - i : 3;
        uint32_t n = (uint32_t)bytes[i] << 16;

        if (some > 1)
            n |= (uint32_t)bytes[i + 1] << 8;
        if (some > 2)
            n |= bytes[i + 2];
        for (size_t k = 0; k < 4; k++)
            strbuf_addc(out, k > some ? '=' : digits[n >> (18 - 6 * k) & 63]);
    }
}

/* Four characters; returns how many bytes they are, 0: none. */
static size_t decode(const char text[4], char out[3])
{
    size_t count = text[3] != '=' ? 4 : text[2] != '=' ? 3 : 2;
    uint32_t n = 0;

    for (size_t k = 0; k < count; k++) {
        const char *digit = memchr(digits, text[k], sizeof(digits) - 1);

        if (!digit)
            return 0;
        n |= (uint32_t)(digit - digits) << (18 - 6 * k);
    }
    if (n & (0xffffffU >> 8 * (count - 1)))
        return 0;
    for (size_t k = 0; k < 3; k++)
        out[k] = (char)(n >> (16 - 8 * k) & 0xff);
    return count - 1;
}

bool base64_decode(const char *text, size_t len, struct strbuf *out)
{
    size_t before = out->len;
    char bytes[3];

    if (len % 4)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        size_t n = decode(text + i, bytes);

        if (!n || (n < 3 && i + 4 < len)) {
            strbuf_cut(out, before);
            return false;
        }
        strbuf_add(out, bytes, n);
    }
    return true;
}
