/* worker/sandbox/hierarchy.h - where cgroup controllers are mounted. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_HIERARCHY_H
#define WORKER_SANDBOX_HIERARCHY_H

#include "worker/sandbox/cgroup.h"

#define HIERARCHY_MAX 24

/* On v2 a cgroup that hands controllers down may hold no process: we move
 * into this one below it, and still call the one above our own. */
#define HIERARCHY_LEAF "berth.main"

/** One mounted hierarchy. */
struct hierarchy {
    char *mount; /* owned: the directory */
    char *own;   /* owned: our own cgroup (not the leaf), as a directory */
    char *name;  /* owned: "/proc/self/cgroup" path of it, below the mount */
    bool v2;
    char *controllers; /* owned: v1: mount options; v2: cgroup.controllers */
};

struct hierarchies {
    struct hierarchy items[HIERARCHY_MAX];
    size_t count;
};

/** Read the kernel's tables; mounts without ours in them are left out. */
MUST_USE int hierarchies_load(const struct cgroup_host *host,
                              struct hierarchies *out, struct err *err);
void hierarchies_clear(struct hierarchies *all);
UNUSED static inline void hierarchies_freep(struct hierarchies *all)
{
    hierarchies_clear(all);
}

/** The hierarchy that has a controller, v2 first; NULL if none. Borrowed. */
const struct hierarchy *hierarchy_find(const struct hierarchies *all,
                                       const char *controller);
/** Whether a list with spaces or commas has a word. */
bool hierarchy_has_word(const char *list, const char *word);

#endif
