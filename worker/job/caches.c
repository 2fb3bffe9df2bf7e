/* worker/job/caches.c - what `cache:` steps keep when a job has passed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/caches.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/units.h"
#include "worker/cache/seal.h"
#include "worker/cache/settings.h"
#include "worker/job/cache_key.h"
#include "worker/job/save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAVE_MS 60000

struct caches {
    struct caches_spec spec;
    struct far_ask *far;       /* owned */
    struct cache_wish *wishes; /* owned */
    size_t count;
    /* While they are saved: */
    void (*done)(void *arg);
    void *arg;
    struct loop_source *timer; /* its end, or the next wish */
    struct loop_source *limit;
    size_t next; /* of the wishes */
    size_t path; /* of this wish's paths */
    bool stopped;
    bool late; /* that is why */
    struct cache_settings settings;
    struct cache_entry stage;
    struct sandbox_tree tree;
    char *inside;   /* owned, as the following */
    char *host_dir; /* where it goes */
    uint64_t bytes; /* of this wish so far */
    uint32_t entries;
    size_t kept; /* paths that were there */
};

void cache_wish_clear(struct cache_wish *wish)
{
    free(STEAL(wish->key));
    trust_clear(&wish->trust);
}

struct caches *caches_new(const struct caches_spec *spec)
{
    struct caches *c = xcalloc(1, sizeof(*c));

    c->spec = *spec;
    c->far = far_ask_new(spec->up, spec->output);
    c->stage = (struct cache_entry)CACHE_ENTRY_INIT;
    return c;
}

static void clear_paths(struct caches *c)
{
    free(STEAL(c->inside));
    free(STEAL(c->host_dir));
}

static void drop_stage(struct caches *c)
{
    struct cache *store = machine_store(c->spec.machine);

    if (!c->stage.path)
        return;
    machine_note_kept(c->spec.machine); /* there is rubbish */
    cache_drop(store, &c->stage);
}

void caches_free(struct caches *c)
{
    if (!c)
        return;
    loop_remove(c->timer);
    loop_remove(c->limit);
    drop_stage(c);
    clear_paths(c);
    for (size_t i = 0; i < c->count; i++)
        cache_wish_clear(&c->wishes[i]);
    free(c->wishes);
    far_ask_free(c->far);
    free(c);
}

struct far_ask *caches_far(struct caches *c)
{
    return c->far;
}

void caches_answer(struct caches *c, const struct frame *frame)
{
    if (c)
        far_ask_answer(c->far, frame);
}

void caches_add(struct caches *c, struct cache_wish *wish)
{
    size_t i = 0;

    while (i < c->count && c->wishes[i].index != wish->index)
        i++;
    if (i == c->count)
        c->wishes = xreallocarray(c->wishes, ++c->count, sizeof(*c->wishes));
    else
        cache_wish_clear(&c->wishes[i]);
    c->wishes[i] = *wish;
    *wish = (struct cache_wish){0};
}

/* ---- one wish ------------------------------------------------------------ */

static void next_wish(void *arg);
static void next_path(struct caches *c);

static struct cache_wish *current(struct caches *c)
{
    return &c->wishes[c->next];
}

/* From the loop: a callback of the sandbox may be above us. */
static void go_on(struct caches *c)
{
    drop_stage(c);
    clear_paths(c);
    c->next++;
    c->timer = loop_add_timer(c->spec.loop, 0, next_wish, c);
}

static void give_up(struct caches *c, const struct err *err)
{
    char size[SIZE_TEXT_SIZE];

    if (err->sys == EFBIG)
        output_note(c->spec.output,
                    "cache: '%s' is not saved: it has more than %s "
                    "(cache.entry_bytes)",
                    current(c)->key,
                    size_format(c->settings.entry_bytes, size));
    else
        output_note(c->spec.output, "cache: '%s' is not saved: %s",
                    current(c)->key, save_why(err));
    go_on(c);
}

static json_t *meta_of(const struct cache_wish *wish)
{
    json_t *meta = trust_meta(&wish->trust, CACHES_FORMAT);

    json_object_set_new(meta, "key", json_string(wish->key));
    return meta;
}

static void save_stage(struct caches *c)
{
    const struct cache_wish *wish = current(c);
    CLEANUP(mem) char *name = cache_key_name(wish->paths, wish->key);
    const struct save_made made = {
        .cache = machine_store(c->spec.machine),
        .name = {CACHES_KIND, wish->trust.writer.name, name},
        .meta = meta_of(wish),
        .label = wish->key,
    };
    struct save *save = NULL;
    struct err err = {0};

    if (save_start_made(&made, &c->stage, &save, &err) < 0) {
        give_up(c, &err);
        return;
    }
    machine_add_save(c->spec.machine, save);
    go_on(c);
}

