/* worker/gateway/relay/guest.h - one connection out of a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_GUEST_H
#define WORKER_GATEWAY_RELAY_GUEST_H

#include "base/loop.h"
#include "worker/gateway/relay/wire.h"

/* It serves one request: a request comes, an answer goes, it is over. */
struct guest;

struct guest_spec {
    struct loop *loop; /* borrowed */
    /** Whether so many bytes more may be kept; else it is refused with 503. */
    bool (*has_room)(void *arg, size_t len);
    /** A whole request is there; `wire` is the guest's. */
    void (*on_request)(void *arg, struct guest *guest, struct wire *wire);
    /** What came is no request; answer it. */
    void (*on_refused)(void *arg, struct guest *guest, int status,
                       const char *message);
    /** The client is gone, or all was said: free it. From the loop. */
    void (*on_gone)(void *arg, struct guest *guest);
    void *arg;
};

#define GUEST_CROWDED                                                          \
    "what this job's requests and answers keep is too much: ask again when "   \
    "others have ended"

/** `client` is a non-blocking socket, the guest's, also on failure. */
MUST_USE int guest_new(const struct guest_spec *spec, int client,
                       struct guest **out_guest, struct err *err);
/** Closes the connection. NULL is fine. */
void guest_free(struct guest *guest);
OWNER(guest)

/**
 * Answer, once: with a whole body, or with guest_begin(), guest_add()… and
 * guest_end(), which passes on at once what there is.
 */
void guest_answer(struct guest *guest, int status, const char *type,
                  const void *body, size_t len);
void guest_begin(struct guest *guest, int status, const char *type);
void guest_add(struct guest *guest, const void *data, size_t len);
void guest_end(struct guest *guest);
/** Stop in the middle, so that the client sees that it is not all. */
void guest_cut(struct guest *guest);
bool guest_has_begun(const struct guest *guest);
/** That are kept of its request and its answer. */
size_t guest_bytes(const struct guest *guest);

#endif
