/* scheduler/report/post/outline.c - which comments a change is to have. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/post/outline.h"

#include "base/arena.h"
#include "pipelines/findings/mark.h"
#include "scheduler/forge/api/write.h"
#include "scheduler/report/post/words.h"

#include <stdlib.h>
#include <string.h>

/* ---- placing ------------------------------------------------------------- */

static int worst_first(const void *a, const void *b, void *arg)
{
    const struct findings *findings = arg;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order =
        (int)findings->items[y].severity - (int)findings->items[x].severity;

    return order ? order : (x > y) - (x < y);
}

struct outline *outline_new(const struct findings *findings,
                            const struct diff *diff)
{
    struct outline *outline = xcalloc(1, sizeof(*outline));

    outline->arena = arena_new();
    outline->findings = findings;
    outline->count = findings->count;
    outline->items = xcalloc(outline->count + 1, sizeof(*outline->items));
    outline->order = xcalloc(outline->count + 1, sizeof(*outline->order));
    for (size_t i = 0; i < outline->count; i++) {
        outline->items[i].remark =
            remark_make(outline->arena, diff, &findings->items[i]);
        outline->order[i] = i;
    }
    qsort_r(outline->order, outline->count, sizeof(*outline->order),
            worst_first, (void *)findings);
    return outline;
}

void outline_free(struct outline *outline)
{
    if (!outline)
        return;
    for (size_t i = 0; i < outline->count; i++)
        free(outline->items[i].body);
    free(outline->items);
    free(outline->order);
    for (size_t i = 0; i < outline->stale_count; i++)
        free(outline->stale[i].left);
    free(outline->stale);
    arena_free(outline->arena);
    free(outline);
}

/* ---- deciding ------------------------------------------------------------ */

static bool says_fixed(const struct forge_comment *comment)
{
    CLEANUP(mem) char *fixed = words_fixed(comment->fingerprint);

    return write_same(comment->body, fixed);
}

/* How much a comment counts beside others on the same finding. */
static int weight(const struct forge_comment *comment)
{
    if (says_fixed(comment))
        return !comment->is_resolved;
    if (!comment->is_resolved)
        return 3;
    /* What somebody dismissed was dismissed for good. */
    return comment->resolver == RESOLVER_US ? 0 : 2;
}

/* By fingerprint, the place in an array. */
static json_t *index_comments(const struct forge_comments *comments)
{
    json_t *index = json_object();

    for (size_t i = 0; i < comments->count; i++) {
        const struct forge_comment *comment = &comments->items[i];
        const json_t *there = json_object_get(index, comment->fingerprint);

        if (!there || weight(&comments->items[json_integer_value(there)]) <
                          weight(comment))
            json_object_set_new(index, comment->fingerprint,
                                json_integer((json_int_t)i));
    }
    return index;
}

static const struct forge_comment *
find_comment(const struct forge_comments *comments, const json_t *index,
             const char *fingerprint)
{
    const json_t *at = json_object_get(index, fingerprint);

    return at ? &comments->items[json_integer_value(at)] : NULL;
}

/* An open comment is of all that find it; who are the others `marks` say. */
static void write_body(struct outline_item *item, const char *marks,
                       const struct comment_style *style)
{
    struct comment_style mine = *style;

    mine.marks = marks;
    item->body = comment_write(&item->remark, &mine);
}

/* One that has a comment, or had one. False: it is new, or to be raised. */
static bool decide_known(struct outline_item *item,
                         const struct forge_comment *comment, const char *word,
                         const struct comment_style *style)
{
    item->comment = comment;
    if (comment && !comment->is_resolved &&
        !(comment->is_outdated && says_fixed(comment))) {
        write_body(item, comment->pipelines, style);
        item->kind =
            write_same(item->body, comment->body) ? OUTLINE_KEEP : OUTLINE_EDIT;
        return true;
    }
    if (!comment && !word)
        return false;
    if (word && strcmp(word, "fixed") == 0)
        return false;
    item->comment = NULL;
    item->kind = OUTLINE_SILENT;
    return true;
}

/* A thread that is shown at no line any more is left alone. */
static void decide_new(struct outline_item *item,
                       const struct outline_spec *spec)
{
    const struct forge_comment *comment = item->comment;

    item->kind = OUTLINE_POST;
    if (comment && spec->can_raise && comment->is_resolved &&
        *comment->thread && !comment->is_outdated)
        item->kind = OUTLINE_RAISE;
    else
        item->comment = NULL;
    write_body(item, NULL, &spec->style);
}

