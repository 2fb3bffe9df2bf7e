/* worker/secrets/repository.c - what a repository is called in the store. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "worker/secrets/store.h"

#include <string.h>
#include <strings.h>

#define ADDRESS_MAX 2000

/* How an address begins, and how its name does. */
static const struct {
    const char *scheme, *prefix;
    bool host;
} schemes[] = {
    {"https://", "", true},      {"ssh://", "", true},
    {"git+ssh://", "", true},    {"ssh+git://", "", true},
    {"http://", "http+/", true}, {"file://", "file+", false},
};

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           strchr(".-_:[]", c);
}

static int add_host(const char *host, size_t len, struct strbuf *out,
                    struct err *err)
{
    const char *at = memrchr(host, '@', len);

    if (at) {
        len -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    for (size_t i = 0; i < len; i++) {
        char c = host[i];

        c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (!is_host_char(c) || (!i && (c == '.' || c == '-')))
            return err_set(err, ERR_USER, "its host is no name of one");
        strbuf_addc(out, c);
    }
    return len ? 0 : err_set(err, ERR_USER, "it has no host");
}

/* Nothing that leads elsewhere, or means something to somebody else. */
static bool is_part(const char *part, size_t len)
{
    if (!len || len > 255 || (len <= 2 && strncmp(part, "..", len) == 0))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)part[i] <= ' ' || part[i] == 0x7f ||
            strchr("%?#\\", part[i]))
            return false;
    return true;
}

static int add_path(const char *path, struct strbuf *out, struct err *err)
{
    size_t len = strlen(path);

    while (len && path[len - 1] == '/')
        len--;
    if (len > 4 && strncmp(path + len - 4, ".git", 4) == 0 &&
        path[len - 5] != '/')
        len -= 4;
    while (len && *path == '/') {
        path++;
        len--;
    }
    if (!len)
        return err_set(err, ERR_USER, "it has no path");
    while (len) {
        const char *slash = memchr(path, '/', len);
        size_t part = slash ? (size_t)(slash - path) : len;

        if (!is_part(path, part))
            return err_set(err, ERR_USER, "its path is none for a store");
        strbuf_addf(out, "/%.*s", (int)part, path);
        part += slash ? 1 : 0;
        path += part;
        len -= part;
    }
    return 0;
}

static int name_it(const char *address, struct strbuf *out, struct err *err)
{
    const char *colon = strchr(address, ':');

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t size = strlen(schemes[i].scheme);
        size_t host =
            strcspn(address + (strlen(address) < size ? 0 : size), "/");

        if (strncasecmp(address, schemes[i].scheme, size) != 0)
            continue;
        strbuf_adds(out, schemes[i].prefix);
        if (schemes[i].host && add_host(address + size, host, out, err) < 0)
            return -1;
        return add_path(address + size + (schemes[i].host ? host : 0), out,
                        err);
    }
    if (*address == '/') {
        strbuf_adds(out, "file+");
        return add_path(address, out, err);
    }
    /* user@host:path, as ssh has it. */
    if (!colon || strstr(address, "://") ||
        memchr(address, '/', (size_t)(colon - address)))
        return err_set(err, ERR_USER, "it is of no kind that is known");
    if (add_host(address, (size_t)(colon - address), out, err) < 0)
        return -1;
    return add_path(colon + 1, out, err);
}

char *secret_repository(const char *address, struct err *err)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_MAX(ADDRESS_MAX);

    if (!*address) {
        (void)err_set(err, ERR_USER, "the job has no repository");
        return NULL;
    }
    if (name_it(address, &out, err) < 0) {
        (void)err_wrap(err, "the repository has no place in a store of "
                            "secrets");
        return NULL;
    }
    if (out.truncated) {
        (void)err_set(err, ERR_USER, "the repository's address is too long");
        return NULL;
    }
    return strbuf_take(&out);
}
