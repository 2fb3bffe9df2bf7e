/* worker/sandbox/cgroup.h - a sandbox's limits, on cgroup v2 and v1. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_CGROUP_H
#define WORKER_SANDBOX_CGROUP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Layout: <base>/berth/<id>, where <base> is, on v2, our own cgroup if it was
 * delegated to us (systemd's Delegate=yes), else the top of the hierarchy; on
 * v1 and hybrid, in each hierarchy that holds a controller we need, our own
 * cgroup. The runtime's process joins <id> itself before it starts the
 * runtime, so that everything is inside from its first instruction on; a
 * runtime that insists on a cgroup of its own gets <id>/c.
 */
struct cgroup;

/** Where the kernel's tables are; tests point them elsewhere. */
struct cgroup_host {
    const char *mountinfo; /* /proc/self/mountinfo */
    const char *self;      /* /proc/self/cgroup */
};

struct cgroup_limits {
    uint64_t memory_bytes; /* memory and swap together */
    unsigned cpu_millis;   /* 1000: one CPU; 0: no limit */
    unsigned pids;
};

/** All borrowed, for the duration of the call. */
struct cgroup_spec {
    const struct cgroup_host *host; /* NULL: this one */
    const char *id; /* what they are called; nobody else's on this host */
    struct cgroup_limits limits;
    bool subgroup; /* for a runtime that makes <id>/c */
    /* A file that gets each directory, one a line, before it is made:
     * for cgroup_remove_recorded() after a crash. NULL: none. */
    const char *record_path;
};

struct cgroup_usage {
    uint64_t memory_peak_bytes; /* 0: not known */
    int64_t cpu_ms;             /* -1: not known */
    unsigned oom_kills;
};

/**
 * Make the cgroups of sandbox `id` and set its limits. Succeeds on a host
 * without the controllers too; see cgroup_unenforced(). ERR_TRANSIENT where a
 * controller is there but may not be used; the message says what to change.
 */
MUST_USE int cgroup_create(const struct cgroup_spec *spec,
                           struct cgroup **out_cgroup, struct err *err);
/**
 * The cgroups that another has made for process `pid` and what it starts: for
 * cgroup_freeze() and cgroup_usage_read() alone. ERR_TRANSIENT.
 */
MUST_USE int cgroup_adopt(pid_t pid, struct cgroup **out_cgroup,
                          struct err *err);
/**
 * Set another limit of the CPU, once the runtime has started: during the start
 * a small one would cost some hundred milliseconds.
 */
MUST_USE int cgroup_limit_cpu(const struct cgroup *cgroup, unsigned cpu_millis,
                              struct err *err);
/** Frees the memory only. NULL is fine. */
void cgroup_free(struct cgroup *cgroup);
OWNER(cgroup)

/** Limits that are not enforced, as "memory, cpu", or "". */
const char *cgroup_unenforced(const struct cgroup *cgroup);
/** Files to write "0" to in order to join; empty with `subgroup`. */
const struct strv *cgroup_join_files(const struct cgroup *cgroup);
/** Absolute directories, one a line, for cgroup_remove_recorded(). */
const char *cgroup_record(const struct cgroup *cgroup);
/** OCI's linux.cgroupsPath for <id>/c; NULL when not made with `subgroup`. */
const char *cgroup_runtime_path(const struct cgroup *cgroup);

/**
 * Stop all that is inside, and below, or let it go on; waits until it stands
 * still, 2 s at most. Idempotent. ERR_TRANSIENT when it does not, or where the
 * host has no freezer.
 */
MUST_USE int cgroup_freeze(const struct cgroup *cgroup, bool frozen,
                           struct err *err);

void cgroup_usage_read(const struct cgroup *cgroup,
                       struct cgroup_usage *out_usage);

/**
 * Kill all that is in the recorded directories and below, and remove them.
 * Idempotent; what is missing is fine. Waits `timeout_ms` at most.
 */
MUST_USE int cgroup_remove_recorded(const char *record, int64_t timeout_ms,
                                    struct err *err);

#endif
