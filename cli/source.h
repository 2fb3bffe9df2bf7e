/* cli/source.h - which repository and commit a run is about. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include "base/err.h"

/** All strings are owned and never NULL. */
struct source {
    char *repo;   /* an absolute path, or an address as it was given */
    char *name;   /* "acme/app": of the origin, else the directory's name */
    char *commit; /* 40 hex digits; "" for an address and no --commit */
    char *ref;    /* refs/heads/main, as given for an address, or "" */
    char *branch; /* "main", or "" */
    unsigned dirty_files; /* changed files that HEAD does not hold */
};

/**
 * Find out, with git, what `repo` (a path, or an address; NULL: ".") is at
 * `commit` or `ref` (each may be NULL; else HEAD). A directory below the top of
 * a repository stands for the repository. ERR_USER: not a repository, no
 * commit yet, no such commit or ref; the message never holds a password.
 */
MUST_USE int source_find(const char *repo, const char *commit, const char *ref,
                         struct source **out_source, struct err *err);
void source_free(struct source *source);
OWNER(source)

/**
 * The commit at which `source`, a path here, left a branch: `base`, as the
 * origin has it, else as it is here; NULL: the origin's main branch, else main
 * or master. Owned by the caller. ERR_USER: there is none.
 */
MUST_USE int source_base(const struct source *source, const char *base,
                         char **out_base, struct err *err);

/** Whether `repo` is an address (https://…, git@host:path), not a path here. */
int source_is_address(const char *repo);

/** "acme/app" of an address or a path: its last two parts. Owned. */
MUST_USE char *source_name_of(const char *address);

#endif
