/* scheduler/forge/git_name.c - commits, branches and repositories by name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/git_name.h"

#include "base/utf8.h"
#include "scheduler/forge/url.h"

#include <string.h>
#include <strings.h>

#define SHA_LEN 40
#define GITLAB_MAX_PARTS                                                       \
    22 /* 21 groups, https://docs.gitlab.com/user/group                        \
        */
#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

bool git_is_sha(const char *text)
{
    return strspn(text, "0123456789abcdef") == SHA_LEN && !text[SHA_LEN];
}

bool git_is_zero(const char *sha)
{
    return strspn(sha, "0") == SHA_LEN && !sha[SHA_LEN];
}

/* UTF-8, of characters that show; a space only where `space` allows it. */
static bool is_plain(const char *text, size_t len, bool space)
{
    uint32_t c = 0;
    size_t n;

    for (size_t i = 0; i < len; i += n) {
        n = utf8_decode(text + i, len - i, &c);
        if (!n || (c == ' ' && !space) || utf8_is_control(c) ||
            utf8_is_invisible(c))
            return false;
    }
    return true;
}

static bool ends_with(const char *part, size_t len, const char *end)
{
    size_t n = strlen(end);

    return len >= n && !memcmp(part + len - n, end, n);
}

bool git_is_ref(const char *text)
{
    size_t len = strlen(text), n;

    if (!len || len > GIT_REF_MAX || !is_plain(text, len, false) ||
        strpbrk(text, "~^:?*[\\") || strstr(text, "..") || strstr(text, "@{") ||
        *text == '-' || text[len - 1] == '.' || !strcmp(text, "@"))
        return false;
    for (const char *part = text;; part += n + 1) {
        n = strcspn(part, "/");
        if (!n || *part == '.' || ends_with(part, n, ".lock"))
            return false;
        if (!part[n])
            return true;
    }
}

bool git_is_path(const char *text)
{
    size_t len = strlen(text), n;
    uint32_t c = 0;

    if (len > GIT_PATH_MAX)
        return false;
    for (size_t i = 0; i < len; i += n)
        if (!(n = utf8_decode(text + i, len - i, &c)))
            return false;
    for (const char *part = text;; part += n + 1) {
        n = strcspn(part, "/");
        if (!n || (n == 1 && *part == '.') ||
            (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        if (!part[n])
            return true;
    }
}

bool git_is_full_name(enum forge_kind forge, const char *text)
{
    size_t parts = 0, n;

    if (strlen(text) > GIT_FULL_NAME_MAX)
        return false;
    for (const char *part = text;; part += n + 1) {
        n = strspn(part, WORD);
        if (!n || (part[n] && part[n] != '/') || *part == '-' ||
            (n == 1 && *part == '.') ||
            (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        parts++;
        if (!part[n])
            break;
    }
    return forge == FORGE_GITLAB ? parts >= 2 && parts <= GITLAB_MAX_PARTS
                                 : parts == 2;
}

bool git_is_clone_url(const char *url, const char *base_url,
                      const char *full_name)
{
    size_t origin = url_origin_len(base_url), base = strlen(base_url);
    size_t name = strlen(full_name);

    while (base > origin && base_url[base - 1] == '/')
        base--;
    return origin && strncasecmp(url, base_url, origin) == 0 &&
           strlen(url) == base + 1 + name + 4 &&
           !memcmp(url + origin, base_url + origin, base - origin) &&
           url[base] == '/' && !memcmp(url + base + 1, full_name, name) &&
           !strcmp(url + base + 1 + name, ".git");
}

/* Hosts take names in any case. */
bool git_in_scope(const char *full_name, const char *scope)
{
    size_t len = strlen(scope);

    return len && strncasecmp(full_name, scope, len) == 0 &&
           (!full_name[len] || full_name[len] == '/');
}
