/* scheduler/report/post/report.c - the op `report`: what a host is to show. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/post/report.h"

#include "base/arena.h"
#include "pipelines/findings/fingerprint.h"
#include "scheduler/forge/api/write.h"
#include "scheduler/report/post/ask.h"
#include "scheduler/report/post/outline.h"
#include "scheduler/report/post/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NOTES 50

struct report {
    struct api *api;                   /* borrowed */
    const struct forge_driver *driver; /* borrowed */
    struct report_ask ask;
    unsigned requests; /* before this op */

    struct findings *findings;      /* owned; NULL: none */
    struct forge_diff text;         /* owned */
    struct diff *diff;              /* owned; empty where there is none */
    struct outline *outline;        /* owned; NULL without findings */
    struct forge_comments comments; /* owned */
    bool knows_diff;                /* so places are known */
    bool may_comment;               /* on this commit, by this job */

    json_t *posted, *notes; /* owned */
    size_t made, resolved;

    struct err failed;  /* the first to be tried again */
    struct err refused; /* the first that was not */
    bool done_any;      /* some part was done */
    bool paused;        /* by the host */
};

/* ---- what failed --------------------------------------------------------- */

static void note(struct report *report, const char *text)
{
    if (json_array_size(report->notes) < MAX_NOTES)
        json_array_append_new(report->notes, json_string(text));
}

/*
 * Take the end of a request. True: it was done. What was refused is noted, for
 * the other parts can be done all the same.
 */
static bool settle(struct report *report, int rc, const struct err *err)
{
    if (rc == 0)
        return true;
    if (err->kind == ERR_USER) {
        note(report, err->msg);
        if (!report->refused.kind)
            report->refused = *err;
        return false;
    }
    if (!report->failed.kind)
        report->failed = *err;
    report->paused |= api_failed(report->api).kind == API_PAUSED;
    return false;
}

/* The same, of one that people see. */
static bool settle_write(struct report *report, int rc, const struct err *err)
{
    report->done_any |= rc == 0;
    return settle(report, rc, err);
}

/* ---- what there is to say ------------------------------------------------ */

static int read_findings(struct report *report, struct err *err)
{
    static const struct findings_source source = {0};
    char *text;
    int rc;

    if (!report->ask.findings)
        return 0;
    text = json_dumps(report->ask.findings, JSON_COMPACT);
    report->findings = findings_new();
    rc = findings_read(report->findings, FINDINGS_OWN, &source, text,
                       strlen(text), err);
    free(text);
    return rc;
}

/* Without the diff all is a row, and the check has no annotations yet. */
static void read_diff(struct report *report)
{
    const struct report_ask *ask = &report->ask;
    struct err err = {0};
    int rc;

    report->knows_diff = true;
    if (!ask->latest || !ask->target.change || !report->findings)
        return;
    rc = report->driver->diff(report->api, &ask->target, &report->text, &err);
    report->knows_diff = settle(report, rc, &err);
    if (rc == 0 && strcmp(report->text.head_sha, ask->target.commit) != 0) {
        note(report, "the change has a younger commit: only the check of this "
                     "one was written");
        return;
    }
    report->may_comment = rc == 0 || err.kind == ERR_USER;
}

static void make_outline(struct report *report)
{
    const char *text = report->may_comment ? report->text.text : NULL;

    report->diff = diff_parse(text ? text : "", text ? report->text.len : 0,
                              report->text.truncated);
    if (!report->findings)
        return;
    findings_fingerprint(report->findings, text ? fingerprint_diff_line : NULL,
                         report->diff);
    report->outline = outline_new(report->findings, report->diff);
}

/* ---- the check ----------------------------------------------------------- */

static void write_check(struct report *report)
{
    CLEANUP(arena) struct arena *arena = arena_new();
    struct forge_check check = report->ask.check;
    CLEANUP(mem) char *title = words_title(&report->ask, report->findings);
    CLEANUP(mem)
    char *summary = words_check(&report->ask, title, report->findings);
    struct err err = {0};
    size_t left = 0;
    int rc;

    check.title = title;
    check.summary = summary;
    if (report->outline && report->knows_diff && report->driver->can_annotate &&
        api_is_app(report->api)) {
        check.annotations =
            words_annotations(arena, report->outline, !report->may_comment,
                              &check.annotation_count, &left);
        if (left)
            note(report, "there are more annotations than a check can have");
    }
    rc = report->driver->check(report->api, &report->ask.target, &check, &err);
    settle_write(report, rc, &err);
}

/* ---- comments ------------------------------------------------------------ */

static void set_posted(struct report *report, const char *fingerprint,
                       const char *state)
{
    json_object_set_new(report->posted, fingerprint, json_string(state));
}

