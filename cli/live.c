/* cli/live.c - a few lines at the bottom of a terminal, drawn anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/live.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define AREA_ROWS_MAX 16
#define PRINT_AT_ONCE ((size_t)64 << 10) /* lines do not wait for the timer */

#define CURSOR_OFF "\033[?25l"
#define CURSOR_ON  "\033[?25h"
/* A line of the area stays one row, even where the terminal takes a character
 * for wider than we do, or has just become narrower. */
#define WRAP_OFF "\033[?7l"
#define WRAP_ON  "\033[?7h"

struct live_area {
    size_t columns; /* that a line may take */
    size_t rows;
    uint64_t frame;
    struct strbuf text; /* joined by \r\n, the cursor behind the last */
    size_t widths[AREA_ROWS_MAX];
    size_t count;
};

struct live {
    struct loop *loop; /* borrowed */
    struct sink *sink; /* borrowed */
    int fd;            /* borrowed */
    live_fill_fn *fill;
    void *arg;
    struct loop_source *timer; /* the loop's; NULL: stopped */
    struct live_area area;     /* as it is on the screen */
    struct strbuf lines;       /* to be printed above it */
};

size_t live_area_columns(const struct live_area *area)
{
    return area->columns;
}

size_t live_area_rows(const struct live_area *area)
{
    return area->rows;
}

uint64_t live_area_frame(const struct live_area *area)
{
    return area->frame;
}

void live_area_add(struct live_area *area, const char *line, size_t width)
{
    if (area->count == area->rows || area->count == AREA_ROWS_MAX)
        return;
    if (area->count)
        strbuf_adds(&area->text, "\r\n");
    strbuf_adds(&area->text, line);
    area->widths[area->count++] = width;
}

/* A line never fills the last column, where terminals wrap differently. */
static void measure(struct live *live)
{
    struct winsize size = {0};

    (void)ioctl(live->fd, TIOCGWINSZ, &size);
    live->area.columns = size.ws_col > 1 ? size.ws_col - 1u : 79;
    live->area.rows = size.ws_row > 2 ? size.ws_row - 2u : 1;
    if (!size.ws_row)
        live->area.rows = 22;
    if (live->area.rows > AREA_ROWS_MAX)
        live->area.rows = AREA_ROWS_MAX;
}

/*
 * Go to the area's first column and row and clear all below. Where the
 * terminal became narrower it has wrapped the area's lines.
 */
static void erase(const struct live *live, struct strbuf *out)
{
    size_t columns = live->area.columns + 1;
    size_t rows = 0;

    if (!live->area.count)
        return;
    for (size_t i = 0; i < live->area.count; i++) {
        size_t width = live->area.widths[i];

        rows += width <= columns ? 1 : (width + columns - 1) / columns;
    }
    if (rows > 1)
        strbuf_addf(out, "\r\033[%zuA\033[J", rows - 1);
    else
        strbuf_adds(out, "\r\033[J");
}

static void clear(struct live *live, struct strbuf *out)
{
    measure(live);
    erase(live, out);
    strbuf_cut(&live->area.text, 0);
    live->area.count = 0;
    strbuf_add(out, live->lines.data, live->lines.len);
    strbuf_cut(&live->lines, 0);
}

static void draw(struct live *live)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    clear(live, &out);
    live->fill(live->arg, &live->area);
    if (live->area.count) {
        strbuf_adds(&out, WRAP_OFF);
        strbuf_add(&out, live->area.text.data, live->area.text.len);
        strbuf_adds(&out, WRAP_ON);
    }
    live->area.frame++;
    sink_write(live->sink, out.data, out.len);
}

static void on_timer(void *arg)
{
    struct live *live = arg;

    live->timer = loop_add_timer(live->loop, clock_mono_ms() + LIVE_FRAME_MS,
                                 on_timer, live);
    if (sink_is_clear(live->sink))
        draw(live);
}

struct live *live_new(struct loop *loop, struct sink *sink, int fd,
                      live_fill_fn *fill, void *arg)
{
    struct live *live = xcalloc(1, sizeof(*live));

    live->loop = loop;
    live->sink = sink;
    live->fd = fd;
    live->fill = fill;
    live->arg = arg;
    live->area.text = (struct strbuf)STRBUF_INIT;
    live->lines = (struct strbuf)STRBUF_INIT;
    live->timer = loop_add_timer(loop, clock_mono_ms(), on_timer, live);
    sink_write(sink, CURSOR_OFF, strlen(CURSOR_OFF));
    return live;
}

void live_print(struct live *live, const char *lines, size_t len)
{
    strbuf_add(&live->lines, lines, len);
    if (live->lines.len >= PRINT_AT_ONCE)
        draw(live);
}

void live_stop(struct live *live)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    if (!live->timer)
        return;
    loop_remove(STEAL(live->timer));
    clear(live, &out);
    strbuf_adds(&out, CURSOR_ON);
    sink_write(live->sink, out.data, out.len);
}

void live_free(struct live *live)
{
    if (!live)
        return;
    live_stop(live);
    strbuf_clear(&live->area.text);
    strbuf_clear(&live->lines);
    free(live);
}
