/* cli/review_output.c - what a review found, in several formats. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/review_output.h"

#include "cli/text.h"
#include "pipelines/findings/comment.h"
#include "pipelines/findings/write.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 1000
#define BODY_MAX ((size_t)1 << 20)

static const char *const formats[REVIEW_FORMAT_COUNT] = {
    [REVIEW_TEXT] = "text",     [REVIEW_JSON] = "json",
    [REVIEW_RDJSON] = "rdjson", [REVIEW_SARIF] = "sarif",
    [REVIEW_MD] = "md",
};

int review_format_find(const char *name)
{
    for (int i = 0; i < REVIEW_FORMAT_COUNT; i++)
        if (strcmp(name, formats[i]) == 0)
            return i;
    return -1;
}

/* Line by line, each behind `indent`. */
static void add_lines(struct strbuf *out, const char *indent, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        CLEANUP(mem) char *line = xstrndup(text, len);

        strbuf_adds(out, indent);
        text_add_clean(out, line);
        strbuf_addc(out, '\n');
        text += len + (text[len] == '\n');
    }
}

static void add_text(struct strbuf *out, const struct finding *f)
{
    if (*f->path) {
        text_add_clean(out, f->path);
        if (f->line)
            strbuf_addf(out, ":%u", f->line);
        if (f->line && f->column)
            strbuf_addf(out, ":%u", f->column);
        strbuf_adds(out, ": ");
    }
    strbuf_addf(out, "%s: ", finding_severity_name(f->severity));
    text_add_clean(out, f->message);
    strbuf_addc(out, '\n');
    add_lines(out, "    ", f->why);
    if (!f->fix.text)
        return;
    strbuf_adds(out, *f->fix.text ? "    suggestion:\n"
                                  : "    suggestion: remove it\n");
    add_lines(out, "      ", f->fix.text);
}

/* Takes `document`. */
static void add_json(struct strbuf *out, json_t *document)
{
    CLEANUP(mem)
    char *text = json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(6));

    json_decref(document);
    strbuf_addf(out, "%s\n", text ? text : "null");
}

static void add_summary(struct strbuf *out, const struct findings *findings)
{
    const struct summary_spec spec = {.key = "review",
                                      .title = "Review",
                                      .max_rows = ROWS_MAX,
                                      .max = BODY_MAX};
    CLEANUP(mem) char *body = summary_write(findings, &spec);

    strbuf_addf(out, "%s\n", body);
}

void review_output_add(struct strbuf *out, enum review_format format,
                       const struct findings *findings)
{
    if (format == REVIEW_JSON)
        add_json(out, findings_to_json(findings));
    else if (format == REVIEW_RDJSON)
        add_json(out, findings_to_rdjson(findings));
    else if (format == REVIEW_SARIF)
        add_json(out, findings_to_sarif(findings, BERTH_VERSION));
    else if (format == REVIEW_MD)
        add_summary(out, findings);
    for (size_t i = 0; format == REVIEW_TEXT && i < findings->count; i++)
        add_text(out, &findings->items[i]);
}

struct findings *review_findings_of(const json_t *result)
{
    const struct findings_source source = {.tool = "review"};
    CLEANUP(findings) struct findings *all = findings_new();
    const json_t *step, *steps = json_object_get(result, "steps");
    bool any = false;
    size_t i;

    json_array_foreach(steps, i, step)
    {
        const json_t *found = json_object_get(step, "findings");
        CLEANUP(mem) char *text = found ? json_dumps(found, 0) : NULL;
        struct err ignored;

        if (text && findings_read(all, FINDINGS_OWN, &source, text,
                                  strlen(text), &ignored) == 0)
            any = true;
    }
    return any ? STEAL(all) : NULL;
}

size_t review_count(const struct findings *findings,
                    enum finding_severity severity)
{
    size_t count = 0;

    for (size_t i = 0; i < findings->count; i++)
        count += findings->items[i].severity >= severity;
    return count;
}

static long long number_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static void add_number(struct strbuf *out, const json_t *object,
                       const char *key, const char *noun)
{
    long long number = number_of(object, key);

    strbuf_addf(out, "%lld %s%s", number, noun, number == 1 ? "" : "s");
}

static void add_left_out(struct strbuf *out, const json_t *review)
{
    const json_t *reason;
    size_t i;

    strbuf_adds(out, "not looked at: ");
    add_number(out, review, "left_out", "file");
    json_array_foreach(json_object_get(review, "reasons"), i, reason)
    {
        const char *why = json_string_value(json_object_get(reason, "why"));

        strbuf_adds(out, i ? ", " : " (");
        text_add_clean(out, why ? why : "");
        strbuf_addf(out, ": %lld", number_of(reason, "files"));
    }
    strbuf_adds(out, i ? ")\n" : "\n");
}

static void add_facts(struct strbuf *out, const json_t *review,
                      const json_t *model)
{
    const char *from = json_string_value(json_object_get(review, "from"));
    const char *to = json_string_value(json_object_get(review, "to"));
    static const struct {
        const char *key, *words;
    } rest[] = {{"refuted", "refuted"},
                {"misplaced", "at lines that are not there"},
                {"repeated", "said before"},
                {"minor", "too minor"},
                {"beyond", "beyond the cap"}};

    strbuf_adds(out, "reviewed: ");
    add_number(out, review, "files", "file");
    if (to)
        strbuf_addf(out, ", %.7s%s%.7s", from ? from : "",
                    from ? "..." : "all of ", to);
    if (model) {
        strbuf_adds(out, "; ");
        add_number(out, model, "requests", "request");
        strbuf_addf(out, ", %lld tokens, %s%.4f USD",
                    number_of(model, "input_tokens") +
                        number_of(model, "output_tokens"),
                    json_is_true(json_object_get(model, "estimated")) ? "about "
                                                                      : "",
                    json_number_value(json_object_get(model, "usd")));
    }
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        if (number_of(review, rest[i].key))
            strbuf_addf(out, "; %lld %s", number_of(review, rest[i].key),
                        rest[i].words);
    strbuf_addc(out, '\n');
    if (number_of(review, "failed"))
        strbuf_addf(out,
                    "not reviewed: %lld of %lld parts, for the model gave no "
                    "answer of use\n",
                    number_of(review, "failed"), number_of(review, "chunks"));
    if (json_is_true(json_object_get(review, "cut")))
        strbuf_adds(out, "not looked at: the end of the change, which is too "
                         "large\n");
    if (number_of(review, "unseen"))
        strbuf_addf(out, "not looked at: %lld lines, for want of room\n",
                    number_of(review, "unseen"));
    if (number_of(review, "left_out"))
        add_left_out(out, review);
}

void review_facts_add(struct strbuf *out, const json_t *result)
{
    const json_t *step;
    size_t i;

    json_array_foreach(json_object_get(result, "steps"), i, step)
    {
        const json_t *review = json_object_get(step, "review");

        if (review)
            add_facts(out, review, json_object_get(step, "model"));
    }
}