/* What we resolved and is found again. Who may not gets a new comment. */
static void raise_again(struct report *report)
{
    const struct forge_driver *driver = report->driver;

    for (size_t i = 0; i < report->outline->count && !report->paused; i++) {
        struct outline_item *item = &report->outline->items[i];
        struct err err = {0};
        int rc;

        if (item->kind != OUTLINE_RAISE)
            continue;
        rc = driver->resolve(report->api, &report->ask.target, item->comment,
                             false, &err);
        if (!settle_write(report, rc, &err)) {
            if (err.kind == ERR_USER) {
                item->kind = OUTLINE_POST;
                item->comment = NULL;
            }
            continue;
        }
        item->kind = write_same(item->body, item->comment->body) ? OUTLINE_KEEP
                                                                 : OUTLINE_EDIT;
        set_posted(report, item->comment->fingerprint, "open");
        report->made++;
    }
}

/* All new ones in one review, the worst first. */
static void post_new(struct report *report)
{
    struct outline *outline = report->outline;
    CLEANUP(mem)
    struct forge_remark *remarks =
        xcalloc(outline->count + 1, sizeof(*remarks));
    CLEANUP(mem)
    size_t *places = xcalloc(outline->count + 1, sizeof(*places));
    bool errors = false;
    struct err err = {0};
    size_t count = 0;
    int rc;

    for (size_t i = 0; i < outline->count; i++) {
        struct outline_item *item = &outline->items[outline->order[i]];

        if (item->kind != OUTLINE_POST)
            continue;
        errors |= item->remark.finding->severity == FINDING_ERROR;
        places[count] = outline->order[i];
        remarks[count++] = (struct forge_remark){.place = &item->remark.place,
                                                 .body = item->body};
    }
    if (!count)
        return;
    rc = report->driver->review(report->api, &report->ask.target, &report->text,
                                remarks, count,
                                errors && report->ask.request_changes, &err);
    if (!settle_write(report, rc, &err)) {
        if (err.kind != ERR_USER)
            return;
        for (size_t i = 0; i < count; i++)
            remarks[i].refused = true;
    }
    for (size_t i = 0; i < count; i++) {
        struct outline_item *item = &outline->items[places[i]];

        if (remarks[i].refused) {
            item->kind = OUTLINE_ROW;
            continue;
        }
        set_posted(report, item->remark.finding->fingerprint, "open");
        report->made++;
    }
}

static void note_refused_rows(struct report *report, size_t before)
{
    size_t rows = 0;
    char text[96];

    for (size_t i = 0; i < report->outline->count; i++)
        rows += report->outline->items[i].kind == OUTLINE_ROW;
    if (rows <= before)
        return;
    snprintf(text, sizeof(text),
             "%zu comments were not taken, and are in the summary",
             rows - before);
    note(report, text);
}

static size_t count_kind(const struct outline *outline, enum outline_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < outline->count; i++)
        count += outline->items[i].kind == kind;
    return count;
}

static void edit_changed(struct report *report)
{
    for (size_t i = 0; i < report->outline->count && !report->paused; i++) {
        const struct outline_item *item = &report->outline->items[i];
        struct err err = {0};
        int rc;

        if (item->kind != OUTLINE_EDIT)
            continue;
        rc = report->driver->edit(report->api, &report->ask.target,
                                  item->comment, item->body, &err);
        if (settle_write(report, rc, &err))
            set_posted(report, item->comment->fingerprint, "open");
    }
}

/* An answer to the question whether what is not found is fixed. */
static bool found_all(const struct report *report)
{
    const struct report_ask *ask = &report->ask;

    return !report->findings->overflow && !ask->partial &&
           (ask->check.state == CHECK_PASSED ||
            (ask->check.state == CHECK_FAILED &&
             (!*ask->reason || strcmp(ask->reason, "step_failed") == 0)));
}

static void close_one(struct report *report,
                      const struct forge_comment *comment)
{
    const struct forge_driver *driver = report->driver;
    const struct forge_target *target = &report->ask.target;
    CLEANUP(mem) char *body = words_fixed(comment->fingerprint);
    struct err err = {.kind = ERR_USER};
    int rc = -1;

    if (write_same(comment->body, body))
        return;
    if (driver->resolve && *comment->thread)
        rc = driver->resolve(report->api, target, comment, true, &err);
    /* Without the right to resolve, too. */
    if (rc < 0 && err.kind == ERR_USER)
        rc = driver->edit(report->api, target, comment, body, &err);
    report->resolved += settle_write(report, rc, &err);
}

static void leave_one(struct report *report, const struct outline_stale *stale)
{
    struct err err = {0};
    int rc = report->driver->edit(report->api, &report->ask.target,
                                  stale->comment, stale->left, &err);

    settle_write(report, rc, &err);
}

