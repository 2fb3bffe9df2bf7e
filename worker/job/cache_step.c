/* worker/job/cache_step.c - the step `cache:`: directories put back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/cache_step.h"

#include "worker/cache/verified.h"
#include "worker/job/cache_key.h"
#include "worker/job/caches.h"
#include "worker/job/save.h"
#include "worker/job/verify.h"
#include "worker/sandbox/hostenv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX_BYTES ((uint64_t)64 << 20)
#define FILES_MAX       10000
#define FILES_DIGITS    40 /* of the digest, behind the key */
#define NEWEST_MAX      20 /* of those that begin as a restore_key does */
#define DAMAGED_MAX     3  /* then it is a miss */

struct cache_step {
    const struct attempt_spec *spec; /* borrowed */
    cache_step_end_fn *end;
    void *arg;
    struct cache_wish wish;
    struct loop_source *soon;
    struct err err; /* what the end is to say */
    bool stopped;
    struct verify *verify;    /* owned */
    struct cache_entry files; /* a stage, with copies of `files` */
    struct sandbox_tree tree;
    unsigned file_count;
    bool asked;   /* the store of caches */
    bool waiting; /* for its answer */
    struct cache_entry found;
    char *from; /* owned: of which scope it is */
    bool exact; /* it has the very key */
    unsigned damaged;
    size_t path;    /* that is put back */
    char *inside;   /* owned: where it is */
    struct err why; /* it could not be put back */
};

static const struct step *step_of(const struct cache_step *s)
{
    return &s->spec->start->pipeline->steps[s->spec->index];
}

static const struct sandbox_driver *driver_of(const struct cache_step *s)
{
    return machine_driver(s->spec->machine);
}

static struct sandbox *sandbox_of(const struct cache_step *s)
{
    return machine_sandbox(s->spec->machine);
}

static struct cache *store_of(const struct cache_step *s)
{
    return machine_store(s->spec->machine);
}

static const char *key_of(const struct cache_step *s)
{
    return s->wish.key;
}

/* ---- the end ------------------------------------------------------------- */

static void on_soon(void *arg)
{
    struct cache_step *s = arg;

    s->soon = NULL;
    s->end(s->arg, s->err.kind == ERR_NONE ? NULL : &s->err);
}

static void end_soon(struct cache_step *s)
{
    s->soon = loop_add_timer(s->spec->loop, 0, on_soon, s);
}

/* Kept in the end, unless it is there. Without a key there is no wish. */
static void settle(struct cache_step *s)
{
    struct cache_wish wish = s->wish;

    s->wish = (struct cache_wish){0};
    caches_add(s->spec->caches, &wish);
    end_soon(s);
}

static void not_used(struct cache_step *s, const struct err *err)
{
    output_note(s->spec->output, "cache: not used: %s", save_why(err));
    end_soon(s);
}

static bool was_stopped(struct cache_step *s)
{
    if (s->stopped) {
        (void)err_set(&s->err, ERR_USER, "the step was stopped");
        end_soon(s);
    }
    return s->stopped;
}

static void miss(struct cache_step *s)
{
    cache_entry_release(&s->found);
    output_note(s->spec->output, "cache: miss '%s'", key_of(s));
    settle(s);
}

static void hit(struct cache_step *s)
{
    const json_t *meta = s->found.meta;
    const char *key = json_string_value(json_object_get(meta, "key"));
    long long files = json_integer_value(json_object_get(meta, "files"));

    if (s->exact)
        output_note(s->spec->output, "cache: hit '%s' from %s, %lld files", key,
                    s->from, files);
    else
        output_note(s->spec->output,
                    "cache: no '%s'; restored '%s' from %s, %lld files",
                    key_of(s), key, s->from, files);
    s->wish.is_there = s->exact;
    cache_entry_release(&s->found);
    settle(s);
}

/* ---- putting back -------------------------------------------------------- */

static void put_next(struct cache_step *s);
static void clear_last(struct cache_step *s);

