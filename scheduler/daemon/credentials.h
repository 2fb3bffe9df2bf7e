/* scheduler/daemon/credentials.h - workers get what reads a repository. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_DAEMON_CREDENTIALS_H
#define SCHEDULER_DAEMON_CREDENTIALS_H

#include "scheduler/forge/client.h"
#include "scheduler/queue/outage.h"

/*
 * Takes what workers ask for (scheduler/queue/credential.h): looks whether the
 * worker is one that whoever configured us named with its key, and the lease
 * its own; has the Git host whose addresses begin like the repository's make a
 * token that reads this repository and nothing else; and leaves it sealed to
 * that key. The token is here for as long as it takes to seal it, and nowhere
 * else.
 */
struct credentials;

/** All borrowed; they must outlive it. */
struct credentials_options {
    struct loop *loop;
    struct queue *queue;
    struct outage *outage;
    struct forge *const *forges;
    size_t forge_count;
    const struct strv *workers; /* of enrolled.h; copied */
};

MUST_USE struct credentials *
credentials_new(const struct credentials_options *options);
/** Others are enrolled from now on. */
void credentials_set_workers(struct credentials *credentials,
                             const struct strv *workers);
/** Take nothing any more. */
void credentials_stop(struct credentials *credentials);
/** Must be called after queue_free(), and before the forges'. NULL is fine. */
void credentials_free(struct credentials *credentials);
OWNER(credentials)

#endif