/* Of two comments on one finding the other stays open. */
static void close_stale(struct report *report)
{
    const struct outline *outline = report->outline;

    if (!found_all(report))
        return;
    for (size_t i = 0; i < outline->stale_count && !report->paused; i++) {
        const struct forge_comment *comment = outline->stale[i].comment;
        bool is_other = false;

        if (outline->stale[i].left) {
            leave_one(report, &outline->stale[i]);
            continue;
        }
        close_one(report, comment);
        for (size_t k = 0; k < outline->count; k++)
            is_other |= outline->items[k].comment &&
                        strcmp(outline->items[k].comment->fingerprint,
                               comment->fingerprint) == 0;
        if (!is_other)
            set_posted(report, comment->fingerprint, "fixed");
    }
}

/* False: what is there is not known now, so nothing can be decided. */
static bool decide(struct report *report)
{
    const struct forge_driver *driver = report->driver;
    struct outline_spec spec = {
        .comments = &report->comments,
        .style = {.suggestion = (enum suggestion_style)driver->suggestion,
                  .max = driver->max_body,
                  .pipeline = report->ask.key},
        .can_raise = driver->resolve != NULL,
        .max_comments = report->ask.max_comments};
    struct err err = {0};
    json_t *posted;

    if (!settle(report,
                driver->comments(report->api, &report->ask.target,
                                 &report->comments, &err),
                &err))
        return err.kind == ERR_USER;
    posted = outline_posted(report->posted, &report->comments);
    json_decref(report->posted);
    report->posted = posted;
    spec.posted = posted;
    if (report->comments.is_partial)
        note(report, "the change has too many comments: no new ones");
    outline_decide(report->outline, &spec);
    return true;
}

static bool write_comments(struct report *report)
{
    size_t rows;

    if (!decide(report))
        return false;
    rows = count_kind(report->outline, OUTLINE_ROW);
    raise_again(report);
    if (!report->paused)
        post_new(report);
    note_refused_rows(report, rows);
    if (!report->paused)
        edit_changed(report);
    if (!report->paused)
        close_stale(report);
    return !report->paused;
}

/* ---- the summary --------------------------------------------------------- */

static void write_summary(struct report *report)
{
    const struct outline *outline = report->outline;
    CLEANUP(mem)
    char *body = words_summary(&report->ask, outline, report->driver->max_body);
    bool has_news = count_kind(outline, OUTLINE_SILENT) < outline->count ||
                    report->findings->overflow;
    struct err err = {0};

    int rc;

    rc = sticky_put(report->api, &report->ask.target, report->ask.key, body,
                    has_news, &err);
    settle_write(report, rc, &err);
}

/* ---- the op -------------------------------------------------------------- */

static void report_clear(struct report *report)
{
    outline_free(report->outline);
    findings_free(report->findings);
    diff_free(report->diff);
    forge_diff_clear(&report->text);
    forge_comments_clear(&report->comments);
    json_decref(report->posted);
    json_decref(report->notes);
}

static int finish(struct report *report, json_t **out, struct err *err)
{
    const struct err *why = report->failed.kind ? &report->failed
                            : report->done_any  ? NULL
                                                : &report->refused;

    if (why) {
        if (err)
            *err = *why;
        return -1;
    }
    *out = json_pack("{s:O, s:I, s:I, s:I, s:O}", "posted", report->posted,
                     "comments", (json_int_t)report->made, "resolved",
                     (json_int_t)report->resolved, "requests",
                     (json_int_t)(api_requests(report->api) - report->requests),
                     "notes", report->notes);
    return 0;
}

int report_op(struct api *api, const struct forge_driver *driver,
              const json_t *ask, json_t **out, struct err *err)
{
    struct report report = {
        .api = api, .driver = driver, .requests = api_requests(api)};
    int rc;

    if (report_ask_read(ask, &report.ask, err) < 0 ||
        read_findings(&report, err) < 0) {
        report_clear(&report);
        return -1;
    }
    report.notes = json_array();
    report.posted = json_is_object(report.ask.posted)
                        ? json_deep_copy(report.ask.posted)
                        : json_object();
    /* Another scheduler's `forge` may have told the last job. */
    api_after_others(api);
    api_for_repo(api, report.ask.target.repo, report.ask.target.installation,
                 true);
    read_diff(&report);
    make_outline(&report);
    if (!report.paused)
        write_check(&report);
    /* What was not taken has its row. */
    if (report.may_comment && !report.paused && write_comments(&report))
        write_summary(&report);
    rc = finish(&report, out, err);
    report_clear(&report);
    return rc;
}
