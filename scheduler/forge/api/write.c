/* scheduler/forge/api/write.c - what the writing halves of drivers share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/write.h"

#include "base/arena.h"
#include "base/json_texts.h"
#include "base/utf8.h"
#include "pipelines/findings/fingerprint.h"
#include "pipelines/findings/mark.h"
#include "scheduler/forge/api/api_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- addresses ----------------------------------------------------------- */

static char *repo_path(const struct api *api, const struct forge_target *target)
{
    const char *slash = strchr(target->repo, '/');
    CLEANUP(mem) char *owner = NULL;
    CLEANUP(mem) char *owner_part = NULL;
    CLEANUP(mem) char *name = NULL;

    if (api_kind(api) == FORGE_GITLAB || !slash) {
        name = api_encode(target->repo);
        return xasprintf(
            api_kind(api) == FORGE_GITLAB ? "/projects/%s" : "/repos/%s", name);
    }
    owner_part = xstrndup(target->repo, (size_t)(slash - target->repo));
    owner = api_encode(owner_part);
    name = api_encode(slash + 1);
    return xasprintf("/repos/%s/%s", owner, name);
}

char *write_path(const struct api *api, const struct forge_target *target,
                 const char *fmt, ...)
{
    CLEANUP(mem) char *repo = repo_path(api, target);
    CLEANUP(mem) char *rest = NULL;
    va_list ap;

    va_start(ap, fmt);
    rest = xvasprintf(fmt, ap);
    va_end(ap);
    return xasprintf("%s%s", repo, rest);
}

int write_send(struct api *api, const char *method, const char *path,
               json_t *body, json_t **out, struct err *err)
{
    const struct api_request request = {
        .method = method, .path = path, .body = body, .is_write = true};
    CLEANUP(api_answer) struct api_answer answer = {0};
    int rc = api_send(api, &request, &answer, err);

    json_decref(body);
    if (rc == 0 && out)
        *out = STEAL(answer.json);
    return rc;
}

/* ---- texts --------------------------------------------------------------- */

char *write_cut(const char *text, size_t max)
{
    size_t len = strlen(text), at = 0, units = 0, fits = 0;
    uint32_t c;

    while (at < len) {
        size_t n = utf8_decode(text + at, len - at, &c);
        size_t width = n && c > 0xffff ? 2 : 1;

        if (units + width > max)
            return xasprintf("%.*s\xe2\x80\xa6", (int)fits, text);
        units += width;
        at += n ? n : 1;
        if (units < max)
            fits = at;
    }
    return xstrdup(text);
}

static size_t trimmed(const char *s)
{
    size_t len = strlen(s);

    while (len && strchr(" \t\r\n", s[len - 1]))
        len--;
    return len;
}

bool write_same(const char *a, const char *b)
{
    const char *a_end = a + trimmed(a), *b_end = b + trimmed(b);

    while (a < a_end && b < b_end) {
        if (*a == '\r' && a[1] == '\n')
            a++;
        if (*b == '\r' && b[1] == '\n')
            b++;
        if (*a++ != *b++)
            return false;
    }
    return a == a_end && b == b_end;
}

char *write_id(const json_t *object, const char *key)
{
    const json_t *id = json_object_get(object, key);

    if (!json_is_integer(id))
        return xstrdup("");
    return xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(id));
}

/* ---- whose --------------------------------------------------------------- */

bool write_is_by(const json_t *item, const char *login)
{
    const char *name = json_text_at(json_object_get(item, "user"), "login");

    if (!*name)
        name = json_text_at(json_object_get(item, "author"), "username");
    return *name && strcasecmp(name, login) == 0;
}

enum forge_resolver write_resolver(const json_t *user, const char *login)
{
    static const char bot[] = "[bot]";
    const char *name = json_text_at(user, "login");
    size_t len = strlen(login), tail = sizeof(bot) - 1;

    if (!*name)
        name = json_text_at(user, "username");
    if (!*name)
        return RESOLVER_UNKNOWN;
    if (strcasecmp(name, login) == 0)
        return RESOLVER_US;
    if (len > tail && strcmp(login + len - tail, bot) == 0 &&
        strlen(name) == len - tail && strncasecmp(name, login, len - tail) == 0)
        return RESOLVER_US;
    return RESOLVER_OTHER;
}

static const char *copy(struct arena *arena, const char *s)
{
    return s ? arena_strndup(arena, s, strlen(s)) : "";
}

