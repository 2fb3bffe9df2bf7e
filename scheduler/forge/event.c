/* scheduler/forge/event.c - what happened on a Git host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/event.h"

#include "base/arena.h"
#include "scheduler/forge/body.h"
#include "scheduler/forge/event_read.h"

#include <stdlib.h>

static const char *const kind_names[] = {
    [EVENT_IGNORED] = "ignored",   [EVENT_PING] = "ping",
    [EVENT_OPENED] = "opened",     [EVENT_UPDATED] = "updated",
    [EVENT_REOPENED] = "reopened", [EVENT_READY] = "ready",
    [EVENT_CLOSED] = "closed",     [EVENT_LABELED] = "labeled",
    [EVENT_PUSH] = "push",         [EVENT_TAG] = "tag",
    [EVENT_DELETED] = "deleted",   [EVENT_MERGE_GROUP] = "merge_group",
    [EVENT_RERUN] = "rerun",       [EVENT_ACTION] = "action",
    [EVENT_COMMAND] = "command",
};

static const char *const fork_names[] = {
    [EVENT_FORK_UNKNOWN] = "unknown",
    [EVENT_FORK_NO] = "no",
    [EVENT_FORK_YES] = "yes",
};

static const char *const association_names[] = {
    [EVENT_ASSOCIATION_UNKNOWN] = "unknown",
    [EVENT_ASSOCIATION_NONE] = "none",
    [EVENT_ASSOCIATION_CONTRIBUTOR] = "contributor",
    [EVENT_ASSOCIATION_COLLABORATOR] = "collaborator",
    [EVENT_ASSOCIATION_MEMBER] = "member",
    [EVENT_ASSOCIATION_OWNER] = "owner",
};

const char *event_kind_name(enum event_kind kind)
{
    return kind_names[kind];
}

const char *event_fork_name(enum event_fork fork)
{
    return fork_names[fork];
}

const char *event_association_name(enum event_association association)
{
    return association_names[association];
}

struct event *event_new(enum forge_kind forge)
{
    static const struct event_end no_end = {.ref = "", .sha = "", .repo = ""};
    static const struct event_person nobody = {.login = ""};
    struct event *event = xcalloc(1, sizeof(*event));

    *event = (struct event){
        .arena = arena_new(),
        .forge = forge,
        .reason = "",
        .name = "",
        .repo = {.full_name = "",
                 .clone_url = "",
                 .default_branch = "",
                 .is_private = true},
        .head = no_end,
        .base = no_end,
        .title = "",
        .description = "",
        .label = "",
        .author = nobody,
        .actor = nobody,
        .check = {.name = "", .external_id = "", .action = ""},
    };
    return event;
}

void event_free(struct event *event)
{
    if (!event)
        return;
    arena_free(event->arena);
    free(event);
}

int event_read(const struct event_source *source, struct event **out_event,
               struct err *err)
{
    CLEANUP(event) struct event *event = NULL;
    struct event_reader r = {
        .base_url = source->base_url, .name = source->name, .err = err};
    json_t *body = body_parse(source->body, source->len, err);
    int rc = 0;

    if (!body)
        return -1;
    r.event = event = event_new(source->forge);
    r.body = body;
    if (source->forge == FORGE_GITHUB)
        rc = event_read_github(&r);
    else if (source->forge == FORGE_GITEA)
        rc = event_read_gitea(&r);
    else
        rc = event_read_gitlab(&r);
    json_decref(body);
    if (rc < 0)
        return -1;
    *out_event = STEAL(event);
    return 0;
}
