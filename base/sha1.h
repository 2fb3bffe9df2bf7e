/* base/sha1.h - SHA-1, for formats that have it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SHA1_H
#define BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_SIZE 20

/** RFC 3174. Good for checksums, and not against whoever makes collisions. */
void sha1(const void *data, size_t len, uint8_t out[SHA1_SIZE]);

#endif
