/* base/s3_url.c - where a bucket is: s3://bucket/prefix?… */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/s3_url.h"

#include "base/units.h"

#include <stdlib.h>
#include <string.h>

#define LOWER      "abcdefghijklmnopqrstuvwxyz"
#define DIGITS     "0123456789"
#define UPPER      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define PLAIN      LOWER UPPER DIGITS "-_.~"
#define BUCKET_MAX 63
#define PREFIX_MAX 300
#define SECOND_MS  ((int64_t)1000)

bool s3_url_is(const char *text)
{
    return strncmp(text, S3_SCHEME, sizeof(S3_SCHEME) - 1) == 0;
}

void s3_encode(struct strbuf *out, const char *text, bool slashes)
{
    for (; *text; text++)
        if (strchr(PLAIN, *text) || (slashes && *text == '/'))
            strbuf_addc(out, *text);
        else
            strbuf_addf(out, "%%%02X", (unsigned)(unsigned char)*text);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int s3_decode(const char *text, char **out, struct err *err)
{
    CLEANUP(mem) char *plain = xmalloc(strlen(text) + 1);
    char *to = plain;

    for (; *text; text++) {
        int high = *text == '%' ? hex(text[1]) : 0;
        int low = *text == '%' && high >= 0 ? hex(text[2]) : 0;

        if (high < 0 || low < 0 || (*text == '%' && !(high + low)))
            return err_set(err, ERR_USER, "'%%' stands before two digits");
        *to++ = *text == '%' ? (char)(high * 16 + low) : *text;
        text += *text == '%' ? 2 : 0;
    }
    *to = '\0';
    *out = STEAL(plain);
    return 0;
}

/* ---- its parts ---------------------------------------------------------- */

static int check_bucket(const char *name, struct err *err)
{
    size_t len = strlen(name);

    if (len < 3 || len > BUCKET_MAX || name[strspn(name, LOWER DIGITS ".-")] ||
        strstr(name, "..") || strchr(".-", name[0]) ||
        strchr(".-", name[len - 1]))
        return err_set(err, ERR_USER,
                       "the bucket is 3 to 63 of a-z, 0-9, '-' and '.'");
    return 0;
}

/* Parts that clients and servers might take for steps up are none. */
static int take_prefix(struct s3_url *url, const char *text, struct err *err)
{
    size_t len = strlen(text);
    CLEANUP(mem) char *around = NULL;

    while (len && text[len - 1] == '/')
        len--;
    around = xasprintf("/%.*s/", (int)len, text);
    if (len > PREFIX_MAX || around[strspn(around, PLAIN "/")] ||
        (len && strstr(around, "//")) || strstr(around, "/./") ||
        strstr(around, "/../"))
        return err_set(err, ERR_USER,
                       "the prefix is names of A-Z, a-z, 0-9, '-', '_', '.' "
                       "and '~' with '/' between them");
    url->prefix = len ? xstrdup(around + 1) : xstrdup("");
    return 0;
}

static int take_region(struct s3_url *url, const char *value, struct err *err)
{
    if (!*value || strlen(value) > 63 || value[strspn(value, LOWER DIGITS "-")])
        return err_set(err, ERR_USER, "the region is a-z, 0-9 and '-'");
    free(url->region);
    url->region = xstrdup(value);
    return 0;
}

static int take_endpoint(struct s3_url *url, const char *value, struct err *err)
{
    const char *host = strstr(value, "://");
    size_t len = host ? strlen(host + 3) : 0;

    if ((strncmp(value, "https://", 8) != 0 &&
         strncmp(value, "http://", 7) != 0) ||
        !len)
        return err_set(err, ERR_USER,
                       "the endpoint is https://host[:port] or http://…");
    host += 3;
    if (host[len - 1] == '/')
        len--;
    if (!len || len > 255 || strspn(host, LOWER UPPER DIGITS ".-:[]") < len)
        return err_set(err, ERR_USER,
                       "the endpoint has a host and a port, nothing else");
    free(url->endpoint);
    url->endpoint = xstrndup(value, (size_t)(host - value) + len);
    return 0;
}

static int take_path_style(struct s3_url *url, const char *value,
                           struct err *err)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return err_set(err, ERR_USER, "path_style is 0 or 1");
    url->path_style = *value == '1';
    return 0;
}

static int take_timeout(struct s3_url *url, const char *value, struct err *err)
{
    if (duration_parse(value, &url->timeout_ms, err) < 0)
        return err_wrap(err, "timeout");
    if (url->timeout_ms < SECOND_MS || url->timeout_ms > 600 * SECOND_MS)
        return err_set(err, ERR_USER, "timeout is 1s to 10m");
    return 0;
}

static const struct {
    const char *name;
    int (*take)(struct s3_url *url, const char *value, struct err *err);
} parameters[] = {
    {"region", take_region},
    {"endpoint", take_endpoint},
    {"path_style", take_path_style},
    {"timeout", take_timeout},
};

static int take_parameter(struct s3_url *url, const char *text, unsigned *seen,
                          struct err *err)
{
    size_t len = strcspn(text, "=");
    CLEANUP(mem) char *value = NULL;

    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        if (!text[len] || strlen(parameters[i].name) != len ||
            strncmp(parameters[i].name, text, len) != 0)
            continue;
        if (*seen & (1U << i))
            return err_set(err, ERR_USER, "%s is there twice",
                           parameters[i].name);
        *seen |= 1U << i;
        if (s3_decode(text + len + 1, &value, err) < 0)
            return -1;
        return parameters[i].take(url, value, err);
    }
    return err_set(err, ERR_USER,
                   "'?' stands before region, endpoint, path_style, timeout");
}

static int take_parameters(struct s3_url *url, char *query, struct err *err)
{
    unsigned seen = 0;
    char *rest = query;
    char *one;

    while ((one = strsep(&rest, "&")))
        if (take_parameter(url, one, &seen, err) < 0)
            return -1;
    if (!url->region)
        url->region = xstrdup("us-east-1");
    if (!url->endpoint)
        url->endpoint = xasprintf("https://s3.%s.amazonaws.com", url->region);
    else if (!(seen & 4U))
        url->path_style = true;
    /* No certificate for *.host is good for a name with dots. */
    if (!(seen & 4U) && strchr(url->bucket, '.'))
        url->path_style = true;
    return 0;
}

static int parse(const char *text, struct s3_url *url, struct err *err)
{
    CLEANUP(mem) char *copy = NULL;
    char *query, *path;

    if (strncmp(text, "s3://", 5) != 0)
        return err_set(err, ERR_USER, "it begins with s3://");
    copy = xstrdup(text + 5);
    query = strchr(copy, '?');
    if (query)
        *query++ = '\0';
    path = strchr(copy, '/');
    if (path)
        *path++ = '\0';
    if (check_bucket(copy, err) < 0)
        return -1;
    url->bucket = xstrdup(copy);
    url->timeout_ms = 20 * SECOND_MS;
    if (take_prefix(url, path ? path : "", err) < 0)
        return -1;
    return take_parameters(url, query, err);
}

/* The text is not quoted: who writes a key into it finds it in no log. */
int s3_url_parse(const char *text, struct s3_url *out_url, struct err *err)
{
    CLEANUP(s3_url) struct s3_url url = {0};

    if (parse(text, &url, err) < 0)
        return err_wrap(err, "s3://bucket/prefix?…");
    *out_url = url;
    url = (struct s3_url){0};
    return 0;
}

void s3_url_clear(struct s3_url *url)
{
    free(url->bucket);
    free(url->prefix);
    free(url->region);
    free(url->endpoint);
    *url = (struct s3_url){0};
}
