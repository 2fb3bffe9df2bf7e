/* base/redis_client.h - the inside of a client of Redis; its files' alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_CLIENT_H
#define BASE_REDIS_CLIENT_H

#include "base/redis_topology.h"

#define REDIS_FIRST_RETRY_MS 50
#define REDIS_MAX_HOPS       8 /* of a command through a cluster */

/** A connection with the calls that wait for it and those that it has sent. */
struct redis_lane {
    struct redis *redis;          /* the client: borrowed */
    struct redis_link *link;      /* owned; NULL: not connected */
    struct redis_address address; /* of the link */
    bool up;                      /* the link is logged in */
    struct redis_call_list waiting, sent;
};

/** What to do with the main connection once it owes no more answers. */
enum redis_leave {
    REDIS_LEAVE_NOT,
    REDIS_LEAVE_PAUSE, /* keep it, but send nothing for a while */
    REDIS_LEAVE_AWAY,  /* close it, and look anew in a while */
    REDIS_LEAVE_MOVE,  /* go to `move_to` */
};

/**
 * A call waits in a lane until its link is up, is in `sent` until answered, and
 * in `failed` until the next turn of the loop tells its owner: so no callback
 * comes from inside a call, or while a connection is torn down.
 */
struct redis {
    struct loop *loop;               /* borrowed */
    struct redis_options options;    /* url is not kept */
    struct redis_url *url;           /* owned */
    struct redis_tls *tls;           /* owned; NULL: in the clear */
    struct redis_link_spec spec;     /* of both links */
    struct redis_topology *topology; /* owned */
    struct redis_call *wait;         /* owned; WAIT, or NULL: no replicas */
    struct redis_lane main;
    struct redis_lane ask; /* single commands, to where ASK said */
    bool impatient;        /* what waits fails when no server can be had */
    bool finding;          /* the topology is at it */
    bool paused;           /* the main lane sends nothing */
    enum redis_leave leave;
    struct redis_address move_to;
    size_t failures;           /* to connect, in a row */
    int64_t retry_ms;          /* the next pause */
    struct loop_source *retry; /* borrowed; NULL: not waiting */
    struct loop_source *tick;  /* borrowed; the soonest deadline */
    int64_t tick_ms;
    struct loop_source *deliver; /* borrowed; tells failures */
    struct redis_call_list failed;
    size_t pending_bytes;
    struct err last; /* why commands have to wait */
    bool *freed;     /* set by redis_free() during a callback */
};

/** Prepare an empty lane. */
void redis_lane_init(struct redis_lane *lane, struct redis *redis);
/** Send now, or as soon as the lane can. */
void redis_lane_give(struct redis_lane *lane, struct redis_call *call);
/** The connection is over: what was sent fails, and a new one is looked for. */
void redis_lane_down(void *lane, const struct err *err);
void redis_lane_close(struct redis_lane *lane);
/** Look for a server and connect, or go on after a pause; a loop_timer_fn. */
void redis_start(void *redis);

/** Fail a call that is in no list, on the next turn of the loop. */
void redis_fail(struct redis *redis, struct redis_call *call,
                enum err_kind kind, const char *why);
/**
 * Tell the owner of a call its answer. `waited` is what WAIT said, of a durable
 * call. The client may be gone when this returns.
 */
void redis_finish(struct redis *redis, struct redis_call *call,
                  const redisReply *reply, const redisReply *waited);
/** Have the soonest time limit watched. */
void redis_arm_tick(struct redis *redis);

#endif
