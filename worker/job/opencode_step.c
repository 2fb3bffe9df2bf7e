/* worker/job/opencode_step.c - a step that has opencode ask a model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/opencode_step.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "worker/job/tools.h"
#include "worker/sandbox/hostenv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FACTS_MAX     ((size_t)64 << 10) /* its first line */
#define LAST_LINE_MAX 512
#define MARGIN_MS     10000 /* for its own end, before the step's */

/* Exit codes of worker/opencode/. */
#define EXIT_NO_ANSWER 1
#define EXIT_NOTHING   2

struct opencode_step {
    const struct attempt_spec *spec; /* borrowed */
    const char *argv[8];
    struct strv env;
    char *input; /* owned */
    size_t input_len;
    struct strbuf facts; /* the first line of a review's output */
    bool has_facts;      /* it is whole */
    struct strbuf answer;
    struct strbuf line; /* of standard error, the last one so far */
    bool line_ended;
};

static const struct step *step_of(const struct opencode_step *o)
{
    return &o->spec->start->pipeline->steps[o->spec->index];
}

/* ---- what it is told ----------------------------------------------------- */

static char *tools_of(const struct step_opencode *opencode)
{
    CLEANUP(strbuf) struct strbuf words = STRBUF_INIT;

    for (size_t i = 0; opencode_tools[i]; i++)
        if (opencode->tools & 1u << i)
            strbuf_addf(&words, "%s%s", words.len ? " " : "",
                        opencode_tools[i]);
    return strbuf_take(&words);
}

/* So that what was found by then is told, before the step or the job ends. */
static int64_t time_of(const struct attempt_spec *spec)
{
    int64_t gone_ms = clock_mono_ms() - spec->result->started_mono_ms;
    int64_t ms = spec->start->pipeline->timeout_ms - gone_ms;

    if (spec->timeout_ms && spec->timeout_ms < ms)
        ms = spec->timeout_ms;
    if (ms < 1)
        ms = 1;
    return ms > (int64_t)2 * MARGIN_MS ? ms - MARGIN_MS : ms - ms / 4;
}

static bool is_change(const struct job_start *start)
{
    return *start->change || !strcmp(start->trust, "fork");
}

/* A text of the repository that the change cannot have written. */
static int check_base(const struct attempt_spec *spec, struct err *err)
{
    const struct step *step = &spec->start->pipeline->steps[spec->index];
    bool reads = step->opencode.output == OPENCODE_FINDINGS ||
                 step->opencode.prompt_file;

    if (!reads || *spec->start->base || !is_change(spec->start))
        return 0;
    return err_set(err, ERR_USER,
                   "the job does not say which branch the change goes to "
                   "(base): what is compared, and whose instructions count, is "
                   "not known");
}

/*
 * Who ran code in this sandbox could have written what git says the base is, or
 * moved the change; that its writer is a stranger is a reason not to believe
 * it.
 */
static int check_order(const struct attempt_spec *spec, struct err *err)
{
    const struct pipeline *pipeline = spec->start->pipeline;

    if (strcmp(spec->start->trust, "fork") != 0 ||
        !step_reviews(&pipeline->steps[spec->index]))
        return 0;
    for (size_t i = 0; i < spec->index; i++) {
        const struct step_result *before = &spec->result->steps[i];

        if (step_runs_code(&pipeline->steps[i]) && before->attempts)
            return err_set(err, ERR_USER,
                           "a fork's code could have changed what is reviewed: "
                           "the step '%.60s' ran before. Put the review first, "
                           "or into a job of its own",
                           before->name);
    }
    return 0;
}

static void set_previous(json_t *input, const struct attempt_spec *spec)
{
    const struct step *step = &spec->start->pipeline->steps[spec->index];
    const json_t *previous = spec->start->previous;

    if (!step->opencode.incremental || !previous)
        return;
    json_object_set(input, "since", json_object_get(previous, "commit"));
    if (json_object_get(previous, "findings"))
        json_object_set(input, "earlier",
                        json_object_get(previous, "findings"));
}

/* worker/opencode/reviewer.h */
static json_t *review_input(const struct attempt_spec *spec)
{
    const struct job_start *start = spec->start;
    const struct step *step = &start->pipeline->steps[spec->index];
    const struct step_opencode *opencode = &step->opencode;
    CLEANUP(mem) char *tools = tools_of(opencode);
    json_t *paths = json_array();
    json_t *input = json_pack(
        "{s:s, s:s, s:s, s:f, s:i, s:b, s:b, s:s, s:s, s:s, s:s, s:I}", "task",
        spec->content, "prompt_file",
        opencode->prompt_file ? opencode->prompt_file : "", "min_severity",
        opencode->min_severity, "min_confidence", opencode->min_confidence,
        "max_findings", (int)opencode->max_findings, "verify",
        (int)opencode->verify, "whole", (int)opencode->whole, "base",
        start->base, "title", start->title, "description", start->description,
        "tools", tools, "time_ms", (json_int_t)time_of(spec));

    for (size_t i = 0; i < opencode->paths.count; i++)
        json_array_append_new(paths, json_string(opencode->paths.items[i]));
    json_object_set_new(input, "paths", paths);
    set_previous(input, spec);
    return input;
}

