/* worker/job/background.c - steps that run beside the later ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/background.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/units.h"
#include "worker/job/events.h"
#include "worker/job/probe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* A line may be in two frames; longer ones are passed on in parts. */
#define LINE_MAX_BYTES ((size_t)16 << 10)

struct background {
    LIST_ENTRY(background) link;
    struct backgrounds *all; /* borrowed */
    size_t index;            /* of the step */
    uint32_t id;             /* of the command */
    bool running, ready, late;
    unsigned oom_kills_before;
    background_ready_fn *on_ready; /* NULL: told, or forgotten */
    void *arg;
    struct loop_source *deadline;
    struct probe *probe;    /* owned; while it waits for a port */
    struct strbuf lines[2]; /* of stdout and stderr: not yet whole */
    struct strbuf seen[2];  /* the end of it, while a text is waited for */
    uint64_t bytes;
};

struct backgrounds {
    struct backgrounds_spec spec;
    LIST_HEAD(, background) list; /* those that ended, too */
};

struct backgrounds *backgrounds_new(const struct backgrounds_spec *spec)
{
    struct backgrounds *all = xcalloc(1, sizeof(*all));

    all->spec = *spec;
    LIST_INIT(&all->list);
    return all;
}

static void stop_waiting(struct background *b)
{
    loop_remove(b->deadline);
    b->deadline = NULL;
    probe_free(STEAL(b->probe));
    strbuf_clear(&b->seen[0]);
    strbuf_clear(&b->seen[1]);
}

static void background_free(struct background *b)
{
    stop_waiting(b);
    LIST_REMOVE(b, link);
    strbuf_clear(&b->lines[0]);
    strbuf_clear(&b->lines[1]);
    free(b);
}

void backgrounds_free(struct backgrounds *all)
{
    if (!all)
        return;
    while (!LIST_EMPTY(&all->list))
        background_free(LIST_FIRST(&all->list));
    free(all);
}

static const struct step_wait *wait_of(const struct background *b)
{
    return &b->all->spec.start->pipeline->steps[b->index].wait_for;
}

static void tell_ready(struct background *b, const struct attempt_end *end)
{
    background_ready_fn *fn = STEAL(b->on_ready);

    stop_waiting(b);
    if (fn)
        fn(b->arg, end);
}

static void on_ready(void *arg)
{
    struct background *b = arg;

    if (!b->running || b->late)
        return;
    b->ready = true;
    tell_ready(b, NULL);
}

/* ---- output ----------------------------------------------------------- */

static void pass_on(struct background *b, int stream, size_t len)
{
    struct strbuf *lines = &b->lines[stream];

    if (!len)
        return;
    output_add_beside(b->all->spec.output, (uint32_t)b->index,
                      stream ? JOB_FRAME_STDERR : JOB_FRAME_STDOUT, lines->data,
                      len);
    strbuf_consume(lines, len);
}

/* Whether the text that is waited for came, across the edges of frames. */
static bool has_text(struct background *b, int stream, const char *data,
                     size_t len)
{
    const char *text = wait_of(b)->text;
    struct strbuf *seen = &b->seen[stream];
    bool found;

    strbuf_add(seen, data, len);
    found = memmem(seen->data, seen->len, text, strlen(text)) != NULL;
    if (seen->len > strlen(text))
        strbuf_consume(seen, seen->len - strlen(text));
    return found;
}

static void on_output(void *arg, enum sandbox_stream from, const void *data,
                      size_t len)
{
    struct background *b = arg;
    int stream = from == SANDBOX_STDERR;
    struct strbuf *lines = &b->lines[stream];
    const char *end;

    b->bytes += len;
    strbuf_add(lines, data, len);
    end = memrchr(lines->data, '\n', lines->len);
    pass_on(b, stream, end ? (size_t)(end + 1 - lines->data) : 0);
    if (lines->len > LINE_MAX_BYTES)
        pass_on(b, stream, lines->len);
    throttle_count(b->all->spec.throttle, len);
    if (!b->ready && wait_of(b)->kind == WAIT_LOG &&
        has_text(b, stream, data, len))
        on_ready(b);
}

/* ---- the end ---------------------------------------------------------- */

static void describe_wait(const struct step_wait *wait, char *out, size_t size)
{
    if (wait->kind == WAIT_LOG)
        (void)snprintf(out, size, "it did not print '%.60s'", wait->text);
    else if (wait->kind == WAIT_PORT)
        (void)snprintf(out, size, "nothing listened on port %u", wait->port);
    else
        (void)snprintf(out, size,
                       "http://localhost:%u%.60s did not answer well",
                       wait->port, wait->text);
}

