/* worker/logs/needles.c - what has to be masked: the strings themselves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/needles.h"

#include "base/strbuf.h"
#include "worker/logs/forms.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MIN_DIGITS   6
#define MAX_KEYS     16 /* private keys in one value */
#define LOOK_BACK    64
#define KEY_HEAD_MAX 64 /* bytes between BEGIN and the end of its line */

/* A variable is secret whose name is one of these, or ends in _ and one. */
static const char *const secret_names[] = {
    "ACCESS_KEY",
    "APIKEY",
    "API_KEY",
    "AUTHTOKEN",
    "CONNECTION_STRING",
    "CREDENTIAL",
    "CREDENTIALS",
    "ENCRYPTION_KEY",
    "MYSQL_PWD",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PGPASSWORD",
    "PRIVATE_KEY",
    "SECRET",
    "SECRETS",
    "SECRET_KEY",
    "SECRET_KEY_BASE",
    "SIGNING_KEY",
    "SSH_KEY",
    "TOKEN",
};

/* Values that people give to variables with such names, in either case. */
static const char *const trivial_values[] = {
    "changeme", "default",   "disabled", "dummy",     "enabled",  "example",
    "false",    "localhost", "none",     "null",      "password", "secret",
    "test",     "token",     "true",     "undefined",
};

struct needle {
    char *data; /* owned */
    size_t len;
};

struct needles {
    struct needle *items; /* owned */
    size_t count, cap;
    size_t bytes;
    bool full; /* something was left out */
};

struct needles *needles_new(void)
{
    return xcalloc(1, sizeof(struct needles));
}

void needles_free(struct needles *needles)
{
    if (!needles)
        return;
    for (size_t i = 0; i < needles->count; i++) {
        mem_wipe(needles->items[i].data, needles->items[i].len);
        free(needles->items[i].data);
    }
    free(needles->items);
    free(needles);
}

size_t needles_count(const struct needles *needles)
{
    return needles->count;
}

const char *needles_get(const struct needles *needles, size_t i,
                        size_t *out_len)
{
    *out_len = needles->items[i].len;
    return needles->items[i].data;
}

/* ---- one needle ---------------------------------------------------------- */

/* Many forms of one value are the same, and come one behind the other. */
static bool is_repeated(const struct needles *needles, const char *data,
                        size_t len)
{
    size_t i = needles->count;

    for (size_t n = 0; i > 0 && n < LOOK_BACK; n++) {
        const struct needle *needle = &needles->items[--i];

        if (needle->len == len && memcmp(needle->data, data, len) == 0)
            return true;
    }
    return false;
}

static void add_one(struct needles *needles, const char *data, size_t len)
{
    if (is_repeated(needles, data, len))
        return;
    if (needles->count == NEEDLES_MAX_COUNT ||
        len > NEEDLES_MAX_BYTES - needles->bytes) {
        needles->full = true;
        return;
    }
    if (needles->count == needles->cap) {
        needles->cap = needles->cap ? needles->cap * 2 : 32;
        needles->items = xreallocarray(needles->items, needles->cap,
                                       sizeof(*needles->items));
    }
    needles->items[needles->count].data = xmemdup(data, len);
    needles->items[needles->count].len = len;
    needles->count++;
    needles->bytes += len;
}

/* The last piece reaches back, so that none is too short to be looked for. */
static void add_form(void *arg, const char *form, size_t len)
{
    size_t at = 0;

    if (len < NEEDLES_MIN_VALUE)
        return;
    for (; len - at > NEEDLES_MAX_LEN; at += NEEDLES_MAX_LEN)
        add_one(arg, form + at, NEEDLES_MAX_LEN);
    if (at && len - at < NEEDLES_MIN_LINE)
        at = len - NEEDLES_MIN_LINE;
    add_one(arg, form + at, len - at);
}

static void add_line(void *arg, const char *line, size_t len)
{
    if (len >= NEEDLES_MIN_LINE)
        add_form(arg, line, len);
}

