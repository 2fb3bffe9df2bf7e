/* scheduler/forge/event_gitea.c - deliveries of Gitea and Forgejo. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/event_read.h"
#include "scheduler/forge/git_name.h"

#include <string.h>

static int read_push(struct event_reader *r)
{
    const json_t *total = event_field(r->body, "total_commits");
    size_t commits = json_array_size(event_field(r->body, "commits"));

    if (event_need_repo(r) < 0)
        return -1;
    event_person(r, r->body, "sender", &r->event->actor);
    /* Before 1.17 long pushes were cut without a word about it. */
    if (!json_is_integer(total))
        return event_push(r, commits < 5 ? (int64_t)commits : -1);
    return event_push(r, json_integer_value(total));
}

/* The name alone, as what it is stands beside it. */
static int read_delete(struct event_reader *r)
{
    struct event *event = r->event;

    if (event_need_repo(r) < 0 ||
        event_need_ref(r, r->body, "ref", &event->head.ref) < 0)
        return -1;
    event_person(r, r->body, "sender", &event->actor);
    event->head.repo_id = event->repo.id;
    event->head.repo = event->repo.full_name;
    event->fork = EVENT_FORK_NO;
    if (!event_is(r->body, "ref_type", "branch"))
        return event_ignore(r, "a tag is gone");
    event->kind = EVENT_DELETED;
    return 0;
}

static const struct {
    const char *name;
    int (*read)(struct event_reader *r);
} events[] = {
    {"delete", read_delete},
    {"issue_comment", event_issue_comment},
    {"pull_request", event_pull_request},
    {"push", read_push},
};

int event_read_gitea(struct event_reader *r)
{
    const char *action = event_word(r, r->body, "action");

    r->event->name = *action ? event_format(r, "%s.%s", r->name, action)
                             : event_format(r, "%s", r->name);
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (!strcmp(r->name, events[i].name))
            return events[i].read(r);
    return event_ignore(r, "nothing follows from the event '%s'", r->name);
}
