/* cli/display.c - shows a job while it runs: live lines, or plain ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/display.h"

#include "base/clock.h"
#include "cli/format.h"
#include "cli/live.h"
#include "cli/text.h"
#include "worker/job/events.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX      1024 /* more than a pipeline may have */
#define WINDOW_ROWS    6    /* lines of output beneath a running step */
#define HEAD_LINES     20   /* of a failed step, kept for the report */
#define TAIL_LINES     20
#define SAY_MAX        4096
#define FRAME_JSON_MAX ((size_t)64 << 10)

/* The step that runs now. */
struct current {
    bool running;
    size_t index;
    char *name; /* owned, clean */
    unsigned attempt;
    int64_t since_ms;            /* monotonic */
    char *progress;              /* owned, clean; or NULL */
    struct text_cleaner *out[2]; /* owned: standard output and error */
    unsigned last;               /* which of them spoke last */
    struct excerpt *excerpt;     /* owned */
};

struct display {
    struct display_options options;
    struct sink *sink;   /* owned */
    struct live *live;   /* owned; NULL: plain, quiet or stopped */
    struct strbuf lines; /* to be printed at the end of the call */
    char *phase;         /* owned */
    int64_t phase_since_ms;
    struct current step;
    struct excerpt *kept[STEPS_MAX]; /* owned: of steps that failed */
    /* Steps that ended, and print on in the background. */
    struct {
        char *name;              /* owned, clean */
        struct excerpt *excerpt; /* owned, or NULL */
    } beside[STEPS_MAX];
    size_t beside_index;                /* whose line is not whole */
    struct text_cleaner *beside_out[2]; /* owned */
};

static bool quiet(const struct display *d)
{
    return d->options.detail == DISPLAY_QUIET;
}

/* Print what gathered: in one write, however many lines. */
static void flush_lines(struct display *d)
{
    if (d->live)
        live_print(d->live, d->lines.data, d->lines.len);
    else
        sink_write(d->sink, d->lines.data, d->lines.len);
    strbuf_cut(&d->lines, 0);
}

static char *clean(const struct display *d, const char *text)
{
    CLEANUP(strbuf) struct strbuf masked = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    credential_mask(d->options.credential, text, strlen(text), &masked);
    text_add_clean(&out, masked.data);
    return strbuf_take(&out);
}

/* A line of output: to the excerpt, and on the screen, behind `who`. */
static void add_line(struct display *d, struct excerpt *excerpt,
                     const char *who, const char *line, size_t len)
{
    CLEANUP(strbuf) struct strbuf masked = STRBUF_INIT;

    if (d->options.credential) {
        credential_mask(d->options.credential, line, len, &masked);
        line = masked.data;
        len = masked.len;
    }
    excerpt_add(excerpt, line, len);
    if (quiet(d) || (d->live && d->options.detail != DISPLAY_VERBOSE))
        return;
    style_add(&d->options.style, TINT_DIM, style_gutter(&d->options.style),
              &d->lines);
    if (who) {
        style_add(&d->options.style, TINT_DIM, who, &d->lines);
        strbuf_adds(&d->lines, ": ");
    }
    strbuf_add(&d->lines, line, len);
    strbuf_addc(&d->lines, '\n');
}

static void on_line(void *arg, const char *line, size_t len)
{
    struct display *d = arg;

    add_line(d, d->step.excerpt, NULL, line, len);
}

static void on_line_beside(void *arg, const char *line, size_t len)
{
    struct display *d = arg;
    size_t i = d->beside_index;

    if (!d->beside[i].excerpt)
        d->beside[i].excerpt = excerpt_new(HEAD_LINES, TAIL_LINES);
    add_line(d, d->beside[i].excerpt, d->beside[i].name, line, len);
}

