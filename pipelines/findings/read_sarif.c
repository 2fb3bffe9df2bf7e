/* pipelines/findings/read_sarif.c - SARIF 2.1.0. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "pipelines/findings/reader.h"

#include <string.h>

/* https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html */

#define MAX_BASES   8 /* of one another */
#define MAX_ADDRESS (4 * (size_t)FINDING_MAX_PATH)

struct run {
    struct reader *reader;
    const json_t *run, *driver;
    json_t *rules; /* owned: by id, borrowed objects of the document */
    enum finding_unit unit;
};

static const json_t *at(const json_t *array, const json_t *index)
{
    json_int_t i = json_is_integer(index) ? json_integer_value(index) : -1;

    return i >= 0 ? json_array_get(array, (size_t)i) : NULL;
}

static void index_rules(struct run *run, const json_t *component)
{
    json_t *rule;
    size_t i;

    json_array_foreach(json_object_get(component, "rules"), i, rule)
    {
        const char *id = json_text(rule, "id");

        if (id && !json_object_get(run->rules, id))
            json_object_set(run->rules, id, rule);
    }
}

/* 3.52: by index into a component's list, else by its id. */
static const json_t *find_rule(const struct run *run, const json_t *result,
                               const char *id)
{
    const json_t *reference = json_object_get(result, "rule");
    const json_t *component = json_object_get(reference, "toolComponent");
    const json_t *owner = run->driver, *index, *rule;

    if (component)
        owner =
            at(json_object_get(json_object_get(run->run, "tool"), "extensions"),
               json_object_get(component, "index"));
    index = json_object_get(reference, "index");
    if (!index)
        index = json_object_get(result, "ruleIndex");
    rule = at(json_object_get(owner, "rules"), index);
    return rule || !id ? rule : json_object_get(run->rules, id);
}

/* 3.11.5: {0} stands for the first of the arguments; braces are doubled. */
static void fill_in(struct strbuf *out, const char *text,
                    const json_t *arguments)
{
    for (; *text; text++) {
        const char *argument = NULL;
        size_t digits = *text == '{' ? strspn(text + 1, "0123456789") : 0;

        if (digits && digits < 3 && text[digits + 1] == '}') {
            size_t n = (size_t)(text[1] - '0');

            if (digits == 2)
                n = n * 10 + (size_t)(text[2] - '0');
            argument = json_string_value(json_array_get(arguments, n));
        }
        if (argument) {
            strbuf_adds(out, argument);
            text += digits + 1;
            continue;
        }
        strbuf_addc(out, *text);
        if ((*text == '{' || *text == '}') && text[1] == *text)
            text++;
    }
}

static void read_message(const json_t *result, const json_t *rule,
                         struct strbuf *out)
{
    const json_t *message = json_object_get(result, "message");
    const char *text = json_text(message, "text");
    const char *id = json_text(message, "id");

    if (!text && id)
        text = json_text(
            json_object_get(json_object_get(rule, "messageStrings"), id),
            "text");
    if (!text)
        text = json_text(message, "markdown");
    if (!text)
        text = json_text(json_object_get(rule, "shortDescription"), "text");
    if (text)
        fill_in(out, text, json_object_get(message, "arguments"));
}

/* 3.27.10 */
static enum finding_severity read_level(const json_t *result,
                                        const json_t *rule)
{
    const char *kind = json_text(result, "kind");
    const char *level = json_text(result, "level");

    if (!level && kind && strcmp(kind, "fail") != 0)
        level = "note";
    if (!level)
        level =
            json_text(json_object_get(rule, "defaultConfiguration"), "level");
    return reader_severity(level, FINDING_WARNING);
}

/* Not what passed, was suppressed (3.35), or has gone (3.27.24). */
static bool counts(const json_t *result)
{
    static const char *const idle[] = {"pass", "notApplicable"};
    const char *kind = json_text(result, "kind");
    const char *baseline = json_text(result, "baselineState");
    const json_t *suppression;
    size_t i;

    for (i = 0; kind && i < ARRAY_LEN(idle); i++)
        if (strcmp(kind, idle[i]) == 0)
            return false;
    json_array_foreach(json_object_get(result, "suppressions"), i, suppression)
    {
        const char *status = json_text(suppression, "status");

        if (!status || strcmp(status, "accepted") == 0)
            return false;
    }
    return !baseline || strcmp(baseline, "absent") != 0;
}

/* 3.4.4: the address, behind those that its base has. */
static void read_address(const struct run *run, const json_t *location,
                         struct strbuf *out)
{
    const char *parts[MAX_BASES];
    const json_t *bases = json_object_get(run->run, "originalUriBaseIds");
    const json_t *index = json_object_get(location, "index");
    const char *uri = json_text(location, "uri");
    size_t count = 0;