/* What only other pipelines found is not for us to find again. */
static bool is_others(const struct forge_comment *comment, const char *pipeline)
{
    return *comment->pipelines && pipeline && *pipeline &&
           !mark_among(comment->pipelines, "pipeline", pipeline);
}

/* We do not find it any more; NULL: nobody else does. */
static char *leave(const struct forge_comment *comment, const char *pipeline)
{
    CLEANUP(mem) char *body = NULL;
    CLEANUP(strbuf) struct strbuf others = STRBUF_INIT;

    if (!pipeline || !*pipeline)
        return NULL;
    body = mark_remove(comment->body, "pipeline", pipeline);
    mark_rest(body, "pipeline", &others);
    return others.len ? STEAL(body) : NULL;
}

/* Open, and of no finding, or not the one that its finding has. */
static void find_stale(struct outline *outline, const struct outline_spec *spec,
                       const json_t *index, const json_t *seen)
{
    const struct forge_comments *comments = spec->comments;

    outline->stale = xcalloc(comments->count + 1, sizeof(*outline->stale));
    for (size_t i = 0; i < comments->count; i++) {
        const struct forge_comment *comment = &comments->items[i];
        bool is_found = json_object_get(seen, comment->fingerprint);
        struct outline_stale *stale;

        if (comment->is_resolved || is_others(comment, spec->style.pipeline) ||
            (is_found &&
             find_comment(comments, index, comment->fingerprint) == comment))
            continue;
        stale = &outline->stale[outline->stale_count++];
        stale->comment = comment;
        if (!is_found)
            stale->left = leave(comment, spec->style.pipeline);
    }
}

/* Those that are there first: the others share what they leave. */
static size_t decide_old(struct outline *outline,
                         const struct outline_spec *spec, const json_t *index,
                         json_t *seen, json_t *is_new)
{
    size_t open = 0;

    for (size_t i = 0; i < outline->count; i++) {
        struct outline_item *item = &outline->items[outline->order[i]];
        const char *print = item->remark.finding->fingerprint;

        if (json_object_get(seen, print)) {
            item->kind = OUTLINE_SILENT;
            continue;
        }
        json_object_set_new(seen, print, json_true());
        if (!decide_known(
                item, find_comment(spec->comments, index, print),
                json_string_value(json_object_get(spec->posted, print)),
                &spec->style))
            json_array_append_new(is_new,
                                  json_integer((json_int_t)outline->order[i]));
        else
            open += item->kind != OUTLINE_SILENT;
    }
    return open;
}

void outline_decide(struct outline *outline, const struct outline_spec *spec)
{
    json_t *index = index_comments(spec->comments);
    json_t *seen = json_object(), *is_new = json_array(), *at;
    size_t open = decide_old(outline, spec, index, seen, is_new), i;

    json_array_foreach(is_new, i, at)
    {
        struct outline_item *item = &outline->items[json_integer_value(at)];

        /* Of what could not be listed one may be there already. */
        if (item->remark.place.where != DIFF_INLINE ||
            spec->comments->is_partial || open >= spec->max_comments) {
            item->comment = NULL;
            continue;
        }
        decide_new(item, spec);
        open++;
    }
    find_stale(outline, spec, index, seen);
    json_decref(index);
    json_decref(seen);
    json_decref(is_new);
}

/* ---- what is known ------------------------------------------------------- */

static const char *state_of(const struct forge_comment *comment,
                            const json_t *before)
{
    const char *word = json_string_value(before);

    if (says_fixed(comment))
        return "fixed";
    if (!comment->is_resolved)
        return "open";
    if (comment->resolver == RESOLVER_UNKNOWN)
        return word && strcmp(word, "fixed") == 0 ? word : "resolved";
    return comment->resolver == RESOLVER_US ? "fixed" : "resolved";
}

json_t *outline_posted(const json_t *posted,
                       const struct forge_comments *comments)
{
    json_t *all = json_object(), *index = index_comments(comments);
    const char *print;
    json_t *state, *at;

    json_object_foreach((json_t *)posted, print, state)
    {
        const char *word = json_string_value(state);
        bool is_open = word && strcmp(word, "open") == 0;

        json_object_set_new(all, print,
                            json_string(is_open && !comments->is_partial
                                            ? "gone"
                                        : word ? word
                                               : "gone"));
    }
    json_object_foreach(index, print, at)
    {
        const struct forge_comment *comment =
            &comments->items[json_integer_value(at)];

        json_object_set_new(
            all, print,
            json_string(state_of(comment, json_object_get(posted, print))));
    }
    json_decref(index);
    return all;
}
