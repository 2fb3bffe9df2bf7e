/* worker/checkout/shown.c - files of a commit, as checkout passes them on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/shown.h"

#include "worker/checkout/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int shown_begin(struct shown *shown, const struct reply *reply, size_t wanted,
                struct err *err)
{
    struct checkout_file *file = &shown->files[shown->count];
    char *why;

    if (shown->count >= wanted)
        return err_set(err, ERR_BUG, "checkout told more files than asked for");
    shown->count++;
    if (reply->why) {
        why = xstrdup(reply->why);
        text_clean(why);
        file->why = why;
        return 0;
    }
    shown->filling = xcalloc(reply->size + 1, 1);
    shown->missing = reply->size;
    file->data = shown->filling;
    file->len = reply->size;
    return 0;
}

size_t shown_take(struct shown *shown, const char *data, size_t len)
{
    if (len > shown->missing)
        len = shown->missing;
    if (!len)
        return 0;
    memcpy(shown->filling, data, len);
    shown->filling += len;
    shown->missing -= len;
    return len;
}

void shown_clear(struct shown *shown)
{
    for (size_t i = 0; i < shown->count; i++) {
        free((void *)(uintptr_t)shown->files[i].data);
        free((void *)(uintptr_t)shown->files[i].why);
    }
    memset(shown, 0, sizeof(*shown));
}
