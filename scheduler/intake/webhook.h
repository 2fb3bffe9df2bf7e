/* scheduler/intake/webhook.h - where Git hosts send what happened. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_WEBHOOK_H
#define SCHEDULER_INTAKE_WEBHOOK_H

#include "base/loop.h"
#include "scheduler/forge/signature.h"
#include "scheduler/queue/delivery.h"

#include <sys/socket.h>

/*
 * An HTTP server (libmicrohttpd, in the poll loop) for
 * POST /webhooks/github, /webhooks/gitlab and /webhooks/gitea. It speaks no
 * TLS: a proxy in front of it does. A request is answered with JSON,
 * {"result", "reason"}, and its connection closed:
 *
 *   202  stored, or known already
 *   200  nothing follows from it, and why: not wanted, or not to be understood.
 *        Hosts take hooks away that are answered otherwise
 *   400  no delivery of the host that the address is for
 *   401  the signature
 *   404, 405  another path, another method
 *   413  more than 25 MiB
 *   429  too many requests from this address; GitLab, which takes a hook away
 *        for that, is told 503
 *   503  Redis is away, or full of deliveries that wait: send it again
 *
 * A client has WEBHOOK_CONNECTION_MS for all of it; then it is cut off.
 */
struct webhook;

#define WEBHOOK_CONNECTION_MS   15000
#define WEBHOOK_MAX_CONNECTIONS 256
#define WEBHOOK_MAX_PER_ADDRESS 64
/** Of all bodies that are being received: beyond it requests get 503. */
#define WEBHOOK_MAX_MEMORY ((size_t)128 << 20)

/** A Git host whose deliveries are taken. */
struct webhook_host {
    const char *base_url; /* https://host; what clone addresses begin with */
    struct webhook_secrets secrets;
};

/** All borrowed; must outlive the webhook, but for `listen`. */
struct webhook_options {
    struct loop *loop;
    struct queue *queue;
    const char *listen; /* ADDRESS:PORT, [ADDRESS]:PORT; port 0: any */
    const struct webhook_host *github, *gitlab, *gitea; /* NULL: not taken */
    struct queue_delivery_limits limits;
    unsigned max_rate; /* requests a minute from an address; 0: any number */
    uint32_t
        answer_ms; /* waits for Redis so long; below 10 s, hosts' patience */
};

/**
 * Read ADDRESS:PORT or [ADDRESS]:PORT, of numbers. ERR_USER; `*out` is
 * untouched then.
 */
MUST_USE int webhook_address(const char *listen, struct sockaddr_storage *out,
                             struct err *err);

/**
 * Listen. ERR_USER: `listen` is none, or taken; ERR_TRANSIENT: the host has no
 * descriptors or memory.
 */
MUST_USE int webhook_new(const struct webhook_options *options,
                         struct webhook **out_webhook, struct err *err);

/** The port that it listens on. */
uint16_t webhook_port(const struct webhook *webhook);

/** Closes all connections. After queue_free(). NULL is fine. */
void webhook_free(struct webhook *webhook);
OWNER(webhook)

#endif
