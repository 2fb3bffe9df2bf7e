/* scheduler/intake/event_change.c - a change as its host tells of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/body.h"
#include "scheduler/forge/event_read.h"
#include "scheduler/forge/git_name.h"
#include "scheduler/intake/event_job.h"

#include "base/arena.h"
#include "base/json_texts.h"
#include "base/sha256.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *keep(struct event *event, const char *text)
{
    return arena_strndup(event->arena, text, strlen(text));
}

static int take_end(struct event *event, const json_t *end,
                    struct event_end *out, struct err *err)
{
    const char *ref = json_text_at(end, "ref"), *sha = json_text_at(end, "sha");
    const char *repo = json_text_at(end, "repo");

    if ((*ref && !git_is_ref(ref)) || (*sha && !git_is_sha(sha)) ||
        (*repo && !git_is_full_name(event->forge, repo)))
        return err_set(err, ERR_USER,
                       "the host tells of a branch, commit or repository that "
                       "is none");
    if (*ref)
        out->ref = keep(event, ref);
    if (*sha && !*out->sha)
        out->sha = keep(event, sha);
    if (*repo)
        out->repo = keep(event, repo);
    return 0;
}

static void take_labels(struct event *event, const json_t *list)
{
    size_t count = json_array_size(list);

    if (!json_is_array(list))
        return;
    if (count > EVENT_MAX_LABELS)
        count = EVENT_MAX_LABELS;
    event->labels.count = 0;
    event->labels.items =
        arena_alloc(event->arena, (count + 1) * sizeof(*event->labels.items));
    for (size_t i = 0; i < count; i++) {
        const char *label = json_string_value(json_array_get(list, i));

        if (label && strlen(label) <= EVENT_MAX_LABEL_BYTES)
            event->labels.items[event->labels.count++] = keep(event, label);
    }
}

static int take_repo(struct event *event, const json_t *answer,
                     const char *base_url, struct err *err)
{
    const char *url = json_text_at(answer, "clone_url");
    const char *branch = json_text_at(answer, "default_branch");

    if ((*url && !git_is_clone_url(url, base_url, event->repo.full_name)) ||
        (*branch && !git_is_ref(branch)))
        return err_set(err, ERR_USER,
                       "the host tells of a repository at another address");
    if (*url && !*event->repo.clone_url)
        event->repo.clone_url = keep(event, url);
    if (*branch && !*event->repo.default_branch)
        event->repo.default_branch = keep(event, branch);
    return 0;
}

int event_take_change(struct event *event, const json_t *answer,
                      const char *base_url, struct err *err)
{
    const json_t *fork = json_object_get(answer, "fork");
    const char *author = json_text_at(answer, "author");
    const char *title = json_text_at(answer, "title");
    const char *description = json_text_at(answer, "description");

    if (!json_is_boolean(fork))
        return err_set(err, ERR_USER,
                       "the host does not tell whose the change is");
    if (take_end(event, json_object_get(answer, "head"), &event->head, err) <
            0 ||
        take_end(event, json_object_get(answer, "base"), &event->base, err) <
            0 ||
        take_repo(event, answer, base_url, err) < 0)
        return -1;
    event->fork = json_is_true(fork) ? EVENT_FORK_YES : EVENT_FORK_NO;
    event->is_draft = json_is_true(json_object_get(answer, "draft"));
    take_labels(event, json_object_get(answer, "labels"));
    if (*title && strlen(title) <= EVENT_MAX_TITLE_BYTES)
        event->title = keep(event, title);
    if (*description && strlen(description) <= EVENT_MAX_DESCRIPTION_BYTES)
        event->description = keep(event, description);
    if (*author && strlen(author) <= EVENT_MAX_WORD_BYTES) {
        event->author.login = keep(event, author);
        event->author.is_bot =
            json_is_true(json_object_get(answer, "author_is_bot"));
    }
    return 0;
}

/* ---- what was missed -------------------------------------------------------
 */

static int fill_found(struct event *event, const json_t *root,
                      const char *base_url, struct err *err)
{
    const json_t *change = json_object_get(root, "change");
    const char *repo = json_text_at(root, "repo");
    size_t base = strlen(base_url);
    char *url;

    if (!git_is_full_name(event->forge, repo))
        return err_set(err, ERR_USER, "it is of no repository");
    while (base && base_url[base - 1] == '/')
        base--;
    url = xasprintf("%.*s/%s.git", (int)base, base_url, repo);
    event->repo.full_name = keep(event, repo);
    event->repo.clone_url = keep(event, url);
    free(url);
    event->installation_id =
        json_integer_value(json_object_get(root, "installation"));
    event->change = json_integer_value(json_object_get(change, "number"));
    if (event_take_change(event, change, base_url, err) < 0)
        return -1;
    if (event->change <= 0 || !*event->head.sha || !*event->base.ref)
        return err_set(err, ERR_USER, "it tells of no change");
    return 0;
}

int event_read_found(enum forge_kind forge, const char *body, size_t len,
                     const char *base_url, struct event **out_event,
                     struct err *err)
{
    CLEANUP(event) struct event *event = event_new(forge);
    json_t *root = body_parse(body, len, err);
    int rc;

    event->kind = EVENT_UPDATED;
    event->name = EVENT_FOUND;
    if (!root)
        return -1;
    rc = fill_found(event, root, base_url, err);
    json_decref(root);
    if (rc < 0)
        return -1;
    *out_event = STEAL(event);
    return 0;
}

void event_found_key(enum forge_kind forge, const char *repo, int64_t change,
                     const char *sha, char out[SHA256_HEX_SIZE])
{
    CLEANUP(mem)
    char *whole = xasprintf("%s\n%s\n%s\n%" PRId64 "\n%s", EVENT_FOUND,
                            forge_name(forge), repo, change, sha);
    struct sha256 state;

    sha256_init(&state);
    sha256_add(&state, whole, strlen(whole));
    sha256_end_hex(&state, out);
}
