/* cli/credential.c - user and password of a repository's address. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/credential.h"

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

/* %XX decoded. */
static char *unescape(const char *text)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    for (; *text; text++) {
        int high = *text == '%' ? hex_digit(text[1]) : -1;
        int low = high >= 0 ? hex_digit(text[2]) : -1;

        if (low >= 0)
            text += 2;
        strbuf_addc(&out, low >= 0 ? (char)(high * 16 + low) : *text);
    }
    return strbuf_take(&out);
}

/* scheme://user:password@host: all are NULL without "://" and "@". */
struct userinfo {
    const char *start, *end; /* of user:password */
    const char *colon;       /* NULL: a user alone */
};

/* As worker/checkout/url.c has it: what is in front of the first slash. */
static struct userinfo find_userinfo(const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *start = scheme ? scheme + 3 : url;
    const char *at = scheme ? memrchr(start, '@', strcspn(start, "/")) : NULL;

    if (!at)
        return (struct userinfo){NULL, NULL, NULL};
    return (struct userinfo){start, at,
                             memchr(start, ':', (size_t)(at - start))};
}

static bool is_http(const char *url)
{
    return strncasecmp(url, "http", 4) == 0;
}

/* Adds a part of the userinfo; -1 for bad escapes and what is not UTF-8. */
static int add_part(json_t *secrets, const char *key, const char *from,
                    const char *end)
{
    CLEANUP(mem) char *coded = xstrndup(from, (size_t)(end - from));
    CLEANUP(mem) char *plain = unescape(coded);
    bool good = true;
    int rc;

    for (const char *c = coded; *c; c++)
        good &= *c != '%' || (hex_digit(c[1]) >= 0 && hex_digit(c[2]) >= 0 &&
                              strncmp(c, "%00", 3) != 0);
    rc = json_object_set_new(secrets, key, json_string(plain));
    mem_wipe(plain, strlen(plain));
    mem_wipe(coded, strlen(coded));
    return good ? rc : -1;
}

/* user:password@host:path is none of git's, but people write it. */
static bool has_scp_password(const char *url)
{
    const char *colon = strchr(url, ':');
    const char *at = colon ? strchr(colon, '@') : NULL;

    return !strstr(url, "://") && *url != '/' && at && strchr(at, ':');
}

int credential_split(const char *url, char **out_url, json_t **out_secrets,
                     struct err *err)
{
    struct userinfo found = find_userinfo(url);
    const char *end = found.colon ? found.colon : found.end;
    json_t *secrets;

    if (has_scp_password(url) || (found.start && found.colon && !is_http(url)))
        return err_set(err, ERR_USER,
                       "a password has a place in http(s) addresses only");
    if (!found.start || !is_http(url)) {
        *out_url = xstrdup(url);
        *out_secrets = NULL;
        return 0;
    }
    secrets = json_object();
    if (add_part(secrets, "username", found.start, end) < 0 ||
        add_part(secrets, "password", found.colon ? found.colon + 1 : end,
                 found.end) < 0) {
        json_decref(secrets);
        return err_set(err, ERR_USER,
                       "the user in the repository's address is malformed");
    }
    *out_url =
        xasprintf("%.*s%s", (int)(found.start - url), url, found.end + 1);
    *out_secrets = secrets;
    return 0;
}
