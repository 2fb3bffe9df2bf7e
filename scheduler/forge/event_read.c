/* scheduler/forge/event_read.c - fields of a delivery, checked one by one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/event_read.h"

#include "base/arena.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "scheduler/forge/git_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_MAX 64

const json_t *event_field(const json_t *from, const char *path)
{
    char step[STEP_MAX];
    size_t n;

    for (; from; path += n + 1) {
        n = strcspn(path, ".");
        (void)snprintf(step, sizeof(step), "%.*s", (int)n, path);
        from = json_object_get(from, step);
        if (!path[n])
            break;
    }
    return from;
}

int64_t event_number(const json_t *from, const char *path)
{
    return json_integer_value(event_field(from, path));
}

bool event_flag(const json_t *from, const char *path)
{
    return json_is_true(event_field(from, path));
}

bool event_is(const json_t *from, const char *path, const char *word)
{
    const char *text = json_string_value(event_field(from, path));

    return text && !strcmp(text, word);
}

const char *event_format(struct event_reader *r, const char *fmt, ...)
{
    CLEANUP(mem) char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    return arena_strndup(r->event->arena, text, strlen(text));
}

int event_ignore(struct event_reader *r, const char *fmt, ...)
{
    CLEANUP(mem) char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    r->event->kind = EVENT_IGNORED;
    r->event->reason = arena_strndup(r->event->arena, text, strlen(text));
    return 0;
}

/* ---- text ----------------------------------------------------------------
 */

/* Whether anything was left out, or made a space. */
static bool clean(const char *text, size_t len, size_t max, bool lines,
                  struct strbuf *out)
{
    bool changed = false;
    uint32_t c = 0;
    size_t n;

    for (size_t i = 0; i < len; i += n) {
        n = utf8_decode(text + i, len - i, &c);
        if (out->len + (n ? n : 1) > max)
            return true;
        if (n && ((lines && (c == '\n' || c == '\t')) ||
                  (!utf8_is_control(c) && !utf8_is_invisible(c)))) {
            strbuf_add(out, text + i, n);
            continue;
        }
        changed = true;
        if (lines && c == '\r' && i + 1 < len && text[i + 1] == '\n')
            continue;
        if (!n || utf8_is_control(c))
            strbuf_addc(out, ' ');
        n = n ? n : 1;
    }
    return changed;
}

static const char *text_of(struct event_reader *r, const json_t *from,
                           const char *path, size_t max, bool lines)
{
    const json_t *value = event_field(from, path);
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    if (!json_is_string(value))
        return "";
    (void)clean(json_string_value(value), json_string_length(value), max, lines,
                &out);
    return arena_strndup(r->event->arena, out.data, out.len);
}

const char *event_text(struct event_reader *r, const json_t *from,
                       const char *path, size_t max)
{
    return text_of(r, from, path, max, false);
}

const char *event_lines(struct event_reader *r, const json_t *from,
                        const char *path, size_t max)
{
    return text_of(r, from, path, max, true);
}

/* The string as it is, or NULL where it is none, or cannot be a word. */
static const char *word_of(struct event_reader *r, const json_t *value)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    if (!json_is_string(value) || !json_string_length(value) ||
        clean(json_string_value(value), json_string_length(value),
              EVENT_MAX_WORD_BYTES, false, &out))
        return NULL;
    return arena_strndup(r->event->arena, out.data, out.len);
}

const char *event_word(struct event_reader *r, const json_t *from,
                       const char *path)
{
    const char *word = word_of(r, event_field(from, path));

    return word ? word : "";
}

/* ---- what must be there --------------------------------------------------
 */

int event_need_id(struct event_reader *r, const json_t *from, const char *path,
                  int64_t *out)
{
    int64_t number = event_number(from, path);

    if (number < 1)
        return err_set(r->err, ERR_USER, "%s: no number where one is due",
                       path);
    *out = number;
    return 0;
}

/* A string without NUL that is not too long, copied; NULL for anything else. */
static const char *string_at(struct event_reader *r, const json_t *from,
                             const char *path)
{
    const json_t *value = event_field(from, path);
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (!text || len > GIT_PATH_MAX || strlen(text) != len)
        return NULL;
    return arena_strndup(r->event->arena, text, len);
}

int event_need_sha(struct event_reader *r, const json_t *from, const char *path,
                   const char **out)
{
    const char *text = string_at(r, from, path);

    if (!text || !git_is_sha(text) || git_is_zero(text))
        return err_set(r->err, ERR_USER, "%s: no commit where one is due",
                       path);
    *out = text;
    return 0;
}

int event_need_ref(struct event_reader *r, const json_t *from, const char *path,
                   const char **out)
{
    const char *text = string_at(r, from, path);

    if (!text || !git_is_ref(text))
        return err_set(r->err, ERR_USER,
                       "%s: this cannot be the name of a branch", path);
    *out = text;
    return 0;
}

int event_need_name(struct event_reader *r, const json_t *from,
                    const char *path, const char **out)
{
    const char *text = string_at(r, from, path);

    if (!text || !git_is_full_name(r->event->forge, text))
        return err_set(r->err, ERR_USER,
                       "%s: this cannot be the name of a repository", path);
    *out = text;
    return 0;
}

int event_check_address(struct event_reader *r, const json_t *url)
{
    struct event_repo *repo = &r->event->repo;
    const char *text = json_string_value(url);

    if (!text || strlen(text) != json_string_length(url) ||
        !git_is_clone_url(text, r->base_url, repo->full_name))
        return err_set(r->err, ERR_USER,
                       "the address of the repository is not that of '%s' at "
                       "%s",
                       repo->full_name, r->base_url);
    repo->clone_url = arena_strndup(r->event->arena, text, strlen(text));
    return 0;
}

