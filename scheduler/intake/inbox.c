/* scheduler/intake/inbox.c - documents that anybody put into Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/inbox.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define WAIT_MS  5000
#define AGAIN_MS 1000

/* A document that is ours. */
struct held {
    TAILQ_ENTRY(held) link;
    struct inbox *inbox;         /* borrowed */
    struct admission *admission; /* owned; NULL: not to be admitted */
    char *text;                  /* owned */
    size_t len;
    char id[16];               /* as a rejected one */
    char *reason;              /* owned; NULL: not rejected */
    struct loop_source *timer; /* borrowed; to reject it again */
};

struct inbox {
    struct inbox_options options;
    TAILQ_HEAD(, held) held; /* owned */
    size_t held_count;
    bool taking, stopping;
    struct loop_source *timer; /* borrowed; to begin again */
};

static void take(struct inbox *inbox);

static void held_free(struct held *held)
{
    TAILQ_REMOVE(&held->inbox->held, held, link);
    held->inbox->held_count--;
    admission_free(held->admission);
    loop_remove(held->timer);
    free(held->text);
    free(held->reason);
    free(held);
}

/* ---- rejecting -------------------------------------------------------------
 */

static void reject(void *arg);

static void on_rejected(void *arg, const struct err *err)
{
    struct held *held = arg;
    struct inbox *inbox = held->inbox;

    if (err && err->kind != ERR_LOST) {
        held->timer = loop_add_timer(inbox->options.admit.loop,
                                     clock_mono_ms() + AGAIN_MS, reject, held);
        return;
    }
    if (!err)
        log_warn("a document of the inbox was rejected as %s: %.*s", held->id,
                 (int)strcspn(held->reason, "\n"), held->reason);
    held_free(held);
    take(inbox);
}

static void reject(void *arg)
{
    struct held *held = arg;
    struct inbox *inbox = held->inbox;
    const struct queue_document document = {inbox->options.scheduler,
                                            held->text, held->len};

    held->timer = NULL;
    queue_reject(inbox->options.admit.queue, &document, held->id, held->reason,
                 on_rejected, held);
}

/* ---- admitting -------------------------------------------------------------
 */

/* Not a fault, but somebody may wonder where their job is. */
static void say_known(const struct admit_outcome *outcome)
{
    const struct queue_answer *first = NULL;
    size_t known = 0;

    for (size_t i = 0; i < outcome->count; i++)
        if (outcome->answers[i].what != QUEUE_QUEUED && !known++)
            first = &outcome->answers[i];
    if (first)
        log_info("a document of the inbox: %zu of %zu jobs not taken; job %s "
                 "%s",
                 known, outcome->count, first->id,
                 first->what == QUEUE_EXISTS ? "is there already"
                                             : "has the dedupe key of one");
}

static void on_admitted(void *arg, const struct admit_outcome *outcome)
{
    struct held *held = arg;
    struct inbox *inbox = held->inbox;
    bool wrong = outcome->complaint || outcome->err.kind == ERR_USER ||
                 outcome->err.kind == ERR_BUG;

    if (wrong) {
        held->reason =
            xstrdup(outcome->complaint ? outcome->complaint : outcome->err.msg);
        reject(held);
        return;
    }
    /* Admitted, or another's. */
    say_known(outcome);
    held_free(held);
    take(inbox);
}

static void begin(struct inbox *inbox, const void *text, size_t len)
{
    struct held *held = xcalloc(1, sizeof(*held));
    const struct admit_request request = {
        .file = "document",
        .text = text,
        .len = len,
        .scheduler = inbox->options.scheduler,
        .now_ms = clock_wall_ms() + *inbox->options.offset_ms,
    };

    held->inbox = inbox;
    TAILQ_INSERT_TAIL(&inbox->held, held, link);
    inbox->held_count++;
    memcpy(held->id, "doc-", 4);
    state_random_hex(held->id + 4, 10);
    held->text = len ? xmemdup(text, len) : xstrdup("");
    held->len = len;
    if (len > inbox->options.max_bytes) {
        held->reason =
            xasprintf("document: it has %zu bytes, over %zu (inbox.max_bytes)",
                      len, inbox->options.max_bytes);
        reject(held);
    } else {
        held->admission =
            admit(&inbox->options.admit, &request, on_admitted, held);
    }
}

/* ---- taking ----------------------------------------------------------------
 */

static void start(void *arg);

static void start_later(struct inbox *inbox)
{
    if (!inbox->timer && !inbox->stopping)
        inbox->timer = loop_add_timer(inbox->options.admit.loop,
                                      clock_mono_ms() + AGAIN_MS, start, inbox);
}

static void on_taken(void *arg, const void *text, size_t len,
                     const struct err *err)
{
    struct inbox *inbox = arg;

    inbox->taking = false;
    outage_note(inbox->options.outage, inbox->options.admit.queue, OUTAGE_INBOX,
                err);
    if (err) {
        start_later(inbox);
        return;
    }
    if (text)
        begin(inbox, text, len);
    take(inbox);
}

static void take(struct inbox *inbox)
{
    if (inbox->taking || inbox->stopping || inbox->timer ||
        inbox->held_count == INBOX_MAX_HELD)
        return;
    inbox->taking = true;
    queue_take(inbox->options.admit.queue, inbox->options.scheduler, WAIT_MS,
               on_taken, inbox);
}

static void on_given_back(void *arg, const struct err *err)
{
    struct inbox *inbox = arg;

    inbox->taking = false;
    if (err)
        start_later(inbox);
    else
        take(inbox);
}

/* After a failure, too: a document may have been taken whose answer was lost.
 * What is at work comes a second time then, and is found to be done. */
static void start(void *arg)
{
    struct inbox *inbox = arg;

    inbox->timer = NULL;
    inbox->taking = true;
    queue_give_back(inbox->options.admit.queue, inbox->options.scheduler,
                    on_given_back, inbox);
}

struct inbox *inbox_new(const struct inbox_options *options)
{
    struct inbox *inbox = xcalloc(1, sizeof(*inbox));

    inbox->options = *options;
    TAILQ_INIT(&inbox->held);
    start(inbox);
    return inbox;
}

void inbox_set_max_bytes(struct inbox *inbox, size_t max_bytes)
{
    inbox->options.max_bytes = max_bytes;
}

void inbox_stop(struct inbox *inbox, queue_done_fn *fn, void *arg)
{
    inbox->stopping = true;
    loop_remove(STEAL(inbox->timer));
    queue_take_forget(inbox->options.admit.queue);
    queue_give_back(inbox->options.admit.queue, inbox->options.scheduler, fn,
                    arg);
}

void inbox_free(struct inbox *inbox)
{
    struct held *held;

    if (!inbox)
        return;
    while ((held = TAILQ_FIRST(&inbox->held)))
        held_free(held);
    loop_remove(inbox->timer);
    free(inbox);
}
