/* scheduler/queue/log.c - what Redis keeps of a job's output. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/log.h"

#include "scheduler/queue/impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE       "16" /* blocks read at a time */
#define HEAD_BYTES ((int64_t)256 << 10)
#define TAIL_BYTES ((int64_t)1 << 20)
#define SEQ_MAX    ((int64_t)1 << 61) /* more than any block has */

static char *log_key(const struct queue *queue, const char *id, uint64_t epoch)
{
    return queue_key(queue, "log:%s:%" PRIu64, id, epoch);
}

char *lease_log_stream(const struct lease *lease)
{
    return log_key(lease->queue, lease->job_id, lease->epoch);
}

/* ---- writing ------------------------------------------------------------ */

static void on_logged(struct queue_request *request,
                      const struct redisReply *reply, const struct err *err)
{
    lease_logged_fn *fn = (lease_logged_fn *)request->fn;
    const struct lease *lease = request->lease;
    struct err lost;

    if (reply && reply->type == REDIS_REPLY_STRING &&
        strcmp(reply->str, "ok") != 0) {
        (void)err_set(&lost, ERR_LOST,
                      "the lease of job %s (epoch %" PRIu64 ") is lost",
                      lease->job_id, lease->epoch);
        err = &lost;
    }
    fn(request->arg, err);
}

/* Stops at what is no whole block: that is the caller's mistake. */
static void add_blocks(struct queue_args *args, const char *blocks, size_t len)
{
    struct log_block block;
    int64_t size;

    while (len && (size = log_block_parse(blocks, len, &block)) > 0) {
        queue_args_num(args, (int64_t)block.first_seq);
        queue_args_num(args, (int64_t)log_block_last_seq(&block) + 1);
        queue_args_num(args, (int64_t)block.offset);
        queue_args_num(args, (int64_t)block.bytes);
        queue_args_mem(args, blocks, (size_t)size);
        blocks += size;
        len -= (size_t)size;
    }
}

void lease_log(struct lease *lease, uint64_t budget_bytes, const void *blocks,
               size_t len, lease_logged_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    struct queue_request *request =
        queue_request(lease->queue, on_logged, (void (*)(void))fn, arg);

    request->lease = lease;
    queue_args_str(&args, lease->job_id);
    queue_args_num(&args, (int64_t)lease->epoch);
    queue_args_str(&args, lease->nonce);
    queue_args_num(&args, (int64_t)budget_bytes);
    queue_args_num(&args, HEAD_BYTES);
    queue_args_num(&args, TAIL_BYTES);
    add_blocks(&args, blocks, len);
    queue_send(request, SCRIPT_LOG, &args);
}

/* ---- reading ------------------------------------------------------------ */

struct log_read {
    struct redis_sync *redis;    /* borrowed */
    struct log_decoder *decoder; /* owned */
    queue_log_fn *fn;
    void *arg;
    uint64_t next_seq; /* of the next entry to be told */
    uint64_t offset;   /* of output before it; UINT64_MAX: not known */
    uint64_t end_seq;  /* what was not there at the beginning is not told */
    uint64_t end_offset;
};

static int command(struct log_read *read, const char *const *list, size_t count,
                   redisReply **out_reply, struct err *err)
{
    struct redis_words words = {list, NULL, count};

    if (redis_sync_command(read->redis, &words, out_reply, err) < 0)
        return err_wrap(err, "cannot read '%s'", list[1]);
    return 0;
}

/* Numbers may be missing and no output: a gap's entry stands for several. */
static void skip_to(struct log_read *read, uint64_t next_seq, uint64_t offset)
{
    bool known = read->offset != UINT64_MAX;
    const struct log_entry gap = {.seq = read->next_seq,
                                  .stream = LOG_GAP,
                                  .data = "",
                                  .gap_bytes =
                                      known ? offset - read->offset : 0};

    if (!known || offset > read->offset)
        read->fn(read->arg, &gap);
    read->next_seq = next_seq;
}

static bool follows(const struct log_read *read, uint64_t seq, uint64_t offset)
{
    if (read->offset == UINT64_MAX)
        return true;
    if (seq == read->next_seq)
        return offset == read->offset;
    return seq > read->next_seq && offset >= read->offset;
}

/* {id, {offset O bytes B block D}} */
static int parse_entry(const redisReply *entry, struct log_block *out_block,
                       struct err *err)
{
    const char *id = queue_reply_str(entry, 0);
    const redisReply *fields = entry->elements == 2 ? entry->element[1] : NULL;

    if (!id || !fields || !queue_reply_str(fields, 5) ||
        log_block_parse(fields->element[5]->str, fields->element[5]->len,
                        out_block) != (int64_t)fields->element[5]->len ||
        strtoull(id, NULL, 10) != out_block->first_seq)
        return err_set(err, ERR_USER, "a block of the log is damaged");
    return 0;
}

/* `last`: only its end is of interest. */
static int take_block(struct log_read *read, const redisReply *entry, bool last,
                      struct err *err)
{
    struct log_block block;
    struct log_entry told;

