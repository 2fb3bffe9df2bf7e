/* worker/sandbox/runtime.h - the process of an OCI runtime. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_RUNTIME_H
#define WORKER_SANDBOX_RUNTIME_H

#include "base/loop.h"

#include <stdbool.h>
#include <sys/types.h>

/**
 * The runtime to use: `wanted`, or crun, or runc. Owned by the caller.
 * ERR_TRANSIENT, naming packages, when there is none.
 */
MUST_USE int runtime_find(const char *wanted, char **out_program,
                          struct err *err);
/**
 * Have `*program`, which is owned by the caller, be a name of the same program
 * below `run_dir` that nobody can write by, whatever its rights (read-only
 * mount): a runtime enters the container before it becomes the command there,
 * which must not come to the host's file by /proc/self/exe (CVE-2019-5736).
 * ERR_TRANSIENT.
 */
MUST_USE int runtime_shield(char **program, const char *run_dir,
                            struct err *err);
/** Whether it can stay out of cgroups (crun), or makes one of its own. */
bool runtime_leaves_cgroups(const char *program);

#define RUNTIME_EXIT_USER 65 /* EX_DATAERR of sysexits.h */

/** All borrowed, for the duration of the call. */
struct runtime_spec {
    const char *program;
    const char *id;
    const char *run_dir;     /* holds config.json; state and pid go there */
    const struct strv *join; /* cgroup files */
    /* In place of an OCI runtime's command line: a program that behaves like
     * one, but ends with RUNTIME_EXIT_USER for what is the job's fault. NULL:
     * `program` is an OCI runtime. */
    const struct strv *command;
    /** Called from the loop when the runtime's process ended unasked. */
    void (*on_end)(void *arg, const struct err *err);
    void *arg;
};

struct runtime;

/**
 * Run the bundle. Returns our ends of the container's stdin and stdout in
 * `*out_to` and `*out_from`, owned by the caller.
 */
MUST_USE int runtime_start(struct loop *loop, const struct runtime_spec *spec,
                           struct runtime **out_runtime, int *out_to,
                           int *out_from, struct err *err);
/** Pid of the container's pid 1 on the host, or -1. */
pid_t runtime_init_pid(const struct runtime *runtime);
/**
 * For root: keep what `init`, that pid, and its sandbox can take of the host's
 * inotify instances and watches to a share, let it make no user namespaces,
 * and have the kernel kill commands before the runtime and the agent when
 * memory runs out. Blocks some milliseconds. ERR_TRANSIENT.
 */
MUST_USE int runtime_tame(const struct runtime *runtime, pid_t init,
                          struct err *err);
/** What the runtime said last on stderr; "" if nothing. Borrowed. */
const char *runtime_last_words(struct runtime *runtime);
/**
 * Wait for the end (the container's stdin is closed by now), or kill it after
 * `grace_ms`. NULL is fine.
 */
void runtime_stop(struct runtime *runtime, int64_t grace_ms);

#endif
