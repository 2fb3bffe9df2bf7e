/* scheduler/forge/event_read.h - fields of a delivery, checked one by one. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_EVENT_READ_H
#define SCHEDULER_FORGE_EVENT_READ_H

#include "scheduler/forge/event.h"

#include <jansson.h>

/* For event_github.c, event_gitea.c and event_gitlab.c; `from` is an object of
   the body, `path` the way to a field in it: "pull_request.head.sha". */

struct event_reader {
    struct event *event;  /* what is filled in */
    const char *base_url; /* borrowed, as is all here */
    const char *name;     /* of the header */
    const json_t *body;
    struct err *err;
};

/** One that tells nothing yet; owned by the caller. */
MUST_USE struct event *event_new(enum forge_kind forge);

/** The field, or NULL where it, or something on the way, is not there. */
const json_t *event_field(const json_t *from, const char *path);
/** A number, 0 where there is none; a bool, false where there is none. */
int64_t event_number(const json_t *from, const char *path);
bool event_flag(const json_t *from, const char *path);
/** Whether a string is there and is `word`. */
bool event_is(const json_t *from, const char *path, const char *word);

/**
 * A string of the body without controls, invisible characters and what is not
 * UTF-8, cut to `max` bytes between characters; "" where there is none.
 */
const char *event_text(struct event_reader *r, const json_t *from,
                       const char *path, size_t max);
/** The same with its lines and tabs; CR LF is LF. */
const char *event_lines(struct event_reader *r, const json_t *from,
                        const char *path, size_t max);
/** The same for what is compared with something: "" if it would be changed. */
const char *event_word(struct event_reader *r, const json_t *from,
                       const char *path);

/** Required: a number above 0. -1 and ERR_USER. */
MUST_USE int event_need_id(struct event_reader *r, const json_t *from,
                           const char *path, int64_t *out);
/** Required: a commit, not of zeros. */
MUST_USE int event_need_sha(struct event_reader *r, const json_t *from,
                            const char *path, const char **out);
/** Required: the name of a branch or tag, without refs/… in front. */
MUST_USE int event_need_ref(struct event_reader *r, const json_t *from,
                            const char *path, const char **out);
/** Required: owner/name. */
MUST_USE int event_need_name(struct event_reader *r, const json_t *from,
                             const char *path, const char **out);

/**
 * The repository of GitHub, Gitea (`repository`): id, name, address,
 * default branch. -1 as above, and when the address is another host's.
 */
MUST_USE int event_need_repo(struct event_reader *r);
/** The rest of that, once id and full_name are there; `url` is its address. */
MUST_USE int event_check_address(struct event_reader *r, const json_t *url);

/** One of `{id, login, type}`; what is not there stays 0 and "". */
void event_person(struct event_reader *r, const json_t *from, const char *path,
                  struct event_person *out);
/** Titles of `[{key}]`; what cannot be one is left out. */
void event_labels(struct event_reader *r, const json_t *list, const char *key);
/** Whether GitLab gives a user of an access token such a name. */
bool event_gitlab_bot(const char *login);
/** A push: ref, before, after, commits. Fills in the kind. */
MUST_USE int event_push(struct event_reader *r, int64_t total_commits);
/** Commands of a comment; fills in the kind. */
void event_comment(struct event_reader *r, const json_t *text);

/** EVENT_IGNORED and why; returns 0. */
int event_ignore(struct event_reader *r, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
/** printf() into the event's arena. */
const char *event_format(struct event_reader *r, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/** -1 and ERR_USER as event_read(). */
MUST_USE int event_read_github(struct event_reader *r);
MUST_USE int event_read_gitea(struct event_reader *r);
MUST_USE int event_read_gitlab(struct event_reader *r);
/** `pull_request` of GitHub and of Gitea, whose documents are alike. */
MUST_USE int event_pull_request(struct event_reader *r);
/** `issue_comment` of both. */
MUST_USE int event_issue_comment(struct event_reader *r);

#endif
