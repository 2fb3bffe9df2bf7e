/* scheduler/forge/event.h - what happened on a Git host. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_EVENT_H
#define SCHEDULER_FORGE_EVENT_H

#include "base/err.h"
#include "scheduler/forge/command.h"
#include "scheduler/forge/forge.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_MAX_LABELS            100
#define EVENT_MAX_LABEL_BYTES       255
#define EVENT_MAX_TITLE_BYTES       1024
#define EVENT_MAX_DESCRIPTION_BYTES 8192
#define EVENT_MAX_WORD_BYTES        255 /* a login, the name of a check … */
#define EVENT_MAX_PATHS             3000

enum event_kind {
    EVENT_IGNORED, /* `reason` says why */
    EVENT_PING,
    EVENT_OPENED,      /* a change: a pull or merge request */
    EVENT_UPDATED,     /* its commits, or what it goes into */
    EVENT_REOPENED,    /* may have other commits than when it was closed */
    EVENT_READY,       /* is no draft any more */
    EVENT_CLOSED,      /* merged, or not */
    EVENT_LABELED,     /* got or lost a label; `labels` are those it has now */
    EVENT_PUSH,        /* to a branch */
    EVENT_TAG,         /* a tag was put, or moved */
    EVENT_DELETED,     /* a branch is gone */
    EVENT_MERGE_GROUP, /* GitHub's merge queue asks for checks of `head` */
    EVENT_RERUN,       /* of the check in `check`, or all of its suite */
    EVENT_ACTION,      /* a button of ours: `check.action` */
    EVENT_COMMAND,     /* `commands` of a comment on a change */
};

/** Whether a change's commits are of another repository than its own. */
enum event_fork {
    EVENT_FORK_UNKNOWN, /* the delivery does not tell: ask, or take it as one */
    EVENT_FORK_NO,
    EVENT_FORK_YES, /* also when that repository is gone */
};

/** GitHub's author_association: a hint, no permission. */
enum event_association {
    EVENT_ASSOCIATION_UNKNOWN, /* the host does not say */
    EVENT_ASSOCIATION_NONE,
    EVENT_ASSOCIATION_CONTRIBUTOR,
    EVENT_ASSOCIATION_COLLABORATOR,
    EVENT_ASSOCIATION_MEMBER,
    EVENT_ASSOCIATION_OWNER,
};

struct event_repo {
    int64_t id;                 /* 0: the event is of no repository */
    const char *full_name;      /* owner/name */
    const char *clone_url;      /* below the base URL, of this name */
    const char *default_branch; /* "": not told */
    bool is_private;            /* also when it is not told */
};

/** One end of a change; of a push only `head`, and `base.sha` before it. */
struct event_end {
    const char *ref; /* a branch or a tag without refs/heads/, refs/tags/ */
    const char *sha;
    int64_t repo_id;
    const char *repo; /* owner/name */
};

struct event_person {
    int64_t id;
    const char *login;
    bool is_bot; /* as far as the host tells */
};

struct event_check {
    int64_t id;       /* 0: the whole suite */
    int64_t suite_id; /* GitHub's */
    int64_t app_id;   /* whose check it is: others' are not ours to run */
    const char *name;
    const char *external_id;
    const char *action; /* the button's identifier */
};

struct event_words {
    const char **items;
    size_t count;
};

/**
 * One form for all hosts. Strings are UTF-8, of the bounds above, and "" for
 * what the delivery does not tell; names of branches, repositories and commits
 * are as git_name.h wants them. Numbers are 0 for what is not told.
 */
struct event {
    struct arena *arena; /* owned; all strings are in it */
    enum forge_kind forge;
    enum event_kind kind;
    const char *reason; /* of EVENT_IGNORED; "" for all else */
    const char *name;   /* the host's: "pull_request.opened", "note" … */
    struct event_repo repo;
    int64_t installation_id; /* of a GitHub App */

    int64_t change; /* its number in the repository */
    struct event_end head, base;
    enum event_fork fork;
    bool is_draft, is_merged;
    const char *title;       /* one line, cut to its bound */
    const char *description; /* of the change; lines, cut to its bound */
    struct event_words labels;
    const char *label;          /* of EVENT_LABELED, where told: which one */
    struct event_person author; /* of the change */
    struct event_person actor;  /* who did this now; of a comment, its author */
    enum event_association association; /* author's; of a comment, actor's */

    bool paths_known;         /* `paths` are all that a push changed */
    struct event_words paths; /* each once */

    struct event_check check;
    struct command_list commands;
    int64_t comment_id;
};

/** What a delivery says of itself; all borrowed. */
struct event_source {
    enum forge_kind forge;
    const char *name; /* of an unsigned header; struct delivery's `event` */
    const char *body;
    size_t len;
    const char *base_url; /* the host's, as configured: https://host[/path] */
};

/**
 * Read a delivery whose signature is good. 0 and an event, owned by the caller,
 * which may be EVENT_IGNORED. -1 and ERR_USER for one that cannot be
 * understood, or says what must not be: too large, no JSON, a repository at
 * another address, a commit or branch that is none. Sending it again will not
 * help, so hosts are answered 2xx, with the message.
 *
 * The name of the event is not signed: it only chooses among what the body can
 * mean, and a body that does not have that event's form is refused.
 */
MUST_USE int event_read(const struct event_source *source,
                        struct event **out_event, struct err *err);

/** NULL is fine. */
void event_free(struct event *event);
OWNER(event)

/** "opened", "push" …: stable words. Static. */
const char *event_kind_name(enum event_kind kind);
/** "unknown", "no", "yes". Static. */
const char *event_fork_name(enum event_fork fork);
/** "unknown", "none", "contributor" … "owner". Static. */
const char *event_association_name(enum event_association association);

#endif
