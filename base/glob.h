/* base/glob.h - patterns of paths. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <stdbool.h>

/*
 * A pattern is a relative path. Within a name `*` is any text, `?` one byte,
 * `[a-z]` and `[!a-z]` one byte of a set; the name `**` is any number of
 * directories, none too. A name that begins with a dot is met only where the
 * pattern has that dot. Takes time in proportion to both lengths multiplied;
 * allocates nothing, and includes nothing of ours: the static agent uses it as
 * it is.
 */

/** Whether all of `path` fits. */
bool glob_match(const char *pattern, const char *path);

/**
 * The same where a dot at the beginning of a name is a byte as any other:
 * whether one of Git's paths or names fits.
 */
bool glob_match_dots(const char *pattern, const char *path);

/**
 * The same where only the last name of `pattern` is one: directories are as
 * they are written.
 */
bool glob_match_last(const char *pattern, const char *path);

/** Whether something below directory `dir` ("": the top) may fit. */
bool glob_may_match_below(const char *pattern, const char *dir);

/** What is wrong with a pattern, for a message; NULL: nothing. Static. */
const char *glob_problem(const char *pattern);

#endif
