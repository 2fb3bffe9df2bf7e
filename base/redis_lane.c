/* base/redis_lane.c - where a client's commands go, and their answers lead. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/redis_client.h"
#include "base/redis_impl.h"

#include <sys/random.h>

static void settle(struct redis *redis);

void redis_lane_init(struct redis_lane *lane, struct redis *redis)
{
    lane->redis = redis;
    TAILQ_INIT(&lane->waiting);
    TAILQ_INIT(&lane->sent);
}

/* ---- sending ------------------------------------------------------------ */

static bool can_send(const struct redis_lane *lane)
{
    return lane->up && !(lane->redis->paused && lane == &lane->redis->main);
}

static void transmit(struct redis_lane *lane, struct redis_call *call)
{
    static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
    struct redis *redis = lane->redis;
    const char *sha =
        call->is_eval ? redis_link_sha(lane->link, call->script) : "";
    CLEANUP(mem) char *source = NULL;
    const char *text;
    size_t len;

    if (call->is_eval && (call->by_source || !*sha))
        text = source = redis_call_source(
            call, redis->options.scripts[call->script].source, &len);
    else
        text = redis_call_text(call, sha, &len);
    if (lane == &redis->ask)
        redis_link_send(lane->link, asking, sizeof(asking) - 1, NULL);
    redis_link_send(lane->link, text, len, call);
    if (call->durable)
        redis_link_send(lane->link, redis->wait->wire, redis->wait->len, call);
    redis_call_insert(&lane->sent, call);
}

void redis_lane_give(struct redis_lane *lane, struct redis_call *call)
{
    if (can_send(lane))
        transmit(lane, call);
    else
        redis_call_insert(&lane->waiting, call);
}

static void send_waiting(struct redis_lane *lane)
{
    struct redis_call *call;

    while (can_send(lane) && (call = TAILQ_FIRST(&lane->waiting))) {
        TAILQ_REMOVE(&lane->waiting, call, entry);
        transmit(lane, call);
    }
    redis_arm_tick(lane->redis);
}

/* ---- losing a connection ------------------------------------------------ */

static void retry_in(struct redis *redis, int64_t ms)
{
    if (!redis->retry)
        redis->retry = loop_add_timer(redis->loop, clock_mono_ms() + ms,
                                      redis_start, redis);
}

static void retry_later(struct redis *redis)
{
    uint32_t jitter = 0;

    if (redis->retry)
        return;
    /* Many clients must not come back in step when a server does. */
    if (getrandom(&jitter, sizeof(jitter), GRND_NONBLOCK) < 0)
        jitter = 0;
    retry_in(redis,
             redis->retry_ms / 2 +
                 (int64_t)(jitter % (uint32_t)(redis->retry_ms / 2 + 1)));
    redis->retry_ms *= 2;
    if (redis->retry_ms > redis->options.max_retry_ms)
        redis->retry_ms = redis->options.max_retry_ms;
}

void redis_lane_close(struct redis_lane *lane)
{
    redis_link_free(STEAL(lane->link));
    lane->up = false;
}

/* The other seeds are tried at once, a round of all of them in a while. */
static void could_not_connect(struct redis *redis, const struct err *err)
{
    struct redis_call *call;

    redis->last = *err;
    redis->failures++;
    redis_topology_reject(redis->topology);
    if (redis->failures % redis_topology_size(redis->topology) != 0) {
        retry_in(redis, 0);
        return;
    }
    if (!redis->impatient) {
        retry_later(redis);
        return;
    }
    while ((call = TAILQ_FIRST(&redis->main.waiting))) {
        TAILQ_REMOVE(&redis->main.waiting, call, entry);
        redis_fail(redis, call, err->kind, err->msg);
    }
}

/* Of several servers a message names the one. */
static void say_where(const struct redis_lane *lane, struct err *err)
{
    if (lane->redis->url->kind != REDIS_ONE)
        (void)err_wrap(err, "%s:%d", lane->address.host, lane->address.port);
}

