/* worker/supervisor/credential.h - what reads a job's repository. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_CREDENTIAL_H
#define WORKER_SUPERVISOR_CREDENTIAL_H

#include "base/loop.h"
#include "base/seal.h"
#include "scheduler/queue/lease.h"
#include "worker/secrets/checkout.h"
#include "worker/supervisor/supervisor.h"

#include <jansson.h>

/*
 * A job of an http(s) repository gets what this worker has for it, or what a
 * scheduler seals to this worker's key (scheduler/queue/credential.h); or
 * nothing, as after CREDENTIAL_WAIT_MS: its repository may be public.
 */
#define CREDENTIAL_WAIT_MS 20000
/** Stands for whatever token schedulers give for a repository ("whose" of
 * worker/job/events.h). */
#define CREDENTIAL_WHOSE "scheduler"

/** All borrowed; they must outlive the asking. */
struct credential_spec {
    struct loop *loop;
    struct queue *queue;
    struct lease *lease;
    const char *worker;
    const struct seal_key *key;               /* NULL: no scheduler is asked */
    const struct checkout_credentials *local; /* NULL: there are none */
    int64_t wait_ms;                          /* 0: CREDENTIAL_WAIT_MS */
};

/** What it says of itself; the rest is for the caller to fill in. */
struct credential_spec
credential_spec_of(const struct supervisor_options *options);

/**
 * What came, owned by the callee (secrets_free): {"username", "password"} and,
 * of a scheduler, "whose"; or {"credential": "later"}: nothing, but another
 * attempt may get some (worker/job/events.h); NULL: nothing. `note`, borrowed,
 * is why, for the job's log; "": nothing was to be had.
 */
typedef void credential_fn(void *arg, json_t *credential, const char *note);
struct credential;

/**
 * Begin; `fn` comes once, from the loop or from inside of this call, and then
 * `*out_credential` is freed (NULL, if it was inside).
 */
void credential_get(const struct credential_spec *spec, credential_fn *fn,
                    void *arg, struct credential **out_credential);
/** Stop asking; `fn` does not come. NULL is fine. */
void credential_free(struct credential *credential);
OWNER(credential)

#endif
