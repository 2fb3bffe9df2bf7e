/* base/glob.c - patterns of paths. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/glob.h"

#include <string.h>

/* The end of the name that begins at `s`. */
static const char *name_end(const char *s)
{
    return s + strcspn(s, "/");
}

/* The start of the next name, or NULL behind the last. */
static const char *next_name(const char *s)
{
    s = name_end(s);
    return *s ? s + 1 : NULL;
}

static bool has_hidden(const char *s)
{
    for (; s; s = next_name(s))
        if (*s == '.')
            return true;
    return false;
}

static bool is_any_depth(const char *s, const char *end)
{
    return end - s == 2 && s[0] == '*' && s[1] == '*';
}

/* Behind the set that opens at `s`, and whether `c` is in it; NULL where it
 * does not close: then the bracket is a plain one. */
static const char *match_set(const char *s, const char *end, char c,
                             bool *out_in)
{
    bool negated = s + 1 < end && (s[1] == '!' || s[1] == '^');
    const char *p = s + 1 + negated;
    bool in = false;

    for (const char *first = p; p < end && (*p != ']' || p == first); p++) {
        if (p + 2 < end && p[1] == '-' && p[2] != ']') {
            in |= p[0] <= c && c <= p[2];
            p += 2;
        } else {
            in |= *p == c;
        }
    }
    if (p >= end)
        return NULL;
    *out_in = in != negated;
    return p + 1;
}

/* One step of the pattern against one byte: where it goes on, or NULL. */
static const char *match_byte(const char *p, const char *end, char c)
{
    const char *behind;
    bool in = false;

    if (p >= end)
        return NULL;
    if (*p == '?')
        return p + 1;
    behind = *p == '[' ? match_set(p, end, c, &in) : NULL;
    if (behind)
        return in ? behind : NULL;
    return *p == c ? p + 1 : NULL;
}

/* Only the last star has to be tried again: earlier ones met the least. */
static bool match_name(const char *p, const char *s, bool dots)
{
    const char *p_end = name_end(p), *s_end = name_end(s);
    const char *star = NULL, *star_s = NULL;

    if (!dots && *s == '.' && *p != '.')
        return false;
    while (s < s_end) {
        const char *go_on;

        if (p < p_end && *p == '*') {
            star = ++p;
            star_s = s;
            continue;
        }
        go_on = match_byte(p, p_end, *s);
        if (go_on) {
            p = go_on;
            s++;
        } else if (star) {
            p = star;
            s = ++star_s;
        } else {
            return false;
        }
    }
    while (p < p_end && *p == '*')
        p++;
    return p == p_end;
}

/* The same over names; `below`: it is enough that the path runs out first;
 * `dots`: one at the start of a name is a byte as any other. */
static bool match_names(const char *p, const char *s, bool below, bool dots)
{
    const char *star = NULL, *star_s = NULL;

    while (s) {
        if (p && is_any_depth(p, name_end(p))) {
            if (below)
                return true;
            star = p = next_name(p);
            star_s = s;
            if (!p)
                return dots || !has_hidden(s);
            continue;
        }
        if (p && match_name(p, s, dots)) {
            p = next_name(p);
            s = next_name(s);
        } else if (star && (dots || *star_s != '.')) {
            p = star;
            s = star_s = next_name(star_s);
        } else {
            return false;
        }
    }
    return below ? p != NULL : !p;
}

bool glob_match(const char *pattern, const char *path)
{
    return match_names(pattern, path, false, false);
}

bool glob_match_dots(const char *pattern, const char *path)
{
    return match_names(pattern, path, false, true);
}

bool glob_match_last(const char *pattern, const char *path)
{
    const char *slash = strrchr(pattern, '/');
    size_t len = slash ? (size_t)(slash - pattern) + 1 : 0;

    return strncmp(pattern, path, len) == 0 &&
           glob_match(pattern + len, path + len);
}

bool glob_may_match_below(const char *pattern, const char *dir)
{
    return match_names(pattern, *dir ? dir : NULL, true, false);
}

const char *glob_problem(const char *pattern)
{
    if (!*pattern)
        return "it is empty";
    if (*pattern == '/')
        return "it must be relative";
    for (const char *s = pattern; s; s = next_name(s)) {
        size_t len = (size_t)(name_end(s) - s);

        if (!len)
            return "it has an empty name";
        if ((len == 1 && s[0] == '.') ||
            (len == 2 && s[0] == '.' && s[1] == '.'))
            return "'.' and '..' are no names in it";
    }
    return NULL;
}
