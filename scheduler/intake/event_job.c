/* scheduler/intake/event_job.c - from an event to a job document. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/event_job.h"

#include "base/sha256.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STEM    15 /* of a pipeline's name in an id */
#define HASH_DIGITS 16

/* ---- triggers --------------------------------------------------------------
 */

static const struct {
    enum event_kind kind;
    enum trigger_event event;
} kinds[] = {
    {EVENT_OPENED, TRIGGER_OPENED},
    {EVENT_UPDATED, TRIGGER_UPDATED},
    {EVENT_REOPENED, TRIGGER_REOPENED},
    {EVENT_READY, TRIGGER_READY},
    {EVENT_LABELED, TRIGGER_LABELED},
    {EVENT_PUSH, TRIGGER_PUSH},
    {EVENT_TAG, TRIGGER_TAG},
    {EVENT_MERGE_GROUP, TRIGGER_MERGE_GROUP},
};

static enum trigger_event trigger_event_of(enum event_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].kind == kind)
            return kinds[i].event;
    return (enum trigger_event)0;
}

bool event_runs(enum event_kind kind)
{
    return trigger_event_of(kind) != 0;
}

bool event_concerns(enum event_kind as, const struct trigger *trigger)
{
    return (trigger->events & (unsigned)trigger_event_of(as)) != 0;
}

enum trigger_verdict event_fits(const struct event *event, enum event_kind as,
                                bool fork, const struct event_words *paths,
                                const struct trigger *trigger,
                                const char **out_why)
{
    static const char *const none[] = {NULL};
    const struct trigger_facts facts = {
        .event = trigger_event_of(as),
        .forge = forge_name(event->forge),
        .repo = event->repo.full_name,
        .branch = as == EVENT_PUSH  ? event->head.ref
                  : as == EVENT_TAG ? ""
                                    : event->base.ref,
        .tag = as == EVENT_TAG ? event->head.ref : "",
        .author = event->author.login,
        .is_draft = event->is_draft,
        .is_fork = fork,
        .labels = (const char *const *)event->labels.items,
        .label_count = event->labels.count,
        .paths = !paths         ? NULL
                 : paths->items ? (const char *const *)paths->items
                                : none,
        .path_count = paths ? paths->count : 0,
    };

    return trigger_match(trigger, &facts, out_why);
}

char *event_pipeline_name(const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t len = strlen(path), name;

    if (strncmp(path, ".berth/", 7) != 0 || len < 12 ||
        strcmp(path + len - 4, ".yml") != 0)
        return xstrdup(path);
    name = strspn(path + 7, plain);
    if (path[7] == '-' || name != len - 11)
        return xstrdup(path);
    return xstrndup(path + 7, name);
}

/* ---- a job -----------------------------------------------------------------
 */

static void add_stem(struct strbuf *id, const char *pipeline)
{
    const char *slash = strrchr(pipeline, '/');

    for (const char *s = slash ? slash + 1 : pipeline;
         *s && *s != '.' && id->len < MAX_STEM; s++) {
        char c = *s >= 'A' && *s <= 'Z' ? (char)(*s + 32) : *s;

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            strbuf_addc(id, c);
        else if (id->len && id->data[id->len - 1] != '-')
            strbuf_addc(id, '-');
    }
    while (id->len && id->data[id->len - 1] == '-')
        strbuf_cut(id, id->len - 1);
    if (!id->len)
        strbuf_adds(id, "job");
}

char *event_id_from(const char *pipeline, const char *whole)
{
    CLEANUP(strbuf) struct strbuf id = STRBUF_INIT;
    char digest[SHA256_HEX_SIZE];
    struct sha256 state;

    sha256_init(&state);
    sha256_add(&state, whole, strlen(whole));
    sha256_end_hex(&state, digest);
    add_stem(&id, pipeline);
    strbuf_addf(&id, "-%.*s", HASH_DIGITS, digest);
    return strbuf_take(&id);
}

char *event_job_id(const struct event_job *job)
{
    CLEANUP(mem)
    char *whole = xasprintf("%s\n%u\n%d\n%s", job->key, job->replays,
                            (int)job->fork, job->pipeline);

    return event_id_from(job->pipeline, whole);
}

static void set(json_t *object, const char *key, const char *text)
{
    if (text && *text)
        (void)json_object_set_new(object, key, json_string(text));
}

/* Where the host keeps the commit; owned by the caller. */
static char *ref_of(const struct event *e)
{
    if (e->change > 0)
        return xasprintf(e->forge == FORGE_GITLAB
                             ? "refs/merge-requests/%" PRId64 "/head"
                             : "refs/pull/%" PRId64 "/head",
                         e->change);
    if (!*e->head.ref || !strncmp(e->head.ref, "refs/", 5))
        return xstrdup(e->head.ref);
    return xasprintf("%s%s",
                     e->kind == EVENT_TAG ? "refs/tags/" : "refs/heads/",
                     e->head.ref);
}

static bool is_branch(const struct event *e)
{
    return e->kind != EVENT_TAG && strncmp(e->head.ref, "refs/", 5) != 0;
}

json_t *event_job_report(const struct event_job *job)
{
    const struct event *e = job->event;
    CLEANUP(mem) char *ref = ref_of(e);
    json_t *report = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:b}", "forge", forge_name(e->forge), "repo",
        e->repo.full_name, "installation", (json_int_t)e->installation_id,
        "commit", e->head.sha, "name", job->pipeline, "fork", job->fork);

    if (e->change > 0)
        (void)json_object_set_new(report, job->is_old ? "former" : "change",
                                  json_integer(e->change));
    /* So that it can be run again (event_again.c). */
    set(report, "ref", ref);
    if (is_branch(e))
        set(report, "branch", e->head.ref);
    return report;
}

/* A change's younger job ends its older one of the same pipeline. */
static void set_group(json_t *object, const struct event_job *job)
{
    const struct event *e = job->event;
    CLEANUP(mem) char *group = NULL;

    if (e->change <= 0 || job->is_old)
        return;
    group = xasprintf("%s/%s#%" PRId64 "/%s", forge_name(e->forge),
                      e->repo.full_name, e->change, job->pipeline);
    (void)json_object_set_new(
        object, "concurrency",
        json_pack("{s:s, s:b}", "group", group, "cancel-in-progress", 1));
}

char *event_job_document(const struct event_job *job)
{
    const struct event *e = job->event;
    CLEANUP(mem) char *id = event_job_id(job);
    CLEANUP(mem) char *ref = ref_of(e);
    const char *base = e->base.ref;
    json_t *object = json_object();
    char *text;

    if (!*base && job->fork)
        base = e->repo.default_branch;
    set(object, "id", id);
    set(object, "pipeline", job->pipeline);
    set(object, "repo", e->repo.clone_url);
    set(object, "commit", e->head.sha);
    set(object, "ref", ref);
    if (is_branch(e))
        set(object, "branch", e->head.ref);
    set(object, "base", base);
    if (e->change > 0)
        (void)json_object_set_new(object, "change", json_integer(e->change));
    set(object, "trust", job->fork ? "fork" : "member");
    if (e->change > 0) {
        set(object, "title", e->title);
        set(object, "description", e->description);
    }
    if (json_is_object(job->previous))
        (void)json_object_set_new(object, "previous",
                                  json_deep_copy(job->previous));
    set_group(object, job);
    (void)json_object_set_new(object, "report", event_job_report(job));
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}