int event_need_repo(struct event_reader *r)
{
    struct event_repo *repo = &r->event->repo;
    const json_t *from = event_field(r->body, "repository");
    const json_t *is_private = event_field(from, "private");
    const char *branch = string_at(r, from, "default_branch");

    if (!json_is_object(from))
        return err_set(r->err, ERR_USER, "the delivery names no repository");
    if (event_need_id(r, from, "id", &repo->id) < 0 ||
        event_need_name(r, from, "full_name", &repo->full_name) < 0 ||
        event_check_address(r, event_field(from, "clone_url")) < 0)
        return err_wrap(r->err, "repository");
    if (branch && git_is_ref(branch))
        repo->default_branch = branch;
    repo->is_private = !json_is_false(is_private);
    return 0;
}

/* ---- people and labels ---------------------------------------------------
 */

void event_person(struct event_reader *r, const json_t *from, const char *path,
                  struct event_person *out)
{
    const json_t *person = event_field(from, path);

    out->id = event_number(person, "id");
    out->login = event_word(r, person, "login");
    out->is_bot = event_is(person, "type", "Bot");
}

static void add_word(struct event_reader *r, struct event_words *words,
                     const char *word)
{
    words->items = arena_grow(r->event->arena, words->items, words->count,
                              sizeof(*words->items));
    words->items[words->count++] = word;
}

void event_labels(struct event_reader *r, const json_t *list, const char *key)
{
    struct event_words *labels = &r->event->labels;
    const char *label;

    labels->count = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        label = event_word(r, json_array_get(list, i), key);
        if (*label && labels->count < EVENT_MAX_LABELS)
            add_word(r, labels, label);
    }
}

/* ---- pushes --------------------------------------------------------------
 */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* False when a path is not told, or is none. */
static bool add_paths(struct event_reader *r, const json_t *list)
{
    struct event_words *paths = &r->event->paths;

    if (!json_is_array(list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *path = json_string_value(item);

        if (!path || strlen(path) != json_string_length(item) ||
            !git_is_path(path) || paths->count == EVENT_MAX_PATHS)
            return false;
        add_word(r, paths, arena_strndup(r->event->arena, path, strlen(path)));
    }
    return true;
}

/* Hosts leave commits out of long pushes, and say so only by their number. */
static void read_paths(struct event_reader *r, int64_t total_commits)
{
    static const char *const kinds[] = {"added", "modified", "removed"};
    const json_t *commits = event_field(r->body, "commits");
    struct event_words *paths = &r->event->paths;
    bool known = *r->event->base.sha && !event_flag(r->body, "forced") &&
                 json_array_size(commits) &&
                 (int64_t)json_array_size(commits) == total_commits;
    size_t kept = 0;

    for (size_t i = 0; known && i < json_array_size(commits); i++)
        for (size_t k = 0; known && k < ARRAY_LEN(kinds); k++)
            known =
                add_paths(r, event_field(json_array_get(commits, i), kinds[k]));
    r->event->paths_known = known;
    if (!known)
        paths->count = 0;
    if (paths->count)
        qsort(paths->items, paths->count, sizeof(*paths->items), compare_words);
    for (size_t i = 0; i < paths->count; i++)
        if (!kept || strcmp(paths->items[kept - 1], paths->items[i]) != 0)
            paths->items[kept++] = paths->items[i];
    paths->count = kept;
}

int event_push(struct event_reader *r, int64_t total_commits)
{
    static const char heads[] = "refs/heads/", tags[] = "refs/tags/";
    struct event *event = r->event;
    const char *ref = string_at(r, r->body, "ref");
    const char *before = string_at(r, r->body, "before");
    const char *after = string_at(r, r->body, "after");
    bool is_tag = ref && !strncmp(ref, tags, sizeof(tags) - 1);

    if (!ref || !before || !after || !git_is_sha(before) || !git_is_sha(after))
        return err_set(r->err, ERR_USER,
                       "a push without ref, and commits before and after it");
    if (!is_tag && strncmp(ref, heads, sizeof(heads) - 1) != 0)
        return event_ignore(r, "neither a branch nor a tag was pushed");
    ref += is_tag ? sizeof(tags) - 1 : sizeof(heads) - 1;
    if (!git_is_ref(ref))
        return err_set(r->err, ERR_USER,
                       "ref: this cannot be the name of a branch");
    event->head.ref = ref;
    event->head.repo_id = event->base.repo_id = event->repo.id;
    event->head.repo = event->base.repo = event->repo.full_name;
    event->fork = EVENT_FORK_NO;
    if (!git_is_zero(before))
        event->base.sha = before;
    if (git_is_zero(after) && is_tag)
        return event_ignore(r, "a tag is gone");
    event->kind = git_is_zero(after) ? EVENT_DELETED
                  : is_tag           ? EVENT_TAG
                                     : EVENT_PUSH;
    if (event->kind != EVENT_DELETED)
        event->head.sha = after;
    if (event->kind == EVENT_PUSH)
        read_paths(r, total_commits);
    return 0;
}

/* ---- comments ------------------------------------------------------------
 */

void event_comment(struct event_reader *r, const json_t *text)
{
    struct event *event = r->event;
    struct err why = {0};

    event->kind = EVENT_COMMAND;
    if (!json_is_string(text))
        (void)event_ignore(r, "the comment has no text");
    else if (event->actor.is_bot)
        (void)event_ignore(r, "the comment is a program's");
    else if (command_parse(json_string_value(text), json_string_length(text),
                           &event->commands, &why) < 0)
        (void)event_ignore(r, "%s", why.msg);
    else if (!event->commands.count)
        (void)event_ignore(r, "the comment has no command");
}