static void fill_head(const struct display *d, struct live_area *area,
                      const char *what, int64_t since_ms, unsigned attempt)
{
    CLEANUP(strbuf) struct strbuf line = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf tail = STRBUF_INIT;
    size_t columns = live_area_columns(area);
    char elapsed[FORMAT_SIZE];
    size_t start;

    (void)format_duration(clock_mono_ms() - since_ms, elapsed);
    strbuf_addf(&tail, "  %s", elapsed);
    if (attempt > 1)
        strbuf_addf(&tail, "  (attempt %u)", attempt);
    style_add(&d->options.style, TINT_YELLOW,
              style_spinner(&d->options.style, live_area_frame(area)), &line);
    strbuf_addc(&line, ' ');
    start = line.len;
    if (columns > tail.len + 4) {
        text_add_fit(&line, what, strlen(what), columns - 2 - tail.len,
                     d->options.style.ascii);
        columns = 2 + text_columns(line.data + start, line.len - start);
        style_add(&d->options.style, TINT_DIM, tail.data, &line);
        columns += tail.len;
    } else {
        text_add_fit(&line, what, strlen(what), columns > 2 ? columns - 2 : 0,
                     d->options.style.ascii);
    }
    live_area_add(area, line.data, columns);
}

static void fill_line(const struct display *d, struct live_area *area,
                      const char *text)
{
    CLEANUP(strbuf) struct strbuf fit = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf line = STRBUF_INIT;
    size_t columns = live_area_columns(area);

    strbuf_adds(&line, style_gutter(&d->options.style));
    if (columns < 8)
        return;
    text_add_fit(&fit, text, strlen(text), columns - 4, d->options.style.ascii);
    strbuf_adds(&line, fit.data);
    strbuf_cut(&fit, 0);
    style_add(&d->options.style, TINT_DIM, line.data, &fit);
    live_area_add(area, fit.data, text_columns(line.data, line.len));
}

/* The lines beneath the running step: its last ones, or its progress. */
static void fill_window(const struct display *d, struct live_area *area)
{
    CLEANUP(strbuf) struct strbuf masked = STRBUF_INIT;
    const struct current *step = &d->step;
    const char *partial = text_cleaner_partial(step->out[step->last]);
    size_t rows = live_area_rows(area) - 1;
    size_t left = rows < WINDOW_ROWS ? rows : WINDOW_ROWS;

    if (step->progress && left) {
        fill_line(d, area, step->progress);
        left--;
    }
    if (d->options.detail == DISPLAY_VERBOSE)
        left = left && *partial ? 1 : 0;
    if (*partial && left)
        left--;
    for (size_t back = left; back-- > 0;) {
        const char *line = excerpt_last(step->excerpt, back);

        if (line)
            fill_line(d, area, line);
    }
    credential_mask(d->options.credential, partial, strlen(partial), &masked);
    if (masked.len)
        fill_line(d, area, masked.data);
}

static void fill(void *arg, struct live_area *area)
{
    const struct display *d = arg;

    if (d->step.running) {
        fill_head(d, area, d->step.name, d->step.since_ms, d->step.attempt);
        fill_window(d, area);
    } else if (d->phase) {
        fill_head(d, area, d->phase, d->phase_since_ms, 1);
    }
}

struct display *display_new(struct loop *loop,
                            const struct display_options *options,
                            sink_gone_fn *on_gone, void *arg)
{
    struct display *d = xcalloc(1, sizeof(*d));

    d->options = *options;
    d->lines = (struct strbuf)STRBUF_INIT;
    d->sink = sink_new(loop, options->fd, on_gone, arg);
    d->step.out[0] = text_cleaner_new(on_line, d);
    d->step.out[1] = text_cleaner_new(on_line, d);
    d->beside_out[0] = text_cleaner_new(on_line_beside, d);
    d->beside_out[1] = text_cleaner_new(on_line_beside, d);
    d->step.excerpt = excerpt_new(HEAD_LINES, TAIL_LINES);
    if (options->live && !quiet(d))
        d->live = live_new(loop, d->sink, options->fd, fill, d);
    return d;
}

