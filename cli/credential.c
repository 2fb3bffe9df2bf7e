/* cli/credential.c - a repository URL's password, kept out of what we print. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/credential.h"

#include <stdlib.h>
#include <string.h>

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

struct credential *credential_of(const char *url)
{
    const char *start = strstr(url, "://");
    size_t authority = start ? strcspn(start + 3, "/?#") : 0;
    const char *at = start ? memrchr(start + 3, '@', authority) : NULL;
    struct credential *credential;
    const char *colon;
    char *userinfo;

    if (!at)
        return NULL;
    colon = memchr(start + 3, ':', (size_t)(at - start - 3));
    if (!colon && strncmp(url, "http", 4) != 0)
        return NULL;
    credential = xcalloc(1, sizeof(*credential));
    userinfo = xstrndup(start + 3, (size_t)(at - start - 3));
    strv_addf(&credential->secrets, "://%s@", userinfo);
    add_secret(&credential->secrets, userinfo);
    if (colon)
        add_secret(&credential->secrets, userinfo + (colon - start - 3) + 1);
    mem_wipe(userinfo, strlen(userinfo));
    free(userinfo);
    return credential;
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
