/* scheduler/intake/webhook_impl.h - what the files of the webhook share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_WEBHOOK_IMPL_H
#define SCHEDULER_INTAKE_WEBHOOK_IMPL_H

#include "base/strbuf.h"
#include "scheduler/forge/delivery.h"
#include "scheduler/intake/rate.h"
#include "scheduler/intake/webhook.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/queue.h>

/** One connection, with its one request. */
struct webhook_call {
    TAILQ_ENTRY(webhook_call) link;
    struct webhook *webhook; /* borrowed */
    struct MHD_Connection *connection;
    struct loop_source *deadline; /* of all of it; NULL: it was cut off */
    struct loop_source *patience; /* with Redis; NULL: nothing is awaited */
    enum forge_kind route;
    struct strbuf body;
    bool begun;     /* its head is here */
    bool suspended; /* Redis was asked */
    bool asked;     /* the answer to queue_deliver() is still to come */
    bool closed;    /* the connection is gone; freed when `asked` ends */
    /* What is answered; 0: not decided yet. */
    unsigned status;
    unsigned retry_s;   /* Retry-After; 0: none */
    const char *result; /* a word */
    struct err reason;  /* its message */
};

struct webhook {
    struct webhook_options options;
    struct MHD_Daemon *daemon;  /* owned */
    struct loop_source *source; /* its epoll descriptor */
    struct loop_source *timer;  /* when it wants to be called; NULL: none */
    struct rate *rate;          /* owned */
    uint16_t port;
    size_t memory;                    /* of all bodies */
    TAILQ_HEAD(, webhook_call) calls; /* owned */
};

/** MHD_AccessHandlerCallback, for `struct webhook *`. */
enum MHD_Result webhook_on_request(void *arg, struct MHD_Connection *connection,
                                   const char *url, const char *method,
                                   const char *version, const char *data,
                                   size_t *data_len, void **slot);
/** MHD_NotifyConnectionCallback. */
void webhook_on_connection(void *arg, struct MHD_Connection *connection,
                           void **slot,
                           enum MHD_ConnectionNotificationCode why);
void webhook_call_free(struct webhook_call *call);
/** MHD is to be called soon: something is ready that no descriptor tells of. */
void webhook_turn(struct webhook *webhook);

#endif
