/* worker/sandbox/fetched.c - container images, kept as disks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/fetched.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/image_name.h"
#include "worker/sandbox/image.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_MS    ((int64_t)30 * 24 * 3600 * 1000)
#define KEEP_BYTES ((uint64_t)20 << 30)
#define MAX_IMAGES 1000
#define LAYOUT     "oci:"
#define PIN        "@sha256:"

/* ---- references ------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

bool fetched_is_reference(const char *image)
{
    return begins(image, IMAGE_NAME_PREFIX) || begins(image, LAYOUT);
}

int fetched_check(const char *image, const char *state_dir, struct err *err)
{
    const char *path = image + strlen(LAYOUT);
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(fd) int fd = -1;

    if (begins(image, IMAGE_NAME_PREFIX))
        return image_check_name(image + strlen(IMAGE_NAME_PREFIX), err);
    /* skopeo's rule: the path has no colon, what follows is the tag. */
    dir = xstrndup(path, strcspn(path, ":"));
    return image_open_directory(dir, state_dir, &fd, err);
}

char *fetched_pin(const char *reference, const char *hex)
{
    size_t len = strcspn(reference, "@");
    const char *slash = strrchr(reference, '/');
    const char *colon = slash ? strchr(slash, ':') : NULL;

    if (!begins(reference, IMAGE_NAME_PREFIX))
        return xstrdup(reference);
    if (colon && colon < reference + len)
        len = (size_t)(colon - reference);
    return xasprintf("%.*s" PIN "%s", (int)len, reference, hex);
}

/* ---- keeping ---------------------------------------------------------- */

bool fetched_touch(const char *path)
{
    return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) == 0;
}

struct kept {
    char *path; /* owned */
    int64_t used_ms;
    uint64_t bytes;
};

static int by_use(const void *a, const void *b)
{
    int64_t x = ((const struct kept *)a)->used_ms;
    int64_t y = ((const struct kept *)b)->used_ms;

    return (x > y) - (x < y);
}

/* Its maker would hold the lock. */
static void remove_part(const char *dir, const char *name, size_t hex_len)
{
    CLEANUP(mem)
    char *lock_path =
        xasprintf("%s/%.*s" FETCHED_LOCK, dir, (int)hex_len, name);
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, name);
    CLEANUP(fd) int lock = open(lock_path, O_RDONLY | O_CLOEXEC);

    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0)
        return;
    if (unlink(path) < 0)
        (void)rmdir(path);
}

static size_t list_images(const char *dir, struct kept *out, size_t max)
{
    DIR *list = opendir(dir);
    struct dirent *entry;
    size_t count = 0;

    while (list && count < max && (entry = readdir(list))) {
        const char *dot = strchr(entry->d_name, '.');
        CLEANUP(mem) char *path = xasprintf("%s/%s", dir, entry->d_name);
        struct stat st;

        if (!dot || dot == entry->d_name || lstat(path, &st) < 0)
            continue;
        if (!strcmp(dot, FETCHED_PART) || !strcmp(dot, FETCHED_MOUNT))
            remove_part(dir, entry->d_name, (size_t)(dot - entry->d_name));
        if (strcmp(dot, FETCHED_IMAGE) != 0)
            continue;
        out[count++] = (struct kept){.path = STEAL(path),
                                     .used_ms = (int64_t)st.st_mtime * 1000,
                                     .bytes = (uint64_t)st.st_blocks * 512};
    }
    if (list)
        (void)closedir(list);
    return count;
}

void fetched_trim(const char *dir, const char *keep)
{
    struct kept *all = xcalloc(MAX_IMAGES, sizeof(*all));
    size_t count = list_images(dir, all, MAX_IMAGES);
    int64_t now = clock_wall_ms();
    uint64_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += all[i].bytes;
    qsort(all, count, sizeof(*all), by_use);
    for (size_t i = 0; i < count; i++) {
        bool old = all[i].used_ms < now - KEEP_MS;

        if ((old || bytes > KEEP_BYTES) && strcmp(all[i].path, keep) != 0 &&
            unlink(all[i].path) == 0)
            bytes -= all[i].bytes;
        free(all[i].path);
    }
    free(all);
}
