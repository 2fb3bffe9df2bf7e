/* pipelines/diff/name.c - names of files as git writes them in diffs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diff/name.h"

#include "pipelines/diff/diff.h"

#include <string.h>

/* What stands behind a backslash, as C has it; 0: nothing does. */
static char escaped(char c)
{
    static const char from[] = "abtnvfr\"\\";
    static const char to[] = "\a\b\t\n\v\f\r\"\\";
    const char *at = c ? strchr(from, c) : NULL;

    return (char)(at ? to[at - from] : '\0');
}

/* Three octal digits at `s`; 0 is no byte of a name. */
static unsigned octal(const char *s, size_t len)
{
    unsigned value = 0;

    if (len < 3)
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (s[i] < '0' || s[i] > '7')
            return 0;
        value = value * 8 + (unsigned)(s[i] - '0');
    }
    return value > 0xff ? 0 : value;
}

/* `s` is behind the first quote. */
static const char *read_quoted(struct arena *arena, const char *s, size_t len,
                               size_t *out_used)
{
    size_t room = len < DIFF_MAX_PATH ? len : DIFF_MAX_PATH, n = 0;
    char *name = arena_alloc(arena, room + 1);

    for (size_t i = 0; i < len && n < room; i++) {
        unsigned byte = (unsigned char)s[i];

        if (s[i] == '"') {
            *out_used = i + 2;
            return n ? name : NULL;
        }
        if (s[i] == '\\' && ++i < len) {
            byte = (unsigned char)escaped(s[i]);
            if (!byte) {
                byte = octal(s + i, len - i);
                i += 2;
            }
        }
        if (!byte)
            return NULL;
        name[n++] = (char)byte;
    }
    return NULL;
}

const char *diff_name_read(struct arena *arena, const char *s, size_t len,
                           size_t *out_used)
{
    const char *tab;

    if (len && s[0] == '"')
        return read_quoted(arena, s + 1, len - 1, out_used);
    tab = len ? memchr(s, '\t', len) : NULL;
    if (tab)
        len = (size_t)(tab - s);
    if (!len || len > DIFF_MAX_PATH || memchr(s, '\0', len))
        return NULL;
    *out_used = len;
    return arena_strndup(arena, s, len);
}

static const char *after_slash(const char *name)
{
    return name[0] && name[1] == '/' && name[2] ? name + 2 : NULL;
}

void diff_name_strip(const char **old_name, const char **new_name)
{
    const char *old_rest = after_slash(*old_name);
    const char *new_rest = after_slash(*new_name);
    bool usual =
        old_rest && new_rest && (*old_name)[0] == 'a' && (*new_name)[0] == 'b';

    if (!old_rest || !new_rest || strcmp(*old_name, *new_name) == 0)
        return;
    if (!usual && strcmp(old_rest, new_rest) != 0)
        return;
    *old_name = old_rest;
    *new_name = new_rest;
}

/* Where the first of two names without quotes ends: in the middle. */
static size_t middle(const char *s, size_t len)
{
    size_t half = len / 2;
    const char *old_name = s, *new_name = s + half + 1;

    if (len < 3 || len % 2 == 0 || s[half] != ' ')
        return 0;
    if (memcmp(old_name, new_name, half) == 0)
        return half;
    return half > 2 && old_name[1] == '/' && new_name[1] == '/' &&
                   memcmp(old_name + 2, new_name + 2, half - 2) == 0
               ? half
               : 0;
}

bool diff_name_pair(struct arena *arena, const char *s, size_t len,
                    const char **out_old, const char **out_new)
{
    const char *old_name, *new_name;
    size_t used = 0, rest_used = 0;

    if (len && s[0] == '"')
        old_name = diff_name_read(arena, s, len, &used);
    else {
        const char *quote = len ? memchr(s, '"', len) : NULL;

        used = quote && quote > s ? (size_t)(quote - s) - 1 : middle(s, len);
        old_name = used && used <= DIFF_MAX_PATH && !memchr(s, '\0', used)
                       ? arena_strndup(arena, s, used)
                       : NULL;
    }
    if (!old_name || used + 1 >= len || s[used] != ' ')
        return false;
    new_name = diff_name_read(arena, s + used + 1, len - used - 1, &rest_used);
    if (!new_name)
        return false;
    *out_old = old_name;
    *out_new = new_name;
    return true;
}
