/* worker/checkout/repack.c - few packs in a mirror, however many fetches. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/repack.h"

#include "worker/checkout/giterr.h"

#include <dirent.h>
#include <git2/sys/odb_backend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_SUFFIX ".idx"
#define MAX_PACKS    4096 /* more are looked at the next time */

struct pack {
    char *stem; /* owned; its path without a suffix */
    off_t bytes;
};

struct packs {
    struct pack *items; /* owned */
    size_t count;
};

static void packs_clear(struct packs *packs)
{
    for (size_t i = 0; i < packs->count; i++)
        free(packs->items[i].stem);
    free(packs->items);
    memset(packs, 0, sizeof(*packs));
}

UNUSED static void packs_freep(struct packs *packs)
{
    packs_clear(packs);
}

/* "….idx" beside a pack that is there: libgit2 puts that in its place last. */
static void add_pack(struct packs *packs, const char *dir, const char *name)
{
    size_t len = strlen(name);
    size_t suffix = strlen(INDEX_SUFFIX);
    struct pack *pack = &packs->items[packs->count];
    struct stat st;

    if (len <= suffix || strcmp(name + len - suffix, INDEX_SUFFIX) != 0)
        return;
    pack->stem = xasprintf("%s/%.*s", dir, (int)(len - suffix), name);
    CLEANUP(mem) char *path = xasprintf("%s.pack", pack->stem);

    if (stat(path, &st) < 0) {
        free(STEAL(pack->stem));
        return;
    }
    pack->bytes = st.st_size;
    packs->count++;
}

static int by_size(const void *a, const void *b)
{
    const struct pack *x = a, *y = b;

    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Smallest first. A directory that cannot be read has none. */
static void list_packs(const char *dir_path, struct packs *packs)
{
    DIR *dir = opendir(dir_path);
    struct dirent *entry;

    packs->items = xcalloc(MAX_PACKS, sizeof(*packs->items));
    while (dir && packs->count < MAX_PACKS && (entry = readdir(dir)))
        add_pack(packs, dir_path, entry->d_name);
    if (dir)
        (void)closedir(dir);
    qsort(packs->items, packs->count, sizeof(*packs->items), by_size);
}

/* How many of the smallest: up to the last that is less than twice as large as
 * all before it, while there is time for it. */
static size_t choose(const struct packs *packs)
{
    size_t chosen = 0;
    off_t before = 0;

    for (size_t i = 0; i < packs->count; i++) {
        off_t bytes = packs->items[i].bytes;

        if (before + bytes > REPACK_MAX_BYTES)
            break;
        if (i && bytes < 2 * before)
            chosen = i + 1;
        before += bytes;
    }
    return chosen;
}

static int insert(const git_oid *oid, void *builder)
{
    return git_packbuilder_insert(builder, oid, NULL);
}

static int insert_pack(git_packbuilder *builder, const struct pack *pack)
{
    CLEANUP(mem) char *path = xasprintf("%s" INDEX_SUFFIX, pack->stem);
    git_odb_backend *backend = NULL;
    git_odb *odb = NULL;
    int rc = git_odb_new(&odb);

    if (rc == 0)
        rc = git_odb_backend_one_pack(&backend, path);
    if (rc == 0) {
        rc = git_odb_add_backend(odb, backend, 1);
        if (rc < 0)
            backend->free(backend);
    }
    if (rc == 0)
        rc = git_odb_foreach(odb, insert, builder);
    git_odb_free(odb);
    return rc;
}

/* The same objects may have been a pack already, which then is the new one. */
static void remove_pack(const struct pack *pack, const char *new_name)
{
    static const char *const suffixes[] = {INDEX_SUFFIX, ".pack"};
    const char *name = strrchr(pack->stem, '/') + 1;

    if (strncmp(name, "pack-", 5) == 0 && strcmp(name + 5, new_name) == 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        CLEANUP(mem) char *path = xasprintf("%s%s", pack->stem, suffixes[i]);

        (void)unlink(path); /* one that stays is put together once more */
    }
}

static int put_together(struct mirror *mirror, const char *dir,
                        const struct packs *packs, size_t count)
{
    git_packbuilder *builder = NULL;
    int rc = git_packbuilder_new(&builder, mirror_repository(mirror));

    if (rc == 0)
        (void)git_packbuilder_set_threads(builder, 1);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = insert_pack(builder, &packs->items[i]);
    if (rc == 0)
        rc = git_packbuilder_write(builder, dir, 0, NULL, NULL);
    for (size_t i = 0; rc == 0 && i < count; i++)
        remove_pack(&packs->items[i], git_packbuilder_name(builder));
    git_packbuilder_free(builder);
    return rc;
}

int repack(struct mirror *mirror, struct err *err)
{
    CLEANUP(mem) char *dir = xasprintf("%s/pack", mirror_objects(mirror));
    CLEANUP(packs) struct packs packs = {0};
    size_t count;
    int rc;

    list_packs(dir, &packs);
    count = packs.count < REPACK_PACKS ? 0 : choose(&packs);
    if (count < 2)
        return 0;
    rc = put_together(mirror, dir, &packs, count);
    if (rc < 0)
        return giterr_set(err, ERR_TRANSIENT, "cannot put packs together");
    (void)git_odb_refresh(mirror_odb(mirror));
    return 0;
}
