/* worker/job/machine.h - the job's one sandbox, booted when it is needed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_MACHINE_H
#define WORKER_JOB_MACHINE_H

#include "worker/cache/store.h"
#include "worker/gateway/client.h"
#include "worker/job/output.h"
#include "worker/job/start.h"
#include "worker/sandbox/sandbox.h"

struct machine;

/** `err` NULL: it runs. Called once for each machine_boot(). */
typedef void machine_ready_fn(void *arg, const struct err *err);
/** The sandbox died unasked; nothing runs in it any more. */
typedef void machine_lost_fn(void *arg, const struct err *err);
/** A line for the job's log. */
typedef void machine_note_fn(void *arg, const char *text);

/** A connection out of it has ended, or was refused. */
typedef void machine_connection_fn(void *arg,
                                   const struct gateway_event *event);

struct machine_events {
    machine_lost_fn *on_lost;
    machine_note_fn *on_note;
    machine_connection_fn *on_connection;
    void *arg;
};

/**
 * Create the job's sandbox below `<state>/sandboxes` (no process yet). Where
 * the pipeline checks something out, the repository's mirror directory is made
 * and bound read-only at MACHINE_MIRROR. Borrows `loop` and `start`;
 * the events are copied. ERR_USER: it may not have what it asks for.
 */
MUST_USE int machine_new(struct loop *loop, const struct job_start *start,
                         const struct machine_events *events,
                         struct machine **out_machine, struct err *err);

/**
 * Start it before any step asks, for a job to come; `start` is of no job then.
 */
void machine_warm(struct machine *machine, machine_ready_fn *ready, void *arg);
/**
 * Make it the sandbox of a job, when it is ready. ERR_USER: it is not what the
 * job asks for; other errors as machine_new(). Nothing but machine_destroy() is
 * to be done with it then. Borrows `start` in place of the former one; the
 * events are copied.
 */
MUST_USE int machine_adopt(struct machine *machine,
                           const struct job_start *start,
                           const struct machine_events *events,
                           struct err *err);

/** Where the repository's mirror is inside. */
#define MACHINE_MIRROR      "/run/berth/mirror"
#define MACHINE_MIRROR_REPO "repo.git"

/** The host's cache, borrowed; NULL: it has none. Opened when first asked for.
 */
struct cache *machine_store(struct machine *machine);
/**
 * The same for layers; NULL also where the driver, or an ordinary user, has
 * none.
 */
struct cache *machine_cache(struct machine *machine);
/** Hold an entry (it is taken) until the sandbox is destroyed. */
void machine_hold(struct machine *machine, struct cache_entry *entry);
/** Something is on its way into the cache, taken: machine_destroy ends it. */
struct save;
void machine_add_save(struct machine *machine, struct save *save);
/** What is on its way arrives, within a minute; else it does not. Blocks. */
void machine_finish_saves(struct machine *machine, struct output *output);
/** Something comes into the cache: see machine_kept(). */
void machine_note_kept(struct machine *machine);
/** Whether the cache is to be tidied up (cache_tidy). */
bool machine_kept(const struct machine *machine);

/** Boot it, or answer at once (from the loop) when it runs already. */
void machine_boot(struct machine *machine, machine_ready_fn *ready, void *arg);
/**
 * Before a good end: have all said that is to be said of its network, and call
 * `done`, from the loop, within a second. Only machine_destroy() then.
 */
void machine_settle(struct machine *machine, void (*done)(void *arg),
                    void *arg);
/** Whether machine_boot() has been asked for: a step may have run inside. */
bool machine_is_booted(const struct machine *machine);

/** The driver, and what its functions want. Borrowed. */
const struct sandbox_driver *machine_driver(const struct machine *machine);
struct sandbox *machine_sandbox(const struct machine *machine);
/**
 * The directory on the host that is bound at MACHINE_MIRROR; the mirror is
 * MACHINE_MIRROR_REPO in it. NULL when the pipeline checks nothing out.
 */
const char *machine_mirror(const struct machine *machine);

/**
 * The directory on the host whose files are in PIPELINE_SECRETS_DIR, in memory;
 * NULL when no step has a secret as a file. Borrowed.
 */
const char *machine_secrets(const struct machine *machine);
/**
 * What the gateway puts into requests from now on (egress_inject); it runs.
 * `done` comes from the loop, unless on_lost does.
 */
void machine_inject(struct machine *machine, const json_t *fields,
                    void (*done)(void *arg), void *arg);

/** Counters so far. */
void machine_usage(struct machine *machine, struct sandbox_usage *out_usage);

/**
 * Let a port inside be reached from this host until the machine is destroyed
 * (worker/sandbox/forward.h); the same port twice is the same address. 16 at
 * most. `*out_url` is borrowed.
 */
MUST_USE int machine_expose(struct machine *machine, unsigned port,
                            const char **out_url, struct err *err);

/** Copy the workspace to `<state>/kept/<job>`. Owned path on success. */
MUST_USE int machine_keep(struct machine *machine, char **out_path,
                          struct err *err);

/** Destroy the sandbox; -1 says what is left. Frees it either way. */
int machine_destroy(struct machine *machine, struct err *err);

#endif
