/* worker/sandbox/agent/agent.h - what the files of the agent share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_AGENT_AGENT_H
#define WORKER_SANDBOX_AGENT_AGENT_H

#include "base/frame.h"
#include "worker/sandbox/agent/protocol.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/*
 * The agent allocates nothing: every table and buffer is static, and what does
 * not fit is refused. It trusts the driver for sense, never for bounds.
 */

/* ---- wire.c: the frames ---- */
uint32_t wire_u32(const uint8_t *p);
uint64_t wire_u64(const uint8_t *p);
void wire_put_u32(uint8_t *p, uint32_t v);
void wire_put_u64(uint8_t *p, uint64_t v);
/** Room for a data frame of 64 KiB, small frames' reserve left aside. */
bool wire_has_room(void);
/** Queue a frame; ends the agent if even the reserve is used up. */
void wire_send(uint8_t type, uint32_t id, const void *data, size_t len);
/** Bytes wait to be written. */
bool wire_pending(void);
/** Write what the pipe takes. */
void wire_flush(void);
/** Read what is there and pass whole frames to `handle`. */
void wire_receive(void (*handle)(const struct frame *frame));
/** End the agent, and so the sandbox. */
void agent_die(const char *why) __attribute__((noreturn));
int64_t agent_now_ms(void);

/* ---- drop.c: privileges ---- */
/** Once, at the start: no dumps, no bounding set, three capabilities. */
void drop_at_start(void);
/** In a child: become the sandbox's user, or uid 0 without capabilities. */
bool drop_in_child(bool as_root);
/** In a child: default signals; stdio from these; nothing else open. */
bool child_stdio(int in, int out, int err);

/* ---- exec.c: commands ---- */
void exec_start(const struct frame *frame);
void exec_pause(bool paused);
/** True if `pid` was the main process of a command. */
bool exec_reaped(pid_t pid, int status, const struct rusage *usage);
size_t exec_poll(struct pollfd *fds);
void exec_serve(const struct pollfd *fds, size_t count);
/** Report commands that are over; the wait until the next one may be. */
int exec_finish(void);
/** Signal all but the agent and its file helpers. */
void exec_kill_all(int signo);

/* ---- files.c: file operations, each in a helper process ---- */
void files_put(const struct frame *frame);
void files_put_data(const struct frame *frame);
void files_put_end(uint32_t id);
void files_get(const struct frame *frame);
void files_drop(uint32_t id);
bool files_reaped(pid_t pid, int status);
bool files_is_helper(pid_t pid);
bool files_any(void);
size_t files_poll(struct pollfd *fds);
void files_serve(const struct pollfd *fds, size_t count);

/* ---- helper.c: inside a helper, as the sandbox's user ---- */
/** Entries from descriptor 0 below `base`; never returns. */
void helper_put(const char *base) __attribute__((noreturn));
/** The file to descriptor 1; never returns. */
void helper_get(const char *path, uint64_t max_bytes) __attribute__((noreturn));

#define CHUNK_SIZE ((size_t)64 << 10)

#endif
