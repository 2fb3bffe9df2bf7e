/* worker/opencode/change.h - what a change is, from the repository inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_OPENCODE_CHANGE_H
#define WORKER_OPENCODE_CHANGE_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdbool.h>

#define CHANGE_MAX_DIFF ((size_t)32 << 20)

/** Which commits; strings are borrowed, "" for what is not known. */
struct change_spec {
    const char *dir;   /* of the repository */
    const char *base;  /* the branch that it goes to, or a commit */
    const char *since; /* only what is newer than this commit, if it is there */
    bool whole;        /* all files, as if they were new */
};

struct change {
    char *from, *to;       /* owned: the commits compared; "" for none */
    struct strbuf diff;    /* unified; `truncated` where it is too long */
    struct strbuf commits; /* their messages, the youngest first */
    struct strbuf rules;   /* .berth/review.md of the base; "" for none */
    bool is_since;         /* `since` was there, and before HEAD */
};

/**
 * Ask git, which runs with no settings but its own. ERR_USER: there is no
 * repository, no git, or no such base. `*out` is the caller's.
 */
MUST_USE int change_read(const struct change_spec *spec, struct change *out,
                         struct err *err);
/**
 * A file as the commit `base` (as in struct change_spec, "HEAD" too) has it:
 * not as the change does. At most 64 KiB. ERR_USER: there is none.
 */
MUST_USE int change_file(const char *dir, const char *base, const char *path,
                         struct strbuf *out, struct err *err);
void change_clear(struct change *change);
UNUSED static inline void change_freep(struct change *change)
{
    change_clear(change);
}

#endif
