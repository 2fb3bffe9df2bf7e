/* pipelines/review/outcome.c - what a job's result says of its reviews. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/review/outcome.h"

#include "base/json_texts.h"
#include "base/utf8.h"
#include "pipelines/findings/markdown.h"

#include <string.h>

#define LIST_BYTES ((size_t)6 << 10) /* of files that were left out */
#define NOTE_BYTES ((size_t)12 << 10)

static long long number_of(const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(object, key));

    return number > 0 ? (long long)number : 0;
}

/* ---- the note ------------------------------------------------------------ */

static void add_commit(struct strbuf *out, const char *commit)
{
    CLEANUP(mem) char *start = xasprintf("%.7s", commit);

    markdown_code(out, start, 0);
}

static void add_range(struct strbuf *out, const json_t *review)
{
    const char *from = json_text_at(review, "from");
    const char *to = json_text_at(review, "to");

    strbuf_addf(out, "Reviewed %lld file%s", number_of(review, "files"),
                number_of(review, "files") == 1 ? "" : "s");
    if (*from) {
        strbuf_adds(out, ", ");
        add_commit(out, from);
        strbuf_adds(out, " to ");
        add_commit(out, to);
    } else if (*to) {
        strbuf_adds(out, ", all of ");
        add_commit(out, to);
    }
    if (json_is_true(json_object_get(review, "since")))
        strbuf_adds(out, " (what is new since the last review)");
}

static void add_cost(struct strbuf *out, const json_t *review,
                     const json_t *model)
{
    long long seconds = number_of(review, "ms") / 1000;

    if (*json_text_at(model, "model")) {
        strbuf_adds(out, " with ");
        markdown_code(out, json_text_at(model, "model"), 0);
    }
    strbuf_addf(out, " in %lld s", seconds);
    if (!model)
        return;
    strbuf_addf(
        out, ": %lld request%s, %lld tokens in, %lld out, %s%.4f USD",
        number_of(model, "requests"),
        number_of(model, "requests") == 1 ? "" : "s",
        number_of(model, "input_tokens"), number_of(model, "output_tokens"),
        json_is_true(json_object_get(model, "estimated")) ? "about " : "",
        json_number_value(json_object_get(model, "usd")));
}

static void add_standing(struct strbuf *out, const json_t *review)
{
    long long count = number_of(review, "standing");

    if (count)
        strbuf_addf(out, " %lld finding%s of before still stand%s.", count,
                    count == 1 ? "" : "s", count == 1 ? "s" : "");
    count = number_of(review, "lost");
    if (count)
        strbuf_addf(out,
                    " **Of %lld more it is not known whether they stand**: a "
                    "review is told of %u findings of before.",
                    count, OUTCOME_MAX_FINDINGS);
}

static void add_dropped(struct strbuf *out, const json_t *review)
{
    static const struct {
        const char *key, *words;
    } kinds[] = {{"refuted", "refuted when asked again"},
                 {"misplaced", "at lines that are not there"},
                 {"repeated", "told before"},
                 {"minor", "too minor"},
                 {"beyond", "beyond the limit"}};
    const char *between = "\n\nNot told: ";

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!number_of(review, kinds[i].key))
            continue;
        strbuf_addf(out, "%s%lld %s", between, number_of(review, kinds[i].key),
                    kinds[i].words);
        between = ", ";
    }
    if (strcmp(between, ", ") == 0)
        strbuf_addc(out, '.');
}

static void add_reasons(struct strbuf *out, const json_t *review)
{
    const json_t *reason;
    size_t i;

    json_array_foreach(json_object_get(review, "reasons"), i, reason)
    {
        strbuf_adds(out, i ? ", " : " (");
        markdown_text(out, json_text_at(reason, "why"), MARKDOWN_TABLE);
        strbuf_addf(out, ": %lld", number_of(reason, "files"));
    }
    if (i)
        strbuf_addc(out, ')');
}

/* As many as there is room for in a summary, and how many there are. */
static void add_files(struct strbuf *out, const json_t *review)
{
    const json_t *notes = json_object_get(review, "notes"), *note;
    size_t start = out->len, i;
    long long told = 0;

    if (!json_array_size(notes))
        return;
    strbuf_adds(out, "\n\n<details><summary>Files not looked at</summary>\n");
    json_array_foreach(notes, i, note)
    {
        const char *text = json_string_value(note);

        if (!text || out->len - start > LIST_BYTES || out->len > NOTE_BYTES)
            break;
        strbuf_adds(out, "\n- ");
        markdown_text(out, text, MARKDOWN_TABLE);
        told++;
    }
    if (told < number_of(review, "left_out"))
        strbuf_addf(out, "\n- and %lld more: the log of the job names them",
                    number_of(review, "left_out") - told);
    strbuf_adds(out, "\n\n</details>");
}

