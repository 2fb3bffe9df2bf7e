/* worker/job/egress.h - a job's way out of its sandbox, by names of hosts. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_EGRESS_H
#define WORKER_JOB_EGRESS_H

#include "worker/gateway/client.h"
#include "worker/job/start.h"
#include "worker/sandbox/sandbox.h"

struct egress;

struct egress_spec {
    struct loop *loop;             /* these four borrowed, and outlive it */
    const struct job_start *start; /* of a job with NETWORK_HOSTS */
    const struct sandbox_driver *driver;
    struct sandbox *sandbox; /* which runs */
    int listener; /* of egress_listen(), borrowed during the call; or -1 */
    /** Once: there is a way out, or `err` says why not. */
    void (*on_ready)(void *arg, const struct err *err);
    /** Once, later: there is none any more. */
    void (*on_lost)(void *arg, const struct err *err);
    /** A line for the job's log, of a host that was refused. */
    void (*on_note)(void *arg, const char *text);
    /** A connection has ended, or was refused. */
    void (*on_event)(void *arg, const struct gateway_event *event);
    void *arg;
};

/** What sandbox.h calls the network of this pipeline. */
enum sandbox_network egress_network(const struct pipeline *pipeline);

/** Whether a listener can be made in a sandbox by this driver and runtime. */
bool egress_can_listen(const struct job_start *start,
                       const struct sandbox_driver *driver);

/**
 * Whether the job may have the network that it asks for, from this worker and
 * by this driver: ERR_USER if not.
 */
MUST_USE int egress_check(const struct job_start *start,
                          const struct sandbox_driver *driver, struct err *err);

/**
 * What the gateway of the job is told (worker/gateway/protocol.h): presets
 * worked out, a fork's job narrowed to fork_hosts and without fields to inject.
 * The caller's (json_decref). NULL: ERR_USER, a preset of no use here.
 */
MUST_USE json_t *egress_setup(const struct job_start *start, struct err *err);

/**
 * Listen inside for a gateway that comes later: `*out_fd` is the caller's.
 * ERR_TRANSIENT. Blocks some milliseconds.
 */
MUST_USE int egress_listen(const struct sandbox_driver *driver,
                           struct sandbox *sandbox, int *out_fd,
                           struct err *err);

/**
 * Listen inside, unless that was done, and start the gateway outside. Callbacks
 * come from the loop; egress_free() is fine in them. Blocks some milliseconds.
 */
MUST_USE int egress_start(const struct egress_spec *spec,
                          struct egress **out_egress, struct err *err);
/**
 * End all connections, note each host that was connected to, with its bytes,
 * and call `done`: from the loop, within a second.
 */
void egress_settle(struct egress *egress, void (*done)(void *arg), void *arg);
/**
 * Have the gateway inject `fields`, a list as "inject" of its setup, besides
 * those of the whole job, in place of what was asked for before; it is ready.
 * `done` comes from the loop when it is so, unless on_lost does.
 */
void egress_inject(struct egress *egress, const json_t *fields,
                   void (*done)(void *arg), void *arg);
/** Kills the gateway. NULL is fine. */
void egress_free(struct egress *egress);
OWNER(egress)

#endif