    if (!uri && index) {
        location = json_object_get(
            at(json_object_get(run->run, "artifacts"), index), "location");
        uri = json_text(location, "uri");
    }
    while (uri && count < MAX_BASES) {
        const char *base = json_text(location, "uriBaseId");

        parts[count++] = uri;
        if (strncmp(uri, "file:", 5) == 0 || uri[0] == '/' || !base)
            break;
        location = json_object_get(bases, base);
        uri = json_text(location, "uri");
    }
    while (count--) {
        if (out->len && out->data[out->len - 1] != '/')
            strbuf_addc(out, '/');
        strbuf_adds(out, parts[count]);
    }
}

/* 3.57: one replacement, in the file that the finding is in. */
static void read_fix(const struct run *run, const json_t *result,
                     struct finding_fix *fix)
{
    const json_t *changes = json_object_get(
        json_array_get(json_object_get(result, "fixes"), 0), "artifactChanges");
    const json_t *list =
        json_object_get(json_array_get(changes, 0), "replacements");
    const json_t *replacement = json_array_get(list, 0);
    const json_t *region = json_object_get(replacement, "deletedRegion");
    const json_t *inserted = json_object_get(replacement, "insertedContent");

    if (json_array_size(changes) != 1 || json_array_size(list) != 1)
        return;
    fix->text = inserted ? json_text(inserted, "text") : "";
    fix->line = json_line(region, "startLine");
    fix->column = json_line(region, "startColumn");
    fix->end_line = json_line(region, "endLine");
    fix->end_column = json_line(region, "endColumn");
    fix->unit = run->unit;
}

static void read_result(const struct run *run, const json_t *result)
{
    CLEANUP(strbuf) struct strbuf message = STRBUF_MAX(FINDING_MAX_TEXT + 1);
    CLEANUP(strbuf) struct strbuf address = STRBUF_MAX(MAX_ADDRESS);
    struct finding draft = FINDING_DRAFT;
    const json_t *place =
        json_object_get(json_array_get(json_object_get(result, "locations"), 0),
                        "physicalLocation");
    const json_t *region = json_object_get(place, "region");
    const char *id = json_text(result, "ruleId");
    const json_t *rule;

    if (!id)
        id = json_text(json_object_get(result, "rule"), "id");
    rule = find_rule(run, result, id);
    read_message(result, rule, &message);
    draft.tool = json_text(run->driver, "name");
    draft.rule = id ? id : json_text(rule, "id");
    draft.url = json_text(rule, "helpUri");
    draft.message = message.data;
    draft.severity = read_level(result, rule);
    draft.line = json_line(region, "startLine");
    draft.column = json_line(region, "startColumn");
    draft.end_line = json_line(region, "endLine");
    draft.end_column = json_line(region, "endColumn");
    draft.quote = json_text(json_object_get(region, "snippet"), "text");
    read_address(run, json_object_get(place, "artifactLocation"), &address);
    read_fix(run, result, &draft.fix);
    reader_add(run->reader, &draft, address.data, true);
}

static void read_run(struct reader *reader, const json_t *value)
{
    const json_t *tool = json_object_get(value, "tool");
    const char *columns = json_text(value, "columnKind");
    struct run run = {
        .reader = reader,
        .run = value,
        .driver = json_object_get(tool, "driver"),
        .rules = json_object(),
        .unit = columns && strcmp(columns, "unicodeCodePoints") == 0
                    ? FINDING_CHARACTERS
                    : FINDING_UTF16,
    };
    const json_t *item;
    size_t i;

    index_rules(&run, run.driver);
    json_array_foreach(json_object_get(tool, "extensions"), i, item)
        index_rules(&run, item);
    json_array_foreach(json_object_get(value, "results"), i, item)
    {
        if (!json_is_object(json_object_get(item, "message")))
            reader_refuse(reader, "result %zu: no 'message'", i + 1);
        else if (counts(item))
            read_result(&run, item);
    }
    json_decref(run.rules);
}

int read_sarif(struct reader *reader, const char *text, size_t len,
               struct err *err)
{
    json_t *root = NULL;
    const json_t *runs, *run;
    const char *version;
    size_t i;

    if (reader_json(text, len, &root, err) < 0)
        return -1;
    version = json_text(root, "version");
    runs = json_object_get(root, "runs");
    if (!version || strncmp(version, "2.1", 3) != 0 || !json_is_array(runs)) {
        json_decref(root);
        return err_set(err, ERR_USER,
                       "it has no 'version' 2.1 with a list 'runs'");
    }
    json_array_foreach(runs, i, run) read_run(reader, run);
    json_decref(root);
    return 0;
}
