/* scheduler/intake/admit.c - from a job document to jobs in the queue. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/admit.h"

#include "base/clock.h"
#include "base/log.h"
#include "pipelines/diag.h"
#include "scheduler/intake/admit_job.h"

#include <stdlib.h>
#include <string.h>

#define MAX_COMPLAINT   ((size_t)64 << 10)
#define MAX_TOTAL_BYTES ((size_t)32 << 20) /* of all payloads together */
#define SUBMIT_AGAIN_MS 1000

/* What was read last: the jobs of a list often want the same. */
struct reading {
    char *key;             /* owned; NULL: nothing was read */
    char *commit, *branch; /* owned */
    char *text;            /* owned; NULL: the file is not there */
    size_t len;
    char *fault; /* owned; why a file that is there cannot be read */
};

struct admission {
    const struct admit_options *options; /* borrowed */
    char *file, *text, *scheduler;       /* owned; scheduler may be NULL */
    char *username, *password;           /* owned; or NULL */
    size_t len;
    struct job_batch *batch; /* owned */
    int64_t now_ms;
    admit_fn *fn;
    void *arg;
    size_t index;                    /* of the request that is at work */
    struct resolve_source source;    /* of it */
    bool pinned;                     /* its commit was looked for */
    const struct admit_known *known; /* borrowed; or NULL */
    struct repo_reading *reader;     /* owned; NULL: nothing is being read */
    struct reading reading;
    unsigned attempts;      /* readings that failed */
    struct admit_job *made; /* owned; one a request, up to index */
    struct queue_job *jobs; /* owned; borrow from `made` */
    struct strbuf complaint;
    struct loop_source *timer; /* borrowed; the next step */
};

static void step(void *arg);

static void reading_clear(struct reading *reading)
{
    free(reading->key);
    free(reading->commit);
    free(reading->branch);
    free(reading->text);
    free(reading->fault);
    memset(reading, 0, sizeof(*reading));
}

void admission_free(struct admission *a)
{
    if (!a)
        return;
    repo_reading_free(STEAL(a->reader));
    loop_remove(a->timer);
    reading_clear(&a->reading);
    resolve_source_clear(&a->source);
    for (size_t i = 0; a->made && i < a->batch->count; i++)
        admit_job_clear(&a->made[i]);
    free(a->made);
    free(a->jobs);
    job_batch_free(a->batch);
    strbuf_clear(&a->complaint);
    free(a->file);
    free(a->text);
    free(a->scheduler);
    free(a->username);
    if (a->password)
        mem_wipe(a->password, strlen(a->password));
    free(a->password);
    free(a);
}

static void step_at(struct admission *a, int64_t delay_ms)
{
    a->timer =
        loop_add_timer(a->options->loop, clock_mono_ms() + delay_ms, step, a);
}

/* ---- what is wrong ---------------------------------------------------------
 */

static void complain_diags(struct admission *a, const struct diag_list *diags)
{
    const struct job_request *r = a->batch ? &a->batch->items[a->index] : NULL;

    if (r && a->batch->is_list)
        strbuf_addf(&a->complaint, "job %zu%s%s%s of the list:\n", a->index + 1,
                    r->id ? " (" : "", r->id ? r->id : "", r->id ? ")" : "");
    diag_list_render(diags, &a->complaint);
}

static void complain(struct admission *a, const char *what)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();

    diag_list_set_source(diags, a->file, "", 0);
    diag_list_add(diags, 0, 0, NULL, "%s", what);
    complain_diags(a, diags);
}

static void finish(struct admission *a, const struct queue_answer *answers,
                   const struct err *err)
{
    struct admit_outcome outcome = {.answers = answers,
                                    .jobs = answers ? a->jobs : NULL,
                                    .count = answers ? a->batch->count : 0};

    if (err)
        outcome.err = *err;
    if (a->complaint.len)
        outcome.complaint = a->complaint.data;
    a->fn(a->arg, &outcome);
}

/* ---- into the queue --------------------------------------------------------
 */

static void on_submitted(void *arg, const struct queue_answer *answers,
                         size_t count, const struct err *err)
{
    struct admission *a = arg;
    bool away = err && (err->kind == ERR_TRANSIENT || err->kind == ERR_TIMEOUT);

    if (away && a->scheduler)
        step_at(a, SUBMIT_AGAIN_MS);
    else
        finish(a, count ? answers : NULL, err);
}

