/* worker/checkout/shown.c - files of a commit, as checkout passes them on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/shown.h"

#include "base/glob.h"
#include "worker/checkout/names.h"
#include "worker/checkout/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void shown_expect(struct shown *shown, const char *const *paths, size_t count)
{
    shown->named = count;
    if (!count || !path_is_pattern(paths[count - 1]))
        return;
    shown->named--;
    shown->pattern = xstrdup(paths[count - 1]);
}

size_t shown_max(const struct shown *shown)
{
    return shown->pattern ? SHOW_MAX_FILES : shown->named;
}

/* The named ones come first. Those of the pattern are in order, so none comes
 * twice. */
static bool is_expected(const struct shown *shown, const char *path)
{
    size_t i = shown->count;

    if (i >= shown_max(shown))
        return false;
    if (i < shown->named || !path)
        return i < shown->named && !path;
    return glob_match_last(shown->pattern, path) &&
           (i == shown->named || strcmp(shown->files[i - 1].path, path) < 0);
}

int shown_begin(struct shown *shown, const struct reply *reply, struct err *err)
{
    struct checkout_file *file = &shown->files[shown->count];
    char *why;

    if (!is_expected(shown, reply->path))
        return err_set(err, ERR_BUG,
                       "checkout told a file that was not asked for");
    shown->count++;
    file->path = reply->path ? xstrdup(reply->path) : NULL;
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

int shown_end(const struct shown *shown, const struct reply *reply,
              struct err *err)
{
    if (shown->count < shown->named || shown->missing)
        return err_set(err, ERR_BUG, "checkout told too few files");
    if (reply->more && shown->count < shown_max(shown))
        return err_set(err, ERR_BUG, "checkout kept files for itself");
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
        free((void *)(uintptr_t)shown->files[i].path);
    }
    free(shown->pattern);
    memset(shown, 0, sizeof(*shown));
}
