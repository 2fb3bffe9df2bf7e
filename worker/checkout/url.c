/* worker/checkout/url.c - where a repository is, and how to get there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/url.h"

#include "worker/checkout/secret.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void url_clear(struct url *url)
{
    free(url->scheme);
    free(url->user);
    secret_free(url->password);
    free(url->host);
    free(url->port);
    free(url->path);
    free(url->shown);
    memset(url, 0, sizeof(*url));
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Percent-decode `len` bytes; NULL when that gives a control character. */
static char *decode(const char *s, size_t len)
{
    char *out = xmalloc(len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '%' && i + 2 < len && hex_value(s[i + 1]) >= 0 &&
            hex_value(s[i + 2]) >= 0) {
            c = (unsigned char)(hex_value(s[i + 1]) * 16 + hex_value(s[i + 2]));
            i += 2;
        }
        if (c < 0x20 || c == 0x7f) {
            free(out);
            return NULL;
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return out;
}

static int check_text(const char *text, struct err *err)
{
    size_t len = strlen(text);

    if (len == 0)
        return err_set(err, ERR_USER, "the repository's address is empty");
    if (len > URL_MAX_BYTES)
        return err_set(err, ERR_USER,
                       "the repository's address is longer than %d bytes",
                       URL_MAX_BYTES);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return err_set(
                err, ERR_USER,
                "the repository's address has a control character in it");
    return 0;
}

/* Split "user:password@" off; returns what is behind it. */
static int take_userinfo(const char **p, const char *end, struct url *url,
                         struct err *err)
{
    const char *at = NULL;
    const char *colon;

    for (const char *c = *p; c < end; c++)
        if (*c == '@')
            at = c;
    if (!at)
        return 0;
    colon = memchr(*p, ':', (size_t)(at - *p));
    url->user = decode(*p, (size_t)((colon ? colon : at) - *p));
    if (colon)
        url->password = decode(colon + 1, (size_t)(at - colon - 1));
    if (!url->user || (colon && !url->password))
        return err_set(err, ERR_USER,
                       "the user in the repository's address is malformed");
    *p = at + 1;
    return 0;
}

static bool is_host(const char *host, bool bracketed)
{
    if (!*host || *host == '-' || strlen(host) > 255)
        return false;
    for (const char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '.' && *c != '-' &&
            *c != '_' && !(bracketed && (*c == ':' || *c == '%')))
            return false;
    return true;
}

static bool is_port(const char *port)
{
    size_t len = strlen(port);

    return len >= 1 && len <= 5 && strspn(port, "0123456789") == len &&
           atoi(port) >= 1 && atoi(port) <= 65535;
}

/* host, [host] or either with :port, of [p, end). */
static int take_host(const char *p, const char *end, struct url *url,
                     struct err *err)
{
    bool bracketed = p < end && *p == '[';
    const char *stop = memchr(p, bracketed ? ']' : ':', (size_t)(end - p));
    const char *colon;

    if (bracketed && stop) {
        url->host = xstrndup(p + 1, (size_t)(stop - p - 1));
        colon = stop + 1 < end ? stop + 1 : NULL;
    } else {
        url->host = xstrndup(p, (size_t)((stop ? stop : end) - p));
        colon = stop;
    }
    for (char *c = url->host; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (colon && *colon == ':' && colon + 1 < end)
        url->port = xstrndup(colon + 1, (size_t)(end - colon - 1));
    else if (colon && *colon != ':')
        return err_set(err, ERR_USER, "the host in the address is malformed");
    if (!is_host(url->host, bracketed) || (url->port && !is_port(url->port)))
        return err_set(err, ERR_USER,
                       "'%.200s' is not a host to fetch from: check the "
                       "repository's address",
                       url->host);
    return 0;
}

static int check_user(const struct url *url, struct err *err)
{
    if (url->kind == URL_SSH && url->user &&
        (!*url->user || *url->user == '-' ||
         strspn(url->user, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"
                           "Z0123456789._+-") != strlen(url->user)))
        return err_set(err, ERR_USER,
                       "the user in the repository's address is malformed");
    if (url->kind == URL_SSH && url->password)
        return err_set(err, ERR_USER,
                       "a password has no place in an ssh address");
    return 0;
}

static char *host_text(const struct url *url)
{
    bool v6 = strchr(url->host, ':');

    return xasprintf("%s%s%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "",
                     url->port ? ":" : "", url->port ? url->port : "");
}

/* ssh://…, http://… or https://… */
static int parse_remote(const char *rest, struct url *url, struct err *err)
{
    const char *slash = strchr(rest, '/');
    const char *end = slash ? slash : rest + strlen(rest);

    if (take_userinfo(&rest, end, url, err) < 0 ||
        take_host(rest, end, url, err) < 0 || check_user(url, err) < 0)
        return -1;
    if (!slash || !slash[1])
        return err_set(err, ERR_USER, "no path behind host '%s'", url->host);
    CLEANUP(mem) char *host = host_text(url);

    if (url->kind == URL_HTTP) {
        url->path = xstrdup(slash);
        url->shown = xasprintf("%s://%s%s", url->scheme, host, slash);
        return 0;
    }
    url->path = decode(slash, strlen(slash));
    if (!url->path)
        return err_set(err, ERR_USER, "the path on '%s' is malformed",
                       url->host);
    if (url->path[1] == '~') /* ssh://host/~user/x is relative to a home */
        memmove(url->path, url->path + 1, strlen(url->path));
    url->shown = xasprintf("ssh://%s%s%s%s", url->user ? url->user : "",
                           url->user ? "@" : "", host, slash);
    return 0;
}

static int parse_scp(const char *text, const char *colon, struct url *url,
                     struct err *err)
{
    const char *p = text;
    const char *at = strchr(colon, '@');

    /* user:password@host:path is none of git's, but people write it. */
    if (at && strchr(at, ':'))
        return err_set(err, ERR_USER,
                       "a password has no place in an ssh address");
    url->kind = URL_SSH;
    url->scheme = xstrdup("ssh");
    if (take_userinfo(&p, colon, url, err) < 0 ||
        take_host(p, colon, url, err) < 0 || check_user(url, err) < 0)
        return -1;
    url->path = xstrdup(colon + 1);
    if (!*url->path || *url->path == '-')
        return err_set(err, ERR_USER, "the path on '%s' is malformed",
                       url->host);
    url->shown = xstrdup(text);
    return 0;
}

static int parse_local(const char *path, struct url *url, struct err *err)
{
    url->kind = URL_LOCAL;
    url->scheme = xstrdup("file");
    if (*path != '/')
        return err_set(err, ERR_USER,
                       "'%.300s' is neither a URL nor an absolute path", path);
    url->path = xstrdup(path);
    while (strlen(url->path) > 1 && url->path[strlen(url->path) - 1] == '/')
        url->path[strlen(url->path) - 1] = '\0';
    url->shown = xstrdup(url->path);
    return 0;
}

static int parse_file(const char *rest, struct url *url, struct err *err)
{
    CLEANUP(mem) char *path = NULL;

    if (strncmp(rest, "localhost/", 10) == 0)
        rest += 9;
    path = decode(rest, strlen(rest));
    if (!path || *path != '/')
        return err_set(err, ERR_USER,
                       "a file:// address must name an absolute path of this "
                       "host");
    return parse_local(path, url, err);
}

/* The colon of host:path, as git sees it: no slash may stand before it. */
static const char *scp_colon(const char *text)
{
    const char *from = text;
    const char *colon;
    const char *slash = strchr(text, '/');

    if (strstr(text, "@["))
        from = strstr(text, "@[") + 1;
    if (*from == '[' && strchr(from, ']'))
        from = strchr(from, ']');
    colon = strchr(from, ':');
    return colon && (!slash || colon < slash) ? colon : NULL;
}

static int parse(const char *text, struct url *url, struct err *err)
{
    static const struct {
        const char *scheme;
        enum url_kind kind;
    } schemes[] = {{"https", URL_HTTP},
                   {"http", URL_HTTP},
                   {"ssh", URL_SSH},
                   {"git+ssh", URL_SSH},
                   {"file", URL_LOCAL}};
    const char *mark = strstr(text, "://");
    const char *colon = scp_colon(text);

    if (mark && strcspn(text, "/@") > (size_t)(mark - text)) {
        size_t len = (size_t)(mark - text);

        for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
            if (strlen(schemes[i].scheme) != len ||
                strncasecmp(text, schemes[i].scheme, len) != 0)
                continue;
            if (schemes[i].kind == URL_LOCAL)
                return parse_file(mark + 3, url, err);
            url->kind = schemes[i].kind;
            url->scheme =
                xstrdup(url->kind == URL_SSH ? "ssh" : schemes[i].scheme);
            return parse_remote(mark + 3, url, err);
        }
        return err_set(err, ERR_USER,
                       "repositories are not fetched by '%.*s': use https, "
                       "ssh, file or a path",
                       len > 40 ? 40 : (int)len, text);
    }
    /* git's remote helpers ("ext::command") run what a URL says. */
    if (colon && colon[1] == ':')
        return err_set(err, ERR_USER,
                       "remote helpers (name::address) are not used");
    if (colon)
        return parse_scp(text, colon, url, err);
    return parse_local(text, url, err);
}

int url_parse(const char *text, struct url *out_url, struct err *err)
{
    CLEANUP(url) struct url url = {0};

    if (check_text(text, err) < 0 || parse(text, &url, err) < 0)
        return -1;
    *out_url = url;
    memset(&url, 0, sizeof(url));
    return 0;
}

static const char *port_of(const struct url *url)
{
    if (url->port)
        return url->port;
    return strcmp(url->scheme, "https") == 0 ? "443" : "80";
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return a->kind == URL_HTTP && b->kind == URL_HTTP &&
           strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0 &&
           strcmp(port_of(a), port_of(b)) == 0;
}

/* Cut the last directory off, but never the host of a URL. */
static bool go_up(char *base)
{
    char *mark = strstr(base, "://");
    char *root = mark ? strchr(mark + 3, '/') : base;
    char *slash = root ? strrchr(root, '/') : NULL;
    char *colon = mark ? NULL : strrchr(base, ':');

    if (slash && slash[1]) {
        *slash = '\0';
        return true;
    }
    if (colon && colon[1]) {
        colon[1] = '\0';
        return true;
    }
    return false;
}

int url_resolve(const char *base, const char *relative, char **out,
                struct err *err)
{
    CLEANUP(mem) char *up = xstrdup(base);
    const char *p = relative;
    const char *join;

    if (strncmp(p, "./", 2) != 0 && strncmp(p, "../", 3) != 0) {
        *out = xstrdup(relative);
        return 0;
    }
    while (strlen(up) > 1 && up[strlen(up) - 1] == '/')
        up[strlen(up) - 1] = '\0';
    for (;;) {
        if (strncmp(p, "./", 2) == 0) {
            p += 2;
        } else if (strncmp(p, "../", 3) == 0) {
            p += 3;
            if (!go_up(up))
                return err_set(err, ERR_USER, "'%.200s' leads out of '%.300s'",
                               relative, base);
        } else {
            break;
        }
    }
    join = *up && up[strlen(up) - 1] == ':' ? "" : "/";
    *out = xasprintf("%s%s%s", up, join, p);
    return 0;
}