static void submit(struct admission *a)
{
    const struct queue_document document = {a->scheduler, a->text, a->len};

    queue_submit_async(a->options->queue, a->scheduler ? &document : NULL,
                       a->jobs, a->batch->count, on_submitted, a);
}

/* All requests were looked at. */
static void conclude(struct admission *a)
{
    struct err err = {0};
    size_t total = 0;

    for (size_t i = 0; !a->complaint.len && i < a->batch->count; i++) {
        a->jobs[i] = a->made[i].job;
        total += strlen(a->made[i].payload);
    }
    if (total > MAX_TOTAL_BYTES)
        strbuf_addf(&a->complaint,
                    "%s: its jobs have %zu MiB together, over %zu\n", a->file,
                    total >> 20, MAX_TOTAL_BYTES >> 20);
    if (!a->complaint.len) {
        submit(a);
        return;
    }
    (void)err_set(&err, ERR_USER, "the document is wrong");
    finish(a, NULL, &err);
}

/* ---- from the repository ---------------------------------------------------
 */

static char *reading_key(const struct repo_file_request *read)
{
    return xasprintf(
        "%s\n%s\n%s\n%s\n%s", read->repo, read->commit ? read->commit : "",
        read->ref ? read->ref : "", read->branch ? read->branch : "",
        read->path_count ? read->paths[0] : "");
}

static void retry_reading(struct admission *a, const struct err *err)
{
    int64_t delay = a->options->retry_ms;
    struct err why = *err;

    if (a->attempts < a->options->retries) {
        for (unsigned i = 0; i < a->attempts; i++)
            delay *= 4;
        a->attempts++;
        if (a->scheduler)
            log_warn("a document of the inbox waits %.3g s: %s",
                     (double)delay / 1000, err->msg);
        step_at(a, delay);
        return;
    }
    complain(a, err->msg);
    finish(a, NULL, &why);
}

static void next_request(struct admission *a)
{
    resolve_source_clear(&a->source);
    a->pinned = false;
    a->attempts = 0;
    a->index++;
    step_at(a, 0);
}

static void take_file(struct reading *reading,
                      const struct repo_file_content *file)
{
    if (file->data) {
        reading->len = file->len;
        reading->text = xcalloc(1, file->len + 1);
        memcpy(reading->text, file->data, file->len);
    } else if (strcmp(file->why, REPO_FILE_MISSING) != 0) {
        reading->fault = xstrdup(file->why);
    }
}

static void on_read(void *arg, const struct repo_file_result *result,
                    const struct err *err)
{
    struct admission *a = arg;

    repo_reading_free(STEAL(a->reader));
    if (err && (err->kind == ERR_TRANSIENT || err->kind == ERR_TIMEOUT)) {
        reading_clear(&a->reading);
        retry_reading(a, err);
        return;
    }
    if (err) {
        reading_clear(&a->reading);
        complain(a, err->msg);
        next_request(a);
        return;
    }
    a->reading.commit = xstrdup(result->commit);
    a->reading.branch = xstrdup(result->branch);
    if (result->count)
        take_file(&a->reading, &result->files[0]);
    step_at(a, 0);
}

static bool is_known(const struct admit_known *known,
                     const struct repo_file_request *read)
{
    if (!known || strcmp(known->repo, read->repo) != 0)
        return false;
    if (read->commit)
        return known->commit && !strcmp(known->commit, read->commit);
    return !read->ref && read->branch && known->branch &&
           !strcmp(known->branch, read->branch);
}

/* What was read before has it, or says that it is not there. */
static bool take_known(struct admission *a,
                       const struct repo_file_request *read)
{
    const struct admit_known *known = a->known;
    struct reading *reading = &a->reading;
    size_t i = 0;

    if (!read->paths || !is_known(known, read))
        return false;
    while (i < known->paths->count &&
           strcmp(known->paths->items[i], read->paths[0]) != 0)
        i++;
    if (i == known->paths->count && !known->all)
        return false;
    reading_clear(reading);
    reading->key = reading_key(read);
    reading->commit = xstrdup(known->found);
    reading->branch = xstrdup("");
    if (i < known->paths->count) {
        reading->text = xstrdup(known->texts->items[i]);
        reading->len = strlen(reading->text);
    }
    return true;
}

/* It is there already (`a->reading`), or it comes. */
static bool read_repo(struct admission *a, struct repo_file_request *read)
{
    CLEANUP(mem) char *key = NULL;

    read->state_dir = a->options->state_dir;
    read->uid = a->options->uid;
    read->timeout_ms = a->options->read_timeout_ms;
    read->username = a->username;
    read->password = a->password;
    key = reading_key(read);
    if ((a->reading.key && !strcmp(a->reading.key, key)) || take_known(a, read))
        return true;
    reading_clear(&a->reading);
    a->reading.key = STEAL(key);
    a->reader = repo_reader_get(a->options->reader, read, on_read, a);
    return false;
}

