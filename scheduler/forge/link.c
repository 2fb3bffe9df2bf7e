/* scheduler/forge/link.c - the next page of a list, by RFC 8288. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/link.h"

#include "base/header.h"
#include "scheduler/forge/url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS    " \t"
#define TOKEN_END " \t=;,\"<>"

struct piece {
    const char *text; /* borrowed */
    size_t len;
};

static bool is_word(const struct piece *piece, const char *word)
{
    return piece->len == strlen(word) &&
           strncasecmp(piece->text, word, piece->len) == 0;
}

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, BLANKS);
}

/* A token, or a quoted string without its quotes; NULL where that is open. */
static const char *read_value(const char *s, struct piece *out)
{
    if (*s != '"') {
        *out = (struct piece){s, strcspn(s, TOKEN_END)};
        return s + out->len;
    }
    out->text = ++s;
    for (; *s && *s != '"'; s++)
        if (*s == '\\' && s[1])
            s++;
    out->len = (size_t)(s - out->text);
    return *s ? s + 1 : NULL;
}

/* "next", or a list of relations with it. */
static bool has_next(const struct piece *value)
{
    const char *s = value->text, *end = s + value->len;

    while (s < end) {
        struct piece word = {s, 0};

        while (s < end && *s != ' ' && *s != '\t')
            s++;
        word.len = (size_t)(s - word.text);
        if (is_word(&word, "next"))
            return true;
        while (s < end && (*s == ' ' || *s == '\t'))
            s++;
    }
    return false;
}

/* `;name=value…` up to the comma; NULL when that is not how it goes on. Only
   the first rel counts (RFC 8288, 3.3). */
static const char *read_params(const char *s, bool *is_next)
{
    bool seen = false;

    *is_next = false;
    for (s = skip_blanks(s); *s == ';'; s = skip_blanks(s)) {
        struct piece name = {"", 0}, value = {"", 0};

        s = skip_blanks(s + 1);
        name = (struct piece){s, strcspn(s, TOKEN_END)};
        s = skip_blanks(s + name.len);
        if (*s == '=') {
            s = read_value(skip_blanks(s + 1), &value);
            if (!s)
                return NULL;
        }
        if (is_word(&name, "rel") && !seen) {
            seen = true;
            *is_next = has_next(&value);
        }
    }
    return *s && *s != ',' ? NULL : s;
}

/* The address with rel=next in one header; its `len` is 0 without. */
static int find_next(const char *s, struct piece *out)
{
    for (s += strspn(s, BLANKS ","); *s; s += strspn(s, BLANKS ",")) {
        struct piece target = {"", 0};
        bool is_next = false;

        if (*s != '<')
            return -1;
        target = (struct piece){s + 1, strcspn(s + 1, ">")};
        if (!target.text[target.len])
            return -1;
        s = read_params(target.text + target.len + 1, &is_next);
        if (!s)
            return -1;
        if (is_next && target.len) {
            *out = target;
            return 0;
        }
    }
    return 0;
}

/* ---- where it leads ------------------------------------------------------
 */

/* What an address has: no blanks, no controls, nothing beyond ASCII. */
static bool is_address(const struct piece *piece)
{
    for (size_t i = 0; i < piece->len; i++)
        if (piece->text[i] <= ' ' || piece->text[i] > '~' ||
            piece->text[i] == '\\')
            return false;
    return piece->len > 0;
}

static int resolve(const struct piece *piece, const char *url, char **out_next,
                   struct err *err)
{
    CLEANUP(mem) char *next = xstrndup(piece->text, piece->len);
    size_t origin = url_origin_len(url);

    if (!is_address(piece))
        return err_set(err, ERR_USER,
                       "the link to the next page is no "
                       "address");
    if (*next == '/' && next[1] != '/') {
        *out_next = xasprintf("%.*s%s", (int)origin, url, next);
        return 0;
    }
    if (!origin || url_origin_len(next) != origin ||
        strncasecmp(next, url, origin) != 0)
        return err_set(err, ERR_USER,
                       "the link to the next page leads to another host");
    *out_next = STEAL(next);
    return 0;
}

int link_next(const struct strv *headers, const char *url, char **out_next,
              struct err *err)
{
    struct piece found = {"", 0};

    for (size_t i = 0; i < headers->count && !found.len; i++) {
        const struct strv one = {&headers->items[i], 1};
        const char *value = header_find(&one, "Link");

        if (!value)
            continue;
        if (strlen(value) > LINK_MAX_BYTES)
            return err_set(err, ERR_USER, "the Link header is too long");
        if (find_next(value, &found) < 0)
            return err_set(err, ERR_USER, "the Link header is malformed");
    }
    if (!found.len) {
        *out_next = NULL;
        return 0;
    }
    return resolve(&found, url, out_next, err);
}
