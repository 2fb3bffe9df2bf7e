/* cli/run_job.h - one job through Redis, a supervisor and run-job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RUN_JOB_H
#define CLI_RUN_JOB_H

#include "cli/display.h"

/** All borrowed. */
struct run_request {
    const char *redis_url; /* NULL: an embedded one */
    const char *job_id;
    const char *pool;
    const char *payload;   /* JOB_FRAME_START without job_id and epoch, JSON */
    const json_t *secrets; /* supervisor_options.secrets */
    json_t *gateway;       /* supervisor_limits.gateway */
    json_t *models;        /* the same */
    const char *heading;   /* the first line that is shown */
    struct display_options display;
    bool json; /* the result on standard output, all else on the display */
    json_t **out_result; /* NULL; or it is the caller's (json_decref), and not
                            shown; NULL there: there is none */
};

/**
 * Submit the job, run it as a worker of its own pool, and report what was
 * completed in Redis. Blocks; handles SIGINT, SIGTERM, SIGHUP and SIGQUIT
 * meanwhile, and cancels when who reads the display is gone. Nothing of it is
 * left behind when it returns, whatever happened.
 *
 * Returns 0 with the exit status of `berth run` in `*out_status`. Returns -1
 * when there is no result: Redis or the supervisor failed.
 */
MUST_USE int run_job(const struct run_request *request, int *out_status,
                     struct err *err);

#endif
