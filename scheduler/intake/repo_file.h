/* scheduler/intake/repo_file.h - files of a repository, read at a commit. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_REPO_FILE_H
#define SCHEDULER_INTAKE_REPO_FILE_H

#include "base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One handle is one reading: a process `checkout --show`, which fetches into
 * the mirror that this host keeps of the repository where that does not have
 * the commit yet. No Git host's API is asked; nothing blocks the loop.
 */
struct repo_file;

#define REPO_FILE_MAX       16
#define REPO_FILE_ALSO      64
#define REPO_FILE_MAX_BYTES ((size_t)1 << 20) /* of one file */

/** All borrowed, for the duration of repo_file_get; NULL strings are "". */
struct repo_file_request {
    const char *repo; /* an address as a job document has it */
    /*
     * The first of these that is given: a whole commit id; a branch, a tag or
     * refs/…; a branch and nothing else, with or without refs/heads/ before
     * it. With none of them the repository's HEAD.
     */
    const char *commit, *ref, *branch;
    const char *const *paths; /* from the top of the tree, without ./ and .. */
    /*
     * 0: only find the commit. The last path may be a pattern, with one `*` in
     * its last name: of that one directory all regular files whose names fit
     * (glob_match_last() of base/glob.h). Symbolic links are none, and names
     * with control characters, or that are not UTF-8, do not fit.
     */
    size_t path_count;
    /* Commits that will be asked for next: they come along with what has to be
     * fetched, where a reference of the repository is at them. */
    const char *const *also;
    size_t also_count;               /* at most REPO_FILE_ALSO */
    const char *username, *password; /* for http(s), for that host only */
    const char *state_dir;           /* absolute; its mirrors/ is used */
    /*
     * For root: whom the mirrors belong to, and who does the work (a worker of
     * this host has mirrors in the same place); 0: ourselves.
     */
    unsigned uid;
    int64_t timeout_ms; /* of the whole; > 0; over for certain 2 s later */
};

/** `why` of a file that is simply not there: checkout's own word. */
#define REPO_FILE_MISSING "is not there"

struct repo_file_content {
    const char *data; /* `len` bytes of any kind, without a NUL; or NULL */
    size_t len;
    const char *why;  /* NULL, or why there is no data */
    const char *path; /* as it was asked for; of a pattern the file's own */
};

/** All borrowed, for the duration of the callback. */
struct repo_file_result {
    const char *commit; /* 40 hexadecimal digits: what was meant, pinned */
    const char *branch; /* the one it was found by, or HEAD's; else "" */
    /* One a path, in their order, but for a pattern all that fit, in the order
     * of their bytes; none where there is no such directory. */
    const struct repo_file_content *files;
    size_t count;
    bool fetched; /* the mirror did not have all of it yet */
    bool more;    /* more fit than make REPO_FILE_MAX in all: left out */
};

/**
 * Called once: one of `result` and `err` is NULL. repo_file_free() is allowed
 * in it, and needed afterwards. Kinds: ERR_USER (no such repository, commit or
 * ref; authentication), ERR_TRANSIENT (host away, time-out, lock, disk),
 * ERR_BUG. That a file is not there is no error.
 */
typedef void repo_file_fn(void *arg, const struct repo_file_result *result,
                          const struct err *err);

/**
 * Start reading. `fn` comes from the loop, never from inside this call.
 * ERR_TRANSIENT: nothing could be started; ERR_USER: too long, or not UTF-8;
 * ERR_BUG: more than REPO_FILE_MAX paths, or no time-out.
 */
MUST_USE int repo_file_get(struct loop *loop,
                           const struct repo_file_request *request,
                           repo_file_fn *fn, void *arg, struct repo_file **out,
                           struct err *err);

/** Kills what still runs, without a callback. NULL is fine. */
void repo_file_free(struct repo_file *file);
OWNER(repo_file)

#endif