static void add_left_out(struct strbuf *out, const json_t *review)
{
    if (number_of(review, "failed"))
        strbuf_addf(out,
                    "\n\n**%lld of %lld parts were not reviewed**: the model "
                    "gave no answer of use.",
                    number_of(review, "failed"), number_of(review, "chunks"));
    if (json_is_true(json_object_get(review, "cut")))
        strbuf_adds(out, "\n\n**The change is too large**: its end was not "
                         "looked at, nor counted.");
    if (number_of(review, "unseen"))
        strbuf_addf(
            out,
            "\n\n**Not looked at: %lld line%s** of these files, for "
            "which there was no room, or only for the first 2000 bytes.",
            number_of(review, "unseen"),
            number_of(review, "unseen") == 1 ? "" : "s");
    if (!number_of(review, "left_out"))
        return;
    strbuf_addf(out, "\n\nNot looked at: %lld file%s",
                number_of(review, "left_out"),
                number_of(review, "left_out") == 1 ? "" : "s");
    add_reasons(out, review);
    strbuf_addc(out, '.');
    add_files(out, review);
}

void outcome_note(struct strbuf *out, const json_t *result)
{
    const json_t *step, *review;
    size_t i;

    json_array_foreach(json_object_get(result, "steps"), i, step)
    {
        review = json_object_get(step, "review");
        if (!json_is_object(review))
            continue;
        if (out->len)
            strbuf_adds(out, "\n\n");
        add_range(out, review);
        add_cost(out, review, json_object_get(step, "model"));
        strbuf_addc(out, '.');
        add_standing(out, review);
        add_dropped(out, review);
        add_left_out(out, review);
    }
}

/* ---- for the next one ---------------------------------------------------- */

static json_t *cut_text(const char *text)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    size_t len = strlen(text);

    if (len <= OUTCOME_MAX_TEXT)
        return json_string(text);
    strbuf_add(&out, text, utf8_fit(text, len, OUTCOME_MAX_TEXT));
    strbuf_adds(&out, "…");
    return json_string(out.data);
}

static const char cut[] =
    "(Reasons and suggestion are cut: the review that found this has them.)";

/* As much as tells two findings apart. */
static json_t *short_finding(const json_t *finding)
{
    static const char *const texts[] = {"message", "quote"};
    static const char *const as_is[] = {"kind", "severity", "tool",
                                        "rule", "path",     "side",
                                        "line", "end_line", "fingerprint"};
    json_t *made = json_object();

    for (size_t i = 0; i < ARRAY_LEN(as_is); i++) {
        json_t *value = json_object_get(finding, as_is[i]);

        if (json_is_string(value) || json_is_integer(value))
            json_object_set(made, as_is[i], value);
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (*json_text_at(finding, texts[i]))
            json_object_set_new(made, texts[i],
                                cut_text(json_text_at(finding, texts[i])));
    if (*json_text_at(finding, "why") || json_object_get(finding, "fix"))
        json_object_set_new(made, "why", json_string(cut));
    return made;
}

static json_t *short_findings(const json_t *found)
{
    json_t *list = json_array(), *finding, *made;
    size_t left = OUTCOME_MAX_WHOLE, i;
    long long lost = number_of(found, "overflow");

    json_array_foreach(json_object_get(found, "findings"), i, finding)
    {
        size_t bytes = json_dumpb(finding, NULL, 0, JSON_COMPACT);

        if (i >= OUTCOME_MAX_FINDINGS) {
            lost++;
            continue;
        }
        if (bytes > left) {
            json_array_append_new(list, short_finding(finding));
            continue;
        }
        left -= bytes;
        json_array_append(list, finding);
    }
    made = json_pack("{s:i, s:o, s:{s:i, s:i, s:i}}", "schema", 1, "findings",
                     list, "tests", "passed", 0, "failed", 0, "skipped", 0);
    if (lost)
        json_object_set_new(made, "overflow", json_integer(lost));
    return made;
}

json_t *outcome_previous(const json_t *result)
{
    const json_t *step, *review;
    size_t i;

    json_array_foreach(json_object_get(result, "steps"), i, step)
    {
        review = json_object_get(step, "review");
        if (!json_is_object(review) || !*json_text_at(review, "to") ||
            number_of(review, "failed") ||
            strcmp(json_text_at(step, "outcome"), "passed") != 0)
            continue;
        return json_pack("{s:s, s:o}", "commit", json_text_at(review, "to"),
                         "findings",
                         short_findings(json_object_get(step, "findings")));
    }
    return NULL;
}

bool outcome_is_partial(const json_t *result)
{
    const json_t *step;
    size_t i;

    json_array_foreach(json_object_get(result, "steps"), i, step)
    {
        if (number_of(json_object_get(step, "review"), "failed"))
            return true;
    }
    return false;
}
