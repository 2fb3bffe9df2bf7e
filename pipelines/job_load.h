/* pipelines/job_load.h - the keys of job documents; for pipelines alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_JOB_LOAD_H
#define PIPELINES_JOB_LOAD_H

#include "pipelines/job.h"
#include "pipelines/load.h"

/* A batch of one, owned by the caller; half filled where l->failed. */
MUST_USE struct job_batch *job_load_one(struct loader *l,
                                        const struct yaml_node *node);

/* A name, or a path in the repository. False: reported. */
bool job_is_pipeline_name(struct loader *l, const struct yaml_node *value);

/* Each loads the key of its name; the target is a struct job_request. */
load_fn job_load_id;
load_fn job_load_kind;
load_fn job_load_pipeline;
load_fn job_load_repo;
load_fn job_load_commit;
load_fn job_load_ref;
load_fn job_load_branch;
load_fn job_load_base;
load_fn job_load_change;
load_fn job_load_title;
load_fn job_load_description;
load_fn job_load_previous;
load_fn job_load_inputs;
load_fn job_load_env;
load_fn job_load_dedupe;
load_fn job_load_report;

#endif
