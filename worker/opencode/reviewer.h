/* worker/opencode/reviewer.h - a whole review, from inside a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_OPENCODE_REVIEWER_H
#define WORKER_OPENCODE_REVIEWER_H

/*
 * `berth-review` reads one JSON object from its standard input:
 *
 * { "task": "what to look for", or "prompt_file": "a file of the base branch
 *   that says it", "paths": ["*.c"], "min_severity":
 *   "warning", "min_confidence": 0.5, "max_findings": 10, "verify": true,
 *   "whole": false, "base": "main", "since": "" or a commit, "title": "",
 *   "description": "", "earlier": findings or null, "tools": "read grep glob",
 *   "time_ms": N, "rules": null: those of the base branch, or text }
 *
 * and writes two lines to its standard output: what became of it,
 *
 * { "review": { "from", "to", "since": bool, "cut": bool, "files", "left_out",
 * "unseen", "chunks", "failed", "found", "misplaced", "moved", "refuted",
 * "unverified", "repeated", "minor", "beyond", "standing", "lost", "runs",
 * "ms", "reasons":
 *   [{"why", "files"}], "notes": ["PATH: WHY"] } }
 *
 * and schemas/findings.schema.json. People read the same on standard error.
 * Exit status: 0, there was a review; 1, the model gave no answer of use; 2,
 * there is nothing to review with, or the input is wrong.
 */
int reviewer_main(void);

#endif