/* What was sent may have been carried out: its owner must decide. */
void redis_lane_down(void *arg, const struct err *reason)
{
    struct redis_lane *lane = arg;
    struct err err = *reason;
    struct redis *redis = lane->redis;
    struct redis_call *call;
    int64_t now = clock_mono_ms();

    say_where(lane, &err);
    redis_lane_close(lane);
    while ((call = TAILQ_FIRST(&lane->sent))) {
        TAILQ_REMOVE(&lane->sent, call, entry);
        redis_fail(redis, call,
                   call->deadline_ms <= now ? ERR_TIMEOUT : ERR_TRANSIENT,
                   err.msg);
    }
    if (lane == &redis->main) {
        redis->leave = REDIS_LEAVE_NOT;
        could_not_connect(redis, &err);
    } else {
        while ((call = TAILQ_FIRST(&lane->waiting))) {
            TAILQ_REMOVE(&lane->waiting, call, entry);
            redis_call_insert(&redis->main.waiting, call);
        }
        redis->last = err;
        redis->paused = true;
        if (redis->leave == REDIS_LEAVE_NOT)
            redis->leave = REDIS_LEAVE_PAUSE;
        settle(redis);
    }
    redis_arm_tick(redis);
}

/* ---- answers, and where they lead --------------------------------------- */

static void lane_ready(void *arg);
static void lane_reply(void *arg, void *token, redisReply *reply);

static const struct redis_link_calls lane_calls = {lane_ready, lane_reply,
                                                   redis_lane_down};

static int open_lane(struct redis_lane *lane,
                     const struct redis_address *address, struct err *err)
{
    struct redis *redis = lane->redis;

    lane->address = *address;
    return redis_link_open(redis->loop, &lane->address, &redis->spec,
                           &lane_calls, lane, &lane->link, err);
}

static void open_main(struct redis *redis, const struct redis_address *address)
{
    struct err err;

    if (open_lane(&redis->main, address, &err) == 0)
        return;
    say_where(&redis->main, &err);
    could_not_connect(redis, &err);
}

static void leave(struct redis *redis, enum redis_leave how, const char *why)
{
    (void)err_set(&redis->last, ERR_TRANSIENT, "%.400s", why);
    redis->paused = true;
    if (redis->leave < how)
        redis->leave = how;
}

/* Do what is to be done with the connections as soon as they owe nothing. */
static void settle(struct redis *redis)
{
    struct redis_lane *ask = &redis->ask;
    enum redis_leave how = redis->leave;

    if (ask->link && TAILQ_EMPTY(&ask->sent) && TAILQ_EMPTY(&ask->waiting))
        redis_lane_close(ask);
    if (how == REDIS_LEAVE_NOT || !TAILQ_EMPTY(&redis->main.sent))
        return;
    redis->leave = REDIS_LEAVE_NOT;
    if (how != REDIS_LEAVE_PAUSE)
        redis_lane_close(&redis->main);
    if (how == REDIS_LEAVE_MOVE) {
        open_main(redis, &redis->move_to);
        return;
    }
    if (how == REDIS_LEAVE_AWAY)
        redis_topology_reject(redis->topology);
    retry_later(redis);
}

static void moved(struct redis *redis, struct redis_lane *lane,
                  const char *text)
{
    struct redis_address to;

    if (lane == &redis->main &&
        redis_topology_redirect(text, &lane->address, &to) &&
        !redis_address_same(&to, &lane->address)) {
        redis->move_to = to;
        leave(redis, REDIS_LEAVE_MOVE, text);
    } else {
        leave(redis, REDIS_LEAVE_PAUSE, text); /* it does not know where, yet */
    }
}

