/* worker/job/model.c - the models that steps of a job may ask. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/model.h"

#include "base/clock.h"
#include "base/fd.h"
#include "worker/job/events.h"
#include "worker/sandbox/hostenv.h"
#include "worker/sandbox/mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The second behind those of sandboxes; the first is the gateway's. */
#define RELAY_UID       (SANDBOX_UID_BASE + SANDBOX_UID_COUNT + 1)
#define BEGIN_MS        10000 /* for a relay to start, and to take a step */
#define END_MS          5000
#define LISTEN_TRIES    10
#define LISTEN_AGAIN_MS 100

struct models {
    struct models_spec spec;
    struct relay *relay; /* owned; NULL: not yet, or not any more */
    bool lost;           /* it will not be there again: nor its accounts */
    bool busy;           /* a step uses it */
    size_t index;        /* of the step */
    unsigned tries;      /* to listen */
    struct loop_source *timer;
    models_ready_fn *ready; /* NULL: nobody waits */
    void *ready_arg;
    models_end_fn *done; /* the same */
    void *done_arg;
    struct model_usage usage; /* of the step so far */
    enum reason over;
    char why[600];
};

/* ---- what the relay says --------------------------------------------------
 */

static void tell_ready(struct models *models, const struct err *err)
{
    models_ready_fn *ready = models->ready;

    if (!ready)
        return;
    loop_remove(models->timer);
    models->timer = NULL;
    models->ready = NULL;
    ready(models->ready_arg, err);
}

static void tell_end(void *arg)
{
    struct models *models = arg;
    models_end_fn *done = models->done;
    const struct models_end end = {models->usage, models->over, models->why};

    loop_remove(models->timer);
    models->timer = NULL;
    models->done = NULL;
    models->busy = false;
    if (done)
        done(models->done_arg, &end);
}

static void on_begun(void *arg)
{
    tell_ready(arg, NULL);
}

static void on_usage(void *arg, const struct model_usage *usage,
                     const json_t *all)
{
    struct models *models = arg;
    char *text = json_dumps(all, JSON_COMPACT);

    models->usage = *usage;
    if (text)
        channel_send(models->spec.up, JOB_FRAME_SPENT, 0, text, strlen(text));
    free(text);
}

static void on_ended(void *arg, const struct model_usage *usage,
                     const json_t *all)
{
    on_usage(arg, usage, all);
    tell_end(arg);
}

static void on_over(void *arg, enum reason reason, const char *message)
{
    struct models *models = arg;

    models->over = reason;
    (void)snprintf(models->why, sizeof(models->why), "%.590s", message);
    if (!models->done)
        models->spec.on_over(models->spec.arg, reason, models->why);
}

/* Whoever waits for it has waited enough; a step that does not ask goes on. */
static void lose(struct models *models, const struct err *err)
{
    relay_stop(STEAL(models->relay));
    models->lost = true;
    if (models->ready) {
        tell_ready(models, err);
        return;
    }
    if (models->busy && models->over == REASON_NONE)
        on_over(models, REASON_MODEL_FAILED, err->msg);
    if (models->done)
        tell_end(models);
}

static void on_lost(void *arg, const struct err *err)
{
    lose(arg, err);
}

static void send_step(struct models *models)
{
    json_t *step = model_step_json(models->spec.start, models->index);

    relay_begin(models->relay, step);
    json_decref(step);
}

static void on_ready(void *arg, const struct err *err)
{
    if (err)
        lose(arg, err);
    else
        send_step(arg);
}

/* ---- a step ---------------------------------------------------------------
 */

static void on_late(void *arg)
{
    struct models *models = arg;
    struct err err;

    models->timer = NULL;
    (void)err_set(&err, ERR_TRANSIENT,
                  "the relay to models did not take the step within %d s",
                  BEGIN_MS / 1000);
    lose(models, &err);
}

static void watch(struct models *models)
{
    models->timer = loop_add_timer(models->spec.loop,
                                   clock_mono_ms() + BEGIN_MS, on_late, models);
}

static int start(struct models *models, struct err *err)
{
    const struct sandbox_driver *driver = machine_driver(models->spec.machine);
    json_t *setup = json_pack("{s:O}", "models", models->spec.start->models);
    CLEANUP(fd) int listener = -1;
    struct relay_spec spec = {
        .loop = models->spec.loop,
        .uid = geteuid() == 0 ? RELAY_UID : 0,
        .setup = setup,
        .on_ready = on_ready,
        .on_begun = on_begun,
        .on_usage = on_usage,
        .on_over = on_over,
        .on_ended = on_ended,
        .on_lost = on_lost,
        .arg = models,
    };
    int rc = driver->listen(machine_sandbox(models->spec.machine),
                            SANDBOX_MODEL_PORT, &listener, err);

    spec.listener = listener;
    if (rc == 0)
        rc = relay_start(&spec, &models->relay, err);
    json_decref(setup);
    return rc;
}

/* An ordinary user's sandbox may be up before its first process is known. */
static void begin(void *arg)
{
    struct models *models = arg;
    struct err err;

    models->timer = NULL;
    if (models->lost) {
        (void)err_set(&err, ERR_TRANSIENT, "the relay to models is gone");
        tell_ready(models, &err);
    } else if (models->relay) {
        watch(models);
        send_step(models);
    } else if (start(models, &err) == 0) {
        watch(models);
    } else if (++models->tries < LISTEN_TRIES) {
        models->timer =
            loop_add_timer(models->spec.loop, clock_mono_ms() + LISTEN_AGAIN_MS,
                           begin, models);
    } else {
        tell_ready(models, &err);
    }
}

void models_begin(struct models *models, size_t index, models_ready_fn *ready,
                  void *arg)
{
    models->busy = true;
    models->index = index;
    models->ready = ready;
    models->ready_arg = arg;
    models->usage = (struct model_usage){0};
    models->over = REASON_NONE;
    *models->why = '\0';
    models->tries = 0;
    loop_remove(models->timer);
    models->timer = loop_add_timer(models->spec.loop, 0, begin, models);
}

static void on_impatient(void *arg)
{
    struct models *models = arg;

    models->timer = NULL;
    relay_stop(STEAL(models->relay));
    models->lost = true;
    tell_end(models);
}

void models_end(struct models *models, models_end_fn *done, void *arg)
{
    models->ready = NULL;
    models->done = done;
    models->done_arg = arg;
    loop_remove(models->timer);
    if (!models->relay) {
        models->timer = loop_add_timer(models->spec.loop, 0, tell_end, models);
        return;
    }
    relay_end(models->relay);
    models->timer = loop_add_timer(models->spec.loop, clock_mono_ms() + END_MS,
                                   on_impatient, models);
}

void models_forget(struct models *models)
{
    loop_remove(models->timer);
    models->timer = NULL;
    models->ready = NULL;
    models->done = NULL;
    models->busy = false;
}

/* ---- the whole ------------------------------------------------------------
 */

struct models *models_new(const struct models_spec *spec)
{
    struct models *models = xcalloc(1, sizeof(*models));

    models->spec = *spec;
    return models;
}

void models_free(struct models *models)
{
    if (!models)
        return;
    loop_remove(models->timer);
    relay_stop(models->relay);
    free(models);
}
