/* base/fd.h - file descriptors, whole files, directories. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/err.h"
#include "base/strbuf.h"

#include <sys/types.h>

/** close() for `CLEANUP(fd) int fd = -1`; keeps errno. */
void fd_freep(const int *fd);
/** Close and set to -1; -1 is fine. */
void fd_close(int *fd);

/** pipe2(O_CLOEXEC): [0] reads, [1] writes. ERR_TRANSIENT on failure. */
MUST_USE int fd_pipe(int out[2], struct err *err);
/** A connected AF_UNIX stream pair, close-on-exec. */
MUST_USE int fd_socketpair(int out[2], struct err *err);
MUST_USE int fd_set_nonblock(int fd, struct err *err);

/** Write everything, waiting where the descriptor would block. */
MUST_USE int fd_write_all(int fd, const void *data, size_t len,
                          struct err *err);
/** Write all that is left to read of `from`. ERR_TRANSIENT. */
MUST_USE int fd_copy(int from, int to, struct err *err);
/**
 * Read to end of file into `buf`, or until `buf` is full and truncated: some
 * files have no end.
 */
MUST_USE int fd_read_all(int fd, struct strbuf *buf, struct err *err);

/**
 * Add a whole file to `buf`. ERR_USER when it cannot be read or is larger
 * than `max_bytes`.
 */
MUST_USE int file_read(const char *path, size_t max_bytes, struct strbuf *buf,
                       struct err *err);
/** Create or replace a file in one step (temporary name, then rename). */
MUST_USE int file_write(const char *path, const void *data, size_t len,
                        mode_t mode, struct err *err);

/**
 * mkdir -p: existing directories are fine; new ones get `mode` whatever the
 * umask is.
 */
MUST_USE int dir_make(const char *path, mode_t mode, struct err *err);
/**
 * Remove a file or a directory with all below it, following no symbolic link
 * and crossing into no other file system. What is missing is fine.
 */
MUST_USE int tree_remove(const char *path, struct err *err);
/** The same of what is in a directory, which has to be there and stays. */
MUST_USE int tree_empty(const char *path, struct err *err);

/**
 * Take an exclusive flock on `path` (created 0600), polling each 100 ms.
 * Returns 0 and the descriptor that holds it (closing it lets go);
 * -1 with ERR_TIMEOUT when `timeout_ms` passed, ERR_TRANSIENT otherwise.
 */
MUST_USE int file_lock(const char *path, int64_t timeout_ms, int *out_fd,
                       struct err *err);

#endif
