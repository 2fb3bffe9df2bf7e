/* base/base64.h - bytes as text (RFC 4648, 4). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/strbuf.h"

/** Add `len` bytes as text, with its padding and without line ends. */
void base64_encode(const void *data, size_t len, struct strbuf *out);
/**
 * Add the bytes of a text. False, and `out` as it was, for what
 * base64_encode() does not write: other characters, no padding, spare bits.
 */
MUST_USE bool base64_decode(const char *text, size_t len, struct strbuf *out);

#endif
