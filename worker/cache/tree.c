/* worker/cache/tree.c - trees of commits, kept to be mounted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/tree.h"

#include "base/fd.h"
#include "worker/cache/boot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KIND   "trees"
#define FORMAT 1 /* another one is another's: a miss */

/* The first letter of a key. */
enum { WHOLE = 'f', WITH_SUBMODULES = 's', DELTA = 'd' };

void tree_snapshot_release(struct tree_snapshot *snapshot)
{
    cache_entry_release(&snapshot->own);
    cache_entry_release(&snapshot->base);
}

/* FNV-1a: only to tell names apart; `meta` is compared. */
static uint64_t hash(uint64_t h, const char *s)
{
    do
        h = (h ^ (unsigned char)*s) * 0x100000001b3U;
    while (*s++);
    return h;
}

static char *key_of(const struct tree_wish *wish, int letter)
{
    uint64_t h = 0xcbf29ce484222325U;

    h = hash(h, wish->ref);
    h = hash(h, wish->base);
    h = hash(h, wish->refs);
    h = hash(h, wish->submodules ? "s" : "");
    return xasprintf("%c-%s-%016llx", letter, wish->commit,
                     (unsigned long long)h);
}

static const char *text(const json_t *meta, const char *key)
{
    const char *value = json_string_value(json_object_get(meta, key));

    return value ? value : "";
}

static json_int_t number(const json_t *meta, const char *key)
{
    return json_integer_value(json_object_get(meta, key));
}

/* Of this repository, for whoever has its credential, made since the boot. */
static bool is_ours(const json_t *meta, const struct tree_wish *wish)
{
    return number(meta, "format") == FORMAT &&
           strcmp(text(meta, "boot"), boot_id()) == 0 &&
           strcmp(text(meta, "url"), wish->url) == 0 &&
           strcmp(text(meta, "credential"), wish->credential) == 0;
}

static bool is_wished(const json_t *meta, const struct tree_wish *wish)
{
    return is_ours(meta, wish) &&
           strcmp(text(meta, "commit"), wish->commit) == 0 &&
           strcmp(text(meta, "ref"), wish->ref) == 0 &&
           strcmp(text(meta, "base"), wish->base) == 0 &&
           strcmp(text(meta, "refs"), wish->refs) == 0 &&
           json_is_true(json_object_get(meta, "submodules")) ==
               wish->submodules;
}

/* One of another boot or version makes room. */
static bool take(struct cache *cache, const struct tree_wish *wish,
                 const char *key, struct cache_entry *out)
{
    const struct cache_name name = {KIND, wish->scope, key};

    if (!cache_find(cache, &name, out))
        return false;
    if (is_ours(out->meta, wish))
        return true;
    if (strcmp(text(out->meta, "boot"), boot_id()) != 0 ||
        number(out->meta, "format") != FORMAT)
        cache_condemn(cache, out);
    cache_entry_release(out);
    return false;
}

static bool take_wished(struct cache *cache, const struct tree_wish *wish,
                        const char *key, struct tree_snapshot *out)
{
    struct tree_snapshot found = TREE_SNAPSHOT_INIT;
    const char *base;
    bool good;

    if (!take(cache, wish, key, &found.own))
        return false;
    base = text(found.own.meta, "delta_of");
    good = is_wished(found.own.meta, wish);
    if (good && *base && !take(cache, wish, base, &found.base)) {
        cache_condemn(cache, &found.own); /* nobody can use it any more */
        good = false;
    }
    if (good)
        *out = found;
    else
        tree_snapshot_release(&found);
    return good;
}

bool tree_find(struct cache *cache, const struct tree_wish *wish,
               struct tree_snapshot *out_snapshot)
{
    static const int letters[] = {DELTA, WHOLE, WITH_SUBMODULES};

    for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
        CLEANUP(mem) char *key = key_of(wish, letters[i]);

        if (take_wished(cache, wish, key, out_snapshot))
            return true;
    }
    return false;
}

void tree_snapshot_said(const struct tree_snapshot *snapshot,
                        struct tree_said *out_said)
{
    const json_t *meta = snapshot->own.meta;

    out_said->commit = text(meta, "commit");
    out_said->branch = text(meta, "branch");
    out_said->subject = text(meta, "subject");
    out_said->files = (unsigned)number(meta, "files");
    out_said->bytes = (uint64_t)(number(meta, "bytes") +
                                 number(snapshot->base.meta, "bytes"));
}

