/* cli/submit.c - berth submit: put the jobs of a document into a queue. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/job_text.h"
#include "cli/logs.h"
#include "cli/mirror_uid.h"
#include "cli/report.h"
#include "cli/source.h"
#include "cli/text.h"
#include "scheduler/intake/admit.h"
#include "scheduler/queue/inspect.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_TIMEOUT_MS 60000
#define POLL_MS         250
#define SILENT_MS       5000 /* then it is told why nothing happens */

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

    if (read_text(file, &err) < 0) {
        log_error("cannot read the document: %s", err.msg);
        return false;
    }
    if (job_load(file->name, file->text.data, file->text.len, diags,
                 &file->batch) == 0)
        return true;
    diag_list_render(diags, &text);
    fputs(text.data, stderr);
    return false;
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

/* ---- into the queue --------------------------------------------------------
 */

struct submission {
    struct loop *loop; /* owned */
    bool done;
    int rc;
    struct err err;
    struct queue_answer *answers; /* owned */
    size_t count;
};

static void on_admitted(void *arg, const struct admit_outcome *outcome)
{
    struct submission *s = arg;

    s->done = true;
    s->err = outcome->err;
    s->rc = outcome->count ? 0 : -1;
    s->count = outcome->count;
    if (outcome->count)
        s->answers = xmemdup(outcome->answers,
                             outcome->count * sizeof(*outcome->answers));
    if (outcome->complaint)
        fputs(outcome->complaint, stderr);
    if (outcome->complaint && s->err.kind != ERR_USER)
        (void)err_set(&s->err, s->err.kind,
                      "nothing was put in: try again later");
}

static int put_in(const struct pool *pool, struct document_file *file,
                  struct submission *s, struct err *err)
{
    const struct settings *settings = pool->at.settings;
    const struct queue_options options = pool_at_queue(&pool->at);
    struct admit_options admit_options = {.state_dir = settings->state_dir,
                                          .uid = mirror_uid(),
                                          .read_timeout_ms = READ_TIMEOUT_MS};
    struct admission *admission;
    struct queue *queue = NULL;
    int rc = 0;

    if (loop_new(&s->loop, err) < 0 ||
        settings_make_state_dir(settings, err) < 0 ||
        queue_open(s->loop, &options, &queue, err) < 0)
        return -1;
    admit_options.loop = s->loop;
    admit_options.queue = queue;
    admission = admit(&admit_options,
                      &(struct admit_request){.file = file->name,
                                              .text = file->text.data,
                                              .len = file->text.len,
                                              .batch = STEAL(file->batch),
                                              .now_ms = clock_wall_ms()},
                      on_admitted, s);
    while (rc == 0 && !s->done)
        rc = loop_step(s->loop, -1, err);
    queue_free(queue);
    admission_free(admission);
    if (rc == 0 && s->rc < 0) {
        *err = s->err;
        rc = -1;
    }
    return rc;
}

/* ---- what became of them ---------------------------------------------------
 */

/* Why it waits, or its run does not go on: to standard error. */
static void say_why(struct pool *pool, const char *id)
{
    CLEANUP(strbuf) struct strbuf why = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf line = STRBUF_INIT;
    json_t *job = NULL, *more = NULL;
    const char *state;

    if (queue_job(pool->queue, id, &job, NULL) < 0)
        return;
    state = job_string(job, "state");
    if (strcmp(state, "running") != 0) {
        if (queue_why(pool->queue, id, &more, NULL) == 0)
            job_add_why(job, more, job_number(job, "now_ms"), &why);
    } else if (strcmp(job_string(job, "kind"), "run") == 0 &&
               queue_depths(pool->queue, &more, NULL) == 0) {
        job_add_no_scheduler(more, pool->at.settings->scheduler.tick_ms, &why);
    }
    if (why.len)
        text_add_clean(&line, why.data);
    if (line.len)
        fprintf(stderr, "note: %s is %s: %s\n", id, state, line.data);
    json_decref(job);
    json_decref(more);
}

/* Until it ended; Redis may be away for a while. */
static int wait_for(struct pool *pool, const char *id,
                    struct queue_status **out_status, struct err *err)
{
    struct queue_status *status = NULL;
    int64_t say_at_ms = clock_mono_ms() + SILENT_MS;
    unsigned attempt = 0;

    for (;;) {
        if (queue_status(pool->queue, id, &status, err) < 0) {
            if ((err->kind != ERR_TRANSIENT && err->kind != ERR_TIMEOUT) ||
                pool_back_off(pool, &attempt, err) < 0)
                return -1;
            continue;
        }
        attempt = 0;
        if (queue_has_ended(status->state))
            break;
        if (say_at_ms && clock_mono_ms() >= say_at_ms) {
            say_why(pool, id);
            say_at_ms = 0;
        }
        queue_status_free(STEAL(status));
        (void)poll(NULL, 0, POLL_MS);
    }
    *out_status = status;
    return 0;
}

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
                                    [QUEUE_DUPLICATE] = "duplicate"};

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
    if (wait_for(pool, answer->id, &status, err) < 0)
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
    rc = put_in(pool, o->file, &s, err);
    if (rc == 0)
        rc = finish(pool, &s, o, err);
    else if (err->kind == ERR_USER) {
        log_error("%s", err->msg);
        rc = OPTIONS_USAGE;
    }
    loop_free(s.loop);
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
