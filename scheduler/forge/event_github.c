/* scheduler/forge/event_github.c - deliveries of GitHub. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/event_read.h"
#include "scheduler/forge/git_name.h"

#include <string.h>

#define COMMITS_MAX 2048 /* in a push; longer ones are cut there */
#define QUEUE       "gh-readonly-queue/"

static int read_ping(struct event_reader *r)
{
    if (!event_field(r->body, "hook"))
        return err_set(r->err, ERR_USER, "this is no ping");
    r->event->kind = EVENT_PING;
    /* An App's and an organisation's hook have no repository. */
    return event_field(r->body, "repository") ? event_need_repo(r) : 0;
}

static int read_push(struct event_reader *r)
{
    size_t commits = json_array_size(event_field(r->body, "commits"));

    if (event_need_repo(r) < 0)
        return -1;
    event_person(r, r->body, "sender", &r->event->actor);
    if (event_push(r, commits < COMMITS_MAX ? (int64_t)commits : -1) < 0)
        return -1;
    if (!strncmp(r->event->head.ref, QUEUE, strlen(QUEUE)))
        return event_ignore(r, "the merge queue asks by merge_group");
    return 0;
}

/* The change whose tip the check is of; a fork's push is told without. */
static void find_change(struct event_reader *r, const json_t *list)
{
    struct event *event = r->event;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *change = json_array_get(list, i);
        int64_t head = event_number(change, "head.repo.id");
        const char *ref = NULL, *base = NULL;
        int64_t number = 0;

        if (event_number(change, "base.repo.id") != event->repo.id ||
            !event_is(change, "head.sha", event->head.sha) ||
            event_need_id(r, change, "number", &number) < 0 ||
            event_need_ref(r, change, "head.ref", &ref) < 0 ||
            event_need_ref(r, change, "base.ref", &base) < 0)
            continue;
        event->change = number;
        event->head.ref = ref;
        event->head.repo_id = head;
        event->base.ref = base;
        event->base.repo_id = event->repo.id;
        event->base.repo = event->repo.full_name;
        event->fork = head == event->repo.id ? EVENT_FORK_NO : EVENT_FORK_YES;
        if (event_need_sha(r, change, "base.sha", &event->base.sha) < 0)
            event->base.sha = "";
        break;
    }
    if (r->err)
        *r->err = (struct err){0};
}

/* `check` is a check_run or a check_suite: both say what they are of. */
static int read_check(struct event_reader *r, const json_t *check,
                      const char *branch)
{
    struct event *event = r->event;

    if (event_need_repo(r) < 0 ||
        event_need_sha(r, check, "head_sha", &event->head.sha) < 0 ||
        event_need_id(r, check, "app.id", &event->check.app_id) < 0)
        return -1;
    event_person(r, r->body, "sender", &event->actor);
    event->head.ref = event_word(r, check, branch);
    if (!git_is_ref(event->head.ref))
        event->head.ref = "";
    find_change(r, event_field(check, "pull_requests"));
    return 0;
}

static int read_check_run(struct event_reader *r)
{
    const json_t *run = event_field(r->body, "check_run");
    struct event_check *check = &r->event->check;

    if (!json_is_object(run))
        return err_set(r->err, ERR_USER, "this is no check run's event");
    if (read_check(r, run, "check_suite.head_branch") < 0 ||
        event_need_id(r, run, "id", &check->id) < 0)
        return err_wrap(r->err, "check_run");
    check->suite_id = event_number(run, "check_suite.id");
    check->name = event_word(r, run, "name");
    check->external_id = event_word(r, run, "external_id");
    if (event_is(r->body, "action", "rerequested")) {
        r->event->kind = EVENT_RERUN;
        return 0;
    }
    if (!event_is(r->body, "action", "requested_action"))
        return event_ignore(r, "nobody asked for a check to be run again");
    r->event->kind = EVENT_ACTION;
    check->action = event_word(r, r->body, "requested_action.identifier");
    return 0;
}

static int read_check_suite(struct event_reader *r)
{
    const json_t *suite = event_field(r->body, "check_suite");

    if (!json_is_object(suite))
        return err_set(r->err, ERR_USER, "this is no check suite's event");
    if (read_check(r, suite, "head_branch") < 0 ||
        event_need_id(r, suite, "id", &r->event->check.suite_id) < 0)
        return err_wrap(r->err, "check_suite");
    if (event_is(r->body, "action", "requested"))
        return event_ignore(r, "pushes and pull requests tell of commits");
    if (!event_is(r->body, "action", "rerequested"))
        return event_ignore(r, "nobody asked for checks to be run again");
    r->event->kind = EVENT_RERUN;
    return 0;
}

/* refs/heads/NAME; -1 for what is no branch. */
static int need_branch(struct event_reader *r, const json_t *from,
                       const char *path, const char **out)
{
    static const char heads[] = "refs/heads/";

    if (event_need_ref(r, from, path, out) < 0)
        return -1;
    if (!strncmp(*out, heads, sizeof(heads) - 1))
        *out += sizeof(heads) - 1;
    return 0;
}

static int read_merge_group(struct event_reader *r)
{
    struct event *event = r->event;
    const json_t *group = event_field(r->body, "merge_group");

    if (!json_is_object(group))
        return err_set(r->err, ERR_USER, "this is no merge group's event");
    if (event_need_repo(r) < 0 ||
        event_need_sha(r, group, "head_sha", &event->head.sha) < 0 ||
        need_branch(r, group, "head_ref", &event->head.ref) < 0 ||
        event_need_sha(r, group, "base_sha", &event->base.sha) < 0 ||
        need_branch(r, group, "base_ref", &event->base.ref) < 0)
        return err_wrap(r->err, "merge_group");
    event->head.repo_id = event->base.repo_id = event->repo.id;
    event->head.repo = event->base.repo = event->repo.full_name;
    event->fork = EVENT_FORK_NO;
    event_person(r, r->body, "sender", &event->actor);
    if (!event_is(r->body, "action", "checks_requested"))
        return event_ignore(r, "no checks were asked for");
    event->kind = EVENT_MERGE_GROUP;
    return 0;
}

static const struct {
    const char *name;
    int (*read)(struct event_reader *r);
} events[] = {
    {"check_run", read_check_run},
    {"check_suite", read_check_suite},
    {"issue_comment", event_issue_comment},
    {"merge_group", read_merge_group},
    {"ping", read_ping},
    {"pull_request", event_pull_request},
    {"push", read_push},
};

int event_read_github(struct event_reader *r)
{
    const char *action = event_word(r, r->body, "action");

    r->event->name = *action ? event_format(r, "%s.%s", r->name, action)
                             : event_format(r, "%s", r->name);
    r->event->installation_id = event_number(r->body, "installation.id");
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (!strcmp(r->name, events[i].name))
            return events[i].read(r);
    return event_ignore(r, "nothing follows from the event '%s'", r->name);
}
