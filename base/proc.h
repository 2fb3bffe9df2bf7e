/* base/proc.h - starting programs; never fork without exec. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** What becomes the child's stdin, stdout or stderr. */
#define PROC_NULL    (-1) /* /dev/null */
#define PROC_INHERIT (-2) /* the parent's own */

struct proc_fd {
    int from; /* ours */
    int to;   /* in the child, 3 or more */
};

struct proc_spec {
    const char *const *argv; /* argv[0] is searched in PATH without a '/' */
    char *const *envp;       /* NULL: the parent's */
    const char *cwd;         /* NULL: the parent's */
    int in, out, err;        /* a descriptor, PROC_NULL or PROC_INHERIT */
    const struct proc_fd *fds;
    size_t fd_count;
    bool new_group; /* a process group of its own: no terminal signals */
};

/**
 * posix_spawn() with an empty signal mask and default dispositions; only the
 * named descriptors are passed on (all others are closed in the child).
 * ERR_TRANSIENT, or ERR_USER when the program does not exist.
 */
MUST_USE int proc_spawn(const struct proc_spec *spec, pid_t *out_pid,
                        struct err *err);

/**
 * Whether our child `pid` ends within `timeout_ms`: blocks until then, and
 * leaves it to be waited for. True, too, where there is no such child. It does
 * without a descriptor where there is none to be had.
 */
MUST_USE bool proc_ends_within(pid_t pid, int64_t timeout_ms);

/** Wait for `pid`; kills it with SIGKILL after `timeout_ms` (-1: never). */
MUST_USE int proc_wait(pid_t pid, int64_t timeout_ms, int *out_status,
                       struct err *err);

/**
 * Run a short program to its end, stdout and stderr into `output` (may be
 * NULL), killed after `timeout_ms`. Returns 0 only when it exited with 0; the
 * error otherwise quotes the last line of its output.
 */
MUST_USE int proc_run(const char *const *argv, int64_t timeout_ms,
                      struct strbuf *output, struct err *err);

/**
 * The same for one whose exit status says more: 0, with what it exited with
 * (0 to 255) and its stdout, in place of `spec->out`, in `output`. -1 when it
 * was killed, by whomever, or did not start.
 */
MUST_USE int proc_call(const struct proc_spec *spec, int64_t timeout_ms,
                       struct strbuf *output, int *out_status, struct err *err);

/**
 * When a process began, in ticks since boot: with `pid` it names one process
 * for as long as the host is up. 0: there is none (any more), or only what
 * its parent has to reap.
 */
uint64_t proc_began(pid_t pid);

/**
 * Whoever starts one of our daemons and wants it to end with him, even if he is
 * killed, sets this variable to the number of his process.
 */
#define PROC_PARENT_VARIABLE "BERTH_PARENT"
/**
 * Get a SIGTERM when the process that PROC_PARENT_VARIABLE names ends; false:
 * it has ended already. The variable goes. Without it: true.
 */
MUST_USE bool proc_end_with_parent(void);

/**
 * This process has something secret: no core of it is dumped, and no other
 * process of its user may look into it. What it starts is not meant.
 */
void proc_hide(void);

/** Whether `name` is an executable in PATH (or is one, given a '/'). */
bool proc_in_path(const char *name);
/** Its path, owned by the caller; NULL: it is not there. */
MUST_USE char *proc_find(const char *name);

/**
 * The path of one of our own programs (`run-job`, `checkout`, `agent`…): in
 * BERTH_LIBEXEC where that is set (tests do), else ../libexec/berth beside the
 * running program's bin, or its own directory.
 * Owned by the caller.
 */
MUST_USE char *proc_libexec(const char *name);

#endif
