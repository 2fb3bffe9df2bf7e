/* worker/checkout/text.c - a stranger's bytes made fit for JSON and people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/text.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed sequence at `s` (RFC 3629), or 0. */
static size_t sequence(const unsigned char *s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80             ? 1
               : (s[0] & 0xe0) == 0xc0 ? 2
               : (s[0] & 0xf0) == 0xe0 ? 3
               : (s[0] & 0xf8) == 0xf0 ? 4
                                       : 0;
    uint32_t point;

    if (n <= 1)
        return n;
    point = s[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3f);
    }
    if (point < least[n] || point > 0x10ffff ||
        (point >= 0xd800 && point <= 0xdfff))
        return 0;
    return n;
}

void text_clean(char *s)
{
    unsigned char *p = (unsigned char *)s;

    while (*p) {
        size_t n = sequence(p);

        if (*p < 0x20 || *p == 0x7f)
            *p = ' ';
        else if (n == 0)
            *p = '?';
        p += n > 1 ? n : 1;
    }
}
