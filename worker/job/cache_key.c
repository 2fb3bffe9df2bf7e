/* worker/job/cache_key.c - names of `cache:` keys in the store. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/cache_key.h"

#include "base/sha256.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "worker/sandbox/hostenv.h"

#include <string.h>

#define PATHS_DIGITS 16
#define NAME_MAX_    180 /* of 200 */
#define HEAD_BYTES   100 /* of a name that is longer */

const char *cache_key_problem(const char *key)
{
    size_t len = strlen(key);
    size_t n;
    uint32_t c;

    if (!key[strspn(key, " ")])
        return "it is empty";
    if (len > CACHE_KEY_MAX)
        return "it has more than 1024 bytes";
    for (const char *s = key; *s; s += n) {
        n = utf8_decode(s, len - (size_t)(s - key), &c);
        if (!n || utf8_is_control(c))
            return "it is not one line of UTF-8";
    }
    return NULL;
}

static void add_paths(struct strbuf *out, const struct strv *paths)
{
    char hex[SHA256_HEX_SIZE];
    struct sha256 sum;

    sha256_init(&sum);
    for (size_t i = 0; i < paths->count; i++)
        sha256_add(&sum, paths->items[i], strlen(paths->items[i]) + 1);
    sha256_end_hex(&sum, hex);
    strbuf_addf(out, "%.*s-", PATHS_DIGITS, hex);
}

/* An underscore is never there but in front of two digits. */
static void add_escaped(struct strbuf *out, const char *key)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

    for (; *key; key++) {
        if (strchr(plain, *key))
            strbuf_addc(out, *key);
        else
            strbuf_addf(out, "_%02X", (unsigned)(unsigned char)*key);
    }
}

char *cache_key_name(const struct strv *paths, const char *key)
{
    struct strbuf name = STRBUF_INIT;
    char hex[SHA256_HEX_SIZE];
    struct sha256 sum;

    add_paths(&name, paths);
    add_escaped(&name, key);
    if (name.len > NAME_MAX_) {
        sha256_init(&sum);
        sha256_add(&sum, key, strlen(key));
        sha256_end_hex(&sum, hex);
        strbuf_cut(&name, HEAD_BYTES);
        strbuf_addf(&name, "__%s", hex);
    }
    return strbuf_take(&name);
}

char *cache_key_prefix(const struct strv *paths, const char *prefix)
{
    struct strbuf name = STRBUF_INIT;

    add_paths(&name, paths);
    add_escaped(&name, prefix);
    strbuf_cut(&name, HEAD_BYTES);
    return strbuf_take(&name);
}

char *cache_key_inside(const char *path)
{
    return *path == '~' ? xasprintf("%s%s", SANDBOX_HOME, path + 1)
                        : xasprintf("%s/%s", SANDBOX_WORKSPACE, path);
}
