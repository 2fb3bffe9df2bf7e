/* scheduler/queue/log_read.c - what Redis holds of a job's output. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/impl.h"
#include "scheduler/queue/log.h"

#include <inttypes.h>
#include <string.h>

#define PAGE "16" /* blocks read at a time: 1 MiB at most */

/* One reading: where it is, and what was told. */
struct reading {
    struct queue *queue;         /* borrowed */
    struct log_decoder *decoder; /* owned */
    queue_log_fn *fn;
    void *arg;
    uint64_t next_seq; /* the entry that is to come */
    uint64_t offset;   /* bytes of output before it, as far as is known */
};

/* Output between what was told and `offset` is not here. */
static void tell_gap(struct reading *r, uint64_t next_seq, uint64_t offset)
{
    struct log_entry gap = {.seq = r->next_seq, .stream = LOG_GAP};

    if (next_seq > r->next_seq && offset > r->offset) {
        gap.gap_bytes = offset - r->offset;
        r->fn(r->arg, &gap);
    }
    if (next_seq > r->next_seq)
        r->next_seq = next_seq;
    r->offset = offset;
}

static int tell_block(struct reading *r, const redisReply *fields,
                      struct err *err)
{
    const redisReply *bytes = fields->elements > 5 ? fields->element[5] : NULL;
    struct log_block block;
    struct log_entry entry;

    if (!bytes || bytes->type != REDIS_REPLY_STRING ||
        log_block_parse(bytes->str, bytes->len, &block) <= 0)
        return err_set(err, ERR_USER, "a block of the log is damaged");
    if (block.first_seq + block.count <= r->next_seq) {
        r->offset = block.offset + block.bytes;
        return 0;
    }
    if (log_decoder_open(r->decoder, &block, err) < 0)
        return -1;
    if (block.first_seq > r->next_seq)
        tell_gap(r, block.first_seq, block.offset);
    while (log_decoder_next(r->decoder, &entry)) {
        if (entry.seq < r->next_seq)
            continue;
        r->fn(r->arg, &entry);
        r->next_seq = entry.seq + 1;
    }
    r->offset = block.offset + block.bytes;
    return 0;
}

/* `words` gives entries of a stream; `*last` becomes the last one's id. */
static int read_page(struct reading *r, const char *const *words, size_t count,
                     char **last, struct err *err)
{
    redisReply *reply = NULL;
    int rc = 0;

    if (queue_command(r->queue, words, count, &reply, err) < 0)
        return -1;
    for (size_t i = 0;
         rc == 0 && reply->type == REDIS_REPLY_ARRAY && i < reply->elements;
         i++) {
        const redisReply *entry = reply->element[i];
        const char *id = queue_reply_str(entry, 0);

        if (!id || entry->elements < 2)
            continue;
        free(*last);
        *last = xasprintf("(%s", id);
        rc = tell_block(r, entry->element[1], err);
    }
    freeReplyObject(reply);
    return rc;
}

/* From the last block that begins at or before the entry that is to come. */
static int read_stream(struct reading *r, const char *key, struct err *err)
{
    CLEANUP(mem) char *start = xasprintf("%" PRIu64 "-0", r->next_seq);
    CLEANUP(mem) char *from = NULL;
    const char *const first[] = {"XREVRANGE", key, start, "-", "COUNT", "1"};

    if (read_page(r, first, ARRAY_LEN(first), &from, err) < 0)
        return -1;
    if (!from)
        from = xstrdup("-");
    while (from) {
        const char *const page[] = {"XRANGE", key, from, "+", "COUNT", PAGE};
        char *last = NULL;
        int rc = read_page(r, page, ARRAY_LEN(page), &last, err);

        free(from);
        from = last;
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* How far the log had come when it was looked at first: some of it may have
 * found no room in Redis. */
static int read_end(struct reading *r, const char *key, uint64_t *out_next_seq,
                    uint64_t *out_offset, struct err *err)
{
    const char *const words[] = {"HMGET", key, "next_seq", "offset"};
    redisReply *reply = NULL;

    if (queue_command(r->queue, words, ARRAY_LEN(words), &reply, err) < 0)
        return -1;
    *out_next_seq = (uint64_t)queue_reply_num(reply, 0);
    *out_offset = (uint64_t)queue_reply_num(reply, 1);
    freeReplyObject(reply);
    return 0;
}

int queue_log(struct queue *queue, const char *id, uint64_t epoch,
              uint64_t from_seq, queue_log_fn *fn, void *arg,
              uint64_t *out_next_seq, struct err *err)
{
    CLEANUP(mem) char *key = queue_key(queue, "log:%s:%" PRIu64, id, epoch);
    CLEANUP(mem) char *head = xasprintf("%s:head", key);
    CLEANUP(mem) char *tail = xasprintf("%s:tail", key);
    CLEANUP(log_decoder) struct log_decoder *decoder = log_decoder_new();
    struct reading r = {.queue = queue,
                        .decoder = decoder,
                        .fn = fn,
                        .arg = arg,
                        .next_seq = from_seq};
    uint64_t end_seq, end_offset;

    if (queue_check_id(id, err) < 0)
        return -1;
    if (read_end(&r, key, &end_seq, &end_offset, err) < 0 ||
        read_stream(&r, head, err) < 0 || read_stream(&r, tail, err) < 0)
        return err_wrap(err, "cannot read the log of job %s", id);
    if (end_seq > r.next_seq)
        tell_gap(&r, end_seq, end_offset);
    *out_next_seq = r.next_seq;
    return 0;
}
