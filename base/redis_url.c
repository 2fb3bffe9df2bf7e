/* base/redis_url.c - where a Redis is, and how to log in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_url.h"

#include "base/redis_tls.h"
#include "base/strbuf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define MAX_URL      4096
#define MAX_DB       65535
#define MAX_SOCKET   (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)
#define PORT         6379
#define SENTINEL     26379
#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct parser {
    const char *text; /* borrowed */
    const char *at;   /* within it */
    struct redis_url *url;
    struct err *err;
};

static const struct scheme {
    const char *prefix;
    enum redis_kind kind;
    bool is_path, tls;
} schemes[] = {
    {"redis://", REDIS_ONE, false, false},
    {"rediss://", REDIS_ONE, false, true},
    {"redis+sentinel://", REDIS_SENTINEL, false, false},
    {"rediss+sentinel://", REDIS_SENTINEL, false, true},
    {"redis+cluster://", REDIS_CLUSTER, false, false},
    {"rediss+cluster://", REDIS_CLUSTER, false, true},
    {"unix://", REDIS_ONE, true, false},
    {"unix:", REDIS_ONE, true, false},
    {"", REDIS_ONE, true, false},
};

/* The options that are text; `db` is the one that is not. */
static const struct option {
    const char *name;
    size_t offset; /* of a char * in struct redis_url */
    bool tls, sentinel;
} options[] = {
    {"ca", offsetof(struct redis_url, ca), true, false},
    {"cert", offsetof(struct redis_url, cert), true, false},
    {"key", offsetof(struct redis_url, key), true, false},
    {"sni", offsetof(struct redis_url, sni), true, false},
    {"sentinel-user", offsetof(struct redis_url, sentinel_user), false, true},
    {"sentinel-password", offsetof(struct redis_url, sentinel_password), false,
     true},
};

static void free_secret(char *secret)
{
    if (secret)
        mem_wipe(secret, strlen(secret));
    free(secret);
}

void redis_url_free(struct redis_url *url)
{
    if (!url)
        return;
    for (size_t i = 0; i < url->host_count; i++)
        free(url->hosts[i].host);
    free_secret(url->password);
    free_secret(url->sentinel_password);
    free(url->path);
    free(url->user);
    free(url->master);
    free(url->sentinel_user);
    free(url->ca);
    free(url->cert);
    free(url->key);
    free(url->sni);
    free(url->name);
    free(url);
}

static int wrong(const struct parser *p, const char *at, const char *what)
{
    return err_set(p->err, ERR_USER,
                   "the Redis URL is wrong at character %zu: %s",
                   (size_t)(at - p->text) + 1, what);
}

/* ---- the smallest parts ------------------------------------------------- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *d = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

    return d ? (int)(d - digits) : -1;
}

/* `out` may be set already only by a repeated option. */
static int unescape(const struct parser *p, const char *s, size_t len,
                    char **out)
{
    CLEANUP(mem) char *plain = xmalloc(len + 1);
    size_t n = 0;

    if (*out)
        return wrong(p, s, "this option is given twice");
    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (s[i] != '%') {
            plain[n++] = s[i];
            continue;
        }
        high = i + 1 < len ? hex_digit(s[i + 1]) : -1;
        low = i + 2 < len ? hex_digit(s[i + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return wrong(p, s + i,
                         "'%' and two hex digits, not 00, are wanted");
        plain[n++] = (char)(high << 4 | low);
        i += 2;
    }
    plain[n] = '\0';
    *out = STEAL(plain);
    return 0;
}

static int parse_number(const struct parser *p, const char *s, size_t len,
                        int max, const char *what, int *out)
{
    int value = 0;

    if (len == 0 || len > 5)
        return wrong(p, s, what);
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)s[i]))
            return wrong(p, s + i, what);
        value = value * 10 + (s[i] - '0');
    }
    if (value > max)
        return wrong(p, s, what);
    *out = value;
    return 0;
}

