/* pipelines/review/review.c - a review by a model, as questions and answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/review/review.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "pipelines/review/chunk.h"
#include "pipelines/review/prompt.h"
#include "pipelines/review/sift.h"
#include "pipelines/review/skip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_CHUNK      ((size_t)2 << 10)
#define VERIFY_AT_ONCE 8 /* claims in a question */

enum phase { FINDING, VERIFYING, OVER };

struct review {
    struct review_options options;
    const struct diff *diff; /* borrowed */
    struct chunk_list chunks;
    const char **why; /* of each file: why it is left out; NULL: it is not */

    enum phase phase;
    size_t at;      /* the chunk, or the first claim, that is asked about */
    size_t claims;  /* in this question */
    bool is_repair; /* it is asked for the second time */
    char *question; /* owned; NULL: it is to be made */
    char *last;     /* owned: an answer that is to be repaired */
    size_t last_len;
    struct err wrong; /* with it */
    char label[64];

    struct findings *raw; /* owned: what was read */
    struct candidate *items;
    size_t count;
    struct findings *result; /* owned; NULL: not yet */
    struct review_counts counts;
};

static const char no_room[] = "no room, the change is too large";

/* ---- the beginning ------------------------------------------------------- */

static void choose(struct review *r)
{
    const struct diff *diff = r->diff;
    const struct diff_file **files =
        xreallocarray(NULL, diff->count + 1, sizeof(const void *));
    CLEANUP(mem) size_t *index = xcalloc(diff->count + 1, sizeof(*index));
    CLEANUP(mem) bool *written = xcalloc(diff->count + 1, sizeof(*written));
    size_t overhead = prompt_overhead(&r->options);
    size_t room = r->options.max_prompt > overhead + MIN_CHUNK
                      ? r->options.max_prompt - overhead
                      : MIN_CHUNK;
    size_t count = 0;

    for (size_t i = 0; i < diff->count; i++) {
        r->why[i] =
            skip_why(&diff->files[i], r->options.paths, r->options.base);
        if (r->why[i])
            continue;
        index[count] = i;
        files[count++] = &diff->files[i];
    }
    chunk_make(files, count, room, REVIEW_MAX_CHUNKS, &r->chunks, written);
    for (size_t i = 0; i < count; i++)
        if (!written[i])
            r->why[index[i]] = no_room;
    for (size_t i = 0; i < diff->count; i++)
        *(r->why[i] ? &r->counts.left_out : &r->counts.files) += 1;
    free(files);
}

struct review *review_new(const struct review_options *options,
                          const struct diff *diff)
{
    struct review *r = xcalloc(1, sizeof(*r));

    r->options = *options;
    r->diff = diff;
    r->why = xcalloc(diff->count + 1, sizeof(*r->why));
    r->raw = findings_new();
    choose(r);
    r->counts.chunks = r->chunks.count;
    r->counts.unseen = r->chunks.unseen;
    return r;
}

void review_free(struct review *r)
{
    if (!r)
        return;
    chunk_list_clear(&r->chunks);
    free(r->why);
    free(r->question);
    free(r->last);
    free(r->items);
    findings_free(r->raw);
    findings_free(r->result);
    free(r);
}

/* ---- the end ------------------------------------------------------------- */

static void finish(struct review *r)
{
    sift_cap(r->items, r->count, r->options.max_findings, &r->counts);
    r->result = findings_new();
    for (size_t i = 0; i < r->count && !r->items[i].dropped; i++) {
        /* Texts stay in the arena of `raw`, which lives as long. */
        r->result->items =
            arena_grow(r->result->arena, r->result->items, r->result->count,
                       sizeof(*r->result->items));
        r->result->items[r->result->count++] = r->items[i].finding;
    }
    r->phase = OVER;
}

/* ---- phases -------------------------------------------------------------- */

/* All chunks are read. */
static void to_verifying(struct review *r)
{
    size_t kept = 0;

    r->items = xcalloc(r->raw->count + 1, sizeof(*r->items));
    for (size_t i = 0; i < r->raw->count; i++) {
        struct candidate one = {.finding = r->raw->items[i]};

        if (sift_place(&one.finding, r->diff, &r->counts))
            r->items[r->count++] = one;
    }
    r->counts.found = r->raw->count + r->raw->refused;
    sift_merge(r->items, r->count, &r->options, &r->counts);
    for (size_t i = 0; i < r->count; i++)
        if (!r->items[i].dropped)
            r->items[kept++] = r->items[i];
    r->count = kept;
    if (r->count > REVIEW_MAX_FINDINGS) {
        sift_cap(r->items, r->count, REVIEW_MAX_FINDINGS, &r->counts);
        r->count = REVIEW_MAX_FINDINGS;
    }
    r->at = 0;
    r->phase = VERIFYING;
}

static size_t claims_from(const struct review *r, size_t at)
{
    size_t left = r->count - at;

    return left < VERIFY_AT_ONCE ? left : VERIFY_AT_ONCE;
}

static void ask_find(struct review *r, struct strbuf *out)
{
    (void)snprintf(r->label, sizeof(r->label), "part %zu of %zu", r->at + 1,
                   r->chunks.count);
    prompt_find(out, &r->options, r->chunks.items[r->at].text, r->at + 1,
                r->chunks.count);
}

