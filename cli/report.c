/* cli/report.c - what a run came to, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include "cli/format.h"
#include "cli/report_findings.h"
#include "cli/text.h"
#include "pipelines/reason.h"

#include <inttypes.h>
#include <string.h>

#define NAME_COLUMNS_MAX 40

/* What a person can do about it: here, or from afar with a command. */
static const struct {
    enum reason reason;
    const char *advice;
    const char *afar;    /* NULL: the same */
    const char *command; /* the job's id follows; or NULL */
} advices[] = {
    {REASON_STEP_FAILED,
     "run it with -v for all of the output, with --keep to look at the files "
     "it leaves",
     "read all of the output: ", "berth logs"},
    {REASON_TIMED_OUT,
     "give the step or the pipeline a longer 'timeout', or find what hangs "
     "with -v",
     "give the step or the pipeline a longer 'timeout', or find what hangs: ",
     "berth logs"},
    {REASON_OUT_OF_MEMORY, "choose a larger instance_type, or use less memory",
     NULL, NULL},
    {REASON_DISK_FULL, "choose a larger instance_type, or write less", NULL,
     NULL},
    {REASON_PIPELINE_INVALID, "check it with: berth validate FILE", NULL, NULL},
    {REASON_CHECKOUT_FAILED,
     "check --repo, --commit and --ref, and that the repository can be reached "
     "from here",
     "check its repo, commit and ref, and that its worker can reach the "
     "repository",
     NULL},
    {REASON_SANDBOX_FAILED, "see what this host lacks in the message above",
     "see what the worker's host lacks in the message above", NULL},
    {REASON_WORKER_LOST, "it can be run again: nothing was wrong with the job",
     "nothing was wrong with the job; run it again: ", "berth retry"},
};

static const char *string_of(const json_t *json, const char *key)
{
    const char *s = json_string_value(json_object_get(json, key));

    return s ? s : "";
}

