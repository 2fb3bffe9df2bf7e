/* base/utf8.h - characters, and how wide a terminal shows them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The first character of `len` bytes at `s`: returns the 1 to 4 bytes it takes
 * and fills `*out`; 0 when they are not UTF-8 (RFC 3629: no surrogates, no
 * overlong forms), or there are none.
 */
size_t utf8_decode(const char *s, size_t len, uint32_t *out);

/** How many of `len` bytes, `max` at most, are whole characters. */
size_t utf8_fit(const char *s, size_t len, size_t max);

/** Characters in `len` bytes; each byte that is not UTF-8 counts as one. */
size_t utf8_count(const char *s, size_t len);

/** C0 and C1 control characters and DEL, tab and line feed among them. */
bool utf8_is_control(uint32_t c);

/**
 * Characters that show nothing or reorder what stands around them (zero width,
 * bidirectional marks, byte order mark): in names they deceive.
 */
bool utf8_is_invisible(uint32_t c);

/** Columns on a terminal: 0 (combining), 1, or 2 (East Asian wide, emoji). */
unsigned utf8_width(uint32_t c);

#endif
