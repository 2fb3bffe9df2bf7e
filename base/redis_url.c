/* base/redis_url.c - where a Redis is, and how to log in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_url.h"

#include "base/strbuf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define MAX_URL      2048
#define DEFAULT_PORT 6379
#define MAX_DB       65535

void redis_url_free(struct redis_url *url)
{
    if (!url)
        return;
    if (url->password)
        mem_wipe(url->password, strlen(url->password));
    free(url->path);
    free(url->host);
    free(url->user);
    free(url->password);
    free(url->name);
    free(url);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *p = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

    return p ? (int)(p - digits) : -1;
}

/* NULL for a bad escape or a NUL byte. Owned by the caller. */
static char *unescape(const char *s, size_t len)
{
    CLEANUP(mem) char *out = xmalloc(len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (s[i] != '%') {
            out[n++] = s[i];
            continue;
        }
        if (len - i < 3)
            return NULL;
        high = hex_digit(s[i + 1]);
        low = hex_digit(s[i + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return NULL;
        out[n++] = (char)(high << 4 | low);
        i += 2;
    }
    out[n] = '\0';
    return STEAL(out);
}

static int parse_number(const char *s, size_t len, int max, int *out)
{
    int value = 0;

    if (len == 0 || len > 9)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)s[i]))
            return -1;
        value = value * 10 + (s[i] - '0');
    }
    if (value > max)
        return -1;
    *out = value;
    return 0;
}

/* `[user]:password@` or `password@`, as far as the '@'. */
static int parse_login(struct redis_url *url, const char *s, size_t len)
{
    const char *colon = memchr(s, ':', len);

    if (colon && colon > s) {
        url->user = unescape(s, (size_t)(colon - s));
        if (!url->user)
            return -1;
    }
    if (colon) {
        len -= (size_t)(colon - s) + 1;
        s = colon + 1;
    }
    url->password = unescape(s, len);
    return url->password ? 0 : -1;
}

/* The last '@' before the path: a password may hold an unescaped one. */
static int take_login(struct redis_url *url, const char **s)
{
    size_t authority = strcspn(*s, "/?");
    const char *at = memrchr(*s, '@', authority);

    if (!at)
        return 0;
    if (parse_login(url, *s, (size_t)(at - *s)) < 0)
        return -1;
    *s = at + 1;
    return 0;
}

static int parse_host(struct redis_url *url, const char *s)
{
    size_t len = strcspn(s, "/?");
    const char *rest = s + len;
    const char *end = s[0] == '[' ? memchr(s, ']', len) : NULL;
    const char *colon;

    url->port = DEFAULT_PORT;
    if (s[0] == '[' && !end)
        return -1;
    colon = memchr(end ? end : s, ':', len - (size_t)((end ? end : s) - s));
    if (colon && parse_number(colon + 1, (size_t)(rest - colon - 1), 65535,
                              &url->port) < 0)
        return -1;
    if (end)
        url->host = xstrndup(s + 1, (size_t)(end - s - 1));
    else
        url->host = xstrndup(s, (size_t)((colon ? colon : rest) - s));
    if (!*url->host || url->port == 0 || *rest == '?')
        return -1;
    if (*rest == '/' && rest[1] &&
        parse_number(rest + 1, strlen(rest + 1), MAX_DB, &url->db) < 0)
        return -1;
    url->name = xasprintf("redis://%s%s%s:%d/%d", end ? "[" : "", url->host,
                          end ? "]" : "", url->port, url->db);
    return 0;
}

static int parse_path(struct redis_url *url, const char *s)
{
    size_t len = strcspn(s, "?");

    if (s[0] != '/')
        return -1;
    url->path = unescape(s, len);
    if (!url->path)
        return -1;
    if (s[len] == '?' &&
        (strncmp(s + len, "?db=", 4) != 0 ||
         parse_number(s + len + 4, strlen(s + len + 4), MAX_DB, &url->db) < 0))
        return -1;
    url->name = xasprintf("unix://%s", url->path);
    return 0;
}

static int parse(struct redis_url *url, const char *text)
{
    if (strncmp(text, "redis://", 8) == 0) {
        text += 8;
        return take_login(url, &text) < 0 ? -1 : parse_host(url, text);
    }
    if (strncmp(text, "unix://", 7) == 0) {
        text += 7;
        return take_login(url, &text) < 0 ? -1 : parse_path(url, text);
    }
    if (strncmp(text, "unix:", 5) == 0)
        text += 5;
    return parse_path(url, text);
}

int redis_url_parse(const char *text, struct redis_url **out_url,
                    struct err *err)
{
    CLEANUP(redis_url) struct redis_url *url = xcalloc(1, sizeof(*url));

    if (strncmp(text, "rediss://", 9) == 0)
        return err_set(err, ERR_USER,
                       "rediss:// needs a berth built with TLS (hiredis 1.0 "
                       "or newer with hiredis_ssl), which this one is not; "
                       "use redis:// through a TLS tunnel, or unix://");
    if (strlen(text) > MAX_URL || parse(url, text) < 0)
        return err_set(err, ERR_USER,
                       "the Redis URL is not one of "
                       "redis://[user:password@]host[:port][/db] or "
                       "unix:///path[?db=N]");
    if (url->path &&
        strlen(url->path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return err_set(err, ERR_USER,
                       "the path of the Redis socket '%s' is too long: a "
                       "socket takes 107 bytes",
                       url->path);
    *out_url = STEAL(url);
    return 0;
}
