/* worker/job/events.h - what run-job and its supervisor tell each other. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_EVENTS_H
#define WORKER_JOB_EVENTS_H

/*
 * run-job is started with one end of a socket pair as descriptor 3 and speaks
 * frames (base/frame.h) on it. Unless said otherwise a payload is one JSON
 * object, and `id` is the index of the step (0 for the whole job).
 *
 * End-of-file from above: run-job kills and destroys its sandbox at once.
 */
enum job_frame {
    /* down: supervisor to run-job */
    JOB_FRAME_START = 1, /* struct below, as JSON; once */
    JOB_FRAME_DEADLINE,  /* {"mono_ms": N}: die then, unless renewed */
    JOB_FRAME_CANCEL,    /* {"reason": "cancelled"|…}; a second one kills */
    JOB_FRAME_PREPARE,   /* a START of no job, before the one: make and start a
                            sandbox that fits, then wait for the job */
    JOB_FRAME_CACHE_ANSWER, /* to CACHE_WANTED, with its id: {"found": true or
                             * false, "notes": ["what the log is to say"]} */

    /* up: run-job to supervisor */
    JOB_FRAME_STEP_START = 16, /* {"name", "kind", "attempt",
                                * "started_at_ms"} */
    JOB_FRAME_STDOUT,          /* raw bytes of the step's output */
    JOB_FRAME_STDERR,          /* the same */
    JOB_FRAME_NOTE,            /* raw text: lines of berth's own, whole */
    JOB_FRAME_PROGRESS, /* raw text: a line that replaces the last (fetch) */
    JOB_FRAME_STEP_END, /* a step of the result (schemas/result.schema.json) */
    JOB_FRAME_RESULT,   /* the result; the last frame, then end of file */
    JOB_FRAME_READY,    /* empty: the sandbox of PREPARE waits for a START */
    JOB_FRAME_CONNECTION,   /* one out of the sandbox has ended, or was refused:
                             * {"host", "port", "address", "up", "down", "ms",
                             * "verdict"} of worker/gateway/protocol.h */
    JOB_FRAME_CACHE_WANTED, /* {"kind", "names": ["scope/key"], "prefixes"}: of
                             * the store of caches (worker/cache/far/program.h),
                             * into the cache of this host; `id` counts them */
    JOB_FRAME_SPENT, /* what the job has spent on models so far: "models" of
                      * RELAY_FRAME_USAGE (worker/gateway/relay/protocol.h) */
};

/*
 * JOB_FRAME_START:
 * { "job_id": "…", "epoch": N, "pipeline": <normalised document>,
 *   "repo": "URL or absolute path", "repo_name": "acme/app",
 *   "commit": "sha or \"\"", "ref": "refs/… or name or \"\"",
 *   "branch": "", "matrix": {"k": "v"},
 *   "base": "", "change": "", "trust": "member",
 *   "title": "", "description": "" of the change, "previous": {"commit",
 *             "findings"} of the last review: for reviewers alone
 *   "username": "", "password": "", for an http(s) repo; never stored;
 *   "whose": "" or what stands for all tokens that may read the repository in
 *            this one's place, when mirrors and caches are told apart,
 *   "credential": "" or "later": there was none to be had for now, so that a
 *            host that wants one is no fault of the job's,
 *   "inputs": {"k": "v"}, "env": {"K": "v"}, "runtime": "" | "crun" | path,
 *   "gateway": {"allow_addresses": ["10.0.0.0/8"], "fork_hosts": ["npm"],
 *               "max_connections": N, "max_rate": N, "max_bytes": N}: the
 *               worker's own, never the document's
 *   "inject": [{"host", "header", "value"}]: fields that the gateway puts into
 *             requests to a host, for trust member only; never stored
 *   "secrets": {"NAME": "value"}: what steps name of the worker's store, for
 *              trust member only; "secrets_missing": {"NAME": "why"}; never
 *              stored
 *   "models": [worker/gateway/relay/protocol.h, with "context" and "output"]:
 *             those that steps ask for, the first being the usual one, and
 *             their fallbacks, with keys; never stored
 *   "log_stream": "berth:{pool}:log:…", "keep": false }
 */

#endif
