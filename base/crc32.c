/* base/crc32.c - a check sum that finds torn and damaged records. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32.h"

#define POLYNOMIAL UINT32_C(0xedb88320) /* bits reversed */

static uint32_t table[256];

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t sum = i;

        for (int bit = 0; bit < 8; bit++)
            sum = (sum >> 1) ^ (sum & 1 ? POLYNOMIAL : 0);
        table[i] = sum;
    }
}

uint32_t crc32_add(uint32_t before, const void *data, size_t len)
{
    const uint8_t *p = data;
    uint32_t sum = ~before;

    if (!table[1])
        make_table();
    for (size_t i = 0; i < len; i++)
        sum = (sum >> 8) ^ table[(sum ^ p[i]) & 0xff];
    return ~sum;
}