static int parse_db(struct parser *p, const char *s, size_t len)
{
    return parse_number(p, s, len, MAX_DB,
                        "a database from 0 to 65535 is wanted", &p->url->db);
}

/* ---- login and hosts ---------------------------------------------------- */

/* `[user]:password@` or `password@`, as far as the last '@' before the path:
 * a password may hold an unescaped one. */
static int take_login(struct parser *p)
{
    const char *s = p->at;
    const char *at = memrchr(s, '@', strcspn(s, "/?"));
    const char *colon;

    if (!at)
        return 0;
    p->at = at + 1;
    colon = memchr(s, ':', (size_t)(at - s));
    if (colon && colon > s &&
        unescape(p, s, (size_t)(colon - s), &p->url->user) < 0)
        return -1;
    if (colon)
        s = colon + 1;
    return unescape(p, s, (size_t)(at - s), &p->url->password);
}

static int take_host(struct parser *p)
{
    struct redis_host *host = &p->url->hosts[p->url->host_count];
    bool brackets = *p->at == '[';
    const char *s = p->at + brackets;
    size_t len = strspn(s, brackets ? HOST_LETTERS "0123456789.:%"
                                    : HOST_LETTERS "0123456789._-");
    const char *end = s + len;

    if (p->url->host_count == REDIS_MAX_HOSTS)
        return wrong(p, p->at, "there are more than 16 hosts");
    if (len == 0 || len > REDIS_MAX_HOST || (brackets && *end++ != ']'))
        return wrong(p, p->at,
                     "a host's name, or an address ([…] for IPv6), "
                     "is wanted");
    host->host = xstrndup(s, len);
    host->port = p->url->kind == REDIS_SENTINEL ? SENTINEL : PORT;
    p->url->host_count++;
    p->at = end;
    if (*end != ':')
        return 0;
    len = strcspn(end + 1, ",/?");
    p->at = end + 1 + len;
    if (parse_number(p, end + 1, len, 65535, "a port is wanted", &host->port) <
        0)
        return -1;
    return host->port ? 0 : wrong(p, end + 1, "there is no port 0");
}

static int take_hosts(struct parser *p)
{
    if (take_host(p) < 0)
        return -1;
    while (p->url->kind != REDIS_ONE && *p->at == ',') {
        p->at++;
        if (take_host(p) < 0)
            return -1;
    }
    if (*p->at && *p->at != '/' && *p->at != '?')
        return wrong(p, p->at, "':' and a port, '/' or the end is wanted");
    return 0;
}

/* What follows the hosts: `/db`, `/master[/db]`, or nothing of a cluster. */
static int take_place(struct parser *p)
{
    size_t len;

    if (p->url->kind == REDIS_SENTINEL) {
        len = *p->at == '/' ? strcspn(p->at + 1, "/?") : 0;
        if (len == 0)
            return wrong(p, p->at, "'/' and the master's name are wanted");
        if (unescape(p, p->at + 1, len, &p->url->master) < 0)
            return -1;
        p->at += 1 + len;
    }
    if (*p->at != '/')
        return 0;
    p->at++;
    len = strcspn(p->at, "?");
    if (len == 0)
        return 0;
    if (p->url->kind == REDIS_CLUSTER)
        return wrong(p, p->at, "a cluster has no databases");
    p->at += len;
    return parse_db(p, p->at - len, len);
}

static int take_path(struct parser *p)
{
    size_t len = strcspn(p->at, "?");

    if (*p->at != '/')
        return wrong(p, p->at,
                     "one of redis://, rediss://, redis+sentinel://, "
                     "redis+cluster://, unix:// and an absolute path is "
                     "wanted");
    if (unescape(p, p->at, len, &p->url->path) < 0)
        return -1;
    if (strlen(p->url->path) > MAX_SOCKET)
        return err_set(p->err, ERR_USER,
                       "the path of the Redis socket '%s' is too long: a "
                       "socket takes %zu bytes",
                       p->url->path, MAX_SOCKET);
    p->at += len;
    return 0;
}