static void take_commit(struct job_request *r, const struct reading *reading)
{
    if (!r->commit)
        r->commit = xstrdup(reading->commit);
    if (!r->branch && *reading->branch)
        r->branch = xstrdup(reading->branch);
}

/* The commit that the job is about, where the file does not tell it. */
static bool pin(struct admission *a, struct job_request *r)
{
    struct repo_file_request read = {
        .repo = r->repo, .ref = r->ref, .branch = r->branch};

    if (!r->repo || r->commit || a->pinned || (a->source.path && !r->fork))
        return true;
    if (!read_repo(a, &read))
        return false;
    a->pinned = true;
    take_commit(r, &a->reading);
    return true;
}

static bool find_file(struct admission *a, struct job_request *r)
{
    const char *paths[] = {a->source.path};
    struct repo_file_request read = {.repo = r->repo,
                                     .commit = a->source.commit,
                                     .ref = a->source.ref,
                                     .branch = a->source.branch,
                                     .paths = paths,
                                     .path_count = 1};

    if (!a->source.path)
        return true;
    if (!read_repo(a, &read))
        return false;
    if (!r->fork)
        take_commit(r, &a->reading);
    return true;
}

/* ---- one request -----------------------------------------------------------
 */

static void make(struct admission *a, const struct job_request *r)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(resolved) struct resolved resolved = {0};
    const struct resolve_text text = {a->source.path, a->reading.text,
                                      a->reading.len};
    bool found = a->source.path && a->reading.text;
    struct err err = {0};

    diag_list_set_source(diags, a->file, "", 0);
    /* Never that of the library in its place: somebody meant the file. */
    if (a->source.path && a->reading.fault) {
        diag_list_add(diags, 0, 0, NULL, "the pipeline's file %s %s",
                      a->source.path, a->reading.fault);
        complain_diags(a, diags);
        return;
    }
    if (resolve_finish(r, found ? &text : NULL, diags, &resolved) < 0)
        complain_diags(a, diags);
    else if (admit_job_make(r, &resolved, a->now_ms, &a->made[a->index], &err) <
             0)
        complain(a, err.msg);
}

/* Done with it, or something is awaited. */
static bool work(struct admission *a, struct job_request *r)
{
    struct err err = {0};

    if (!a->source.path && resolve_wants(r, &a->source, &err) < 0) {
        complain(a, err.msg);
        return true;
    }
    if (!pin(a, r) || !find_file(a, r))
        return false;
    make(a, r);
    return true;
}

static int load(struct admission *a)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct err err = {0};

    if (!a->batch && job_load(a->file, a->text, a->len, diags, &a->batch) < 0) {
        complain_diags(a, diags);
        (void)err_set(&err, ERR_USER, "the document is wrong");
        finish(a, NULL, &err);
        return -1;
    }
    if (!a->made) {
        a->made = xcalloc(a->batch->count, sizeof(*a->made));
        a->jobs = xcalloc(a->batch->count, sizeof(*a->jobs));
    }
    return 0;
}

/* One request a turn of the loop: a list of many must not hold it up. */
static void step(void *arg)
{
    struct admission *a = arg;

    a->timer = NULL;
    if (load(a) < 0)
        return;
    if (a->index == a->batch->count)
        conclude(a);
    else if (work(a, &a->batch->items[a->index]))
        next_request(a);
}

struct admission *admit(const struct admit_options *options,
                        const struct admit_request *request, admit_fn *fn,
                        void *arg)
{
    struct admission *a = xcalloc(1, sizeof(*a));

    a->options = options;
    a->file = xstrdup(request->file);
    a->text = request->len ? xmemdup(request->text, request->len) : xstrdup("");
    a->len = request->len;
    a->batch = request->batch;
    a->scheduler = request->scheduler ? xstrdup(request->scheduler) : NULL;
    a->username = request->username ? xstrdup(request->username) : NULL;
    a->password = request->password ? xstrdup(request->password) : NULL;
    a->known = request->known;
    a->now_ms = request->now_ms;
    a->fn = fn;
    a->arg = arg;
    a->complaint = (struct strbuf)STRBUF_MAX(MAX_COMPLAINT);
    step_at(a, 0);
    return a;
}