static int prepare_review(struct opencode_step *o, struct err *err)
{
    json_t *input = review_input(o->spec);

    o->argv[0] = TOOLS_INSIDE "/berth-review";
    o->input = input ? json_dumps(input, JSON_COMPACT) : NULL;
    json_decref(input);
    if (!o->input)
        return err_set(err, ERR_USER, "the prompt is not UTF-8");
    o->input_len = strlen(o->input);
    return 0;
}

static void prepare_prompt(struct opencode_step *o)
{
    const struct step_opencode *opencode = &step_of(o)->opencode;
    CLEANUP(mem) char *tools = tools_of(opencode);
    size_t n = 0;

    o->argv[n++] = TOOLS_INSIDE "/opencode";
    o->argv[n++] = "run";
    if (opencode->agent) {
        o->argv[n++] = "--agent";
        o->argv[n++] = opencode->agent;
    }
    o->input = xstrdup(o->spec->content);
    o->input_len = strlen(o->input);
    strv_setenv(&o->env, "BERTH_OPENCODE_TOOLS", tools);
    if (!opencode->prompt_file)
        return;
    strv_setenv(&o->env, "BERTH_OPENCODE_PROMPT_FILE", opencode->prompt_file);
    strv_setenv(&o->env, "BERTH_OPENCODE_BASE",
                *o->spec->start->base ? o->spec->start->base : "HEAD");
}

int opencode_step_new(const struct attempt_spec *spec,
                      struct opencode_step **out_step, struct err *err)
{
    const struct step *step = &spec->start->pipeline->steps[spec->index];
    struct step_result *result = &spec->result->steps[spec->index];
    CLEANUP(opencode_step) struct opencode_step *o = xcalloc(1, sizeof(*o));

    o->spec = spec;
    o->facts = (struct strbuf)STRBUF_MAX(FACTS_MAX);
    o->answer = (struct strbuf)STRBUF_MAX(OPENCODE_STEP_MAX_ANSWER);
    o->line = (struct strbuf)STRBUF_MAX(LAST_LINE_MAX);
    json_decref(STEAL(result->review));
    if (check_base(spec, err) < 0 || check_order(spec, err) < 0)
        return -1;
    for (size_t i = 0; i < spec->env->count; i++)
        strv_add(&o->env, spec->env->items[i]);
    if (step->opencode.output != OPENCODE_FINDINGS)
        prepare_prompt(o);
    else if (prepare_review(o, err) < 0)
        return -1;
    *out_step = STEAL(o);
    return 0;
}

void opencode_step_exec(struct opencode_step *o, struct sandbox_exec *exec)
{
    exec->argv = o->argv;
    exec->env = (const char *const *)o->env.items;
    exec->input = o->input;
    exec->input_len = o->input_len;
}

/* ---- what it says -------------------------------------------------------- */

static void take_error(struct opencode_step *o, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n') {
            o->line_ended = true;
            continue;
        }
        if (o->line_ended) {
            strbuf_cut(&o->line, 0);
            o->line.truncated = false;
        }
        o->line_ended = false;
        strbuf_addc(&o->line, data[i]);
    }
}

static void take_review(struct opencode_step *o, const char *data, size_t len,
                        struct reports *reports)
{
    const char *lf = o->has_facts ? NULL : memchr(data, '\n', len);
    size_t n = lf ? (size_t)(lf - data) : len;

    if (!o->has_facts) {
        strbuf_add(&o->facts, data, n);
        if (!lf)
            return;
        o->has_facts = true;
        data += n + 1;
        len -= n + 1;
    }
    if (len && reports)
        reports_output(reports, data, len);
}

bool opencode_step_output(struct opencode_step *o, enum sandbox_stream stream,
                          const void *data, size_t len, struct reports *reports)
{
    if (stream == SANDBOX_STDERR) {
        take_error(o, data, len);
        return true;
    }
    if (step_of(o)->opencode.output == OPENCODE_TEXT)
        return true;
    if (step_of(o)->opencode.output == OPENCODE_FILE)
        strbuf_add(&o->answer, data, len);
    else
        take_review(o, data, len, reports);
    return false;
}

/* ---- the facts of a review ----------------------------------------------- */

#define NUMBER_MAX    1000000000
#define NOTES_MAX     100
#define REASONS_MAX   16
#define REASON_MAX    60
#define NOTE_MAX      300
#define COMMIT_DIGITS 40

static void copy_number(json_t *to, const json_t *from, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(from, key));

    number = number < 0 ? 0 : number > NUMBER_MAX ? NUMBER_MAX : number;
    json_object_set_new(to, key, json_integer(number));
}

static void copy_commit(json_t *to, const json_t *from, const char *key)
{
    const char *text = json_string_value(json_object_get(from, key));
    bool good = text && strlen(text) == COMMIT_DIGITS &&
                !text[strspn(text, "0123456789abcdef")];

    json_object_set_new(to, key, good ? json_string(text) : json_null());
}

