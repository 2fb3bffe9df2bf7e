/* worker/job/start.h - what run-job is told to do. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_START_H
#define WORKER_JOB_START_H

#include "base/err.h"
#include "pipelines/pipeline.h"

#include <stdbool.h>

/** JOB_FRAME_START (worker/job/events.h), parsed and checked. */
struct job_start {
    char *job_id; /* owned, as are all strings; never NULL */
    uint64_t epoch;
    char *repo;        /* address or absolute path */
    char *username;    /* for an http(s) address, or "" */
    char *whose;       /* stands for that credential among mirrors, or "" */
    char *password;    /* the same */
    char *credential;  /* "later": it has to come with another attempt; or "" */
    char *repo_name;   /* for people and the environment */
    char *commit;      /* 40 hex digits, or "" */
    char *ref;         /* or "" */
    char *branch;      /* or "" */
    char *base;        /* the branch that a change goes to, or "" */
    char *change;      /* the number of the pull request, or "" */
    char *title;       /* of the change, for a reviewer's input alone; or "" */
    char *description; /* the same */
    json_t *previous;  /* owned, or NULL: {"commit", "findings"} of a review */
    char *trust;       /* "member" or "fork" */
    char *runtime;     /* "" to find one */
    char *log_stream;  /* the Redis key of the log, for the result; or "" */
    bool keep;         /* keep a copy of the workspace */
    struct strv env;   /* NAME=value, given beside the pipeline */
    json_t *inputs;    /* owned; an object of strings */
    json_t *matrix;    /* the same */
    struct job_secret {
        char *name, *value; /* owned; wiped */
    } * secrets;            /* owned; of trust member only */
    size_t secret_count;
    json_t *missing; /* owned, or NULL: why a secret is not there */
    json_t *inject;  /* owned, or NULL: a list, as the gateway takes it */
    json_t *models;  /* owned, or NULL: a list, as the relay takes it (with
                        keys, wiped), and "context" and "output" */
    json_t *gateway; /* owned; an object: what the worker lets out (events.h) */
    struct pipeline *pipeline; /* owned */
};

/**
 * Parse `len` bytes of JSON. Returns 0 and an owned `*out_start`; -1 with
 * ERR_USER and the field's name when anything is missing or malformed.
 */
MUST_USE int job_start_parse(const void *data, size_t len,
                             struct job_start **out_start, struct err *err);
/** The value of a secret, or NULL: the job was not given it. Borrowed. */
const char *job_start_secret(const struct job_start *start, const char *name);
/** Why it was not, as its supervisor says, or NULL. Borrowed. */
const char *job_start_missing(const struct job_start *start, const char *name);
void job_start_free(struct job_start *start);
OWNER(job_start)

#endif
