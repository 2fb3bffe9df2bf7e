/* worker/secrets/store.h - what a worker has for the steps that name it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SECRETS_STORE_H
#define WORKER_SECRETS_STORE_H

#include "base/err.h"

#include <stdbool.h>

/*
 * A secret is looked for in this order:
 *
 *   DIR/REPOSITORY/NAME     of that repository alone
 *   DIR/NAME                these three only for repositories that `allow`
 *   CREDENTIALS/NAME        names
 *   $PREFIXNAME
 *
 * and read anew each time, but for the environment. A directory on the way may
 * be written, and a file read or written, by its owner only, who is root or our
 * own user; a group may read. Symbolic links are not followed.
 */
#define SECRET_MAX_BYTES ((size_t)64 << 10)

struct secret_store;

/** All copied; "" or NULL: there is none. */
struct secret_store_options {
    const char *dir;             /* absolute */
    const char *credentials_dir; /* of systemd: $CREDENTIALS_DIRECTORY */
    const char *env_prefix;
    const struct strv *allow; /* patterns (base/glob.h) of repositories */
};

/**
 * Variables with the prefix are taken out of this process' environment, and
 * their values are wiped where /proc would still show them. Owned by the
 * caller.
 */
MUST_USE struct secret_store *
secret_store_new(const struct secret_store_options *options);
/** Wipes what it has. NULL is fine. */
void secret_store_free(struct secret_store *store);
OWNER(secret_store)

/** Whether it is [A-Z_][A-Z0-9_]*, 64 at most. */
bool secret_name_ok(const char *name);

/**
 * What a repository is called here, from its address, whoever wrote that: the
 * host in small letters, its port if it has one, and the path, without a .git
 * at its end: github.com/acme/app. What comes by plain http, which anybody on
 * the way can change, has http+/ in front of it; a path of this host, file+.
 * Owned by the caller; NULL: ERR_USER, no such name can be made.
 */
MUST_USE char *secret_repository(const char *address, struct err *err);

/**
 * The value of a secret for a repository, as secret_repository() calls it:
 * UTF-8 without a NUL, not empty. Owned by the caller, who wipes it. Returns
 * -1 with ERR_USER, which says where it was looked for, or what is wrong with
 * it. Blocks as file systems do.
 */
MUST_USE int secret_store_get(const struct secret_store *store,
                              const char *repository, const char *name,
                              char **out_value, struct err *err);

/** Wipe and free. NULL is fine. */
void secret_free_value(char *value);

#endif