/* Returns false when the main connection has to ask anew, in a while. */
static bool asked(struct redis *redis, const struct redis_lane *lane,
                  const char *text)
{
    struct redis_address to;
    struct err err;

    if (lane != &redis->main ||
        !redis_topology_redirect(text, &lane->address, &to))
        return false;
    if (redis->ask.link)
        return redis_address_same(&to, &redis->ask.address);
    return open_lane(&redis->ask, &to, &err) == 0;
}

static bool redirect(struct redis_lane *lane, struct redis_call *call,
                     const char *text)
{
    struct redis *redis = lane->redis;
    bool is_moved = redis_reply_is(text, "MOVED ");
    bool is_ask = redis_reply_is(text, "ASK ");

    if (call->is_eval && !call->by_source && redis_reply_is(text, "NOSCRIPT")) {
        call->by_source = true;
        redis_lane_give(lane, call);
        return true;
    }
    if (redis->url->kind == REDIS_SENTINEL && redis_reply_is(text, "READONLY"))
        leave(redis, REDIS_LEAVE_AWAY, text);
    if (redis->url->kind != REDIS_CLUSTER)
        return false;
    if ((is_moved || (is_ask && !call->is_eval)) &&
        ++call->hops > REDIS_MAX_HOPS)
        return false;
    /* A slot on its way is on two nodes: a script would see but the keys that
     * came already, and take all others for gone. It waits for the rest. */
    if (is_ask && !call->is_eval && asked(redis, lane, text)) {
        redis_lane_give(&redis->ask, call);
        return true;
    }
    if (is_moved)
        moved(redis, lane, text);
    else if (is_ask || redis_reply_is(text, "TRYAGAIN"))
        leave(redis, REDIS_LEAVE_PAUSE, text);
    else if (redis_reply_is(text, "CLUSTERDOWN"))
        leave(redis, REDIS_LEAVE_AWAY, text); /* other nodes may know better */
    else
        return false;
    redis_lane_give(&redis->main, call);
    return true;
}

static void lane_reply(void *arg, void *token, redisReply *reply)
{
    struct redis_lane *lane = arg;
    struct redis *redis = lane->redis;
    struct redis_call *call = token;
    const redisReply *waited = NULL;
    const redisReply *answer = reply;

    if (!call)
        return; /* of ASKING */
    if (call->durable && !call->reply) {
        call->reply = redis_reply_keep(reply);
        return;
    }
    if (call->durable) {
        answer = call->reply;
        waited = reply;
    }
    TAILQ_REMOVE(&lane->sent, call, entry);
    if (answer->type == REDIS_REPLY_ERROR &&
        redirect(lane, call, answer->str)) {
        if (call->reply)
            redis_reply_free(STEAL(call->reply));
        call = NULL;
    }
    settle(redis);
    redis_arm_tick(redis);
    if (call)
        redis_finish(redis, call, answer, waited);
}

/* ---- connecting --------------------------------------------------------- */

static void lane_ready(void *arg)
{
    struct redis_lane *lane = arg;
    struct redis *redis = lane->redis;

    lane->up = true;
    if (lane == &redis->main) {
        redis->paused = false;
        redis->failures = 0;
        redis->last.kind = ERR_NONE;
        /* A cluster that is down lets us in all the same. */
        if (redis->url->kind != REDIS_CLUSTER)
            redis->retry_ms = REDIS_FIRST_RETRY_MS;
    }
    send_waiting(lane);
}

static void on_found(void *arg, const struct redis_address *address,
                     const struct err *err)
{
    struct redis *redis = arg;

    redis->finding = false;
    if (address)
        open_main(redis, address);
    else
        could_not_connect(redis, err);
}

void redis_start(void *arg)
{
    struct redis *redis = arg;

    redis->retry = NULL;
    if (redis->main.link) {
        if (redis->main.up)
            redis->paused = false;
        send_waiting(&redis->main);
    } else if (!redis->finding) {
        redis->finding = true;
        redis_topology_find(redis->topology, on_found, redis);
    }
}
