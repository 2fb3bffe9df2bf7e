/* worker/checkout/mirror.c - a repository's objects, kept on this host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/mirror.h"

#include "base/clock.h"
#include "base/fd.h"
#include "worker/checkout/giterr.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MARKER     "berth-mirror"
#define LOCK       "berth.lock"
#define OLD_PREFIX "old."
#define OLD_KEEP_S 86400LL
/* What a lock's wait leaves of the time-out, to say who holds it. */
#define LOCK_MARGIN_MS 2000

struct mirror {
    const struct request *request; /* borrowed */
    char *path;                    /* owned */
    char *objects;                 /* owned */
    git_repository *repo;          /* owned */
    git_odb *odb;                  /* owned */
    int lock;                      /* -1: not held */
};

void mirror_free(struct mirror *mirror)
{
    if (!mirror)
        return;
    git_odb_free(mirror->odb);
    git_repository_free(mirror->repo);
    mirror_unlock(mirror);
    free(mirror->path);
    free(mirror->objects);
    free(mirror);
}

git_repository *mirror_repository(const struct mirror *mirror)
{
    return mirror->repo;
}

git_odb *mirror_odb(const struct mirror *mirror)
{
    return mirror->odb;
}

const char *mirror_objects(const struct mirror *mirror)
{
    return mirror->objects;
}

static char *inside(const struct mirror *mirror, const char *name)
{
    return xasprintf("%s/%s", mirror->path, name);
}

/* ---- the lock ------------------------------------------------------------ */

static char *holder(const char *lock_path)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err ignored;

    if (file_read(lock_path, 200, &text, &ignored) < 0 || !text.len)
        return xstrdup("another process");
    return strbuf_take(&text);
}

static void sign_lock(const struct mirror *mirror)
{
    char stamp[CLOCK_STAMP_SIZE];

    if (ftruncate(mirror->lock, 0) == 0)
        (void)dprintf(mirror->lock, "process %d since %s", (int)getpid(),
                      clock_stamp(clock_wall_ms(), stamp));
}

/* Remove the entries of a directory for which `stale` is true. */
static void sweep(const char *dir_path, bool (*stale)(const char *name))
{
    DIR *dir = opendir(dir_path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        CLEANUP(mem) char *path = xasprintf("%s/%s", dir_path, entry->d_name);
        struct err ignored;

        if (stale(entry->d_name) && tree_remove(path, &ignored) < 0)
            continue; /* the next fetch tries again */
    }
    if (dir)
        (void)closedir(dir);
}

/* libgit2's temporary packs, of a fetch that was killed. */
static bool stale_pack(const char *name)
{
    return strstr(name, "_git2_");
}

static bool stale_top(const char *name)
{
    if (strncmp(name, OLD_PREFIX, strlen(OLD_PREFIX)) == 0)
        return strtoll(name + strlen(OLD_PREFIX), NULL, 10) + OLD_KEEP_S <
               (long long)time(NULL);
    return strstr(name, ".tmp."); /* file_write's */
}

int mirror_lock(struct mirror *mirror, struct err *err)
{
    CLEANUP(mem) char *path = inside(mirror, LOCK);
    CLEANUP(mem) char *packs = xasprintf("%s/pack", mirror->objects);
    int64_t wait = mirror->request->timeout_ms - LOCK_MARGIN_MS;

    if (mirror->lock >= 0)
        return 0;
    if (file_lock(path, wait > 0 ? wait : 0, &mirror->lock, err) < 0) {
        CLEANUP(mem) char *who = holder(path);

        mirror->lock = -1;
        if (err->kind == ERR_TIMEOUT)
            return err_set(err, ERR_TRANSIENT,
                           "mirror '%s' is still being fetched into by %s; "
                           "waited %lld s for it",
                           mirror->path, who, (long long)wait / 1000);
        return -1;
    }
    sign_lock(mirror);
    sweep(packs, stale_pack);
    sweep(mirror->path, stale_top);
    return 0;
}

void mirror_unlock(struct mirror *mirror)
{
    if (mirror->lock >= 0 && ftruncate(mirror->lock, 0) < 0)
        (void)errno; /* the signature is for people only */
    fd_close(&mirror->lock);
}

/* ---- making and opening -------------------------------------------------- */

static char *marker_text(const struct mirror *mirror)
{
    const char *credential = mirror->request->credential;

    return xasprintf("berth mirror 1\n%s\n%s%s%s", mirror->request->url,
                     *credential ? "credential " : "", credential,
                     *credential ? "\n" : "");
}

/*
 * 1: whole and ours; 0: missing or half-made; -1: another repository's, or
 * fetched with a credential that this request does not have.
 */
static int check_marker(const struct mirror *mirror, struct err *err)
{
    CLEANUP(mem) char *path = inside(mirror, MARKER);
    CLEANUP(mem) char *wanted = marker_text(mirror);
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err ignored;

    if (file_read(path, 8192, &text, &ignored) < 0 || !text.len)
        return 0;
    /* A submodule's objects lie in the mirror of the repository it is in. */
    if (strcmp(mirror->request->prefix, "refs/") == 0 &&
        strcmp(text.data, wanted) != 0)
        return err_set(err, ERR_USER,
                       "mirror '%s' is another repository's, or of another "
                       "credential, not this one's of '%s': use another "
                       "directory",
                       mirror->path, mirror->request->url);
    return 1;
}