static void on_entry(void *arg, const char *path UNUSED, uint64_t size_bytes)
{
    struct caches *c = arg;

    c->bytes += size_bytes;
    c->entries++;
}

static void on_copied(void *arg, const void *data UNUSED, size_t len UNUSED,
                      const struct err *err)
{
    struct caches *c = arg;

    struct err late = {0};

    if (c->stopped) {
        (void)err_set(&late, ERR_USER, "%s",
                      c->late ? "it took longer than a minute"
                              : "the job was ended");
        give_up(c, &late);
    } else if (err && err->sys == ENOENT && rmdir(c->host_dir) == 0) {
        output_note(c->spec.output, "cache: there is no '%s' to save",
                    current(c)->paths->items[c->path]);
        c->path++;
        next_path(c);
    } else if (err) {
        give_up(c, err);
    } else {
        c->kept++;
        c->path++;
        next_path(c);
    }
}

static int copy_path(struct caches *c, struct err *err)
{
    const struct sandbox_driver *driver = machine_driver(c->spec.machine);
    uint64_t most = c->settings.entry_bytes;

    clear_paths(c);
    c->inside = cache_key_inside(current(c)->paths->items[c->path]);
    c->host_dir = xasprintf("%s/" CACHE_ROOT "/%zu", c->stage.path, c->path);
    if (dir_make(c->host_dir, 0700, err) < 0)
        return -1;
    c->tree = (struct sandbox_tree){
        .path = c->inside,
        .host_dir = c->host_dir,
        .max_bytes = c->bytes < most ? most - c->bytes : 0,
        .max_entries =
            c->entries < SEAL_MAX_FILES ? SEAL_MAX_FILES - c->entries : 0,
        .on_entry = on_entry,
        .arg = c,
    };
    return driver->get_tree(machine_sandbox(c->spec.machine), &c->tree,
                            on_copied, c, err);
}

static void next_path(struct caches *c)
{
    struct err err = {0};

    if (c->path == current(c)->paths->count && c->kept)
        save_stage(c);
    else if (c->path == current(c)->paths->count)
        go_on(c); /* each has its line already */
    else if (copy_path(c, &err) < 0)
        give_up(c, &err);
}

/* Somebody kept it while we ran. */
static bool is_known(struct caches *c)
{
    const struct cache_wish *wish = current(c);
    CLEANUP(mem) char *name = cache_key_name(wish->paths, wish->key);
    const struct cache_name full = {CACHES_KIND, wish->trust.writer.name, name};
    struct cache_entry entry = CACHE_ENTRY_INIT;

    if (!cache_find(machine_store(c->spec.machine), &full, &entry))
        return false;
    cache_entry_release(&entry);
    output_note(c->spec.output, "cache: '%s' is there already", wish->key);
    return true;
}

static void begin_wish(struct caches *c)
{
    CLEANUP(mem) char *root = NULL;
    struct err err = {0};

    c->path = c->kept = 0;
    c->bytes = c->entries = 0;
    if (is_known(c)) {
        go_on(c);
        return;
    }
    if (cache_stage(machine_store(c->spec.machine), &c->stage, &err) < 0) {
        give_up(c, &err);
        return;
    }
    root = xasprintf("%s/" CACHE_ROOT, c->stage.path);
    if (dir_make(root, 0755, &err) < 0)
        give_up(c, &err);
    else
        next_path(c);
}

/* ---- all of them --------------------------------------------------------- */

static void next_wish(void *arg)
{
    struct caches *c = arg;

    c->timer = NULL;
    while (c->next < c->count && (current(c)->is_there || c->stopped))
        c->next++;
    if (c->next < c->count) {
        begin_wish(c);
        return;
    }
    loop_remove(STEAL(c->limit));
    c->done(c->arg);
}

static void on_limit(void *arg)
{
    struct caches *c = arg;

    c->limit = NULL;
    c->late = true;
    caches_stop(c);
}

void caches_save(struct caches *c, void (*done)(void *arg), void *arg)
{
    c->done = done;
    c->arg = arg;
    cache_settings_read(&c->settings);
    c->limit =
        loop_add_timer(c->spec.loop, clock_mono_ms() + SAVE_MS, on_limit, c);
    c->timer = loop_add_timer(c->spec.loop, 0, next_wish, c);
}

void caches_stop(struct caches *c)
{
    c->stopped = true;
    machine_driver(c->spec.machine)
        ->stop_files(machine_sandbox(c->spec.machine));
}
