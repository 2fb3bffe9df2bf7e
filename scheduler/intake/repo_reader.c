/* scheduler/intake/repo_reader.c - many readings from repositories. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/repo_reader.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct repo_reading {
    TAILQ_ENTRY(repo_reading) link;   /* while it waits or runs */
    struct repo_reader *reader;       /* borrowed; NULL: it is over */
    struct repo_file_request request; /* its strings are owned */
    struct strv paths;                /* of the request */
    repo_file_fn *fn;
    void *arg;
    struct repo_file *file;      /* owned; NULL: it waits */
    struct err err;              /* of who went before, where it is ours too */
    struct repo_reading *leader; /* borrowed; who brings its commit along */
    bool leads;                  /* others wait for what it fetches */
    bool brought;                /* its commit should be there */
};

struct repo_reader {
    struct loop *loop;                   /* borrowed */
    TAILQ_HEAD(, repo_reading) readings; /* borrowed; in their order */
    size_t running;
    struct loop_source *timer; /* borrowed; whose turn is it */
};

static void on_turn(void *arg);

static void wake(struct repo_reader *reader)
{
    if (!reader->timer)
        reader->timer =
            loop_add_timer(reader->loop, clock_mono_ms(), on_turn, reader);
}

/* Those that it would have brought a commit have it, or `fetched` is false. */
static void leave(struct repo_reading *r, bool fetched)
{
    struct repo_reading *other;

    TAILQ_FOREACH (other, &r->reader->readings, link) {
        if (other->leader != r)
            continue;
        other->leader = NULL;
        other->brought = fetched;
    }
    if (r->file)
        r->reader->running--;
    TAILQ_REMOVE(&r->reader->readings, r, link);
    wake(r->reader);
    r->reader = NULL;
}

/* ---- one -------------------------------------------------------------------
 */

static bool is_same_mirror(const struct repo_file_request *a,
                           const struct repo_file_request *b)
{
    return !strcmp(a->repo, b->repo) && !strcmp(a->username, b->username) &&
           !strcmp(a->password, b->password);
}

/* A host that is away is so for all that wait: not a time-out for each. */
static void share(const struct repo_reading *r, const struct err *err)
{
    struct repo_reading *other;

    TAILQ_FOREACH (other, &r->reader->readings, link)
        if (!other->file && is_same_mirror(&other->request, &r->request))
            other->err = *err;
}

static void on_read(void *arg, const struct repo_file_result *result,
                    const struct err *err)
{
    struct repo_reading *r = arg;

    if (err && (err->kind == ERR_TRANSIENT || err->kind == ERR_TIMEOUT))
        share(r, err);
    /* Of one that failed nobody knows what it brought: they all look. */
    leave(r, !result || result->fetched);
    r->fn(r->arg, result, err);
}

/* The commits of those that wait for the same repository. */
static size_t gather(struct repo_reading *r, const char *also[REPO_FILE_ALSO])
{
    struct repo_reading *other;
    size_t count = 0;

    TAILQ_FOREACH (other, &r->reader->readings, link) {
        if (other == r || other->file || other->leader || other->brought ||
            !*other->request.commit ||
            !is_same_mirror(&other->request, &r->request))
            continue;
        if (count == REPO_FILE_ALSO)
            break;
        also[count++] = other->request.commit;
        other->leader = r;
    }
    return count;
}

static void fail(struct repo_reading *r, const struct err *err)
{
    leave(r, true);
    r->fn(r->arg, NULL, err);
}

static void start(struct repo_reading *r)
{
    const char *also[REPO_FILE_ALSO];
    struct repo_file_request request = r->request;
    struct err err = {0};

    r->leads = !r->brought;
    if (r->leads) {
        request.also = also;
        request.also_count = gather(r, also);
    }
    if (repo_file_get(r->reader->loop, &request, on_read, r, &r->file, &err) ==
        0) {
        r->reader->running++;
        return;
    }
    fail(r, &err);
}

/* ---- whose turn it is ------------------------------------------------------
 */

static bool has_turn(const struct repo_reading *r)
{
    const struct repo_reading *other;
    size_t running = 0;

    if (r->file || r->leader || r->reader->running == REPO_READER_MAX)
        return false;
    TAILQ_FOREACH (other, &r->reader->readings, link) {
        if (!other->file || !is_same_mirror(&other->request, &r->request))
            continue;
        if (other->leads && !r->brought)
            return false;
        running++;
    }
    return running < REPO_READER_EACH;
}

/* One that cannot be started tells its caller, who may free any of them. */
static void on_turn(void *arg)
{
    struct repo_reader *reader = arg;
    struct repo_reading *r;

    reader->timer = NULL;
    TAILQ_FOREACH (r, &reader->readings, link) {
        struct err err = r->err;

        if (!err.kind && !has_turn(r))
            continue;
        wake(reader);
        if (err.kind)
            fail(r, &err);
        else
            start(r);
        return;
    }
}

/* ---- life ------------------------------------------------------------------
 */

static const char *copy(const char *text)
{
    return xstrdup(text ? text : "");
}

static void drop(const char *text)
{
    char *owned = (char *)(uintptr_t)text;

    mem_wipe(owned, strlen(owned));
    free(owned);
}

struct repo_reading *repo_reader_get(struct repo_reader *reader,
                                     const struct repo_file_request *request,
                                     repo_file_fn *fn, void *arg)
{
    struct repo_reading *r = xcalloc(1, sizeof(*r));

    r->reader = reader;
    r->request = *request;
    r->request.repo = copy(request->repo);
    r->request.commit = copy(request->commit);
    r->request.ref = copy(request->ref);
    r->request.branch = copy(request->branch);
    r->request.username = copy(request->username);
    r->request.password = copy(request->password);
    r->request.state_dir = copy(request->state_dir);
    for (size_t i = 0; i < request->path_count; i++)
        strv_add(&r->paths, request->paths[i]);
    r->request.paths = (const char *const *)r->paths.items;
    r->fn = fn;
    r->arg = arg;
    TAILQ_INSERT_TAIL(&reader->readings, r, link);
    wake(reader);
    return r;
}

void repo_reading_free(struct repo_reading *r)
{
    if (!r)
        return;
    if (r->reader)
        leave(r, true);
    repo_file_free(r->file);
    drop(r->request.repo);
    drop(r->request.commit);
    drop(r->request.ref);
    drop(r->request.branch);
    drop(r->request.username);
    drop(r->request.password);
    drop(r->request.state_dir);
    strv_clear(&r->paths);
    free(r);
}

struct repo_reader *repo_reader_new(struct loop *loop)
{
    struct repo_reader *reader = xcalloc(1, sizeof(*reader));

    reader->loop = loop;
    TAILQ_INIT(&reader->readings);
    return reader;
}

void repo_reader_free(struct repo_reader *reader)
{
    if (!reader)
        return;
    loop_remove(reader->timer);
    free(reader);
}
