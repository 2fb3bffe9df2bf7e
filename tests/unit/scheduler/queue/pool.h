/* tests/unit/scheduler/queue/pool.h - a pool of jobs, and calls that block. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SCHEDULER_QUEUE_POOL_H
#define TESTS_UNIT_SCHEDULER_QUEUE_POOL_H

#include "scheduler/queue/control.h"
#include "scheduler/queue/impl.h"
#include "scheduler/queue/submit.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

#include <inttypes.h>

/*
 * One Redis a program, one pool a test. Scripts are called as they are, so that
 * one process can be any number of workers and schedulers.
 */

static struct redis_server server;

struct pool {
    struct loop *loop;
    struct queue *queue;
    char name[32];
};

UNUSED static int pool_setup(void **state)
{
    static unsigned number;
    struct pool *p = xcalloc(1, sizeof(*p));
    struct queue_options options = {.url = server.url,
                                    .pool = p->name,
                                    .max_instances = 100,
                                    .lease_ms = 400,
                                    .kill_grace_ms = 600};

    (void)snprintf(p->name, sizeof(p->name), "p%u", number++);
    assert_int_equal(loop_new(&p->loop, NULL), 0);
    assert_int_equal(queue_open(p->loop, &options, &p->queue, NULL), 0);
    *state = p;
    return 0;
}

UNUSED static int pool_teardown(void **state)
{
    struct pool *p = *state;

    queue_free(p->queue);
    loop_free(p->loop);
    free(p);
    return 0;
}

UNUSED static int server_setup(void **state UNUSED)
{
    redis_server_init(&server, "");
    return 0;
}

UNUSED static int server_teardown(void **state UNUSED)
{
    redis_server_clear(&server);
    return 0;
}

#define POOL_TEST(name)                                                        \
    cmocka_unit_test_setup_teardown(name, pool_setup, pool_teardown)

/* ---- scripts and commands ------------------------------------------------ */

/* The words of a call: `...` ends with NULL. */
UNUSED static void words_add(struct queue_args *args, va_list ap)
{
    const char *word;

    while ((word = va_arg(ap, const char *)))
        queue_args_str(args, word);
}

UNUSED static redisReply *run(struct pool *p, enum queue_script script,
                              const struct queue_args *args)
{
    redisReply *reply = NULL;
    struct err err = {ERR_NONE, 0, ""};

    if (queue_run(p->queue, script, args, &reply, &err) < 0)
        fail_msg("script %s: %s", queue_scripts[script].name, err.msg);
    return reply;
}

/** Run a script with these words; freeReplyObject(). */
UNUSED static redisReply *script(struct pool *p, enum queue_script number, ...)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    va_list ap;

    va_start(ap, number);
    words_add(&args, ap);
    va_end(ap);
    return run(p, number, &args);
}

static char last_word[128];

/* The first (or only) word of an answer; valid until the next call. */
UNUSED static const char *first_word(redisReply *reply)
{
    const redisReply *at = reply;

    while (at->type == REDIS_REPLY_ARRAY && at->elements)
        at = at->element[0];
    (void)snprintf(last_word, sizeof(last_word), "%s", at->str ? at->str : "");
    if (at->type == REDIS_REPLY_INTEGER)
        (void)snprintf(last_word, sizeof(last_word), "%lld", at->integer);
    freeReplyObject(reply);
    return last_word;
}
#define word_of(...) first_word(script(__VA_ARGS__, NULL))

/** A command; "%x" stands for the key x of the pool. freeReplyObject(). */
UNUSED static redisReply *redis(struct pool *p, const char *first, ...)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    char *keys[8] = {NULL};
    redisReply *reply = NULL;
    struct err err = {ERR_NONE, 0, ""};
    const char *word = first;
    size_t count = 0;
    va_list ap;

    va_start(ap, first);
    for (; word; word = va_arg(ap, const char *)) {
        if (*word == '%' && count < 8)
            word = keys[count++] =
                xasprintf("%s%s", p->queue->prefix, word + 1);
        queue_args_str(&args, word);
    }
    va_end(ap);
    if (queue_command(p->queue, args.words, args.count, &reply, &err) < 0)
        fail_msg("%s: %s", first, err.msg);
    while (count)
        free(keys[--count]);
    return reply;
}
#define redis_word(...) first_word(redis(__VA_ARGS__, NULL))
#define redis_num(...)  strtoll(redis_word(__VA_ARGS__), NULL, 10)

/* ---- jobs -----------------------------------------------------------------
 */

static struct queue_answer last_answer;

/** Put a job in: `job` without id and payload, or NULL: nothing special. */
UNUSED static enum queue_admission submit(struct pool *p, const char *id,
                                          const struct queue_job *job)
{
    struct queue_job copy =
        job ? *job
            : (struct queue_job){.priority = JOB_NORMAL, .infra_retries = -1};
    struct err err = {ERR_NONE, 0, ""};

    copy.id = id;
    if (!copy.payload)
        copy.payload = "{\"n\":1}";
    if (queue_submit(p->queue, &copy, 1, &last_answer, &err) < 0)
        fail_msg("submit %s: %s", id, err.msg);
    return last_answer.what;
}

