/* cli/submit.c - berth submit: put the jobs of a document into a queue. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/logs.h"
#include "cli/put_in.h"
#include "cli/report.h"
#include "cli/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What was read, and checked, before anything else. */
struct document_file {
    const char *name; /* for messages */
    struct strbuf text;
    struct job_batch *batch; /* owned until it is admitted */
};

struct submit_options {
    struct pool_options pool;
    const char *id;
    bool wait;
    bool follow;
    struct document_file *file; /* borrowed; no option */
};

#define FIELD(member) offsetof(struct submit_options, member)

static const struct option_def option_defs[] = {
    {"id", 0, "ID", "the id of the job, if the document has one only",
     OPTION_STRING, FIELD(id)},
    {"wait", 'w', NULL, "wait until all its jobs have ended", OPTION_FLAG,
     FIELD(wait)},
    {"follow", 'f', NULL, "the same, and print what they print", OPTION_FLAG,
     FIELD(follow)},
    POOL_OPTION_DEFS(struct submit_options, pool),
};

const struct command command_submit = {
    .name = "submit",
    .operands = "FILE",
    .summary = "Put the jobs of a document into a queue: all, or none.",
    .details =
        "FILE, or - for standard input, is a job document (docs/jobs.md).\n"
        "Where it names a pipeline but no repository, the one of this\n"
        "directory is meant, and what is committed there. Prints the ids.\n\n"
        "--json: {\"jobs\": [{\"id\", \"result\": \"queued\", \"exists\" (one "
        "of that id\nwas there), or \"duplicate\" (one of that dedupe "
        "key)}]},\nwith --wait also \"state\" and \"reason\".\n\n"
        "exit status: 0 put in, 2 wrong usage or a wrong document, 3 Redis or\n"
        "a repository's host is away; with --wait and --follow that of the\n"
        "jobs: 0 passed, 1 one failed, 3 the infrastructure did, 130 cancelled",
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .min_operands = 1,
    .max_operands = 1,
    .main = cmd_submit,
};

/* ---- the document ----------------------------------------------------------
 */

static int read_text(struct document_file *file, struct err *err)
{
    if (strcmp(file->name, "-") != 0)
        return file_read(file->name, YAML_MAX_BYTES, &file->text, err);
    file->name = "<stdin>";
    if (fd_read_all(STDIN_FILENO, &file->text, err) < 0)
        return -1;
    if (file->text.truncated)
        return err_set(err, ERR_USER, "the document is over 1 MiB");
    return 0;
}

/* Whether it can be used; else all that is wrong with it was printed. */
static bool load_document_file(struct document_file *file)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err err = {0};
    bool good;

    if (read_text(file, &err) < 0) {
        log_error("cannot read the document: %s", err.msg);
        return false;
    }
    good = job_load(file->name, file->text.data, file->text.len, diags,
                    &file->batch) == 0;
    if (!good)
        diag_list_render(diags, &text);
    if (diag_list_warnings(diags))
        diag_list_render(diag_list_warnings(diags), &text);
    if (text.len)
        fputs(text.data, stderr);
    return good;
}

static int set_id(struct job_batch *batch, const char *id, struct err *err)
{
    size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (batch->count != 1)
        return err_set(err, ERR_USER,
                       "--id is for one job, and the document has %zu",
                       batch->count);
    if (!len || id[len] || *id == '-' || len > JOB_MAX_ID)
        return err_set(err, ERR_USER,
                       "the id '%.80s' is not 1 to %d of a-z, 0-9 and -", id,
                       JOB_MAX_ID);
    free(batch->items->id);
    batch->items->id = xstrdup(id);
    return 0;
}

/* The repository of this directory, where a pipeline is named without one. */
static void set_repos(struct job_batch *batch)
{
    CLEANUP(source) struct source *source = NULL;

    for (size_t i = 0; i < batch->count; i++) {
        struct job_request *r = &batch->items[i];

        if (r->repo || r->source == JOB_INLINE)
            continue;
        if (!source && source_find(NULL, NULL, NULL, &source, NULL) < 0)
            return; /* whether one is needed is found out later */
        r->repo = xstrdup(source->repo);
        r->commit = xstrdup(source->commit);
        r->branch = *source->branch ? xstrdup(source->branch) : NULL;
    }
    if (source && source->dirty_files)
        log_warn("%u changed file%s not committed, and not in the job",
                 source->dirty_files,
                 source->dirty_files == 1 ? " is" : "s are");
}

struct submission {
    struct queue_answer *answers; /* owned */
    size_t count;
};

/* ---- what became of them ---------------------------------------------------
 */

static int exit_of(const struct queue_status *status)
{
    if (!strcmp(status->state, "skipped"))
        return POOL_OK;
    return report_exit_status(status->state, status->reason);
}