size_t tree_bases(struct cache *cache, const struct tree_wish *wish,
                  struct cache_entry *out_bases, size_t most)
{
    static const char prefix[] = {WHOLE, '-', '\0'};
    const struct cache_query query = {KIND, wish->scope, prefix,
                                      CACHE_LAST_USED, most};
    CLEANUP(strv) struct strv keys = {0};
    size_t count = 0;

    cache_list(cache, &query, &keys);
    for (size_t i = 0; i < keys.count; i++)
        if (take(cache, wish, keys.items[i], &out_bases[count]))
            count++;
    return count;
}

const char *tree_commit(const struct cache_entry *entry)
{
    return text(entry->meta, "commit");
}

/* ---- keeping ------------------------------------------------------------- */

static json_t *meta_of(const struct tree_wish *wish,
                       const struct tree_said *said,
                       const struct cache_entry *base)
{
    const char *slash = base ? strrchr(base->path, '/') : NULL;

    return json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:I, "
        "s:I}",
        "format", FORMAT, "boot", boot_id(), "url", wish->url, "credential",
        wish->credential, "commit", wish->commit, "ref", wish->ref, "base",
        wish->base, "refs", wish->refs, "submodules", (int)wish->submodules,
        "delta_of", slash ? slash + 1 : "", "branch", said->branch, "subject",
        said->subject, "files", (json_int_t)said->files, "bytes",
        (json_int_t)said->bytes);
}

/* The .git is a layer of its own: that of a base must not show through. */
static int part_git(const char *stage, struct err *err)
{
    CLEANUP(mem) char *dir = xasprintf("%s/git", stage);
    CLEANUP(mem) char *from = xasprintf("%s/tree/.git", stage);
    CLEANUP(mem) char *to = xasprintf("%s/git/.git", stage);

    if (dir_make(dir, 0755, err) < 0)
        return -1;
    if (rename(from, to) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot move '%s'", from);
    return 0;
}

/* Who came first may have made it from another base. */
static int settle(struct cache *cache, const struct tree_wish *wish,
                  const struct cache_entry *own, struct cache_entry *base,
                  struct tree_snapshot *out, struct err *err)
{
    const char *wanted = text(own->meta, "delta_of");
    const char *slash = base ? strrchr(base->path, '/') : NULL;

    if (!is_wished(own->meta, wish))
        return err_set(err, ERR_TRANSIENT, "'%s' is another tree", own->path);
    if (!*wanted)
        return 0;
    if (slash && strcmp(slash + 1, wanted) == 0) {
        out->base = *base;
        *base = (struct cache_entry)CACHE_ENTRY_INIT;
        return 0;
    }
    if (!take(cache, wish, wanted, &out->base))
        return err_set(err, ERR_TRANSIENT, "'%s' has lost its base", own->path);
    return 0;
}

int tree_keep(struct cache *cache, const struct tree_wish *wish,
              const struct tree_said *said, unsigned submodules,
              struct cache_entry *stage, struct cache_entry *base,
              struct tree_snapshot *out_snapshot, struct err *err)
{
    struct tree_snapshot kept = TREE_SNAPSHOT_INIT;
    CLEANUP(mem)
    char *key = key_of(wish, base         ? DELTA
                             : submodules ? WITH_SUBMODULES
                                          : WHOLE);
    const struct cache_name name = {KIND, wish->scope, key};
    json_t *meta = meta_of(wish, said, base);
    int rc = -1;

    if (!meta)
        (void)err_set(err, ERR_TRANSIENT, "the checkout's words are no UTF-8");
    else if (part_git(stage->path, err) == 0)
        rc = cache_publish(cache, &name, meta, stage, err);
    json_decref(meta);
    if (rc < 0 || settle(cache, wish, stage, base, &kept, err) < 0)
        return -1;
    kept.own = *stage;
    *stage = (struct cache_entry)CACHE_ENTRY_INIT;
    *out_snapshot = kept;
    return 0;
}

void tree_lowers(const struct tree_snapshot *snapshot, struct strv *out_lowers)
{
    strv_addf(out_lowers, "%s/git", snapshot->own.path);
    strv_addf(out_lowers, "%s/tree", snapshot->own.path);
    if (snapshot->base.path)
        strv_addf(out_lowers, "%s/tree", snapshot->base.path);
}
