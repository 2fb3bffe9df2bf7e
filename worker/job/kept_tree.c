/* worker/job/kept_tree.c - the tree of a checkout from the cache. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/kept_tree.h"

#include "base/fd.h"
#include "worker/cache/tree.h"
#include "worker/checkout/refs_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_MAX ((size_t)256 << 20)

struct kept_tree {
    const struct attempt_spec *spec; /* borrowed */
    struct cache *cache;             /* borrowed */
    struct checkout_identity identity;
    struct tree_wish wish; /* `commit` and `refs` as known before */
    char refs[REFS_STATE_SIZE];
    struct tree_snapshot found;
    struct cache_entry stage;
    struct cache_entry bases[LAYER_MAX_BASES];
    size_t base_count;
    char *tree;                     /* owned: where the checkout writes */
    char *indexes[LAYER_MAX_BASES]; /* owned: copies that it can read */
    struct checkout_layer layer;
};

static const struct step *step_of(const struct attempt_spec *spec)
{
    return &spec->start->pipeline->steps[spec->index];
}

struct kept_tree *kept_tree_new(const struct attempt_spec *spec)
{
    CLEANUP(kept_tree) struct kept_tree *s = NULL;
    const struct job_start *start = spec->start;
    CLEANUP(mem) char *mirror = NULL;
    struct err ignored;

    if (!machine_cache(spec->machine) || machine_is_booted(spec->machine))
        return NULL;
    s = xcalloc(1, sizeof(*s));
    s->spec = spec;
    s->cache = machine_cache(spec->machine);
    s->found = (struct tree_snapshot)TREE_SNAPSHOT_INIT;
    s->stage = (struct cache_entry)CACHE_ENTRY_INIT;
    if (checkout_identify(start->repo, start->username, start->password,
                          start->whose, &s->identity, &ignored) < 0)
        return NULL;
    mirror =
        xasprintf("%s/" MACHINE_MIRROR_REPO, machine_mirror(spec->machine));
    refs_state(mirror, s->refs);
    s->wish = (struct tree_wish){
        .scope = strrchr(machine_mirror(spec->machine), '/') + 1,
        .url = s->identity.url,
        .credential = s->identity.credential,
        .commit = start->commit,
        .ref = *start->ref ? start->ref : start->branch,
        .base = start->base,
        .refs = s->refs,
        .submodules = step_of(spec)->submodules,
    };
    return STEAL(s);
}

void kept_tree_free(struct kept_tree *s)
{
    if (!s)
        return;
    tree_snapshot_release(&s->found);
    cache_drop(s->cache, &s->stage);
    for (size_t i = 0; i < s->base_count; i++)
        cache_entry_release(&s->bases[i]);
    for (size_t i = 0; i < ARRAY_LEN(s->indexes); i++)
        free(s->indexes[i]);
    free(s->tree);
    free(s->identity.url);
    free(s);
}

/* What one job's own disk could not take, it gets on it: a full disk is told
 * of there. */
static uint64_t max_bytes(const struct kept_tree *s)
{
    return s->spec->start->pipeline->instance_type->disk_bytes;
}

static int show(struct kept_tree *s, struct err *err)
{
    const struct sandbox_driver *driver = machine_driver(s->spec->machine);
    struct sandbox *sandbox = machine_sandbox(s->spec->machine);
    CLEANUP(strv) struct strv lowers = {0};

    tree_lowers(&s->found, &lowers);
    if (driver->reset_dir(sandbox, SANDBOX_WORKSPACE, err) < 0 ||
        driver->push_layers(sandbox, SANDBOX_WORKSPACE,
                            (const char *const *)lowers.items, lowers.count,
                            err) < 0)
        return -1;
    machine_hold(s->spec->machine, &s->found.own);
    machine_hold(s->spec->machine, &s->found.base);
    return 0;
}

bool kept_tree_find(struct kept_tree *s, struct checkout_result *out_result)
{
    struct tree_said said;
    struct err ignored;

    if (!*s->wish.commit || !tree_find(s->cache, &s->wish, &s->found))
        return false;
    tree_snapshot_said(&s->found, &said);
    if (said.bytes > max_bytes(s) || show(s, &ignored) < 0) {
        tree_snapshot_release(&s->found);
        return false;
    }
    *out_result = (struct checkout_result){
        .commit = said.commit,
        .branch = said.branch,
        .subject = said.subject,
        .files = said.files,
    };
    return true;
}

static int give(const char *path, unsigned uid, struct err *err)
{
    if (chown(path, uid, uid) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot give away '%s'", path);
    return 0;
}

/* The entry is root's alone, and the checkout another user. */
static int copy_index(struct kept_tree *s, size_t i, unsigned uid,
                      struct err *err)
{
    CLEANUP(mem) char *from = xasprintf("%s/git/.git/index", s->bases[i].path);
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(INDEX_MAX);

    s->indexes[i] = xasprintf("%s/index.%zu", s->stage.path, i);
    if (file_read(from, INDEX_MAX - 1, &text, err) < 0 ||
        file_write(s->indexes[i], text.data, text.len, 0600, err) < 0)
        return -1;
    return give(s->indexes[i], uid, err);
}

static int add_bases(struct kept_tree *s, unsigned uid, struct err *err)
{
    s->base_count =
        tree_bases(s->cache, &s->wish, s->bases, ARRAY_LEN(s->bases));
    for (size_t i = 0; i < s->base_count; i++) {
        if (copy_index(s, i, uid, err) < 0)
            return -1;
        s->layer.bases[i] =
            (struct layer_base){tree_commit(&s->bases[i]), s->indexes[i]};
    }
    s->layer.base_count = s->base_count;
    return 0;
}

int kept_tree_prepare(struct kept_tree *s, struct checkout_request *request,
                      struct err *err)
{
    if (cache_stage(s->cache, &s->stage, err) < 0)
        return -1;
    machine_note_kept(s->spec->machine);
    s->tree = xasprintf("%s/tree", s->stage.path);
    s->layer.max_bytes = max_bytes(s);
    if (dir_make(s->tree, 0755, err) < 0 ||
        give(s->tree, request->uid, err) < 0 ||
        add_bases(s, request->uid, err) < 0)
        return -1;
    request->tree = s->tree;
    request->layer = &s->layer;
    return 0;
}

static void remove_indexes(struct kept_tree *s)
{
    for (size_t i = 0; i < s->base_count; i++)
        (void)unlink(s->indexes[i]);
}

int kept_tree_keep(struct kept_tree *s, const struct checkout_result *result,
                   struct err *err)
{
    const struct layer *layer = &result->layer;
    struct cache_entry *base = NULL;
    struct tree_said said = {
        .branch = result->branch,
        .subject = result->subject,
        .files = result->files,
        .bytes = layer->bytes,
    };

    if (layer->kind == LAYER_NONE)
        return err_set(err, ERR_TRANSIENT, "%.900s", result->layer_why);
    if (layer->kind == LAYER_DELTA && layer->base >= s->base_count)
        return err_set(err, ERR_BUG, "checkout names a base that is none");
    if (layer->kind == LAYER_DELTA)
        base = &s->bases[layer->base];
    remove_indexes(s);
    s->wish.commit = result->commit;
    s->wish.refs = result->layer_refs;
    if (tree_keep(s->cache, &s->wish, &said, result->submodules, &s->stage,
                  base, &s->found, err) < 0)
        return -1;
    return show(s, err);
}
