/* cli/live.h - a few lines at the bottom of a terminal, drawn anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include "base/strbuf.h"
#include "cli/sink.h"

#include <stdint.h>

/** Pictures a second, at most: however much is printed, it costs no more. */
#define LIVE_FRAME_MS 80

struct live;
struct live_area;

/**
 * Say what the area shows now: any number of live_area_add(), the first
 * `rows` of which are drawn.
 */
typedef void live_fill_fn(void *arg, struct live_area *area);

/** What a filler may ask of the area. */
size_t live_area_columns(const struct live_area *area);
size_t live_area_rows(const struct live_area *area);
/** Pictures drawn so far: for a spinner. */
uint64_t live_area_frame(const struct live_area *area);
/** One line, without a newline, that takes `width` of the columns. */
void live_area_add(struct live_area *area, const char *line, size_t width);

/**
 * Draw below what live_print() prints, in a timer of `loop`; `fd` is the
 * terminal whose size counts. All is borrowed. Hides the cursor.
 */
MUST_USE struct live *live_new(struct loop *loop, struct sink *sink, int fd,
                               live_fill_fn *fill, void *arg);
/** Print whole lines above the area; they scroll and stay. */
void live_print(struct live *live, const char *lines, size_t len);
/** Take the area away for good, show the cursor. Twice is fine. */
void live_stop(struct live *live);
/** Stops, too. NULL is fine. */
void live_free(struct live *live);
OWNER(live)

#endif
