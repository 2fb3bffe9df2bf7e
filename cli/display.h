/* cli/display.h - shows a job while it runs: live lines, or plain ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DISPLAY_H
#define CLI_DISPLAY_H

#include "base/frame.h"
#include "cli/excerpt.h"
#include "cli/sink.h"
#include "cli/style.h"

/*
 * On a terminal (`live`): the running step with a spinner and its last lines
 * of output beneath, drawn anew some times a second; ended steps scroll up as
 * one line each. Otherwise: one line after the other, a step's output behind a
 * gutter, so that no output can pass for a line of ours.
 */
struct display;

enum display_detail {
    DISPLAY_QUIET,  /* nothing but what display_say() says */
    DISPLAY_NORMAL, /* live: the last lines of output; plain: all of it */
    DISPLAY_VERBOSE /* all output, and progress that would be drawn over */
};

struct display_options {
    int fd; /* borrowed: standard output, or standard error */
    bool live;
    enum display_detail detail;
    struct style style;
};

/** `on_gone`: who reads `fd` is gone (may be NULL). Never fails. */
MUST_USE struct display *display_new(struct loop *loop,
                                     const struct display_options *options,
                                     sink_gone_fn *on_gone, void *arg);
/** Restores the terminal. NULL is fine. */
void display_free(struct display *display);
OWNER(display)

/** What goes on while no step runs ("starting"), for the live line. */
void display_phase(struct display *display, const char *phase);
/** One line of our own, shown in any case; may quote a stranger. */
void display_say(struct display *display, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
/** A frame from run-job (worker/job/events.h); its secrets are masked. */
void display_frame(struct display *display, const struct frame *frame);

/** No more frames: the terminal is as it was before. */
void display_stop(struct display *display);
/** After display_stop(): print `text` as it is, and wait until it is out. */
void display_print(struct display *display, const char *text, size_t len);
/** What step `index` printed, kept if it failed; borrowed, or NULL. */
const struct excerpt *display_excerpt(const struct display *display,
                                      size_t index);

#endif