/* ---- options ------------------------------------------------------------ */

static int take_option(struct parser *p)
{
    const char *s = p->at;
    size_t len = strcspn(s, "&");
    size_t name = strcspn(s, "=&");
    const char *value = s + name + 1;
    size_t value_len = name < len ? len - name - 1 : 0;

    p->at = s + len;
    if (value_len == 0)
        return wrong(p, s, "an option, '=' and a value are wanted");
    if (name == 2 && memcmp(s, "db", 2) == 0 && p->url->path)
        return parse_db(p, value, value_len);
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const struct option *o = &options[i];

        if (strlen(o->name) != name || memcmp(o->name, s, name) != 0)
            continue;
        if ((o->tls && !p->url->tls) ||
            (o->sentinel && p->url->kind != REDIS_SENTINEL))
            break;
        return unescape(p, value, value_len,
                        (char **)((char *)p->url + o->offset));
    }
    return wrong(p, s, "this kind of address has no such option");
}

static int take_options(struct parser *p)
{
    const char *start = p->at;

    if (!*p->at)
        return 0;
    do {
        p->at++; /* the '?', then each '&' */
        if (take_option(p) < 0)
            return -1;
    } while (*p->at);
    if (!p->url->cert != !p->url->key)
        return wrong(p, start, "cert and key go together");
    if (p->url->sentinel_user && !p->url->sentinel_password)
        return wrong(p, start, "sentinel-user needs sentinel-password");
    return 0;
}

/* ---- the whole ---------------------------------------------------------- */

static char *make_name(const struct redis_url *url, const char *prefix)
{
    CLEANUP(strbuf) struct strbuf name = STRBUF_INIT;

    if (url->path)
        return xasprintf("unix://%s", url->path);
    strbuf_adds(&name, prefix);
    for (size_t i = 0; i < url->host_count; i++) {
        bool v6 = strchr(url->hosts[i].host, ':');

        strbuf_addf(&name, "%s%s%s%s:%d", i ? "," : "", v6 ? "[" : "",
                    url->hosts[i].host, v6 ? "]" : "", url->hosts[i].port);
    }
    if (url->master)
        strbuf_addf(&name, "/%s", url->master);
    if (url->kind != REDIS_CLUSTER)
        strbuf_addf(&name, "/%d", url->db);
    strbuf_cut(&name, 300); /* a message holds it, and more */
    return strbuf_take(&name);
}

static int parse(struct parser *p)
{
    const struct scheme *scheme = schemes;

    while (strncmp(p->text, scheme->prefix, strlen(scheme->prefix)) != 0)
        scheme++; /* the last one matches */
    p->at += strlen(scheme->prefix);
    p->url->kind = scheme->kind;
    p->url->tls = scheme->tls;
    if (scheme->tls && redis_tls_supported(p->err) < 0)
        return -1;
    if (strcmp(scheme->prefix + strcspn(scheme->prefix, ":"), "://") == 0 &&
        take_login(p) < 0)
        return -1;
    if (scheme->is_path) {
        if (take_path(p) < 0)
            return -1;
    } else if (take_hosts(p) < 0 || take_place(p) < 0) {
        return -1;
    }
    if (take_options(p) < 0)
        return -1;
    p->url->name = make_name(p->url, scheme->prefix);
    return 0;
}

int redis_url_parse(const char *text, struct redis_url **out_url,
                    struct err *err)
{
    CLEANUP(redis_url) struct redis_url *url = xcalloc(1, sizeof(*url));
    struct parser parser = {text, text, url, err};

    if (strnlen(text, MAX_URL + 1) > MAX_URL)
        return err_set(err, ERR_USER,
                       "the Redis URL is longer than %d characters", MAX_URL);
    if (parse(&parser) < 0)
        return -1;
    *out_url = STEAL(url);
    return 0;
}
