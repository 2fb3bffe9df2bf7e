/* pipelines/findings/path.c - where in the workspace a tool's path leads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/path.h"

#include "base/strbuf.h"
#include "base/utf8.h"

#include <string.h>
#include <strings.h>

#define RAW_MAX (4 * (size_t)FINDING_MAX_PATH)

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;

    return at ? (int)(at - digits) : -1;
}

static void unescape(struct strbuf *out, const char *s)
{
    for (; *s; s++) {
        int high = *s == '%' ? hex(s[1]) : -1;
        int low = high >= 0 ? hex(s[2]) : -1;

        if (low < 0) {
            strbuf_addc(out, *s);
            continue;
        }
        strbuf_addc(out, (char)(high * 16 + low));
        s += 2;
    }
}

/* Whether all of it can stand in a path that people read. */
static bool is_clean(const struct strbuf *path)
{
    for (size_t i = 0; i < path->len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(path->data + i, path->len - i, &c);

        if (!n || utf8_is_control(c))
            return false;
        i += n;
    }
    return !path->truncated;
}

/* Add the names of `s`; false: it leads above the top. */
static bool walk(struct strbuf *out, const char *s)
{
    while (*s) {
        size_t n = strcspn(s, "/");

        if (n == 2 && s[0] == '.' && s[1] == '.') {
            const char *slash;

            if (!out->len)
                return false;
            slash = strrchr(out->data, '/');
            strbuf_cut(out, slash ? (size_t)(slash - out->data) : 0);
        } else if (n && !(n == 1 && s[0] == '.')) {
            if (out->len)
                strbuf_addc(out, '/');
            strbuf_add(out, s, n);
        }
        s += n;
        s += *s == '/';
    }
    return true;
}

/* Behind `file:` and what may be a host; NULL: it is no such address. */
static const char *file_address(const char *raw)
{
    if (strncasecmp(raw, "file:/", 6) != 0)
        return NULL;
    raw += 5;
    if (strncmp(raw, "//", 2) != 0)
        return raw;
    raw += 2;
    if (strncasecmp(raw, "localhost/", 10) == 0)
        raw += 9;
    return *raw == '/' ? raw : "/"; /* of another host: nothing of ours */
}

static bool below(struct strbuf *full, const char *workspace)
{
    CLEANUP(strbuf) struct strbuf top = STRBUF_MAX(RAW_MAX);

    if (!walk(&top, workspace) || full->len <= top.len ||
        memcmp(full->data, top.data, top.len) != 0)
        return false;
    if (top.len && full->data[top.len] != '/')
        return false;
    strbuf_consume(full, top.len ? top.len + 1 : 0);
    return true;
}

const char *finding_path(struct arena *arena,
                         const struct findings_source *source, const char *raw,
                         bool is_uri)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(RAW_MAX);
    CLEANUP(strbuf) struct strbuf path = STRBUF_MAX(RAW_MAX);
    const char *workspace =
        source->workspace ? source->workspace : "/workspace";
    const char *rest = file_address(raw);
    bool is_absolute;

    if (rest || is_uri)
        unescape(&text, rest ? rest : raw);
    else
        strbuf_adds(&text, raw);
    if (!is_clean(&text) || strlen(text.data) != text.len)
        return NULL;
    is_absolute = text.data[0] == '/';
    if (!is_absolute && source->dir && !walk(&path, source->dir))
        return NULL;
    if (!walk(&path, text.data) || (is_absolute && !below(&path, workspace)))
        return NULL;
    if (!path.len || path.len > FINDING_MAX_PATH || path.truncated ||
        file_address(path.data)) /* read again, it would be another */
        return NULL;
    return arena_strndup(arena, path.data, path.len);
}
