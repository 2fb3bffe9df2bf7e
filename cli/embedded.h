/* cli/embedded.h - a private redis-server for `berth run` and `berth up`. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EMBEDDED_H
#define CLI_EMBEDDED_H

#include "base/err.h"

#include <stdbool.h>

/*
 * One server a state directory, shared by all who start it; the last one to
 * stop it ends it. It listens on a unix socket only, keeps its data in
 * <state>/redis (append-only file, fsync each second), evicts nothing, and
 * is its own process group: Ctrl-C on a terminal does not reach it.
 * Its messages are in <state>/redis/redis.log.
 *
 * Users hold a shared lock that the kernel drops when they die: who was
 * killed keeps no server alive; the next last user stops it.
 */
struct embedded;

/** Whether somebody wants the start given up. */
typedef bool embedded_stop_fn(void);

/**
 * Join the server of `state_dir` (absolute, exists), or start it; blocks some
 * tens of milliseconds; 75 s at most, where another starts or stops it and it
 * is slow to come up. `asked` (NULL: never) is asked all the while whether to
 * give up: ERR_CANCELLED, and nothing is left behind. ERR_USER: no redis-server
 * is installed (the message says what to install); ERR_TRANSIENT: it does not
 * come up (the message quotes the end of its log).
 *
 * The socket is <state>/redis/redis.sock, or, where that is too long for a
 * socket's address, in a directory of this user's below /run/berth,
 * $XDG_RUNTIME_DIR or /tmp.
 */
MUST_USE int embedded_start(const char *state_dir, embedded_stop_fn *asked,
                            struct embedded **out_embedded, struct err *err);

/**
 * The address of the server of `state_dir` if one runs, to look at what is in
 * it: the caller is no user of it, and it may end at any time. Owned by the
 * caller; NULL: none runs.
 */
MUST_USE char *embedded_find(const char *state_dir);

/** `unix:///path`, as queue_open() takes it. Borrowed. */
const char *embedded_url(const struct embedded *embedded);

/**
 * Leave; the last user shuts the server down (its data is on disk before) and
 * waits until it is gone, 20 s at most, then kills it. Frees `embedded`
 * whatever it returns. NULL is fine.
 */
int embedded_stop(struct embedded *embedded, struct err *err);

#endif
