/* tests/unit/scheduler/queue/log_pool.h - jobs that print, and who reads. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SCHEDULER_QUEUE_LOG_POOL_H
#define TESTS_UNIT_SCHEDULER_QUEUE_LOG_POOL_H

#include "base/strbuf.h"
#include "scheduler/queue/log.h"
#include "tests/unit/scheduler/queue/pool.h"

/* As log.c and log.lua have them. */
#define HEAD_BYTES ((uint64_t)256 << 10)
#define TAIL_BYTES ((uint64_t)1 << 20)
#define OVERHEAD   ((uint64_t)64)
#define NO_BUDGET  ((uint64_t)256 << 20)

/* Entries that cannot be compressed, three of them a block. */
#define ENTRY     ((size_t)16000)
#define PER_BLOCK 3
#define BLOCK     (PER_BLOCK * ENTRY)

/* What is at byte `i` of entry `seq`: to know again what was read. */
UNUSED static char noise(uint64_t seq, size_t i)
{
    uint64_t n = seq * 0x9e3779b97f4a7c15 + i;

    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
    n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
    return (char)(n >> 56);
}

/* ---- writing ------------------------------------------------------------- */

struct writer {
    struct pool *p;
    struct given given;
    struct lease *lease;
    struct log_builder *builder;
    struct strbuf batch; /* blocks to be sent */
    uint64_t budget;
    uint64_t cost; /* of the last block, in Redis */
};

/* A job that runs and has printed nothing. */
UNUSED static struct writer writer_of(struct pool *p, const char *id)
{
    struct writer w = {
        .p = p, .batch = STRBUF_INIT, .budget = NO_BUDGET, .cost = 0};

    (void)submit(p, id, NULL);
    w.given = take(p);
    assert_string_equal(w.given.id, id);
    w.lease = lease_adopt(p->queue, id, strtoull(w.given.epoch, NULL, 10),
                          w.given.nonce);
    w.builder = log_builder_new(1, 0);
    return w;
}

UNUSED static void writer_freep(struct writer *w)
{
    lease_free(w->lease);
    log_builder_free(w->builder);
    strbuf_clear(&w->batch);
}

UNUSED static void add_entry(struct writer *w, size_t size)
{
    CLEANUP(mem) char *data = xmalloc(size + 1);
    struct log_entry entry = {.step = 3, .data = data, .len = size};

    for (size_t i = 0; i < size; i++)
        data[i] = noise(log_builder_next_seq(w->builder), i);
    assert_true(log_builder_add(w->builder, &entry));
}

/* What was added becomes a block, of the batch or lost on the way. */
UNUSED static void end_block(struct writer *w, bool lose)
{
    size_t before = w->batch.len;
    struct log_block block;

    assert_true(log_builder_finish(w->builder, &block));
    log_block_put(&block, &w->batch);
    w->cost = w->batch.len - before + OVERHEAD;
    if (lose)
        strbuf_cut(&w->batch, before);
}

UNUSED static void add_block(struct writer *w)
{
    for (int i = 0; i < PER_BLOCK; i++)
        add_entry(w, ENTRY);
    end_block(w, false);
}

struct logged {
    bool done;
    enum err_kind kind;
};

UNUSED static void on_logged(void *arg, const struct err *err)
{
    struct logged *logged = arg;

    logged->done = true;
    logged->kind = err ? err->kind : ERR_NONE;
}

/* Send the batch, and keep it. */
UNUSED static enum err_kind send_again(struct writer *w)
{
    struct logged logged = {false, ERR_NONE};

    lease_log(w->lease, w->budget, w->batch.data, w->batch.len, on_logged,
              &logged);
    while (!logged.done)
        assert_int_equal(loop_step(w->p->loop, 1000, NULL), 0);
    return logged.kind;
}

UNUSED static void send_batch(struct writer *w)
{
    assert_int_equal(send_again(w), ERR_NONE);
    strbuf_cut(&w->batch, 0);
}

