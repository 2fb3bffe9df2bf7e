/* worker/gateway/setup.h - what a gateway lets through. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_SETUP_H
#define WORKER_GATEWAY_SETUP_H

#include "base/host_rule.h"
#include "worker/gateway/address.h"

/** A field of requests to one host that the sandbox never sees. */
struct setup_inject {
    char host[HOST_NAME_SIZE];
    uint16_t port; /* 443 with tls, else 80, unless said otherwise */
    bool tls;      /* http://host goes on as https://host */
    char *header;  /* owned */
    char *value;   /* owned; secret */
};

struct setup_injects {
    struct setup_inject *items; /* owned */
    size_t count;
};

/** GATEWAY_FRAME_SETUP (protocol.h), parsed and checked. */
struct setup {
    struct host_rule *hosts, *within, *own; /* owned */
    size_t host_count, within_count, own_count;
    bool narrowed;                 /* `within` counts, be it empty */
    struct address_range *allowed; /* owned */
    size_t allowed_count;
    struct setup_injects injects;
    bool tls;     /* fields with TLS may come later */
    char *listed; /* owned */
    uint64_t max_connections, max_rate, max_bytes;
    uint64_t head_ms, connect_ms, idle_ms;
};

/** ERR_BUG, naming the field: our client made it. Owned by the caller. */
MUST_USE int setup_parse(const void *data, size_t len, struct setup **out_setup,
                         struct err *err);
void setup_free(struct setup *setup);
OWNER(setup)

/** GATEWAY_FRAME_HOLD. The caller's (setup_injects_clear); ERR_BUG. */
MUST_USE int setup_injects_parse(const void *data, size_t len,
                                 struct setup_injects *out_injects,
                                 struct err *err);
void setup_injects_clear(struct setup_injects *injects);
/** The same field for the same host, or NULL. */
const struct setup_inject *
setup_injects_find(const struct setup_injects *injects,
                   const struct setup_inject *like);

/** Whether a connection to the host may be tried. */
bool setup_allows(const struct setup *setup, const char *host, uint16_t port);
/** The same, whatever `within` says. */
bool setup_lists(const struct setup *setup, const char *host, uint16_t port);
/** Whether the host may be at an address of the site (address.h). */
bool setup_is_own(const struct setup *setup, const char *host, uint16_t port);
/** What to put into a request of plain HTTP to the host; or NULL. */
const struct setup_inject *setup_find_inject(const struct setup *setup,
                                             const char *host, uint16_t port);

#endif
