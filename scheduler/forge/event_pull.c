/* scheduler/forge/event_pull.c - pull requests of GitHub and Gitea. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/event_read.h"

#include <string.h>
#include <strings.h>

/* GitHub's words, and Gitea's where they differ. */
static const struct {
    const char *action;
    enum event_kind kind;
} actions[] = {
    {"opened", EVENT_OPENED},          {"synchronize", EVENT_UPDATED},
    {"synchronized", EVENT_UPDATED},   {"reopened", EVENT_REOPENED},
    {"ready_for_review", EVENT_READY}, {"closed", EVENT_CLOSED},
    {"labeled", EVENT_LABELED},        {"unlabeled", EVENT_LABELED},
    {"label_updated", EVENT_LABELED},  {"label_cleared", EVENT_LABELED},
};

static const struct {
    const char *word;
    enum event_association association;
} associations[] = {
    {"OWNER", EVENT_ASSOCIATION_OWNER},
    {"MEMBER", EVENT_ASSOCIATION_MEMBER},
    {"COLLABORATOR", EVENT_ASSOCIATION_COLLABORATOR},
    {"CONTRIBUTOR", EVENT_ASSOCIATION_CONTRIBUTOR},
    {"FIRST_TIME_CONTRIBUTOR", EVENT_ASSOCIATION_NONE},
    {"FIRST_TIMER", EVENT_ASSOCIATION_NONE},
    {"MANNEQUIN", EVENT_ASSOCIATION_NONE},
    {"NONE", EVENT_ASSOCIATION_NONE},
};

static enum event_association association_of(const json_t *from)
{
    for (size_t i = 0; i < ARRAY_LEN(associations); i++)
        if (event_is(from, "author_association", associations[i].word))
            return associations[i].association;
    return EVENT_ASSOCIATION_UNKNOWN;
}

/* What Gitea takes for a draft unless it is set up otherwise. */
static bool is_draft_title(const char *title)
{
    return title &&
           (!strncasecmp(title, "WIP:", 4) || !strncasecmp(title, "[WIP]", 5));
}

static bool is_draft(const json_t *change)
{
    const json_t *flag = event_field(change, "draft");

    if (json_is_boolean(flag))
        return json_is_true(flag);
    return is_draft_title(json_string_value(event_field(change, "title")));
}

static int kind_of_edit(struct event_reader *r)
{
    const json_t *changes = event_field(r->body, "changes");

    if (event_field(changes, "base") || event_field(changes, "ref")) {
        r->event->kind = EVENT_UPDATED;
        return 0;
    }
    if (r->event->forge == FORGE_GITEA && !r->event->is_draft &&
        is_draft_title(json_string_value(event_field(changes, "title.from")))) {
        r->event->kind = EVENT_READY;
        return 0;
    }
    return event_ignore(r, "neither commits nor the base branch changed");
}

static int find_kind(struct event_reader *r)
{
    const char *action = event_word(r, r->body, "action");

    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (!strcmp(action, actions[i].action)) {
            r->event->kind = actions[i].kind;
            return 0;
        }
    if (!strcmp(action, "edited"))
        return kind_of_edit(r);
    return event_ignore(r, "nothing follows from the action '%s'", action);
}

/* The repository that the commits are of; null once somebody removed it. */
static int read_head_repo(struct event_reader *r, const json_t *change)
{
    struct event *event = r->event;
    const json_t *repo = event_field(change, "head.repo");

    event->fork = EVENT_FORK_YES;
    if (!json_is_object(repo))
        return 0;
    if (event_need_id(r, repo, "id", &event->head.repo_id) < 0 ||
        event_need_name(r, repo, "full_name", &event->head.repo) < 0)
        return err_wrap(r->err, "head.repo");
    if (event->head.repo_id == event->repo.id)
        event->fork = EVENT_FORK_NO;
    return 0;
}

static int read_ends(struct event_reader *r, const json_t *change)
{
    struct event *event = r->event;

    if (event_need_sha(r, change, "head.sha", &event->head.sha) < 0 ||
        event_need_ref(r, change, "head.ref", &event->head.ref) < 0 ||
        event_need_sha(r, change, "base.sha", &event->base.sha) < 0 ||
        event_need_ref(r, change, "base.ref", &event->base.ref) < 0 ||
        event_need_id(r, change, "base.repo.id", &event->base.repo_id) < 0)
        return -1;
    if (event->base.repo_id != event->repo.id)
        return err_set(r->err, ERR_USER,
                       "the change is one of another repository");
    event->base.repo = event->repo.full_name;
    return read_head_repo(r, change);
}

int event_pull_request(struct event_reader *r)
{
    struct event *event = r->event;
    const json_t *change = event_field(r->body, "pull_request");

    /* Reviews and their comments bring the pull request, too. */
    if (!json_is_object(change) ||
        json_is_object(event_field(r->body, "review")) ||
        event_field(r->body, "comment") || event_field(r->body, "thread"))
        return err_set(r->err, ERR_USER, "this is no pull request's event");
    if (event_need_repo(r) < 0 ||
        event_need_id(r, change, "number", &event->change) < 0 ||
        read_ends(r, change) < 0)
        return err_wrap(r->err, "pull_request");
    event->is_draft = is_draft(change);
    event->is_merged = event_flag(change, "merged");
    event->title = event_text(r, change, "title", EVENT_MAX_TITLE_BYTES);
    event->description =
        event_lines(r, change, "body", EVENT_MAX_DESCRIPTION_BYTES);
    event->label = event_word(r, r->body, "label.name");
    event->association = association_of(change);
    event_labels(r, event_field(change, "labels"), "name");
    event_person(r, change, "user", &event->author);
    event_person(r, r->body, "sender", &event->actor);
    return find_kind(r);
}

int event_issue_comment(struct event_reader *r)
{
    struct event *event = r->event;
    const json_t *issue = event_field(r->body, "issue");
    const json_t *comment = event_field(r->body, "comment");

    if (!json_is_object(issue) || !json_is_object(comment))
        return err_set(r->err, ERR_USER, "this is no comment's event");
    if (event_need_repo(r) < 0)
        return -1;
    event_person(r, comment, "user", &event->actor);
    if (!event_is(r->body, "action", "created"))
        return event_ignore(r, "only new comments are read");
    if (!json_is_object(event_field(issue, "pull_request")) &&
        !event_flag(r->body, "is_pull"))
        return event_ignore(r, "the comment is not on a pull request");
    if (event_need_id(r, issue, "number", &event->change) < 0 ||
        event_need_id(r, comment, "id", &event->comment_id) < 0)
        return -1;
    event_person(r, issue, "user", &event->author);
    event->association = association_of(comment);
    event->title = event_text(r, issue, "title", EVENT_MAX_TITLE_BYTES);
    event->description =
        event_lines(r, issue, "body", EVENT_MAX_DESCRIPTION_BYTES);
    event_labels(r, event_field(issue, "labels"), "name");
    if (!event_is(issue, "state", "open"))
        return event_ignore(r, "the pull request is closed");
    event_comment(r, event_field(comment, "body"));
    return 0;
}
