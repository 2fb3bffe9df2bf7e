/* scheduler/forge/git_name.h - commits, branches and repositories by name. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_GIT_NAME_H
#define SCHEDULER_FORGE_GIT_NAME_H

#include "scheduler/forge/forge.h"

#include <stdbool.h>
#include <stddef.h>

#define GIT_REF_MAX       255 /* bytes, as in job documents */
#define GIT_FULL_NAME_MAX 255
#define GIT_PATH_MAX      4096

/** 40 hex digits in small letters. */
bool git_is_sha(const char *text);
/** 40 zeros: where there is no commit. */
bool git_is_zero(const char *sha);

/**
 * A branch, a tag or refs/…, as git-check-ref-format(1) has it, which also does
 * not begin with "-", has no control or invisible characters,
 * and has GIT_REF_MAX bytes at most.
 */
bool git_is_ref(const char *text);

/** A path in a tree: relative, no "." or "..", nothing but UTF-8 in it. */
bool git_is_path(const char *text);

/**
 * "owner/name" as `forge` has it, up to 21 groups deep with GitLab: letters,
 * digits, '.', '_' and '-', no part "." or "..", or with '-' in front.
 */
bool git_is_full_name(enum forge_kind forge, const char *text);

/**
 * Whether `url` is the address that a host at `base_url` (https://host, with
 * or without a path) gives the repository `full_name`: base, name and ".git".
 * Scheme and host in any case, all else as it is. Nothing else will do: no
 * user, no other port, no query.
 */
bool git_is_clone_url(const char *url, const char *base_url,
                      const char *full_name);

/** Whether `full_name` is `scope` ("owner", "owner/name") or below it. */
bool git_in_scope(const char *full_name, const char *scope);

#endif