/* Why it is not ready, in place of how it ended. */
static void explain(const struct background *b, struct attempt_end *end)
{
    const struct step_wait *wait = wait_of(b);
    char how[128], text[DURATION_TEXT_SIZE], why[128];

    if (b->late) {
        describe_wait(wait, why, sizeof(why));
        end->reason = REASON_TIMED_OUT;
        (void)snprintf(end->message, sizeof(end->message),
                       "not ready: within %s %s",
                       duration_format(wait->timeout_ms, text), why);
        return;
    }
    (void)snprintf(how, sizeof(how), "%.100s",
                   *end->message ? end->message : "exit code 0");
    if (end->reason == REASON_NONE)
        end->reason = REASON_STEP_FAILED;
    if (end->reason == REASON_STEP_FAILED)
        (void)snprintf(end->message, sizeof(end->message),
                       "ended before it was ready: %s", how);
}

static void on_exit_inside(void *arg, const struct sandbox_exit *ended)
{
    struct background *b = arg;
    const struct backgrounds_spec *spec = &b->all->spec;
    struct attempt_end end = {0};

    b->running = false;
    pass_on(b, 0, b->lines[0].len);
    pass_on(b, 1, b->lines[1].len);
    judge_exit(spec->machine, spec->start, b->oom_kills_before, ended, &end);
    if (b->ready) {
        spec->on_end(spec->arg, b->index, &end);
        return;
    }
    explain(b, &end);
    tell_ready(b, &end);
}

static void on_late(void *arg)
{
    struct background *b = arg;

    b->deadline = NULL;
    b->late = true;
    backgrounds_kill(b->all, b->index, SIGKILL);
}

/* ---- start ------------------------------------------------------------ */

/* The answer comes from the loop. */
static void begin_waiting(struct background *b)
{
    const struct step_wait *wait = wait_of(b);
    const struct backgrounds_spec *spec = &b->all->spec;
    int64_t now = clock_mono_ms();

    if (wait->kind == WAIT_NONE) {
        b->deadline = loop_add_timer(spec->loop, now, on_ready, b);
        return;
    }
    b->deadline =
        loop_add_timer(spec->loop, now + wait->timeout_ms, on_late, b);
    if (wait->kind != WAIT_LOG)
        b->probe = probe_start(spec->loop, spec->machine, wait, on_ready, b);
}

static struct background *find(const struct backgrounds *all, size_t index)
{
    struct background *b;

    LIST_FOREACH(b, &all->list, link)
    {
        if (b->index == index)
            return b;
    }
    return NULL;
}

int backgrounds_start(struct backgrounds *all, size_t index,
                      const struct sandbox_exec *exec,
                      background_ready_fn *ready, void *arg, struct err *err)
{
    struct machine *machine = all->spec.machine;
    struct background *b = find(all, index);
    struct sandbox_exec mine = *exec;
    struct sandbox_usage usage = {0};

    if (b) /* an earlier attempt, which has ended */
        background_free(b);
    b = xcalloc(1, sizeof(*b));
    LIST_INSERT_HEAD(&all->list, b, link);
    b->all = all;
    b->index = index;
    for (int i = 0; i < 2; i++)
        b->lines[i] = b->seen[i] = (struct strbuf)STRBUF_INIT;
    machine_usage(machine, &usage);
    b->oom_kills_before = usage.oom_kills;
    mine.on_output = on_output;
    mine.on_exit = on_exit_inside;
    mine.arg = b;
    if (machine_driver(machine)->exec(machine_sandbox(machine), &mine, &b->id,
                                      err) < 0) {
        background_free(b);
        return -1;
    }
    b->running = true;
    b->on_ready = ready;
    b->arg = arg;
    begin_waiting(b);
    return 0;
}

void backgrounds_kill(struct backgrounds *all, size_t index, int signo)
{
    struct machine *machine = all->spec.machine;
    struct background *b;

    LIST_FOREACH(b, &all->list, link)
    {
        if (b->running && (index == SIZE_MAX || index == b->index))
            machine_driver(machine)->kill(machine_sandbox(machine), b->id,
                                          signo);
    }
}

void backgrounds_forget(struct backgrounds *all, size_t index)
{
    struct background *b = find(all, index);

    if (b)
        b->on_ready = NULL;
}

bool backgrounds_any(const struct backgrounds *all)
{
    const struct background *b;

    LIST_FOREACH(b, &all->list, link)
    {
        if (b->running)
            return true;
    }
    return false;
}

uint64_t backgrounds_bytes(const struct backgrounds *all, size_t index)
{
    const struct background *b = find(all, index);

    return b ? b->bytes : 0;
}
