/* base/utf8.c - characters, and how wide a terminal shows them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include "base/mem.h"

struct range {
    uint32_t first, last;
};

/* Blocks, not the whole of Unicode's tables: for carets, not typesetting. */
static const struct range invisible[] = {
    {0x00ad, 0x00ad}, {0x061c, 0x061c}, {0x180e, 0x180e},   {0x200b, 0x200f},
    {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
    {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe0fff},
};

static const struct range combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a},
    {0x064b, 0x065f}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f},
};

static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},
    {0x2614, 0x2615},   {0x2705, 0x2705},   {0x274c, 0x274c},
    {0x2795, 0x2797},   {0x2b1b, 0x2b1c},   {0x2e80, 0x303e},
    {0x3041, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97f},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* Bytes that a lead byte announces, and the smallest value they may give. */
static size_t lead(unsigned char byte, uint32_t *bits, uint32_t *min)
{
    if (byte < 0x80) {
        *bits = byte;
        *min = 0;
        return 1;
    }
    if ((byte & 0xe0) == 0xc0) {
        *bits = byte & 0x1fu;
        *min = 0x80;
        return 2;
    }
    if ((byte & 0xf0) == 0xe0) {
        *bits = byte & 0x0fu;
        *min = 0x800;
        return 3;
    }
    *bits = byte & 0x07u;
    *min = 0x10000;
    return (byte & 0xf8) == 0xf0 ? 4 : 0;
}

size_t utf8_decode(const char *s, size_t len, uint32_t *out)
{
    const unsigned char *u = (const unsigned char *)s;
    uint32_t c, min;
    size_t n;

    if (!len)
        return 0;
    n = lead(u[0], &c, &min);
    if (!n || n > len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (u[i] & 0x3fu);
    }
    if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *out = c;
    return n;
}

size_t utf8_fit(const char *s, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max && ((unsigned char)s[max] & 0xc0) == 0x80)
        max--;
    return max;
}

size_t utf8_count(const char *s, size_t len)
{
    size_t count = 0;
    uint32_t c;

    for (size_t i = 0; i < len; count++) {
        size_t n = utf8_decode(s + i, len - i, &c);

        i += n ? n : 1;
    }
    return count;
}

bool utf8_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool utf8_is_invisible(uint32_t c)
{
    return c >= invisible[0].first &&
           in_ranges(invisible, ARRAY_LEN(invisible), c);
}

unsigned utf8_width(uint32_t c)
{
    if (c < 0x300)
        return 1;
    if (in_ranges(combining, ARRAY_LEN(combining), c))
        return 0;
    return in_ranges(wide, ARRAY_LEN(wide), c) ? 2 : 1;
}
