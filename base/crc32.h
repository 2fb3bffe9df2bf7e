/* base/crc32.h - a check sum that finds torn and damaged records. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CRC32_H
#define BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/**
 * CRC-32 (ISO 3309, as gzip has it) of `len` bytes that follow those whose sum
 * is `before`; 0 at the start. It is no protection against forgery.
 */
uint32_t crc32_add(uint32_t before, const void *data, size_t len);

#endif
