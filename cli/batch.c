/* cli/batch.c - berth batch: one question about many repositories. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/batch_list.h"
#include "cli/commands.h"
#include "cli/put_in.h"
#include "cli/report.h"
#include "cli/review_output.h"
#include "cli/text.h"
#include "pipelines/findings/comment.h"
#include "pipelines/findings/mark.h"
#include "scheduler/queue/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)4 << 20)

struct batch_options {
    struct pool_options pool;
    const char *out;
    struct batch_list *list; /* borrowed; no option */
    const char *file;        /* the same */
};

#define FIELD(member) offsetof(struct batch_options, member)

static const struct option_def option_defs[] = {
    {"out", 'o', "DIR", "where what was found goes (default: batch)",
     OPTION_STRING, FIELD(out)},
    POOL_OPTION_DEFS(struct batch_options, pool),
};

const struct command command_batch = {
    .name = "batch",
    .operands = "LIST",
    .summary = "Ask a model one thing about many repositories or paths.",
    .details =
        "Each entry of LIST (docs/reviews.md) is a job of the queue, whose "
        "workers do\nthem. Writes NAME.findings.json and NAME.summary.md of "
        "each into DIR, and\nsummary.md of all. Started again, whatever "
        "stopped it, it does only what is\nnot done: an entry that has its "
        "files is left alone, one whose job is in the\nqueue is waited for, "
        "one that failed is run again.\n\n"
        "exit status: 0 all are done, 1 some failed, 2 wrong usage or a wrong "
        "list,\n3 Redis is away",
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .min_operands = 1,
    .max_operands = 1,
    .main = cmd_batch,
};

/* ---- what is done ----------------------------------------------------------
 */

static char *path_of(const struct batch_options *o, const char *name,
                     const char *suffix)
{
    return xasprintf("%s/%s%s", o->out, name, suffix);
}

static int read_file(const struct batch_options *o, const char *name,
                     const char *suffix, struct strbuf *out)
{
    CLEANUP(mem) char *path = path_of(o, name, suffix);
    struct err ignored;

    return file_read(path, FILE_MAX, out, &ignored);
}

/* Its summary, which is written last, names the job. */
static bool is_done(const struct batch_options *o,
                    const struct batch_entry *entry)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf id = STRBUF_INIT;

    return read_file(o, entry->name, ".summary.md", &text) == 0 &&
           mark_read(text.data, "batch", &id) &&
           strcmp(id.data, entry->id) == 0;
}

static int write_file(const struct batch_options *o, const char *name,
                      const char *suffix, const struct strbuf *text,
                      struct err *err)
{
    CLEANUP(mem) char *path = path_of(o, name, suffix);

    return file_write(path, text->data, text->len, 0644, err);
}

static int write_entry(const struct batch_options *o,
                       const struct batch_entry *entry,
                       const struct findings *findings, struct err *err)
{
    CLEANUP(strbuf) struct strbuf json = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf summary = STRBUF_INIT;

    review_output_add(&json, REVIEW_JSON, findings);
    mark_write(&summary, "batch", entry->id);
    review_output_add(&summary, REVIEW_MD, findings);
    return write_file(o, entry->name, ".findings.json", &json, err) < 0
               ? -1
               : write_file(o, entry->name, ".summary.md", &summary, err);
}

/* ---- the jobs --------------------------------------------------------------
 */

static int retry_failed(struct pool *pool, const char *id, struct err *err)
{
    CLEANUP(queue_status) struct queue_status *status = NULL;

    if (queue_status(pool->queue, id, &status, err) < 0)
        return -1;
    if (!queue_has_ended(status->state) || !strcmp(status->state, "passed"))
        return 0;
    return queue_retry(pool->queue, id, err);
}

static int start(struct pool *pool, const struct batch_options *o,
                 struct err *err)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(strbuf) struct strbuf complaint = STRBUF_INIT;
    CLEANUP(mem) struct queue_answer *answers = NULL;
    CLEANUP(mem) char *text = NULL;
    struct job_batch *batch = NULL;
    json_t *document = json_array();
    size_t count = 0;
    int rc;

    for (size_t i = 0; i < o->list->count; i++)
        if (!is_done(o, &o->list->items[i]))
            json_array_append(document, o->list->items[i].job);
    if (json_array_size(document))
        text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(document);
    if (!text)
        return 0;
    if (job_load(o->file, text, strlen(text), diags, &batch) < 0) {
        diag_list_render(diags, &complaint);
        fputs(complaint.data, stderr);
        return err_set(err, ERR_USER, "the list is wrong");
    }
    rc = put_in(pool,
                &(struct admit_request){.file = o->file,
                                        .text = text,
                                        .len = strlen(text),
                                        .batch = batch,
                                        .now_ms = clock_wall_ms()},
                &answers, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (answers[i].what == QUEUE_EXISTS)
            rc = retry_failed(pool, answers[i].id, err);
    return rc;
}

