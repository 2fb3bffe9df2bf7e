/* worker/cache/helper.h - what is said to the program `cache`, and by it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_HELPER_H
#define WORKER_CACHE_HELPER_H

/*
 * Reading and writing thousands of files blocks, and the files are a
 * stranger's: a process of its own does it, as root, which may write nowhere
 * but below the directory on descriptor 5 where the kernel has Landlock.
 *
 *   cache save UID MAX_BYTES DIR   descriptors: 3 what a step wrote to the
 *       workspace, 4 what it wrote to the home directory, 5 an empty directory,
 *       where what is named node_modules below DIR (relative, or "") is copied
 *   cache verify MAX_BYTES         3: a directory made so
 *
 * Writes one line to stdout and exits with 0:
 *   {"digest": "64 hexadecimal digits", "bytes": 123, "files": 123}
 * or, with 1: {"error": "why it cannot be kept"}
 *
 *   cache check EVERY_MS MAX_BYTES MAX_MS   a turn of worker/cache/check.h on
 *       the cache of this host (settings.h), when nothing else wants the disk;
 *       a line to stdout where something was removed
 */
#define HELPER_WORKSPACE_FD 3
#define HELPER_HOME_FD      4
#define HELPER_TARGET_FD    5
#define HELPER_LINE_MAX     ((size_t)2048)

#endif
