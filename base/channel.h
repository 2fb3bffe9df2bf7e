/* base/channel.h - frames over a pair of descriptors, in a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CHANNEL_H
#define BASE_CHANNEL_H

#include "base/frame.h"
#include "base/loop.h"

#include <stdbool.h>

struct channel;

/** Called for each whole frame; `frame->data` is valid during the call. */
typedef void channel_frame_fn(void *arg, const struct frame *frame);
/**
 * Called once, when the other side closed (`err` NULL) or the stream broke
 * (`err` says how). No frame comes after it; channel_free() is allowed in it.
 */
typedef void channel_closed_fn(void *arg, const struct err *err);

struct channel_spec {
    int in_fd;  /* owned from now on, also on failure; made non-blocking */
    int out_fd; /* the same; may equal in_fd */
    channel_frame_fn *on_frame;
    channel_closed_fn *on_closed;
    void *arg;
    bool secret; /* what was read is wiped once it is delivered */
};

/** Watch both descriptors in `loop`, which must outlive the channel. */
MUST_USE int channel_new(struct loop *loop, const struct channel_spec *spec,
                         struct channel **out_channel, struct err *err);
/**
 * Give it to somebody else: from now on he is called instead. Frames that were
 * not delivered yet are his.
 */
void channel_hand_over(struct channel *channel, channel_frame_fn *on_frame,
                       channel_closed_fn *on_closed, void *arg);
/** Closes both descriptors; unsent frames are lost. NULL is fine. */
void channel_free(struct channel *channel);
OWNER(channel)

/**
 * Queue a frame; payloads over FRAME_MAX_PAYLOAD are split into several frames
 * of the same type and id. Never blocks; after the channel closed, a no-op.
 * What cannot be written is lost with all that follows: the other side finds
 * an end of file there, and ours goes on reading until that side ends.
 */
void channel_send(struct channel *channel, uint8_t type, uint32_t id,
                  const void *data, size_t len);
/** Bytes queued and not yet written: the sender's back-pressure signal. */
size_t channel_pending(const struct channel *channel);
/** Stop or go on reading, for back-pressure towards the other side. */
void channel_pause(struct channel *channel, int paused);
/** Write out all that is queued, blocking `timeout_ms` at most. */
MUST_USE int channel_flush(struct channel *channel, int64_t timeout_ms,
                           struct err *err);

#endif
