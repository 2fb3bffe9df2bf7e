/* base/confine.h - what a process gives up, for good. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct strv;

/*
 * For programs that parse what strangers send, or run beside them. In this
 * order: the user first, as becoming another undoes parts of the rest; the
 * calls (confine_calls.h) last. All fail with ERR_TRANSIENT: the host does not
 * let us.
 */

/** Become `uid` (and gid) with no group and no way back; not for 0 or ours. */
MUST_USE int confine_user(uid_t uid, struct err *err);

/**
 * Gain no privilege by what is executed, be neither traced nor dumped, and be
 * killed with the parent, which has to be `parent` still.
 */
MUST_USE int confine_process(pid_t parent, struct err *err);

/** Lower both limits of `resource` (RLIMIT_…) to `most`; never raise them. */
MUST_USE int confine_limit(int resource, uint64_t most, struct err *err);
/** RLIMIT_AS; not with AddressSanitizer, which reserves terabytes. */
MUST_USE int confine_memory(uint64_t most_bytes, struct err *err);

/** Absolute paths of files and directories; what is below these counts too. */
struct confine_files {
    /** May be changed; NULL: nothing. One that is missing is an error. */
    const struct strv *writes;
    /** May be read; one that is missing is left out. NULL: everything. */
    const struct strv *reads;
};

/**
 * From now on open, change and make only these files, and execute none
 * (Landlock); after confine_process(). What is open stays so. A kernel without
 * Landlock does nothing of it: 0 all the same.
 */
MUST_USE int confine_files(const struct confine_files *files, struct err *err);
/** Whether this kernel can do that. */
bool confine_has_files(void);

#endif
