/* base/coprocess_inside.h - a coprocess, seen from inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_COPROCESS_INSIDE_H
#define BASE_COPROCESS_INSIDE_H

#include "base/channel.h"

#include <sys/types.h>

/* The program of base/coprocess.h: its loop, and the channel to its client. */
struct inside;

struct inside_spec {
    const char *program;  /* static, as the next */
    const char *protocol; /* the file that says what the two say */
    uint8_t failed_type;
    /** First of all: become `uid`, give up what is not needed. */
    int (*confine)(uid_t uid, struct err *err);
    void (*on_frame)(void *arg, const struct frame *frame);
    void *arg;
};

/**
 * Begin. Returns 0 and `*out_inside`; else the status to exit with: why not has
 * been said.
 */
MUST_USE int inside_begin(int argc, char **argv, const struct inside_spec *spec,
                          struct inside **out_inside);
struct loop *inside_loop(const struct inside *inside);
/** To the client; borrowed. */
struct channel *inside_up(const struct inside *inside);
/** From on_frame: say why it ends, and end. */
void inside_fail(struct inside *inside, const struct err *err);
/** From on_frame: what was sent arrives, then it ends. */
void inside_end(struct inside *inside);
/** Until the client closes, or one of these two. The status to exit with. */
MUST_USE int inside_run(struct inside *inside);
/** What was made on its loop goes first. NULL is fine. */
void inside_free(struct inside *inside);
OWNER(inside)

#endif
