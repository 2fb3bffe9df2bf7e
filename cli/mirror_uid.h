/* cli/mirror_uid.h - whom the mirrors of this host belong to. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_MIRROR_UID_H
#define CLI_MIRROR_UID_H

#include "worker/sandbox/mounts.h"

#include <unistd.h>

/**
 * The user as whom a repository is read, if we are root: the one of the
 * sandboxes, since the worker of this host has its mirrors in the same place.
 * 0: ourselves.
 */
UNUSED static inline unsigned mirror_uid(void)
{
    const unsigned user_inside = 1000; /* oci.c's */

    return geteuid() == 0 ? SANDBOX_UID_BASE + user_inside : 0;
}

#endif