static void ask_verify(struct review *r, struct strbuf *out)
{
    const struct finding *items[VERIFY_AT_ONCE];

    r->claims = claims_from(r, r->at);
    for (size_t i = 0; i < r->claims; i++)
        items[i] = &r->items[r->at + i].finding;
    (void)snprintf(r->label, sizeof(r->label), "verifying %zu of %zu findings",
                   r->claims, r->count);
    prompt_verify(out, &r->options, r->diff, items, r->claims);
}

const char *review_ask(struct review *r)
{
    struct strbuf out = STRBUF_INIT;

    if (r->phase == FINDING && r->at >= r->chunks.count)
        to_verifying(r);
    if (r->phase == VERIFYING && (!r->options.verify || r->at >= r->count))
        finish(r);
    if (r->phase == OVER)
        return NULL;
    if (r->question)
        return r->question;
    /* Verdicts are asked for again as they were: the answer says little. */
    if (r->phase == VERIFYING)
        ask_verify(r, &out);
    else if (r->is_repair && r->last)
        prompt_repair(&out, &r->options, r->last, r->last_len, r->wrong.msg);
    else
        ask_find(r, &out);
    r->question = strbuf_take(&out);
    return r->question;
}

const char *review_label(const struct review *r)
{
    return r->label;
}

/* ---- answers ------------------------------------------------------------- */

static int take_findings(struct review *r, const char *text, size_t len,
                         struct err *err)
{
    static const struct findings_source source = {.tool = "review",
                                                  .workspace = "/workspace"};

    return findings_read(r->raw, FINDINGS_REVIEW, &source, text, len, err);
}

static int take_verdicts(struct review *r, const char *text, size_t len,
                         struct err *err)
{
    bool stands[VERIFY_AT_ONCE];

    if (sift_verdicts(text, len, r->claims, stands, err) < 0)
        return -1;
    for (size_t i = 0; i < r->claims; i++) {
        r->items[r->at + i].dropped = !stands[i];
        r->counts.refuted += !stands[i];
    }
    return 0;
}

static void go_on(struct review *r)
{
    r->at += r->phase == VERIFYING ? r->claims : 1;
    r->is_repair = false;
    free(STEAL(r->last));
    r->last_len = 0;
}

static void keep_wrong(struct review *r, const char *text, size_t len)
{
    r->is_repair = true;
    free(r->last);
    r->last = text ? xmemdup(text, len) : NULL;
    r->last_len = text ? len : 0;
}

int review_answer(struct review *r, const char *text, size_t len,
                  struct err *err)
{
    int rc;

    if (len > REVIEW_MAX_ANSWER)
        rc = err_set(&r->wrong, ERR_USER, "it has more than %zu bytes",
                     REVIEW_MAX_ANSWER);
    else if (!text) /* whoever gave it knows why, and has told */
        rc = err_set(&r->wrong, ERR_USER, "it is of no use");
    else if (!len)
        rc = err_set(&r->wrong, ERR_USER, "it is empty");
    else if (r->phase == VERIFYING)
        rc = take_verdicts(r, text, len, &r->wrong);
    else
        rc = take_findings(r, text, len, &r->wrong);
    free(STEAL(r->question));
    if (rc == 0) {
        go_on(r);
        return 0;
    }
    if (!r->is_repair) {
        keep_wrong(r, len > REVIEW_MAX_ANSWER ? NULL : text, len);
        return 0;
    }
    *(r->phase == VERIFYING ? &r->counts.unverified : &r->counts.failed) +=
        r->phase == VERIFYING ? r->claims : 1;
    go_on(r);
    return err_set(err, ERR_USER, "%s: the model's answer: %s", r->label,
                   r->wrong.msg);
}

/* ---- what came of it ----------------------------------------------------- */

const struct findings *review_findings(const struct review *r)
{
    return r->result;
}

const struct review_counts *review_counts(const struct review *r)
{
    return &r->counts;
}

/* One line, whatever the name is. */
static void add_left_out(struct strbuf *out, const char *path, const char *why)
{
    uint32_t c;

    for (size_t left = strlen(path), n; left; path += n, left -= n) {
        n = utf8_decode(path, left, &c);
        if (n && !utf8_is_control(c))
            strbuf_add(out, path, n);
        else
            strbuf_addc(out, '?');
        n = n ? n : 1;
    }
    strbuf_addf(out, ": %s\n", why);
}

static int by_rarity(const void *a, const void *b)
{
    const struct review_reason *x = a, *y = b;

    return x->files != y->files ? (x->files > y->files) - (x->files < y->files)
                                : strcmp(x->why, y->why);
}

size_t review_reasons(const struct review *r,
                      struct review_reason out[REVIEW_MAX_REASONS])
{
    size_t count = 0;

    for (size_t i = 0; i < r->diff->count; i++) {
        size_t k = 0;

        while (r->why[i] && k < count && strcmp(out[k].why, r->why[i]) != 0)
            k++;
        if (!r->why[i] || k == REVIEW_MAX_REASONS)
            continue;
        if (k == count)
            out[count++] = (struct review_reason){.why = r->why[i]};
        out[k].files++;
    }
    if (count)
        qsort(out, count, sizeof(*out), by_rarity);
    return count;
}

void review_left_out(const struct review *r, struct strbuf *out)
{
    struct review_reason reasons[REVIEW_MAX_REASONS];
    size_t count = review_reasons(r, reasons);

    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < r->diff->count; i++)
            if (r->why[i] && strcmp(r->why[i], reasons[k].why) == 0)
                add_left_out(out, r->diff->files[i].new_path, r->why[i]);
}