/* Whether it passed; else `out_why` says in a line why not. */
static int finish(struct pool *pool, const struct batch_options *o,
                  const struct batch_entry *entry, bool *out_passed,
                  struct strbuf *out_why, struct err *err)
{
    CLEANUP(queue_status) struct queue_status *status = NULL;
    CLEANUP(findings) struct findings *findings = NULL;
    json_t *result;
    int rc = 0;

    *out_passed = is_done(o, entry);
    if (*out_passed)
        return 0;
    if (wait_job(pool, entry->id, &status, err) < 0)
        return -1;
    result = status->result ? json_loads(status->result, 0, NULL) : NULL;
    findings = review_findings_of(result);
    *out_passed = strcmp(status->state, "passed") == 0 && findings;
    if (*out_passed)
        rc = write_entry(o, entry, findings, err);
    else
        strbuf_addf(out_why, "%s%s%s (berth logs %s)", status->state,
                    status->reason ? ": " : "",
                    status->reason ? status->reason : "", entry->id);
    json_decref(result);
    return rc;
}

/* Of what was written, so that it is the same however often it was begun. */
static void add_counts(const struct batch_options *o,
                       const struct batch_entry *entry, struct strbuf *out)
{
    const struct findings_source source = {0};
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(findings) struct findings *findings = findings_new();
    struct err ignored;

    if (read_file(o, entry->name, ".findings.json", &text) < 0 ||
        findings_read(findings, FINDINGS_OWN, &source, text.data, text.len,
                      &ignored) < 0)
        strbuf_adds(out, "its findings cannot be read");
    else
        summary_counts(out, findings);
}

static int batch(struct pool *pool, const void *options,
                 const struct strv *operands UNUSED, struct err *err)
{
    const struct batch_options *o = options;
    CLEANUP(strbuf) struct strbuf all = STRBUF_INIT;
    int status = POOL_OK;

    if (dir_make(o->out, 0755, err) < 0 || start(pool, o, err) < 0)
        return -1;
    strbuf_adds(&all, "| | |\n|---|---|\n");
    for (size_t i = 0; i < o->list->count; i++) {
        const struct batch_entry *entry = &o->list->items[i];
        CLEANUP(strbuf) struct strbuf word = STRBUF_INIT;
        bool passed;

        if (finish(pool, o, entry, &passed, &word, err) < 0)
            return -1;
        if (passed)
            add_counts(o, entry, &word);
        else
            status = POOL_NOT;
        printf("%s: %s\n", entry->name, word.data);
        (void)fflush(stdout);
        strbuf_addf(&all, "| %s | %s |\n", entry->name, word.data);
    }
    if (write_file(o, "summary", ".md", &all, err) < 0)
        return -1;
    return status;
}

/* ---- the command -----------------------------------------------------------
 */

static struct batch_list *load(const char *file)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf complaint = STRBUF_INIT;
    struct batch_list *list = NULL;
    struct err err = {0};

    if (file_read(file, YAML_MAX_BYTES, &text, &err) < 0) {
        log_error("cannot read the list: %s", err.msg);
        return NULL;
    }
    if (batch_list_load(file, text.data, text.len, diags, &list) == 0)
        return list;
    diag_list_render(diags, &complaint);
    fputs(complaint.data, stderr);
    return NULL;
}

/* The list is looked at before a Redis is looked for. */
int cmd_batch(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    CLEANUP(batch_list) struct batch_list *list = NULL;
    struct batch_options first = {0};
    struct batch_options options = {.out = "batch"};
    const struct pool_call call = {
        .command = &command_batch, .options = &options.pool, .fn = batch};
    int parsed =
        options_parse(&command_batch, argc, argv, &first, &operands, NULL);

    strv_clear(&first.pool.at.settings.sets);
    if (parsed == 0) {
        options.file = operands.items[0];
        list = load(options.file);
        options.list = list;
        if (!list)
            return OPTIONS_USAGE;
    }
    return pool_main(&call, argc, argv);
}