static json_int_t integer_of(const json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

static void cut_name(const struct report_options *o, const json_t *step,
                     struct strbuf *out)
{
    CLEANUP(strbuf) struct strbuf name = STRBUF_INIT;

    text_add_clean(&name, string_of(step, "name"));
    text_add_fit(out, name.data, name.len, NAME_COLUMNS_MAX, o->style.ascii);
}

static size_t name_columns(const struct report_options *o, const json_t *steps)
{
    size_t widest = strlen("step");
    const json_t *step;
    size_t i;

    json_array_foreach(steps, i, step)
    {
        CLEANUP(strbuf) struct strbuf name = STRBUF_INIT;
        size_t width;

        cut_name(o, step, &name);
        width = text_columns(name.data, name.len);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void add_usage_cells(const json_t *step, struct strbuf *out)
{
    const json_t *cpu = json_object_get(step, "cpu_ms");
    const json_t *memory = json_object_get(step, "peak_memory_bytes");
    char text[FORMAT_SIZE];

    text_add_cell(out,
                  json_is_integer(cpu)
                      ? format_duration(json_integer_value(cpu), text)
                      : "-",
                  13, true);
    text_add_cell(out,
                  json_is_integer(memory)
                      ? format_bytes((uint64_t)json_integer_value(memory), text)
                      : "-",
                  10, true);
}

static void add_row(const struct report_options *o, const json_t *step,
                    size_t columns, struct strbuf *out)
{
    CLEANUP(strbuf) struct strbuf name = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf cell = STRBUF_INIT;
    const char *outcome = string_of(step, "outcome");
    bool ran = strcmp(outcome, "skipped") != 0;
    char duration[FORMAT_SIZE];

    cut_name(o, step, &name);
    text_add_cell(out, name.data, columns + 2, false);
    style_add_mark(&o->style, outcome, out);
    strbuf_addc(out, ' ');
    text_add_cell(&cell, outcome, 9, false);
    style_add(&o->style, style_outcome_tint(outcome), cell.data, out);
    text_add_cell(
        out,
        ran ? format_duration(integer_of(step, "duration_ms"), duration) : "-",
        13, true);
    if (o->verbose)
        add_usage_cells(step, out);
    strbuf_cut(&cell, 0);
    style_add_detail(step, &cell);
    if (cell.len)
        strbuf_addf(out, "  %s", cell.data);
    strbuf_addc(out, '\n');
}

static void add_table(const struct report_options *o, const json_t *steps,
                      struct strbuf *out)
{
    CLEANUP(strbuf) struct strbuf head = STRBUF_INIT;
    size_t columns = name_columns(o, steps);
    const json_t *step;
    size_t i;

    text_add_cell(&head, "step", columns + 2, false);
    text_add_cell(&head, "outcome", 11, false);
    text_add_cell(&head, "duration", 13, true);
    if (o->verbose) {
        text_add_cell(&head, "cpu", 13, true);
        text_add_cell(&head, "memory", 10, true);
    }
    style_add(&o->style, TINT_BOLD, head.data, out);
    strbuf_addc(out, '\n');
    json_array_foreach(steps, i, step) add_row(o, step, columns, out);
}

static void add_model(const struct report_options *o, const json_t *usage,
                      struct strbuf *out)
{
    const json_t *model = json_object_get(usage, "model");
    const char *dot = o->style.ascii ? " - " : " · ";

    if (!model || !integer_of(model, "requests"))
        return;
    strbuf_addf(out,
                "model: %lld request%s%s%lld tokens in%s%lld out%s%s%.4f "
                "USD\n",
                (long long)integer_of(model, "requests"),
                integer_of(model, "requests") == 1 ? "" : "s", dot,
                (long long)integer_of(model, "input_tokens"), dot,
                (long long)integer_of(model, "output_tokens"), dot,
                json_is_true(json_object_get(model, "estimated")) ? "about "
                                                                  : "",
                json_number_value(json_object_get(model, "usd")));
}

static void add_totals(const struct report_options *o, const json_t *result,
                       struct strbuf *out)
{
    const json_t *usage = json_object_get(result, "usage");
    const json_t *memory = json_object_get(usage, "peak_memory_bytes");
    const json_t *cpu = json_object_get(usage, "cpu_ms");
    const char *state = string_of(result, "state");
    const char *dot = o->style.ascii ? " - " : " · ";
    char text[FORMAT_SIZE];

    style_add(&o->style, style_outcome_tint(state), state, out);
    strbuf_addf(out, " in %s",
                format_duration(integer_of(result, "duration_ms"), text));
    if (json_is_integer(memory))
        strbuf_addf(out, "%speak memory %s", dot,
                    format_bytes((uint64_t)json_integer_value(memory), text));
    if (json_is_integer(cpu))
        strbuf_addf(out, "%scpu %s", dot,
                    format_duration(json_integer_value(cpu), text));
    strbuf_addc(out, '\n');
    add_model(o, usage, out);
}

static void add_failure(const struct report_options *o, const json_t *step,
                        struct strbuf *out)
{
    size_t index = (size_t)integer_of(step, "index");
    const char *message = string_of(step, "message");
    const struct excerpt *excerpt =
        o->display ? display_excerpt(o->display, index) : NULL;
    CLEANUP(strbuf) struct strbuf head = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf detail = STRBUF_INIT;

    text_add_clean(&head, string_of(step, "name"));
    style_add_detail(step, &detail);
    if (detail.len)
        strbuf_addf(&head, ": %s", detail.data);
    strbuf_addc(out, '\n');
    style_add_mark(&o->style, "failed", out);
    strbuf_addc(out, ' ');
    style_add(&o->style, TINT_BOLD, head.data, out);
    strbuf_addc(out, '\n');
    if (excerpt && excerpt_count(excerpt))
        excerpt_print(excerpt, style_gutter(&o->style), out);
    if (*message && strcmp(message, detail.data) != 0) {
        strbuf_adds(out, "  ");
        text_add_clean(out, message);
        strbuf_addc(out, '\n');
    }
}

static void add_advice(const struct report_options *o, size_t i,
                       struct strbuf *out)
{
    bool afar = o->job_id && advices[i].afar;

    strbuf_adds(out, afar ? advices[i].afar : advices[i].advice);
    if (afar && advices[i].command)
        strbuf_addf(out, "%s %s", advices[i].command, o->job_id);
    strbuf_addc(out, '\n');
}

static void add_why(const struct report_options *o, const json_t *result,
                    struct strbuf *out)
{
    const char *message = string_of(result, "message");
    const char *name = json_string_value(json_object_get(result, "reason"));
    int reason = reason_find(name);

    if (!name)
        return;
    strbuf_addc(out, '\n');
    style_add(&o->style, TINT_BOLD, "why:  ", out);
    text_add_clean(out, *message ? message : name);
    strbuf_addc(out, '\n');
    for (size_t i = 0; i < ARRAY_LEN(advices); i++) {
        if (reason != (int)advices[i].reason)
            continue;
        style_add(&o->style, TINT_BOLD, "next: ", out);
        add_advice(o, i, out);
    }
}

void report_add(const json_t *result, const struct report_options *options,
                struct strbuf *out)
{
    const json_t *steps = json_object_get(result, "steps");
    const json_t *step;
    size_t i;

    if (json_array_size(steps))
        add_table(options, steps, out);
    add_totals(options, result, out);
    json_array_foreach(steps, i, step)
    {
        if (strcmp(string_of(step, "outcome"), "failed") == 0)
            add_failure(options, step, out);
    }
    report_findings_add(steps, &options->style, out);
    add_why(options, result, out);
}

int report_exit_status(const char *state, const char *reason)
{
    int found = reason_find(reason);

    if (strcmp(state, "passed") == 0)
        return 0;
    if (strcmp(state, "cancelled") == 0)
        return 130;
    if (found < 0)
        return 3;
    return reason_is_infrastructure((enum reason)found) ? 3 : 1;
}
