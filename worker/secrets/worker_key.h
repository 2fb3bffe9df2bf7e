/* worker/secrets/worker_key.h - whom schedulers seal credentials to. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SECRETS_WORKER_KEY_H
#define WORKER_SECRETS_WORKER_KEY_H

#include "base/seal.h"

#include <stdbool.h>

/*
 * STATE_DIR/worker.key has the secret of a worker's pair of keys (base/seal.h)
 * as base64, for its owner's eyes only. The public one is what an operator
 * writes into scheduler.workers: nobody who has Redis alone can.
 */
#define WORKER_KEY_NAME "worker.key"

/** `*out_found` false: there is none. The caller wipes the key. ERR_USER: it
 * is damaged, or others may read it. */
MUST_USE int worker_key_load(const char *state_dir, struct seal_key *out_key,
                             bool *out_found, struct err *err);
/** The same, making one where there is none. */
MUST_USE int worker_key_make(const char *state_dir, struct seal_key *out_key,
                             struct err *err);

#endif