#define JOB_OF(class, ...)                                                     \
    &(struct queue_job)                                                        \
    {                                                                          \
        .priority = (class), .infra_retries = -1, __VA_ARGS__                  \
    }
#define JOB(...) JOB_OF(JOB_NORMAL, __VA_ARGS__)

/** Expect what a field of a job holds; "": it is not there. */
#define expect(p, id, field, value)                                            \
    assert_string_equal(field_of(p, id, field), value)
UNUSED static const char *field_of(struct pool *p, const char *id,
                                   const char *field)
{
    CLEANUP(mem) char *key = xasprintf("%%job:%s", id);

    return redis_word(p, "HGET", key, field);
}

/* ---- a worker --------------------------------------------------------------
 */

/** What a worker was given. */
struct given {
    char word[16]; /* none, full, more; "": a job */
    char id[QUEUE_MAX_ID + 1];
    char epoch[24];
    char nonce[40];
    char done[16]; /* what complete said */
};

UNUSED static void read_given(const redisReply *reply, size_t at,
                              struct given *out)
{
    const char *id = queue_reply_str(reply, at);
    const char *epoch = queue_reply_str(reply, at + 1);

    (void)snprintf(epoch ? out->id : out->word,
                   epoch ? sizeof(out->id) : sizeof(out->word), "%s",
                   id ? id : "");
    (void)snprintf(out->epoch, sizeof(out->epoch), "%s", epoch ? epoch : "");
}

/* A lease and its grace: none ends by itself, however slow the machine is. */
#define LEASE_MS "600000", "600"
/** What lease.lua and complete.lua begin with. */
#define WISH(labels, idle_ms) "w", labels, "100", LEASE_MS, idle_ms

/** Take a job; labels "" or ",a,"; it waits for a bell for `idle_ms`. */
UNUSED static struct given take_as(struct pool *p, const char *worker,
                                   const char *labels, const char *idle_ms)
{
    static unsigned number;
    struct given given = {.word = ""};
    redisReply *reply;

    (void)snprintf(given.nonce, sizeof(given.nonce), "n%u", number++);
    reply = script(p, SCRIPT_LEASE, worker, labels, "100", LEASE_MS, idle_ms,
                   given.nonce, "0", NULL);
    read_given(reply, 0, &given);
    freeReplyObject(reply);
    return given;
}
UNUSED static struct given take(struct pool *p)
{
    return take_as(p, "w", "", "0");
}

/** Take a job and expect which; "": none. */
#define expect_take(p, wanted) assert_string_equal(take(p).id, wanted)

/** How an attempt ended; "ok" or "lost". `infra` "1": by the pool's fault. */
UNUSED static const char *end(struct pool *p, const struct given *given,
                              const char *state, const char *reason,
                              const char *infra)
{
    return word_of(p, SCRIPT_COMPLETE, WISH("", "0"), given->id, given->epoch,
                   given->nonce, state, reason, "{}", infra, "0.5", "", "0");
}

UNUSED static void pass(struct pool *p, const struct given *given)
{
    assert_string_equal(end(p, given, "passed", "", "0"), "ok");
}

/** Take whatever is next, and pass it. */
UNUSED static void take_and_pass(struct pool *p, const char *id)
{
    struct given given = take(p);

    assert_string_equal(given.id, id);
    pass(p, &given);
}

/* ---- the pool --------------------------------------------------------------
 */

/** Set what differs from the defaults: names and values, NULL. */
UNUSED static void configure(struct pool *p, ...)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    va_list ap;

    va_start(ap, p);
    words_add(&args, ap);
    va_end(ap);
    freeReplyObject(run(p, SCRIPT_CONFIGURE, &args));
}

/** One round of promote.lua; aging_ms as text. */
UNUSED static void promote(struct pool *p, const char *aging_ms)
{
    freeReplyObject(script(p, SCRIPT_PROMOTE, aging_ms, "0", NULL));
}

/** Fails with the first complaint of audit.lua. */
UNUSED static void expect_sound(struct pool *p)
{
    const char *complaint = word_of(p, SCRIPT_AUDIT, "5");

    if (*complaint)
        fail_msg("audit: %s", complaint);
}

/** Wait by Redis' clock, roughly. */
UNUSED static void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

UNUSED static int64_t now_ms(struct pool *p)
{
    redisReply *reply = redis(p, "TIME", NULL);
    int64_t ms =
        queue_reply_num(reply, 0) * 1000 + queue_reply_num(reply, 1) / 1000;

    freeReplyObject(reply);
    return ms;
}

#endif
