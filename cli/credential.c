/* cli/credential.c - a repository URL's password, kept out of what we print. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/credential.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MIN_SECRET 4  /* shorter ones would hide half of every text */
#define MAX_DEPTH  16 /* of a document that is masked */

struct credential {
    struct strv secrets; /* the longest first */
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

/* %XX decoded: programs print both. */
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

static void add_secret(struct strv *secrets, const char *secret)
{
    CLEANUP(mem) char *plain = unescape(secret);

    if (strlen(secret) < MIN_SECRET)
        return;
    strv_add(secrets, secret);
    if (strcmp(plain, secret) != 0 && strlen(plain) >= MIN_SECRET)
        strv_add(secrets, plain);
    mem_wipe(plain, strlen(plain));
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

struct credential *credential_of(const char *url)
{
    struct userinfo found = find_userinfo(url);
    struct credential *credential;
    char *userinfo;

    if (!found.start || (!found.colon && !is_http(url)))
        return NULL;
    credential = xcalloc(1, sizeof(*credential));
    userinfo = xstrndup(found.start, (size_t)(found.end - found.start));
    strv_addf(&credential->secrets, "://%s@", userinfo);
    add_secret(&credential->secrets, userinfo);
    if (found.colon)
        add_secret(&credential->secrets,
                   userinfo + (found.colon - found.start) + 1);
    mem_wipe(userinfo, strlen(userinfo));
    free(userinfo);
    return credential;
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

void credential_free(struct credential *credential)
{
    if (!credential)
        return;
    for (size_t i = 0; i < credential->secrets.count; i++)
        mem_wipe(credential->secrets.items[i],
                 strlen(credential->secrets.items[i]));
    strv_clear(&credential->secrets);
    free(credential);
}

/* The secret that stands at `text`, or NULL. */
static const char *secret_at(const struct credential *credential,
                             const char *text, size_t len)
{
    for (size_t i = 0; i < credential->secrets.count; i++) {
        const char *secret = credential->secrets.items[i];
        size_t size = strlen(secret);

        if (size <= len && !memcmp(secret, text, size))
            return secret;
    }
    return NULL;
}

void credential_mask(const struct credential *credential, const char *text,
                     size_t len, struct strbuf *out)
{
    size_t at = 0;

    while (credential && at < len) {
        const char *secret = secret_at(credential, text + at, len - at);

        if (!secret)
            strbuf_addc(out, text[at]);
        else
            strbuf_adds(out, *secret == ':' ? "://***@" : "***");
        at += secret ? strlen(secret) : 1;
    }
    strbuf_add(out, text + at, len - at);
}

static void mask_json(const struct credential *credential, json_t *json,
                      unsigned depth)
{
    const char *key;
    json_t *value;
    void *next;
    size_t i;

    if (depth == MAX_DEPTH)
        return;
    if (json_is_string(json)) {
        CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

        credential_mask(credential, json_string_value(json),
                        json_string_length(json), &text);
        (void)json_string_setn(json, text.data, text.len);
    }
    json_object_foreach_safe(json, next, key, value)
        mask_json(credential, value, depth + 1);
    json_array_foreach(json, i, value) mask_json(credential, value, depth + 1);
}

void credential_mask_json(const struct credential *credential, json_t *json)
{
    if (credential)
        mask_json(credential, json, 0);
}
