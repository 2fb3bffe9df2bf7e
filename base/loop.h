/* base/loop.h - the poll loop (epoll) that every process of ours runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/err.h"

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

struct loop;
struct loop_source; /* a watched descriptor, timer, child or signal */

typedef void loop_fd_fn(void *arg, uint32_t events);
typedef void loop_timer_fn(void *arg);
/** `status` as waitpid() fills it; the child is reaped already. */
typedef void loop_child_fn(void *arg, pid_t pid, int status);
typedef void loop_signal_fn(void *arg, int signo);

/**
 * What allocates a descriptor fails with ERR_TRANSIENT where the host has none
 * (or no memory) just now, else with ERR_BUG.
 */
MUST_USE int loop_new(struct loop **out_loop, struct err *err);
/** Frees all sources too. NULL is fine. */
void loop_free(struct loop *loop);
OWNER(loop)

/**
 * Call `fn` while `fd` has any of `events` (EPOLLIN, EPOLLOUT; EPOLLHUP and
 * EPOLLERR always). The descriptor stays the caller's and must stay open until
 * loop_remove(). The source belongs to the loop.
 */
MUST_USE int loop_add_fd(struct loop *loop, int fd, uint32_t events,
                         loop_fd_fn *fn, void *arg,
                         struct loop_source **out_source, struct err *err);
/** Change what a descriptor is watched for; 0 pauses it. */
void loop_set_events(struct loop_source *source, uint32_t events);

/**
 * Call `fn` once at `at_ms` (clock_mono_ms); the source removes itself. Timers
 * fire in order of time, those of one time in the order of adding. What became
 * due while the host was suspended fires within a second of its resuming.
 */
struct loop_source *loop_add_timer(struct loop *loop, int64_t at_ms,
                                   loop_timer_fn *fn, void *arg);

/**
 * Call `fn` once when `pid`, a child, has ended; reaps it; the source removes
 * itself.
 */
MUST_USE int loop_add_child(struct loop *loop, pid_t pid, loop_child_fn *fn,
                            void *arg, struct loop_source **out_source,
                            struct err *err);

/** Block `signo` and call `fn` for each; one handler a signal. */
MUST_USE int loop_add_signal(struct loop *loop, int signo, loop_signal_fn *fn,
                             void *arg, struct err *err);

/** Stop watching; safe inside any callback. NULL is fine. */
void loop_remove(struct loop_source *source);

/** Run until loop_stop(). ERR_BUG when epoll itself fails. */
MUST_USE int loop_run(struct loop *loop, struct err *err);
/** Handle what is ready, waiting `max_wait_ms` at most (-1: no limit). */
MUST_USE int loop_step(struct loop *loop, int64_t max_wait_ms, struct err *err);
void loop_stop(struct loop *loop);

#endif
