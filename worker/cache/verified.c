/* worker/cache/verified.c - when an entry was last read in full. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/verified.h"

#include "base/fd.h"
#include "base/log.h"
#include "worker/cache/boot.h"
#include "worker/cache/stamp.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME     "verified"
#define ID_BYTES 256

bool verified_is_sealed(const struct cache_entry *entry)
{
    struct stat st;

    return fstat(entry->lock, &st) == 0 && st.st_uid == geteuid() &&
           (st.st_mode & 07777) == 0700 &&
           json_is_string(json_object_get(entry->meta, "digest"));
}

bool verified_since_boot(const char *path)
{
    CLEANUP(mem) char *file = xasprintf("%s/" NAME, path);
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err ignored;

    return file_read(file, ID_BYTES, &text, &ignored) == 0 &&
           strcmp(text.data, boot_id()) == 0;
}

int64_t verified_at_ms(const char *path)
{
    CLEANUP(mem) char *file = xasprintf("%s/" NAME, path);
    struct stat st;

    if (lstat(file, &st) < 0)
        return 0;
    return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

int verified_try(const char *path, struct err *err)
{
    CLEANUP(fd) int fd = stamp_open(path, NAME);

    if (fd < 0 || futimens(fd, NULL) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot note a look at '%s'", path);
    return 0;
}

int verified_note(const char *path, struct err *err)
{
    return stamp_write(path, NAME, boot_id(), err);
}

bool verified_judge(const struct cache_entry *entry, const char *digest)
{
    const char *wanted =
        json_string_value(json_object_get(entry->meta, "digest"));
    struct err err;

    if (!digest || !wanted || strcmp(digest, wanted) != 0)
        return false;
    if (verified_note(entry->path, &err) < 0)
        log_info("%s", err.msg);
    return true;
}
