/* worker/checkout/names.c - file names that a stranger's tree may not have. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/names.h"

#include <ctype.h>
#include <string.h>

/* Code points that HFS+ ignores in names, as UTF-8 (git's utf8.c). */
static size_t ignored_by_hfs(const char *s, size_t len)
{
    const unsigned char *c = (const unsigned char *)s;

    if (len < 3)
        return 0;
    if (c[0] == 0xe2 && c[1] == 0x80 &&
        ((c[2] >= 0x8c && c[2] <= 0x8f) || (c[2] >= 0xaa && c[2] <= 0xae)))
        return 3; /* U+200C..200F, U+202A..202E */
    if (c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xaa && c[2] <= 0xaf)
        return 3; /* U+206A..206F */
    if (c[0] == 0xef && c[1] == 0xbb && c[2] == 0xbf)
        return 3; /* U+FEFF */
    return 0;
}

/* `name` without ignored code points is `want`, in any case. */
static bool hfs_equals(const char *name, size_t len, const char *want)
{
    size_t i = 0;

    while (i < len) {
        size_t skip = ignored_by_hfs(name + i, len - i);

        if (skip) {
            i += skip;
            continue;
        }
        if (!*want || tolower((unsigned char)name[i]) != *want)
            return false;
        i++;
        want++;
    }
    return *want == '\0';
}

/* What NTFS drops from the end: dots, spaces, a stream name after ':'. */
static bool ntfs_tail(const char *name, size_t len)
{
    for (size_t i = 0; i < len && name[i] != ':'; i++)
        if (name[i] != '.' && name[i] != ' ')
            return false;
    return true;
}

static bool ntfs_equals(const char *name, size_t len, const char *want)
{
    size_t n = strlen(want);

    return len >= n && strncasecmp(name, want, n) == 0 &&
           ntfs_tail(name + n, len - n);
}

static bool is_dot_git(const char *name, size_t len)
{
    return hfs_equals(name, len, ".git") || ntfs_equals(name, len, ".git") ||
           ntfs_equals(name, len, "git~1");
}

const char *name_fault(const char *name, size_t len)
{
    if (len == 0)
        return "is empty";
    if (len > NAME_MAX_BYTES)
        return "is longer than 255 bytes";
    if (memchr(name, '/', len) || memchr(name, '\0', len))
        return "has a slash or a NUL in it";
    if ((len == 1 && name[0] == '.') || (len == 2 && !memcmp(name, "..", 2)))
        return "leads out of its directory";
    /* On Windows a backslash would split it. */
    for (size_t start = 0; start <= len;) {
        const char *stop = memchr(name + start, '\\', len - start);
        size_t end = stop ? (size_t)(stop - name) : len;

        if (is_dot_git(name + start, end - start))
            return "could be taken for .git";
        start = end + 1;
    }
    return NULL;
}

const char *path_fault(const char *path)
{
    size_t depth = 0;

    if (strlen(path) > PATH_MAX_BYTES)
        return "is longer than 3500 bytes";
    for (;;) {
        size_t len = strcspn(path, "/");
        const char *fault = name_fault(path, len);

        if (fault)
            return fault;
        if (++depth > PATH_MAX_DEPTH)
            return "is deeper than 256 directories";
        if (!path[len])
            return NULL;
        path += len + 1;
    }
}

bool path_is_pattern(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strchr(slash ? slash : path, '*');
}

bool name_is_gitmodules(const char *name, size_t len)
{
    /* NTFS' short names: gitmod~1..4, or gi7eba~N when those are taken. */
    bool numbered = len == 8 && strncasecmp(name, "gitmod~", 7) == 0 &&
                    name[7] >= '1' && name[7] <= '4';

    return numbered || hfs_equals(name, len, ".gitmodules") ||
           ntfs_equals(name, len, ".gitmodules") ||
           (len == 8 && strncasecmp(name, "gi7eba~", 7) == 0);
}
