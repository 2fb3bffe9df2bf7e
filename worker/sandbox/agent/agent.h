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

/* ---- flow.c: bytes from the driver to a descriptor ---- */
struct flow {
    int fd; /* -1: nobody reads, and what comes is thrown away */
    uint32_t id;
    bool ended; /* AGENT_END came */
    size_t start, end;
    uint8_t buf[AGENT_WINDOW];
};
void close_fd(int *fd);
/** Takes `fd`, which may be -1. */
void flow_open(struct flow *flow, int fd, uint32_t id);
void flow_close(struct flow *flow);
void flow_add(struct flow *flow, const struct frame *frame);
void flow_end(struct flow *flow);
/** It has something for its descriptor. */
bool flow_is_waiting(const struct flow *flow);
/** Write what the descriptor takes, and acknowledge it. */
void flow_pump(struct flow *flow);

/* ---- exec.c: commands ---- */
void exec_start(const struct frame *frame);
/** AGENT_DATA or AGENT_END; whether it was for a command. */
bool exec_input(const struct frame *frame);
/** Signal a command and what it started; id 0: all. */
void exec_kill(uint32_t id, int signo);
void exec_pause(bool paused);
/** `pid` leads a command that has not ended. */
bool exec_is_running(pid_t pid);
/** True if `pid` was the main process of a command. */
bool exec_reaped(pid_t pid, int status, const struct rusage *usage);
size_t exec_poll(struct pollfd *fds);
void exec_serve(const struct pollfd *fds, size_t count);
/** Report commands that are over; the wait until the next one may be. */
int exec_finish(void);

/* ---- processes.c: whoever else runs; helpers of files.c are spared ---- */
void processes_kill_all(int signo);
/** The session that `command` leads, and its descendants. */
void processes_kill_command(pid_t command, int signo);
/** All that belong to no command which runs. */
void processes_kill_strays(void);

/* ---- connect.c: connections to what listens inside ---- */
void connect_start(const struct frame *frame);
/** Whether it was for a connection, as all of these. */
bool connect_input(const struct frame *frame);
bool connect_drop(uint32_t id);
void connect_taken(const struct frame *frame);
size_t connect_poll(struct pollfd *fds);
void connect_serve(const struct pollfd *fds, size_t count);

/* ---- files.c: file operations, each in a helper process ---- */
/** AGENT_PUT, AGENT_GET, AGENT_LIST, AGENT_TREE or AGENT_CLEAR. */
void files_start(const struct frame *frame);
bool files_input(const struct frame *frame);
void files_drop(uint32_t id);
bool files_reaped(pid_t pid, int status);
bool files_is_helper(pid_t pid);
bool files_any(void);
size_t files_poll(struct pollfd *fds);
void files_serve(const struct pollfd *fds, size_t count);

/* ---- helper.c: inside a helper, as the sandbox's user ---- */
/** The exit code is the errno; stderr says about what. */
void fail(int sys, const char *about) __attribute__((noreturn));
void write_whole(int fd, const void *data, size_t len, const char *about);
/**
 * Open a path inside. What lies below a directory that the user may write to
 * (the workspace, his home, /tmp) is looked up beneath it: no link, whoever
 * makes it and when, leads out. A descriptor, or -1 and errno.
 */
int open_inside(const char *path, int flags);
/** Entries from descriptor 0 below `base`. */
void helper_put(const char *base) __attribute__((noreturn));

/* ---- walk.c: the same, reading and removing ---- */
struct tree_request {
    unsigned flags;
    uint64_t max_bytes;
    uint32_t max_entries;
    const char *base;
    const char *patterns; /* NUL-ended, one behind the other */
    const char *patterns_end;
};
/** The file to descriptor 1. */
void helper_get(const char *path, uint64_t max_bytes) __attribute__((noreturn));
/** Entries, without content, to descriptor 1. */
void helper_list(const char *path) __attribute__((noreturn));
/** Entries to descriptor 1. */
void helper_tree(const struct tree_request *request) __attribute__((noreturn));
void helper_clear(const char *path) __attribute__((noreturn));

#define CHUNK_SIZE ((size_t)64 << 10)

#endif
