/* worker/opencode/reviewer.c - a whole review, from inside a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/reviewer.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "pipelines/findings/findings.h"
#include "pipelines/findings/fingerprint.h"
#include "pipelines/review/carry.h"
#include "pipelines/review/review.h"
#include "worker/opencode/base.h"
#include "worker/opencode/change.h"
#include "worker/opencode/run.h"
#include "worker/opencode/tree.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define INPUT_MAX     ((size_t)8 << 20)
#define WORKSPACE     "/workspace"
#define BYTES_A_TOKEN 3 /* of code, about; rather too few than too many */
#define MIN_PROMPT    ((size_t)16 << 10)
#define MAX_PROMPT    ((size_t)512 << 10)
#define DEFAULT_MAX   10
#define NOTES_MAX     100
#define NOTES_BYTES   ((size_t)16 << 10)
#define LOG_LINES     1000

#define EXIT_NO_ANSWER 1
#define EXIT_NOTHING   2

static const char agent_prompt[] =
    "You are a careful reviewer of code. You only read. You answer in the form "
    "that is asked for and with nothing else.";

struct reviewer {
    json_t *spec; /* owned */
    struct strv paths;
    struct change change;
    struct strbuf task; /* of a file */
    struct diff *diff;
    struct base_files base_files;
    struct skip_base base;
    struct findings *earlier;
    struct setup setup;
    struct review *review;
    char *tree; /* owned: the copy */
    char nonce[33];
    int64_t began_ms, until_ms; /* monotonic; 0: any time */
    unsigned runs;
};

/* ---- what is asked for --------------------------------------------------- */

static const char *text_of(const struct reviewer *r, const char *key)
{
    const char *text = json_string_value(json_object_get(r->spec, key));

    return text ? text : "";
}

