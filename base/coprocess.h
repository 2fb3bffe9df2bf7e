/* base/coprocess.h - a program that a loop talks with, in frames. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_COPROCESS_H
#define BASE_COPROCESS_H

#include "base/channel.h"
#include "base/loop.h"

#include <jansson.h>

/*
 * Started as `program UID`, with one end of a socket pair as descriptor 3 and a
 * listening socket as descriptor 4; base/frame.h on the first. End of file from
 * above: it ends at once.
 */
#define COPROCESS_FD          3
#define COPROCESS_LISTENER_FD 4

struct coprocess;

struct coprocess_spec {
    struct loop *loop;   /* borrowed; outlives it */
    const char *program; /* in libexec; static */
    const char *name;    /* for messages; static */
    int listener;        /* borrowed during the call */
    unsigned uid;        /* to run as; 0: as we do */
    uint8_t setup_type;  /* of the first frame that it gets */
    const json_t *setup; /* what is in that; borrowed during the call */
    uint8_t failed_type; /* of the frame by which it says why it ends */
    /** Any other frame. coprocess_stop() is fine in it. */
    void (*on_frame)(void *arg, const struct frame *frame);
    /** Once, all frames were told: it is dead, or says that it will be. */
    void (*on_over)(void *arg, const struct err *err);
    void *arg;
};

/** Callbacks come from the loop. ERR_BUG for a `setup` that is no JSON. */
MUST_USE int coprocess_start(const struct coprocess_spec *spec,
                             struct coprocess **out_coprocess, struct err *err);
/** Send a frame; what it is written in is wiped: there may be secrets in it. */
void coprocess_send(struct coprocess *coprocess, uint8_t type,
                    const json_t *doc);
/** on_over follows. */
void coprocess_kill(struct coprocess *coprocess);
/** Kill it, and reap it. No callback comes any more. NULL is fine. */
void coprocess_stop(struct coprocess *coprocess);

#endif
