/* worker/job/attempt.h - one try of one step. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_ATTEMPT_H
#define WORKER_JOB_ATTEMPT_H

#include "worker/job/background.h"
#include "worker/job/grants.h"
#include "worker/job/model.h"
#include "worker/job/result.h"

struct attempt;
struct caches;

/** From the loop, once, also after attempt_stop(); frees nothing. */
typedef void attempt_end_fn(void *arg, const struct attempt_end *end);

/** All borrowed and alive until attempt_free(). */
struct attempt_spec {
    struct loop *loop;
    struct machine *machine;
    struct output *output;
    struct throttle *throttle;
    struct backgrounds *backgrounds;
    struct caches *caches;
    struct grants *grants;
    struct models *models; /* NULL: no step has one */
    const struct job_start *start;
    struct job_result *result; /* checkout writes commit, branch, subject;
                                  artifacts, what was kept; each, what it
                                  asked of a model */
    size_t index;              /* of the step */
    const struct strv *env;
    const char *cwd;     /* absolute, inside; "" for the workspace */
    const char *path;    /* of write_file and read_file, expanded; else "" */
    const char *content; /* of write_file, the same */
    const char *key;     /* of cache, the same */
    const struct strv *restore_keys; /* of cache, the same */
    int64_t timeout_ms;              /* 0: none */
    attempt_end_fn *on_end;
    void *arg;
};

/** Never fails as a call: what goes wrong comes as its end. Owned. */
MUST_USE struct attempt *attempt_start(const struct attempt_spec *spec);

/** What a step gets between SIGTERM and SIGKILL. */
#define ATTEMPT_GRACE_MS 10000

/**
 * End it: SIGTERM to all it runs, SIGKILL after ATTEMPT_GRACE_MS; it ends with
 * `reason` whatever its exit code. A second call kills at once.
 */
void attempt_stop(struct attempt *attempt, enum reason reason,
                  const char *message);
/** Its sandbox is gone: it ends with sandbox_failed. */
void attempt_lost(struct attempt *attempt, const struct err *err);

/** No callback comes after it. NULL is fine. */
void attempt_free(struct attempt *attempt);
OWNER(attempt)

#endif