void display_free(struct display *display)
{
    if (!display)
        return;
    display_stop(display);
    sink_free(display->sink);
    strbuf_clear(&display->lines);
    free(display->phase);
    free(display->step.name);
    free(display->step.progress);
    text_cleaner_free(display->step.out[0]);
    text_cleaner_free(display->step.out[1]);
    excerpt_free(display->step.excerpt);
    text_cleaner_free(display->beside_out[0]);
    text_cleaner_free(display->beside_out[1]);
    for (size_t i = 0; i < STEPS_MAX; i++) {
        excerpt_free(display->kept[i]);
        excerpt_free(display->beside[i].excerpt);
        free(display->beside[i].name);
    }
    free(display);
}

void display_phase(struct display *display, const char *phase)
{
    free(display->phase);
    display->phase = xstrdup(phase);
    display->phase_since_ms = clock_mono_ms();
}

void display_say(struct display *display, const char *fmt, ...)
{
    CLEANUP(mem) char *text = NULL;
    CLEANUP(mem) char *line = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    line = clean(display, text);
    strbuf_adds(&display->lines, line);
    strbuf_addc(&display->lines, '\n');
    flush_lines(display);
}

static json_t *frame_json(const struct frame *frame)
{
    if (frame->len > FRAME_JSON_MAX)
        return NULL;
    return json_loadb((const char *)frame->data, frame->len, 0, NULL);
}

static const char *string_of(const json_t *json, const char *key,
                             const char *otherwise)
{
    const char *s = json_string_value(json_object_get(json, key));

    return s ? s : otherwise;
}

static void end_output(struct display *d)
{
    text_cleaner_end(d->step.out[0]);
    text_cleaner_end(d->step.out[1]);
    free(STEAL(d->step.progress));
}

static void step_start(struct display *d, const struct frame *frame)
{
    json_t *json = frame_json(frame);
    struct current *step = &d->step;

    end_output(d);
    free(step->name);
    step->name = clean(d, string_of(json, "name", "step"));
    step->index = frame->id;
    step->attempt =
        (unsigned)json_integer_value(json_object_get(json, "attempt"));
    step->since_ms = clock_mono_ms();
    step->running = true;
    if (frame->id < STEPS_MAX) {
        free(d->beside[frame->id].name);
        d->beside[frame->id].name = xstrdup(step->name);
    }
    excerpt_free(step->excerpt);
    step->excerpt = excerpt_new(HEAD_LINES, TAIL_LINES);
    json_decref(json);
    if (quiet(d) || (d->live && d->options.detail != DISPLAY_VERBOSE))
        return;
    strbuf_adds(&d->lines, d->options.style.ascii ? "> " : "▶ ");
    style_add(&d->options.style, TINT_BOLD, step->name, &d->lines);
    if (step->attempt > 1)
        strbuf_addf(&d->lines, "  (attempt %u)", step->attempt);
    strbuf_addc(&d->lines, '\n');
}

static void print_ended(struct display *d, const json_t *json)
{
    const struct style *style = &d->options.style;
    const char *outcome = string_of(json, "outcome", "failed");
    CLEANUP(mem) char *name = clean(d, string_of(json, "name", "step"));
    CLEANUP(strbuf) struct strbuf detail = STRBUF_INIT;
    char elapsed[FORMAT_SIZE];

    style_add_mark(style, outcome, &d->lines);
    strbuf_addf(&d->lines, " %s", name);
    if (strcmp(outcome, "skipped") != 0) {
        strbuf_adds(&d->lines, "  ");
        (void)format_duration(
            json_integer_value(json_object_get(json, "duration_ms")), elapsed);
        style_add(style, TINT_DIM, elapsed, &d->lines);
    } else {
        strbuf_adds(&detail, "skipped");
    }
    style_add_detail(json, &detail);
    if (detail.len) {
        strbuf_adds(&d->lines, "  ");
        style_add(style, style_outcome_tint(outcome), detail.data, &d->lines);
    }
    strbuf_addc(&d->lines, '\n');
}

/* One that ran in the background failed after all. */
static void end_beside(struct display *d, uint32_t index, const json_t *json)
{
    text_cleaner_end(d->beside_out[0]);
    text_cleaner_end(d->beside_out[1]);
    if (index < STEPS_MAX && d->beside[index].excerpt) {
        excerpt_free(d->kept[index]);
        d->kept[index] = STEAL(d->beside[index].excerpt);
    }
    if (!quiet(d))
        print_ended(d, json);
}

