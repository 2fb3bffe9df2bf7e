/* cli/put_in.c - jobs into a queue, and until they have ended. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/put_in.h"

#include "base/clock.h"
#include "cli/job_text.h"
#include "cli/mirror_uid.h"
#include "cli/text.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_TIMEOUT_MS 60000
#define POLL_MS         250
#define SILENT_MS       5000 /* then it is told why nothing happens */

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

static int put_document_in(const struct pool *pool,
                           const struct admit_request *request,
                           struct submission *s, struct err *err)
{
    const struct settings *settings = pool->at.settings;
    const struct queue_options options = pool_at_queue(&pool->at);
    struct admit_options admit_options = {.state_dir = settings->state_dir,
                                          .uid = mirror_uid(),
                                          .read_timeout_ms = READ_TIMEOUT_MS};
    struct repo_reader *reader;
    struct admission *admission;
    struct queue *queue = NULL;
    int rc = 0;

    if (loop_new(&s->loop, err) < 0 ||
        settings_make_state_dir(settings, err) < 0 ||
        queue_open(s->loop, &options, &queue, err) < 0)
        return -1;
    admit_options.loop = s->loop;
    admit_options.queue = queue;
    admit_options.reader = reader = repo_reader_new(s->loop);
    admission = admit(&admit_options, request, on_admitted, s);
    while (rc == 0 && !s->done)
        rc = loop_step(s->loop, -1, err);
    queue_free(queue);
    admission_free(admission);
    repo_reader_free(reader);
    if (rc == 0 && s->rc < 0) {
        *err = s->err;
        rc = -1;
    }
    return rc;
}

int put_in(const struct pool *pool, const struct admit_request *request,
           struct queue_answer **out_answers, size_t *out_count,
           struct err *err)
{
    struct submission s = {0};
    int rc = put_document_in(pool, request, &s, err);

    loop_free(s.loop);
    *out_answers = s.answers;
    *out_count = s.count;
    return rc;
}

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
int wait_job(struct pool *pool, const char *id,
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