/* One line, cut between characters. */
static json_t *note_json(const char *text)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    size_t left = strlen(text), n;
    uint32_t c;

    for (; left && out.len < NOTE_MAX - 4; text += n, left -= n) {
        n = utf8_decode(text, left, &c);
        if (!n || utf8_is_control(c))
            strbuf_addc(&out, ' ');
        else
            strbuf_add(&out, text, n);
        n = n ? n : 1;
    }
    return json_string(out.len ? out.data : "");
}

static json_t *notes_json(const json_t *notes)
{
    json_t *list = json_array();
    const json_t *note;
    size_t i;

    json_array_foreach(notes, i, note)
    {
        const char *text = json_string_value(note);

        if (text && *text && json_array_size(list) < NOTES_MAX)
            json_array_append_new(list, note_json(text));
    }
    return list;
}

static json_t *reasons_json(const json_t *reasons)
{
    json_t *list = json_array();
    const json_t *reason;
    size_t i;

    json_array_foreach(reasons, i, reason)
    {
        const char *why = json_string_value(json_object_get(reason, "why"));
        json_t *one;

        if (!why || !*why || strlen(why) > REASON_MAX ||
            json_array_size(list) >= REASONS_MAX)
            continue;
        one = json_object();
        json_object_set_new(one, "why", note_json(why));
        copy_number(one, reason, "files");
        json_array_append_new(list, one);
    }
    return list;
}

/* Of schemas/result.schema.json; NULL: it is none. */
static json_t *review_json(const struct strbuf *line)
{
    static const char *const numbers[] = {
        "files",     "unseen",   "left_out", "chunks",     "failed",   "found",
        "misplaced", "moved",    "refuted",  "unverified", "repeated", "minor",
        "beyond",    "standing", "lost",     "runs",       "ms"};
    json_t *doc =
        line->truncated ? NULL : json_loadb(line->data, line->len, 0, NULL);
    const json_t *facts = json_object_get(doc, "review");
    json_t *out = NULL;

    if (json_is_object(facts)) {
        out = json_object();
        copy_commit(out, facts, "from");
        copy_commit(out, facts, "to");
        json_object_set_new(
            out, "since",
            json_boolean(json_is_true(json_object_get(facts, "since"))));
        json_object_set_new(
            out, "cut",
            json_boolean(json_is_true(json_object_get(facts, "cut"))));
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
            copy_number(out, facts, numbers[i]);
        json_object_set_new(out, "reasons",
                            reasons_json(json_object_get(facts, "reasons")));
        json_object_set_new(out, "notes",
                            notes_json(json_object_get(facts, "notes")));
    }
    json_decref(doc);
    return out;
}

/* ---- how it ended -------------------------------------------------------- */

static void blame(struct attempt_end *end, enum reason reason,
                  const char *message)
{
    json_t *harmless = note_json(message);

    end->reason = reason;
    (void)snprintf(end->message, sizeof(end->message), "%.250s",
                   json_string_value(harmless));
    json_decref(harmless);
}

static void judge_review(struct opencode_step *o, struct attempt_end *end)
{
    json_t *review = o->has_facts ? review_json(&o->facts) : NULL;

    o->spec->result->steps[o->spec->index].review = review;
    if (end->reason == REASON_NONE && !review)
        blame(end, REASON_STEP_FAILED,
              "the reviewer did not say what became of it");
}

void opencode_step_judge(struct opencode_step *o, struct attempt_end *end)
{
    enum opencode_output output = step_of(o)->opencode.output;

    if (output == OPENCODE_FINDINGS)
        judge_review(o, end);
    if (end->reason == REASON_NONE && output == OPENCODE_FILE &&
        o->answer.truncated)
        blame(end, REASON_MODEL_FAILED, "the model's answer is over 4 MiB");
    if (end->reason != REASON_STEP_FAILED)
        return;
    if (end->exit_code == EXIT_NO_ANSWER)
        blame(end, REASON_MODEL_FAILED, "the model gave no answer of use");
    else if (end->exit_code == EXIT_NOTHING && o->line.len)
        blame(end, REASON_STEP_FAILED, o->line.data);
}

bool opencode_step_writes(const struct opencode_step *o)
{
    return step_of(o)->opencode.output == OPENCODE_FILE;
}

int opencode_step_write(struct opencode_step *o, sandbox_file_fn *done,
                        void *arg, struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("%s/%s", SANDBOX_WORKSPACE, o->spec->path);
    struct machine *machine = o->spec->machine;

    return machine_driver(machine)->write_file(machine_sandbox(machine), path,
                                               o->answer.data, o->answer.len,
                                               0644, done, arg, err);
}

void opencode_step_free(struct opencode_step *o)
{
    if (!o)
        return;
    strv_clear(&o->env);
    free(o->input);
    strbuf_clear(&o->facts);
    strbuf_clear(&o->answer);
    strbuf_clear(&o->line);
    free(o);
}