/* ---- a value ------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **value, size_t *len)
{
    while (*len && is_space((*value)[*len - 1]))
        --*len;
    while (*len && is_space(**value)) {
        ++*value;
        --*len;
    }
}

static bool is_trivial(const char *value, size_t len)
{
    size_t same = 0, digits = 0;

    for (size_t i = 0; i < len; i++) {
        same += value[i] == value[0];
        digits += value[i] >= '0' && value[i] <= '9';
    }
    if (same == len || (digits == len && len < MIN_DIGITS))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(trivial_values); i++)
        if (strlen(trivial_values[i]) == len &&
            strncasecmp(trivial_values[i], value, len) == 0)
            return true;
    return false;
}

static void add_lines(struct needles *needles, const char *value, size_t len)
{
    const char *at = value, *end = value + len;

    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        const char *line = at;
        size_t size = (size_t)((feed ? feed : end) - at);

        at = feed ? feed + 1 : end;
        trim(&line, &size);
        if (size < NEEDLES_MIN_LINE || size == len ||
            strncmp(line, "-----", 5) == 0)
            continue;
        forms_of_line(line, size, add_form, needles);
    }
}

static void add_value(struct needles *needles, const char *value, size_t len)
{
    forms_of(value, len, add_form, needles);
    forms_wrapped(value, len, add_line, needles);
    add_lines(needles, value, len);
}

/* ---- private keys -------------------------------------------------------- */

/*
 * The key at or behind `*at`, up to the end of its END line; `*at` is moved
 * behind it. memmem() alone: a value need not be text.
 */
static bool next_key(const char **at, const char *end, const char **out_key,
                     size_t *out_len)
{
    static const char begin[] = "-----BEGIN ", tail[] = "PRIVATE KEY-----";
    static const char last[] = "-----END ";
    const char *key, *head, *foot;

    while ((key = memmem(*at, (size_t)(end - *at), begin, strlen(begin)))) {
        size_t room = (size_t)(end - key);

        *at = key + strlen(begin);
        head = memmem(key, room < KEY_HEAD_MAX ? room : KEY_HEAD_MAX, tail,
                      strlen(tail));
        if (!head)
            continue;
        foot = memmem(head, (size_t)(end - head), last, strlen(last));
        if (!foot)
            return false;
        head = memmem(foot, (size_t)(end - foot), tail, strlen(tail));
        *at = head ? head + strlen(tail) : end;
        *out_key = key;
        *out_len = (size_t)(*at - key);
        return true;
    }
    return false;
}

/* A key in a JSON document has \n where a file has line feeds. */
static void add_keys(struct needles *needles, const char *value, size_t len)
{
    const char *at = value, *key;
    size_t size;

    for (int i = 0; i < MAX_KEYS && next_key(&at, value + len, &key, &size);
         i++) {
        struct strbuf text = STRBUF_INIT;

        for (size_t j = 0; j < size; j++) {
            bool escaped = j + 1 < size && key[j] == '\\';

            if (escaped && key[j + 1] == 'n')
                strbuf_addc(&text, '\n');
            else if (!escaped || key[j + 1] != 'r')
                strbuf_addc(&text, key[j]);
            j += escaped && (key[j + 1] == 'n' || key[j + 1] == 'r');
        }
        if (text.len != len || memcmp(text.data, value, len) != 0)
            add_value(needles, text.data, text.len);
        mem_wipe(text.data, text.len);
        strbuf_clear(&text);
    }
}

bool needles_add(struct needles *needles, const char *value, size_t len)
{
    trim(&value, &len);
    if (len < NEEDLES_MIN_VALUE || is_trivial(value, len))
        return false;
    needles->full = len > NEEDLES_MAX_BYTES;
    if (needles->full)
        return false;
    add_value(needles, value, len);
    add_keys(needles, value, len);
    return !needles->full;
}

/* ---- variables ----------------------------------------------------------- */

bool needles_is_secret_name(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < ARRAY_LEN(secret_names); i++) {
        size_t size = strlen(secret_names[i]);

        if (len >= size &&
            strcasecmp(name + len - size, secret_names[i]) == 0 &&
            (len == size || name[len - size - 1] == '_'))
            return true;
    }
    return false;
}

bool needles_add_env(struct needles *needles, const char *name,
                     const char *value)
{
    return !*value || !needles_is_secret_name(name) ||
           needles_add(needles, value, strlen(value));
}
