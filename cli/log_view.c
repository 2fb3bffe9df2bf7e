/* cli/log_view.c - a job's log for people, or as lines of JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_view.h"

#include "base/clock.h"
#include "cli/format.h"
#include "cli/text.h"
#include "scheduler/queue/reply_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct log_view {
    struct log_view_options options;
    char *job_id; /* owned; of the attempt that is shown */
    uint64_t epoch;
    const json_t *names; /* borrowed; or NULL */
    uint64_t next_seq;
    int step; /* whose heading was last; -1: none */
    int64_t at_ms;
    struct log_entry gap; /* to be told when all of it is known; seq 0: none */
    struct text_cleaner *cleaners[LOG_STREAMS]; /* owned; of `step` */
    struct strbuf out;
    int failed; /* errno of a write */
};

#define WRITE_AT ((size_t)64 << 10)

static void add_line(void *arg, const char *line, size_t len)
{
    struct log_view *view = arg;
    char stamp[CLOCK_STAMP_SIZE];

    if (view->options.timestamps)
        strbuf_addf(&view->out, "%s ", clock_stamp(view->at_ms, stamp));
    style_add(&view->options.style, TINT_DIM,
              style_gutter(&view->options.style), &view->out);
    strbuf_add(&view->out, line, len);
    strbuf_addc(&view->out, '\n');
}

struct log_view *log_view_new(const struct log_view_options *options)
{
    struct log_view *view = xcalloc(1, sizeof(*view));

    view->options = *options;
    view->out = (struct strbuf)STRBUF_INIT;
    for (size_t i = 0; i < LOG_STREAMS; i++)
        view->cleaners[i] = text_cleaner_new(add_line, view);
    return view;
}

void log_view_free(struct log_view *view)
{
    if (!view)
        return;
    for (size_t i = 0; i < LOG_STREAMS; i++)
        text_cleaner_free(view->cleaners[i]);
    strbuf_clear(&view->out);
    free(view->job_id);
    free(view);
}

void log_view_begin(struct log_view *view, const char *job_id, uint64_t epoch,
                    const json_t *names)
{
    free(view->job_id);
    view->job_id = xstrdup(job_id);
    view->epoch = epoch;
    view->names = names;
    view->next_seq = 1;
    view->step = -1;
    view->gap.seq = 0;
}

/* A gap that was not told yet is read again: it may be longer by then, or what
 * is missing in Redis is in the store. */
uint64_t log_view_resume(struct log_view *view)
{
    if (view->gap.seq)
        view->next_seq = view->gap.seq;
    view->gap.seq = 0;
    return view->next_seq;
}

void log_view_reached(struct log_view *view, uint64_t next_seq)
{
    if (next_seq > view->next_seq)
        view->next_seq = next_seq;
}

static void write_out(struct log_view *view)
{
    if (!view->failed && (fwrite(view->out.data, 1, view->out.len,
                                 view->options.out) != view->out.len ||
                          fflush(view->options.out)))
        view->failed = errno;
    strbuf_cut(&view->out, 0);
}

int log_view_flush(struct log_view *view, struct err *err)
{
    write_out(view);
    errno = view->failed;
    if (view->failed)
        return err_sys(err, ERR_USER, "cannot write the log");
    return 0;
}

void log_view_heading(struct log_view *view, const char *fmt, ...)
{
    CLEANUP(mem) char *text = NULL;
    CLEANUP(strbuf) struct strbuf clean = STRBUF_INIT;
    va_list ap;

    if (view->options.json)
        return;
    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    text_add_clean(&clean, text);
    style_add(&view->options.style, TINT_BOLD, clean.data, &view->out);
    strbuf_addc(&view->out, '\n');
}

/* ---- text -----------------------------------------------------------------
 */

static void end_lines(struct log_view *view)
{
    for (size_t i = 0; i < LOG_STREAMS; i++)
        text_cleaner_end(view->cleaners[i]);
}

static void enter_step(struct log_view *view, unsigned step)
{
    const char *name = json_string_value(
        json_object_get(json_array_get(view->names, step), "name"));

    if (view->step == (int)step)
        return;
    end_lines(view);
    view->step = (int)step;
    log_view_heading(view, "step %u%s%s", step + 1, name ? ": " : "",
                     name ? name : "");
}

static void add_gap(struct log_view *view)
{
    const char *dots = view->options.style.ascii ? "..." : "…";
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    char size[FORMAT_SIZE];

    end_lines(view);
    if (view->gap.gap_bytes)
        strbuf_addf(&text, "[%s %s of output are not here %s]", dots,
                    format_bytes(view->gap.gap_bytes, size), dots);
    else
        strbuf_addf(&text, "[%s some output is not here %s]", dots, dots);
    style_add(&view->options.style, TINT_YELLOW, text.data, &view->out);
    strbuf_addc(&view->out, '\n');
}

/* ---- JSON -----------------------------------------------------------------
 */

static void add_json(struct log_view *view, const struct log_entry *entry)
{
    json_t *object = json_pack(
        "{s:s, s:I, s:I, s:I, s:i, s:s}", "job", view->job_id, "epoch",
        (json_int_t)view->epoch, "seq", (json_int_t)entry->seq, "at_ms",
        (json_int_t)entry->at_ms, "step", (int)entry->step, "stream",
        log_stream_name(entry->stream));
    CLEANUP(mem) char *line = NULL;

    if (entry->stream == LOG_GAP)
        json_object_set_new(object, "gap_bytes",
                            json_integer((json_int_t)entry->gap_bytes));
    else
        json_object_set_new(object, "data",
                            json_of_bytes(entry->data, entry->len));
    line = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    strbuf_addf(&view->out, "%s\n", line);
}

/* ---- entries --------------------------------------------------------------
 */

static void tell_gap(struct log_view *view)
{
    if (!view->gap.seq)
        return;
    if (view->options.json)
        add_json(view, &view->gap);
    else
        add_gap(view);
    view->gap.seq = 0;
}

static void keep_gap(struct log_view *view, const struct log_entry *entry)
{
    struct log_entry before = view->gap;

    view->gap = *entry;
    if (!before.seq)
        return;
    view->gap.seq = before.seq;
    /* 0 is an unknown number, and remains one. */
    view->gap.gap_bytes = before.gap_bytes && entry->gap_bytes
                              ? before.gap_bytes + entry->gap_bytes
                              : 0;
}

static void show(struct log_view *view, const struct log_entry *entry)
{
    if (view->options.step >= 0 && (int)entry->step != view->options.step)
        return;
    tell_gap(view);
    view->at_ms = entry->at_ms;
    if (view->options.json) {
        add_json(view, entry);
        return;
    }
    enter_step(view, entry->step);
    text_cleaner_feed(view->cleaners[entry->stream], entry->data, entry->len);
}

void log_view_entry(void *arg, const struct log_entry *entry)
{
    struct log_view *view = arg;

    if (entry->seq < view->next_seq)
        return;
    view->next_seq = entry->seq + 1;
    if (entry->stream == LOG_GAP)
        keep_gap(view, entry);
    else
        show(view, entry);
    if (view->out.len >= WRITE_AT)
        write_out(view);
}

void log_view_end(struct log_view *view)
{
    tell_gap(view);
    end_lines(view);
}