UNUSED static void write_blocks(struct writer *w, unsigned count)
{
    while (count--) {
        add_block(w);
        send_batch(w);
    }
}

/* ---- reading ------------------------------------------------------------- */

struct seen {
    unsigned entries, gaps;
    uint64_t first, last; /* numbers of entries that are no gaps */
    uint64_t bytes;
    struct {
        uint64_t seq, bytes, next;
    } gap[4]; /* `next`: the number of what comes behind it */
    uint64_t told_seq, next_seq;
};

/* Numbers grow, by one but behind a gap; what is printed is what was. */
UNUSED static void on_entry(void *arg, const struct log_entry *e)
{
    struct seen *seen = arg;
    bool after_gap = seen->gaps && !seen->gap[seen->gaps - 1].next;

    assert_true(e->seq > seen->told_seq);
    if (seen->told_seq && !after_gap)
        assert_int_equal(e->seq, seen->told_seq + 1);
    if (after_gap)
        seen->gap[seen->gaps - 1].next = e->seq;
    seen->told_seq = e->seq;
    if (e->stream == LOG_GAP) {
        assert_true(seen->gaps < ARRAY_LEN(seen->gap));
        seen->gap[seen->gaps].seq = e->seq;
        seen->gap[seen->gaps++].bytes = e->gap_bytes;
        return;
    }
    assert_int_equal(e->step, 3);
    for (size_t i = 0; i < e->len; i++)
        if (e->data[i] != noise(e->seq, i))
            fail_msg("entry %" PRIu64 " is another", e->seq);
    seen->first = seen->first ? seen->first : e->seq;
    seen->last = e->seq;
    seen->entries++;
    seen->bytes += e->len;
}

UNUSED static struct seen read_from(struct pool *p, const char *id,
                                    uint64_t from_seq)
{
    struct seen seen = {.entries = 0};
    struct err err = {ERR_NONE, 0, ""};

    if (queue_log(p->queue, id, 1, from_seq, on_entry, &seen, &seen.next_seq,
                  &err) < 0)
        fail_msg("log of %s: %s", id, err.msg);
    return seen;
}

UNUSED static struct seen read_log(struct pool *p, const char *id)
{
    return read_from(p, id, 1);
}

/* ---- what is counted ----------------------------------------------------- */

/* Bytes in one stream of a log, as log.lua counts them. */
UNUSED static uint64_t stream_cost(struct pool *p, const char *name,
                                   const char *part)
{
    CLEANUP(mem) char *key = xasprintf("%%log:%s:%s", name, part);
    redisReply *reply = redis(p, "XRANGE", key, "-", "+", NULL);
    uint64_t sum = 0;

    for (size_t i = 0; i < reply->elements; i++)
        sum += reply->element[i]->element[1]->element[5]->len + OVERHEAD;
    freeReplyObject(reply);
    return sum;
}

UNUSED static int64_t counter_of(struct pool *p, const char *name,
                                 const char *field)
{
    CLEANUP(mem) char *key = xasprintf("%%log:%s", name);

    return redis_num(p, "HGET", key, field);
}

UNUSED static int64_t total_of(struct pool *p)
{
    return redis_num(p, "HGET", "%log_sizes", "total");
}

/* All counters say what there is. Returns the sum of all logs. */
UNUSED static uint64_t expect_counted(struct pool *p)
{
    redisReply *names = redis(p, "ZRANGE", "%logs", "0", "-1", NULL);
    uint64_t sum = 0;

    for (size_t i = 0; i < names->elements; i++) {
        const char *name = names->element[i]->str;
        uint64_t head = stream_cost(p, name, "head");
        uint64_t tail = stream_cost(p, name, "tail");

        assert_int_equal(counter_of(p, name, "head_bytes"), head);
        assert_int_equal(counter_of(p, name, "tail_bytes"), tail);
        assert_int_equal(redis_num(p, "HGET", "%log_sizes", name), head + tail);
        sum += head + tail;
    }
    freeReplyObject(names);
    assert_int_equal(total_of(p), sum);
    expect_sound(p);
    return sum;
}

#endif
