/* worker/secrets/store.c - what a worker has for the steps that name it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/secrets/store.h"

#include "base/fd.h"
#include "base/glob.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64

struct secret_store {
    char *dir, *credentials_dir, *env_prefix; /* owned; or NULL */
    struct strv allow, env;                   /* env: NAME=value; wiped */
};

bool secret_name_ok(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

    return len && !name[len] && len <= NAME_MAX_BYTES &&
           !strchr("0123456789", *name);
}

void secret_free_value(char *value)
{
    if (value)
        mem_wipe(value, strlen(value));
    free(value);
}

/* ---- the environment ------------------------------------------------------
 */

/* What environ points to is what /proc/…/environ shows. */
static void take_env(struct secret_store *store)
{
    size_t prefix = strlen(store->env_prefix);
    CLEANUP(strv) struct strv names = {0};

    for (char **entry = environ; entry && *entry; entry++) {
        size_t len = strcspn(*entry, "=");
        CLEANUP(mem) char *name = NULL;
        char *value = *entry + len + 1;

        if (strncmp(*entry, store->env_prefix, prefix) != 0 || len < prefix ||
            !(*entry)[len])
            continue;
        name = xstrndup(*entry + prefix, len - prefix);
        if (!secret_name_ok(name))
            continue;
        strv_addf(&store->env, "%s=%s", name, value);
        mem_wipe(value, strlen(value));
        strv_addf(&names, "%s%s", store->env_prefix, name);
    }
    for (size_t i = 0; i < names.count; i++)
        (void)unsetenv(names.items[i]);
}

static char *copy(const char *text)
{
    return text && *text ? xstrdup(text) : NULL;
}

struct secret_store *
secret_store_new(const struct secret_store_options *options)
{
    struct secret_store *store = xcalloc(1, sizeof(*store));

    store->dir = copy(options->dir);
    store->credentials_dir = copy(options->credentials_dir);
    store->env_prefix = copy(options->env_prefix);
    for (size_t i = 0; options->allow && i < options->allow->count; i++)
        strv_add(&store->allow, options->allow->items[i]);
    if (store->env_prefix)
        take_env(store);
    return store;
}

void secret_store_free(struct secret_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->env.count; i++)
        mem_wipe(store->env.items[i], strlen(store->env.items[i]));
    strv_clear(&store->env);
    strv_clear(&store->allow);
    free(store->dir);
    free(store->credentials_dir);
    free(store->env_prefix);
    free(store);
}

/* ---- files ----------------------------------------------------------------
 */

static int check_owner(const struct stat *st, const char *path, struct err *err)
{
    if (st->st_uid == 0 || st->st_uid == geteuid())
        return 0;
    return err_set(err, ERR_USER,
                   "'%s' belongs to the user %u, who is neither root nor the "
                   "worker's",
                   path, (unsigned)st->st_uid);
}

static int check_dir(int fd, const char *path, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, ERR_USER, "cannot look at '%s'", path);
    if (st.st_mode & 0022)
        return err_set(err, ERR_USER,
                       "'%s' may be written by others: chmod go-w", path);
    return check_owner(&st, path, err);
}

static int check_file(int fd, const char *path, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, ERR_USER, "cannot look at '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_USER, "'%s' is no regular file", path);
    if (st.st_mode & 0027)
        return err_set(err, ERR_USER,
                       "'%s' may be read or written by others: chmod 600",
                       path);
    if ((uint64_t)st.st_size > SECRET_MAX_BYTES)
        return err_set(err, ERR_USER, "'%s' is larger than %zu KiB", path,
                       SECRET_MAX_BYTES >> 10);
    return check_owner(&st, path, err);
}

static int check_text(const char *text, size_t len, const char *path,
                      struct err *err)
{
    uint32_t c;

    if (!len)
        return err_set(err, ERR_USER, "'%s' is empty", path);
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_decode(text + i, len - i, &c);
        if (!n || !c)
            return err_set(err, ERR_USER,
                           "'%s' is not text in UTF-8: put base64 of it there",
                           path);
    }
    return 0;
}

/* The value, or NULL with `err`. */
static char *read_value(int fd, const char *path, struct err *err)
{
    char *text = xcalloc(1, SECRET_MAX_BYTES + 2);
    size_t len = 0;
    ssize_t n = 0;
    int rc = 0;

    while (len <= SECRET_MAX_BYTES &&
           (n = read(fd, text + len, SECRET_MAX_BYTES + 1 - len)) > 0)
        len += (size_t)n;
    if (n < 0)
        rc = err_sys(err, ERR_USER, "cannot read '%s'", path);
    else if (len > SECRET_MAX_BYTES)
        rc = err_set(err, ERR_USER, "'%s' grew too large", path);
    else
        rc = check_text(text, len, path, err);
    if (rc == 0)
        return text;
    mem_wipe(text, len);
    free(text);
    return NULL;
}