void comments_add(struct forge_comments *comments,
                  const struct forge_comment *comment)
{
    CLEANUP(strbuf) struct strbuf mark = STRBUF_MAX(MARK_MAX_VALUE + 1);
    CLEANUP(strbuf) struct strbuf pipelines = STRBUF_INIT;
    struct forge_comment *made;

    if (!mark_read(comment->body, "finding", &mark) ||
        !fingerprint_ok(mark.data))
        return;
    if (!comments->arena)
        comments->arena = arena_new();
    comments->items = arena_grow(comments->arena, comments->items,
                                 comments->count, sizeof(*comments->items));
    made = &comments->items[comments->count++];
    *made = *comment;
    made->id = copy(comments->arena, comment->id);
    made->thread = copy(comments->arena, comment->thread);
    made->fingerprint = copy(comments->arena, mark.data);
    mark_rest(comment->body, "pipeline", &pipelines);
    made->pipelines = copy(comments->arena, pipelines.data);
    made->body = copy(comments->arena, comment->body);
}

void forge_comments_clear(struct forge_comments *comments)
{
    arena_free(comments->arena);
    *comments = (struct forge_comments){0};
}

void forge_diff_clear(struct forge_diff *diff)
{
    free(diff->text);
    *diff = (struct forge_diff){0};
}

/* ---- statuses ------------------------------------------------------------ */

int check_rank(enum check_state state)
{
    return state == CHECK_QUEUED ? 0 : state == CHECK_RUNNING ? 1 : 2;
}

static const char *status_state(enum check_state state)
{
    static const char *const words[] = {
        [CHECK_QUEUED] = "pending",   [CHECK_RUNNING] = "pending",
        [CHECK_PASSED] = "success",   [CHECK_FAILED] = "failure",
        [CHECK_CANCELLED] = "error",  [CHECK_SKIPPED] = "success",
        [CHECK_TIMED_OUT] = "failure"};

    return words[state];
}

/* The host's own order is by seconds. */
static json_t *status_find(const json_t *list, const char *context)
{
    json_t *item, *found = NULL;
    json_int_t best = -1;
    size_t i;

    json_array_foreach(list, i, item)
    {
        json_int_t id = json_integer_value(json_object_get(item, "id"));

        if (strcasecmp(json_text_at(item, "context"), context) != 0 ||
            id <= best)
            continue;
        found = item;
        best = id;
    }
    return found;
}

/* Gitea calls the state "status". */
static bool status_stands(const json_t *there, const struct forge_check *check,
                          const char *description)
{
    const char *state = json_text_at(there, "state");
    const char *url = json_text_at(there, "target_url");

    if (!*state)
        state = json_text_at(there, "status");
    if (strcmp(url, check->url) != 0)
        return false;
    if (*url && check_rank(check->state) < 2 && strcmp(state, "pending") != 0)
        return true;
    return strcmp(state, status_state(check->state)) == 0 &&
           write_same(json_text_at(there, "description"), description);
}

struct status_search {
    const char *context; /* borrowed */
    json_t *found;       /* owned; NULL: none */
};

/* The youngest come first: where one is, it is. */
static bool status_search(void *arg, const json_t *page)
{
    struct status_search *search = arg;

    search->found = json_incref(status_find(page, search->context));
    return !search->found;
}

int status_put(struct api *api, const struct forge_check *check,
               const char *list, const char *post, size_t max_description,
               struct err *err)
{
    CLEANUP(mem) char *description = write_cut(check->title, max_description);
    const struct api_request request = {.method = "GET", .path = list};
    struct status_search search = {.context = check->name};
    json_t *body;
    int rc = api_pages(api, &request, status_search, &search, NULL, err);
    bool stands =
        search.found && status_stands(search.found, check, description);

    json_decref(search.found);
    if (rc < 0)
        return -1;
    if (stands)
        return 0;
    body = json_pack("{s:s, s:s, s:s}", "state", status_state(check->state),
                     "context", check->name, "description", description);
    if (*check->url)
        json_object_set_new(body, "target_url", json_string(check->url));
    return write_send(api, "POST", post, body, NULL, err);
}

/* ---- the one comment of a change ----------------------------------------- */

/* Which comment is meant, and what it is to say; all borrowed. */
struct sticky_mark {
    const char *login, *key, *body;
};

static bool is_sticky(const json_t *item, const struct sticky_mark *wanted)
{
    CLEANUP(strbuf) struct strbuf mark = STRBUF_MAX(MARK_MAX_VALUE + 1);

    return write_is_by(item, wanted->login) &&
           mark_read(json_text_at(item, "body"), "summary", &mark) &&
           strcmp(mark.data, wanted->key) == 0;
}

static const json_t *sticky_find(const json_t *list,
                                 const struct sticky_mark *mark)
{
    const json_t *item, *found = NULL;
    json_int_t least = 0;
    size_t i;

    json_array_foreach(list, i, item)
    {
        json_int_t id = json_integer_value(json_object_get(item, "id"));

        if (!is_sticky(item, mark) || (found && id >= least))
            continue;
        found = item;
        least = id;
    }
    return found;
}

