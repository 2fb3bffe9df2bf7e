/* scheduler/queue/inspect.c - what is in a queue, and why. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/inspect.h"

#include "pipelines/reason.h"
#include "scheduler/queue/impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- one job ---------------------------------------------------------------
 */

static char *copy_field(const redisReply *reply, size_t i)
{
    const char *s = queue_reply_str(reply, i);

    return s ? xstrdup(s) : NULL;
}

/* In the order of status_fields. */
static struct queue_status *read_status(const redisReply *reply)
{
    struct queue_status *status = xcalloc(1, sizeof(*status));
    const char *kind = queue_reply_str(reply, 7);

    status->state = copy_field(reply, 0);
    status->reason = copy_field(reply, 1);
    status->worker = copy_field(reply, 2);
    status->result = copy_field(reply, 3);
    status->parent = copy_field(reply, 4);
    status->payload = copy_field(reply, 5);
    status->about = copy_field(reply, 6);
    status->is_run = kind && strcmp(kind, "run") == 0;
    status->cancelling = queue_reply_str(reply, 8) != NULL;
    status->epoch = (uint64_t)queue_reply_num(reply, 9);
    status->submitted_at_ms = queue_reply_num(reply, 10);
    status->started_at_ms = queue_reply_num(reply, 11);
    status->ended_at_ms = queue_reply_num(reply, 12);
    status->not_before_ms = queue_reply_num(reply, 13);
    return status;
}

int queue_status(struct queue *queue, const char *id,
                 struct queue_status **out_status, struct err *err)
{
    CLEANUP(queue_status) struct queue_status *status = NULL;
    CLEANUP(mem) char *key = queue_key(queue, "job:%s", id);
    const char *const list[] = {
        "HMGET",           key,
        "state",           "reason",
        "worker",          "result",
        "parent",          "payload",
        "about",           "kind",
        "cancel",          "epoch",
        "submitted_at_ms", "started_at_ms",
        "ended_at_ms",     "not_before_ms",
    };
    redisReply *reply = NULL;

    if (queue_check_id(id, err) < 0)
        return -1;
    if (queue_command(queue, list, ARRAY_LEN(list), &reply, err) < 0)
        return err_wrap(err, "cannot read job %s", id);
    status = read_status(reply);
    freeReplyObject(reply);
    if (!status->state)
        return err_set(err, ERR_USER, "there is no job '%s'", id);
    *out_status = STEAL(status);
    return 0;
}

void queue_status_free(struct queue_status *status)
{
    if (!status)
        return;
    free(status->state);
    free(status->reason);
    free(status->worker);
    free(status->result);
    free(status->parent);
    free(status->payload);
    free(status->about);
    free(status);
}

bool queue_has_ended(const char *state)
{
    static const char *const ends[] = {"passed", "failed", "cancelled",
                                       "skipped"};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (strcmp(state, ends[i]) == 0)
            return true;
    return false;
}