static bool is_absent(int error)
{
    return error == ENOENT || error == ENOTDIR;
}

/* Down one part of `below`; -2: there is none. */
static int descend(int dir, const char *part, const char *path, struct err *err)
{
    int fd = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && is_absent(errno))
        return -2;
    if (fd < 0)
        return err_sys(err, ERR_USER, "cannot open '%s'", path);
    if (check_dir(fd, path, err) == 0)
        return fd;
    fd_close(&fd);
    return -1;
}

static int open_below(const char *top, const char *below, struct err *err)
{
    CLEANUP(mem) char *parts = xstrdup(below);
    CLEANUP(strbuf) struct strbuf path = STRBUF_INIT;
    char *rest = parts, *part;
    /* The one that is configured may be a link. */
    int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return is_absent(errno)
                   ? -2
                   : err_sys(err, ERR_USER, "cannot open '%s'", top);
    strbuf_adds(&path, top);
    if (check_dir(dir, top, err) < 0) {
        fd_close(&dir);
        return -1;
    }
    while ((part = strsep(&rest, "/"))) {
        int next;

        if (!*part)
            continue;
        strbuf_addf(&path, "/%s", part);
        next = descend(dir, part, path.data, err);
        fd_close(&dir);
        dir = next;
        if (dir < 0)
            return dir;
    }
    return dir;
}

/* TOP/BELOW/NAME: 1 and its value, 0: there is none, or -1. */
static int get_file(const char *top, const char *below, const char *name,
                    char **out_value, struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("%s%s%s/%s", top, *below ? "/" : "", below, name);
    int dir = open_below(top, below, err);
    CLEANUP(fd) int fd = -1;

    if (dir < 0)
        return dir == -2 ? 0 : -1;
    fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    fd_close(&dir);
    if (fd < 0 && is_absent(errno))
        return 0;
    if (fd < 0)
        return err_sys(err, ERR_USER, "cannot open '%s'%s", path,
                       errno == ELOOP ? ", a symbolic link" : "");
    if (check_file(fd, path, err) < 0)
        return -1;
    *out_value = read_value(fd, path, err);
    return *out_value ? 1 : -1;
}

/* ---- looking --------------------------------------------------------------
 */

static bool is_allowed(const struct secret_store *store, const char *repository)
{
    for (size_t i = 0; i < store->allow.count; i++)
        if (glob_match(store->allow.items[i], repository))
            return true;
    return false;
}

static int get_shared(const struct secret_store *store, const char *name,
                      char **out_value, struct err *err)
{
    const char *value = strv_getenv(&store->env, name);
    int rc = 0;

    if (store->dir)
        rc = get_file(store->dir, "", name, out_value, err);
    if (rc == 0 && store->credentials_dir)
        rc = get_file(store->credentials_dir, "", name, out_value, err);
    if (rc == 0 && value && *value) {
        if (strlen(value) > SECRET_MAX_BYTES)
            return err_set(err, ERR_USER, "$%s%s is larger than %zu KiB",
                           store->env_prefix, name, SECRET_MAX_BYTES >> 10);
        if (check_text(value, strlen(value), name, err) < 0)
            return -1;
        *out_value = xstrdup(value);
        rc = 1;
    }
    return rc;
}

static int say_missing(const struct secret_store *store, const char *repository,
                       const char *name, struct err *err)
{
    bool allowed = is_allowed(store, repository);
    CLEANUP(strbuf) struct strbuf where = STRBUF_MAX(800);

    if (store->dir)
        strbuf_addf(&where, "%s/%s/", store->dir, repository);
    if (store->dir && allowed)
        strbuf_addf(&where, ", %s/", store->dir);
    if (store->credentials_dir && allowed)
        strbuf_adds(&where, ", systemd's credentials");
    if (store->env_prefix && allowed)
        strbuf_addf(&where, ", $%s%s", store->env_prefix, name);
    if (!where.len)
        return err_set(err, ERR_USER,
                       "this worker has no secret '%s' for the repository: "
                       "set secrets.dir in its configuration",
                       name);
    return err_set(err, ERR_USER,
                   "there is no secret '%s' for the repository; looked in "
                   "%s%s",
                   name, where.data + (*where.data == ',' ? 2 : 0),
                   allowed ? "" : " (what repositories share: secrets.allow)");
}

int secret_store_get(const struct secret_store *store, const char *repository,
                     const char *name, char **out_value, struct err *err)
{
    int rc = 0;

    if (!secret_name_ok(name))
        return err_set(err, ERR_USER, "this is no name of a secret");
    if (store->dir)
        rc = get_file(store->dir, repository, name, out_value, err);
    if (rc == 0 && is_allowed(store, repository))
        rc = get_shared(store, name, out_value, err);
    if (rc < 0)
        return err_wrap(err, "the secret '%s'", name);
    return rc ? 0 : say_missing(store, repository, name, err);
}
