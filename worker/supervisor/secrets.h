/* worker/supervisor/secrets.h - what has to be masked of a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_SECRETS_H
#define WORKER_SUPERVISOR_SECRETS_H

#include "base/frame.h"
#include "worker/logs/mask.h"
#include "worker/secrets/store.h"

#include <jansson.h>

/**
 * What run-job is told beside the payload: the members of `given`
 * (supervisor_options.secrets, or NULL) and, of the secrets that its steps
 * name, those that `store` (or NULL) has for its repository as "secrets", and
 * why others are not there as "secrets_missing" (worker/job/events.h). For jobs
 * of forks nothing is looked for. The caller's (secrets_free).
 */
MUST_USE json_t *secrets_gather(const char *job_id, const char *payload,
                                const json_t *given,
                                const struct secret_store *store);
/** Wipes the secrets in it. NULL is fine. */
void secrets_free(json_t *secrets);

/**
 * The mask of a job's output and result: the password of its repository (the
 * user name, where it stands alone: a token), and of its environment and that
 * of the steps each value whose name says that it is secret, of its inputs
 * those and the ones that such a value is made of, and all that steps name of
 * the worker's store. `secrets` is what secrets_gather() gave, or NULL. What
 * cannot be masked is told to the log. Owned by the caller; NULL: there is
 * nothing to mask.
 */
MUST_USE struct mask *secrets_mask(const char *job_id, const char *payload,
                                   const json_t *secrets);

/**
 * Mask all texts of a result in place; words of ours (states, reasons, kinds)
 * stay. `mask` may be NULL.
 */
void secrets_mask_result(const struct mask *mask, json_t *document);

/**
 * Add the payload of a frame from run-job (worker/job/events.h) to `out`,
 * masked: of JSON as secrets_mask_result() does it, else as one text. Output
 * comes in pieces, and is job_log.h's to mask. `mask` may be NULL.
 */
void secrets_mask_frame(const struct mask *mask, const struct frame *frame,
                        struct strbuf *out);

#endif
