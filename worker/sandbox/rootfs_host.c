/* worker/sandbox/rootfs_host.c - what image `host` shows of the host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "worker/sandbox/mounts.h"
#include "worker/sandbox/rootfs.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX ((size_t)4 << 20)

/* Names at the top that are links into /usr, or directories of their own. */
static const char *const tops[] = {"bin",   "sbin",  "lib",
                                   "lib32", "lib64", "libx32"};

/* Of /etc: what programs need to start, to find their parts and to speak TLS;
 * nothing that tells of users, hosts, mounts or secrets. */
static const char *const etc_patterns[] = {
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "gai.conf",
    "gitconfig",
    "host.conf",
    "inputrc",
    "java-*",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "magic",
    "magic.mime",
    "mime.types",
    "npmrc",
    "os-release",
    "perl",
    "pip.conf",
    "profile",
    "protocols",
    "python*",
    "rpc",
    "services",
    "shells",
    "terminfo",
    "timezone",
};

/* Deeper ones, beside which private keys lie. */
static const char *const etc_paths[] = {
    "ssl/certs",           "ssl/openssl.cnf",
    "ssl/cert.pem",        "pki/ca-trust",
    "pki/tls/certs",       "pki/tls/cert.pem",
    "pki/tls/openssl.cnf", "crypto-policies/back-ends",
};

/* Places where npm keeps a machine's configuration. */
static const char *const usr_configs[] = {
    "usr/etc/npmrc",           "usr/local/etc/npmrc",
    "usr/etc/pip.conf",        "usr/lib/node_modules/npm/npmrc",
    "usr/etc/gitconfig",       "usr/local/lib/node_modules/npm/npmrc",
    "usr/local/etc/gitconfig", "usr/share/nodejs/npm/npmrc",
};

/* user:password@ before the next slash. */
static bool has_userinfo(const char *text)
{
    for (const char *p = text; (p = strstr(p, "://")); p += 3) {
        size_t len = strcspn(p + 3, "/ \t\r\n\"'");

        if (memchr(p + 3, '@', len))
            return true;
    }
    return false;
}

bool rootfs_holds_secret(const char *text)
{
    static const char *const words[] = {"_auth", "password", "token", "secret",
                                        "extraheader"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasestr(text, words[i]))
            return true;
    return has_userinfo(text);
}

/* Files that carry settings of registries and remotes carry tokens too. */
static bool may_hold_secret(const char *name)
{
    return strcmp(name, "npmrc") == 0 || strcmp(name, "pip.conf") == 0 ||
           strcmp(name, "gitconfig") == 0;
}

static int copy_file(const char *from, const char *to, bool careful,
                     struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(CONFIG_MAX);
    struct err ignored;

    if (file_read(from, CONFIG_MAX - 1, &text, &ignored) < 0)
        return 0; /* what we may not read is not shown */
    if (careful &&
        (strlen(text.data) != text.len || rootfs_holds_secret(text.data)))
        return 0;
    return file_write(to, text.data, text.len, 0644, err);
}

static int copy_link(const char *from, const char *to, struct err *err)
{
    char target[4096] = "";

    if (readlink(from, target, sizeof(target) - 1) < 0)
        return 0;
    if (symlink(target, to) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make '%s'", to);
    return 0;
}

/* A directory is bound, a file copied (a bind each would cost more), a link
 * made again. */
static int show(const char *skel, const char *path, bool careful,
                struct err *err)
{
    CLEANUP(mem) char *from = xasprintf("/%s", path);
    CLEANUP(mem) char *to = xasprintf("%s/%s", skel, path);
    struct stat st;

    if (lstat(from, &st) < 0)
        return 0;
    if (S_ISLNK(st.st_mode))
        return copy_link(from, to, err);
    if (S_ISREG(st.st_mode))
        return st.st_mode & S_IROTH ? copy_file(from, to, careful, err) : 0;
    if (!S_ISDIR(st.st_mode) || !(st.st_mode & S_IXOTH))
        return 0;
    if (dir_make(to, 0755, err) < 0)
        return -1;
    return mounts_bind(from, to, true, err);
}

static bool wanted(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(etc_patterns); i++)
        if (fnmatch(etc_patterns[i], name, 0) == 0)
            return true;
    return false;
}

static int add_etc(const char *skel, struct err *err)
{
    DIR *etc = opendir("/etc");
    struct dirent *entry;
    int rc = 0;

    while (etc && rc == 0 && (entry = readdir(etc))) {
        CLEANUP(mem) char *path = xasprintf("etc/%s", entry->d_name);

        if (wanted(entry->d_name))
            rc = show(skel, path, may_hold_secret(entry->d_name), err);
    }
    if (etc)
        (void)closedir(etc);
    return rc;
}

static int add_etc_paths(const char *skel, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(etc_paths); i++) {
        CLEANUP(mem) char *path = xasprintf("etc/%s", etc_paths[i]);
        CLEANUP(mem) char *from = xasprintf("/%s", path);
        CLEANUP(mem) char *parent = xasprintf("%s/%s", skel, path);

        if (access(from, F_OK) < 0)
            continue;
        *strrchr(parent, '/') = '\0';
        if (dir_make(parent, 0755, err) < 0 || show(skel, path, false, err) < 0)
            return -1;
    }
    return 0;
}

int rootfs_add_host(const char *skel, struct err *err)
{
    if (show(skel, "usr", false, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(tops); i++)
        if (show(skel, tops[i], false, err) < 0)
            return -1;
    if (add_etc(skel, err) < 0)
        return -1;
    return add_etc_paths(skel, err);
}

int rootfs_mask_secrets(const char *root, const char *empty, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(usr_configs); i++) {
        CLEANUP(mem) char *path = xasprintf("%s/%s", root, usr_configs[i]);
        CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(CONFIG_MAX);
        struct err ignored;

        if (access(path, F_OK) < 0)
            continue;
        /* What cannot be looked through is hidden too. */
        if (file_read(path, CONFIG_MAX - 1, &text, &ignored) == 0 &&
            !rootfs_holds_secret(text.data))
            continue;
        if (mounts_bind(empty, path, true, err) < 0)
            return -1;
    }
    return 0;
}