/* What somebody should look at first. */
static int worse(int a, int b)
{
    static const int order[] = {1, 3, 130};

    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return a ? a : b;
}

static const char *const words[] = {[QUEUE_QUEUED] = "queued",
                                    [QUEUE_EXISTS] = "exists",
                                    [QUEUE_DUPLICATE] = "duplicate",
                                    [QUEUE_OVERTAKEN] = "overtaken"};

static void print_ids(const struct pool *pool, const struct submission *s,
                      FILE *out)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct queue_answer *answer = &s->answers[i];

        if (answer->what == QUEUE_EXISTS)
            log_warn("a job '%s' was there already", answer->id);
        else if (answer->what == QUEUE_DUPLICATE)
            log_warn("job '%s' has the same dedupe key: nothing was put in",
                     answer->id);
        if (!pool->json)
            fprintf(out, "%s\n", answer->id);
    }
    (void)fflush(out);
}

static int finish_one(struct pool *pool, const struct queue_answer *answer,
                      const struct submit_options *o, json_t *row,
                      struct err *err)
{
    CLEANUP(queue_status) struct queue_status *status = NULL;

    json_object_set_new(row, "id", json_string(answer->id));
    json_object_set_new(row, "result", json_string(words[answer->what]));
    if (!o->wait && !o->follow)
        return POOL_OK;
    if (o->follow && logs_follow(pool, answer->id, err) < 0)
        return -1;
    if (wait_job(pool, answer->id, &status, err) < 0)
        return -1;
    json_object_set_new(row, "state", json_string(status->state));
    json_object_set_new(row, "reason",
                        status->reason ? json_string(status->reason)
                                       : json_null());
    if (!pool->json)
        fprintf(stderr, "%s: %s%s%s%s%s\n", answer->id, status->state,
                status->reason ? ": " : "",
                status->reason ? status->reason : "",
                exit_of(status) ? "; more: berth status " : "",
                exit_of(status) ? answer->id : "");
    return exit_of(status);
}

static int finish(struct pool *pool, const struct submission *s,
                  const struct submit_options *o, struct err *err)
{
    json_t *jobs = json_array();
    int status = POOL_OK;

    print_ids(pool, s, o->follow ? stderr : stdout);
    for (size_t i = 0; i < s->count; i++) {
        json_t *row = json_object();
        int rc;

        if (o->follow && s->count > 1)
            printf("job %s\n", s->answers[i].id);
        rc = finish_one(pool, &s->answers[i], o, row, err);

        json_array_append_new(jobs, row);
        if (rc < 0) {
            json_decref(jobs);
            return -1;
        }
        status = worse(status, rc);
    }
    if (!pool->json)
        json_decref(jobs);
    else if (pool_print_json(json_pack("{s:o}", "jobs", jobs), err) < 0)
        return -1;
    return status;
}

static int submit(struct pool *pool, const void *options,
                  const struct strv *operands UNUSED, struct err *err)
{
    const struct submit_options *o = options;
    struct submission s = {0};
    int rc;

    set_repos(o->file->batch);
    rc = put_in(pool,
                &(struct admit_request){.file = o->file->name,
                                        .text = o->file->text.data,
                                        .len = o->file->text.len,
                                        .batch = STEAL(o->file->batch),
                                        .now_ms = clock_wall_ms()},
                &s.answers, &s.count, err);
    if (rc == 0)
        rc = finish(pool, &s, o, err);
    else if (err->kind == ERR_USER) {
        log_error("%s", err->msg);
        rc = OPTIONS_USAGE;
    }
    free(s.answers);
    return rc;
}

static int check(const void *options, const struct strv *operands UNUSED,
                 struct err *err)
{
    const struct submit_options *o = options;

    if (o->follow && o->pool.json)
        return err_set(err, ERR_USER, "--follow and --json exclude each other");
    return o->id ? set_id(o->file->batch, o->id, err) : 0;
}

/* The document is looked at before a Redis is looked for. */
int cmd_submit(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct document_file file = {.text = STRBUF_MAX(YAML_MAX_BYTES + 1)};
    struct submit_options first = {0};
    struct submit_options options = {.file = &file};
    const struct pool_call call = {.command = &command_submit,
                                   .options = &options.pool,
                                   .check = check,
                                   .fn = submit};
    int parsed =
        options_parse(&command_submit, argc, argv, &first, &operands, NULL);
    int status = OPTIONS_USAGE;

    strv_clear(&first.pool.at.settings.sets);
    if (parsed == 0)
        file.name = operands.items[0];
    if (parsed != 0 || load_document_file(&file))
        status = pool_main(&call, argc, argv);
    job_batch_free(file.batch);
    strbuf_clear(&file.text);
    return status;
}