static int put_aside(const struct mirror *mirror, struct err *err)
{
    CLEANUP(mem)
    char *old = xasprintf("%s/" OLD_PREFIX "%lld.%d", mirror->path,
                          (long long)time(NULL), (int)getpid());

    if (rename(mirror->objects, old) < 0 && errno != ENOENT)
        return err_sys(err, ERR_TRANSIENT, "cannot move '%s'", mirror->objects);
    return 0;
}

static bool not_kept(const char *name)
{
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strcmp(name, LOCK) != 0 &&
           strncmp(name, OLD_PREFIX, strlen(OLD_PREFIX)) != 0;
}

static int write_name(const struct mirror *mirror, const char *name,
                      const char *text, struct err *err)
{
    CLEANUP(mem) char *path = inside(mirror, name);

    return file_write(path, text, strlen(text), 0644, err);
}

static int make(struct mirror *mirror, struct err *err)
{
    static const char *const dirs[] = {"objects/info", "objects/pack",
                                       "refs/heads", "refs/tags"};
    static const char config[] = "[core]\n"
                                 "\trepositoryformatversion = 0\n"
                                 "\tfilemode = true\n"
                                 "\tbare = true\n"
                                 "[gc]\n\tauto = 0\n";
    CLEANUP(mem) char *marker = marker_text(mirror);

    if (put_aside(mirror, err) < 0)
        return -1;
    sweep(mirror->path, not_kept);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        CLEANUP(mem) char *dir = inside(mirror, dirs[i]);

        if (dir_make(dir, 0755, err) < 0)
            return -1;
    }
    if (write_name(mirror, "config", config, err) < 0 ||
        write_name(mirror, "HEAD", "ref: refs/heads/main\n", err) < 0)
        return -1;
    return write_name(mirror, MARKER, marker, err);
}

/* Under the lock: who waited for it finds the work done. */
static int make_locked(struct mirror *mirror, struct err *err)
{
    int whole;

    if (mirror_lock(mirror, err) < 0)
        return -1;
    whole = check_marker(mirror, err);
    if (whole < 0 || (whole == 0 && make(mirror, err) < 0))
        return -1;
    mirror_unlock(mirror);
    return 0;
}

int mirror_open(const struct request *request, struct mirror **out_mirror,
                struct err *err)
{
    CLEANUP(mirror) struct mirror *mirror = xcalloc(1, sizeof(*mirror));
    int whole;

    mirror->request = request;
    mirror->lock = -1;
    mirror->path = xstrdup(request->mirror);
    mirror->objects = inside(mirror, "objects");
    whole = check_marker(mirror, err);
    if (whole < 0 || (whole == 0 && make_locked(mirror, err) < 0))
        return -1;
    if (git_repository_open_bare(&mirror->repo, mirror->path) < 0 ||
        git_repository_odb(&mirror->odb, mirror->repo) < 0) {
        mirror_condemn(mirror);
        return giterr_set(err, ERR_TRANSIENT, "cannot open mirror '%s'",
                          mirror->path);
    }
    *out_mirror = STEAL(mirror);
    return 0;
}

bool mirror_has(const struct mirror *mirror, const char *oid_hex)
{
    git_oid oid;

    return git_oid_fromstr(&oid, oid_hex) == 0 &&
           git_odb_exists(mirror->odb, &oid);
}

/* ---- references ---------------------------------------------------------- */

int mirror_refs(const struct mirror *mirror, struct refs *out_refs,
                struct err *err)
{
    CLEANUP(mem) char *path = inside(mirror, "packed-refs");

    return refs_load(out_refs, path, err);
}

int mirror_set_refs(struct mirror *mirror, struct refs *refs, struct err *err)
{
    CLEANUP(mem) char *path = inside(mirror, "packed-refs");

    return refs_save(refs, path, err);
}

char *mirror_head(const struct mirror *mirror)
{
    static const char start[] = "ref: refs/heads/";
    CLEANUP(mem) char *path = inside(mirror, "HEAD");
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err ignored;

    if (file_read(path, 4096, &text, &ignored) < 0 ||
        strncmp(text.data, start, strlen(start)) != 0)
        return xstrdup("");
    text.data[strcspn(text.data, "\n")] = '\0';
    return xstrdup(text.data + strlen(start));
}

int mirror_set_head(struct mirror *mirror, const char *branch, struct err *err)
{
    CLEANUP(mem)
    char *text = *branch ? xasprintf("ref: refs/heads/%s\n", branch)
                         : xstrdup("ref: refs/berth/none\n");

    return write_name(mirror, "HEAD", text, err);
}

void mirror_condemn(struct mirror *mirror)
{
    CLEANUP(mem) char *path = inside(mirror, MARKER);

    (void)unlink(path);
}
