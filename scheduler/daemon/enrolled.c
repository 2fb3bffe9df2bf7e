/* scheduler/daemon/enrolled.c - which workers are known, and by which key. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/daemon/enrolled.h"

#include <string.h>

#define MAX_NAME 64

int enrolled_check(const char *text, struct err *err)
{
    size_t len = strcspn(text, "=");
    uint8_t key[SEAL_KEY_SIZE];

    if (!len || len > MAX_NAME || !text[len])
        return err_set(err, ERR_USER,
                       "a worker is NAME=KEY, as `berth worker-key` prints it "
                       "there");
    return seal_key_parse(text + len + 1, key, err);
}

bool enrolled_find(const struct strv *list, const char *name,
                   uint8_t out_key[SEAL_KEY_SIZE])
{
    size_t len = strlen(name);

    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];

        if (strncmp(item, name, len) == 0 && item[len] == '=')
            return seal_key_parse(item + len + 1, out_key, NULL) == 0;
    }
    return false;
}
