/* worker/sandbox/docker/tar.c - one file out of a tar archive. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/docker/tar.h"

#include <stdint.h>
#include <string.h>

#define BLOCK 512u

/* POSIX ustar: of the header of an entry. */
enum { SIZE_AT = 124, SIZE_LEN = 12, TYPE_AT = 156, MAGIC_AT = 257 };

/* Octal digits, up to a space or NUL; false for anything else. */
static bool get_size(const char *header, uint64_t *out)
{
    const char *digits = header + SIZE_AT;
    uint64_t n = 0;

    for (int i = 0; i < SIZE_LEN && digits[i] && digits[i] != ' '; i++) {
        if (digits[i] < '0' || digits[i] > '7')
            return false;
        n = n * 8 + (uint64_t)(digits[i] - '0');
    }
    *out = n;
    return true;
}

bool tar_first_file(const void *archive, size_t len, struct strbuf *out)
{
    const char *at = archive;

    while (len >= BLOCK && memcmp(at + MAGIC_AT, "ustar", 5) == 0) {
        char type = at[TYPE_AT];
        uint64_t size;

        if (!get_size(at, &size) || size > len - BLOCK)
            return false;
        if (type == '0' || type == '\0') {
            strbuf_add(out, at + BLOCK, (size_t)size);
            return true;
        }
        /* Links and directories have no bytes, whatever they say. */
        size = strchr("xgLK", type) ? (size + BLOCK - 1) / BLOCK * BLOCK : 0;
        if (size > len - BLOCK)
            return false;
        at += BLOCK + size;
        len -= BLOCK + (size_t)size;
    }
    return false;
}
