/* worker/sandbox/session.h - the talk with the agent of one sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_SESSION_H
#define WORKER_SANDBOX_SESSION_H

#include "base/loop.h"
#include "worker/sandbox/feed.h"
#include "worker/sandbox/sandbox.h"

struct session;

/** Called from the loop; session_free() is allowed in both. */
struct session_events {
    void (*ready)(void *arg); /* the agent answers; once */
    /** The stream ended or broke the protocol: nothing more will come. */
    void (*closed)(void *arg, const struct err *err);
    void *arg;
};

/** Takes both descriptors, also on failure. */
MUST_USE int session_new(struct loop *loop, int in_fd, int out_fd,
                         const struct session_events *events,
                         struct session **out_session, struct err *err);
/** End of file for the agent: it ends. No callback of a task comes. */
void session_free(struct session *session);
OWNER(session)

/** The agent is frozen, or no more: do not take it for dead. */
void session_hold(struct session *session, bool held);

/** See sandbox.h for these. */
MUST_USE int session_exec(struct session *session,
                          const struct sandbox_exec *exec, uint32_t *out_id,
                          struct err *err);
/** Id 0: all. */
void session_kill(struct session *session, uint32_t id, int signo);
size_t session_commands(const struct session *session,
                        struct sandbox_command *out_commands, size_t max);
void session_pause(struct session *session, bool paused);
/** Takes `feed`, also on failure. */
MUST_USE int session_put(struct session *session, const char *dir,
                         struct feed *feed, sandbox_file_fn *done, void *arg,
                         struct err *err);
MUST_USE int session_get(struct session *session, const char *path,
                         size_t max_bytes, sandbox_file_fn *done, void *arg,
                         struct err *err);
MUST_USE int session_list(struct session *session, const char *path,
                          sandbox_list_fn *done, void *arg, struct err *err);
MUST_USE int session_tree(struct session *session,
                          const struct sandbox_tree *tree,
                          sandbox_file_fn *done, void *arg, struct err *err);
MUST_USE int session_clear(struct session *session, const char *path,
                           sandbox_file_fn *done, void *arg, struct err *err);
void session_stop_files(struct session *session);

MUST_USE int session_connect(struct session *session,
                             const struct sandbox_connection *connection,
                             uint32_t *out_id, struct err *err);
void session_send(struct session *session, uint32_t id, const void *data,
                  size_t len);
void session_taken(struct session *session, uint32_t id, size_t len);
void session_disconnect(struct session *session, uint32_t id);

#endif
