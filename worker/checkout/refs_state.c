/* worker/checkout/refs_state.c - whether a mirror's references moved. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/refs_state.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void refs_state(const char *mirror, char out[REFS_STATE_SIZE])
{
    static const char *const files[] = {"packed-refs", "HEAD"};
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        CLEANUP(mem) char *path = xasprintf("%s/%s", mirror, files[i]);
        struct stat st;

        if (stat(path, &st) < 0)
            memset(&st, 0, sizeof(st));
        len += (size_t)snprintf(out + len, REFS_STATE_SIZE - len,
                                "%s%llx-%llx-%llx.%lx", i ? "/" : "",
                                (unsigned long long)st.st_ino,
                                (unsigned long long)st.st_size,
                                (unsigned long long)st.st_ctim.tv_sec,
                                (unsigned long)st.st_ctim.tv_nsec);
        if (len >= REFS_STATE_SIZE)
            return;
    }
}
