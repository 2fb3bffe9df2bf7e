/* cli/hosts.h - the Git hosts that a scheduler asks, as they are configured. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_HOSTS_H
#define CLI_HOSTS_H

#include "scheduler/forge/client.h"

struct settings;

/** All owned; NULL: there is no address of it. */
struct hosts {
    struct forge *github, *gitlab, *gitea;
};

/**
 * Read tokens and keys, and check all that can be checked without asking a
 * host: nothing is started yet. ERR_USER names the key that is wrong. `loop`
 * is borrowed.
 */
MUST_USE int hosts_open(const struct settings *settings, struct loop *loop,
                        struct hosts **out_hosts, struct err *err);
/** Before the loop goes. NULL is fine. */
void hosts_free(struct hosts *hosts);
OWNER(hosts)

/** Borrowed; NULL where there is none of the kind. */
struct forge *hosts_get(const struct hosts *hosts, enum forge_kind kind);

#endif
