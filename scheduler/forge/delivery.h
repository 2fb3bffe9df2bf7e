/* scheduler/forge/delivery.h - a webhook's request, from headers to event. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_DELIVERY_H
#define SCHEDULER_FORGE_DELIVERY_H

#include "base/sha256.h"
#include "scheduler/forge/event.h"
#include "scheduler/forge/signature.h"

#define DELIVERY_ID_SIZE    129
#define DELIVERY_EVENT_SIZE 65

/** A delivery whose signature is good. */
struct delivery {
    enum forge_kind forge;
    /** The same for each sending of the same: digest of what is signed. */
    char key[SHA256_HEX_SIZE];
    uint64_t secrets;                /* bit i: secret i fits */
    char id[DELIVERY_ID_SIZE];       /* the host's, unsigned; "" for none */
    char event[DELIVERY_EVENT_SIZE]; /* unsigned; "" for GitLab's without */
};

/**
 * Find out whose a request is, by its headers (Forgejo's and Gitea's before
 * GitHub's, which they send, too), and check its signature, before anything of
 * the body is parsed. 0 and `*out`. Else -1, ERR_USER, and in `*out_status`
 * what to answer: 400 (no host's, or another host's than the address is for),
 * 401 (the signature), 413 (BODY_MAX_BYTES).
 */
MUST_USE int delivery_verify(const struct webhook_request *request,
                             const struct webhook_secrets *secrets,
                             struct delivery *out, int *out_status,
                             struct err *err);

/** What a delivery that was verified says; see event_read(). */
MUST_USE int delivery_read(const struct delivery *delivery,
                           const struct webhook_request *request,
                           const char *base_url, struct event **out_event,
                           struct err *err);

/**
 * Whether a secret that fits may speak for the event's repository: else -1 and
 * ERR_USER. Of what nothing follows from it is all the same.
 */
MUST_USE int delivery_check_scope(const struct delivery *delivery,
                                  const struct webhook_secrets *secrets,
                                  const struct event *event, struct err *err);

#endif
