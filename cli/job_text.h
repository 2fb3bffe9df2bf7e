/* cli/job_text.h - jobs of a queue in words. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JOB_TEXT_H
#define CLI_JOB_TEXT_H

#include "cli/table.h"

#include <jansson.h>

/* A "row" is a job as queue_list() and queue_job() give it
 * (scheduler/queue/inspect.h), `now_ms` the moment it was read. */

/** A member as text; "" if it is none. Borrowed. */
const char *job_string(const json_t *object, const char *key);
/** A member as a number; 0 if it is none. */
int64_t job_number(const json_t *object, const char *key);

/** A table of jobs: id, state, pipeline, repository, branch, age, worker. */
MUST_USE struct table *job_table_new(void);
/** Add a job to it; `is_child`: below its run. */
void job_table_add(struct table *table, const json_t *row, int64_t now_ms,
                   bool is_child);

/** Add "failed: step_failed", "running, to be cancelled" … */
void job_add_state(const json_t *row, struct strbuf *out);
/** The colour of such a word; -1: none. */
int job_state_tint(const char *state);

/**
 * Add in a line why a job waits, `why` being what queue_why() says of it:
 * nothing if it does not. Not clean: it names what strangers named.
 */
void job_add_why(const json_t *row, const json_t *why, int64_t now_ms,
                 struct strbuf *out);

/**
 * Add in a line that nobody keeps the pool going, by what queue_depths() says
 * of it; nothing if a scheduler was seen lately, `tick_ms` being
 * scheduler.tick.
 */
void job_add_no_scheduler(const json_t *depths, int64_t tick_ms,
                          struct strbuf *out);

#endif
