/* worker/cache/boot.c - which boot of the host this is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/boot.h"

#include "base/fd.h"
#include "base/state.h"

#include <string.h>

#define BOOT_FILE "/proc/sys/kernel/random/boot_id"
#define ID_SIZE   64

const char *boot_id(void)
{
    static char id[ID_SIZE];
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err ignored;

    if (*id)
        return id;
    if (file_read(BOOT_FILE, ID_SIZE - 1, &text, &ignored) == 0 &&
        text.len > 1) {
        memcpy(id, text.data, text.len);
        id[strcspn(id, "\n")] = '\0';
    }
    if (!*id)
        state_random_hex(id, ID_SIZE - 1);
    return id;
}