static void on_cleared(void *arg, const void *data UNUSED, size_t len UNUSED,
                       const struct err *err UNUSED)
{
    clear_last(arg);
}

/* Half of it is worse than nothing. */
static void clear_last(struct cache_step *s)
{
    struct err ignored;

    if (was_stopped(s))
        return;
    while (s->path > 0) {
        s->path--;
        free(s->inside);
        s->inside = cache_key_inside(s->wish.paths->items[s->path]);
        if (driver_of(s)->clear(sandbox_of(s), s->inside, on_cleared, s,
                                &ignored) == 0)
            return;
    }
    output_note(s->spec->output, "cache: '%s' cannot be put back: %s",
                json_string_value(json_object_get(s->found.meta, "key")),
                save_why(&s->why));
    miss(s);
}

static void put_failed(struct cache_step *s, const struct err *err)
{
    s->why = *err;
    s->path++; /* this one, too */
    clear_last(s);
}

static void on_put(void *arg, const void *data UNUSED, size_t len UNUSED,
                   const struct err *err)
{
    struct cache_step *s = arg;

    if (was_stopped(s))
        return;
    if (err) {
        put_failed(s, err);
        return;
    }
    s->path++;
    put_next(s);
}

static void put_next(struct cache_step *s)
{
    const struct strv *paths = s->wish.paths;
    struct err err = {0};

    for (; s->path < paths->count; s->path++) {
        CLEANUP(mem)
        char *dir = xasprintf("%s/" CACHE_ROOT "/%zu", s->found.path, s->path);
        struct stat st;

        /* There was none, then; nor is a link one. */
        if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
            continue;
        free(s->inside);
        s->inside = cache_key_inside(paths->items[s->path]);
        if (driver_of(s)->put_tree(sandbox_of(s), dir, s->inside, on_put, s,
                                   &err) < 0)
            put_failed(s, &err);
        return;
    }
    hit(s);
}

/* ---- looking ------------------------------------------------------------- */

/* Sealed, of this scope, and with a key that is or begins with `key`. */
static bool fits(const struct cache_step *s, const struct trust_scope *scope,
                 const char *key, bool exact)
{
    const json_t *meta = s->found.meta;
    const char *has = json_string_value(json_object_get(meta, "key"));

    return verified_is_sealed(&s->found) &&
           trust_owns(&s->wish.trust, scope, meta) &&
           json_integer_value(json_object_get(meta, "format")) ==
               CACHES_FORMAT &&
           has &&
           (exact ? strcmp(has, key) == 0
                  : strncmp(has, key, strlen(key)) == 0);
}

