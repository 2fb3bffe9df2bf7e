/* worker/cache/far/record.h - what a pack has of one file. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_FAR_RECORD_H
#define WORKER_CACHE_FAR_RECORD_H

#include <stdint.h>

#define RECORD_SIZE     24
#define RECORD_NAME_MAX 255
#define RECORD_LINK_MAX 4095
#define PACK_MAGIC      "berthC1\n"
#define PACK_MAGIC_SIZE 8
#define PACK_HEAD_MAX   ((uint32_t)512 << 10)
#define PACK_CHUNK      ((size_t)64 << 10)

enum record_kind {
    RECORD_DIR = 'd',
    RECORD_FILE = 'f',
    RECORD_LINK = 'l',
    RECORD_UP = 'u'
};

struct record {
    uint8_t kind;
    uint16_t name_len;
    uint32_t mode;
    int64_t mtime_ns;
    uint64_t size;
};

static inline void record_put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t record_get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

#endif