static void step_end(struct display *d, const struct frame *frame)
{
    json_t *json = frame_json(frame);
    const char *outcome = string_of(json, "outcome", "failed");
    bool other = d->step.running && d->step.index != frame->id;

    if (other || (!d->step.running && frame->id < d->step.index)) {
        end_beside(d, frame->id, json);
        json_decref(json);
        return;
    }
    end_output(d);
    if (d->step.running && d->step.index == frame->id &&
        frame->id < STEPS_MAX && strcmp(outcome, "failed") == 0) {
        excerpt_free(d->kept[frame->id]);
        d->kept[frame->id] = d->step.excerpt;
        d->step.excerpt = excerpt_new(HEAD_LINES, TAIL_LINES);
    }
    d->step.running = false;
    display_phase(d, "going on");
    if (!quiet(d))
        print_ended(d, json);
    json_decref(json);
}

static void output_beside(struct display *d, const struct frame *frame)
{
    if (frame->id >= STEPS_MAX)
        return;
    if (d->beside_index != frame->id) {
        text_cleaner_end(d->beside_out[0]);
        text_cleaner_end(d->beside_out[1]);
        d->beside_index = frame->id;
    }
    text_cleaner_feed(d->beside_out[frame->type == JOB_FRAME_STDERR],
                      frame->data, frame->len);
}

static void output(struct display *d, const struct frame *frame)
{
    if (!d->step.running || d->step.index != frame->id) {
        output_beside(d, frame);
        return;
    }
    d->step.last = frame->type == JOB_FRAME_STDERR;
    text_cleaner_feed(d->step.out[d->step.last], frame->data, frame->len);
}

static void note(struct display *d, const struct frame *frame)
{
    size_t len = frame->len < SAY_MAX ? frame->len : SAY_MAX;
    CLEANUP(mem) char *text = xstrndup((const char *)frame->data, len);
    CLEANUP(mem) char *line = clean(d, text);

    if (frame->type == JOB_FRAME_PROGRESS) {
        free(d->step.progress);
        d->step.progress = STEAL(line);
        if (d->live || d->options.detail != DISPLAY_VERBOSE)
            return;
        line = xstrdup(d->step.progress);
    }
    if (quiet(d))
        return;
    strbuf_adds(&d->lines, d->options.style.ascii ? "  * " : "  • ");
    style_add(&d->options.style, TINT_YELLOW, line, &d->lines);
    strbuf_addc(&d->lines, '\n');
}

void display_frame(struct display *display, const struct frame *frame)
{
    switch (frame->type) {
    case JOB_FRAME_STEP_START:
        step_start(display, frame);
        break;
    case JOB_FRAME_STEP_END:
        step_end(display, frame);
        break;
    case JOB_FRAME_STDOUT:
    case JOB_FRAME_STDERR:
        output(display, frame);
        break;
    case JOB_FRAME_NOTE:
    case JOB_FRAME_PROGRESS:
        note(display, frame);
        break;
    default:
        break;
    }
    if (display->lines.len)
        flush_lines(display);
}

/* run-job is gone and never said how this step ended. */
static void abandon_step(struct display *d)
{
    d->step.running = false;
    style_add_mark(&d->options.style, "cancelled", &d->lines);
    strbuf_addf(&d->lines, " %s  stopped\n", d->step.name);
}

void display_stop(struct display *display)
{
    end_output(display);
    if (display->step.running && !quiet(display))
        abandon_step(display);
    flush_lines(display);
    live_free(STEAL(display->live));
}

void display_print(struct display *display, const char *text, size_t len)
{
    sink_flush(display->sink);
    sink_write(display->sink, text, len);
    sink_flush(display->sink);
}

const struct excerpt *display_excerpt(const struct display *display,
                                      size_t index)
{
    return index < STEPS_MAX ? display->kept[index] : NULL;
}
