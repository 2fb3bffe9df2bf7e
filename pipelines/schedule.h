/* pipelines/schedule.h - jobs that a clock asks for. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_SCHEDULE_H
#define PIPELINES_SCHEDULE_H

#include "base/cron.h"
#include "base/yaml_tree.h"
#include "pipelines/job.h"

#define SCHEDULE_MAX           1000 /* schedules of a list */
#define SCHEDULE_MAX_NAME      40   /* bytes */
#define SCHEDULE_MAX_JITTER_MS ((int64_t)24 * 3600 * 1000)

struct schedule {
    char *name; /* owned; [a-z0-9][a-z0-9-]*, no other has it */
    struct cron cron;
    char *zone_name;   /* owned; "UTC" unless said otherwise */
    struct zone *zone; /* owned */
    enum cron_catch_up catch_up;
    int64_t jitter_ms; /* the longest delay (cron_jitter_ms()); 0: none */
    /* Owned: a batch of one, without an id: who fires it makes one. Its
     * moments count from the firing. */
    struct job_batch *job;
};

struct schedule_list {
    struct schedule *items; /* owned; NULL while there are none */
    size_t count;
};

/**
 * Load a list of schedules, a part of the document `tree`:
 *
 *   - {name, cron, zone: UTC, catch_up: skip|one|all, jitter, job: {…}}
 *
 * `node` NULL, or nothing: an empty list. The files of zones are read. Returns
 * 0 and `*out_list`, owned by the caller; -1 after all errors were reported.
 */
MUST_USE int schedule_load(const struct yaml_tree *tree,
                           const struct yaml_node *node,
                           yaml_error_fn *on_error, void *arg,
                           struct schedule_list **out_list);
void schedule_list_free(struct schedule_list *list);
OWNER(schedule_list)

#endif
