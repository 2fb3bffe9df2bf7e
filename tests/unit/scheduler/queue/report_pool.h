/* tests/unit/scheduler/queue/report_pool.h - a pool whose jobs are reported. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SCHEDULER_QUEUE_REPORT_POOL_H
#define TESTS_UNIT_SCHEDULER_QUEUE_REPORT_POOL_H

#include "scheduler/queue/job_args.h"
#include "tests/unit/scheduler/queue/pool.h"

#define COMMIT "0123456789012345678901234567890123456789"

/* ---- a scheduler -----------------------------------------------------------
 */

/* What a scheduler was given. */
struct due {
    char host[16]; /* "": nothing was due */
    char id[QUEUE_MAX_ID + 1];
    char rev[16], state[16];
    long tries, latest;
    char posted[64]; /* the first fingerprint and its word */
};

static inline struct due take_for(struct pool *p, const char *nonce,
                                  const char *hold_ms, const char *host)
{
    redisReply *reply = script(p, SCRIPT_REPORT_TAKE, "s", nonce, hold_ms, host,
                               strcmp(host, "github") ? NULL : "gitlab", NULL);
    struct due due = {.host = ""};

    if (reply->elements) {
        const redisReply *posted = reply->element[16];

        (void)snprintf(due.host, sizeof(due.host), "%s",
                       queue_reply_str(reply, 0));
        (void)snprintf(due.id, sizeof(due.id), "%s", queue_reply_str(reply, 1));
        (void)snprintf(due.rev, sizeof(due.rev), "%s",
                       queue_reply_str(reply, 2));
        (void)snprintf(due.state, sizeof(due.state), "%s",
                       queue_reply_str(reply, 3));
        due.tries = (long)queue_reply_num(reply, 14);
        due.latest = (long)queue_reply_num(reply, 15);
        if (posted->elements)
            (void)snprintf(due.posted, sizeof(due.posted), "%s %s",
                           queue_reply_str(posted, 0),
                           queue_reply_str(posted, 1));
    }
    freeReplyObject(reply);
    return due;
}

static inline struct due take_due(struct pool *p, const char *nonce)
{
    return take_for(p, nonce, "60000", "github");
}

static inline const char *tell(struct pool *p, const char *nonce,
                               const char *what)
{
    return word_of(p, SCRIPT_REPORT_DONE, "github", nonce, what, "it said so",
                   "200", "0.5", "", "0", "0", "0");
}

/* What is due is this job in this state. */
static inline void expect_due(struct pool *p, const char *nonce, const char *id,
                              const char *state)
{
    struct due due = take_due(p, nonce);

    assert_string_equal(due.id, id);
    assert_string_equal(due.state, state);
}
#define expect_told(p, id, state)                                              \
    do {                                                                       \
        expect_due(p, "told", id, state);                                      \
        assert_string_equal(tell(p, "told", "done"), "done");                  \
    } while (0)
#define expect_nothing(p) assert_string_equal(take_due(p, "none").id, "")

#define REPORT(more)                                                           \
    "{\"forge\":\"github\",\"repo\":\"a/b\",\"commit\":\"" COMMIT "\"" more "}"
#define CHANGE REPORT(",\"change\":\"7\"")

static inline void submit_one(struct pool *p, const char *id,
                              const char *report)
{
    (void)submit(p, id, JOB(.report = report, .pipeline = "test"));
}

static inline int64_t due_at(struct pool *p, const char *id)
{
    return redis_num(p, "ZSCORE", "%outbox:github", id);
}

static inline bool is_there(struct pool *p, const char *key, const char *id)
{
    return *redis_word(p, "ZSCORE", key, id);
}

#endif