/* A merge request's notes, or the comments of the issue that a pull is. */
struct sticky_paths {
    char *all, *one; /* owned; the id goes behind `one` */
    const char *edit;
};

static struct sticky_paths sticky_paths(const struct api *api,
                                        const struct forge_target *target)
{
    bool notes = api_kind(api) == FORGE_GITLAB;
    struct sticky_paths paths = {.edit = notes ? "PUT" : "PATCH"};

    paths.all = write_path(api, target,
                           notes ? "/merge_requests/%" PRId64 "/notes"
                                 : "/issues/%" PRId64 "/comments",
                           target->change);
    paths.one = notes ? xasprintf("%s/", paths.all)
                      : write_path(api, target, "/issues/comments/");
    return paths;
}

static int sticky_send(struct api *api, const char *method, const char *one,
                       const json_t *item, json_t *body, struct err *err)
{
    CLEANUP(mem) char *id = write_id(item, "id");
    CLEANUP(mem) char *path = xasprintf("%s%s", one, id);

    return write_send(api, method, path, body, NULL, err);
}

static int sticky_write(struct api *api, const struct sticky_paths *paths,
                        const json_t *list, const struct sticky_mark *mark,
                        bool create, struct err *err)
{
    const json_t *found = sticky_find(list, mark), *item;
    size_t i;

    if (!found)
        return create ? write_send(api, "POST", paths->all,
                                   json_pack("{s:s}", "body", mark->body), NULL,
                                   err)
                      : 0;
    json_array_foreach(list, i, item)
    {
        if (item != found && is_sticky(item, mark) &&
            sticky_send(api, "DELETE", paths->one, item, NULL, err) < 0)
            return -1;
    }
    if (write_same(json_text_at(found, "body"), mark->body))
        return 0;
    return sticky_send(api, paths->edit, paths->one, found,
                       json_pack("{s:s}", "body", mark->body), err);
}

int sticky_put(struct api *api, const struct forge_target *target,
               const char *key, const char *body, bool create, struct err *err)
{
    struct sticky_mark mark = {.key = key, .body = body};
    struct sticky_paths paths = sticky_paths(api, target);
    CLEANUP(mem) char *pages = xasprintf("%s?per_page=100", paths.all);
    json_t *list = NULL;
    bool all = false;
    int rc = api_self(api, &mark.login, err);

    if (rc == 0)
        rc = api_list(api, pages, &list, &all, err);
    if (rc == 0 && create && !all && !sticky_find(list, &mark))
        rc = api_fail(api, (struct api_failure){API_REFUSED, 200, 0}, err,
                      "GET %.200s: too many comments to find the summary among "
                      "them, so none is made",
                      paths.all);
    else if (rc == 0)
        rc = sticky_write(api, &paths, list, &mark, create, err);
    json_decref(list);
    free(paths.all);
    free(paths.one);
    return rc;
}

/* ---- diffs, file by file ------------------------------------------------- */

static void add_name(struct strbuf *out, const char *prefix, const char *path)
{
    strbuf_addf(out, "\"%s", prefix);
    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;

        if (c == '"' || c == '\\')
            strbuf_addf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            strbuf_addf(out, "\\%03o", c);
        else
            strbuf_addc(out, (char)c);
    }
    strbuf_adds(out, "\"");
}

static void add_side(struct strbuf *out, const char *sign, const char *prefix,
                     const char *path, bool there)
{
    strbuf_adds(out, sign);
    if (there)
        add_name(out, prefix, path);
    else
        strbuf_adds(out, "/dev/null");
    strbuf_addc(out, '\n');
}

/* All names in quotes: then there is one way to read each. */
void patch_add(struct strbuf *out, const struct patch_file *file)
{
    size_t len = strlen(file->patch);

    strbuf_adds(out, "diff --git ");
    add_name(out, "a/", file->old_path);
    strbuf_addc(out, ' ');
    add_name(out, "b/", file->new_path);
    strbuf_addc(out, '\n');
    if (file->is_new)
        strbuf_adds(out, "new file mode 100644\n");
    if (file->is_deleted)
        strbuf_adds(out, "deleted file mode 100644\n");
    if (file->is_renamed) {
        add_side(out, "rename from ", "", file->old_path, true);
        add_side(out, "rename to ", "", file->new_path, true);
    }
    if (!len)
        return;
    add_side(out, "--- ", "a/", file->old_path, !file->is_new);
    add_side(out, "+++ ", "b/", file->new_path, !file->is_deleted);
    strbuf_add(out, file->patch, len);
    if (file->patch[len - 1] != '\n')
        strbuf_addc(out, '\n');
}