static bool take(struct cache_step *s, const struct trust_scope *scope,
                 const char *name, const char *key, bool exact)
{
    const struct cache_name full = {CACHES_KIND, scope->name, name};

    if (!cache_find(store_of(s), &full, &s->found))
        return false;
    if (!fits(s, scope, key, exact)) {
        cache_entry_release(&s->found);
        return false;
    }
    free(s->from);
    s->from = xstrdup(scope->text);
    for (char *c = s->from; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    s->exact = exact;
    return true;
}

static bool find_exact(struct cache_step *s)
{
    CLEANUP(mem) char *name = cache_key_name(s->wish.paths, key_of(s));

    for (size_t i = 0; i < s->wish.trust.reader_count; i++)
        if (take(s, &s->wish.trust.readers[i], name, key_of(s), true))
            return true;
    return false;
}

static bool find_newest(struct cache_step *s, const struct trust_scope *scope,
                        const char *key)
{
    CLEANUP(mem) char *prefix = cache_key_prefix(s->wish.paths, key);
    CLEANUP(strv) struct strv names = {0};
    const struct cache_query query = {CACHES_KIND, scope->name, prefix,
                                      CACHE_NEWEST, NEWEST_MAX};

    cache_list(store_of(s), &query, &names);
    for (size_t i = 0; i < names.count; i++)
        if (take(s, scope, names.items[i], key, false))
            return true;
    return false;
}

static bool find_other(struct cache_step *s)
{
    const struct trust *trust = &s->wish.trust;

    for (size_t i = 0; i < s->spec->restore_keys->count; i++)
        for (size_t j = 0; j < trust->reader_count; j++)
            if (find_newest(s, &trust->readers[j],
                            s->spec->restore_keys->items[i]))
                return true;
    return false;
}

static void look(struct cache_step *s);

/* The next best one may do. */
static void damaged(struct cache_step *s)
{
    output_note(s->spec->output, "cache: '%s' is damaged: not used",
                json_string_value(json_object_get(s->found.meta, "key")));
    cache_condemn(store_of(s), &s->found);
    machine_note_kept(s->spec->machine);
    cache_entry_release(&s->found);
    s->damaged++;
    look(s);
}

static void on_verified(void *arg, const char *digest, bool late)
{
    struct cache_step *s = arg;

    verify_free(STEAL(s->verify));
    if (was_stopped(s))
        return;
    if (late) {
        output_note(s->spec->output, "cache: it is too slow: not used");
        miss(s);
    } else if (verified_judge(&s->found, digest)) {
        put_next(s);
    } else {
        damaged(s);
    }
}

static void on_far(void *arg)
{
    struct cache_step *s = arg;

    s->waiting = false;
    machine_note_kept(s->spec->machine); /* there may be more, or rubbish */
    if (!was_stopped(s))
        look(s);
}

/* One that only begins as a restore_key does is as good from here. */
static bool ask_far(struct cache_step *s)
{
    const struct strv *keys = s->spec->restore_keys;
    CLEANUP(mem) char *name = cache_key_name(s->wish.paths, key_of(s));
    CLEANUP(strv) struct strv prefixes = {0};
    const struct far_wanted wanted = {CACHES_KIND, name, &prefixes,
                                      &s->wish.trust};

    if (find_other(s)) {
        cache_entry_release(&s->found);
    } else {
        for (size_t i = 0; i < keys->count; i++) {
            CLEANUP(mem)
            char *prefix = cache_key_prefix(s->wish.paths, keys->items[i]);

            strv_add(&prefixes, prefix);
        }
    }
    s->asked = true;
    s->waiting = far_ask_begin(caches_far(s->spec->caches), &wanted, on_far, s);
    return s->waiting;
}

static void look(struct cache_step *s)
{
    CLEANUP(mem) char *root = NULL;
    struct err err = {0};
    struct stat st;
    bool try = s->damaged < DAMAGED_MAX;
    bool found = try && find_exact(s);

    if (!found && !s->asked && ask_far(s))
        return;
    if (!found && !(try && find_other(s))) {
        miss(s);
        return;
    }
    s->path = 0;
    root = xasprintf("%s/" CACHE_ROOT, s->found.path);
    if (lstat(root, &st) < 0 || !S_ISDIR(st.st_mode)) {
        damaged(s);
    } else if (verified_since_boot(s->found.path)) {
        put_next(s);
    } else if (verify_start(s->spec->loop, root, on_verified, s, &s->verify,
                            &err) < 0) {
        output_note(s->spec->output, "cache: not used: %s", save_why(&err));
        miss(s);
    }
}

/* ---- the key ------------------------------------------------------------- */

static void have_key(struct cache_step *s, const char *digest)
{
    s->wish.key = digest
                      ? xasprintf("%s-%.*s", s->spec->key, FILES_DIGITS, digest)
                      : xstrdup(s->spec->key);
    look(s);
}

static void drop_files(struct cache_step *s)
{
    if (!s->files.path)
        return;
    machine_note_kept(s->spec->machine); /* there is rubbish */
    cache_drop(store_of(s), &s->files);
}

static void on_digest(void *arg, const char *digest, bool late)
{
    struct cache_step *s = arg;
    CLEANUP(mem) char *copy = digest ? xstrdup(digest) : NULL;
    struct err err;

    verify_free(STEAL(s->verify));
    drop_files(s);
    if (was_stopped(s))
        return;
    if (copy) {
        have_key(s, copy);
        return;
    }
    (void)err_set(&err, ERR_TRANSIENT, "the files of its key cannot be read%s",
                  late ? " in time" : "");
    not_used(s, &err);
}

static void on_file(void *arg, const char *path UNUSED,
                    uint64_t size_bytes UNUSED)
{
    ((struct cache_step *)arg)->file_count++;
}

static void on_files(void *arg, const void *data UNUSED, size_t len UNUSED,
                     const struct err *err)
{
    struct cache_step *s = arg;
    struct err why = {0};

    if (was_stopped(s))
        return;
    if (!err && !s->file_count)
        output_note(s->spec->output, "cache: no file fits '%.100s'%s",
                    step_of(s)->cache.files.items[0],
                    step_of(s)->cache.files.count > 1 ? " or the others" : "");
    if (!err && verify_start(s->spec->loop, s->tree.host_dir, on_digest, s,
                             &s->verify, &why) == 0)
        return;
    not_used(s, err ? err : &why);
}

static int gather_files(struct cache_step *s, struct err *err)
{
    if (cache_stage(store_of(s), &s->files, err) < 0)
        return -1;
    s->tree = (struct sandbox_tree){
        .path = SANDBOX_WORKSPACE,
        .host_dir = s->files.path,
        .patterns = (const char *const *)step_of(s)->cache.files.items,
        .max_bytes = FILES_MAX_BYTES,
        .max_entries = FILES_MAX,
        .on_entry = on_file,
        .arg = s,
    };
    return driver_of(s)->get_tree(sandbox_of(s), &s->tree, on_files, s, err);
}

/* ---- starting ------------------------------------------------------------ */

static int check_keys(const struct cache_step *s, struct err *err)
{
    const struct strv *others = s->spec->restore_keys;
    const char *problem = cache_key_problem(s->spec->key);

    if (problem)
        return err_set(err, ERR_USER, "the key cannot be used: %s", problem);
    for (size_t i = 0; i < others->count; i++) {
        problem = cache_key_problem(others->items[i]);
        if (problem)
            return err_set(err, ERR_USER,
                           "restore_keys[%zu] cannot be used: %s", i, problem);
    }
    return 0;
}

static int begin(struct cache_step *s, struct err *err)
{
    if (!store_of(s))
        return err_set(err, ERR_USER, "this worker has none");
    if (trust_of(s->spec, &s->wish.trust, err) < 0)
        return -1;
    if (step_of(s)->cache.files.count)
        return gather_files(s, err);
    have_key(s, NULL);
    return 0;
}

struct cache_step *cache_step_start(const struct attempt_spec *spec,
                                    cache_step_end_fn *end, void *arg)
{
    struct cache_step *s = xcalloc(1, sizeof(*s));
    struct err err = {0};

    s->spec = spec;
    s->end = end;
    s->arg = arg;
    s->found = s->files = (struct cache_entry)CACHE_ENTRY_INIT;
    s->wish.index = spec->index;
    s->wish.paths = &step_of(s)->cache.paths;
    if (check_keys(s, &s->err) < 0)
        end_soon(s);
    else if (begin(s, &err) < 0)
        not_used(s, &err);
    return s;
}

static void forget_far(struct cache_step *s)
{
    if (s->waiting)
        far_ask_forget(caches_far(s->spec->caches), s);
    s->waiting = false;
}

void cache_step_stop(struct cache_step *s)
{
    s->stopped = true;
    driver_of(s)->stop_files(sandbox_of(s));
    if (s->waiting) {
        forget_far(s);
        (void)was_stopped(s);
    }
}

void cache_step_free(struct cache_step *s)
{
    if (!s)
        return;
    loop_remove(s->soon);
    forget_far(s);
    verify_free(s->verify);
    drop_files(s);
    cache_entry_release(&s->found);
    cache_wish_clear(&s->wish);
    free(s->from);
    free(s->inside);
    free(s);
}
