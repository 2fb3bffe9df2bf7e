/* scheduler/forge/event_gitlab.c - deliveries of GitLab. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/event_read.h"
#include "scheduler/forge/git_name.h"

#include <string.h>

#define VISIBLE_TO_ALL 20 /* of 0, 10 and 20: private, internal, public */

/* `project`, which is the repository of the hook. */
static int need_project(struct event_reader *r)
{
    struct event_repo *repo = &r->event->repo;
    const json_t *project = event_field(r->body, "project");
    const char *branch = event_word(r, project, "default_branch");

    if (!json_is_object(project))
        return err_set(r->err, ERR_USER, "the delivery names no project");
    if (event_need_id(r, project, "id", &repo->id) < 0 ||
        event_need_name(r, project, "path_with_namespace", &repo->full_name) <
            0 ||
        event_check_address(r, event_field(project, "git_http_url")) < 0)
        return err_wrap(r->err, "project");
    if (git_is_ref(branch))
        repo->default_branch = branch;
    repo->is_private =
        event_number(project, "visibility_level") != VISIBLE_TO_ALL;
    return 0;
}

/* project_7_bot, group_7_bot_0123…: the users of access tokens. */
bool event_gitlab_bot(const char *name)
{
    const char *digits;

    if (!strncmp(name, "project_", 8))
        digits = name + 8;
    else if (!strncmp(name, "group_", 6))
        digits = name + 6;
    else
        return false;
    name = digits + strspn(digits, "0123456789");
    return name != digits && !strncmp(name, "_bot", 4) &&
           (!name[4] || name[4] == '_');
}

static void read_actor(struct event_reader *r)
{
    struct event_person *actor = &r->event->actor;

    actor->id = event_number(r->body, "user.id");
    actor->login = event_word(r, r->body, "user.username");
    actor->is_bot = event_gitlab_bot(actor->login);
}

/* ---- changes -------------------------------------------------------------
 */

/* What object_attributes and the merge_request of a note say alike. */
static int read_change(struct event_reader *r, const json_t *change)
{
    struct event *event = r->event;
    const json_t *source = event_field(change, "source");

    if (event_need_id(r, change, "iid", &event->change) < 0 ||
        event_need_sha(r, change, "last_commit.id", &event->head.sha) < 0 ||
        event_need_ref(r, change, "source_branch", &event->head.ref) < 0 ||
        event_need_ref(r, change, "target_branch", &event->base.ref) < 0 ||
        event_need_id(r, change, "target_project_id", &event->base.repo_id) < 0)
        return -1;
    if (event->base.repo_id != event->repo.id)
        return err_set(r->err, ERR_USER,
                       "the change is one of another project");
    event->base.repo = event->repo.full_name;
    event->fork = EVENT_FORK_YES;
    /* Null once somebody removed the fork. */
    event->head.repo_id = event_number(change, "source_project_id");
    if (json_is_object(source) &&
        event_need_name(r, source, "path_with_namespace", &event->head.repo) <
            0)
        return err_wrap(r->err, "source");
    if (event->head.repo_id == event->repo.id)
        event->fork = EVENT_FORK_NO;
    event->is_draft =
        event_flag(change, "draft") || event_flag(change, "work_in_progress");
    event->is_merged = event_is(change, "state", "merged");
    event->title = event_text(r, change, "title", EVENT_MAX_TITLE_BYTES);
    event->description =
        event_lines(r, change, "description", EVENT_MAX_DESCRIPTION_BYTES);
    event->author.id = event_number(change, "author_id");
    if (event->author.id && event->author.id == event->actor.id)
        event->author = event->actor;
    return 0;
}

static int kind_of_update(struct event_reader *r, const json_t *change)
{
    const json_t *changes = event_field(r->body, "changes");
    struct event *event = r->event;

    if (json_is_string(event_field(change, "oldrev")) ||
        event_field(changes, "target_branch"))
        event->kind = EVENT_UPDATED;
    else if (event_flag(changes, "draft.previous") && !event->is_draft)
        event->kind = EVENT_READY;
    else if (event_field(changes, "labels"))
        event->kind = EVENT_LABELED;
    else
        return event_ignore(r, "neither commits nor the target branch changed");
    return 0;
}

static int read_merge_request(struct event_reader *r)
{
    const json_t *change = event_field(r->body, "object_attributes");
    const char *action = event_word(r, change, "action");
    struct event *event = r->event;

    if (need_project(r) < 0)
        return -1;
    read_actor(r);
    if (read_change(r, change) < 0)
        return err_wrap(r->err, "merge_request");
    event_labels(r, event_field(r->body, "labels"), "title");
    if (!strcmp(action, "open"))
        event->kind = EVENT_OPENED;
    else if (!strcmp(action, "reopen"))
        event->kind = EVENT_REOPENED;
    else if (!strcmp(action, "close") || !strcmp(action, "merge"))
        event->kind = EVENT_CLOSED;
    else if (!strcmp(action, "update"))
        return kind_of_update(r, change);
    else
        return event_ignore(r, "nothing follows from the action '%s'", action);
    return 0;
}

static int read_note(struct event_reader *r)
{
    const json_t *note = event_field(r->body, "object_attributes");
    const json_t *change = event_field(r->body, "merge_request");
    const json_t *action = event_field(note, "action");

    if (need_project(r) < 0)
        return -1;
    read_actor(r);
    if (event_flag(note, "system"))
        return event_ignore(r, "GitLab wrote the comment itself");
    /* Before 16.11 there is no action, and no event for what is edited. */
    if (json_is_string(action) && !event_is(note, "action", "create"))
        return event_ignore(r, "only new comments are read");
    if (!event_is(note, "noteable_type", "MergeRequest") ||
        !json_is_object(change))
        return event_ignore(r, "the comment is not on a merge request");
    if (event_need_id(r, note, "id", &r->event->comment_id) < 0 ||
        read_change(r, change) < 0)
        return err_wrap(r->err, "note");
    event_labels(r, event_field(change, "labels"), "title");
    if (!event_is(change, "state", "opened"))
        return event_ignore(r, "the merge request is closed");
    event_comment(r, event_field(note, "note"));
    return 0;
}

/* ---- pushes --------------------------------------------------------------
 */

static int read_push(struct event_reader *r)
{
    struct event_person *actor = &r->event->actor;

    if (need_project(r) < 0)
        return -1;
    actor->id = event_number(r->body, "user_id");
    actor->login = event_word(r, r->body, "user_username");
    actor->is_bot = event_gitlab_bot(actor->login);
    return event_push(r, event_number(r->body, "total_commits_count"));
}

static const struct {
    const char *kind;
    int (*read)(struct event_reader *r);
} events[] = {
    {"merge_request", read_merge_request},
    {"note", read_note},
    {"push", read_push},
    {"tag_push", read_push},
};

/* The body says what it is, and is signed, where the header is not. */
int event_read_gitlab(struct event_reader *r)
{
    const char *kind = event_word(r, r->body, "object_kind");
    const char *action = event_word(r, r->body, "object_attributes.action");

    if (!*kind)
        kind = event_word(r, r->body, "event_name");
    r->event->name = *action ? event_format(r, "%s.%s", kind, action)
                             : event_format(r, "%s", kind);
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (!strcmp(kind, events[i].kind))
            return events[i].read(r);
    return event_ignore(r, "nothing follows from the event '%s'", kind);
}
