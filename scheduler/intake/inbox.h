/* scheduler/intake/inbox.h - documents that anybody put into Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_INBOX_H
#define SCHEDULER_INTAKE_INBOX_H

#include "scheduler/intake/admit.h"
#include "scheduler/queue/keeper.h"
#include "scheduler/queue/outage.h"

/*
 * Each document is held in a list of this scheduler until it was admitted or
 * rejected, in one script with that: whoever dies on the way loses none, and
 * none is admitted twice.
 */
struct inbox;

/**
 * Documents at work at once: more than may read from repositories, so that
 * those of a host that is away do not keep all others waiting.
 */
#define INBOX_MAX_HELD 32

/** All borrowed; must outlive the inbox. */
struct inbox_options {
    struct admit_options admit;
    const char *scheduler;    /* its name (keeper.h) */
    size_t max_bytes;         /* of a document; larger ones are rejected */
    const int64_t *offset_ms; /* Redis' clock is ahead of ours by that */
    struct outage *outage;    /* told of answers to OUTAGE_INBOX */
};

/**
 * Take back what a scheduler of this name held when it died, then take
 * documents, as long as it lives. While Redis is away it tries again.
 */
MUST_USE struct inbox *inbox_new(const struct inbox_options *options);
/** Must be called after queue_free(). NULL is fine. */
void inbox_free(struct inbox *inbox);
OWNER(inbox)

/** Of the documents that are taken from now on. */
void inbox_set_max_bytes(struct inbox *inbox, size_t max_bytes);

/**
 * Take no more, and give back what is held: another scheduler will have it.
 * `fn` comes when Redis said so, or did not.
 */
void inbox_stop(struct inbox *inbox, queue_done_fn *fn, void *arg);

#endif