static double number_of(const struct reviewer *r, const char *key,
                        double otherwise)
{
    const json_t *value = json_object_get(r->spec, key);

    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static int read_input(struct reviewer *r, struct err *err)
{
    struct strbuf input = STRBUF_MAX(INPUT_MAX);
    const json_t *item, *earlier;
    json_error_t where;
    size_t i;
    int rc = fd_read_all(STDIN_FILENO, &input, err);

    if (rc == 0) {
        r->spec = json_loadb(input.data, input.len, 0, &where);
        if (!json_is_object(r->spec))
            rc = err_set(err, ERR_USER, "the input is no JSON object: %s",
                         where.text);
    }
    strbuf_clear(&input);
    if (rc < 0)
        return -1;
    json_array_foreach(json_object_get(r->spec, "paths"), i,
                       item) if (json_is_string(item))
        strv_add(&r->paths, json_string_value(item));
    earlier = json_object_get(r->spec, "earlier");
    if (json_is_object(earlier)) {
        const struct findings_source source = {.tool = "review"};
        CLEANUP(mem) char *text = json_dumps(earlier, JSON_COMPACT);

        r->earlier = findings_new();
        if (text && findings_read(r->earlier, FINDINGS_OWN, &source, text,
                                  strlen(text), err) < 0)
            return err_wrap(err, "earlier");
    }
    return 0;
}

static size_t prompt_room(void)
{
    const char *context = getenv("BERTH_MODEL_CONTEXT");
    const char *output = getenv("BERTH_MODEL_OUTPUT");
    long tokens = context ? strtol(context, NULL, 10) : 0;
    long answer = output ? strtol(output, NULL, 10) : 0;
    size_t room;

    if (tokens <= 0)
        tokens = 128000;
    if (answer <= 0)
        answer = 8192;
    /* Half of what is left is for what its tools read. */
    room = tokens > answer ? (size_t)(tokens - answer) / 2 * BYTES_A_TOKEN : 0;
    return room < MIN_PROMPT   ? MIN_PROMPT
           : room > MAX_PROMPT ? MAX_PROMPT
                               : room;
}

static enum finding_severity severity_of(const char *word)
{
    if (!strcmp(word, "error"))
        return FINDING_ERROR;
    return !strcmp(word, "info") ? FINDING_INFO : FINDING_WARNING;
}

static void start_review(struct reviewer *r)
{
    const char *rules = text_of(r, "rules");
    const char *task = text_of(r, "task");
    const json_t *verify = json_object_get(r->spec, "verify");
    const struct review_options options = {
        .task = *task ? task : r->task.data,
        .rules = *rules ? rules : r->change.rules.data,
        .title = text_of(r, "title"),
        .description = text_of(r, "description"),
        .commits = r->change.commits.data,
        .paths = r->paths.count ? &r->paths : NULL,
        .base = &r->base,
        .earlier = r->earlier,
        .min_severity = severity_of(text_of(r, "min_severity")),
        .min_confidence = number_of(r, "min_confidence", 0.5),
        .max_findings = (size_t)number_of(r, "max_findings", DEFAULT_MAX),
        .max_prompt = prompt_room(),
        .verify = !json_is_false(verify),
        .whole = json_is_true(json_object_get(r->spec, "whole")),
        .nonce = r->nonce};

    r->review = review_new(&options, r->diff);
}

/*
 * What stands is told again: whoever reads only the last result, as those do
 * who resolve comments, must not take it for fixed. Of a change that is looked
 * at anew nothing is known before.
 */
static void look_back(struct reviewer *r)
{
    r->diff = diff_parse(r->change.diff.data, r->change.diff.len,
                         r->change.diff.truncated);
    if (r->earlier && r->change.is_since)
        carry_over(r->earlier, r->diff);
    else
        findings_free(STEAL(r->earlier));
}

/* ---- preparing ----------------------------------------------------------- */

static int make_nonce(struct reviewer *r, struct err *err)
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return err_sys(err, ERR_TRANSIENT, "no random numbers");
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(r->nonce + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

/* All files without a base are those of nobody's change. */
static const char *whole_base(const struct change_spec *change)
{
    return change->whole && !*change->base ? "HEAD" : change->base;
}

static int prepare(struct reviewer *r, struct err *err)
{
    const char *tools = text_of(r, "tools");
    const char *file = text_of(r, "prompt_file");
    const struct change_spec change = {
        .dir = WORKSPACE,
        .base = text_of(r, "base"),
        .since = text_of(r, "since"),
        .whole = json_is_true(json_object_get(r->spec, "whole"))};
    struct tree_counts counts;

    if (make_nonce(r, err) < 0 || change_read(&change, &r->change, err) < 0 ||
        (*file &&
         change_file(WORKSPACE, whole_base(&change), file, &r->task, err) < 0))
        return -1;
    look_back(r);
    base_read(WORKSPACE, whole_base(&change), r->diff, &r->base_files);
    r->base.files = &r->base_files.files;
    r->base.marked = &r->base_files.marked;
    start_review(r);
    if (!review_ask(r->review))
        return 0; /* nothing to look at: no model is needed */
    if (setup_make(&r->setup, *tools ? tools : SETUP_TOOLS_DEFAULT,
                   agent_prompt, err) < 0)
        return -1;
    if (r->setup.is_legacy)
        return err_set(err, ERR_USER,
                       "the opencode that is installed is the older one, which "
                       "cannot be kept to reading: have `berth setup opencode` "
                       "install the newer one");
    if (!r->setup.model)
        return err_set(err, ERR_USER,
                       "this job has no model: the worker's configuration "
                       "names none under 'models'");
    r->tree = xasprintf("%s/code", r->setup.dir);
    return tree_copy(WORKSPACE, r->tree, &counts, err);
}

/* ---- asking -------------------------------------------------------------- */

static int64_t time_left(const struct reviewer *r)
{
    int64_t left = r->until_ms ? r->until_ms - clock_mono_ms() : 0;

    return r->until_ms && left < 1 ? 1 : left;
}

static bool is_late(const struct reviewer *r)
{
    return r->until_ms && clock_mono_ms() >= r->until_ms;
}

/* An answer that is none is told; the review decides what to do about it. */
static void ask(struct reviewer *r, const char *question)
{
    const struct run_spec spec = {.prompt = question,
                                  .len = strlen(question),
                                  .cwd = r->tree,
                                  .has_agent = true,
                                  .timeout_ms = time_left(r)};
    struct events events;
    struct err err = {0};
    int code = 0;
    bool good;

    (void)fprintf(stderr, "review: %s\n", review_label(r->review));
    events_init(&events);
    r->runs++;
    good = run_ask(&r->setup, &spec, &events, &code, &err) == 0 &&
           events_check(&events, code, &err) == 0;
    if (!good)
        (void)fprintf(stderr, "review: %s\n", err.msg);
    if (review_answer(r->review, good ? events.text.data : NULL,
                      good ? events.text.len : 0, &err) < 0)
        (void)fprintf(stderr, "review: %s\n", err.msg);
    events_clear(&events);
}

/* ---- telling ------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t at;
} counters[] = {
#define COUNTER(name)                                                          \
    {                                                                          \
#name, offsetof(struct review_counts, name)                            \
    }
    COUNTER(files),   COUNTER(left_out),   COUNTER(unseen),    COUNTER(chunks),
    COUNTER(failed),  COUNTER(found),      COUNTER(misplaced), COUNTER(moved),
    COUNTER(refuted), COUNTER(unverified), COUNTER(repeated),  COUNTER(minor),
    COUNTER(beyond),
#undef COUNTER
};

static json_t *reasons_of(const struct review *review)
{
    struct review_reason reasons[REVIEW_MAX_REASONS];
    size_t count = review_reasons(review, reasons);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(
            list, json_pack("{s:s, s:I}", "why", reasons[i].why, "files",
                            (json_int_t)reasons[i].files));
    return list;
}

static json_t *notes_of(const struct review *review)
{
    struct strbuf left = STRBUF_MAX(NOTES_BYTES);
    json_t *notes = json_array();
    char *line, *at = NULL;

    review_left_out(review, &left);
    if (left.truncated) /* half a line */
        strbuf_cut(&left, (size_t)((char *)memrchr(left.data, '\n', left.len) -
                                   left.data));
    for (line = left.len ? strtok_r(left.data, "\n", &at) : NULL; line;
         line = strtok_r(NULL, "\n", &at))
        if (json_array_size(notes) < NOTES_MAX)
            (void)json_array_append_new(notes, json_string(line));
    strbuf_clear(&left);
    return notes;
}

static json_t *facts_of(const struct reviewer *r)
{
    const struct review_counts *c = review_counts(r->review);
    json_t *facts = json_pack(
        "{s:s, s:s, s:b, s:i, s:I, s:o, s:o}", "from", r->change.from, "to",
        r->change.to, "since", r->change.is_since, "runs", (int)r->runs, "ms",
        (json_int_t)(clock_mono_ms() - r->began_ms), "reasons",
        reasons_of(r->review), "notes", notes_of(r->review));

    (void)json_object_set_new(
        facts, "standing",
        json_integer(r->earlier ? (json_int_t)r->earlier->count : 0));
    (void)json_object_set_new(facts, "cut", json_boolean(r->diff->cut));
    (void)json_object_set_new(
        facts, "lost",
        json_integer(r->earlier ? (json_int_t)r->earlier->overflow : 0));
    for (size_t i = 0; i < ARRAY_LEN(counters); i++)
        (void)json_object_set_new(
            facts, counters[i].name,
            json_integer((json_int_t) *
                         (const size_t *)((const char *)c + counters[i].at)));
    return json_pack("{s:o}", "review", facts);
}

static void tell_left_out(const struct reviewer *r)
{
    CLEANUP(strbuf) struct strbuf left = STRBUF_INIT;
    const size_t count = review_counts(r->review)->left_out;
    char *line, *at = NULL;
    size_t n = 0;

    if (!count)
        return;
    (void)fprintf(stderr, "review: %zu files were not looked at\n", count);
    review_left_out(r->review, &left);
    for (line = strtok_r(left.data, "\n", &at); line && n < LOG_LINES;
         line = strtok_r(NULL, "\n", &at), n++)
        (void)fprintf(stderr, "review: not looked at: %s\n", line);
    if (n < count)
        (void)fprintf(stderr, "review: and %zu more\n", count - n);
}

static void tell_people(const struct reviewer *r)
{
    const struct findings *found = review_findings(r->review);
    const struct review_counts *c = review_counts(r->review);

    for (size_t i = 0; i < found->count; i++)
        (void)fprintf(stderr, "%s:%u: %s: %s\n", found->items[i].path,
                      found->items[i].line,
                      finding_severity_name(found->items[i].severity),
                      found->items[i].message);
    (void)fprintf(stderr,
                  "review: %zu findings in %zu files; %zu refuted, %zu at "
                  "lines that are not there, %zu said before, %zu too minor, "
                  "%zu beyond the cap\n",
                  found->count, c->files, c->refuted, c->misplaced, c->repeated,
                  c->minor, c->beyond);
    if (r->earlier && r->earlier->count)
        (void)fprintf(stderr, "review: %zu findings of before still stand\n",
                      r->earlier->count);
    if (r->earlier && r->earlier->overflow)
        (void)fprintf(stderr,
                      "review: of %llu more it is not known whether they "
                      "stand: there were too many\n",
                      (unsigned long long)r->earlier->overflow);
    if (r->diff->cut)
        (void)fputs("review: the change is too large: its end was not looked "
                    "at\n",
                    stderr);
    if (c->unseen)
        (void)fprintf(stderr,
                      "review: %zu lines were not looked at: there was no room "
                      "for them, or only for their beginning\n",
                      c->unseen);
    tell_left_out(r);
    if (c->failed)
        (void)fprintf(stderr,
                      "review: %zu of %zu parts were not reviewed: no answer "
                      "of use\n",
                      c->failed, c->chunks);
}

/* Behind those that are new. What was too many to be told to us is not fixed.
 */
static void add_standing(struct findings *found, const struct findings *earlier)
{
    found->overflow += earlier ? earlier->overflow : 0;
    for (size_t i = 0; earlier && i < earlier->count; i++) {
        found->items = arena_grow(found->arena, found->items, found->count,
                                  sizeof(*found->items));
        found->items[found->count++] = earlier->items[i];
    }
}

static int tell(struct reviewer *r)
{
    const struct review_counts *c = review_counts(r->review);
    struct findings *found =
        (struct findings *)(uintptr_t)review_findings(r->review);
    json_t *facts = facts_of(r);
    CLEANUP(mem) char *line = json_dumps(facts, JSON_COMPACT);
    CLEANUP(mem) char *text = NULL;

    json_decref(facts);
    if (!line)
        return EXIT_NOTHING;
    findings_fingerprint(found, fingerprint_diff_line, r->diff);
    tell_people(r);
    add_standing(found, r->earlier);
    text = findings_dump(found);
    (void)printf("%s\n%s\n", line, text);
    if (fflush(stdout) != 0)
        return EXIT_NOTHING;
    return c->chunks && c->failed == c->chunks ? EXIT_NO_ANSWER : 0;
}

static void clear(struct reviewer *r)
{
    if (r->tree)
        tree_drop(r->tree);
    free(r->tree);
    setup_clear(&r->setup);
    review_free(r->review);
    diff_free(r->diff);
    findings_free(r->earlier);
    base_clear(&r->base_files);
    change_clear(&r->change);
    strbuf_clear(&r->task);
    strv_clear(&r->paths);
    json_decref(r->spec);
}

int reviewer_main(void)
{
    struct reviewer r = {.began_ms = clock_mono_ms()};
    struct err err = {0};
    const char *question;
    int64_t time_ms;
    int status = EXIT_NOTHING;

    r.change.diff = r.change.commits = r.change.rules = r.task =
        (struct strbuf)STRBUF_INIT;
    if (read_input(&r, &err) < 0 || prepare(&r, &err) < 0) {
        (void)fprintf(stderr, "review: %s\n", err.msg);
    } else {
        time_ms = (int64_t)number_of(&r, "time_ms", 0);
        r.until_ms = time_ms > 0 ? r.began_ms + time_ms : 0;
        while ((question = review_ask(r.review)) && !is_late(&r))
            ask(&r, question);
        /* Without an answer each question goes by, twice. */
        while (review_ask(r.review))
            (void)!review_answer(r.review, NULL, 0, &err);
        status = tell(&r);
    }
    clear(&r);
    return status;
}