    if (parse_entry(entry, &block, err) < 0)
        return -1;
    if (last || log_block_last_seq(&block) < read->next_seq) {
        if (log_block_last_seq(&block) + 1 == read->next_seq)
            read->offset = block.offset + block.bytes;
        return 0;
    }
    if (!follows(read, block.first_seq, block.offset))
        return err_set(err, ERR_USER, "a block of the log is out of place");
    if (log_decoder_open(read->decoder, &block, err) < 0)
        return -1;
    if (block.first_seq > read->next_seq)
        skip_to(read, block.first_seq, block.offset);
    while (log_decoder_next(read->decoder, &told))
        if (told.seq >= read->next_seq)
            read->fn(read->arg, &told);
    read->next_seq = log_block_last_seq(&block) + 1;
    read->offset = block.offset + block.bytes;
    return 0;
}

/* The last block that begins at or before `seq`: where to go on, and, if it
 * ends right there, how much output is before. NULL: none does. */
static int find_block(struct log_read *read, const char *key, char **out_from,
                      struct err *err)
{
    CLEANUP(mem) char *seq = xasprintf("%" PRIu64 "-0", read->next_seq);
    const char *const list[] = {"XREVRANGE", key, seq, "-", "COUNT", "1"};
    redisReply *reply = NULL;
    int rc = 0;

    if (command(read, list, ARRAY_LEN(list), &reply, err) < 0)
        return -1;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements) {
        rc = take_block(read, reply->element[0], true, err);
        if (!rc)
            *out_from = xstrdup(queue_reply_str(reply->element[0], 0));
    }
    freeReplyObject(reply);
    return rc;
}

/* One page; `*from` becomes where the next begins, NULL after the last. */
static int read_page(struct log_read *read, const char *key, char **from,
                     struct err *err)
{
    CLEANUP(mem) char *end = xasprintf("(%" PRIu64 "-0", read->end_seq);
    const char *const list[] = {"XRANGE", key, *from, end, "COUNT", PAGE};
    redisReply *reply = NULL;
    char *next = NULL;
    int rc = 0;

    if (command(read, list, ARRAY_LEN(list), &reply, err) < 0)
        return -1;
    for (size_t i = 0;
         !rc && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        const char *id = queue_reply_str(reply->element[i], 0);

        rc = take_block(read, reply->element[i], false, err);
        free(next);
        next = id ? xasprintf("(%s", id) : NULL;
    }
    freeReplyObject(reply);
    free(*from);
    *from = next;
    return rc;
}

static int read_stream(struct log_read *read, const char *key, struct err *err)
{
    CLEANUP(mem) char *from = NULL;

    if (read->next_seq > 1 && find_block(read, key, &from, err) < 0)
        return -1;
    if (!from)
        from = xstrdup("-");
    while (from)
        if (read_page(read, key, &from, err) < 0)
            return -1;
    return 0;
}

/*
 * Where the log ends, before its blocks are read, and none behind that is told
 * this time: what comes into the head after that was read must not be taken for
 * missing, and a fast writer must not keep a reader for ever.
 */
static int read_end(struct log_read *read, const char *key, struct err *err)
{
    const char *const list[] = {"HMGET", key, "next_seq", "offset"};
    redisReply *reply = NULL;
    int64_t seq, offset;

    if (command(read, list, ARRAY_LEN(list), &reply, err) < 0)
        return -1;
    seq = queue_reply_num(reply, 0);
    offset = queue_reply_num(reply, 1);
    freeReplyObject(reply);
    if (seq < 0 || seq > SEQ_MAX || offset < 0 || offset > SEQ_MAX)
        return err_set(err, ERR_USER, "the counters of the log are damaged");
    read->end_seq = (uint64_t)seq;
    read->end_offset = (uint64_t)offset;
    return 0;
}

static int read_all(struct log_read *read, const char *key, struct err *err)
{
    CLEANUP(mem) char *head = xasprintf("%s:head", key);
    CLEANUP(mem) char *tail = xasprintf("%s:tail", key);

    if (read_end(read, key, err) < 0)
        return -1;
    if (read->end_seq <= read->next_seq)
        return 0;
    if (read_stream(read, head, err) < 0 || read_stream(read, tail, err) < 0)
        return -1;
    if (read->end_seq <= read->next_seq)
        return 0;
    if (!follows(read, read->end_seq, read->end_offset))
        return err_set(err, ERR_USER, "the counters of the log are damaged");
    skip_to(read, read->end_seq, read->end_offset);
    return 0;
}

int queue_log(struct queue *queue, const char *id, uint64_t epoch,
              uint64_t from_seq, queue_log_fn *fn, void *arg,
              uint64_t *out_next_seq, struct err *err)
{
    CLEANUP(mem) char *key = NULL;
    struct log_read read = {.fn = fn,
                            .arg = arg,
                            .next_seq = from_seq ? from_seq : 1,
                            .offset = from_seq > 1 ? UINT64_MAX : 0};
    int rc;

    if (queue_check_id(id, err) < 0 || queue_sync(queue, &read.redis, err) < 0)
        return -1;
    key = log_key(queue, id, epoch);
    read.decoder = log_decoder_new();
    rc = read_all(&read, key, err);
    log_decoder_free(read.decoder);
    if (rc == 0 && out_next_seq)
        *out_next_seq = read.next_seq;
    return rc;
}
